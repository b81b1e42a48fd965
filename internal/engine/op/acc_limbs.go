package op

import (
	"encoding/binary"
	"math/bits"
)

// limbs is a whole number times 2^minExp with room for every sum of doubles: 32 bits a limb, each in an int64 that carries are kept in
// until carry.
type limbs struct {
	l [numLimbs]int64
	// adds counts what was added since the last carry: up to 2^30 fit.
	adds int
}

// add adds m * 2^e.
func (b *limbs) add(m uint64, e int, neg bool) {
	if m == 0 {
		return
	}
	at, sh := (e-minExp)>>5, uint(e-minExp)&31
	lo, hi := m<<sh, m>>(64-sh)
	d := [3]int64{int64(lo & 0xffffffff), int64(lo >> 32), int64(hi)}
	for i, v := range d {
		if v == 0 {
			continue
		}
		if neg {
			v = -v
		}
		b.l[at+i] += v
	}
	if b.adds++; b.adds >= 1<<30 {
		b.carry()
	}
}

// addWide adds (hi*2^64+lo) * 2^e, hi and lo one number in two's complement.
func (b *limbs) addWide(hi int64, lo uint64, e int) {
	neg, h := hi < 0, uint64(hi)
	if neg {
		var c uint64
		lo, c = bits.Add64(^lo, 1, 0)
		h = ^h + c
	}
	// base may lie below the smallest double by trailing zeros of acc.
	for e < minExp {
		lo, h, e = lo>>1|h<<63, h>>1, e+1
	}
	b.add(lo, e, neg)
	b.add(h, e+64, neg)
}

func (b *limbs) merge(o *limbs) {
	b.carry()
	o.carry()
	for i, v := range o.l {
		b.l[i] += v
	}
	b.carry()
}

// carry brings each limb but the last to 0 <= limb < 2^32; the last one has the sign.
func (b *limbs) carry() {
	var c int64
	for i := range b.l[:numLimbs-1] {
		v := b.l[i] + c
		c = v >> 32
		b.l[i] = v & 0xffffffff
	}
	b.l[numLimbs-1] += c
	b.adds = 0
}

// magnitude returns the absolute value with carries done.
func (b *limbs) magnitude() (m limbs, neg bool) {
	b.carry()
	m = *b
	if neg = m.l[numLimbs-1] < 0; neg {
		for i := range m.l {
			m.l[i] = -m.l[i]
		}
		m.carry()
	}
	return m, neg
}

// ends returns the lowest and highest limb that is not 0, -1 where all are.
func (b *limbs) ends() (low, high int) {
	low, high = -1, -1
	for i, v := range b.l {
		if v != 0 {
			if low < 0 {
				low = i
			}
			high = i
		}
	}
	return low, high
}

// wide returns the number as 126 bits and an exponent where it fits.
func (b *limbs) wide() (hi int64, lo uint64, e int, ok bool) {
	m, neg := b.magnitude()
	low, high := m.ends()
	if low < 0 {
		return 0, 0, 0, true
	}
	tz := bits.TrailingZeros64(uint64(m.l[low]))
	if 32*(high-low)+bits.Len64(uint64(m.l[high]))-tz > 126 {
		return 0, 0, 0, false
	}
	var h uint64
	for i := high; i >= low; i-- {
		v, n := uint64(m.l[i]), 32
		if i == low {
			v, n = v>>tz, 32-tz
		}
		h, lo = h<<n|lo>>(64-n), lo<<n|v
	}
	if neg {
		var c uint64
		lo, c = bits.Add64(^lo, 1, 0)
		h = ^h + c
	}
	return int64(h), lo, minExp + 32*low + tz, true
}

// float rounds to the nearest double.
func (b *limbs) float() float64 {
	m, neg := b.magnitude()
	low, high := m.ends()
	if low < 0 {
		return 0
	}
	at := max(high-3, 0)
	var hi, lo uint64
	for i := high; i >= at; i-- {
		hi, lo = hi<<32|lo>>32, lo<<32|uint64(m.l[i])
	}
	return round(hi, lo, minExp+32*at, low < at, neg)
}

// append writes the sign, the lowest limb's position, the number of limbs and the limbs.
func (b *limbs) append(dst []byte) []byte {
	m, neg := b.magnitude()
	low, high := m.ends()
	sign := byte(0)
	if neg {
		sign = 1
	}
	dst = append(dst, sign, byte(low), byte(high-low+1))
	for _, v := range m.l[low : high+1] {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return dst
}

// read reads what append wrote into zero limbs.
func (b *limbs) read(src []byte) []byte {
	neg, low, n := src[0] == 1, int(src[1]), int(src[2])
	src = src[3:]
	for i := range n {
		v := int64(binary.LittleEndian.Uint32(src[4*i:]))
		if neg {
			v = -v
		}
		b.l[low+i] = v
	}
	return src[4*n:]
}
