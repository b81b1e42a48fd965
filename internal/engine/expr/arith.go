package expr

import (
	"math"
	"math/bits"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// span is the least and greatest value of an integer type that is held in 64 bits.
func span(k types.Kind) (lo, hi int64) {
	switch k {
	case types.TinyInt:
		return math.MinInt8, math.MaxInt8
	case types.SmallInt:
		return math.MinInt16, math.MaxInt16
	case types.Integer:
		return math.MinInt32, math.MaxInt32
	case types.UTinyInt:
		return 0, math.MaxUint8
	case types.USmallInt:
		return 0, math.MaxUint16
	case types.UInteger:
		return 0, math.MaxUint32
	}
	return math.MinInt64, math.MaxInt64
}

// smallInt reports whether the type is an integer held in 64 bits.
func smallInt(t types.Type) bool { return t.Kind.IsInteger() && zset.PhysOf(t) == zset.Int64 }

func floating(t types.Type) bool { return t.Kind == types.Double || t.Kind == types.Float }

// sameArgs reports whether all operands have the type t.
func sameArgs(e *plan.Expr, t types.Type) bool {
	for _, a := range e.Args {
		if !a.Type.Equal(t) {
			return false
		}
	}
	return true
}

// arithKernel is that of + - * / // % and unary minus on numbers.
func arithKernel(e *plan.Expr) kernel {
	t := e.Type
	switch {
	case t.Kind == types.Decimal:
		return decimalKernel(e)
	case !sameArgs(e, t):
		return nil
	case smallInt(t):
		return intKernel(e)
	case floating(t):
		return floatKernel(e)
	case t.Kind == types.HugeInt || t.Kind == types.UBigInt:
		return wideKernel(e)
	}
	return nil
}

func intKernel(e *plan.Expr) kernel {
	k := e.Type.Kind
	if len(e.Args) == 1 {
		switch e.Name {
		case "-":
			return eager(subtractFromZero(k))
		case "+":
			return func(args []node) node { return args[0] }
		case "abs", "@":
			return eager(absInts(k))
		}
		return nil
	}
	switch e.Name {
	case "+":
		return eager(intOp(k, "addition", addInts, addConst, nil))
	case "-":
		return eager(intOp(k, "subtraction", subInts, subConst, subFrom))
	case "*":
		return eager(intOp(k, "multiplication", mulInts, mulConst, nil))
	case "//":
		return eager(divide(k, true))
	case "%", "mod":
		return eager(divide(k, false))
	}
	return nil
}

// loop computes dst[i] from a[i] and b[i], all of one length, and returns a negative number if some row may have left 64 bits.
type (
	loop      func(dst, a, b []int64) int64
	loopConst func(dst, a []int64, c int64) int64
)

// intOp is a binary operation: vv on two columns, vc on a column and a value, cv on a value and a column (nil where vc serves).
func intOp(k types.Kind, name string, vv loop, vc, cv loopConst) apply {
	lo, hi := span(k)
	overflow := types.Errorf(types.DataError, "overflow in %s of %s", name, k)
	t := types.Of(k)
	if cv == nil {
		cv = vc
	}
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		v := x.vec(t, x.n)
		v.Valid = x.valid(a, b)
		var bad int64
		switch {
		case x.n == 1 || !a.one && !b.one:
			bad = vv(v.I64, a.I64, b.I64)
		case b.one:
			bad = vc(v.I64, a.I64, b.I64[0])
		default:
			bad = cv(v.I64, b.I64, a.I64[0])
		}
		if bad|outside(v.I64, lo, hi) < 0 {
			var r [1]int64
			for i := range v.I64 {
				if isSet(v.Valid, i) && vv(r[:], a.I64[a.at(i):], b.I64[b.at(i):])|outside(r[:], lo, hi) < 0 {
					x.fail(i, overflow)
				}
			}
		}
		return operand{v, false}
	}
}

// outside is negative if a value is out of [lo, hi].
func outside(v []int64, lo, hi int64) (bad int64) {
	if lo == math.MinInt64 {
		return 0
	}
	for _, r := range v {
		bad |= (r - lo) | (hi - r)
	}
	return bad
}

