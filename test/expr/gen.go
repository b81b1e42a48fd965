package expr

import (
	"math/rand/v2"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// generator draws typed expressions as DuckDB's binder would give them.
type generator struct {
	r *rand.Rand
	// safe is above zero where a failing expression must not be: in AND, OR and IN, which differ from DuckDB's there.
	safe int
}

func (g *generator) pick(ts ...types.Type) types.Type { return ts[g.r.IntN(len(ts))] }

func (g *generator) any() types.Type { return scalars[g.r.IntN(len(scalars))] }

func (g *generator) leaf(t types.Type) *plan.Expr {
	if g.r.IntN(4) > 0 {
		for i, s := range scalars {
			if s.Equal(t) {
				return plan.Col(i, t)
			}
		}
	}
	return plan.Lit(value(g.r, t), t)
}

// expr draws an expression of type t.
func (g *generator) expr(t types.Type, depth int) *plan.Expr {
	if depth <= 0 {
		return g.leaf(t)
	}
	for range 4 {
		if e := g.compound(t, depth-1); e != nil {
			return e
		}
	}
	return g.leaf(t)
}

func call(name string, t types.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: plan.Call, Name: name, Type: t, Args: args, Place: -1}
}

func of(kind plan.ExprKind, t types.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: kind, Type: t, Args: args, Place: -1}
}

func (g *generator) compound(t types.Type, d int) *plan.Expr {
	switch g.r.IntN(10) {
	case 0:
		return of(plan.Coalesce, t, g.expr(t, d), g.expr(t, d), g.leaf(t))
	case 1:
		return of(plan.Case, t, g.boolean(d), g.expr(t, d), g.boolean(d), g.expr(t, d), g.leaf(t))
	case 2:
		if t.Kind == types.Blob || t.Kind == types.UUID || t.Kind == types.Boolean {
			return nil
		}
		return call([]string{"greatest", "least"}[g.r.IntN(2)], t, g.expr(t, d), g.expr(t, d))
	case 3, 4:
		return g.cast(t, d)
	}
	switch {
	case t.Kind == types.Boolean:
		return g.boolean(d)
	case t.Kind.IsNumeric():
		return g.numeric(t, d)
	case t.Kind == types.Varchar:
		return g.text(d)
	}
	return g.time(t, d)
}

var boolean = types.Of(types.Boolean)

func (g *generator) boolean(d int) *plan.Expr {
	switch g.r.IntN(8) {
	case 0, 1, 2:
		t := g.any()
		names := []string{"=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"}
		e := of(plan.Compare, boolean, g.expr(t, d), g.expr(t, d))
		e.Name = names[g.r.IntN(len(names))]
		return e
	case 3:
		g.safe++
		defer func() { g.safe-- }()
		return of([]plan.ExprKind{plan.And, plan.Or}[g.r.IntN(2)], boolean, g.expr(boolean, d), g.expr(boolean, d), g.leaf(boolean))
	case 4:
		return of(plan.Not, boolean, g.expr(boolean, d))
	case 5:
		return of([]plan.ExprKind{plan.IsNull, plan.IsNotNull}[g.r.IntN(2)], boolean, g.expr(g.any(), d))
	case 6:
		g.safe++
		defer func() { g.safe-- }()
		t := g.any()
		args := []*plan.Expr{g.expr(t, d)}
		for range 1 + g.r.IntN(6) {
			if g.r.IntN(3) == 0 {
				args = append(args, g.expr(t, d))
			} else {
				args = append(args, plan.Lit(value(g.r, t), t))
			}
		}
		return of(plan.In, boolean, args...)
	}
	return g.textTest(d)
}

func (g *generator) numeric(t types.Type, d int) *plan.Expr {
	if t.Kind == types.BigInt && g.r.IntN(2) == 0 {
		return g.part(d)
	}
	if t.Kind == types.Decimal {
		return g.decimal(t, d)
	}
	if g.safe > 0 && t.Kind != types.Double && t.Kind != types.Float {
		return nil
	}
	if t.Kind == types.Double && g.r.IntN(5) == 0 {
		return call("epoch", t, g.expr(g.pick(timestamp, date, zoned), d))
	}
	if t.Kind == types.Double || t.Kind == types.Float {
		names := []string{"+", "-", "*", "/", "%"}
		switch g.r.IntN(8) {
		case 0:
			return call("-", t, g.expr(t, d))
		case 1:
			return call("abs", t, g.expr(t, d))
		case 2:
			return call([]string{"floor", "ceil", "round"}[g.r.IntN(3)], t, g.expr(t, d))
		}
		return call(names[g.r.IntN(len(names))], t, g.expr(t, d), g.expr(t, d))
	}
	switch g.r.IntN(8) {
	case 0:
		if t.Kind == types.UBigInt {
			return nil // DuckDB 1.5.5 fails internally where it folds that of a constant
		}
		return call("-", t, g.expr(t, d))
	case 1:
		return call("abs", t, g.expr(t, d))
	}
	names := []string{"+", "-", "*", "//", "%"}
	return call(names[g.r.IntN(len(names))], t, g.expr(t, d), g.expr(t, d))
}

// decimal draws arithmetic whose result the binder would give the type t, or a cast of it.
func (g *generator) decimal(t types.Type, d int) *plan.Expr {
	if g.safe > 0 {
		return nil
	}
	switch g.r.IntN(5) {
	case 0:
		return call([]string{"-", "abs"}[g.r.IntN(2)], t, g.expr(t, d))
	case 1: // the sum of two, at the scale of the greater
		w := min(t.Precision+1, 38)
		if t.Precision <= 18 {
			w = min(w, 18)
		}
		sum := types.DecimalOf(w, t.Scale)
		return of(plan.Cast, t, call([]string{"+", "-"}[g.r.IntN(2)], sum, castTo(sum, g.expr(t, d)), castTo(sum, g.expr(t, d))))
	default:
		o := g.pick(types.DecimalOf(4, 1), types.DecimalOf(9, 2), types.DecimalOf(18, 3))
		w := t.Precision + o.Precision
		if w > 18 && t.Precision <= 18 {
			w = 18
		}
		w = min(w, 38)
		product := types.DecimalOf(w, t.Scale+o.Scale)
		a, b := g.expr(t, d), g.expr(o, d)
		return of(plan.Cast, t, call("*", product, widened(a, product), widened(b, product)))
	}
}

// widened is the cast that the binder puts on a factor that lies narrower in memory than the product.
func widened(e *plan.Expr, product types.Type) *plan.Expr {
	if width(e.Type.Precision) == width(product.Precision) {
		return e
	}
	return castTo(types.DecimalOf(product.Precision, e.Type.Scale), e)
}

func width(precision uint8) int {
	switch {
	case precision <= 4:
		return 2
	case precision <= 9:
		return 4
	case precision <= 18:
		return 8
	}
	return 16
}

func castTo(t types.Type, e *plan.Expr) *plan.Expr {
	if e.Type.Equal(t) {
		return e
	}
	return of(plan.Cast, t, e)
}
