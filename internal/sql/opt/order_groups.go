package opt

import (
	"cmp"
	"slices"

	"leat/internal/sql/plan"
)

// orderGroups sorts the groups of each aggregate, and its functions, so that two that compute the same are found to be common; a
// projection puts their columns back.
func (z *optimizer) orderGroups(root plan.Node) plan.Node {
	return plan.Rewrite(root, func(n plan.Node) plan.Node {
		a, ok := n.(*plan.Aggregate)
		if !ok {
			return n
		}
		groups := sortedBy(len(a.Groups), func(i int) string { return key(a.Groups[i]) })
		aggs := sortedBy(len(a.Aggs), func(i int) string { return aggKey(a.Aggs[i]) })
		c := *a
		c.Groups, c.Aggs, c.Out = make([]*plan.Expr, len(groups)), make([]plan.Agg, len(aggs)), slices.Clone(a.Out)
		at := make([]int, len(a.Out))
		for to, from := range groups {
			c.Groups[to], c.Out[to], at[from] = a.Groups[from], a.Out[from], to
		}
		width := len(groups)
		for to, from := range aggs {
			c.Aggs[to], c.Out[width+to], at[width+from] = a.Aggs[from], a.Out[width+from], width+to
		}
		if slices.IsSorted(at) {
			return n
		}
		return reordered(&c, at, a.Out)
	})
}

// sortedBy returns 0..n-1 in the order of their keys.
func sortedBy(n int, key func(int) string) []int {
	out := allOf(n).list()
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(key(a), key(b)) })
	return out
}
