package ingest

import (
	"bytes"
	"encoding/json"

	"leat/internal/types"
)

// maxNote is what bus.Dedup keeps of an answer.
const maxNote = 4 << 10

// note is an answer as it is kept for repeats of its request (docs/ingest.md).
type note struct {
	Accepted    int         `json:"accepted"`
	DeadLetters int         `json:"dead_letters"`
	Created     bool        `json:"created,omitempty"`
	Errors      []noteError `json:"errors,omitempty"`
}

type noteError struct {
	Code    types.Code `json:"code"`
	Message string     `json:"message"`
	Hint    string     `json:"hint,omitempty"`
	Path    string     `json:"path,omitempty"`
	Line    int        `json:"line,omitempty"`
	Column  int        `json:"column,omitempty"`
}

// note prints the answer, leaving out the last errors where it would be too long.
func (r *Result) note() []byte {
	n := note{Accepted: r.Accepted, DeadLetters: r.DeadLetters, Created: r.Created}
	for _, e := range r.FirstErrors {
		n.Errors = append(n.Errors, noteError{e.Code, e.Message, e.Hint, e.Path, e.Line, e.Column})
	}
	for {
		b, err := json.Marshal(n)
		if err != nil {
			panic("BUG: note: " + err.Error())
		}
		if len(b) <= maxNote {
			return b
		}
		n.Errors = n.Errors[:len(n.Errors)-1]
	}
}

// resultOf reads a note back.
func resultOf(b []byte) (Result, error) {
	var n note
	if err := json.Unmarshal(b, &n); err != nil {
		return Result{}, types.Errorf(types.Corrupt, "the answer kept for this Idempotency-Key: %w", err)
	}
	r := Result{Accepted: n.Accepted, DeadLetters: n.DeadLetters, Created: n.Created}
	for _, e := range n.Errors {
		r.FirstErrors = append(r.FirstErrors, &types.Error{Code: e.Code, Message: e.Message, Hint: e.Hint, Path: e.Path, Line: e.Line, Column: e.Column})
	}
	return r, nil
}

// csvHeader returns the first record of a CSV body with its line end: a letter needs it to be read again.
func csvHeader(body []byte) []byte {
	quoted := false
	for i, c := range body {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && !quoted:
			return body[:i+1]
		}
	}
	return append(bytes.Clone(body), '\n')
}

func withHeader(header, raw []byte) []byte {
	if len(header) == 0 {
		return raw
	}
	return append(append(make([]byte, 0, len(header)+len(raw)), header...), raw...)
}
