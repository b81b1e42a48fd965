package fast

import (
	"slices"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// machine is what one run at a time computes with.
type machine struct {
	params []*zset.Vec
	// scalars computes what is without columns and no parameter as it is: values has the places of such expressions in it.
	scalars *expr.Program
	places  map[*plan.Expr]int
	values  []*zset.Vec
	// filter is nil where nothing is left to test, project and order where columns are only picked.
	filter, project, order *expr.Program
	prefix                 []*zset.Vec
}

func (p *Plan) machine(c *choice) *machine {
	m := &machine{places: map[*plan.Expr]int{}}
	for _, a := range p.Params {
		m.params = append(m.params, &zset.Vec{Type: a.Type, Len: 1})
	}
	var scalars []*plan.Expr
	scalar := func(e *plan.Expr) {
		if e != nil && e.Kind != plan.Param {
			m.places[e] = len(scalars)
			scalars = append(scalars, e)
		}
	}
	for _, k := range c.prefix {
		for _, v := range k.values {
			scalar(v)
		}
	}
	for _, b := range []*bound{c.lower, c.upper} {
		if b != nil {
			scalar(b.value)
		}
	}
	scalar(p.limitBy)
	scalar(p.offsetBy)
	if len(scalars) > 0 {
		m.scalars = program(scalars)
		m.scalars.Transient()
	}
	if len(c.residual) > 0 {
		cond := c.residual[0]
		if len(c.residual) > 1 {
			cond = &plan.Expr{Kind: plan.And, Type: types.Of(types.Boolean), Args: c.residual, Place: -1}
		}
		m.filter = program([]*plan.Expr{cond})
		m.filter.Transient()
	}
	if slices.ContainsFunc(p.exprs, func(e *plan.Expr) bool { return e.Kind != plan.Column }) {
		m.project = program(p.exprs)
	}
	if !c.sorted {
		keys := make([]*plan.Expr, len(p.order))
		for i, k := range p.order {
			keys[i] = k.Expr
		}
		m.order = program(keys)
		m.order.Transient()
	}
	return m
}

func program(exprs []*plan.Expr) *expr.Program {
	out, err := expr.Compile(exprs, unusual{})
	if err != nil {
		panic("BUG: an expression that has kernels has none: " + err.Error())
	}
	return out
}

// unusual values are the store's.
type unusual struct{}

// Evaluate implements expr.Evaluator.
func (unusual) Evaluate([]string, []types.Type, []*zset.Vec, int) ([]*zset.Vec, []map[int]string, error) {
	return nil, nil, errUnusual
}

var errUnusual = types.Errorf(types.Unsupported, "DuckDB has to compute this value")
