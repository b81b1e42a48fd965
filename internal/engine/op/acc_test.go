package op

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/zset"
)

// anyFloat is a finite double of any exponent, or one of the usual kind.
func anyFloat(r *rand.Rand, kind int) float64 {
	switch kind {
	case 0:
		return float64(r.IntN(100000)) / 100
	case 1:
		return r.NormFloat64() * math.Pow(10, float64(r.IntN(12)))
	case 2:
		return []float64{math.MaxFloat64, -math.MaxFloat64, 5e-324, -5e-324, 1, -1, 1 << 53, 1<<53 + 2, 0x1p-1022, math.Copysign(0, -1)}[r.IntN(10)]
	}
	for {
		if x := math.Float64frombits(r.Uint64()); x-x == 0 {
			return x
		}
	}
}

func reload(t *testing.T, s exact) exact {
	t.Helper()
	p := s.append(nil)
	out, rest := readExact(append(p, 7))
	if len(rest) != 1 || !bytes.Equal(out.append(nil), p) {
		t.Fatalf("%v reads as %v", s, out)
	}
	return out
}

func TestExactSumEqualsBigFloat(t *testing.T) {
	r := seeded(t)
	for range 3000 {
		kind := r.IntN(4)
		var total exact
		want := new(big.Float).SetPrec(3000)
		var xs []float64
		var ws []int64
		for range 1 + r.IntN(5) {
			var delta exact
			for range r.IntN(6) {
				x, w := anyFloat(r, kind), int64(1)
				if r.IntN(3) == 0 {
					w = []int64{-1, 3, -1000, math.MaxInt32}[r.IntN(4)]
				}
				xs, ws = append(xs, x), append(ws, w)
				delta.addTimes(x, w)
				p := new(big.Float).SetPrec(200).SetFloat64(x)
				want.Add(want, p.Mul(p, new(big.Float).SetInt64(w)))
			}
			total.merge(&delta)
			total.settle()
			total = reload(t, total)
			if w, _ := want.Float64(); total.float() != w {
				t.Fatalf("%v * %v: %v, want %v", xs, ws, total.float(), w)
			}
		}
		// Another order, in one go, is the same to the bit; what is taken back leaves nothing.
		var again exact
		for _, i := range r.Perm(len(xs)) {
			again.addTimes(xs[i], ws[i])
		}
		again.settle()
		if !bytes.Equal(again.append(nil), total.append(nil)) {
			t.Fatalf("%v * %v: the order matters", xs, ws)
		}
		for _, i := range r.Perm(len(xs)) {
			again.addTimes(xs[i], -ws[i])
		}
		again.settle()
		if !bytes.Equal(again.append(nil), []byte{0}) {
			t.Fatalf("%v * %v leaves %v", xs, ws, again)
		}
	}
}

func TestExactSumRoundsToEven(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{
		{[]float64{1 << 53, 1}, 1 << 53},
		{[]float64{1<<53 + 2, 1}, 1<<53 + 4},
		{[]float64{1 << 53, 1, 5e-324}, 1<<53 + 2},
		{[]float64{1e300, 1, -1e300}, 1},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, math.Inf(1)},
		{[]float64{math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64}, math.MaxFloat64},
		{[]float64{5e-324, 5e-324}, 1e-323},
	} {
		var s exact
		for _, x := range c.xs {
			s.add(x, false)
		}
		if s.settle(); s.float() != c.want {
			t.Errorf("%v: %v, want %v", c.xs, s.float(), c.want)
		}
	}
}

func anyWide(r *rand.Rand) zset.Int128 {
	n := r.IntN(128)
	v := wide(int64(r.Uint64()), r.Uint64()).BigInt()
	return wideOf(v.Rsh(v, uint(n)))
}

func bigOf(s int192) *big.Int {
	v := big.NewInt(s.hi)
	v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(s.mid))
	return v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(s.lo))
}

func TestWideSumEqualsBigInt(t *testing.T) {
	r := seeded(t)
	for range 5000 {
		var s int192
		want := new(big.Int)
		for range r.IntN(8) {
			v, w := anyWide(r), int64(r.Uint64())>>r.IntN(63)
			switch r.IntN(3) {
			case 0:
				s.addInt(w)
				want.Add(want, big.NewInt(w))
			case 1:
				s.addWide(v)
				want.Add(want, v.BigInt())
			default:
				w >>= 10 // 192 bits are enough for what fits in memory
				s.addTimes(v, w)
				want.Add(want, new(big.Int).Mul(v.BigInt(), big.NewInt(w)))
			}
			out, rest := readInt192(append(s.append(nil), 9))
			if bigOf(s).Cmp(want) != 0 || out != s || len(rest) != 1 {
				t.Fatalf("%v is %v, want %v", out, s, want)
			}
			n, ok := s.int128()
			if fits := want.BitLen() < 128; ok != fits || ok && n.BigInt().Cmp(want) != 0 {
				t.Fatalf("int128 of %v: %v %v", want, n, ok)
			}
		}
	}
}

func TestQuotientIsThatOfLongDoubles(t *testing.T) {
	r := seeded(t)
	for range 20000 {
		v, n, scale := anyWide(r), 1+r.Int64()>>r.IntN(63), uint8(r.IntN(39))
		num := new(big.Float).SetPrec(64).SetInt(v.BigInt())
		den := new(big.Float).SetPrec(64).SetInt64(n)
		den.Mul(den, new(big.Float).SetPrec(64).SetFloat64(math.Pow10(int(scale))))
		want, _ := new(big.Float).SetPrec(64).Quo(num, den).Float64()
		if got := quotient(v, n, scale); got != want {
			t.Fatalf("%v / %d e%d: %v, want %v", v.BigInt(), n, scale, got, want)
		}
	}
}
