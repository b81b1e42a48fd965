package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// pushFilters moves conditions towards the scans. A fallible condition stays where it is, and none moves below a fallible expression: else
// rows would fail that the query never asked for, or be missing among the failed. The one exception are the rows without a time that a
// window cannot place: they are failures only of what reads them.
func (z *optimizer) pushFilters(n plan.Node) plan.Node {
	p := &pusher{optimizer: z, shared: map[plan.Node]plan.Node{}}
	return p.push(n, nil)
}

type pusher struct {
	*optimizer
	// shared are the results for nodes with several parents: conditions of one of them stay above.
	shared map[plan.Node]plan.Node
}

// push returns n filtered by conds, which are over n's output.
func (p *pusher) push(n plan.Node, conds []*plan.Expr) plan.Node {
	if p.uses[n] > 1 {
		done, ok := p.shared[n]
		if !ok {
			done = p.into(n, nil)
			p.shared[n] = done
		}
		return filtered(done, conds)
	}
	return p.into(n, conds)
}

func (p *pusher) into(n plan.Node, conds []*plan.Expr) plan.Node {
	free, stuck := split(conds, func(e *plan.Expr) bool { return !p.Fallible(e) })
	switch n := n.(type) {
	case *plan.Filter:
		return p.intoFilter(n, free, stuck)
	case *plan.Project:
		if p.anyFallible(n.Exprs...) {
			break
		}
		below := make([]*plan.Expr, len(free))
		for i, c := range free {
			below[i] = over(c, n.Exprs)
		}
		return filtered(n.With(p.push(n.Input, below)), stuck)
	case *plan.Join:
		return p.intoJoin(n, free, stuck)
	case *plan.Aggregate:
		return p.intoAggregate(n, free, stuck)
	case *plan.Union:
		return p.intoUnion(n, free, stuck)
	case *plan.TopN:
		return p.intoTopN(n, free, stuck)
	case *plan.Window:
		return p.intoWindow(n, free, stuck)
	}
	in := slices.Clone(n.Inputs())
	for i := range in {
		in[i] = p.push(in[i], nil)
	}
	return filtered(n.With(in...), conds)
}

func (p *pusher) intoFilter(n *plan.Filter, free, stuck []*plan.Expr) plan.Node {
	own := conjuncts(n.Cond)
	if n.Late || p.anyFallible(own...) {
		// What is above must not see rows that this filter drops, nor take rows from it.
		safe, rest := []*plan.Expr(nil), own
		if !n.Late {
			safe, rest = leading(own, func(e *plan.Expr) bool { return !p.Fallible(e) })
		}
		if j, ok := n.Input.(*plan.Join); ok && !n.Late && j.Kind == plan.Inner {
			// A cross product is no alternative: what can be a key is one, also behind a fallible condition.
			equal, others := split(rest, func(e *plan.Expr) bool { _, ok := asKey(e, len(j.L.Fields())); return ok })
			safe, rest = append(slices.Clone(safe), equal...), others
		}
		in := p.push(n.Input, safe)
		if cond := and(rest); cond != nil {
			in = &plan.Filter{Input: in, Cond: cond, Late: n.Late}
		}
		return filtered(in, append(free, stuck...))
	}
	return filtered(p.push(n.Input, append(own, free...)), stuck)
}

// leading splits off the conditions before the first that does not match: AND stops at the first that is not true, from the left.
func leading(es []*plan.Expr, match func(*plan.Expr) bool) (before, rest []*plan.Expr) {
	i := slices.IndexFunc(es, func(e *plan.Expr) bool { return !match(e) })
	if i < 0 {
		return es, nil
	}
	return es[:i], es[i:]
}

func (p *pusher) intoAggregate(n *plan.Aggregate, free, stuck []*plan.Expr) plan.Node {
	var below []*plan.Expr
	args := slices.Clone(n.Groups)
	for _, a := range n.Aggs {
		args = append(append(args, a.Args...), a.Filter)
	}
	if len(n.Groups) > 0 && !p.anyFallible(args...) {
		var above []*plan.Expr
		below, above = split(free, func(e *plan.Expr) bool { return within(e, 0, len(n.Groups)) })
		for i := range below {
			below[i] = over(below[i], n.Groups)
		}
		free = above
	}
	return filtered(n.With(p.push(n.Input, below)), append(free, stuck...))
}

func (p *pusher) intoUnion(n *plan.Union, free, stuck []*plan.Expr) plan.Node {
	in := make([]plan.Node, len(n.Sources))
	for i, s := range n.Sources {
		in[i] = p.push(s, free)
	}
	return filtered(n.With(in...), stuck)
}

// intoWindow: which windows a row is in depends on the row alone, but in a session or counted window on the rows of its key.
func (p *pusher) intoWindow(n *plan.Window, free, stuck []*plan.Expr) plan.Node {
	width := len(n.Input.Fields())
	below, above := split(free, func(e *plan.Expr) bool {
		return only(e, func(c int) bool {
			if n.Kind == plan.Session || n.Kind == plan.CountWindow {
				return slices.Contains(n.Keys, c)
			}
			return c < width
		})
	})
	return filtered(n.With(p.push(n.Input, below)), append(above, stuck...))
}

// intoTopN: a condition on the partition takes or leaves whole partitions; one on the rank is the limit.
func (p *pusher) intoTopN(n *plan.TopN, free, stuck []*plan.Expr) plan.Node {
	partition := columnsOf(n.Partition)
	below, above := split(free, func(e *plan.Expr) bool {
		return only(e, func(c int) bool { return slices.Contains(partition, c) })
	})
	top, above := limitByRank(n, above)
	return filtered(top.With(p.push(n.Input, below)), append(above, stuck...))
}
