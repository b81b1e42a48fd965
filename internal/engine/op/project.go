package op

import (
	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
)

// project computes columns. It has no state.
type project struct{ exprs *expr.Program }

// NewProject returns the operator whose output are the columns that exprs compute; rows in which one fails are omitted.
func NewProject(exprs *expr.Program) Op { return &project{exprs} }

// Step implements Op.
func (p *project) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	if b.Rows() == 0 {
		return nil, nil
	}
	p.exprs.SetNow(x.Now)
	cols, failures, err := p.exprs.Eval(b)
	if err != nil {
		return nil, err
	}
	out := &zset.Batch{Cols: cols, N: b.N, W: b.W}
	if len(failures) == 0 {
		return out, nil
	}
	for _, e := range failures {
		x.Fail(b, e.Row, e.Reason)
	}
	sel := make([]int32, 0, b.N-len(failures))
	for i := range b.N {
		if len(failures) > 0 && failures[0].Row == i {
			failures = failures[1:]
			continue
		}
		sel = append(sel, int32(i))
	}
	return zset.GatherBatch(out, sel), nil
}

// selection picks columns. It has no state and copies nothing.
type selection struct{ cols []int }

// NewSelect returns the operator whose output are the input's columns at cols, in that order.
func NewSelect(cols []int) Op { return &selection{cols} }

// Step implements Op.
func (s *selection) Step(_ *Context, in []*zset.Batch) (*zset.Batch, error) {
	if in[0].Rows() == 0 {
		return nil, nil
	}
	return pickColumns(in[0], s.cols), nil
}
