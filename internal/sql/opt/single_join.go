package opt

import "leat/internal/sql/plan"

// relaxSingles makes a left join of a single join whose right side has no two rows with the same keys: there is nothing to check.
func (z *optimizer) relaxSingles(root plan.Node) plan.Node {
	facts := NewFacts()
	return plan.Rewrite(root, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok || j.Kind != plan.Single {
			return n
		}
		var keys []int
		for _, k := range j.Keys {
			if k.Right.Kind == plan.Column {
				keys = append(keys, k.Right.Index)
			}
		}
		if !contains(keys, facts.Of(j.R).Key) {
			return n
		}
		c := *j
		c.Kind = plan.Left
		return &c
	})
}
