package op

import (
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// counter counts rows; what is not to be counted was taken out of the rows before. It is count_star, count and count_if.
type counter struct {
	fixed
	deltas []int64
	n      int64
}

func (c *counter) reset(groups int) { c.deltas = resize(c.deltas, groups) }

func (c *counter) add(in *rows) {
	d := c.deltas
	if in.plain() {
		for _, g := range in.gid[:in.n] {
			d[g]++
		}
		return
	}
	for k := range in.count() {
		i, w := in.at(k)
		d[in.gid[i]] += w
	}
}

func (c *counter) zero() { c.n = 0 }

func (c *counter) load(src []byte) []byte {
	c.n, src = readVarint(src)
	return src
}

func (c *counter) merge(g int, _ []byte) { c.n += c.deltas[g] }

func (c *counter) store(dst []byte) []byte { return binary.AppendVarint(dst, c.n) }

func (c *counter) value(dst []byte) ([]byte, *types.Error) {
	if c.phys == zset.Wide {
		return appendWideCell(dst, wide(c.n>>63, uint64(c.n))), nil
	}
	return appendIntCell(dst, c.n), nil
}

func (c *counter) tables() []state.Table { return nil }

// logical is bool_and (all) or bool_or: it counts the trues and falses.
type logical struct {
	fixed
	arg    int
	all    bool
	deltas [][2]int64
	n      [2]int64
}

func (l *logical) reset(groups int) { l.deltas = resize(l.deltas, groups) }

func (l *logical) add(in *rows) {
	v := in.cols[l.arg]
	for k := range in.count() {
		i, w := in.at(k)
		l.deltas[in.gid[i]][v.I64[i]&1] += w
	}
}

func (l *logical) zero() { l.n = [2]int64{} }

func (l *logical) load(src []byte) []byte {
	l.n[0], src = readVarint(src)
	l.n[1], src = readVarint(src)
	return src
}

func (l *logical) merge(g int, _ []byte) {
	l.n[0] += l.deltas[g][0]
	l.n[1] += l.deltas[g][1]
}

func (l *logical) store(dst []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(dst, l.n[0]), l.n[1])
}

func (l *logical) value(dst []byte) ([]byte, *types.Error) {
	switch {
	case l.n[0]+l.n[1] == 0:
		return append(dst, nullCell), nil
	case l.all:
		return appendBoolCell(dst, l.n[0] == 0), nil
	}
	return appendBoolCell(dst, l.n[1] != 0), nil
}

func (l *logical) tables() []state.Table { return nil }

// trues narrows sel (nil: all n rows) to those where a BOOLEAN column is true, in buf.
func trues(v *zset.Vec, sel []int32, n int, buf []int32) []int32 {
	buf = buf[:0]
	if sel != nil {
		for _, i := range sel {
			if v.I64[i] != 0 && !v.Null(int(i)) {
				buf = append(buf, i)
			}
		}
		return buf
	}
	for i := range n {
		if v.I64[i] != 0 && !v.Null(i) {
			buf = append(buf, int32(i))
		}
	}
	return buf
}

// notNull narrows sel (nil: all n rows) to those where v is not NULL, in buf; it returns sel itself where v has no NULLs.
func notNull(v *zset.Vec, sel []int32, n int, buf []int32) []int32 {
	if v.Valid == nil {
		return sel
	}
	buf = buf[:0]
	if sel != nil {
		for _, i := range sel {
			if !v.Null(int(i)) {
				buf = append(buf, i)
			}
		}
		return buf
	}
	for i := range n {
		if !v.Null(i) {
			buf = append(buf, int32(i))
		}
	}
	return buf
}
