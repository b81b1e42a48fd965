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
	// the first of them lie beside each other.
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
	// From is where to begin, nil at the beginning: what Range returned for the same order, Prefix, bounds and direction, on any version.
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

// Orders are the orders that Range goes by: that of the view's own table first, then those of its indexes that are complete, in the order of
// their IDs. They may be empty of columns, where rows lie in the order in which they came. Don't change them.
func (s *ViewSnapshot) Orders() []ViewOrder { return []ViewOrder{{Columns: s.form.key, Unique: s.form.keyed}} }

// Range returns rows of an order, by its place in Orders; nil if there are none. next is where to go on, nil at the end.
func (s *ViewSnapshot) Range(order int, r Range) (rows *zset.Batch, next []byte) {
	lower, upper := s.form.rangeOf(r)
	if r.From != nil && !r.Desc && bytes.Compare(r.From, lower) > 0 {
		lower = r.From
	}
	limit := r.Limit
	if !r.Desc {
		return s.scan(lower, upper, limit)
	}
	if limit <= 0 {
		limit = math.MaxInt
	}
	all, _ := s.scan(lower, upper, 0)
	sel := []int32{}
	for i := all.Rows() - 1; i >= 0 && len(sel) < limit; i-- {
		sel = append(sel, int32(i))
	}
	return zset.GatherBatch(all, sel), nil
}

func (f *viewForm) rangeOf(r Range) (lower, upper []byte) {
	return state.Prefix(f.bound(r.Prefix, 0), nil)
}
