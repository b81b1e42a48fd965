package op

import (
	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
)

// filter keeps the rows for which a condition is true. It has no state.
type filter struct {
	cond *expr.Program
	out  []int
	late bool
	sel  []int32
	drop []int32
}

// NewFilter returns the operator that keeps the rows for which cond, one BOOLEAN expression, is true; NULL is not. Its output are the
// input's columns out, in that order; nil is all. With late the rows that it drops go, with all their columns, to Context.Late.
func NewFilter(cond *expr.Program, out []int, late bool) Op {
	return &filter{cond: cond, out: out, late: late}
}

// Step implements Op.
func (f *filter) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	if b.Rows() == 0 {
		return nil, nil
	}
	f.cond.SetNow(x.Now)
	cols, failures, err := f.cond.Eval(b)
	if err != nil {
		return nil, err
	}
	for _, e := range failures {
		x.Fail(b, e.Row, e.Reason)
	}
	f.pick(cols[0], failures)
	if f.late && len(f.drop) > 0 {
		x.Late(zset.GatherBatch(b, f.drop))
	}
	kept := pickColumns(b, f.out)
	if len(f.sel) < b.N {
		kept = zset.GatherBatch(kept, f.sel)
	}
	if cap(f.sel) > keptSelection { // many idle views have such filters
		f.sel, f.drop = nil, nil
	}
	return kept, nil
}

// keptSelection is how many positions a filter keeps room for between steps.
const keptSelection = 4 << 10

// pick fills sel with the rows where v is true, and for a late filter drop with the others but those that failed.
func (f *filter) pick(v *zset.Vec, failures []expr.Failure) {
	f.drop = f.drop[:0]
	if cap(f.sel) < v.Len {
		f.sel = make([]int32, v.Len)
	}
	if v.Valid == nil && len(failures) == 0 && !f.late {
		sel, n := f.sel[:v.Len], 0
		for i, t := range v.I64[:v.Len] {
			sel[n] = int32(i)
			n += int(t) // BOOLEAN is 0 or 1: no branch to predict
		}
		f.sel = sel[:n]
		return
	}
	sel := f.sel[:0]
	for i := range v.Len {
		switch {
		case len(failures) > 0 && failures[0].Row == i:
			failures = failures[1:]
		case !v.Null(i) && v.I64[i] != 0:
			sel = append(sel, int32(i))
		case f.late:
			f.drop = append(f.drop, int32(i))
		}
	}
	f.sel = sel
}

// pickColumns returns b with the columns at out alone; nil is all.
func pickColumns(b *zset.Batch, out []int) *zset.Batch {
	if out == nil {
		return b
	}
	cols := make([]*zset.Vec, len(out))
	for i, c := range out {
		cols[i] = b.Cols[c]
	}
	return &zset.Batch{Cols: cols, N: b.N, W: b.W}
}
