package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// dropDomains simplifies correlated subqueries. DuckDB binds them as a join of the outer rows L with the subquery's rows, in which the
// subquery reads the distinct outer values as a relation of its own, the domain:
//
//	Join L with Project(Filter(e = d, Join(Y, Aggregate by d (L)))) on L.d is not distinct from d
//
// Where d is equal to an expression e over Y alone, rows of Y with other values find no partner in L anyway: d is e, and the domain with
// its distinct, and the join with it, go.
func (z *optimizer) dropDomains(root plan.Node) plan.Node {
	return plan.Rewrite(root, func(n plan.Node) plan.Node {
		j, ok := n.(*plan.Join)
		if !ok {
			return n
		}
		d := domain{outer: j.L}
		for f, ok := d.outer.(*plan.Filter); ok; f, ok = d.outer.(*plan.Filter) {
			d.outer = f.Input
		}
		var cols []int
		for _, k := range j.Keys {
			if k.NullSafe && k.Left.Kind == plan.Column && k.Right.Kind == plan.Column {
				d.values, cols = append(d.values, k.Left.Index), append(cols, k.Right.Index)
			}
		}
		if len(cols) == 0 || j.Kind == plan.Right || j.Kind == plan.Full {
			return n
		}
		if r := d.drop(j.R, cols); r != j.R {
			return j.With(j.L, r)
		}
		if direct := z.joinDirectly(j, &d); direct != nil {
			return direct
		}
		return n
	})
}

// domain is the distinct values of some columns of the outer rows.
type domain struct {
	outer  plan.Node
	values []int
}

// is reports whether n is the domain, and returns which of values each of its columns is.
func (d *domain) is(n plan.Node) (of []int, ok bool) {
	a, isAggregate := n.(*plan.Aggregate)
	if !isAggregate || len(a.Aggs) > 0 || a.Global || a.Input != d.outer {
		return nil, false
	}
	for _, g := range a.Groups {
		i := -1
		if g.Kind == plan.Column {
			i = slices.Index(d.values, g.Index)
		}
		if i < 0 {
			return nil, false
		}
		of = append(of, i)
	}
	return of, len(of) > 0
}

// drop returns n without the domain; only rows whose columns cols (one per value) are in the domain are wanted. It returns n itself where
// it finds none.
func (d *domain) drop(n plan.Node, cols []int) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		return d.over(n, cols)
	case *plan.Project:
		return d.over(n, through(n.Exprs, cols))
	case *plan.Aggregate:
		if n.Global || len(n.Aggs) == 0 {
			break
		}
		return d.over(n, through(n.Groups, cols))
	case *plan.TopN:
		partition := columnsOf(n.Partition)
		if slices.ContainsFunc(cols, func(c int) bool { return !slices.Contains(partition, c) }) {
			break
		}
		return d.over(n, cols)
	case *plan.Join:
		return d.dropJoin(n, cols)
	}
	return n
}

// over goes on below n, whose input has the values in cols; nil cols are unknown.
func (d *domain) over(n plan.Node, cols []int) plan.Node {
	if cols == nil {
		return n
	}
	in := n.Inputs()[0]
	if below := d.drop(in, cols); below != in {
		return n.With(below)
	}
	return n
}

// through returns the columns that expressions at cols copy, nil where one doesn't.
func through(es []*plan.Expr, cols []int) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		if c >= len(es) || es[c].Kind != plan.Column {
			return nil
		}
		out[i] = es[c].Index
	}
	return out
}

// dropJoin drops the domain where it is one side of an inner join that ties each of its columns to an expression of the other side.
func (d *domain) dropJoin(n *plan.Join, cols []int) plan.Node {
	width := len(n.L.Fields())
	if of, ok := d.is(n.R); ok && n.Kind == plan.Inner {
		return d.replace(n, of, cols, 0, width)
	}
	of, ok := d.is(n.L)
	switch {
	case ok && n.Kind == plan.Inner:
		return d.replace(n, of, cols, width, 0)
	case ok && n.Kind == plan.Left:
		// The domain has to stay, but it is all that the right is joined with.
		right := make([]int, len(cols))
		for i, c := range cols {
			k := slices.IndexFunc(n.Keys, func(k plan.JoinKey) bool {
				return k.Left.Kind == plan.Column && k.Left.Index == c && k.Right.Kind == plan.Column
			})
			if k < 0 {
				return n
			}
			right[i] = n.Keys[k].Right.Index
		}
		if r := d.drop(n.R, right); r != n.R {
			return n.With(n.L, r)
		}
	}
	return n
}

// replace returns the other side of n, the domain's columns computed from it. other and at are where the sides' columns begin in n's
// output; of says which value each column of the domain is.
func (d *domain) replace(n *plan.Join, of, cols []int, other, at int) plan.Node {
	rest, domain := n.L, n.R
	if at == 0 {
		rest, domain = n.R, n.L
	}
	values := make([]*plan.Expr, len(of)) // of the domain's columns, over the other side
	var conds []*plan.Expr
	for _, k := range n.Keys {
		mine, theirs := k.Right, k.Left
		if at == 0 {
			mine, theirs = k.Left, k.Right
		}
		if mine.Kind != plan.Column || values[mine.Index] != nil {
			return n
		}
		values[mine.Index] = theirs
		if !k.NullSafe {
			conds = append(conds, boolean(plan.IsNotNull, theirs))
		}
	}
	below := make([]int, len(cols)) // where the other side has the values, to go on there
	for i, v := range of {
		if values[i] == nil || cols[v] != at+i && !(values[i].Kind == plan.Column && cols[v] == other+values[i].Index) {
			return n
		}
		below[v] = values[i].Index
	}
	plainColumns := !slices.ContainsFunc(values, func(e *plan.Expr) bool { return e.Kind != plan.Column })
	if plainColumns && len(of) == len(cols) {
		rest = d.drop(rest, below)
	}
	es := make([]*plan.Expr, len(n.Out))
	for i, f := range rest.Fields() {
		es[other+i] = plan.Col(i, f.Type)
	}
	for i := range domain.Fields() {
		es[at+i] = values[i]
	}
	if n.Residual != nil {
		conds = append(conds, over(n.Residual, es))
	}
	return &plan.Project{Input: filtered(rest, conds), Exprs: es, Out: n.Out}
}
