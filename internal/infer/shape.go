// Package infer finds schemas in sample records and lets them grow. Its functions are pure: the same
// records give the same schema. Records are JSON objects as internal/codec has checked or made them.
package infer

import (
	"strings"

	"leat/internal/codec/jsonscan"
	"leat/internal/codec/value"
	"leat/internal/types"
)

// maxMembers is how many members a STRUCT may have; wider objects are JSON.
const maxMembers = 200

// kinds is a set of the kinds of JSON values seen.
type kinds uint8

const (
	boolean kinds = 1 << iota
	integer
	fraction
	text
	object
	array
)

// exact is the largest integer up to which DOUBLE holds every integer.
const exact = 1 << 53

// shape is what was seen of one field over all records. The zero value has seen nothing but NULL.
type shape struct {
	kinds kinds
	// Of integers: one beyond 2^53 (also as text), beyond 64 bits, beyond 128 bits.
	wide, huge, giant bool
	// infinite is a fraction too large for DOUBLE; notEpoch a number that is no time of our age.
	infinite, notEpoch bool
	// Of texts: some are not UUIDs, dates, timestamps with and without zone.
	notUUID, notDate, notZoned, notLocal bool

	keys    []string // of objects, in order of appearance
	members map[string]*shape
	elem    *shape
}

// member returns the shape of an object's member.
func (s *shape) member(key []byte) *shape {
	m := s.members[string(key)]
	if m == nil {
		if s.members == nil {
			s.members = map[string]*shape{}
		}
		m = &shape{}
		s.members[string(key)] = m
		s.keys = append(s.keys, string(key))
	}
	return m
}

// add learns from the value v, which is valid JSON without white space around it.
func (s *shape) add(v []byte, depth int) {
	switch c := v[0]; {
	case c == 'n':
	case c == 't' || c == 'f':
		s.kinds |= boolean
	case c == '"':
		s.kinds |= text
		s.addText(unquote(v))
	case c == '{':
		if s.kinds |= object; depth > types.MaxDepth {
			s.kinds |= array // too deep for a type: as good as mixed
			return
		}
		jsonscan.Members(v, func(key, value []byte) bool {
			if len(s.keys) <= maxMembers || depth == 0 {
				s.member(unescape(key)).add(value, depth+1)
			}
			return true
		})
	case c == '[':
		if s.kinds |= array; depth > types.MaxDepth {
			s.kinds |= object
			return
		}
		if s.elem == nil {
			s.elem = &shape{}
		}
		jsonscan.Elements(v, func(value []byte) bool {
			s.elem.add(value, depth+1)
			return true
		})
	default:
		s.addNumber(v)
	}
}

func unquote(v []byte) []byte { return unescape(v[1 : len(v)-1]) }

func (s *shape) addNumber(v []byte) {
	if _, whole, _ := jsonscan.Number(v, 0); !whole {
		s.kinds |= fraction
		_, status := value.Float(v, 64)
		s.infinite = s.infinite || status != value.Exact
	} else {
		s.kinds |= integer
		n, status := value.Int(v)
		_, huge := value.HugeInt(v)
		s.wide = s.wide || status != value.Exact || n > exact || n < -exact
		s.huge = s.huge || status != value.Exact
		s.giant = s.giant || huge != value.Exact
	}
	micros, ok := value.Epoch(v)
	s.notEpoch = s.notEpoch || !ok || micros < firstEpoch || micros > lastEpoch
}

// A number in a field that is named like a time is one only within 1990 to 2100.
var (
	firstEpoch = value.Days(1990, 1, 1) * 86_400_000_000
	lastEpoch  = value.Days(2100, 1, 1) * 86_400_000_000
)

func (s *shape) addText(t []byte) {
	if !s.notUUID {
		_, ok := value.UUID(t)
		s.notUUID = !ok
	}
	if !s.notDate {
		_, ok := value.Date(t)
		s.notDate = !ok
	}
	if !s.notZoned || !s.notLocal {
		_, zoned, ok := value.Timestamp(t)
		s.notZoned = s.notZoned || !ok || !zoned
		s.notLocal = s.notLocal || !ok || zoned
	}
	if !s.wide {
		n, status := value.Int(t)
		s.wide = status == value.OutOfRange || status == value.Exact && (n > exact || n < -exact)
	}
}

// typ returns the type that holds every value seen, for a field of that name, and whether there was evidence of any.
func (s *shape) typ(name string, depth int) (types.Type, bool) {
	switch s.kinds {
	case 0:
		return types.Type{}, false
	case boolean:
		return types.Of(types.Boolean), true
	case text:
		return types.Of(s.textKind()), true
	case integer, fraction, integer | fraction:
		return types.Of(s.numberKind(name)), true
	case array:
		elem, ok := s.elem.typ("", depth+1)
		return types.ListOf(elem), ok
	case object:
		return s.structure(depth)
	}
	return types.Of(types.JSON), true
}

func (s *shape) textKind() types.Kind {
	switch {
	case !s.notUUID:
		return types.UUID
	case !s.notDate:
		return types.Date
	case !s.notZoned:
		return types.TimestampTZ
	case !s.notLocal:
		return types.Timestamp
	}
	return types.Varchar
}

func (s *shape) numberKind(name string) types.Kind {
	switch {
	case timeLike(name) && !s.notEpoch:
		return types.TimestampTZ
	case s.kinds == integer && s.giant, s.infinite, s.kinds != integer && s.wide:
		return types.JSON
	case s.kinds != integer:
		return types.Double
	case s.huge:
		return types.HugeInt
	}
	return types.BigInt
}

func (s *shape) structure(depth int) (types.Type, bool) {
	if len(s.keys) > maxMembers {
		return types.Of(types.JSON), true
	}
	t := types.Type{Kind: types.Struct}
	for _, key := range s.keys {
		if ft, ok := s.members[key].typ(key, depth+1); ok {
			t.Fields = append(t.Fields, types.Field{Name: freeName(key, func(n string) bool { return hasField(t, n) }), Key: key, Type: ft})
		}
	}
	return t, len(t.Fields) > 0
}

func hasField(t types.Type, name string) bool {
	for _, f := range t.Fields {
		if sameName(f.Name, name) {
			return true
		}
	}
	return false
}

// sameName reports whether SQL would take both names for one.
func sameName(a, b string) bool {
	return strings.EqualFold(a, b) || strings.ToLower(a) == strings.ToLower(b) //nolint:staticcheck // İ and i̇ are one by lowering only
}
