package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"leat/internal/types"
)

// problem is an error as clients see it: RFC 9457 with Leat's members.
type problem struct {
	Type   string     `json:"type"`
	Title  string     `json:"title"`
	Status int        `json:"status"`
	Detail string     `json:"detail"`
	Code   types.Code `json:"code"`
	fault
	Errors    []faultJSON `json:"errors,omitempty"`
	RequestID string      `json:"request_id,omitempty"`
}

// fault is where an error lies and how to mend it.
type fault struct {
	Hint   string `json:"hint,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Path   string `json:"path,omitempty"`
}

// faultJSON is one of several errors of one request.
type faultJSON struct {
	Code   types.Code `json:"code"`
	Detail string     `json:"detail"`
	fault
}

const problemType = "application/problem+json"

func faultOf(e *types.Error) fault { return fault{e.Hint, e.Line, e.Column, e.Path} }

// faults turns errors into JSON; it is never null.
func faults(errs []*types.Error) []faultJSON {
	out := make([]faultJSON, len(errs))
	for i, e := range errs {
		out[i] = faultJSON{e.Code, e.Message, faultOf(e)}
	}
	return out
}

// coded finds the coded error, also behind those of net/http and context.
func coded(err error) *types.Error {
	if e, ok := errors.AsType[*types.Error](err); ok {
		return e
	}
	switch tooLarge, ok := errors.AsType[*http.MaxBytesError](err); {
	case ok:
		return types.Errorf(types.PayloadTooLarge, "the body is larger than the limit of %d bytes", tooLarge.Limit).
			WithHint("send it in several requests")
	case errors.Is(err, context.DeadlineExceeded):
		return types.Errorf(types.Timeout, "the request took longer than its timeout").WithHint("ask for more with _timeout")
	case errors.Is(err, context.Canceled):
		return types.Errorf(types.Canceled, "the client went away")
	}
	return types.AsError(err)
}

// writeProblem answers with an error. Messages of internal errors stay in the log: they may hold what a user must not see.
func writeProblem(w http.ResponseWriter, e *types.Error, requestID string) {
	status := e.Code.Mapping().Status
	p := problem{
		Type: "urn:leat:problem:" + string(e.Code), Title: title(e.Code), Status: status,
		Detail: e.Message, Code: e.Code, fault: faultOf(e), RequestID: requestID,
	}
	if len(e.Errors) > 0 {
		p.Errors = faults(e.Errors)
	}
	if e.Code.Mapping() == types.Internal.Mapping() {
		p.Detail, p.fault, p.Errors = "an internal error; the server's log has it under "+requestID, fault{}, nil
	}
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Del("Content-Length")
	switch {
	case status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="leat"`)
	case e.RetryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	writeJSONTo(w, p)
}

// title is the code as words: stable for a type of problem, as RFC 9457 asks.
func title(c types.Code) string {
	words := strings.ReplaceAll(string(c), "_", " ")
	if words == "" {
		return "Internal"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// writeJSONTo writes v and a line feed. An error means that the client is gone, which nobody can be told.
func writeJSONTo(w http.ResponseWriter, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
