package op

import (
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// keyedRow is how rows lie in state: some columns in the key, encoded in order, the rest behind them or in the value. Key columns whose
// encoding gives the value back are not in the rest.
type keyedRow struct {
	types []types.Type
	// keys are the key columns in the order of the state key.
	keys     []int
	keyCodec *zset.KeyCodec
	// rest are the columns outside the key. source says where column c of a row that was read comes from: >= 0 is column source[c] of those
	// decoded, < 0 is key -source[c]-1.
	rest      []int
	restCodec *zset.RowCodec
	source    []int

	cols []*zset.Vec
}

// canonicalKey reports whether a key of type t can be told from its normalised encoding.
func canonicalKey(t types.Type) bool {
	switch t.Kind {
	case types.Float, types.Double, types.Interval, types.Struct, types.List, types.Map:
		return false
	}
	return true
}

// newKeyedRow lays out rows by keys, which are positions. Column first, -1 for none, is decoded before the rest, by the caller.
func newKeyedRow(ts []types.Type, keys []int, first int) keyedRow {
	r := keyedRow{types: ts, keys: keys, source: make([]int, len(ts))}
	for i, c := range keys {
		if canonicalKey(ts[c]) {
			r.source[c] = -i - 1
		}
	}
	at := 0
	if first >= 0 {
		at, r.source[first] = 1, 0
	}
	for c := range ts {
		if r.source[c] == 0 && c != first {
			r.source[c] = at + len(r.rest)
			r.rest = append(r.rest, c)
		}
	}
	r.keyCodec = zset.NewKeyCodec(typesAt(keys, ts), nil)
	r.restCodec = zset.NewRowCodec(typesAt(r.rest, ts))
	return r
}

// group groups the rows of b by key. A NULL in one of the columns never matches nothing.
func (r *keyedRow) group(g *rowGroups, b *zset.Batch, never []int) {
	r.cols = r.cols[:0]
	for _, c := range r.keys {
		r.cols = append(r.cols, zset.Normalize(b.Cols[c]))
	}
	g.never = g.never[:0]
	for _, c := range never {
		if v := b.Cols[c]; v.Valid != nil {
			g.never = append(g.never, v)
		}
	}
	g.build(r.keyCodec, r.cols, b.N)
}

// restOf sets r.cols to the rest's columns of b.
func (r *keyedRow) restOf(b *zset.Batch) {
	r.cols = r.cols[:0]
	for _, c := range r.rest {
		r.cols = append(r.cols, b.Cols[c])
	}
}

// columns appends the columns of rows that were read: decoded has those that are not in the key, of which sel are taken (nil: all); key
// gives those that are.
func (r *keyedRow) columns(dst []*zset.Vec, decoded []*zset.Vec, sel []int32, key func(i int) *zset.Vec) []*zset.Vec {
	for _, src := range r.source {
		switch {
		case src < 0:
			dst = append(dst, key(-src-1))
		case sel == nil:
			dst = append(dst, decoded[src])
		default:
			dst = append(dst, zset.Gather(decoded[src], sel))
		}
	}
	return dst
}

// builder returns a builder of the keys, then the rest.
func (r *keyedRow) builder() *zset.Builder {
	return zset.NewBuilder(typesAt(slices.Concat(r.keys, r.rest), r.types))
}

// decode appends a row to what builder returned.
func (r *keyedRow) decode(b *zset.Builder, key, rest []byte, w int64) {
	r.keyCodec.Decode(key, b, 0)
	r.restCodec.Decode(rest, b, len(r.keys))
	b.EndRow(w)
}

// decoded gives what decode made the columns of rows.
func (r *keyedRow) decoded(b *zset.Batch) *zset.Batch {
	cols := r.columns(make([]*zset.Vec, 0, len(r.types)), b.Cols[len(r.keys):], nil, func(k int) *zset.Vec { return b.Cols[k] })
	return &zset.Batch{N: b.N, W: b.W, Cols: cols}
}
