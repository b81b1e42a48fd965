package op

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// exact is a sum of doubles without any rounding: acc * 2^base, plus big, which takes what lies outside the 128 bits of acc. Doubles are
// whole multiples of powers of two, so such sums don't depend on the order, and what is retracted leaves nothing behind. NaN and the
// infinities are not for it.
type exact struct {
	lo  uint64
	hi  int64
	big *limbs
	// base is set once used is.
	base int32
	used bool
}

const (
	// below is how far the exponent of a later value may lie under that of the first one, reach how far over base; others go to big.
	below = 20
	reach = 41
	// Limbs hold 32 bits each; limb 0 begins at 2^minExp, the last place of the smallest double. Doubles need 66, 2^63 of them 2 more.
	minExp   = -1074
	numLimbs = 70
)

// split returns x as m * 2^e, negative where neg; x is finite.
func split(x float64) (m uint64, e int, neg bool) {
	b := math.Float64bits(x)
	m, e = b&(1<<52-1), int(b>>52&0x7ff)
	if e == 0 {
		e = 1
	} else {
		m |= 1 << 52
	}
	return m, e - 1075, int64(b) < 0
}

// add adds x with weight +1 or -1. At most 2^30 values may be added before the sum is moved elsewhere (merge).
func (s *exact) add(x float64, minus bool) {
	m, e, neg := split(x)
	if m == 0 {
		return
	}
	if !s.used {
		s.base, s.used = int32(e-below), true
	}
	sh := uint(e - int(s.base))
	if sh > reach {
		s.spill().add(m, e, neg != minus)
		return
	}
	lo, hi := m<<sh, m>>(64-sh)
	var c uint64
	if neg != minus {
		s.lo, c = bits.Sub64(s.lo, lo, 0)
		s.hi -= int64(hi + c)
		return
	}
	s.lo, c = bits.Add64(s.lo, lo, 0)
	s.hi += int64(hi + c)
}

// addTimes adds x * w.
func (s *exact) addTimes(x float64, w int64) {
	if w == 1 || w == -1 {
		s.add(x, w < 0)
		return
	}
	m, e, neg := split(x)
	u := uint64(w)
	if w < 0 {
		neg, u = !neg, -u
	}
	hi, lo := bits.Mul64(m, u)
	b := s.spill()
	b.add(lo, e, neg)
	b.add(hi, e+64, neg)
}

func (s *exact) spill() *limbs {
	if s.big == nil {
		s.big = new(limbs)
	}
	return s.big
}

// merge adds o.
func (s *exact) merge(o *exact) {
	if o.big != nil {
		s.spill().merge(o.big)
	}
	switch {
	case !o.used:
		return
	case !s.used:
		s.lo, s.hi, s.base, s.used = o.lo, o.hi, o.base, true
		return
	}
	a, b := *s, *o
	if a.base > b.base {
		a, b = b, a
	}
	if b.raise(int(b.base-a.base)) && b.small() && a.small() {
		var c uint64
		s.lo, c = bits.Add64(a.lo, b.lo, 0)
		s.hi, s.base = a.hi+b.hi+int64(c), a.base
		return
	}
	s.spill().addWide(o.hi, o.lo, int(o.base))
}

// raise multiplies acc by 2^n and reports whether it fits.
func (s *exact) raise(n int) bool {
	if n >= 64 {
		if n >= 126 || int64(s.lo)>>63 != s.hi {
			return s.lo == 0 && s.hi == 0
		}
		s.hi, s.lo, n = int64(s.lo), 0, n-64
	}
	hi := s.hi<<n | int64(s.lo>>(64-n))
	if n > 0 && hi>>n != s.hi {
		return false
	}
	s.hi, s.lo = hi, s.lo<<n
	return true
}

// small reports whether acc has 2 bits to spare.
func (s *exact) small() bool { return s.hi<<2>>2 == s.hi }

// settle brings the sum into its one shortest form: no trailing zeros, big only where 126 bits are too few.
func (s *exact) settle() {
	if s.big != nil {
		if s.used {
			s.big.addWide(s.hi, s.lo, int(s.base))
		}
		s.lo, s.hi, s.used = 0, 0, false
		hi, lo, e, ok := s.big.wide()
		if !ok {
			return
		}
		s.lo, s.hi, s.base, s.used, s.big = lo, hi, int32(e), true, nil
	}
	if s.lo == 0 && s.hi == 0 {
		*s = exact{}
		return
	}
	if s.lo == 0 {
		s.lo, s.hi, s.base = uint64(s.hi), s.hi>>63, s.base+64
	}
	n := bits.TrailingZeros64(s.lo)
	s.lo = s.lo>>n | uint64(s.hi)<<(64-n)
	s.hi >>= n
	s.base += int32(n)
}

// float returns the sum rounded to the nearest double, ties to even; what is too large is an infinity. The sum must be settled.
func (s *exact) float() float64 {
	if s.big != nil {
		return s.big.float()
	}
	hi, lo, neg := uint64(s.hi), s.lo, s.hi < 0
	if neg {
		var c uint64
		lo, c = bits.Add64(^lo, 1, 0)
		hi = ^hi + c
	}
	return round(hi, lo, int(s.base), false, neg)
}

// round returns (hi*2^64+lo) * 2^e as a double; sticky says that something follows below the last place. e >= minExp, so that no second
// rounding happens among the smallest numbers.
func round(hi, lo uint64, e int, sticky, neg bool) float64 {
	n := bits.Len64(lo)
	if hi != 0 {
		n = 64 + bits.Len64(hi)
	}
	m := lo
	if cut := n - 53; cut > 0 {
		var rest, half uint64
		if cut > 64 {
			m, rest, half = hi>>(cut-64), hi&(1<<(cut-64)-1), 1<<(cut-65)
			sticky = sticky || lo != 0
		} else {
			// cut may be 64: shifts by 64 give 0, and the mask is then all ones.
			m, rest, half = lo>>cut|hi<<(64-cut), lo&(1<<cut-1), 1<<(cut-1)
		}
		if rest > half || rest == half && (sticky || m&1 == 1) {
			m++
		}
		e += cut
	}
	x := math.Ldexp(float64(m), e)
	if neg {
		return -x
	}
	return x
}

// append writes a settled sum: 0 for zero; 1, base, low and high half as varints; or 2 and the limbs.
func (s *exact) append(dst []byte) []byte {
	switch {
	case s.big != nil:
		return s.big.append(append(dst, 2))
	case !s.used:
		return append(dst, 0)
	case int64(s.lo)>>63 == s.hi:
		return binary.AppendVarint(binary.AppendVarint(append(dst, 1), int64(s.base)), int64(s.lo))
	}
	dst = binary.AppendVarint(append(dst, 3), int64(s.base))
	return binary.AppendVarint(binary.LittleEndian.AppendUint64(dst, s.lo), s.hi)
}

func readExact(src []byte) (s exact, rest []byte) {
	tag, src := src[0], src[1:]
	switch tag {
	case 0:
		return s, src
	case 2:
		s.big = new(limbs)
		return s, s.big.read(src)
	}
	var v int64
	s.used = true
	v, src = readVarint(src)
	s.base = int32(v)
	if tag == 1 {
		v, src = readVarint(src)
		s.lo, s.hi = uint64(v), v>>63
		return s, src
	}
	s.lo = binary.LittleEndian.Uint64(src)
	s.hi, src = readVarint(src[8:])
	return s, src
}
