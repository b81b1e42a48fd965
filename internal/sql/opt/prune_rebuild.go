package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// exactly returns n rebuilt with the columns cols alone, in that order.
func (p *pruner) exactly(n plan.Node, cols []int) plan.Node {
	d := p.rebuilt(n)
	fields := d.node.Fields()
	es, out := make([]*plan.Expr, len(cols)), make([]plan.Field, len(cols))
	for i, c := range cols {
		es[i] = plan.Col(d.at[c], fields[d.at[c]].Type)
		out[i] = plan.Field{Name: n.Fields()[c].Name, Type: fields[d.at[c]].Type}
	}
	project := &plan.Project{Input: d.node, Exprs: es, Out: out}
	if isIdentity(project) {
		return d.node
	}
	return project
}

// narrow rebuilds the i-th input of n to what n needs of it and nothing else.
func (p *pruner) narrow(n plan.Node, i int) narrowed {
	in := n.Inputs()[i]
	cols := p.inputNeed(n, i, p.need[n]).list()
	return narrowed{p.exactly(in, cols), positions(cols, len(in.Fields()))}
}

// positions returns where each of width columns is among cols, -1 for nowhere.
func positions(cols []int, width int) []int {
	at := make([]int, width)
	for i := range at {
		at[i] = -1
	}
	for i, c := range cols {
		at[c] = i
	}
	return at
}

func (p *pruner) rebuilt(n plan.Node) narrowed {
	d, ok := p.done[n]
	if !ok {
		d = p.rebuild(n)
		p.done[n] = d
	}
	return d
}

// to returns e over the narrowed columns.
func (d narrowed) to(e *plan.Expr) *plan.Expr { return moved(e, func(c int) int { return d.at[c] }) }

func (d narrowed) toAll(es []*plan.Expr) []*plan.Expr {
	out := make([]*plan.Expr, len(es))
	for i, e := range es {
		out[i] = d.to(e)
	}
	return out
}

func (d narrowed) toOrder(ks []plan.SortKey) []plan.SortKey {
	out := slices.Clone(ks)
	for i := range out {
		out[i].Expr = d.to(out[i].Expr)
	}
	return out
}

func fieldsAt(fields []plan.Field, cols []int) []plan.Field {
	out := make([]plan.Field, len(cols))
	for i, c := range cols {
		out[i] = fields[c]
	}
	return out
}

func (p *pruner) rebuild(n plan.Node) narrowed {
	width := len(n.Fields())
	need := p.need[n].list()
	switch n := n.(type) {
	case *plan.Scan:
		return pruneScan(n, need)
	case *plan.Values:
		c := &plan.Values{Out: fieldsAt(n.Out, need)}
		for _, r := range n.Rows {
			row := make([]*plan.Expr, len(need))
			for i, col := range need {
				row[i] = r[col]
			}
			c.Rows = append(c.Rows, row)
		}
		return narrowed{c, positions(need, width)}
	case *plan.Filter:
		in := p.rebuilt(n.Input)
		return narrowed{&plan.Filter{Input: in.node, Cond: in.to(n.Cond), Late: n.Late}, in.at}
	case *plan.Project:
		in := p.rebuilt(n.Input)
		es := make([]*plan.Expr, len(need))
		for i, c := range need {
			es[i] = in.to(n.Exprs[c])
		}
		return narrowed{&plan.Project{Input: in.node, Exprs: es, Out: fieldsAt(n.Out, need)}, positions(need, width)}
	case *plan.Join:
		return p.rebuildJoin(n)
	case *plan.Aggregate:
		return p.rebuildAggregate(n, need)
	case *plan.Union:
		c := &plan.Union{Out: fieldsAt(n.Out, need)}
		for _, s := range n.Sources {
			c.Sources = append(c.Sources, p.exactly(s, need))
		}
		return narrowed{c, positions(need, width)}
	case *plan.TopN:
		return p.rebuildTopN(n)
	case *plan.Window:
		return p.rebuildWindow(n)
	case *plan.EmitOnClose:
		in := p.narrow(n, 0)
		return narrowed{&plan.EmitOnClose{Input: in.node, Time: in.at[n.Time]}, in.at}
	}
	panic("BUG: a node that pruning doesn't know")
}

