package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// intoJoin pushes conditions into a join and what the join itself asks for below it.
func (p *pusher) intoJoin(n *plan.Join, free, stuck []*plan.Expr) plan.Node {
	if n.Kind == plan.Mark {
		if semi, rest := unmark(n, free); semi != nil {
			return p.into(semi, append(rest, stuck...))
		}
	}
	c := *n
	width := len(n.L.Fields())
	c.Kind = withoutPadding(c.Kind, free, width)
	j := joinConditions{pusher: p, n: &c, width: width}
	above := j.place(free)
	if c.Kind == plan.Inner {
		stuck = j.equalities(stuck) // the result is the same, and a cross product is no alternative
	}
	l, r := p.push(c.L, j.left), p.push(c.R, j.right)
	c.L, c.R = l, r
	return filtered(&c, append(above, stuck...))
}

// joinConditions sorts conditions by where in a join they are tested.
type joinConditions struct {
	*pusher
	n     *plan.Join
	width int
	// left and right go below the join; right ones are over the right's columns.
	left, right []*plan.Expr
}

// place distributes the join's residual and the conditions above it; it returns those that stay above.
func (j *joinConditions) place(conds []*plan.Expr) (above []*plan.Expr) {
	n := j.n
	residual := conjuncts(n.Residual)
	fallible := j.anyFallible(residual...)
	for _, k := range n.Keys {
		fallible = fallible || j.anyFallible(k.Left, k.Right)
	}
	total := j.width + len(n.R.Fields())
	if !keepsRight(n.Kind) {
		total = j.width
	}
	if fallible {
		above = conds
		if n.Kind == plan.Inner {
			above = j.equalities(conds)
		}
	} else {
		for _, c := range conds {
			switch {
			case within(c, 0, j.width) && keepsLeftWhole(n.Kind):
				j.left = append(j.left, c)
			case within(c, j.width, total) && (n.Kind == plan.Inner || n.Kind == plan.Right):
				j.right = append(j.right, shift(c, -j.width))
			case n.Kind == plan.Inner:
				residual = append(residual, c)
			default:
				above = append(above, c)
			}
		}
	}
	j.own(residual, fallible)
	return above
}

// keepsLeftWhole reports whether a condition on the left's columns means the same below the join.
func keepsLeftWhole(k plan.JoinKind) bool { return k != plan.Right && k != plan.Full }

// equalities takes what can be a key from conditions above an inner join, which are not to move otherwise.
func (j *joinConditions) equalities(conds []*plan.Expr) (above []*plan.Expr) {
	for _, c := range conds {
		if k, ok := asKey(c, j.width); ok {
			j.n.Keys = append(slices.Clone(j.n.Keys), k)
		} else {
			above = append(above, c)
		}
	}
	return above
}

// own sets the join's keys and residual from its conditions; those on one side go below where the kind allows.
func (j *joinConditions) own(residual []*plan.Expr, fallible bool) {
	n := j.n
	total := j.width + len(n.R.Fields())
	var rest []*plan.Expr
	keys := slices.Clone(n.Keys)
	for _, c := range residual {
		k, isKey := asKey(c, j.width)
		switch {
		case isKey && n.Kind != plan.Mark:
			keys = append(keys, k)
		case !fallible && within(c, 0, j.width) && (n.Kind == plan.Inner || n.Kind == plan.Right || n.Kind == plan.Semi):
			j.left = append(j.left, c)
		case !fallible && within(c, j.width, total) && n.Kind != plan.Right && n.Kind != plan.Full && n.Kind != plan.Mark:
			j.right = append(j.right, shift(c, -j.width))
		default:
			rest = append(rest, c)
		}
	}
	n.Keys, n.Residual = uniqueKeys(keys), and(rest)
}

// asKey reads a condition as an equality between the two sides of a join.
func asKey(c *plan.Expr, width int) (plan.JoinKey, bool) {
	if c.Kind != plan.Compare || c.Name != "=" && c.Name != "is not distinct from" {
		return plan.JoinKey{}, false
	}
	a, b := c.Args[0], c.Args[1]
	if within(b, 0, width) {
		a, b = b, a
	}
	if !within(a, 0, width) || !within(b, width, int(^uint(0)>>1)) || !a.Type.Equal(b.Type) {
		return plan.JoinKey{}, false
	}
	return plan.JoinKey{Left: a, Right: shift(b, -width), NullSafe: c.Name != "="}, true
}

func uniqueKeys(keys []plan.JoinKey) []plan.JoinKey {
	var out []plan.JoinKey
	for _, k := range keys {
		same := func(o plan.JoinKey) bool {
			return o.NullSafe == k.NullSafe && key(o.Left) == key(k.Left) && key(o.Right) == key(k.Right)
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, k)
		}
	}
	return out
}
