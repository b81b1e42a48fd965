package zset

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Constants of wyhash (https://github.com/wangyi-fudan/wyhash).
const (
	wy0 = 0xa0761d6478bd642f
	wy1 = 0xe7037ed1a0b428db
	wy2 = 0x8ebc6af09c88c6e3
	wy3 = 0x589965cc75374cc3
)

// mix folds the 128-bit product of a and b.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Hash returns a hash of each of the first n rows of cols, in dst if it is large enough. Rows that Equal calls equal hash alike, in every
// process. NULL has a hash of its own.
func Hash(cols []*Vec, n int, dst []uint64) []uint64 {
	if cap(dst) < n {
		dst = make([]uint64, n)
	}
	dst = dst[:n]
	for i := range dst {
		dst[i] = wy0
	}
	for _, v := range cols {
		v.hash(dst)
	}
	return dst
}

func (v *Vec) hash(dst []uint64) {
	switch PhysOf(v.Type) {
	case Int64:
		if v.Valid == nil {
			src := v.I64[:len(dst)]
			for i, x := range src {
				dst[i] = mix(dst[i]^uint64(x), wy1)
			}
			return
		}
		for i := range dst {
			dst[i] = v.combine(i, dst[i], mix(dst[i]^uint64(v.I64[i]), wy1))
		}
	case Float64:
		for i := range dst {
			dst[i] = v.combine(i, dst[i], mix(dst[i]^floatBits(v.F64[i]), wy1))
		}
	case Wide:
		for i := range dst {
			x := v.W[i]
			dst[i] = v.combine(i, dst[i], mix(mix(dst[i]^x.LowBits(), wy1)^uint64(x.HighBits()), wy2))
		}
	case Bytes:
		for i := range dst {
			h := dst[i]
			if v.Valid == nil || !v.Null(i) {
				h = HashBytes(v.Bytes(i), h)
			} else {
				h = mix(h^wy3, wy2)
			}
			dst[i] = h
		}
	}
}

// combine returns h, or the hash of NULL after before.
func (v *Vec) combine(i int, before, h uint64) uint64 {
	if v.Null(i) {
		return mix(before^wy3, wy2)
	}
	return h
}

// floatBits are the bits of x, the same for every NaN; -0.0 keeps its own.
func floatBits(x float64) uint64 {
	if x != x {
		return 0x7ff8 << 48
	}
	return math.Float64bits(x)
}

// HashBytes hashes p, beginning with seed.
func HashBytes(p []byte, seed uint64) uint64 {
	n := uint64(len(p))
	for len(p) > 16 {
		seed = mix(binary.LittleEndian.Uint64(p)^wy1, binary.LittleEndian.Uint64(p[8:])^seed)
		p = p[16:]
	}
	var a, b uint64
	switch {
	case len(p) >= 8:
		a, b = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[len(p)-8:])
	case len(p) >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[len(p)-4:]))
	case len(p) > 0:
		a = uint64(p[0])<<16 | uint64(p[len(p)/2])<<8 | uint64(p[len(p)-1])
	}
	return mix(wy2^n, mix(a^wy1, b^seed))
}
