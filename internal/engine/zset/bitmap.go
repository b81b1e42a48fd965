package zset

import (
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"leat/internal/types"
)

// allValid returns a bitmap of n set bits with room for more.
func allValid(n int) []byte {
	m := make([]byte, (n+7)/8, (n+7)/8+8)
	for i := range m {
		m[i] = 0xff
	}
	return m
}

// validRange returns bits [from, from+n) of a bitmap: shared where they begin at a byte, else copied; nil where all are set.
func validRange(m []byte, from, n int) []byte {
	if m == nil || bitutil.CountSetBits(m, from, n) == n {
		return nil
	}
	if from&7 == 0 {
		return m[from>>3:]
	}
	out := make([]byte, (n+7)/8)
	bitutil.CopyBitmap(m, from, n, out, 0)
	return out
}

// nulls counts the NULLs of v.
func (v *Vec) nulls() int {
	if v.Valid == nil {
		return 0
	}
	return v.Len - bitutil.CountSetBits(v.Valid, 0, v.Len)
}

// Nulls returns a column of n NULLs.
func Nulls(t types.Type, n int) *Vec {
	v := &Vec{Type: t, Len: n, Valid: make([]byte, (n+7)/8)}
	switch PhysOf(t) {
	case Int64:
		v.I64 = make([]int64, n)
	case Float64:
		v.F64 = make([]float64, n)
	case Wide:
		v.W = make([]Int128, n)
	case Bytes:
		v.Off = make([]int32, n+1)
	}
	return v
}

// Slice returns rows [from, to) of v without copying the values.
func (v *Vec) Slice(from, to int) *Vec {
	out := &Vec{Type: v.Type, Len: to - from, Valid: validRange(v.Valid, from, to-from)}
	switch PhysOf(v.Type) {
	case Int64:
		out.I64 = v.I64[from:to]
	case Float64:
		out.F64 = v.F64[from:to]
	case Wide:
		out.W = v.W[from:to]
	case Bytes:
		out.Off, out.Data = v.Off[from:to+1], v.Data
	}
	return out
}

// Slice returns rows [from, to) of b without copying the values, nil if there are none.
func (b *Batch) Slice(from, to int) *Batch {
	if from >= to {
		return nil
	}
	if from == 0 && to == b.N {
		return b
	}
	out := &Batch{Cols: make([]*Vec, len(b.Cols)), N: to - from}
	for i, c := range b.Cols {
		out.Cols[i] = c.Slice(from, to)
	}
	if b.W != nil {
		out.W = b.W[from:to]
	}
	return out
}
