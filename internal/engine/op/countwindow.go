package op

import (
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// countWindow numbers the rows of each key from 0 and puts them into windows of n.
type countWindow struct {
	n    int64
	runs *keyRuns
	// counts is [keys] -> uvarint, how many rows the key has had.
	counts state.Table
	val    []byte
}

// NewCountWindow returns the operator of COUNT_WINDOW: the rows of a key, numbered from 0 in the order in which they come, are in windows
// [0, n), [n, 2n), ...; window_start and window_end are these row numbers, BIGINT. A window's rows are there as they come, the last one
// unfilled. A row of weight w is w rows. The input must be append-only and the rows of a key in offset order, as sql/opt sees to; a
// retraction ends the pipeline. The state is one counter per key, for ever.
func NewCountWindow(w *plan.Window, in []types.Type, tables Tables) (Op, error) {
	if w.Rows <= 0 {
		return nil, types.Errorf(types.InvalidArgument, "the number of rows of a COUNT_WINDOW must be more than zero")
	}
	return &countWindow{n: w.Rows, runs: newKeyRuns(w.Keys, in), counts: tables()}, nil
}

// Step implements Op.
func (o *countWindow) Step(_ *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	if b.Rows() == 0 {
		return nil, nil
	}
	if retracts(b) {
		return nil, notAppendOnly("COUNT_WINDOW")
	}
	if b = o.split(b); b.N == 0 {
		return nil, nil
	}
	bounds := make([]int64, 2*b.N)
	starts, ends := bounds[:b.N:b.N], bounds[b.N:]
	for g := range o.runs.split(b) {
		key := o.runs.key(g)
		count := uint64(0)
		if v, ok := o.counts.Get(key); ok {
			count, _ = binary.Uvarint(v)
		}
		start := int64(count) / o.n * o.n
		next := start + o.n
		for _, i := range o.runs.rows(g) {
			if int64(count) == next {
				start, next = next, next+o.n
			}
			starts[i], ends[i] = start, next
			count++
		}
		o.val = binary.AppendUvarint(o.val[:0], count)
		o.counts.Put(key, o.val)
	}
	return withBounds(b, types.Type{Kind: types.BigInt}, starts, ends), nil
}

// split makes w rows of a row of weight w: they may be in different windows.
func (o *countWindow) split(b *zset.Batch) *zset.Batch {
	if b.W == nil {
		return b
	}
	var sel []int32
	for i, w := range b.W {
		for range w {
			sel = append(sel, int32(i))
		}
	}
	out := zset.GatherBatch(b, sel)
	return &zset.Batch{Cols: out.Cols, N: out.N}
}
