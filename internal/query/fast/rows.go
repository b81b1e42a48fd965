package fast

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// arrange picks the rows to answer, in order: nil is all of them as they are.
func (r *run) arrange(rows *zset.Batch) (sel []int32, ok bool) {
	n := rows.Rows()
	plain := rows == nil || rows.W == nil || !slices.ContainsFunc(rows.W, func(w int64) bool { return w != 1 })
	if plain && r.choice.sorted && r.skip == 0 && n <= r.most {
		return nil, true
	}
	sel = make([]int32, 0, n)
	for i := range n {
		for w := rows.Weight(i); w > 0 && len(sel) <= MaxRows+r.need; w-- {
			sel = append(sel, int32(i))
		}
	}
	if !r.choice.sorted {
		keys, failures, err := r.machine.order.Eval(rows)
		if err != nil || len(failures) > 0 {
			return nil, false
		}
		slices.SortStableFunc(sel, func(a, b int32) int { return r.compare(keys, int(a), int(b)) })
	}
	sel = sel[min(r.skip, len(sel)):]
	return sel[:min(r.most, len(sel))], true
}

// compare orders two rows by the query's order.
func (r *run) compare(keys []*zset.Vec, a, b int) int {
	for i, k := range r.plan.order {
		v := keys[i]
		x, y := v.Null(a), v.Null(b)
		switch {
		case x && y:
			continue
		case x != y:
			if x == k.NullsFirst {
				return -1
			}
			return 1
		}
		if c := zset.Compare(v, a, v, b); c != 0 {
			if k.Desc {
				return -c
			}
			return c
		}
	}
	return 0
}

// answer computes the result from the rows at sel, nil for all of them.
func (r *run) answer(rows *zset.Batch, sel []int32) *Rows {
	out := &Rows{plan: r.plan, n: rows.Rows()}
	if sel != nil {
		out.n = len(sel)
	}
	if maxRows := r.most - 1; r.bounded && out.n > maxRows {
		out.n, out.truncated = maxRows, true
		if sel == nil {
			sel = make([]int32, out.n)
			for i := range sel {
				sel[i] = int32(i)
			}
		}
		sel = sel[:out.n]
	}
	if out.n == 0 {
		return out
	}
	in := &zset.Batch{N: out.n, Cols: make([]*zset.Vec, len(rows.Cols))}
	pick := func(c int) *zset.Vec {
		if in.Cols[c] == nil {
			if in.Cols[c] = rows.Cols[c]; sel != nil {
				in.Cols[c] = zset.Gather(rows.Cols[c], sel)
			}
		}
		return in.Cols[c]
	}
	project := r.machine.project
	if project == nil {
		out.cols = make([]*zset.Vec, len(r.plan.exprs))
		for i, e := range r.plan.exprs {
			out.cols[i] = pick(e.Index)
		}
		return out
	}
	for _, c := range project.Inputs() {
		pick(c)
	}
	cols, failures, err := project.Eval(in)
	if err != nil || len(failures) > 0 {
		return nil
	}
	out.cols = cols
	return out
}

// Rows is an answer. It implements store.Rows.
type Rows struct {
	plan      *Plan
	cols      []*zset.Vec
	n         int
	read      bool
	truncated bool
}

// Columns is part of store.Rows.
func (r *Rows) Columns() []types.Column { return r.plan.Columns }

// Batch is all of the answer, without copying; nil if it has no rows.
func (r *Rows) Batch() *zset.Batch {
	if r.n == 0 {
		return nil
	}
	return &zset.Batch{Cols: r.cols, N: r.n}
}

// Next is part of store.Rows.
func (r *Rows) Next(context.Context) (arrow.RecordBatch, error) {
	if r.read || r.n == 0 {
		return nil, nil
	}
	r.read = true
	columns := make([]arrow.Array, len(r.cols))
	for i, c := range r.cols {
		columns[i] = zset.ToArrow(c)
	}
	return array.NewRecordBatch(r.plan.schema, columns, int64(r.n)), nil
}

// Truncated is part of store.Rows.
func (r *Rows) Truncated() bool { return r.truncated }

// Close is part of store.Rows.
func (r *Rows) Close() error { return nil }
