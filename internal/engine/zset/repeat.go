package zset

import "slices"

// Repeat returns b with each row as often as its weight, and no weights; rows of weight below 1 are left out.
func Repeat(b *Batch) *Batch {
	if b.W == nil || !slices.ContainsFunc(b.W, func(w int64) bool { return w != 1 }) {
		return &Batch{Cols: b.Cols, N: b.N}
	}
	var sel []int32
	for i, w := range b.W {
		for range w {
			sel = append(sel, int32(i))
		}
	}
	out := GatherBatch(b, sel)
	out.W = nil
	return out
}
