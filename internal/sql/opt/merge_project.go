package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// mergeProjects makes one projection of two in a row, unless that would compute something twice, and drops those that change nothing.
func (z *optimizer) mergeProjects(root plan.Node) plan.Node {
	done := map[plan.Node]plan.Node{}
	var rec func(plan.Node) plan.Node
	rec = func(n plan.Node) plan.Node {
		if d, ok := done[n]; ok {
			return d
		}
		in := slices.Clone(n.Inputs())
		for i := range in {
			in[i] = rec(in[i])
		}
		out := with(n, in)
		if p, ok := out.(*plan.Project); ok {
			shared := z.uses[n.Inputs()[0]] > 1
			out = mergeProject(p, shared, n == root)
		}
		done[n] = out
		return out
	}
	return rec(root)
}

// with returns n over inputs, n itself where they are its own.
func with(n plan.Node, in []plan.Node) plan.Node {
	if slices.Equal(in, n.Inputs()) {
		return n
	}
	return n.With(in...)
}

// mergeProject merges p with the projection below it. Where others share that one, only copies of its columns are taken through it.
func mergeProject(p *plan.Project, shared, root bool) plan.Node {
	if in, ok := p.Input.(*plan.Project); ok && cheapOnce(p.Exprs, in.Exprs, shared) {
		es := make([]*plan.Expr, len(p.Exprs))
		for i, e := range p.Exprs {
			es[i] = over(e, in.Exprs)
		}
		p = &plan.Project{Input: in.Input, Exprs: es, Out: p.Out}
	}
	if !root && isIdentity(p) {
		return p.Input
	}
	return p
}

// cheapOnce reports whether each of inner that is more than a column or constant is read at most once by outer; of shared ones, never.
func cheapOnce(outer, inner []*plan.Expr, shared bool) bool {
	times := make([]int, len(inner))
	for _, e := range outer {
		reads(e, func(c int) { times[c]++ })
	}
	for i, e := range inner {
		if (times[i] > 1 || shared && times[i] > 0) && e.Kind != plan.Column && e.Kind != plan.Const {
			return false
		}
	}
	return true
}

// isIdentity reports whether p's output is its input: names too, as a plan's root gives its columns their names.
func isIdentity(p *plan.Project) bool {
	in := p.Input.Fields()
	if len(in) != len(p.Exprs) {
		return false
	}
	for i, e := range p.Exprs {
		if e.Kind != plan.Column || e.Index != i || in[i].Name != p.Out[i].Name {
			return false
		}
	}
	return true
}
