package codec

import (
	"strconv"

	"leat/internal/codec/jsonscan"
	"leat/internal/types"
)

// nested reads the object or array at b[i] into a struct, map or list.
func (s *state) nested(c *column, i int) (int, *fault) {
	object := s.b[i] == '{'
	switch {
	case object && c.typ.Kind == types.Struct:
		return s.structure(c, i)
	case object && c.typ.Kind == types.Map:
		return s.mapping(c, i)
	case !object && c.typ.Kind == types.List:
		return s.list(c, i)
	}
	what := "an array"
	if object {
		what = "an object"
	}
	return i, notA(c.typ, []byte(what), "TYPE JSON")
}

func (s *state) structure(c *column, i int) (int, *fault) {
	end, f := s.object(c.members, i, c.n)
	if f != nil {
		return end, f
	}
	for _, k := range c.kids {
		if k.n == c.n {
			k.null()
			s.padding++
		}
	}
	c.n++
	return end, nil
}

func (s *state) list(c *column, i int) (int, *fault) {
	b, kid := s.b, c.kids[0]
	first := kid.n
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == ']' {
		c.endList()
		return i + 1, nil
	}
	for i < len(b) {
		var f *fault
		if i, f = s.value(kid, i); f != nil {
			return i, f.in("[" + strconv.Itoa(kid.n-first) + "]")
		}
		if i = jsonscan.Space(b, i); i >= len(b) {
			break
		}
		switch b[i] {
		case ',':
			i = jsonscan.Space(b, i+1)
		case ']':
			c.endList()
			return i + 1, nil
		default:
			return i, syntaxFault(b, i, jsonscan.Unexpected)
		}
	}
	return i, syntaxFault(b, i, jsonscan.Truncated)
}

func (s *state) mapping(c *column, i int) (int, *fault) {
	b, first := s.b, c.kids[0].n
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == '}' {
		c.endList()
		return i + 1, nil
	}
	for i < len(b) {
		var f *fault
		if i, f = s.entry(c, i); f != nil {
			return i, f
		}
		if i = jsonscan.Space(b, i); i >= len(b) {
			break
		}
		switch b[i] {
		case ',':
			i = jsonscan.Space(b, i+1)
		case '}':
			if key := c.repeated(first); key != nil {
				return i, misfit(*c.typ.Key, key, "appears twice as a key of the map, a", "TYPE JSON")
			}
			c.endList()
			return i + 1, nil
		default:
			return i, syntaxFault(b, i, jsonscan.Unexpected)
		}
	}
	return i, syntaxFault(b, i, jsonscan.Truncated)
}

// entry reads one key and value of a map.
func (s *state) entry(c *column, i int) (int, *fault) {
	if s.b[i] != '"' {
		return i, syntaxFault(s.b, i, jsonscan.Unexpected)
	}
	end, escaped, err := jsonscan.String(s.b, i+1)
	if err != jsonscan.OK {
		return end, syntaxFault(s.b, end, err)
	}
	key := s.b[i+1 : end]
	if escaped {
		key = jsonscan.Unescape(nil, key)
	}
	if i, err = jsonscan.Colon(s.b, end+1); err != jsonscan.OK {
		return i, syntaxFault(s.b, i, err)
	}
	if i = jsonscan.Space(s.b, i); i >= len(s.b) {
		return i, syntaxFault(s.b, i, jsonscan.Truncated)
	}
	f := s.putText(c.kids[0], key)
	if f == nil {
		i, f = s.value(c.kids[1], i)
	}
	if f != nil {
		f.in(pathKey(string(key)))
	}
	return i, f
}

// repeated returns a key of the unfinished map that occurs twice, or nil. Keys are compared as values: "1" is "01" in a MAP(INTEGER, ...).
func (c *column) repeated(first int) []byte {
	keys := c.kids[0]
	if keys.n-first < 2 || keys.kids != nil {
		return nil
	}
	seen := make(map[string]struct{}, keys.n-first)
	for i := first; i < keys.n; i++ {
		key := keys.cell(i)
		if _, ok := seen[string(key)]; ok {
			return key
		}
		seen[string(key)] = struct{}{}
	}
	return nil
}
