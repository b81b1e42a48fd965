package opt

import (
	"slices"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// watermarkName is the name of the hidden column with each row's watermark; users can't name a column so.
const watermarkName = types.Reserved + "wm"

// WatermarkColumn returns the position of the hidden column with each row's watermark, -1 where there is none.
func WatermarkColumn(fields []plan.Field) int {
	return slices.IndexFunc(fields, func(f plan.Field) bool { return f.Name == watermarkName })
}

func watermarkField() plan.Field {
	return plan.Field{Name: watermarkName, Type: plan.SystemType(plan.Watermark)}
}

// marker rebuilds plans so that rows carry their own watermark (_wm) in a hidden last column where it is asked for.
type marker struct {
	*optimizer
	facts *Facts
	// wanted are the nodes of the original plan whose rows must carry it.
	wanted map[plan.Node]bool
	// done are the rebuilt nodes, with the hidden column where it is wanted and can be had.
	done map[plan.Node]plan.Node
}

// markable reports whether rows of n can carry their own watermark. What is computed from many rows has none, and is never late.
func (m *marker) markable(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Scan:
		switch n.Relation.Kind {
		case plan.StreamRelation:
			return n.Relation.Time.Watermarked
		case plan.ViewRelation:
			return m.inlined(n) != nil
		}
		return false
	case *plan.Values, *plan.Aggregate:
		return false
	case *plan.Window:
		return n.Kind != plan.Session && m.markable(n.Input)
	case *plan.Join:
		return m.markable(n.L) || keepsRight(n.Kind) && m.markable(n.R)
	}
	return slices.ContainsFunc(n.Inputs(), m.markable)
}

// inlined returns the plan of a view whose rows may be late for what reads them; nil for other views.
func (m *marker) inlined(n *plan.Scan) plan.Node {
	if n.Relation.View == nil || !slices.ContainsFunc(n.Relation.View.Times, func(t plan.TimeColumn) bool { return !t.Final }) {
		return nil
	}
	return m.View(n.Relation.ID)
}

// want asks for the hidden column on n and on what below can give it.
func (m *marker) want(n plan.Node) {
	if m.wanted[n] || !m.markable(n) {
		return
	}
	m.wanted[n] = true
	switch n := n.(type) {
	case *plan.Join:
		m.want(n.L)
		if keepsRight(n.Kind) {
			m.want(n.R)
		}
	default:
		for _, in := range n.Inputs() {
			m.want(in)
		}
	}
}

// plain returns n rebuilt, without the hidden column.
func (m *marker) plain(n plan.Node) plan.Node {
	r := m.rebuilt(n)
	if !m.wanted[n] {
		return r
	}
	out := r.Fields()[:len(r.Fields())-1]
	return &plan.Project{Input: r, Exprs: all(out), Out: out}
}

// marked returns n rebuilt, with the hidden column last: before everything where the rows have none of their own.
func (m *marker) marked(n plan.Node) plan.Node {
	r := m.rebuilt(n)
	if m.wanted[n] {
		return r
	}
	wm := watermarkField()
	es := append(all(r.Fields()), plan.Lit(types.NoWatermark, wm.Type))
	return &plan.Project{Input: r, Exprs: es, Out: append(slices.Clone(r.Fields()), wm)}
}

// as returns n rebuilt with the hidden column where the parent wants it, without it else.
func (m *marker) as(n plan.Node, marked bool) plan.Node {
	if marked {
		return m.marked(n)
	}
	return m.plain(n)
}

func (m *marker) rebuilt(n plan.Node) plan.Node {
	d, ok := m.done[n]
	if !ok {
		d = m.rebuild(n, m.wanted[n])
		m.done[n] = d
	}
	return d
}

