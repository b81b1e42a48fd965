package bind

import (
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// inputs translates both sides of a join.
func (s *session) inputs(n *tree) (l, r plan.Node, err error) {
	if l, err = s.node(n.Children[0]); err != nil {
		return nil, nil, err
	}
	r, err = s.node(n.Children[1])
	return l, r, err
}

func (s *session) cross(n *tree) (plan.Node, error) {
	if subquery, ok := scalarSubquery(n.Children[1]); ok {
		return s.single(n.Children[0], subquery)
	}
	l, r, err := s.inputs(n)
	if err != nil {
		return nil, err
	}
	return join(plan.Inner, l, r), nil
}

// join makes a join without condition.
func join(kind plan.JoinKind, l, r plan.Node) *plan.Join {
	j := &plan.Join{Kind: kind, L: l, R: r}
	j.Out = append(j.Out, l.Fields()...)
	switch kind {
	case plan.Semi, plan.Anti:
	case plan.Mark:
		j.Out = append(j.Out, plan.Field{Name: "mark", Type: types.Of(types.Boolean)})
	default:
		j.Out = append(j.Out, r.Fields()...)
	}
	return j
}

func (s *session) comparisonJoin(n *tree) (plan.Node, error) {
	l, r, err := s.inputs(n)
	if err != nil {
		return nil, err
	}
	return s.conditioned(n, l, r)
}

// delimJoin is a correlated subquery: the right side was planned over the distinct values of the left's correlated columns, and is joined
// back on them.
func (s *session) delimJoin(n *tree) (plan.Node, error) {
	l, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	if n.Flipped {
		return nil, types.Errorf(types.Internal, "DuckDB's plan has a flipped correlated join")
	}
	groups, err := scope{s, l.Fields()}.exprs(n.Correlated)
	if err != nil {
		return nil, err
	}
	d := &plan.Aggregate{Input: l, Groups: groups}
	for _, g := range groups {
		f := plan.Field{Type: g.Type}
		if g.Kind == plan.Column {
			f.Name = l.Fields()[g.Index].Name
		}
		d.Out = append(d.Out, f)
	}
	s.delims = append(s.delims, d)
	r, err := s.node(n.Children[1])
	s.delims = s.delims[:len(s.delims)-1]
	if err != nil {
		return nil, err
	}
	return s.conditioned(n, l, r)
}

func (s *session) delimGet(n *tree) (plan.Node, error) {
	if len(s.delims) == 0 {
		return nil, types.Errorf(types.Internal, "DuckDB's plan reads the values of a correlated join outside of one")
	}
	d := s.delims[len(s.delims)-1]
	if len(d.Fields()) != len(n.Chunk) {
		return nil, types.Errorf(types.Unsupported, "this correlated subquery is not supported in views").WithHint("join instead")
	}
	return d, nil
}

// joinKinds are DuckDB's; swapped ones have their sides exchanged.
var joinKinds = map[string]struct {
	kind    plan.JoinKind
	swapped bool
}{
	"INNER": {plan.Inner, false}, "LEFT": {plan.Left, false}, "RIGHT": {plan.Right, false}, "FULL": {plan.Full, false}, "OUTER": {plan.Full, false},
	"SEMI": {plan.Semi, false}, "ANTI": {plan.Anti, false}, "RIGHT_SEMI": {plan.Semi, true}, "RIGHT_ANTI": {plan.Anti, true},
	"MARK": {plan.Mark, false}, "SINGLE": {plan.Single, false},
}

// start makes the join of n, without its conditions.
func (s *session) start(n *tree, l, r plan.Node) (*plan.Join, bool, error) {
	k, ok := joinKinds[n.JoinType]
	if !ok {
		return nil, false, types.Errorf(types.Unsupported, "a %s join is not supported in views", strings.ToLower(n.JoinType))
	}
	if len(n.LeftMap) > 0 || len(n.RightMap) > 0 {
		return nil, false, types.Errorf(types.Internal, "DuckDB's plan has a join that drops columns")
	}
	if k.swapped {
		l, r = r, l
	}
	return join(k.kind, l, r), k.swapped, nil
}

// conditioned is a join on a list of comparisons, the left operand over l, the right over r.
func (s *session) conditioned(n *tree, l, r plan.Node) (plan.Node, error) {
	j, swapped, err := s.start(n, l, r)
	if err != nil {
		return nil, err
	}
	left, right := scope{s, l.Fields()}, scope{s, r.Fields()}
	var rest []*plan.Expr
	for _, c := range n.Conditions {
		a, err := left.expr(c.Left)
		if err != nil {
			return nil, err
		}
		b, err := right.expr(c.Right)
		if err != nil {
			return nil, err
		}
		op := comparisons[c.Comparison]
		if swapped {
			a, b, op = b, a, mirrored(op)
		}
		switch op {
		case "":
			return nil, types.Errorf(types.Internal, "DuckDB's plan has a join on %s", c.Comparison)
		case "=", "is not distinct from":
			j.Keys = append(j.Keys, plan.JoinKey{Left: a, Right: b, NullSafe: op != "="})
		default:
			b = shift(b, len(j.L.Fields()))
			rest = append(rest, &plan.Expr{Kind: plan.Compare, Name: op, Type: types.Of(types.Boolean), Args: []*plan.Expr{a, b}, Place: -1})
		}
	}
	j.Residual = and(rest)
	return j, nil
}

func mirrored(op string) string {
	switch op {
	case "<", "<=":
		return ">" + op[1:]
	case ">", ">=":
		return "<" + op[1:]
	}
	return op
}

// shift moves column references by n.
func shift(e *plan.Expr, n int) *plan.Expr {
	return e.Map(func(c *plan.Expr) *plan.Expr {
		moved := *c
		moved.Index += n
		return &moved
	})
}

// anyJoin is a join on any condition; equalities of one side with the other among its conjuncts become keys.
func (s *session) anyJoin(n *tree) (plan.Node, error) {
	l, r, err := s.inputs(n)
	if err != nil {
		return nil, err
	}
	j, swapped, err := s.start(n, l, r)
	if err != nil {
		return nil, err
	}
	both := append(append([]plan.Field(nil), l.Fields()...), r.Fields()...)
	cond, err := scope{s, both}.expr(n.Condition)
	if err != nil {
		return nil, err
	}
	width := len(l.Fields())
	if swapped {
		cond = exchange(cond, width, len(r.Fields()))
		width = len(r.Fields())
	}
	var rest []*plan.Expr
	for _, c := range conjuncts(cond) {
		if k, ok := equality(c, width); ok {
			j.Keys = append(j.Keys, k)
		} else {
			rest = append(rest, c)
		}
	}
	j.Residual = and(rest)
	return j, nil
}

// exchange renumbers columns of (a, b) as those of (b, a).
func exchange(e *plan.Expr, a, b int) *plan.Expr {
	return e.Map(func(c *plan.Expr) *plan.Expr {
		moved := *c
		if moved.Index < a {
			moved.Index += b
		} else {
			moved.Index -= a
		}
		return &moved
	})
}

func conjuncts(e *plan.Expr) []*plan.Expr {
	if e.Kind != plan.And {
		return []*plan.Expr{e}
	}
	var out []*plan.Expr
	for _, a := range e.Args {
		out = append(out, conjuncts(a)...)
	}
	return out
}

// equality reads a conjunct that compares one side of a join, the columns below width, with the other.
func equality(e *plan.Expr, width int) (plan.JoinKey, bool) {
	if e.Kind != plan.Compare || e.Name != "=" && e.Name != "is not distinct from" {
		return plan.JoinKey{}, false
	}
	a, b := e.Args[0], e.Args[1]
	if side(a, width) == onRight && side(b, width) == onLeft {
		a, b = b, a
	}
	if side(a, width) != onLeft || side(b, width) != onRight {
		return plan.JoinKey{}, false
	}
	return plan.JoinKey{Left: a, Right: shift(b, -width), NullSafe: e.Name != "="}, true
}

// Which columns an expression reads.
const (
	onNeither = iota
	onLeft
	onRight
	onBoth
)

func side(e *plan.Expr, width int) int {
	out := onNeither
	e.Walk(func(e *plan.Expr) bool {
		if e.Kind == plan.Column {
			if e.Index < width {
				out |= onLeft
			} else {
				out |= onRight
			}
		}
		return true
	})
	return out
}
