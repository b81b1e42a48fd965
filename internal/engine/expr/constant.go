package expr

import (
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Constant returns the value of row i of a column as an expression; false for nested ones.
func Constant(v *zset.Vec, i int) (*plan.Expr, bool) {
	if v.Type.Kind.IsNested() {
		return nil, false
	}
	if v.Null(i) {
		return plan.Lit(nil, v.Type), true
	}
	switch zset.PhysOf(v.Type) {
	case zset.Float64:
		return plan.Lit(v.F64[i], v.Type), true
	case zset.Wide:
		return plan.Lit(v.W[i].BigInt(), v.Type), true
	case zset.Bytes:
		b := v.Bytes(i)
		switch v.Type.Kind {
		case types.Interval:
			x := v.Interval(i)
			return plan.Lit(plan.Interval{Months: x.Months, Days: x.Days, Micros: x.Micros}, v.Type), true
		case types.Varchar, types.JSON:
			return plan.Lit(string(b), v.Type), true
		}
		return plan.Lit(append([]byte(nil), b...), v.Type), true
	}
	if v.Type.Kind == types.Boolean {
		return plan.Lit(v.I64[i] != 0, v.Type), true
	}
	return plan.Lit(v.I64[i], v.Type), true
}
