package expr

import (
	"math"
	"math/big"
	"math/bits"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// bounds are the least and greatest value that a type held in 128 bits takes.
type bounds struct{ lo, hi zset.Int128 }

func (b bounds) has(v zset.Int128) bool { return v.Cmp(b.lo) >= 0 && v.Cmp(b.hi) <= 0 }

func boundsOf(t types.Type) bounds {
	switch t.Kind {
	case types.UBigInt:
		return bounds{decimal128.Num{}, decimal128.New(0, math.MaxUint64)}
	case types.Decimal:
		hi := decimal128.FromBigInt(new(big.Int).Sub(pow10(int(t.Precision)), big.NewInt(1)))
		return bounds{hi.Negate(), hi}
	case types.HugeInt:
		return bounds{decimal128.New(math.MinInt64, 0), decimal128.New(math.MaxInt64, math.MaxUint64)}
	}
	lo, hi := span(t.Kind)
	return bounds{decimal128.FromI64(lo), decimal128.FromI64(hi)}
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func wideKernel(e *plan.Expr) kernel {
	if len(e.Args) == 1 {
		switch e.Name {
		case "-":
			if e.Type.Kind == types.UBigInt {
				return nil
			}
			zero := decimal128.Num{}
			return eager(wideMap(e.Type, "negation", func(p zset.Int128) (zset.Int128, bool) { return sub128(zero, p) }))
		case "+":
			return func(args []node) node { return args[0] }
		case "abs", "@":
			return eager(wideMap(e.Type, "abs", func(p zset.Int128) (zset.Int128, bool) {
				if p.HighBits() >= 0 {
					return p, true
				}
				return sub128(decimal128.Num{}, p)
			}))
		}
		return nil
	}
	switch e.Name {
	case "+":
		return eager(wideOp(e.Type, "addition", add128))
	case "-":
		return eager(wideOp(e.Type, "subtraction", sub128))
	case "*":
		return eager(wideOp(e.Type, "multiplication", mul128))
	case "//":
		return eager(wideDivide(e.Type, true))
	case "%", "mod":
		return eager(wideDivide(e.Type, false))
	}
	return nil
}

// wideDivide is // (quotient) and % of HUGEINT and UBIGINT: by zero gives NULL.
func wideDivide(t types.Type, quotient bool) apply {
	least, minusOne := decimal128.New(math.MinInt64, 0), decimal128.FromI64(-1)
	overflow := types.Errorf(types.DataError, "overflow in division of %s", t)
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		v := x.vec(t, x.n)
		v.Valid = slices.Clone(x.valid(a, b))
		for i := range v.W {
			p, q := a.W[a.at(i)], b.W[b.at(i)]
			switch {
			case q == zset.Int128{}:
				x.setNull(v, i)
			case p == least && q == minusOne:
				if isSet(v.Valid, i) {
					x.fail(i, overflow)
				}
			default:
				v.W[i] = divide128(p, q, quotient)
			}
		}
		return operand{v, false}
	}
}

func divide128(p, q zset.Int128, quotient bool) zset.Int128 {
	if small(p) && small(q) && int64(q.LowBits()) != -1 {
		if quotient {
			return decimal128.FromI64(int64(p.LowBits()) / int64(q.LowBits()))
		}
		return decimal128.FromI64(int64(p.LowBits()) % int64(q.LowBits()))
	}
	d, r := new(big.Int).QuoRem(p.BigInt(), q.BigInt(), new(big.Int))
	if quotient {
		return wideOf(d)
	}
	return wideOf(r)
}

// decimalKernel: operands may have other scales than the result; DuckDB's binder casts those that it must.
func decimalKernel(e *plan.Expr) kernel {
	scale := 0
	for _, a := range e.Args {
		if a.Type.Kind != types.Decimal || e.Name != "*" && a.Type.Scale != e.Type.Scale {
			return nil
		}
		scale += int(a.Type.Scale)
	}
	switch {
	case e.Name == "*" && scale != int(e.Type.Scale):
		return nil
	case e.Name == "+" || e.Name == "-" || e.Name == "*":
		return wideKernel(e)
	case (e.Name == "abs" || e.Name == "@") && len(e.Args) == 1:
		return wideKernel(e)
	}
	return nil
}

func wideOp(t types.Type, name string, f func(p, q zset.Int128) (zset.Int128, bool)) apply {
	in := boundsOf(t)
	overflow := types.Errorf(types.DataError, "overflow in %s of %s", name, t)
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		v := x.vec(t, x.n)
		v.Valid = x.valid(a, b)
		for i := range v.W {
			r, ok := f(a.W[a.at(i)], b.W[b.at(i)])
			if (!ok || !in.has(r)) && isSet(v.Valid, i) {
				x.fail(i, overflow)
			}
			v.W[i] = r
		}
		return operand{v, false}
	}
}

