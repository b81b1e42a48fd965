package lower

import (
	"slices"

	"leat/internal/engine/op"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// roles say what the columns of a node above a session are of it: a position among its keys, or one of these.
const (
	otherColumn = -1 - iota
	sessionStart
	sessionEnd
)

// bySession is a GROUP BY of all keys and a bound of a session that nothing else reads. Its rows carry the session's ID in place of both bounds, so
// that a session that grows does not bring all its rows anew; the groups get the bounds afterwards.
type bySession struct {
	window *plan.Window
	// roles are those of the aggregate's input.
	roles []int
}

// findSession returns nil where n has to take the rows with their bounds.
func (l *lowerer) findSession(n *plan.Aggregate) *bySession {
	s := l.sessionBelow(n.Input)
	if s == nil {
		return nil
	}
	bounded, keys := false, map[int]bool{}
	for _, g := range n.Groups {
		switch {
		case g.Kind != plan.Column:
			if s.reads(g) {
				return nil
			}
		case s.roles[g.Index] >= 0:
			keys[s.roles[g.Index]] = true
		default:
			bounded = bounded || s.roles[g.Index] != otherColumn
		}
	}
	for _, a := range n.Aggs {
		if slices.ContainsFunc(a.Args, s.reads) || a.Filter != nil && s.reads(a.Filter) || len(a.Order) > 0 {
			return nil
		}
	}
	if !bounded || len(keys) < len(s.window.Keys) {
		return nil
	}
	return s
}

// sessionBelow follows filters and projections down to a session; nil where one does more with its bounds than to copy them.
func (l *lowerer) sessionBelow(n plan.Node) *bySession {
	if l.uses[n] > 1 {
		return nil
	}
	switch n := n.(type) {
	case *plan.Window:
		if n.Kind != plan.Session {
			return nil
		}
		s := &bySession{window: n}
		for i := range n.Input.Fields() {
			s.roles = append(s.roles, max(slices.Index(n.Keys, i), otherColumn))
		}
		s.roles = append(s.roles, sessionStart, sessionEnd)
		return s
	case *plan.Filter:
		if s := l.sessionBelow(n.Input); s != nil && !n.Late && !s.reads(n.Cond) {
			return s
		}
	case *plan.Project:
		s := l.sessionBelow(n.Input)
		if s == nil {
			return nil
		}
		roles := make([]int, len(n.Exprs))
		for i, e := range n.Exprs {
			switch {
			case e.Kind == plan.Column:
				roles[i] = s.roles[e.Index]
			case s.reads(e):
				return nil
			default:
				roles[i] = otherColumn
			}
		}
		return &bySession{s.window, roles}
	}
	return nil
}

// reads reports whether an expression reads a bound of the session.
func (s *bySession) reads(e *plan.Expr) bool {
	found := false
	e.Walk(func(e *plan.Expr) bool {
		found = found || e.Kind == plan.Column && s.roles[e.Index] < otherColumn
		return !found
	})
	return found
}

// sessionGroups lowers a GROUP BY of a session.
func (l *lowerer) sessionGroups(n *plan.Aggregate, s *bySession) (node, error) {
	l.identified[s.window] = &sessionNode{}
	in, err := l.node(n.Input)
	if err != nil {
		return node{}, err
	}
	session := l.identified[s.window]
	cfg := op.SessionGroupsConfig{Gap: s.window.Gap, Changes: session.changes, Time: s.window.Out[len(s.window.Out)-1].Type}
	var o operands
	at := slices.IndexFunc(n.Groups, func(g *plan.Expr) bool { return g.Kind == plan.Column && s.roles[g.Index] < otherColumn })
	cfg.Groups = append(cfg.Groups, o.add(n.Groups[at]))
	cfg.Single = true
	for _, g := range n.Groups {
		cfg.Single = cfg.Single && g.Kind == plan.Column && s.roles[g.Index] != otherColumn
		if g.Kind == plan.Column && s.roles[g.Index] < otherColumn {
			bound := op.SessionStart
			if s.roles[g.Index] == sessionEnd {
				bound = op.SessionEnd
			}
			cfg.Columns = append(cfg.Columns, bound)
			continue
		}
		cfg.Columns = append(cfg.Columns, len(cfg.Groups))
		cfg.Groups = append(cfg.Groups, o.add(g))
	}
	if cfg.Aggs, err = aggregates(n, &o); err != nil {
		return node{}, err
	}
	for i := range cfg.Aggs {
		cfg.Columns = append(cfg.Columns, len(cfg.Groups)+i)
	}
	if in, err = l.compute(in, o.exprs); err != nil {
		return node{}, err
	}
	cfg.Types = in.types
	g, err := op.NewSessionGroups(cfg, l.table)
	if err != nil {
		return node{}, err
	}
	return l.add("aggregate", g, typesOf(n.Out), in, session.node), nil
}

// sessionNode is a session whose rows carry IDs.
type sessionNode struct {
	node    node
	changes *op.SessionChanges
}

// session lowers a session.
func (l *lowerer) session(n *plan.Window, in []types.Type, wm int) (op.Op, error) {
	s := l.identified[n]
	if s == nil {
		return op.NewSession(n, in, wm, l.table)
	}
	o, changes, err := op.NewSessionIDs(n, in, wm, l.table)
	s.changes = changes
	return o, err
}
