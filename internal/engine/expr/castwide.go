package expr

import (
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// castToWide casts integers, BOOLEAN and the wide types to UBIGINT, HUGEINT and DECIMAL.
func castToWide(from types.Type) castMaker {
	return func(c caster) apply {
		up, down := 0, 0
		if d := int(c.to.Scale) - int(from.Scale); d >= 0 {
			up = d
		} else {
			down = -d
		}
		scale := scaler(up, down)
		in := boundsOf(c.to)
		small := zset.PhysOf(from) == zset.Int64
		return func(x *exec, args []operand) operand {
			v := c.result(x, args[0])
			for i := range v.W {
				var p zset.Int128
				if small {
					p = decimal128.FromI64(args[0].I64[i])
				} else {
					p = args[0].W[i]
				}
				r, ok := scale(p)
				if !ok || !in.has(r) {
					c.refuse(x, v, i)
				}
				v.W[i] = r
			}
			return operand{v, false}
		}
	}
}

// scaler multiplies by 10^up, or divides by 10^down rounding halves away from zero.
func scaler(up, down int) func(zset.Int128) (zset.Int128, bool) {
	switch {
	case up > 0:
		factor := wideOf(pow10(up))
		return func(p zset.Int128) (zset.Int128, bool) { return mul128(p, factor) }
	case down > 0:
		return divider(down)
	}
	return func(p zset.Int128) (zset.Int128, bool) { return p, true }
}

func divider(digits int) func(zset.Int128) (zset.Int128, bool) {
	factor := wideOf(pow10(digits))
	if small(factor) {
		f := int64(factor.LowBits())
		return func(p zset.Int128) (zset.Int128, bool) {
			if small(p) {
				return decimal128.FromI64(roundDiv(int64(p.LowBits()), f)), true
			}
			return bigRoundDiv(p, factor), true
		}
	}
	return func(p zset.Int128) (zset.Int128, bool) { return bigRoundDiv(p, factor), true }
}

// roundDiv is p/f with halves away from zero; f is even and positive.
func roundDiv(p, f int64) int64 {
	q, r := p/f, p%f
	switch half := f / 2; {
	case r >= half:
		q++
	case r <= -half:
		q--
	}
	return q
}

func bigRoundDiv(p, factor zset.Int128) zset.Int128 {
	f := factor.BigInt()
	q, r := new(big.Int).QuoRem(p.BigInt(), f, new(big.Int))
	if new(big.Int).Lsh(new(big.Int).Abs(r), 1).Cmp(f) >= 0 {
		q.Add(q, big.NewInt(int64(r.Sign())))
	}
	return wideOf(q)
}

// castWideToInt casts the wide types to integers of at most 64 bits.
func castWideToInt(from types.Type) castMaker {
	scale := scaler(0, int(from.Scale))
	return func(c caster) apply {
		in := boundsOf(c.to)
		return func(x *exec, args []operand) operand {
			v := c.result(x, args[0])
			for i, p := range args[0].W[:x.n] {
				r, _ := scale(p)
				if !in.has(r) {
					c.refuse(x, v, i)
				}
				v.I64[i] = int64(r.LowBits())
			}
			return operand{v, false}
		}
	}
}

// castWideToDouble follows DuckDB's steps, so that the last bit is the same.
func castWideToDouble(from types.Type) castMaker {
	factor := math.Pow10(int(from.Scale))
	wideFactor := wideOf(pow10(int(from.Scale)))
	return func(c caster) apply {
		return func(x *exec, args []operand) operand {
			v := c.result(x, args[0])
			for i, p := range args[0].W[:x.n] {
				switch {
				case from.Kind == types.UBigInt:
					v.F64[i] = float64(p.LowBits())
				case small(p) && int64(p.LowBits()) >= -1<<53 && int64(p.LowBits()) <= 1<<53:
					v.F64[i] = float64(int64(p.LowBits())) / factor
				case from.Scale == 0:
					v.F64[i] = doubleOf(p)
				default:
					q, r := p.Div(wideFactor)
					v.F64[i] = doubleOf(q) + doubleOf(r)/factor
				}
			}
			if c.to.Kind == types.Float {
				single(v.F64)
			}
			return operand{v, false}
		}
	}
}

// doubleOf adds the halves, as DuckDB does.
func doubleOf(p zset.Int128) float64 {
	if p.HighBits() == -1 {
		return -float64(math.MaxUint64-p.LowBits()) - 1
	}
	return float64(p.LowBits()) + float64(p.HighBits())*18446744073709551616
}

// castDoubleToDecimal is for DECIMALs of at most 18 digits.
func castDoubleToDecimal(c caster) apply {
	factor, limit := math.Pow10(int(c.to.Scale)), math.Pow10(int(c.to.Precision))
	return func(x *exec, args []operand) operand {
		v := c.result(x, args[0])
		for i, p := range args[0].F64[:x.n] {
			r := p * factor
			if r > 0 {
				r += 1e-9 // DuckDB's mend of products such as 1.005*1000
			} else if r < 0 {
				r -= 1e-9
			}
			if !(r > -limit && r < limit) {
				v.W[i] = zset.Int128{}
				c.refuse(x, v, i)
				continue
			}
			v.W[i] = decimal128.FromI64(int64(math.Round(r)))
		}
		return operand{v, false}
	}
}
