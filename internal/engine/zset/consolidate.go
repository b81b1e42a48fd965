package zset

import "math/bits"

// Consolidate sums the weights of equal rows and drops those of weight 0: each row is then there once, in the order of first appearance.
// It returns b itself where nothing changes, nil if nothing is left.
func Consolidate(b *Batch) *Batch {
	if b.Rows() <= 1 {
		if b.Rows() == 0 {
			return nil
		}
		return b
	}
	first, w := merge(b)
	keep := first[:0]
	for _, i := range first {
		if w[i] != 0 {
			keep = append(keep, i)
		}
	}
	switch {
	case len(keep) == 0:
		return nil
	case len(keep) == b.N:
		return b
	}
	out := GatherBatch(&Batch{Cols: b.Cols, N: b.N}, keep)
	plain := true
	for _, i := range keep {
		plain = plain && w[i] == 1
	}
	if !plain {
		out.W = make([]int64, len(keep))
		for j, i := range keep {
			out.W[j] = w[i]
		}
	}
	return out
}

// merge returns the first row of each class of equal ones, ascending, and the weights summed there.
func merge(b *Batch) (first []int32, w []int64) {
	hash := Hash(b.Cols, b.N, nil)
	shift := 64 - bits.Len(uint(b.N*2-1))
	table := make([]int32, 1<<(64-shift)) // row + 1; 0 is free
	mask := len(table) - 1
	first, w = make([]int32, 0, b.N), make([]int64, b.N)
	for i, h := range hash {
		slot := int(h >> shift)
		for {
			j := int(table[slot]) - 1
			if j < 0 {
				table[slot] = int32(i + 1)
				first = append(first, int32(i))
				w[i] = b.Weight(i)
				break
			}
			if hash[j] == h && Equal(b.Cols, i, b.Cols, j) {
				w[j] += b.Weight(i)
				break
			}
			slot = (slot + 1) & mask
		}
	}
	return first, w
}