func pruneScan(n *plan.Scan, need []int) narrowed {
	c := &plan.Scan{Relation: n.Relation, Out: fieldsAt(n.Out, need)}
	for _, col := range need {
		if col < len(n.Columns) {
			c.Columns = append(c.Columns, n.Columns[col])
		} else {
			c.System = append(c.System, n.System[col-len(n.Columns)])
		}
	}
	return narrowed{c, positions(need, len(n.Out))}
}

func (p *pruner) rebuildJoin(n *plan.Join) narrowed {
	l, r := p.narrow(n, 0), p.narrow(n, 1)
	newLeft := len(l.node.Fields())
	both := narrowed{at: slices.Clone(l.at)}
	for _, at := range r.at {
		if at >= 0 {
			at += newLeft
		}
		both.at = append(both.at, at)
	}
	c := *n
	c.L, c.R, c.Residual, c.Keys = l.node, r.node, both.to(n.Residual), slices.Clone(n.Keys)
	for i, k := range n.Keys {
		c.Keys[i].Left, c.Keys[i].Right = l.to(k.Left), r.to(k.Right)
	}
	if n.Band != nil {
		b := *n.Band
		b.LeftTime, b.RightTime = l.at[b.LeftTime], r.at[b.RightTime]
		c.Band = &b
	}
	out := narrowed{node: &c, at: both.at}
	switch {
	case n.Kind == plan.Mark:
		out.at = append(slices.Clone(l.at), newLeft)
	case !keepsRight(n.Kind):
		out.at = l.at
	}
	c.Out = nil
	for old, at := range out.at[:len(n.Out)] {
		if at >= 0 {
			c.Out = append(c.Out, n.Out[old])
		}
	}
	return out
}

func (p *pruner) rebuildAggregate(n *plan.Aggregate, need []int) narrowed {
	in := p.rebuilt(n.Input)
	c := &plan.Aggregate{Input: in.node, Groups: in.toAll(n.Groups), Global: n.Global}
	kept := allOf(len(n.Groups)).list()
	for _, col := range need {
		if col >= len(n.Groups) {
			kept = append(kept, col)
			a := n.Aggs[col-len(n.Groups)]
			a.Args, a.Filter, a.Order = in.toAll(a.Args), in.to(a.Filter), in.toOrder(a.Order)
			c.Aggs = append(c.Aggs, a)
		}
	}
	if len(c.Aggs) == 0 && n.Global && len(n.Aggs) > 0 {
		// One row without columns that are read: it still has to be there, also for empty input.
		c.Aggs = []plan.Agg{{Name: "count_star", Type: bigInt()}}
		c.Out = []plan.Field{{Name: n.Out[0].Name, Type: bigInt()}}
		return narrowed{c, positions(nil, len(n.Out))}
	}
	c.Out = fieldsAt(n.Out, kept)
	return narrowed{c, positions(kept, len(n.Out))}
}

func (p *pruner) rebuildTopN(n *plan.TopN) narrowed {
	in := p.narrow(n, 0)
	c := *n
	c.Input, c.Partition, c.Order = in.node, in.toAll(n.Partition), in.toOrder(n.Order)
	c.Out = slices.Clone(in.node.Fields())
	at := slices.Clone(in.at)
	if n.Number {
		rank := len(n.Out) - 1
		if c.Number = p.need[n][rank]; c.Number {
			at = append(at, len(c.Out))
			c.Out = append(c.Out, n.Out[rank])
		} else {
			at = append(at, -1)
		}
	}
	if !c.Number && c.Limit < 0 && c.Offset == 0 {
		return narrowed{in.node, at} // it ranks for nobody
	}
	return narrowed{&c, at}
}

func (p *pruner) rebuildWindow(n *plan.Window) narrowed {
	in := p.narrow(n, 0)
	c := *n
	c.Input, c.Keys = in.node, slices.Clone(n.Keys)
	for i, k := range n.Keys {
		c.Keys[i] = in.at[k]
	}
	if n.Time >= 0 {
		c.Time = in.at[n.Time]
	}
	old, width := len(n.Input.Fields()), len(in.node.Fields())
	c.Out = append(slices.Clone(in.node.Fields()), n.Out[old:]...)
	return narrowed{&c, append(slices.Clone(in.at), width, width+1)}
}
