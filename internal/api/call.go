package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"leat/internal/auth"
	"leat/internal/codec/encode"
	"leat/internal/types"
)

// call is one request on its way through a route.
type call struct {
	s         *server
	w         *response
	r         *http.Request
	route     *route
	query     url.Values
	principal auth.Principal
	admission
	// values hold the first headers that set sets, used of them: one of its own for each would cost an allocation.
	values [12]string
	used   int
	// unpacked is the body without its content coding, nil where it has none.
	unpacked io.ReadCloser
}

// checkParams refuses parameters that the route does not know, come twice or are missing.
func (c *call) checkParams() error {
	for name, values := range c.query {
		known := c.route.hasParam(name)
		switch {
		case !known && (!c.route.anyParam || strings.HasPrefix(name, "_")):
			return unknownParam(name, c.route.params)
		case len(values) > 1 && !(c.route.repeated && !known) && (known || c.route.body.types != nil || c.route.anyParam):
			return badParam(name, "is given %d times", len(values))
		case !utf8.ValidString(name) || !utf8.ValidString(values[0]):
			return badParam(name, "is not valid UTF-8")
		}
	}
	for _, p := range c.route.params {
		value, given := c.query.Get(p.name), c.query.Has(p.name)
		if !given && p.required {
			return badParam(p.name, "is required")
		}
		if given && p.enum != nil && p.name != formatParam.name && !slices.Contains(p.enum, value) {
			return badParam(p.name, "is %.40q; it can be %s", value, strings.Join(p.enum, ", "))
		}
	}
	return nil
}

func unknownParam(name string, known []param) error {
	e := badParam(name, "is unknown")
	if len(known) == 0 {
		return e.WithHint("this route takes no parameters")
	}
	names := make([]string, len(known))
	for i, p := range known {
		names[i] = p.name
	}
	return e.WithHint("this route knows %s", strings.Join(names, ", "))
}

// badParam is an error about a query parameter.
func badParam(name, format string, args ...any) *types.Error {
	e := types.Errorf(types.InvalidArgument, "parameter %.60q "+format, append([]any{name}, args...)...)
	e.Path = name
	return e
}

// bool reads a flag: true, 1 or no value; false or 0.
func (c *call) bool(name string) (bool, error) {
	if !c.query.Has(name) {
		return false, nil
	}
	switch v := strings.ToLower(c.query.Get(name)); v {
	case "", "1", "true":
		return true, nil
	case "0", "false":
		return false, nil
	default:
		return false, badParam(name, "is %.40q; it can be true or false", v)
	}
}

// int reads a number from 1 to limit; 0 if it is not given.
func (c *call) int(name string, limit int) (int, error) {
	if !c.query.Has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(c.query.Get(name))
	if err != nil || n < 1 || n > limit {
		return 0, badParam(name, "is %.40q; it can be 1 to %d", c.query.Get(name), limit)
	}
	return n, nil
}

// deadline returns the request's context with its timeout: text, or for "" the parameter _timeout, or limit.
func (c *call) deadline(text string, limit time.Duration) (context.Context, context.CancelFunc, error) {
	most := c.s.Limits.MaxTimeout
	if text == "" {
		text = c.query.Get(timeoutParam.name)
	}
	if text != "" || c.query.Has(timeoutParam.name) {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > most {
			return nil, nil, badParam(timeoutParam.name, "is %.40q; it can be up to %s", text, most).WithHint("write it as 500ms or 10s")
		}
		limit = d
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), limit)
	return ctx, cancel, nil
}

// after reads the position that the answer must include.
func (c *call) after() (types.Position, error) {
	text := c.r.Header.Get("Leat-After")
	if text == "" {
		return types.Position{}, nil
	}
	return types.ParsePosition(text)
}

// limitBody bounds the body and checks its type against the route's.
func (c *call) limitBody() error {
	b := c.route.body
	if b.types == nil {
		return nil
	}
	limit := c.s.Limits.MaxBodyBytes
	if b.events {
		limit = c.s.Limits.MaxEventBytes
	}
	if c.r.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	// net/http's own writer, which closes the connection of a client that goes on sending.
	c.r.Body = http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, limit)
	if b.events {
		return nil
	}
	encoding := c.r.Header.Get("Content-Encoding")
	if encoding == "" || encoding == "identity" {
		return nil
	}
	plain, err := encode.Decompress(encoding, c.r.Body)
	if err != nil {
		return err
	}
	c.unpacked = http.MaxBytesReader(c.w.ResponseWriter, plain, limit) // a small body may unpack to a large one
	return nil
}

// mediaType returns the body's type without parameters; "" if it isn't given.
func (c *call) mediaType() (string, error) {
	text := c.r.Header.Get("Content-Type")
	if text == "" {
		return "", nil
	}
	t, params, err := mime.ParseMediaType(text)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", types.Errorf(types.UnsupportedMedia, "content type %.100q is not understood", text).WithHint("text must be UTF-8")
	}
	return t, nil
}

// readBody reads the whole body, within the route's limit.
func (c *call) readBody() ([]byte, error) {
	body := c.r.Body
	if c.unpacked != nil {
		body = c.unpacked
		defer body.Close()
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, unreadable(err)
	}
	if !utf8.Valid(b) {
		return nil, types.Errorf(types.InvalidArgument, "the body is not valid UTF-8")
	}
	return b, nil
}

// unreadable explains an error of a body; what is none of ours is a decompressor's.
func unreadable(err error) error {
	_, ours := errors.AsType[*types.Error](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	if _, network := errors.AsType[net.Error](err); ours || tooLarge || network || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return types.Errorf(types.InvalidArgument, "the body can't be read: %w", err).WithHint("its Content-Encoding may not be what it says")
}

// readJSON reads a JSON body into v, strictly: no unknown members, nothing after it, numbers kept exact.
// An empty body leaves v as it is where the route does not require one.
func (c *call) readJSON(v any) error {
	t, err := c.mediaType()
	if err != nil {
		return err
	}
	// curl -d says form, whatever it sends.
	if t != "" && t != "application/json" && t != "application/x-www-form-urlencoded" && !strings.HasSuffix(t, "+json") {
		return types.Errorf(types.UnsupportedMedia, "content type %.100q is not JSON", t).WithHint("send Content-Type: application/json")
	}
	b, err := c.readBody()
	if err != nil {
		return err
	}
	if len(strings.TrimSpace(string(b))) == 0 && !c.route.body.required {
		return nil
	}
	return decodeJSON(b, v)
}

func decodeJSON(b []byte, v any) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	err := dec.Decode(v)
	if err == nil {
		if _, more := dec.Token(); more == io.EOF {
			return nil
		}
		err = errors.New("there is something after the value")
	}
	e := types.Errorf(types.InvalidArgument, "the body is not the JSON that this route reads: %s", strings.TrimPrefix(err.Error(), "json: "))
	offset := int(dec.InputOffset())
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = int(syntax.Offset)
	}
	return e.At(types.Place(string(b), max(offset-1, 0)))
}

// set sets a header of the answer, by its name in its canonical form.
func (c *call) set(name, value string) {
	if c.used == len(c.values) {
		set(c.w.Header(), name, value)
		return
	}
	c.values[c.used] = value
	c.used++
	c.w.Header()[name] = c.values[c.used-1 : c.used : c.used]
}

// json answers with a value.
func (c *call) json(status int, v any) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	writeJSONTo(c.w, v)
	return nil
}

// position sets the header that says up to where the answer saw the log.
func (c *call) position(p types.Position) {
	if len(p.Cursors) > 0 || p.Incarnation != 0 {
		c.set("Leat-Position", p.Token())
	}
}
