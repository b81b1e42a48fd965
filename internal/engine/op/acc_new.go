package op

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// newAccumulator returns the form of one aggregate over the columns of cfg.
func newAccumulator(g AggConfig, cfg *AggregateConfig, tables Tables) (accumulator, error) {
	if g.Name == "count_star" || g.Name == "count" && len(g.Args) == 0 {
		return &counter{fixed: fixed{zset.PhysOf(g.Type)}}, nil
	}
	if pick := newPick(g, cfg); pick != nil {
		// Each value once or many times is all the same to it: DISTINCT changes nothing.
		if !cfg.AppendOnly {
			pick.values = tables()
		}
		return pick, nil
	}
	if acc := newLinear(g, cfg); acc != nil {
		if g.Distinct {
			return newDistinct(acc, g.Args[0], cfg.Types[g.Args[0]], tables()), nil
		}
		return acc, nil
	}
	return nil, types.Errorf(types.Unsupported, "the aggregate function %s is not supported in materialized views for these arguments", g.Name)
}

// newPick returns an aggregate that picks one of the values, nil if g is no such.
func newPick(g AggConfig, cfg *AggregateConfig) *extremum {
	ts := cfg.Types
	switch {
	case len(g.Args) == 1 && (g.Name == "min" || g.Name == "max"):
		return newExtremum(g.Args[0], ts[g.Args[0]], g.Name == "max")
	case len(g.Args) == 1 && picksRow(g.Name):
		return newPicked(g.Args[0], ts, g.Name == "last")
	case len(g.Args) != 2:
		return nil
	}
	switch g.Name {
	case "arg_min", "argmin", "min_by":
		return newArgExtremum(g.Args[0], g.Args[1], ts, false)
	case "arg_max", "argmax", "max_by":
		return newArgExtremum(g.Args[0], g.Args[1], ts, true)
	}
	return nil
}

// picksRow reports whether the aggregate is the value of the first or last row.
func picksRow(name string) bool {
	return name == "first" || name == "arbitrary" || name == "any_value" || name == "last"
}

// newLinear returns an aggregate whose state is a sum of what its rows add, nil if g is no such.
func newLinear(g AggConfig, cfg *AggregateConfig) accumulator {
	if len(g.Args) != 1 {
		return nil
	}
	arg, out := g.Args[0], fixed{zset.PhysOf(g.Type)}
	t := cfg.Types[arg]
	switch g.Name {
	case "count", "count_if", "countif":
		return &counter{fixed: out}
	case "sum", "sum_no_overflow", "kahan_sum", "fsum", "sumkahan":
		return newSum(g, arg, t, false)
	case "avg", "mean", "favg":
		return newSum(g, arg, t, true)
	case "bool_and", "bool_or":
		if t.Kind == types.Boolean {
			return &logical{fixed: out, arg: arg, all: g.Name == "bool_and"}
		}
	case "var_pop", "var_samp", "variance", "stddev_pop", "stddev_samp", "stddev":
		if t.Kind == types.Double {
			return newVariance(g.Name, arg, out)
		}
	}
	return nil
}

// newSum returns sum or avg of numbers, nil for other types.
func newSum(g AggConfig, arg int, t types.Type, average bool) accumulator {
	out := fixed{zset.PhysOf(g.Type)}
	switch {
	case t.Kind == types.Float || t.Kind == types.Double:
		return &floatSum{fixed: out, arg: arg, average: average}
	case t.Kind.IsNumeric() || t.Kind == types.Boolean:
		return &sum{fixed: out, arg: arg, result: g.Type, average: average, narrow: t.Kind == types.SmallInt || t.Kind == types.TinyInt, scale: t.Scale}
	}
	return nil
}
