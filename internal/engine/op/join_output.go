package op

import (
	"math"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// joinOutput collects what a join outputs in a step.
type joinOutput struct {
	left, right *joinSide
	types       []types.Type
	parts       []*zset.Batch
	status      statusRows
}

func (o *joinOutput) init(left, right *joinSide, k plan.JoinKind) {
	o.left, o.right = left, right
	o.types = append(o.types, left.types...)
	switch k {
	case plan.Semi, plan.Anti:
	case plan.Mark:
		o.types = append(o.types, types.Of(types.Boolean))
	default:
		o.types = append(o.types, right.types...)
	}
}

func (o *joinOutput) add(b *zset.Batch) {
	if b.Rows() > 0 {
		o.parts = append(o.parts, b)
	}
}

// finish returns what was collected, nil if nothing was. More bytes than a column holds are an error.
func (o *joinOutput) finish() (*zset.Batch, error) {
	defer func() {
		clear(o.parts)
		o.parts = o.parts[:0]
	}()
	for c := range o.types {
		total := 0
		for _, p := range o.parts {
			total += len(p.Cols[c].Data)
		}
		if total > math.MaxInt32 {
			return nil, types.Errorf(types.LimitExceeded, "a join makes %d bytes of one column in one step; a batch holds 2 GiB", total)
		}
	}
	return zset.Concat(o.types, o.parts...), nil
}

// outcome is what a row is in the output: absent, there, or there with a mark.
type outcome uint8

const (
	absent outcome = iota
	present
	markFalse
	markTrue
	markNull
)

// outcome of a row with that many matches, and candidates of which it is unknown.
func (s joinStatus) outcome(matched, unknown int64) outcome {
	switch {
	case s == statusMark && matched != 0:
		return markTrue
	case s == statusMark && unknown != 0:
		return markNull
	case s == statusMark:
		return markFalse
	case s != statusNone && (matched != 0) == (s == statusMatched):
		return present
	}
	return absent
}

// statusRows selects rows of a batch for the output, each with its weight and mark.
type statusRows struct {
	sel  []int32
	w    []int64
	mark []outcome
}

func (r *statusRows) reset() { r.sel, r.w, r.mark = r.sel[:0], r.w[:0], r.mark[:0] }

func (r *statusRows) put(row int32, w int64, o outcome) {
	if o != absent {
		r.sel, r.w, r.mark = append(r.sel, row), append(r.w, w), append(r.mark, o)
	}
}

// add puts a row by its number of matches.
func (r *statusRows) add(s joinStatus, row int32, w, matched, unknown int64) {
	r.put(row, w, s.outcome(matched, unknown))
}

// change retracts what a row was and puts what it is now, if that differs.
func (r *statusRows) change(row int32, w int64, before, after outcome) {
	if before != after {
		r.put(row, -w, before)
		r.put(row, w, after)
	}
}

// emitStatus outputs the selected rows of b, a batch of side s.
func (o *joinOutput) emitStatus(s *joinSide, b *zset.Batch) {
	sel := o.status.sel
	if len(sel) == 0 {
		return
	}
	cols := make([]*zset.Vec, 0, len(o.types))
	for _, v := range b.Cols {
		cols = append(cols, zset.Gather(v, sel))
	}
	o.emitRows(s, cols)
}

// emitState outputs the selected state rows of a chunk.
func (o *joinOutput) emitState(c *joinChunk) {
	if len(o.status.sel) > 0 {
		o.emitRows(c.s.other, c.stateRows(o.status.sel))
	}
}

// emitRows outputs rows of side s, in the order in which they were selected.
func (o *joinOutput) emitRows(s *joinSide, cols []*zset.Vec) {
	r := &o.status
	n := len(r.sel)
	out := &zset.Batch{N: n, W: plainWeights(r.w), Cols: make([]*zset.Vec, 0, len(o.types))}
	if s.status == statusPad && !s.left {
		out.Cols = appendNulls(out.Cols, o.left.types, n)
	}
	out.Cols = append(out.Cols, cols...)
	switch {
	case s.status == statusPad && s.left:
		out.Cols = appendNulls(out.Cols, o.right.types, n)
	case s.status == statusMark:
		out.Cols = append(out.Cols, markColumn(r.mark))
	}
	o.add(out)
}

func appendNulls(dst []*zset.Vec, ts []types.Type, n int) []*zset.Vec {
	for _, t := range ts {
		dst = append(dst, zset.Nulls(t, n))
	}
	return dst
}

// plainWeights copies w, nil if all are 1.
func plainWeights(w []int64) []int64 {
	for _, x := range w {
		if x != 1 {
			return append([]int64(nil), w...)
		}
	}
	return nil
}

func markColumn(marks []outcome) *zset.Vec {
	n := len(marks)
	v := &zset.Vec{Type: types.Of(types.Boolean), Len: n, I64: make([]int64, n), Valid: make([]byte, (n+7)/8)}
	for i, m := range marks {
		if m != markNull {
			v.Valid[i>>3] |= 1 << (i & 7)
		}
		if m == markTrue {
			v.I64[i] = 1
		}
	}
	return v
}
