package expr

import (
	"unsafe"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// maxKept is how many bytes of a buffer are kept for the next evaluation: enough for small, frequent steps, and little for an idle view.
const maxKept = 32 << 10

// pool hands out buffers, whose contents are arbitrary, and takes them back after the evaluation.
type pool[T any] struct{ free, used [][]T }

func (p *pool[T]) take(n int) []T {
	for i, s := range p.free {
		if cap(s) >= n {
			last := len(p.free) - 1
			p.free[i] = p.free[last]
			p.free = p.free[:last]
			p.used = append(p.used, s)
			return s[:n]
		}
	}
	s := make([]T, n)
	p.used = append(p.used, s)
	return s
}

// settle frees all buffers but those that went out of the program, and big ones.
func (p *pool[T]) settle(gone func(*zset.Vec) []T, out []*zset.Vec) {
	var size T
	p.free = p.free[:0]
next:
	for _, s := range p.used {
		if cap(s) == 0 || cap(s)*int(unsafe.Sizeof(size)) > maxKept {
			continue
		}
		for _, v := range out {
			if unsafe.SliceData(gone(v)) == unsafe.SliceData(s) {
				continue next
			}
		}
		p.free = append(p.free, s)
	}
	clear(p.used)
	p.used = p.used[:0]
}

// arena holds the buffers of intermediate values, so that small steps allocate little more than their result.
type arena struct {
	ints   pool[int64]
	floats pool[float64]
	wides  pool[zset.Int128]
	bytes  pool[byte]
}

func (a *arena) settle(out []*zset.Vec) {
	a.ints.settle(func(v *zset.Vec) []int64 { return v.I64 }, out)
	a.floats.settle(func(v *zset.Vec) []float64 { return v.F64 }, out)
	a.wides.settle(func(v *zset.Vec) []zset.Int128 { return v.W }, out)
	a.bytes.settle(func(v *zset.Vec) []byte { return v.Valid }, out)
}

// vec returns a column of n arbitrary values, none NULL; of Bytes all are empty and there is room for more.
func (x *exec) vec(t types.Type, n int) *zset.Vec {
	v := &zset.Vec{Type: t, Len: n}
	switch zset.PhysOf(t) {
	case zset.Int64:
		v.I64 = x.arena.ints.take(n)
	case zset.Float64:
		v.F64 = x.arena.floats.take(n)
	case zset.Wide:
		v.W = x.arena.wides.take(n)
	case zset.Bytes:
		v.Off = make([]int32, n+1)
	}
	return v
}

// bitmap returns a bitmap of n bits, all set.
func (x *exec) bitmap(n int) []byte {
	b := x.arena.bytes.take((n + 7) / 8)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// setNull marks row i of v as NULL, making the bitmap if there is none; v is one that this evaluation made.
func (x *exec) setNull(v *zset.Vec, i int) {
	if v.Valid == nil {
		v.Valid = x.bitmap(v.Len)
	}
	v.Valid[i>>3] &^= 1 << (i & 7)
}

// valid returns the bitmap of the rows in which no operand is NULL; nil if no row has one.
func (x *exec) valid(args ...operand) []byte {
	var out []byte
	mine := false
	for _, a := range args {
		if a.Valid == nil {
			continue
		}
		if a.one && x.n > 1 {
			if !a.Null(0) {
				continue
			}
			none := x.bitmap(x.n)
			clear(none)
			return none
		}
		if out == nil {
			out = a.Valid
			continue
		}
		if !mine {
			merged := x.arena.bytes.take((x.n + 7) / 8)
			copy(merged, out)
			out, mine = merged, true
		}
		for i := range out {
			out[i] &= a.Valid[i]
		}
	}
	return out
}

func isSet(valid []byte, i int) bool { return valid == nil || valid[i>>3]&(1<<(i&7)) != 0 }

// one makes a single value.
func one(t types.Type, set func(*zset.Vec)) *zset.Vec {
	v := &zset.Vec{Type: t, Len: 1}
	set(v)
	return v
}
