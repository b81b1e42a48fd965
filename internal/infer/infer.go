package infer

import (
	"slices"

	"leat/internal/codec/jsonscan"
	"leat/internal/types"
)

// Note is a record that inference could not use.
type Note struct {
	// Record is its number from 0.
	Record int
	Err    *types.Error
}

// Infer returns the schema, version 1, that decodes all usable records, and a note on each that is not. Fields that were
// never anything but null, [] or {} make no column; the schema may have none, if no record says anything.
//
// Integers are BIGINT, beyond 64 bits HUGEINT; numbers with a fraction DOUBLE, also beside integers within 2^53; texts that are all of one form
// are UUID, DATE, TIMESTAMP or, with a zone, TIMESTAMPTZ, else VARCHAR; numbers between 1990 and 2100 in fields named like times are TIMESTAMPTZ. Objects
// become STRUCT and arrays LIST. Values of mixed kinds, deeper than 8 levels, or wider than 200 members stay JSON.
func Infer(records [][]byte) (*types.Schema, []Note) {
	s := &types.Schema{Version: 1, NextID: 1}
	root, notes := observe(records)
	for _, key := range root.keys {
		addColumn(s, key, root.members[key])
	}
	return s, notes
}

// Type returns the type of one JSON value; VARCHAR for what is not JSON, JSON for null and empty ones.
func Type(v []byte) types.Type {
	i := jsonscan.Space(v, 0)
	end, err := jsonscan.Skip(v, i)
	if err != jsonscan.OK || jsonscan.Space(v, end) != len(v) {
		return types.Of(types.Varchar)
	}
	var s shape
	s.add(v[i:end], 1)
	if t, ok := s.typ("", 0); ok {
		return t
	}
	return types.Of(types.JSON)
}

// observe collects the shapes of all usable records.
func observe(records [][]byte) (*shape, []Note) {
	root, keys := &shape{}, &checker{}
	var notes []Note
	for i, r := range records {
		r = r[jsonscan.Space(r, 0):]
		if err := keys.check(r); err != nil {
			notes = append(notes, Note{i, err})
			continue
		}
		root.add(r, 0)
	}
	return root, notes
}

// addColumn adds a column for a field if there is evidence of its type, and room.
func addColumn(s *types.Schema, key string, seen *shape) bool {
	t, ok := seen.typ(key, 0)
	if !ok || len(s.Columns) >= types.MaxColumns {
		return false
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(s.Columns, func(c types.Column) bool { return sameName(c.Name, name) })
	}
	n := s.Add(freeName(key, taken), t, key)
	s.Columns[n].Wide = t.Kind == types.BigInt && seen.wide
	return true
}

// Evolve returns old grown by what records need, and true, or old itself and false. New fields become nullable columns at the
// end, new members of STRUCT columns (also inside lists and maps) nullable members; a BIGINT column that meets fractions becomes
// DOUBLE while no integer beyond 2^53 was ever seen in it. Nothing else changes: what still doesn't fit is for the
// decoder to reject. Fields named in skip (a table's _op) are passed over. A second call with the same records changes nothing.
func Evolve(old *types.Schema, records [][]byte, skip ...string) (*types.Schema, bool) {
	root, _ := observe(records)
	s, changed := old.Clone(), false
	for _, key := range root.keys {
		if slices.Contains(skip, key) {
			continue
		}
		seen := root.members[key]
		known := false
		for i := range s.Columns {
			c := &s.Columns[i]
			if path := columnPath(c); path[0] == key {
				known = true
				if len(path) == 1 && grow(c, seen) {
					changed = true
				}
			}
		}
		if !known && addColumn(s, key, seen) {
			changed = true
		}
	}
	if !changed {
		return old, false
	}
	s.Version++
	return s, true
}

func columnPath(c *types.Column) []string {
	if len(c.Path) == 0 {
		return []string{c.Name}
	}
	return c.Path
}

// grow widens a column, or adds members to its structs.
func grow(c *types.Column, seen *shape) bool {
	if c.Type.Kind == types.BigInt {
		if c.Wide || seen.wide || seen.infinite || seen.kinds&fraction == 0 {
			return false
		}
		c.Type = types.Of(types.Double)
		return true
	}
	t, changed := extend(c.Type, seen, 0)
	c.Type = t
	return changed
}

// extend adds members that were seen to the structs in t.
func extend(t types.Type, seen *shape, depth int) (types.Type, bool) {
	changed := false
	switch t.Kind {
	case types.List:
		if seen.elem == nil {
			return t, false
		}
		elem, grown := extend(*t.Elem, seen.elem, depth+1)
		return types.ListOf(elem), grown
	case types.Struct:
		fields := slices.Clone(t.Fields)
		for _, key := range seen.keys {
			m := seen.members[key]
			if i := slices.IndexFunc(fields, func(f types.Field) bool { return f.Key == key }); i >= 0 {
				ft, grown := extend(fields[i].Type, m, depth+1)
				fields[i].Type, changed = ft, changed || grown
				continue
			}
			ft, ok := m.typ(key, depth+1)
			if !ok || len(fields) >= maxMembers {
				continue
			}
			taken := func(n string) bool { return hasField(types.StructOf(fields...), n) }
			fields = append(fields, types.Field{Name: freeName(key, taken), Key: key, Type: ft})
			changed = true
		}
		return types.StructOf(fields...), changed
	case types.Map:
		elem := *t.Elem
		for _, key := range seen.keys {
			grown := false
			elem, grown = extend(elem, seen.members[key], depth+1)
			changed = changed || grown
		}
		return types.MapOf(*t.Key, elem), changed
	}
	return t, false
}

// MarkWide returns s with the columns of those IDs marked Wide, and true, or s itself if they are: call it with codec's
// Decoded.Wide before Evolve. The version rises.
func MarkWide(s *types.Schema, ids []int32) (*types.Schema, bool) {
	out := s.Clone()
	changed := false
	for _, id := range ids {
		if i := out.IndexID(id); i >= 0 && !out.Columns[i].Wide {
			out.Columns[i].Wide, changed = true, true
		}
	}
	if !changed {
		return s, false
	}
	out.Version++
	return out, true
}

// EventTime returns the ID of the TIMESTAMP or TIMESTAMPTZ column that most likely says when an event happened: the best
// known name, else the only one whose name ends like a time, else the only one; 0 for none.
func EventTime(s *types.Schema) int32 {
	best, rank := int32(0), len(eventTimes)
	var all, named []int32
	for i := range s.Columns {
		c := &s.Columns[i]
		if !c.Type.Kind.IsTime() {
			continue
		}
		all = append(all, c.ID)
		name := snake(c.Name)
		if timeLike(name) {
			named = append(named, c.ID)
		}
		if r := slices.Index(eventTimes, name); r >= 0 && r < rank {
			best, rank = c.ID, r
		}
	}
	switch {
	case best != 0:
		return best
	case len(named) == 1:
		return named[0]
	case len(all) == 1:
		return all[0]
	}
	return 0
}
