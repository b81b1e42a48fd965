package zset

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"leat/internal/types"
)

// Gather returns the values of v at sel, in that order; index -1 gives NULL.
func Gather(v *Vec, sel []int32) *Vec { return gather(v, sel, anyNegative(sel)) }

// GatherBatch returns the rows of b at sel with their weights, nil if sel is empty. Index -1 gives a row of NULLs, of weight +1.
func GatherBatch(b *Batch, sel []int32) *Batch {
	if len(sel) == 0 {
		return nil
	}
	neg := anyNegative(sel)
	out := &Batch{Cols: make([]*Vec, len(b.Cols)), N: len(sel)}
	for i, c := range b.Cols {
		out.Cols[i] = gather(c, sel, neg)
	}
	if b.W != nil {
		out.W = make([]int64, len(sel))
		for i, s := range sel {
			if s < 0 {
				out.W[i] = 1
			} else {
				out.W[i] = b.W[s]
			}
		}
	}
	return out
}

func anyNegative(sel []int32) bool {
	var or int32
	for _, s := range sel {
		or |= s
	}
	return or < 0
}

func gather(v *Vec, sel []int32, neg bool) *Vec {
	out := &Vec{Type: v.Type, Len: len(sel), Valid: gatherValid(v, sel, neg)}
	switch PhysOf(v.Type) {
	case Int64:
		out.I64 = gatherFixed(v.I64, sel, neg)
	case Float64:
		out.F64 = gatherFixed(v.F64, sel, neg)
	case Wide:
		out.W = gatherFixed(v.W, sel, neg)
	case Bytes:
		gatherBytes(out, v, sel, neg)
	}
	return out
}

func gatherFixed[T any](src []T, sel []int32, neg bool) []T {
	out := make([]T, len(sel))
	if neg {
		for i, s := range sel {
			if s >= 0 {
				out[i] = src[s]
			}
		}
		return out
	}
	to := out
	for ; len(sel) >= 4 && len(to) >= 4; sel, to = sel[4:], to[4:] {
		to[0], to[1], to[2], to[3] = src[sel[0]], src[sel[1]], src[sel[2]], src[sel[3]]
	}
	for i, s := range sel {
		to[i] = src[s]
	}
	return out
}

func gatherValid(v *Vec, sel []int32, neg bool) []byte {
	if v.Valid == nil && !neg {
		return nil
	}
	out := make([]byte, (len(sel)+7)/8)
	for i, s := range sel {
		if s >= 0 && !v.Null(int(s)) {
			out[i>>3] |= 1 << (i & 7)
		}
	}
	return out
}

// gatherBytes fills Off and Data of out. Values of one run in v are copied at once, short ones as 32 bytes that may reach beyond the
// value: what follows overwrites that.
func gatherBytes(out, v *Vec, sel []int32, neg bool) {
	out.Off = make([]int32, len(sel)+1)
	total := 0
	for i, s := range sel {
		if !neg || s >= 0 {
			total += int(v.Off[s+1] - v.Off[s])
		}
		out.Off[i+1] = int32(total)
	}
	if total > math.MaxInt32 {
		panic("BUG: more than 2 GiB in one column of a batch")
	}
	data := make([]byte, total+32)
	at := 0
	for i := 0; i < len(sel); i++ {
		s := sel[i]
		if s < 0 {
			continue
		}
		from := int(v.Off[s])
		for i+1 < len(sel) && sel[i+1] == s+1 {
			i, s = i+1, s+1
		}
		n := int(v.Off[s+1]) - from
		if n <= 32 && from+32 <= len(v.Data) {
			*(*[32]byte)(data[at:]) = *(*[32]byte)(v.Data[from:])
		} else {
			copy(data[at:], v.Data[from:from+n])
		}
		at += n
	}
	out.Data = data[:total]
}

// Concat returns the rows of all bs, some of which may be nil, in that order; nil if there are none. types are the columns'.
func Concat(ts []types.Type, bs ...*Batch) *Batch {
	n, last, parts, weighted := 0, (*Batch)(nil), 0, false
	for _, b := range bs {
		if b.Rows() > 0 {
			n, last, parts, weighted = n+b.N, b, parts+1, weighted || b.W != nil
		}
	}
	if parts <= 1 {
		return last
	}
	out := &Batch{Cols: make([]*Vec, len(ts)), N: n}
	vs := make([]*Vec, 0, parts)
	for i, t := range ts {
		vs = vs[:0]
		for _, b := range bs {
			if b.Rows() > 0 {
				vs = append(vs, b.Cols[i])
			}
		}
		out.Cols[i] = concatVecs(t, vs, n)
	}
	if weighted {
		out.W = make([]int64, 0, n)
		for _, b := range bs {
			for i := range b.Rows() {
				out.W = append(out.W, b.Weight(i))
			}
		}
	}
	return out
}

func concatVecs(t types.Type, vs []*Vec, n int) *Vec {
	out := &Vec{Type: t, Len: n, Valid: concatValid(vs, n)}
	switch PhysOf(t) {
	case Int64:
		out.I64 = make([]int64, 0, n)
		for _, v := range vs {
			out.I64 = append(out.I64, v.I64[:v.Len]...)
		}
	case Float64:
		out.F64 = make([]float64, 0, n)
		for _, v := range vs {
			out.F64 = append(out.F64, v.F64[:v.Len]...)
		}
	case Wide:
		out.W = make([]Int128, 0, n)
		for _, v := range vs {
			out.W = append(out.W, v.W[:v.Len]...)
		}
	case Bytes:
		concatBytes(out, vs, n)
	}
	return out
}

func concatBytes(out *Vec, vs []*Vec, n int) {
	total := 0
	for _, v := range vs {
		total += int(v.Off[v.Len] - v.Off[0])
	}
	if total > math.MaxInt32 {
		panic("BUG: more than 2 GiB in one column of a batch")
	}
	out.Off, out.Data = make([]int32, 1, n+1), make([]byte, 0, total)
	for _, v := range vs {
		shift := int32(len(out.Data)) - v.Off[0]
		out.Data = append(out.Data, v.Data[v.Off[0]:v.Off[v.Len]]...)
		for _, o := range v.Off[1 : v.Len+1] {
			out.Off = append(out.Off, o+shift)
		}
	}
}

func concatValid(vs []*Vec, n int) []byte {
	any := false
	for _, v := range vs {
		any = any || v.Valid != nil
	}
	if !any {
		return nil
	}
	out, at := make([]byte, (n+7)/8), 0
	for _, v := range vs {
		if v.Valid == nil {
			bitutil.SetBitsTo(out, int64(at), int64(v.Len), true)
		} else {
			bitutil.CopyBitmap(v.Valid, 0, v.Len, out, at)
		}
		at += v.Len
	}
	return out
}

// Negate returns b with every weight negated.
func Negate(b *Batch) *Batch {
	if b == nil {
		return nil
	}
	w := make([]int64, b.N)
	for i := range w {
		w[i] = -b.Weight(i)
	}
	return &Batch{Cols: b.Cols, N: b.N, W: w}
}