func (m *marker) rebuild(n plan.Node, mark bool) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		return m.rebuildScan(n, mark)
	case *plan.Project:
		in := m.as(n.Input, mark)
		if !mark {
			return with(n, []plan.Node{in})
		}
		wm := watermarkField()
		es := append(slices.Clone(n.Exprs), plan.Col(len(in.Fields())-1, wm.Type))
		return &plan.Project{Input: in, Exprs: es, Out: append(slices.Clone(n.Out), wm)}
	case *plan.Union:
		c := &plan.Union{Out: n.Out}
		for _, s := range n.Sources {
			c.Sources = append(c.Sources, m.as(s, mark))
		}
		if mark {
			c.Out = append(slices.Clone(n.Out), watermarkField())
		}
		return c
	case *plan.Join:
		return m.rebuildJoin(n, mark)
	case *plan.Aggregate:
		return with(n, []plan.Node{m.timely(n.Input, n.Groups)})
	case *plan.TopN:
		return m.rebuildTopN(n, mark)
	case *plan.Window:
		return m.rebuildWindow(n, mark)
	}
	in := slices.Clone(n.Inputs()) // Filter, EmitOnClose, Values
	for i := range in {
		in[i] = m.as(in[i], mark)
	}
	return with(n, in)
}

func (m *marker) rebuildScan(n *plan.Scan, mark bool) plan.Node {
	if !mark {
		return n
	}
	wm := watermarkField()
	if n.Relation.Kind == plan.StreamRelation {
		if i := slices.Index(n.System, plan.Watermark); i >= 0 { // it was asked for by name
			es := append(all(n.Out), plan.Col(len(n.Columns)+i, wm.Type))
			return &plan.Project{Input: n, Exprs: es, Out: append(slices.Clone(n.Out), wm)}
		}
		c := *n
		c.System, c.Out = append(slices.Clone(n.System), plan.Watermark), append(slices.Clone(n.Out), wm)
		return &c
	}
	view := m.inlined(n)
	m.want(view)
	in := m.marked(view)
	es := make([]*plan.Expr, 0, len(n.Columns)+1)
	for i, c := range n.Columns {
		es = append(es, plan.Col(c, n.Out[i].Type))
	}
	es = append(es, plan.Col(len(in.Fields())-1, wm.Type))
	return &plan.Project{Input: in, Exprs: es, Out: append(slices.Clone(n.Out), wm)}
}

// reordered returns n with its columns at cols alone, under the names of fields.
func reordered(n plan.Node, cols []int, fields []plan.Field) plan.Node {
	es := make([]*plan.Expr, len(cols))
	for i, c := range cols {
		es[i] = plan.Col(c, fields[i].Type)
	}
	return &plan.Project{Input: n, Exprs: es, Out: fields}
}

// lastBut returns 0..n-1 with the hidden column, now at from, put last.
func lastBut(n, from int) []int {
	out := make([]int, 0, n)
	for i := range n {
		if i != from {
			out = append(out, i)
		}
	}
	return append(out, from)
}

func (m *marker) rebuildTopN(n *plan.TopN, mark bool) plan.Node {
	c := *n
	c.Input = m.tested(n.Input, n.Partition, mark)
	if !mark {
		return &c
	}
	width := len(n.Input.Fields())
	c.Out = append(slices.Clone(n.Out[:width]), watermarkField())
	c.Out = append(c.Out, n.Out[width:]...)
	return reordered(&c, lastBut(len(c.Out), width), append(slices.Clone(n.Out), watermarkField()))
}

func (m *marker) rebuildWindow(n *plan.Window, mark bool) plan.Node {
	c := *n
	width := len(n.Input.Fields())
	if n.Kind == plan.Session {
		if m.facts.sessionTime(n) == nil {
			c.Input = m.plain(n.Input)
			return &c
		}
		c.Input = m.marked(n.Input)
		c.Out = append(append(slices.Clone(n.Out[:width]), watermarkField()), n.Out[width:]...)
		cols := lastBut(len(c.Out), width)
		return reordered(&c, cols[:len(cols)-1], n.Out)
	}
	c.Input = m.as(n.Input, mark)
	if !mark {
		return &c
	}
	c.Out = append(append(slices.Clone(n.Out[:width]), watermarkField()), n.Out[width:]...)
	return reordered(&c, lastBut(len(c.Out), width), append(slices.Clone(n.Out), watermarkField()))
}
