package zset

// Size is about how many bytes of memory a batch takes; that of a nil batch is 0.
func Size(b *Batch) int64 {
	if b == nil {
		return 0
	}
	n := 128 + 8*len(b.W)
	for _, c := range b.Cols {
		n += 96 + 8*len(c.I64) + 8*len(c.F64) + 16*len(c.W) + 4*len(c.Off) + len(c.Valid)
		if len(c.Off) > 0 {
			n += int(c.Off[len(c.Off)-1] - c.Off[0])
		}
	}
	return int64(n)
}
