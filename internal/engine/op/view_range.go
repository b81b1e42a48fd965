package op

import (
	"bytes"
	"math"

	"leat/internal/engine/zset"
	"leat/internal/state"
)

// ViewOrder is one of the orders in which a view's rows lie.
type ViewOrder struct {
	// Index is the ID of the index, 0 for the order of the view's own table.
	Index uint32
	// Columns are the positions of the columns that the rows are ordered by, ascending, NULLS LAST, and by SQL's equality: rows that agree in
	// the first of them lie beside each other. There are none where rows lie in the order in which they came.
	Columns []int
	// Unique says that no two rows agree in all Columns.
	Unique bool
}

// Range is a part of an order.
type Range struct {
	// Prefix are values of the first columns of the order, row 0 of each; NULL equals NULL.
	Prefix []*zset.Vec
	// Lower and Upper bound the column behind Prefix; nil is without a bound. A bound leaves the column's NULLs out, and a bound that is NULL
	// leaves out all rows.
	Lower, Upper *Bound
	// Desc gives the rows in the opposite order.
	Desc bool
	// From is where to begin, nil at the beginning: what Range returned for the same order, Prefix, bounds and direction, of any version.
	From []byte
	// Limit is the most rows to return, 0 for all; a row counts once, whatever its weight.
	Limit int
}

// Bound is the end of a range of values.
type Bound struct {
	// Value's row 0 is the value.
	Value     *zset.Vec
	Inclusive bool
}

// Orders are the orders that Range goes by: that of the view's own table first, then those of its indexes that are complete, by their IDs.
// Don't change them.
func (s *ViewSnapshot) Orders() []ViewOrder { return s.orders }

// Range returns rows of an order, by its place in Orders; nil if there are none. next is where to go on, nil at the end.
func (s *ViewSnapshot) Range(order int, r Range) (rows *zset.Batch, next []byte) {
	limit := r.Limit
	if limit <= 0 {
		limit = math.MaxInt
	}
	if order == 0 && s.form.log {
		if r.Desc {
			return s.scanLogDown(r.From, limit)
		}
		return s.scanLog(r.From, limit)
	}
	table, codec, normal, decode := s.table, s.form.codec, s.form.keyed, s.form.decode
	if order > 0 {
		x := &s.indexes[order-1]
		table, codec, normal, decode = x.table, x.form.codec, true, s.decoder(x)
	}
	lower, upper, none := r.bounds(codec, normal)
	if none {
		return nil, nil
	}
	if r.Desc {
		if r.From != nil && (upper == nil || bytes.Compare(r.From, upper) < 0) {
			upper = append(bytes.Clone(r.From), 0)
		}
		return s.collect(table.ScanDown(lower, upper), limit, decode)
	}
	if bytes.Compare(r.From, lower) > 0 {
		lower = r.From
	}
	return s.collect(table.Scan(lower, upper), limit, decode)
}

// bounds are the keys of a table that a range covers; none says that there can't be any. normal says that the table's columns are normalised.
func (r *Range) bounds(codec *zset.KeyCodec, normal bool) (lower, upper []byte, none bool) {
	form := func(v *zset.Vec) *zset.Vec {
		if normal {
			return zset.Normalize(v)
		}
		return v
	}
	var prefix []byte
	for i, v := range r.Prefix {
		prefix = codec.AppendCol(prefix, i, form(v), 0)
	}
	lower, upper = state.Prefix(prefix, nil)
	if r.Lower == nil && r.Upper == nil {
		return lower, upper, false
	}
	n := len(r.Prefix)
	upper = codec.AppendNull(bytes.Clone(prefix), n)
	if b := r.Lower; b != nil {
		if b.Value.Null(0) {
			return nil, nil, true
		}
		lower = codec.AppendCol(bytes.Clone(prefix), n, form(b.Value), 0)
		if !b.Inclusive {
			_, lower = state.Prefix(lower, nil)
		}
	}
	if b := r.Upper; b != nil {
		if b.Value.Null(0) {
			return nil, nil, true
		}
		upper = codec.AppendCol(bytes.Clone(prefix), n, form(b.Value), 0)
		if b.Inclusive {
			_, upper = state.Prefix(upper, nil)
		}
	}
	return lower, upper, bytes.Compare(lower, upper) >= 0
}

// decoder appends to a builder the rows that entries of an index stand for.
func (s *ViewSnapshot) decoder(x *indexSnapshot) func(b *zset.Builder, key, value []byte) {
	switch {
	case s.form.log:
		return func(b *zset.Builder, _, value []byte) { s.form.decodeLog(b, value) }
	case !s.form.keyed:
		return x.form.decodeRow
	}
	var k []byte
	var parts [][]byte
	return func(b *zset.Builder, key, _ []byte) {
		parts = x.form.split(parts[:0], key)
		k = k[:0]
		for _, at := range x.form.exact {
			k = append(k, parts[at]...)
		}
		if len(x.form.exact) == 0 {
			k = s.form.appendKey(k, nil, 0)
		}
		if row, ok := s.table.Get(k); ok { // a disk that fails finds nothing
			s.form.decode(b, k, row)
		}
	}
}

// split cuts an entry into its columns.
func (x *indexForm) split(parts [][]byte, entry []byte) [][]byte {
	for i := range x.columns {
		rest := x.codec.SkipCol(entry, i)
		parts = append(parts, entry[:len(entry)-len(rest)])
		entry = rest
	}
	return parts
}

// decodeRow appends the row of an entry that has all of its columns.
func (x *indexForm) decodeRow(b *zset.Builder, entry, weight []byte) {
	for i, c := range x.columns {
		if x.exact[c] == i {
			entry = x.codec.DecodeCol(entry, i, b, c)
		} else {
			entry = x.codec.SkipCol(entry, i)
		}
	}
	b.EndRow(state.WeightOf(weight))
}
