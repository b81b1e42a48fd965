package op

import (
	"encoding/binary"
	"math"
	"math/big"

	"leat/internal/state"
	"leat/internal/types"
)

// variance is var_pop, var_samp, stddev_pop and stddev_samp of doubles from exact sums of x and x²: no order of the rows, nor any that came
// and went, shows in the result.
type variance struct {
	fixed
	name         string
	arg          int
	sample, root bool
	deltas       []variState
	cur          variState
}

type variState struct {
	sum, squares exact
	n            int64
	// infinite counts the values that are not finite or whose square is not.
	infinite int64
}

func newVariance(name string, arg int, out fixed) *variance {
	return &variance{fixed: out, name: name, arg: arg, sample: name != "var_pop" && name != "stddev_pop", root: name[0] == 's'}
}

func (v *variance) reset(groups int) { v.deltas = resize(v.deltas, groups) }

func (v *variance) add(in *rows) {
	src := in.cols[v.arg].F64
	for k := range in.count() {
		i, w := in.at(k)
		e, x := &v.deltas[in.gid[i]], src[i]
		e.n += w
		sq := x * x
		if sq-sq != 0 {
			e.infinite += w
			continue
		}
		e.sum.addTimes(x, w)
		e.squares.addTimes(sq, w)
		// What the product lost, exactly but for squares below 2^-969.
		e.squares.addTimes(math.FMA(x, x, -sq), w)
	}
}

func (v *variance) zero() { v.cur = variState{} }

func (v *variance) load(src []byte) []byte {
	v.cur.n, src = readVarint(src)
	v.cur.infinite, src = readVarint(src)
	v.cur.sum, src = readExact(src)
	v.cur.squares, src = readExact(src)
	return src
}

func (v *variance) merge(g int, _ []byte) {
	d := &v.deltas[g]
	v.cur.n, v.cur.infinite = v.cur.n+d.n, v.cur.infinite+d.infinite
	v.cur.sum.merge(&d.sum)
	v.cur.squares.merge(&d.squares)
	v.cur.sum.settle()
	v.cur.squares.settle()
}

func (v *variance) store(dst []byte) []byte {
	dst = binary.AppendVarint(binary.AppendVarint(dst, v.cur.n), v.cur.infinite)
	return v.cur.squares.append(v.cur.sum.append(dst))
}

func (v *variance) value(dst []byte) ([]byte, *types.Error) {
	n := v.cur.n
	switch {
	case n == 0 || v.sample && n == 1:
		return append(dst, nullCell), nil
	case v.cur.infinite != 0:
		return dst, types.Errorf(types.DataError, "%s: out of range", v.name)
	case n == 1:
		return appendFloatCell(dst, 0), nil
	}
	x := v.spread()
	if x-x != 0 {
		return dst, types.Errorf(types.DataError, "%s: out of range", v.name)
	}
	if v.root {
		x = math.Sqrt(x)
	}
	return appendFloatCell(dst, x), nil
}

// spread returns (n*Σx² - (Σx)²) / (n * n), or over n * (n-1) for a sample. The difference is exact.
func (v *variance) spread() float64 {
	n := big.NewInt(v.cur.n)
	sum, e := v.cur.sum.whole()
	squares, f := v.cur.squares.whole()
	sum.Mul(sum, sum)
	squares.Mul(squares, n)
	if e *= 2; e > f {
		sum.Lsh(sum, uint(e-f))
		e = f
	} else {
		squares.Lsh(squares, uint(f-e))
	}
	squares.Sub(squares, sum)
	if squares.Sign() <= 0 {
		return 0
	}
	d := big.NewInt(v.cur.n)
	if v.sample {
		d.Sub(d, big.NewInt(1))
	}
	d.Mul(d, n)
	q := new(big.Float).SetPrec(64).SetInt(squares)
	q.SetMantExp(q, e)
	x, _ := q.Quo(q, new(big.Float).SetPrec(64).SetInt(d)).Float64()
	return x
}

func (v *variance) tables() []state.Table { return nil }

// whole returns a settled sum as m * 2^e.
func (s *exact) whole() (m *big.Int, e int) {
	if s.big == nil {
		if !s.used {
			return new(big.Int), 0
		}
		return wide(s.hi, s.lo).BigInt(), int(s.base)
	}
	l, neg := s.big.magnitude()
	m = new(big.Int)
	for i := numLimbs - 1; i >= 0; i-- {
		m.Lsh(m, 32).Add(m, big.NewInt(l.l[i]))
	}
	if neg {
		m.Neg(m)
	}
	return m, minExp
}
