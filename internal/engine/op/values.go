package op

import (
	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// values gives constant rows once.
type values struct {
	rows  []*expr.Program
	types []types.Type
	done  state.Table
}

// NewValues returns the operator without inputs that gives constant rows, each the values of a program without input columns, in the first
// step of its life; t remembers that across restarts.
func NewValues(rows []*expr.Program, ts []types.Type, t state.Table) Op {
	return &values{rows: rows, types: ts, done: t}
}

// Step implements Op.
func (v *values) Step(x *Context, _ []*zset.Batch) (*zset.Batch, error) {
	if v.rows == nil {
		return nil, nil
	}
	rows := v.rows
	v.rows = nil
	out := []byte{1} // the one key: the rows are out
	if _, ok := v.done.Get(out); ok {
		return nil, nil
	}
	v.done.Put(out, nil)
	in := &zset.Batch{N: 1}
	var bs []*zset.Batch
	for _, r := range rows {
		r.SetNow(x.Now)
		cols, failures, err := r.Eval(in)
		if err != nil {
			return nil, err
		}
		if len(failures) > 0 {
			x.Fail(in, 0, failures[0].Reason)
			continue
		}
		bs = append(bs, &zset.Batch{Cols: cols, N: 1})
	}
	return zset.Concat(v.types, bs...), nil
}
