package expr

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// castKernel is a Cast node's; nil where DuckDB must do it.
func castKernel(e *plan.Expr) kernel {
	from, to := e.Args[0].Type, e.Type
	if from.Equal(to) {
		return func(args []node) node { return args[0] }
	}
	if from.Kind.IsNested() || to.Kind.IsNested() || e.Try && failsInTry(from.Kind, to.Kind) {
		return nil
	}
	if f := castOf(from, to); f != nil {
		return eager(f(caster{to, e.Try, types.Errorf(types.DataError, "a value of type %s is out of range for %s", from, to)}))
	}
	return nil
}

// failsInTry reports whether DuckDB's TRY_CAST can fail, for infinite and far times.
func failsInTry(from, to types.Kind) bool {
	return from == types.Date && to == types.TimestampTZ || from.IsTime() && to == types.Time
}

// caster is where the values of a cast go, and what becomes of those that don't fit.
type caster struct {
	to     types.Type
	try    bool
	reason *types.Error
}

// refuse marks row i as one that doesn't fit. v.Valid must be the cast's own.
func (c caster) refuse(x *exec, v *zset.Vec, i int) {
	switch {
	case !isSet(v.Valid, i):
	case c.try:
		x.setNull(v, i)
	default:
		x.fail(i, c.reason)
	}
}

// result makes the column of a cast.
func (c caster) result(x *exec, from operand) *zset.Vec {
	v := x.vec(c.to, x.n)
	v.Valid = from.Valid
	if c.try {
		v.Valid = slices.Clone(v.Valid)
	}
	return v
}

type castMaker func(caster) apply

func castOf(from, to types.Type) castMaker {
	switch f, t := from.Kind, to.Kind; {
	case (smallInt(from) || f == types.Boolean) && smallInt(to):
		return castInts
	case (smallInt(from) || f == types.Boolean) && floating(to):
		return castIntToFloat
	case f.IsNumeric() && t == types.Boolean:
		return castToBool(from)
	case floating(from) && floating(to):
		return castFloats
	case floating(from) && smallInt(to):
		return castFloatToInt
	case t == types.Varchar:
		return castToText(from)
	case zset.PhysOf(to) == zset.Wide && (smallInt(from) || f == types.Boolean || zset.PhysOf(from) == zset.Wide):
		return castToWide(from)
	case zset.PhysOf(from) == zset.Wide && smallInt(to):
		return castWideToInt(from)
	case zset.PhysOf(from) == zset.Wide && t == types.Double:
		return castWideToDouble(from)
	case f == types.Double && t == types.Decimal && to.Precision <= 18:
		return castDoubleToDecimal
	}
	return castTime(from.Kind, to.Kind)
}

// castTime casts among DATE, TIME and timestamps; the time zone is UTC.
func castTime(from, to types.Kind) castMaker {
	switch {
	case from.IsTime() && to.IsTime():
		return same
	case from == types.Date && to.IsTime():
		return castDateToTimestamp
	case from.IsTime() && to == types.Date:
		return castTimestampToDate
	case from == types.Timestamp && to == types.Time:
		return castTimestampToTime
	}
	return nil
}

func castDateToTimestamp(c caster) apply {
	const last = math.MaxInt64 / microsPerDay
	return func(x *exec, args []operand) operand {
		v := c.result(x, args[0])
		for i, p := range args[0].I64[:x.n] {
			switch {
			case p == infiniteDay:
				v.I64[i] = infiniteMicros
			case p == -infiniteDay:
				v.I64[i] = -infiniteMicros
			case p > last || p < -last:
				v.I64[i] = 0
				c.refuse(x, v, i)
			default:
				v.I64[i] = p * microsPerDay
			}
		}
		return operand{v, false}
	}
}

func castTimestampToDate(c caster) apply {
	return func(x *exec, args []operand) operand {
		v := c.result(x, args[0])
		for i, p := range args[0].I64[:x.n] {
			switch p {
			case infiniteMicros:
				v.I64[i] = infiniteDay
			case -infiniteMicros:
				v.I64[i] = -infiniteDay
			default:
				v.I64[i] = floorDiv(p, microsPerDay)
			}
		}
		return operand{v, false}
	}
}

func castTimestampToTime(c caster) apply {
	return func(x *exec, args []operand) operand {
		v := c.result(x, args[0])
		for i, p := range args[0].I64[:x.n] {
			v.I64[i] = p - floorDiv(p, microsPerDay)*microsPerDay
			if p == infiniteMicros || p == -infiniteMicros {
				c.refuse(x, v, i)
			}
		}
		return operand{v, false}
	}
}

func same(c caster) apply {
	return func(_ *exec, args []operand) operand { return operand{retyped(args[0].Vec, c.to), args[0].one} }
}

func castInts(c caster) apply {
	lo, hi := span(c.to.Kind)
	return func(x *exec, args []operand) operand {
		src := args[0].I64[:x.n]
		if outside(src, lo, hi) >= 0 {
			return same(c)(x, args)
		}
		v := c.result(x, args[0])
		for i, p := range src {
			if p < lo || p > hi {
				c.refuse(x, v, i)
			}
			v.I64[i] = p
		}
		return operand{v, false}
	}
}

func castIntToFloat(c caster) apply {
	return func(x *exec, args []operand) operand {
		v := c.result(x, args[0])
		for i, p := range args[0].I64[:x.n] {
			v.F64[i] = float64(p)
		}
		if c.to.Kind == types.Float {
			for i, p := range args[0].I64[:x.n] {
				v.F64[i] = float64(float32(p))
			}
		}
		return operand{v, false}
	}
}

func castToBool(from types.Type) castMaker {
	return func(c caster) apply {
		return func(x *exec, args []operand) operand {
			v := c.result(x, args[0])
			a := args[0]
			switch zset.PhysOf(from) {
			case zset.Int64:
				compareConst(v.I64, ne, a.I64, 0)
			case zset.Float64:
				for i := range v.I64 {
					v.I64[i] = truth(a.F64[i] != 0)
				}
			default:
				for i := range v.I64 {
					v.I64[i] = truth(a.W[i] != decimal128.Num{})
				}
			}
			return operand{v, false}
		}
	}
}

func castFloats(c caster) apply {
	return func(x *exec, args []operand) operand {
		if c.to.Kind == types.Double {
			return same(c)(x, args)
		}
		v := c.result(x, args[0])
		for i, p := range args[0].F64[:x.n] {
			v.F64[i] = float64(float32(p))
			if math.IsInf(v.F64[i], 0) && !math.IsInf(p, 0) {
				c.refuse(x, v, i)
			}
		}
		return operand{v, false}
	}
}

// castFloatToInt rounds to the nearest, ties to even. (127.5::TINYINT and the like, which DuckDB lets wrap around, are out of range.)
func castFloatToInt(c caster) apply {
	lo, hi := span(c.to.Kind)
	least, beyond := float64(lo), float64(hi)+1 // exact, or 2^63
	return func(x *exec, args []operand) operand {
		v := c.result(x, args[0])
		for i, p := range args[0].F64[:x.n] {
			r := math.RoundToEven(p)
			if r >= least && r < beyond && (lo < 0 || p >= 0) {
				v.I64[i] = int64(r)
				continue
			}
			v.I64[i] = 0
			c.refuse(x, v, i)
		}
		return operand{v, false}
	}
}