func addInts(dst, a, b []int64) (bad int64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		p, q := a[i], b[i]
		r := p + q
		bad |= (r ^ p) & (r ^ q)
		dst[i] = r
	}
	return bad
}

func addConst(dst, a []int64, c int64) (bad int64) {
	a = a[:len(dst)]
	for i := range dst {
		p := a[i]
		r := p + c
		bad |= (r ^ p) & (r ^ c)
		dst[i] = r
	}
	return bad
}

func subInts(dst, a, b []int64) (bad int64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		p, q := a[i], b[i]
		r := p - q
		bad |= (p ^ q) & (r ^ p)
		dst[i] = r
	}
	return bad
}

func subConst(dst, a []int64, c int64) (bad int64) {
	a = a[:len(dst)]
	for i := range dst {
		p := a[i]
		r := p - c
		bad |= (p ^ c) & (r ^ p)
		dst[i] = r
	}
	return bad
}

func subFrom(dst, b []int64, c int64) (bad int64) {
	b = b[:len(dst)]
	for i := range dst {
		q := b[i]
		r := c - q
		bad |= (c ^ q) & (r ^ c)
		dst[i] = r
	}
	return bad
}

func mulInts(dst, a, b []int64) (bad int64) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		r, over := mul64(a[i], b[i])
		bad |= over
		dst[i] = r
	}
	return bad
}

func mulConst(dst, a []int64, c int64) (bad int64) {
	a = a[:len(dst)]
	for i := range dst {
		r, over := mul64(a[i], c)
		bad |= over
		dst[i] = r
	}
	return bad
}

// mul64 returns the low half of p*q, and -1 if the product doesn't fit.
func mul64(p, q int64) (r, over int64) {
	h, l := bits.Mul64(uint64(p), uint64(q))
	high := int64(h) - (p>>63)&q - (q>>63)&p // signed high half
	r = int64(l)
	if high != r>>63 {
		over = -1
	}
	return r, over
}

// divide is // (quotient) and %: by zero gives NULL; the quotient is cut towards zero.
func divide(k types.Kind, quotient bool) apply {
	lo, _ := span(k)
	overflow := types.Errorf(types.DataError, "overflow in division of %s", k)
	t := types.Of(k)
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		v := x.vec(t, x.n)
		v.Valid = slices.Clone(x.valid(a, b))
		for i := range v.I64 {
			p, q := a.I64[a.at(i)], b.I64[b.at(i)]
			switch {
			case q == 0:
				x.setNull(v, i)
			case q == -1 && p == lo:
				v.I64[i] = 0
				if isSet(v.Valid, i) {
					x.fail(i, overflow)
				}
			case quotient:
				v.I64[i] = p / q
			default:
				v.I64[i] = p % q
			}
		}
		return operand{v, false}
	}
}

// subtractFromZero is unary minus. That of unsigned types wraps around, as in DuckDB.
func subtractFromZero(k types.Kind) apply {
	if lo, hi := span(k); lo == 0 {
		return func(x *exec, args []operand) operand {
			v := x.vec(types.Of(k), x.n)
			v.Valid = args[0].Valid
			for i, p := range args[0].I64[:x.n] {
				v.I64[i] = -p & hi
			}
			return operand{v, false}
		}
	}
	f := intOp(k, "negation", subInts, subConst, subFrom)
	zero := operand{one(types.Of(k), func(v *zset.Vec) { v.I64 = []int64{0} }), true}
	return func(x *exec, args []operand) operand { return f(x, []operand{zero, args[0]}) }
}

func absInts(k types.Kind) apply {
	lo, _ := span(k)
	overflow := types.Errorf(types.DataError, "overflow in abs of %s", k)
	t := types.Of(k)
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = args[0].Valid
		for i, p := range args[0].I64[:x.n] {
			if p < 0 {
				if p == lo && isSet(v.Valid, i) {
					x.fail(i, overflow)
				}
				p = -p
			}
			v.I64[i] = p
		}
		return operand{v, false}
	}
}
