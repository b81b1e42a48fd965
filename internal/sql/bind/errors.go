package bind

import (
	"unicode/utf8"

	"leat/internal/types"
)

// fail makes an error at a byte offset of the planned text.
func (s *session) fail(location uint64, code types.Code, format string, args ...any) *types.Error {
	return s.at(s.place(location), types.Errorf(code, format, args...))
}

// at gives an error the place of a byte offset in the user's text; -1 is unknown.
func (s *session) at(offset int, e *types.Error) *types.Error {
	if offset >= 0 {
		e.Line, e.Column = types.Place(s.text, offset)
	}
	return e
}

// place maps an offset in the planned text to the user's text, -1 if unknown.
func (s *session) place(location uint64) int {
	if location == noLocation || location > uint64(s.planned.len()) {
		return -1
	}
	return s.planned.origin(int(location))
}

// replace gives an error of the planner, placed in the planned text, its place in the user's.
func (s *session) replace(err error) error {
	if err == nil {
		return nil
	}
	e := types.AsError(err)
	if e.Line == 0 {
		return err
	}
	c := *e
	offset := s.planned.origin(offsetOf(s.planned.String(), e.Line, e.Column))
	c.Line, c.Column = 0, 0
	return s.at(offset, &c)
}

// offsetOf is the inverse of types.Place.
func offsetOf(text string, line, column int) int {
	offset := 0
	for ; line > 1 && offset < len(text); offset++ {
		if text[offset] == '\n' {
			line--
		}
	}
	for ; column > 1 && offset < len(text); column-- {
		_, n := utf8.DecodeRuneInString(text[offset:])
		offset += n
	}
	return offset
}
