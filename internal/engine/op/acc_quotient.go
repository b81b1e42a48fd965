package op

import (
	"math"
	"math/bits"

	"leat/internal/engine/zset"
)

// extended is m * 2^exp with the highest bit of m set: a number as the x87's long double holds it, in which DuckDB divides averages.
type extended struct {
	m   uint64
	exp int
}

// extend rounds hi*2^64+lo, not 0, to 64 bits, ties to even.
func extend(hi, lo uint64) extended {
	if hi == 0 {
		n := bits.LeadingZeros64(lo)
		return extended{lo << n, -n}
	}
	n := bits.LeadingZeros64(hi)
	m, rest := hi<<n|lo>>(64-n), lo<<n
	e := extended{m, 64 - n}
	return e.round(rest > 1<<63, rest == 1<<63)
}

// round adds one to the last place where what was cut off is above half of it, or half and the place is odd.
func (e extended) round(above, half bool) extended {
	if above || half && e.m&1 == 1 {
		if e.m++; e.m == 0 {
			e.m, e.exp = 1<<63, e.exp+1
		}
	}
	return e
}

func (e extended) times(o extended) extended {
	hi, lo := bits.Mul64(e.m, o.m)
	p := extend(hi, lo)
	p.exp += e.exp + o.exp
	return p
}

// over returns e / o.
func (e extended) over(o extended) extended {
	hi, lo, exp := e.m, uint64(0), e.exp-o.exp-64
	if e.m >= o.m {
		hi, lo, exp = e.m>>1, e.m<<63, exp+1
	}
	q, r := bits.Div64(hi, lo, o.m)
	// r < o.m, so twice the rest against the divisor is r against its other part.
	return extended{q, exp}.round(r > o.m-r, r == o.m-r)
}

// float rounds to a double.
func (e extended) float() float64 { return math.Ldexp(float64(e.m), e.exp) }

// quotient returns v / (n * 10^scale) as DuckDB rounds averages of whole numbers and decimals: the sum, the divisor and the quotient each
// to 64 bits, and that to a double. n is not 0.
func quotient(v zset.Int128, n int64, scale uint8) float64 {
	neg := (v.HighBits() < 0) != (n < 0)
	v = v.Abs()
	if v.HighBits() == 0 && v.LowBits() == 0 {
		return 0
	}
	u := uint64(n)
	if n < 0 {
		u = -u
	}
	d := extend(0, u)
	if scale > 0 {
		f, exp := math.Frexp(math.Pow10(int(scale)))
		d = d.times(extended{uint64(f*(1<<53)) << 11, exp - 64})
	}
	x := extend(uint64(v.HighBits()), v.LowBits()).over(d).float()
	if neg {
		return -x
	}
	return x
}
