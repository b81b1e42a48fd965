package push

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Filter keeps the rows in which columns have given values, by SQL's equality, NULL being equal to NULL. The zero value keeps all rows.
type Filter struct {
	// columns are ascending positions, and values has the value of each, normalised, in row 0.
	columns []int
	values  []*zset.Vec
	codec   *zset.KeyCodec
	// key has the values encoded.
	key string
	// none says that no row can pass.
	none bool
}

// Match is a column and its value, in row 0 of Value.
type Match struct {
	Column int
	Value  *zset.Vec
}

// NewFilter makes a filter of rows in which all columns match. Two values for one column keep no row, unless they are equal.
func NewFilter(matches []Match) Filter {
	matches = slices.Clone(matches)
	slices.SortStableFunc(matches, func(a, b Match) int { return cmp.Compare(a.Column, b.Column) })
	f := Filter{}
	var ts []types.Type
	for _, m := range matches {
		v := zset.Normalize(m.Value)
		if n := len(f.columns); n > 0 && f.columns[n-1] == m.Column {
			f.none = f.none || !zset.Equal([]*zset.Vec{v}, 0, f.values[n-1:], 0)
			continue
		}
		f.columns, f.values, ts = append(f.columns, m.Column), append(f.values, v), append(ts, v.Type)
	}
	if len(f.columns) > 0 {
		f.codec = zset.NewKeyCodec(ts, nil)
		f.key = string(f.codec.Append(nil, f.values, 0))
	}
	if f.none {
		f = Filter{none: true}
	}
	return f
}

// Nothing is a filter that keeps no row.
func Nothing() Filter { return Filter{none: true} }

// All reports whether the filter keeps every row, None whether it keeps none.
func (f *Filter) All() bool { return len(f.columns) == 0 && !f.none }

// None is described at All.
func (f *Filter) None() bool { return f.none }

// Value returns the value that a column must have, nil if it may have any.
func (f *Filter) Value(column int) *zset.Vec {
	if i := slices.Index(f.columns, column); i >= 0 {
		return f.values[i]
	}
	return nil
}

// Columns are the positions of the columns that the filter looks at, ascending. Don't change them.
func (f *Filter) Columns() []int { return f.columns }

// Keep returns the rows of b that pass, nil if there are none.
func (f *Filter) Keep(b *zset.Batch) *zset.Batch {
	switch {
	case f.none || b.Rows() == 0:
		return nil
	case len(f.columns) == 0:
		return b
	}
	cols := f.pick(b)
	var sel []int32
	var key []byte
	for i := range b.N {
		key = f.codec.Append(key[:0], cols, i)
		if string(key) == f.key {
			sel = append(sel, int32(i))
		}
	}
	if len(sel) == b.N {
		return b
	}
	return zset.GatherBatch(b, sel)
}

// pick returns the columns that the filter looks at, normalised.
func (f *Filter) pick(b *zset.Batch) []*zset.Vec {
	out := make([]*zset.Vec, len(f.columns))
	for i, c := range f.columns {
		out[i] = zset.Normalize(b.Cols[c])
	}
	return out
}

// shape tells apart filters that look at different columns.
func (f *Filter) shape() string {
	if f.none {
		return "none"
	}
	b := []byte("columns")
	for _, c := range f.columns {
		b = binary.AppendUvarint(b, uint64(c))
	}
	return string(b)
}

// sum tells apart filters in the tokens of clients.
func (f *Filter) sum() uint32 {
	return crc32.Update(crc32.Checksum([]byte(f.shape()), castagnoli), castagnoli, []byte(f.key))
}
