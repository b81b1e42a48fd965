package opt

import (
	"math"

	"leat/internal/sql/plan"
)

// limitByRank takes conditions such as rank <= 10 into the limit of a ranking, and returns those that it could not take. What comes out is
// ranked as before: an Offset below a Limit is part of the ranking's own numbers.
func limitByRank(n *plan.TopN, conds []*plan.Expr) (*plan.TopN, []*plan.Expr) {
	if !n.Number || n.Limit >= 0 || n.Offset != 0 {
		return n, conds
	}
	rank := len(n.Out) - 1
	low, high := int64(1), int64(math.MaxInt64) // the ranks that pass
	var rest []*plan.Expr
	for _, c := range conds {
		from, to, ok := rankRange(c, rank)
		if !ok {
			rest = append(rest, c)
			continue
		}
		low, high = max(low, from), min(high, to)
	}
	if len(rest) == len(conds) {
		return n, conds
	}
	c := *n
	c.Offset = low - 1
	if high < math.MaxInt64 {
		c.Limit = max(high-low+1, 0)
	}
	return &c, rest
}

// rankRange reads a comparison of the rank with a constant as a range of ranks.
func rankRange(e *plan.Expr, rank int) (from, to int64, ok bool) {
	if e.Kind != plan.Compare {
		return 0, 0, false
	}
	name, a, b := e.Name, e.Args[0], e.Args[1]
	if b.Kind == plan.Column {
		name, a, b = mirrored(name), b, a
	}
	v, isInt := b.Value.(int64)
	if a.Kind != plan.Column || a.Index != rank || b.Kind != plan.Const || !isInt || v == math.MaxInt64 || v == math.MinInt64 {
		return 0, 0, false
	}
	switch name {
	case "=":
		return v, v, v >= 1
	case "<=":
		return 1, v, true
	case "<":
		return 1, v - 1, true
	case ">=":
		return v, math.MaxInt64, true
	case ">":
		return v + 1, math.MaxInt64, true
	}
	return 0, 0, false
}

// mirrored is the comparison with its sides exchanged.
func mirrored(name string) string {
	switch name {
	case "<":
		return ">"
	case "<=":
		return ">="
	case ">":
		return "<"
	case ">=":
		return "<="
	}
	return name
}
