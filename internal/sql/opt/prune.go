package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// prune drops the columns that nobody reads: scans don't read them, projections don't compute them, joins and windows of sessions don't
// keep them. The output of the root stays as it is.
//
// A row_number() reads all of its input's columns, as they break ties, unless a key of the input is among what it ranks by.
func (z *optimizer) prune(root plan.Node) plan.Node {
	p := &pruner{need: map[plan.Node]columnSet{}, done: map[plan.Node]narrowed{}, facts: NewFacts()}
	width := len(root.Fields())
	p.require(root, allOf(width))
	for _, n := range parentsFirst(root) {
		p.requirements(n, p.need[n])
	}
	return p.exactly(root, allOf(width).list())
}

// columnSet is a set of columns.
type columnSet map[int]bool

func allOf(width int) columnSet {
	s := columnSet{}
	for i := range width {
		s[i] = true
	}
	return s
}

func (s columnSet) addAll(es ...*plan.Expr) {
	for _, e := range es {
		reads(e, func(c int) { s[c] = true })
	}
}

// list returns the columns, sorted.
func (s columnSet) list() []int {
	out := make([]int, 0, len(s))
	for c := range s {
		out = append(out, c)
	}
	slices.Sort(out)
	return out
}

// parentsFirst returns the nodes of a plan, each after all that read it.
func parentsFirst(root plan.Node) []plan.Node {
	seen := map[plan.Node]bool{}
	var out []plan.Node
	var visit func(plan.Node)
	visit = func(n plan.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			visit(in)
		}
		out = append(out, n)
	}
	visit(root)
	slices.Reverse(out)
	return out
}

type pruner struct {
	// need are the columns of each node's output that its parents read, together.
	need  map[plan.Node]columnSet
	done  map[plan.Node]narrowed
	facts *Facts
}

// narrowed is a node rebuilt without what nobody reads: old column c is now at, where it is not -1.
type narrowed struct {
	node plan.Node
	at   []int
}

func (p *pruner) require(n plan.Node, cols columnSet) {
	s := p.need[n]
	if s == nil {
		s = columnSet{}
		p.need[n] = s
	}
	for c := range cols {
		s[c] = true
	}
}

// requirements adds what n needs of its inputs to give the columns out.
func (p *pruner) requirements(n plan.Node, out columnSet) {
	for i, in := range n.Inputs() {
		p.require(in, p.inputNeed(n, i, out))
	}
}

// inputNeed returns the columns of its i-th input that n needs to give the columns out.
func (p *pruner) inputNeed(n plan.Node, i int, out columnSet) columnSet {
	in := columnSet{}
	width := len(n.Inputs()[0].Fields())
	pass := func() {
		for c := range out {
			if c < width {
				in[c] = true
			}
		}
	}
	switch n := n.(type) {
	case *plan.Filter:
		pass()
		in.addAll(n.Cond)
	case *plan.Project:
		for c := range out {
			in.addAll(n.Exprs[c])
		}
	case *plan.Join:
		return joinNeed(n, i, out)
	case *plan.Aggregate:
		in.addAll(n.Groups...)
		for j, a := range n.Aggs {
			if out[len(n.Groups)+j] {
				in.addAll(a.Args...)
				in.addAll(a.Filter)
				in.addOrder(a.Order)
			}
		}
	case *plan.TopN:
		if n.Ranking == plan.RowNumber && !p.ranked(n) {
			return allOf(width)
		}
		pass()
		in.addAll(n.Partition...)
		in.addOrder(n.Order)
	case *plan.Window:
		pass()
		if n.Time >= 0 {
			in[n.Time] = true
		}
		if n.Kind == plan.Session {
			if wm := WatermarkColumn(n.Input.Fields()); wm >= 0 {
				in[wm] = true
			}
		}
		for _, k := range n.Keys {
			in[k] = true
		}
	case *plan.EmitOnClose:
		pass()
		in[n.Time] = true
	default: // Union
		pass()
	}
	return in
}

func (s columnSet) addOrder(order []plan.SortKey) {
	for _, k := range order {
		s.addAll(k.Expr)
	}
}

// ranked reports whether no two rows of a partition tie.
func (p *pruner) ranked(n *plan.TopN) bool {
	by := columnsOf(n.Partition)
	for _, k := range n.Order {
		by = append(by, columnsOf([]*plan.Expr{k.Expr})...)
	}
	return contains(by, p.facts.Of(n.Input).Key)
}

// joinNeed is inputNeed of a join.
func joinNeed(n *plan.Join, i int, out columnSet) columnSet {
	width := len(n.L.Fields())
	both := columnSet{}
	both.addAll(n.Residual)
	for c := range out {
		if c < width || keepsRight(n.Kind) {
			both[c] = true
		}
	}
	for _, k := range n.Keys {
		both.addAll(k.Left, shift(k.Right, width))
	}
	if n.Band != nil {
		both[n.Band.LeftTime], both[width+n.Band.RightTime] = true, true
	}
	side := columnSet{}
	for c := range both {
		if i == 0 && c < width {
			side[c] = true
		} else if i == 1 && c >= width {
			side[c-width] = true
		}
	}
	return side
}
