package op

import (
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// newAccumulator returns the form of one aggregate over the columns of cfg.
func newAccumulator(g AggConfig, cfg *AggregateConfig, tables Tables) (accumulator, error) {
	if g.Name == "count_star" || g.Name == "count" && len(g.Args) == 0 {
		return &counter{fixed: fixed{zset.PhysOf(g.Type)}}, nil
	}
	if len(g.Args) != 1 {
		return nil, unsupported(g)
	}
	arg, t := g.Args[0], cfg.Types[g.Args[0]]
	var acc accumulator
	switch g.Name {
	case "count", "count_if", "countif":
		acc = &counter{fixed: fixed{zset.PhysOf(g.Type)}}
	case "sum", "avg", "mean":
		acc = newSum(g, arg, t)
	case "min", "max":
		// Each value once or many times is all the same to it.
		if cfg.AppendOnly {
			return newExtremum(arg, t, g.Name == "max", nil), nil
		}
		return newExtremum(arg, t, g.Name == "max", tables()), nil
	case "bool_and", "bool_or":
		if t.Kind == types.Boolean {
			acc = &logical{fixed: fixed{zset.Int64}, arg: arg, all: g.Name == "bool_and"}
		}
	case "first", "arbitrary", "any_value", "last":
		var values state.Table
		if !cfg.AppendOnly {
			values = tables()
		}
		return newPicked(arg, cfg.Types, g.Name == "last", values), nil
	case "var_pop", "var_samp", "variance", "stddev_pop", "stddev_samp", "stddev":
		if t.Kind == types.Double {
			acc = newVariance(g.Name, arg, fixed{zset.PhysOf(g.Type)})
		}
	}
	if acc == nil {
		return nil, unsupported(g)
	}
	if g.Distinct {
		return newDistinct(acc, arg, t, tables()), nil
	}
	return acc, nil
}

// newSum returns sum or avg of numbers, nil for other types.
func newSum(g AggConfig, arg int, t types.Type) accumulator {
	average := g.Name != "sum"
	out := fixed{zset.PhysOf(g.Type)}
	switch {
	case t.Kind == types.Float || t.Kind == types.Double:
		return &floatSum{fixed: out, arg: arg, average: average}
	case t.Kind.IsNumeric() || t.Kind == types.Boolean:
		return &sum{fixed: out, arg: arg, result: g.Type, average: average, narrow: t.Kind == types.SmallInt || t.Kind == types.TinyInt, scale: t.Scale}
	}
	return nil
}

func unsupported(g AggConfig) error {
	return types.Errorf(types.Unsupported, "the aggregate function %s is not supported in materialized views for these arguments", g.Name)
}
