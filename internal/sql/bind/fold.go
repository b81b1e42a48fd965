package bind

import (
	"math"
	"math/big"
	"strconv"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// DuckDB's bound plan is not folded: INTERVAL '10' SECOND is to_seconds(CAST('10' AS DOUBLE)). fold computes what later stages must see
// as constants: casts of literals, signs, and the functions that make intervals. What it doesn't know stays as it is and
// is computed with each row; so does what would fail.

func fold(e *plan.Expr) *plan.Expr {
	for _, a := range e.Args {
		if a.Kind != plan.Const {
			return e
		}
	}
	var v any
	ok := false
	switch {
	case e.Kind == plan.Cast:
		v, ok = foldCast(e.Args[0], e.Type)
	case e.Kind == plan.Call && len(e.Args) == 1:
		v, ok = foldUnary(e.Name, e.Args[0], e.Type)
	case e.Kind == plan.Call && len(e.Args) == 2 && e.Type.Kind == types.Interval:
		v, ok = foldIntervals(e.Name, e.Args[0].Value, e.Args[1].Value)
	}
	if !ok && e.Kind == plan.Call && len(e.Args) == 2 && e.Type.Kind.IsInteger() {
		v, ok = foldArithmetic(e)
	}
	if !ok {
		return e
	}
	return &plan.Expr{Kind: plan.Const, Type: e.Type, Value: v, Place: e.Place}
}

func foldCast(from *plan.Expr, to types.Type) (any, bool) {
	switch v := from.Value.(type) {
	case nil:
		return nil, true
	case string:
		if from.Type.Kind == types.Varchar {
			return parseText(v, to)
		}
	case float64:
		switch {
		case to.Kind == types.Double && from.Type.Kind == types.Double:
			return v, true
		case to.Kind.IsInteger() && v == math.Trunc(v) && math.Abs(v) < 1<<53:
			return fromInteger(big.NewInt(int64(v)), 0, to)
		}
	case int64:
		if from.Type.Kind.IsInteger() {
			return fromInteger(big.NewInt(v), 0, to)
		}
		return fromTime(v, from.Type.Kind, to.Kind)
	case *big.Int:
		return fromInteger(v, from.Type.Scale, to)
	}
	return nil, false
}

const dayMicros = 24 * 60 * 60 * 1_000_000

func fromTime(v int64, from, to types.Kind) (any, bool) {
	switch {
	case from == to, from.IsTime() && to.IsTime():
		return v, true
	case from == types.Date && to.IsTime() && v > -1<<24 && v < 1<<24:
		return v * dayMicros, true
	}
	return nil, false
}

// integerBits are the widths of the integers that a constant holds as int64: bits of the value, and whether it has a sign.
var integerBits = map[types.Kind]struct {
	bits   uint
	signed bool
}{
	types.TinyInt: {7, true}, types.SmallInt: {15, true}, types.Integer: {31, true}, types.BigInt: {63, true}, types.HugeInt: {127, true},
	types.UTinyInt: {8, false}, types.USmallInt: {16, false}, types.UInteger: {32, false}, types.UBigInt: {64, false},
}

// fromInteger converts v / 10^scale.
func fromInteger(v *big.Int, scale uint8, to types.Type) (any, bool) {
	if b, ok := integerBits[to.Kind]; ok {
		return toInteger(v, scale, to.Kind, b.bits, b.signed)
	}
	switch to.Kind {
	case types.Decimal:
		if to.Scale < scale {
			return nil, false
		}
		n := new(big.Int).Mul(v, power(to.Scale-scale))
		return n, n.CmpAbs(power(to.Precision)) < 0
	case types.Double:
		// Exact operands make the quotient the nearest double, as DuckDB's.
		if !v.IsInt64() || v.Int64() > 1<<53 || v.Int64() < -1<<53 || scale > 22 {
			return nil, false
		}
		return float64(v.Int64()) / math.Pow10(int(scale)), true
	}
	return nil, false
}

func toInteger(v *big.Int, scale uint8, to types.Kind, bits uint, signed bool) (any, bool) {
	if scale > 0 || !signed && v.Sign() < 0 {
		return nil, false
	}
	limit := new(big.Int).Lsh(big.NewInt(1), bits)
	if v.Cmp(limit) >= 0 || signed && v.Cmp(new(big.Int).Neg(limit)) < 0 {
		return nil, false
	}
	if to == types.HugeInt || to == types.UBigInt {
		return v, true
	}
	return v.Int64(), true
}

func power(n uint8) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// unitMicros are the functions that make intervals of a fixed number of µs.
var unitMicros = map[string]int64{
	"to_microseconds": 1, "to_milliseconds": 1000, "to_seconds": 1_000_000, "to_minutes": 60_000_000, "to_hours": 3_600_000_000,
}

// unitDays and unitMonths are those of days and months.
var (
	unitDays   = map[string]int64{"to_days": 1, "to_weeks": 7}
	unitMonths = map[string]int64{"to_months": 1, "to_quarters": 3, "to_years": 12, "to_decades": 120, "to_centuries": 1200}
)

func foldUnary(name string, arg *plan.Expr, t types.Type) (any, bool) {
	switch v := arg.Value.(type) {
	case nil:
		return nil, t.Kind == types.Interval || name == "-"
	case float64:
		if name == "trunc" {
			return math.Trunc(v), true
		}
		if name == "-" {
			return -v, true
		}
		if u, ok := unitMicros[name]; ok {
			return scaleInterval(v, u)
		}
	case *big.Int:
		if name == "-" && t.Kind == types.Decimal {
			return new(big.Int).Neg(v), true
		}
	case int64:
		return foldInteger(name, v, t)
	case plan.Interval:
		if name == "-" && smallInterval(v) {
			return plan.Interval{Months: -v.Months, Days: -v.Days, Micros: -v.Micros}, true
		}
	}
	return nil, false
}

// scaleInterval is exact for the fractions that people write: DuckDB rounds the product.
func scaleInterval(v float64, unit int64) (any, bool) {
	us := v * float64(unit)
	if math.Abs(us) >= 1<<53 || us != math.Trunc(us) {
		return nil, false
	}
	return plan.Interval{Micros: int64(us)}, true
}

func foldInteger(name string, v int64, t types.Type) (any, bool) {
	if name == "-" && t.Kind.IsInteger() {
		return toInteger(new(big.Int).Neg(big.NewInt(v)), 0, t.Kind, integerBits[t.Kind].bits, integerBits[t.Kind].signed)
	}
	if v > 1<<31-1 || v < -1<<31 {
		return nil, false
	}
	if u, ok := unitMicros[name]; ok {
		return plan.Interval{Micros: v * u}, true
	}
	fits := func(n int64) bool { return n >= math.MinInt32 && n <= math.MaxInt32 }
	if u, ok := unitDays[name]; ok && fits(v*u) {
		return plan.Interval{Days: int32(v * u)}, true
	}
	if u, ok := unitMonths[name]; ok && fits(v*u) {
		return plan.Interval{Months: int32(v * u)}, true
	}
	return nil, false
}

// foldArithmetic computes with integers of one type; what overflows is left to the row.
func foldArithmetic(e *plan.Expr) (any, bool) {
	a, ok := e.Args[0].Value.(int64)
	b, ok2 := e.Args[1].Value.(int64)
	if !ok || !ok2 || e.Args[0].Type.Kind != e.Type.Kind || e.Args[1].Type.Kind != e.Type.Kind {
		return nil, false
	}
	x, y := big.NewInt(a), big.NewInt(b)
	switch e.Name {
	case "+":
		x.Add(x, y)
	case "-":
		x.Sub(x, y)
	case "*":
		x.Mul(x, y)
	default:
		return nil, false
	}
	w := integerBits[e.Type.Kind]
	return toInteger(x, 0, e.Type.Kind, w.bits, w.signed)
}

// foldIntervals adds, subtracts and multiplies, where no part is near its limits.
func foldIntervals(op string, a, b any) (any, bool) {
	if n, ok := a.(int64); ok && op == "*" {
		a, b = b, n
	}
	x, ok := a.(plan.Interval)
	if !ok || !smallInterval(x) {
		return nil, false
	}
	switch y := b.(type) {
	case plan.Interval:
		if !smallInterval(y) {
			return nil, false
		}
		switch op {
		case "+":
			return plan.Interval{Months: x.Months + y.Months, Days: x.Days + y.Days, Micros: x.Micros + y.Micros}, true
		case "-":
			return plan.Interval{Months: x.Months - y.Months, Days: x.Days - y.Days, Micros: x.Micros - y.Micros}, true
		}
	case int64:
		if op == "*" && y > -1000 && y < 1000 {
			return plan.Interval{Months: x.Months * int32(y), Days: x.Days * int32(y), Micros: x.Micros * y}, true
		}
	}
	return nil, false
}

func smallInterval(i plan.Interval) bool {
	const limit = 1 << 20
	return i.Months > -limit && i.Months < limit && i.Days > -limit && i.Days < limit && i.Micros > -1<<52 && i.Micros < 1<<52
}

// parseText reads a literal in the forms that have one reading only; others are left to the cast.
func parseText(s string, to types.Type) (any, bool) {
	switch k := to.Kind; {
	case k == types.Varchar:
		return s, true
	case k == types.Boolean:
		return s == "t" || s == "true", s == "t" || s == "f" || s == "true" || s == "false"
	case k.IsInteger():
		if n, ok := digits(s); ok {
			return fromInteger(n, 0, to)
		}
	case k == types.Double:
		return parseDouble(s)
	case k == types.Date, k == types.Timestamp, k == types.TimestampTZ:
		return parseTime(s, k)
	case k == types.Interval:
		return parseInterval(s)
	}
	return nil, false
}

// digits reads an optional minus and digits alone.
func digits(s string) (*big.Int, bool) {
	for i, c := range []byte(s) {
		if (c < '0' || c > '9') && (i > 0 || c != '-') {
			return nil, false
		}
	}
	return new(big.Int).SetString(s, 10)
}

func parseDouble(s string) (any, bool) {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '-' && c != '.' {
			return nil, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}
