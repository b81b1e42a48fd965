package op

import (
	"bytes"
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// extremum is min or max, or the value that a column has in the least or greatest of a group's rows. Its state is the current value (row),
// order-preserving (descending for max, so that the least bytes win); where rows may be retracted, values holds all of them as well:
// [group][value] -> weight.
type extremum struct {
	// by are the columns that it goes by; the result is that at position pick among them.
	by   []int
	pick int
	// normal: the first of by is to compare as SQL does.
	normal bool
	typ    types.Type
	max    bool
	codec  *zset.KeyCodec
	values state.Table

	// best is the row of the best value that each group got in this step, lost that of the best that it lost; -1 for none.
	best, lost []int32
	cols       []*zset.Vec
	pairs      pairs
	// cur is the current value, nil for none.
	cur, buf, key, upper []byte
}

// newExtremum returns min or max.
func newExtremum(arg int, t types.Type, descending bool) *extremum {
	return &extremum{
		by: []int{arg}, normal: true, typ: t, max: descending,
		codec: zset.NewKeyCodec([]types.Type{t}, []zset.KeyOrder{{Desc: descending}}),
	}
}

// newArgExtremum returns arg_min or arg_max: the value of arg in the row with the least or greatest val; ties go by the other columns in order,
// ascending, NULLS LAST.
func newArgExtremum(arg, val int, ts []types.Type, descending bool) *extremum {
	e := &extremum{by: []int{val}, normal: true, typ: ts[arg], max: descending}
	kts, orders := []types.Type{ts[val]}, []zset.KeyOrder{{Desc: descending}}
	for i, t := range ts {
		if i == val {
			continue
		}
		if i == arg {
			e.pick = len(e.by)
		}
		e.by, kts, orders = append(e.by, i), append(kts, t), append(orders, zset.KeyOrder{})
	}
	e.codec = zset.NewKeyCodec(kts, orders)
	return e
}

// newPicked returns first (any_value) or last: the value of arg in the first or last row by all columns in order, ascending, NULLS LAST.
// Several of them take the same row. any_value looks only at rows where arg is not NULL.
func newPicked(arg int, ts []types.Type, last bool) *extremum {
	e := &extremum{pick: arg, typ: ts[arg], max: last}
	orders := make([]zset.KeyOrder, len(ts))
	for i := range ts {
		e.by = append(e.by, i)
		orders[i] = zset.KeyOrder{Desc: last, NullsFirst: last}
	}
	e.codec = zset.NewKeyCodec(ts, orders)
	return e
}

func (e *extremum) reset(groups int) {
	e.best, e.lost = unset(e.best, groups), unset(e.lost, groups)
	if groups == 0 {
		e.pairs = pairs{}
	}
}

func unset(s []int32, n int) []int32 {
	s = resize(s, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

func (e *extremum) add(in *rows) {
	e.cols = e.cols[:0]
	for _, c := range e.by {
		e.cols = append(e.cols, in.cols[c])
	}
	if e.normal && e.cols[0].F64 != nil {
		e.cols[0] = zset.Normalize(e.cols[0])
	}
	if e.values == nil {
		e.addAppended(in)
		return
	}
	e.pairs.collect(in, e.cols...)
	for p, d := range e.pairs.deltas {
		if d == 0 {
			continue
		}
		g, i := e.pairs.group(p), e.pairs.first[p]
		e.key = e.codec.Append(append(e.key[:0], in.key(g)...), e.cols, int(i))
		e.values.Add(e.key, d)
		if d > 0 {
			e.keep(e.best, g, i)
		} else {
			e.keep(e.lost, g, i)
		}
	}
}

// addAppended takes rows that are never retracted.
func (e *extremum) addAppended(in *rows) {
	if src := e.cols[0].I64; src != nil && len(e.cols) == 1 {
		for k := range in.count() {
			i, w := in.at(k)
			if b := &e.best[in.gid[i]]; w > 0 && (*b < 0 || src[i] != src[*b] && (src[i] > src[*b]) == e.max) {
				*b = int32(i)
			}
		}
		return
	}
	for k := range in.count() {
		if i, w := in.at(k); w > 0 {
			e.keep(e.best, int(in.gid[i]), int32(i))
		}
	}
}

// keep puts row i into best[g] if it is better.
func (e *extremum) keep(best []int32, g int, i int32) {
	if best[g] >= 0 {
		if !e.better(int(i), int(best[g])) {
			return
		}
	}
	best[g] = i
}

func (e *extremum) better(i, j int) bool {
	first := e.cols[0]
	c := zset.Compare(first, i, first, j)
	if c == 0 && (len(e.cols) > 1 || !lossless(first.Type)) {
		// Values that SQL calls equal may differ: their bytes have an order of their own.
		e.key = e.codec.Append(e.key[:0], e.cols, i)
		n := len(e.key)
		e.key = e.codec.Append(e.key, e.cols, j)
		return bytes.Compare(e.key[:n], e.key[n:]) < 0
	}
	return c != 0 && (c > 0) == e.max
}

func (e *extremum) zero() { e.cur = nil }

func (e *extremum) load(src []byte) []byte {
	n, src := readUvarint(src)
	if n == 0 {
		e.cur = nil
		return src
	}
	e.buf = append(e.buf[:0], src[:n-1]...)
	e.cur = e.buf
	return src[n-1:]
}

func (e *extremum) merge(g int, key []byte) {
	if i := e.lost[g]; i >= 0 && e.values != nil {
		e.key = e.codec.Append(e.key[:0], e.cols, int(i))
		if e.cur == nil || bytes.Compare(e.key, e.cur) <= 0 {
			e.refill(key)
			return
		}
	}
	i := e.best[g]
	if i < 0 {
		return
	}
	e.key = e.codec.Append(e.key[:0], e.cols, int(i))
	if e.cur == nil || bytes.Compare(e.key, e.cur) < 0 {
		e.buf = append(e.buf[:0], e.key...)
		e.cur = e.buf
	}
}

// refill takes the first of the group's values.
func (e *extremum) refill(key []byte) {
	e.cur = nil
	var lower []byte
	lower, e.upper = state.Prefix(key, e.upper)
	it := e.values.Scan(lower, e.upper)
	if it.Next() {
		e.buf = append(e.buf[:0], it.Key()[len(key):]...)
		e.cur = e.buf
	}
	it.Close()
}

func (e *extremum) store(dst []byte) []byte {
	if e.cur == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.cur)+1))
	return append(dst, e.cur...)
}

func (e *extremum) value(dst []byte) ([]byte, *types.Error) {
	if e.cur == nil {
		return append(dst, nullCell), nil
	}
	v := e.codec.Skip(e.cur, e.pick)
	v = v[:len(v)-len(e.codec.SkipCol(v, e.pick))]
	return append(binary.AppendUvarint(append(dst, valueCell), uint64(len(v))), v...), nil
}

func (e *extremum) release() {
	clear(e.cols)
	e.pairs.release()
}

func (e *extremum) tables() []state.Table {
	if e.values == nil {
		return nil
	}
	return []state.Table{e.values}
}

// write writes a cell of value to column at of b's current row.
func (e *extremum) write(b *zset.Builder, at int, src []byte) []byte {
	if src[0] == nullCell {
		b.AppendNull(at)
		return src[1:]
	}
	n, src := readUvarint(src[1:])
	e.codec.DecodeCol(src[:n], e.pick, b, at)
	return src[n:]
}
