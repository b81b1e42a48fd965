package pgwire

import (
	"context"
	"errors"
	"unicode/utf8"

	"leat/internal/types"
)

// stateError is a coded error with a SQLSTATE finer than its code's.
type stateError struct {
	err   *types.Error
	state string
}

func (e *stateError) Error() string { return e.err.Error() }
func (e *stateError) Unwrap() error { return e.err }

func withState(e *types.Error, state string) error { return &stateError{e, state} }

// failure is an error with that SQLSTATE.
func failure(state, format string, args ...any) error {
	return withState(types.Errorf(types.InvalidArgument, format, args...), state)
}

func hinted(err error, hint string) error {
	types.AsError(err).Hint = hint
	return err
}

// fatal is an error that ends the connection.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// report is an ErrorResponse or NoticeResponse.
type report struct {
	severity, state, message, detail, hint string
	// position is the 1-based place in the query in characters, 0 for none.
	position int
	where    string
}

// fault describes an error; script is the text that its place refers to.
func fault(err error, script string) report {
	e := types.AsError(err)
	r := report{severity: "ERROR", state: e.Code.Mapping().SQLState, message: e.Message, hint: e.Hint}
	if s, ok := errors.AsType[*stateError](err); ok {
		r.state = s.state
	}
	if _, ok := errors.AsType[fatal](err); ok {
		r.severity = "FATAL"
	}
	if e.Code == types.DataError && r.state == "22000" {
		r.state = "22P02"
	}
	if e.Code == types.Internal && errors.Is(err, context.Canceled) {
		r.state = "57014"
	}
	if c, ok := errors.AsType[*copyError](err); ok {
		r.where = c.where
	}
	if e.Line > 0 && script != "" {
		r.position = position(script, e.Line, e.Column)
	}
	if e.Path != "" && e.Line == 0 {
		r.detail = "At " + e.Path + "."
	}
	for _, more := range e.Errors {
		if r.detail != "" {
			r.detail += "\n"
		}
		r.detail += more.Error()
	}
	return r
}

// position turns a line and a column into the number of a character.
func position(script string, line, column int) int {
	at, l := 0, 1
	for i := 0; i < len(script) && l < line; at++ {
		r, n := utf8.DecodeRuneInString(script[i:])
		if i += n; r == '\n' {
			l++
		}
	}
	if l < line {
		return 0
	}
	return at + column
}

// report appends an ErrorResponse or NoticeResponse.
func (w *wire) report(kind byte, r report) {
	at := w.begin(kind)
	field := func(code byte, text string) {
		if text == "" {
			return
		}
		w.out = append(w.out, code)
		for i := range len(text) {
			if text[i] != 0 {
				w.out = append(w.out, text[i])
			}
		}
		w.out = append(w.out, 0)
	}
	field('S', r.severity)
	field('V', r.severity)
	field('C', r.state)
	field('M', r.message)
	field('D', r.detail)
	field('H', r.hint)
	if r.position > 0 {
		field('P', itoa(r.position))
	}
	field('W', r.where)
	w.out = append(w.out, 0)
	w.finish(at)
}
