package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// joinDirectly joins the outer rows with Y itself where what they are joined with is Y joined with the domain:
//
//	Join L with Project(Join(Y, domain) on c) on L.d is not distinct from d  ->  Join L with Y on c, d being L's
//
// Each outer row finds its own values in the domain once. So a correlated EXISTS within an interval is an interval join. It returns nil
// where n is no such join, or where a condition might fail for rows that it is not asked for now.
func (z *optimizer) joinDirectly(n *plan.Join, d *domain) plan.Node {
	if n.Kind != plan.Semi && n.Kind != plan.Anti && n.Kind != plan.Inner {
		return nil
	}
	j, es, conds := belowJoin(n.R)
	if j == nil || j.Kind != plan.Inner || z.anyFallible(conds...) || z.anyFallible(j.Residual, n.Residual) {
		return nil
	}
	t := &direct{n: n, below: j, width: len(n.L.Fields())}
	if !t.find(d) || !t.tied(d, es) {
		return nil
	}
	return t.join(es, conds)
}

// belowJoin follows projections and filters down to a join: es are n's columns and conds the conditions, over that join's output.
func belowJoin(n plan.Node) (j *plan.Join, es, conds []*plan.Expr) {
	switch n := n.(type) {
	case *plan.Join:
		return n, all(n.Out), nil
	case *plan.Project:
		j, below, conds := belowJoin(n.Input)
		if j == nil {
			return nil, nil, nil
		}
		for _, e := range n.Exprs {
			es = append(es, over(e, below))
		}
		return j, es, conds
	case *plan.Filter:
		j, es, conds := belowJoin(n.Input)
		if j == nil || n.Late {
			return nil, nil, nil
		}
		for _, c := range conjuncts(n.Cond) {
			conds = append(conds, over(c, es))
		}
		return j, es, conds
	}
	return nil, nil, nil
}

// direct is a join on the way to be done directly.
type direct struct {
	n, below *plan.Join
	// width is how many columns the outer rows have.
	width int
	// y is the side of below that is not the domain; columns are below's, over the outer rows and y.
	y       plan.Node
	columns []*plan.Expr
	// domain says of below's columns which value of the domain they are, -1 for y's.
	domain []int
	// used are the keys of n that say which row of the domain is an outer row's.
	used map[int]bool
}

// find finds the domain among the sides of the join below.
func (t *direct) find(d *domain) bool {
	l, r := t.below.L.Fields(), t.below.R.Fields()
	of, right := d.is(t.below.R)
	if !right {
		var left bool
		if of, left = d.is(t.below.L); !left {
			return false
		}
		t.y = t.below.R
	} else {
		t.y = t.below.L
	}
	for i, f := range t.below.Out {
		inDomain, at := i >= len(l), i
		if !right {
			inDomain = i < len(l)
		}
		if i >= len(l) {
			at = i - len(l)
		}
		if !inDomain {
			t.columns, t.domain = append(t.columns, plan.Col(t.width+at, f.Type)), append(t.domain, -1)
			continue
		}
		t.columns, t.domain = append(t.columns, plan.Col(d.values[of[at]], f.Type)), append(t.domain, of[at])
	}
	return len(t.below.Out) == len(l)+len(r)
}

// tied reports whether the keys of n tie all columns of the domain to the outer values that they are of.
func (t *direct) tied(d *domain, es []*plan.Expr) bool {
	t.used = map[int]bool{}
	done := map[int]bool{}
	for i, k := range t.n.Keys {
		if !k.NullSafe || k.Left.Kind != plan.Column || k.Right.Kind != plan.Column || es[k.Right.Index].Kind != plan.Column {
			continue
		}
		if v := t.domain[es[k.Right.Index].Index]; v >= 0 && d.values[v] == k.Left.Index {
			t.used[i], done[v] = true, true
		}
	}
	return !slices.ContainsFunc(t.domain, func(v int) bool { return v >= 0 && !done[v] })
}

// join makes the new join; nil where a key of n mixes both sides.
func (t *direct) join(es, conds []*plan.Expr) plan.Node {
	j := &plan.Join{Kind: t.n.Kind, L: t.n.L, R: t.y, Out: t.n.Out}
	split := len(t.below.L.Fields())
	for _, k := range t.below.Keys {
		a, b := over(k.Left, t.columns), over(shift(k.Right, split), t.columns)
		if !within(a, 0, t.width) {
			a, b = b, a
		}
		if !within(a, 0, t.width) || !within(b, t.width, t.width+len(t.y.Fields())) {
			return nil
		}
		j.Keys = append(j.Keys, plan.JoinKey{Left: a, Right: shift(b, -t.width), NullSafe: k.NullSafe})
	}
	right := make([]*plan.Expr, len(es)) // n's right columns, over the outer rows and y
	for i, e := range es {
		right[i] = over(e, t.columns)
	}
	for i, k := range t.n.Keys {
		if t.used[i] {
			continue
		}
		b := over(k.Right, right)
		if !within(b, t.width, t.width+len(t.y.Fields())) {
			return nil
		}
		j.Keys = append(j.Keys, plan.JoinKey{Left: k.Left, Right: shift(b, -t.width), NullSafe: k.NullSafe})
	}
	outer := append(all(t.n.L.Fields()), right...)
	var all []*plan.Expr
	for _, c := range append(conjuncts(t.below.Residual), conds...) {
		all = append(all, over(c, t.columns))
	}
	for _, c := range conjuncts(t.n.Residual) {
		all = append(all, over(c, outer))
	}
	j.Residual = and(all)
	if t.n.Kind != plan.Inner {
		return j
	}
	j.Out = append(slices.Clone(t.n.L.Fields()), t.y.Fields()...)
	return &plan.Project{Input: j, Exprs: outer, Out: t.n.Out}
}
