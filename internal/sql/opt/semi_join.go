package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// unmark turns a mark join below a condition on its mark into a semi join (x IN ...: only a true mark passes) or, where the mark cannot be
// NULL, an anti join (x NOT IN ...). What comes out has the columns of n, its mark a constant; rest are the conditions still to be tested.
// It returns nil where there is no such condition.
func unmark(n *plan.Join, conds []*plan.Expr) (semi plan.Node, rest []*plan.Expr) {
	width := len(n.L.Fields())
	isMark := func(e *plan.Expr) bool { return e.Kind == plan.Column && e.Index == width }
	kind := plan.Mark
	for i, c := range conds {
		switch {
		case isMark(c):
			kind = plan.Semi
		case c.Kind == plan.Not && isMark(c.Args[0]) && !nullMark(n, conds):
			kind = plan.Anti
		default:
			continue
		}
		rest = append(append(rest, conds[:i]...), conds[i+1:]...)
		break
	}
	if kind == plan.Mark {
		return nil, nil
	}
	j := *n
	j.Kind, j.Out = kind, n.Out[:width]
	mark := n.Out[width]
	es := append(all(j.Out), plan.Lit(kind == plan.Semi, mark.Type))
	return &plan.Project{Input: &j, Exprs: es, Out: n.Out}, rest
}

// nullMark reports whether the mark of a mark join may be NULL in rows for which conds are true.
func nullMark(n *plan.Join, conds []*plan.Expr) bool {
	left := filtered(n.L, slices.DeleteFunc(slices.Clone(conds), func(c *plan.Expr) bool { return !within(c, 0, len(n.L.Fields())) }))
	if n.Residual != nil {
		return true
	}
	for _, k := range n.Keys {
		if !k.NullSafe && (!neverNull(left, k.Left) || !neverNull(n.R, k.Right)) {
			return true
		}
	}
	return false
}

// neverNull reports whether an expression over the output of n is certainly never NULL.
func neverNull(n plan.Node, e *plan.Expr) bool {
	switch e.Kind {
	case plan.Const:
		return e.Value != nil
	case plan.Cast:
		return !e.Try && neverNull(n, e.Args[0])
	case plan.Coalesce:
		for _, a := range e.Args {
			if neverNull(n, a) {
				return true
			}
		}
		return false
	case plan.IsNull, plan.IsNotNull:
		return true
	case plan.Column:
	default:
		return false
	}
	switch n := n.(type) {
	case *plan.Scan:
		return e.Index < len(n.Columns) && n.Relation.Kind == plan.StreamRelation && n.Relation.Schema.Columns[n.Columns[e.Index]].NotNull
	case *plan.Project:
		return neverNull(n.Input, n.Exprs[e.Index])
	case *plan.Filter:
		for _, c := range conjuncts(n.Cond) {
			if rejectsNull(c, func(col int) bool { return col == e.Index }) {
				return true
			}
		}
		return neverNull(n.Input, e)
	case *plan.Aggregate:
		if e.Index < len(n.Groups) {
			return neverNull(n.Input, n.Groups[e.Index])
		}
		name := n.Aggs[e.Index-len(n.Groups)].Name
		return name == "count" || name == "count_star"
	case *plan.Join:
		width := len(n.L.Fields())
		switch {
		case e.Index < width:
			return n.Kind != plan.Right && n.Kind != plan.Full && neverNull(n.L, e)
		case n.Kind == plan.Inner || n.Kind == plan.Right:
			return neverNull(n.R, shift(e, -width))
		}
	}
	return false
}
