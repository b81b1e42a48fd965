package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"leat/internal/codec/jsonscan"
	"leat/internal/types"
)

// object knows the members of a JSON object that somebody wants: the record itself, an object on a column's path, or a struct.
type object struct {
	fields map[string]*field
	first  *field // the member that came first last time
}

// field is one member of an object. One of col, skip, sub and op is set; col or skip and sub both where one
// column's path leads through another column.
type field struct {
	key    string
	quoted []byte // "key": as it usually appears
	next   *field // the member that followed last time
	col    *column
	skip   bool // a column that is not read
	sub    *object
	op     bool
	seen   int // the last record with it, for fields without col

	// The first 16 bytes of quoted, and which of them there are.
	head, mask [2]uint64
}

func (o *object) add(key string, f *field) {
	if o.fields == nil {
		o.fields = map[string]*field{}
	}
	f.key, f.quoted = key, []byte(`"`+key+`":`)
	if bytes.ContainsAny([]byte(key), "\"\\") {
		f.quoted = []byte{0} // must be looked up
	}
	var head, mask [16]byte
	for i := range copy(head[:], f.quoted) {
		mask[i] = 0xff
	}
	for i := range f.head {
		f.head[i], f.mask[i] = binary.LittleEndian.Uint64(head[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
	o.fields[key] = f
}

// follows reports whether b[i:] begins with the field's key as it usually appears, and goes on.
func (f *field) follows(b []byte, i int) bool {
	if len(b)-i <= len(f.quoted) {
		return false
	}
	if len(b)-i < 16 {
		return string(b[i:i+len(f.quoted)]) == string(f.quoted)
	}
	p := b[i : i+16]
	if (binary.LittleEndian.Uint64(p)^f.head[0])&f.mask[0]|(binary.LittleEndian.Uint64(p[8:])^f.head[1])&f.mask[1] != 0 {
		return false
	}
	return len(f.quoted) <= 16 || string(b[i:i+len(f.quoted)]) == string(f.quoted)
}

// place adds a column at its path, one that is not read where col is nil.
func (o *object) place(c *types.Column, col *column) {
	path := columnPath(c)
	for ; len(path) > 1; path = path[1:] {
		f := o.fields[path[0]]
		if f == nil {
			f = &field{}
			o.add(path[0], f)
		}
		if f.sub == nil {
			f.sub = &object{}
		}
		o = f.sub
	}
	if f := o.fields[path[0]]; f != nil {
		f.col, f.skip = col, col == nil
		return
	}
	o.add(path[0], &field{col: col, skip: col == nil})
}

// object reads the object at b[i] as row of the columns that its members fill, and returns the index after it.
func (s *state) object(o *object, i, row int) (int, *fault) {
	b := s.b
	if i = jsonscan.Space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	guess := &o.first
	for {
		f := *guess
		var unknown []byte
		if f != nil && f.follows(b, i) {
			i += len(f.quoted)
		} else {
			var flt *fault
			if f, unknown, i, flt = s.member(o, i); flt != nil {
				return i, flt
			}
			if f != nil {
				*guess = f
			}
		}
		if i < len(b) && b[i] <= ' ' {
			i = jsonscan.Space(b, i)
		}
		if i >= len(b) {
			return i, syntaxFault(b, i, jsonscan.Truncated)
		}
		var flt *fault
		switch {
		case f == nil:
			i, flt = s.stranger(o, unknown, i)
		case f.sub == nil && f.col != nil:
			guess = &f.next
			if f.col.n != row {
				flt = duplicate(f)
			} else if i, flt = s.value(f.col, i); flt != nil && f.col.meta != nil {
				flt.column = f.col.meta
			}
		case b[i] == '"' && f.skip && f.sub == nil && f.seen != s.tick:
			guess, f.seen = &f.next, s.tick
			i, flt = s.pass(i)
		default:
			guess = &f.next
			i, flt = s.special(f, i, row)
		}
		if flt != nil {
			if f != nil {
				flt.in(pathKey(f.key))
			}
			return i, flt
		}
		if i < len(b) && b[i] <= ' ' {
			i = jsonscan.Space(b, i)
		}
		if i >= len(b) {
			return i, syntaxFault(b, i, jsonscan.Truncated)
		}
		switch b[i] {
		case ',':
			if i++; i < len(b) && b[i] <= ' ' {
				i = jsonscan.Space(b, i)
			}
		case '}':
			return i + 1, nil
		default:
			return i, syntaxFault(b, i, jsonscan.Unexpected)
		}
	}
}

func duplicate(f *field) *fault {
	return &fault{msg: fmt.Sprintf("the key %q appears twice", f.key), hint: "send every key once: which of two values counts would be a guess"}
}

// member reads a key that was not predicted and its colon. It returns its field, or nil and the key.
func (s *state) member(o *object, i int) (f *field, unknown []byte, next int, flt *fault) {
	if i >= len(s.b) || s.b[i] != '"' {
		err := jsonscan.Unexpected
		if i >= len(s.b) {
			err = jsonscan.Truncated
		}
		return nil, nil, i, syntaxFault(s.b, i, err)
	}
	end, escaped, err := jsonscan.String(s.b, i+1)
	if err != jsonscan.OK {
		return nil, nil, end, syntaxFault(s.b, end, err)
	}
	key := s.b[i+1 : end]
	if escaped {
		key = jsonscan.Unescape(nil, key)
	}
	if next, err = jsonscan.Colon(s.b, end+1); err != jsonscan.OK {
		return nil, nil, next, syntaxFault(s.b, next, err)
	}
	return o.fields[string(key)], key, next, nil
}

// stranger skips the value at b[i] of a key that o, and so the schema, does not know. What says nothing of a type is as good as absent.
func (s *state) stranger(o *object, key []byte, i int) (int, *fault) {
	if err := types.CheckColumnName(string(key)); err != nil {
		f := &fault{msg: types.AsError(err).Message, hint: "rename the field"}
		return i, f.in(pathKey(string(key)))
	}
	end, err := jsonscan.Skip(s.b, i)
	if err != jsonscan.OK {
		return end, syntaxFault(s.b, end, err).in(pathKey(string(key)))
	}
	if jsonscan.Hollow(s.b[i:end]) {
		return end, nil
	}
	if s.opt.Closed {
		return i, s.closed(string(key), s.b[i:end], o == &s.root).in(pathKey(string(key)))
	}
	s.strange = true
	return end, nil
}

// pass steps over the string at b[i].
func (s *state) pass(i int) (int, *fault) {
	end, _, err := jsonscan.String(s.b, i+1)
	if err != jsonscan.OK {
		return end, syntaxFault(s.b, end, err)
	}
	return end + 1, nil
}

// special reads the value of a member that is an operation, a column that is not read, or an object on the path of columns.
func (s *state) special(f *field, i, row int) (int, *fault) {
	if f.seen == s.tick {
		return i, duplicate(f)
	}
	f.seen = s.tick
	if f.op {
		return s.operation(i)
	}
	var end int
	switch {
	case s.b[i] == '{' && f.sub != nil:
		var flt *fault
		if end, flt = s.object(f.sub, i, row); flt != nil {
			return end, flt
		}
	default:
		var err jsonscan.Err
		if end, err = jsonscan.Skip(s.b, i); err != jsonscan.OK {
			return end, syntaxFault(s.b, end, err)
		}
		if f.col == nil && !f.skip && s.b[i] != 'n' {
			return i, &fault{msg: sample(s.b[i:end]) + " is not an object, as the columns below it need"}
		}
	}
	if f.col == nil {
		return end, nil
	}
	end, flt := s.value(f.col, i)
	if flt != nil {
		flt.column = f.col.meta
	}
	return end, flt
}

// operation reads the value of _op.
func (s *state) operation(i int) (int, *fault) {
	end, err := jsonscan.Skip(s.b, i)
	if err != jsonscan.OK {
		return end, syntaxFault(s.b, end, err)
	}
	switch v := string(s.b[i:end]); v {
	case `"d"`:
		s.remove = true
	case `"u"`, `"i"`, `"c"`, `"r"`, "null":
	default:
		return i, badOperation(s.b[i:end])
	}
	return end, nil
}

func badOperation(v []byte) *fault {
	return &fault{msg: sample(v) + " is not an operation", hint: `"d" deletes; "u", "i", "c", "r" or no _op upserts`}
}
