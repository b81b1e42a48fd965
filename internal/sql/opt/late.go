package opt

import (
	"slices"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// addLateness makes what groups, ranks or joins by a time that carries a watermark drop the rows that are late for it (DESIGN 3): a late
// filter below, over each row's own watermark. A window is tested by its end, a time of a band by itself. On the preserved side of a join
// the test belongs to the join's condition: a late row comes out as one without a match. Nothing else drops late rows; sessions do it
// themselves and get the hidden column.
func (z *optimizer) addLateness(root plan.Node) plan.Node {
	m := &marker{optimizer: z, facts: NewFacts(), wanted: map[plan.Node]bool{}, done: map[plan.Node]plan.Node{}}
	for _, n := range parentsFirst(root) {
		m.wants(n)
	}
	return m.plain(root)
}

// Late returns n with nothing done to it but what addLateness does: what the optimised plan must equal.
func Late(n plan.Node) (plan.Node, error) {
	z := &optimizer{Options: Options{View: func(types.ObjectID) plan.Node { return nil }}}
	return z.addLateness(z.findBands(n)), check(n)
}

// wants asks for the hidden column below n where n tests for late rows.
func (m *marker) wants(n plan.Node) {
	switch n := n.(type) {
	case *plan.Aggregate:
		if len(m.lateWindows(n.Input, n.Groups)) > 0 {
			m.want(n.Input)
		}
	case *plan.TopN:
		if len(m.lateWindows(n.Input, n.Partition)) > 0 {
			m.want(n.Input)
		}
	case *plan.Window:
		if n.Kind == plan.Session && m.facts.sessionTime(n) != nil {
			m.want(n.Input)
		}
	case *plan.Join:
		if b := m.facts.boundOf(n); b != nil {
			if !b.Left.Final {
				m.want(n.L)
			}
			if !b.Right.Final {
				m.want(n.R)
			}
		}
	}
}

// lateWindows returns the window times among es for which rows of n may be late; of each window its end where n has it.
func (m *marker) lateWindows(n plan.Node, es []*plan.Expr) []*plan.TimeColumn {
	k := m.facts.of(n)
	ends := map[string]*plan.TimeColumn{}
	for i := range k.Times {
		if t := &k.Times[i]; t.Kind == plan.WindowEnd {
			ends[k.origins[i]] = t
		}
	}
	var out []*plan.TimeColumn
	for _, t := range k.windowsOf(es) {
		if t.Final {
			continue
		}
		if end := ends[k.originOf(t.Column)]; end != nil {
			t = end
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *plan.TimeColumn) int { return a.Column - b.Column })
	return slices.Compact(out)
}

// timely returns n rebuilt without the rows that are late for the windows among keys, and without the hidden column.
func (m *marker) timely(n plan.Node, keys []*plan.Expr) plan.Node { return m.tested(n, keys, false) }

// tested returns n rebuilt without the rows that are late for the windows among keys; with marked it keeps the hidden column.
func (m *marker) tested(n plan.Node, keys []*plan.Expr, marked bool) plan.Node {
	return m.filtered(n, m.lateWindows(n, keys), marked)
}

// filtered returns n rebuilt without the rows that are late by one of the times.
func (m *marker) filtered(n plan.Node, times []*plan.TimeColumn, marked bool) plan.Node {
	if len(times) == 0 || !m.wanted[n] {
		return m.as(n, marked)
	}
	in := m.rebuilt(n)
	fields := in.Fields()
	tests := make([]*plan.Expr, len(times))
	for i, t := range times {
		tests[i] = inTime(t, fields[t.Column].Type, t.Column, len(fields)-1, padded(n))
	}
	late := &plan.Filter{Input: in, Cond: and(tests), Late: true}
	if marked {
		return late
	}
	out := fields[:len(fields)-1]
	return &plan.Project{Input: late, Exprs: all(out), Out: out}
}

// inTime is the test of a row with the time t at column at and its watermark at column wm. A row without a time is not late: nullable says
// whether a window's time can be NULL, an event time always can.
func inTime(t *plan.TimeColumn, typ types.Type, at, wm int, nullable bool) *plan.Expr {
	time := plan.Col(at, typ)
	mark := plan.Col(wm, plan.SystemType(plan.Watermark))
	if !typ.Equal(mark.Type) {
		mark = &plan.Expr{Kind: plan.Cast, Type: typ, Args: []*plan.Expr{mark}, Place: -1}
	}
	var test *plan.Expr
	switch t.Kind {
	case plan.EventTime:
		test, nullable = compare(">=", time, mark), true
	case plan.WindowStart:
		size := plan.Lit(plan.Interval{Micros: t.Size}, types.Of(types.Interval))
		end := &plan.Expr{Kind: plan.Call, Name: "+", Type: typ, Args: []*plan.Expr{time, size}, Place: -1}
		test = compare(">", end, mark)
	default:
		test = compare(">", time, mark)
	}
	if nullable {
		return boolean(plan.Or, boolean(plan.IsNull, time), test)
	}
	return test
}

// padded reports whether a join below n makes rows with NULLs.
func padded(n plan.Node) bool {
	if j, ok := n.(*plan.Join); ok {
		switch j.Kind {
		case plan.Left, plan.Right, plan.Full, plan.Single:
			return true
		}
	}
	return slices.ContainsFunc(n.Inputs(), padded)
}

// preserves says whether rows of a side come out of a join also without a match.
func preserves(k plan.JoinKind) (left, right bool) {
	switch k {
	case plan.Left, plan.Anti, plan.Single:
		return true, false
	case plan.Right:
		return false, true
	case plan.Full:
		return true, true
	}
	return false, false
}

// joinSide is one input of a join as it is rebuilt: its hidden column, -1 for none, is last.
type joinSide struct {
	node plan.Node
	wm   int
	// test is the lateness test that belongs to the join's condition, over this side's columns.
	test *plan.Expr
}

func (m *marker) side(n plan.Node, t *plan.TimeColumn, preserved, mark bool) joinSide {
	late := t != nil && !t.Final && m.wanted[n]
	keep := m.wanted[n] && (mark || late && preserved)
	var s joinSide
	if late && !preserved {
		s.node = m.filtered(n, []*plan.TimeColumn{t}, keep)
	} else {
		s.node = m.as(n, keep)
	}
	s.wm = -1
	if keep {
		s.wm = len(s.node.Fields()) - 1
	}
	if late && preserved {
		s.test = inTime(t, s.node.Fields()[t.Column].Type, t.Column, s.wm, padded(n))
	}
	return s
}

func (m *marker) rebuildJoin(n *plan.Join, mark bool) plan.Node {
	b := m.facts.boundOf(n)
	if b == nil {
		b = &bound{}
	}
	keepLeft, keepRight := preserves(n.Kind)
	l := m.side(n.L, b.Left, keepLeft, mark)
	r := m.side(n.R, b.Right, keepRight, mark && keepsRight(n.Kind))
	c := *n
	c.L, c.R = l.node, r.node
	lw, rw, newLeft := len(n.L.Fields()), len(n.R.Fields()), len(l.node.Fields())
	widened := func(i int) int {
		if i >= lw {
			return i + newLeft - lw
		}
		return i
	}
	conds := conjuncts(moved(n.Residual, widened))
	if l.test != nil {
		conds = append(conds, l.test)
	}
	if r.test != nil {
		conds = append(conds, shift(r.test, newLeft))
	}
	c.Residual = and(conds)
	c.Out = joinFields(n, l.node, r.node)
	if l.wm < 0 && r.wm < 0 && !mark {
		return &c
	}
	return joinOutput(n, &c, l, r, mark, b.Left != nil, lw, rw)
}

// joinFields are the output columns of n over these inputs.
func joinFields(n *plan.Join, l, r plan.Node) []plan.Field {
	lw := len(n.L.Fields())
	out := append(slices.Clone(n.Out[:lw]), l.Fields()[lw:]...)
	switch {
	case n.Kind == plan.Mark:
		out = append(out, n.Out[lw])
	case keepsRight(n.Kind):
		rw := len(n.R.Fields())
		out = append(append(out, n.Out[lw:]...), r.Fields()[rw:]...)
	}
	return out
}

// joinOutput puts the columns of n's output back in order, with mark the hidden one of the joined row behind them: the greatest of its
// parents', as it came with the later of them. Where a band or window bounds the join, rows that matched were in time and are not late again,
// and one that did not has its own: the least of those that there are.
func joinOutput(n, c *plan.Join, l, r joinSide, mark, bounded bool, lw, rw int) plan.Node {
	cols := make([]int, 0, len(n.Out))
	for i := range lw {
		cols = append(cols, i)
	}
	newLeft := len(l.node.Fields())
	switch {
	case n.Kind == plan.Mark:
		cols = append(cols, newLeft)
	case keepsRight(n.Kind):
		for i := range rw {
			cols = append(cols, newLeft+i)
		}
	}
	out := reordered(c, cols, n.Out).(*plan.Project)
	if !mark {
		return out
	}
	wm := watermarkField()
	var marks []*plan.Expr
	if l.wm >= 0 {
		marks = append(marks, plan.Col(l.wm, wm.Type))
	}
	if r.wm >= 0 && keepsRight(n.Kind) {
		marks = append(marks, plan.Col(newLeft+r.wm, wm.Type))
	}
	e := marks[0]
	if len(marks) == 2 {
		e = &plan.Expr{Kind: plan.Call, Name: "greatest", Type: wm.Type, Args: marks, Place: -1}
		if bounded {
			e.Name = "least"
		}
	}
	if padsLeft := n.Kind == plan.Right || n.Kind == plan.Full; r.wm < 0 && padsLeft || l.wm < 0 && n.Kind != plan.Inner && n.Kind != plan.Right {
		// What is padded has no watermark of its own on the other side: it is never late.
		e = &plan.Expr{Kind: plan.Coalesce, Type: wm.Type, Args: []*plan.Expr{e, plan.Lit(types.NoWatermark, wm.Type)}, Place: -1}
	}
	out.Exprs, out.Out = append(out.Exprs, e), append(slices.Clone(n.Out), wm)
	return out
}