func wideMap(t types.Type, name string, f func(zset.Int128) (zset.Int128, bool)) apply {
	in := boundsOf(t)
	overflow := types.Errorf(types.DataError, "overflow in %s of %s", name, t)
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = args[0].Valid
		for i, p := range args[0].W[:x.n] {
			r, ok := f(p)
			if (!ok || !in.has(r)) && isSet(v.Valid, i) {
				x.fail(i, overflow)
			}
			v.W[i] = r
		}
		return operand{v, false}
	}
}

func add128(p, q zset.Int128) (zset.Int128, bool) {
	lo, carry := bits.Add64(p.LowBits(), q.LowBits(), 0)
	hi, _ := bits.Add64(uint64(p.HighBits()), uint64(q.HighBits()), carry)
	r := int64(hi)
	return decimal128.New(r, lo), (r^p.HighBits())&(r^q.HighBits()) >= 0
}

func sub128(p, q zset.Int128) (zset.Int128, bool) {
	lo, borrow := bits.Sub64(p.LowBits(), q.LowBits(), 0)
	hi, _ := bits.Sub64(uint64(p.HighBits()), uint64(q.HighBits()), borrow)
	r := int64(hi)
	return decimal128.New(r, lo), (p.HighBits()^q.HighBits())&(r^p.HighBits()) >= 0
}

func mul128(p, q zset.Int128) (zset.Int128, bool) {
	if small(p) && small(q) {
		a, b := int64(p.LowBits()), int64(q.LowBits())
		h, l := bits.Mul64(uint64(a), uint64(b))
		return decimal128.New(int64(h)-(a>>63)&b-(b>>63)&a, l), true
	}
	a, an := magnitude(p)
	b, bn := magnitude(q)
	h, l, over := mulUnsigned(a, b)
	return signed(h, l, an != bn, over)
}

// small reports whether v fits 64 bits.
func small(v zset.Int128) bool { return v.HighBits() == int64(v.LowBits())>>63 }

// magnitude returns |v| as high and low halves; that of the least value is 2^127.
func magnitude(v zset.Int128) (m [2]uint64, negative bool) {
	if v.HighBits() < 0 {
		lo, borrow := bits.Sub64(0, v.LowBits(), 0)
		hi, _ := bits.Sub64(0, uint64(v.HighBits()), borrow)
		return [2]uint64{hi, lo}, true
	}
	return [2]uint64{uint64(v.HighBits()), v.LowBits()}, false
}

func mulUnsigned(a, b [2]uint64) (hi, lo uint64, over bool) {
	h, l := bits.Mul64(a[1], b[1])
	h1, l1 := bits.Mul64(a[0], b[1])
	h2, l2 := bits.Mul64(a[1], b[0])
	s, c1 := bits.Add64(h, l1, 0)
	s, c2 := bits.Add64(s, l2, 0)
	return s, l, h1|h2|c1|c2 != 0 || a[0] != 0 && b[0] != 0
}

func signed(hi, lo uint64, negative, over bool) (zset.Int128, bool) {
	if !negative {
		return decimal128.New(int64(hi), lo), !over && hi>>63 == 0
	}
	l, borrow := bits.Sub64(0, lo, 0)
	h, _ := bits.Sub64(0, hi, borrow)
	return decimal128.New(int64(h), l), !over && (hi < 1<<63 || hi == 1<<63 && lo == 0)
}
