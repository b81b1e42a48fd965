package opt

import (
	"slices"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// join carries conditions to both sides. What they say of a key of one side holds for the other, of which only rows that match matter.
func (t *tracer) join(n *plan.Join, conds []*plan.Expr) {
	s := sides{n: n, width: len(n.L.Fields()), kind: withoutPadding(n.Kind, conds, len(n.L.Fields()))}
	for _, k := range n.Keys {
		t.asksTime(k.Left, k.Right)
	}
	t.asksTime(n.Residual)
	s.residual(t)
	above := s.divide(conds)
	t.lose(n, above)
	left, right := s.needs(t)
	t.trace(n.L, left)
	t.trace(n.R, right)
}

// sides are the conditions that concern the two inputs of a join; those of the right one are over its own columns.
type sides struct {
	n     *plan.Join
	width int
	// kind is the join's without the padded rows that the conditions drop.
	kind plan.JoinKind
	// left and right are of the conditions above the join; ownLeft and ownRight are of its own, without which rows don't match.
	left, right, ownLeft, ownRight []*plan.Expr
	// both are conditions on a key of a full join, whichever side it is from: over each side's columns.
	bothLeft, bothRight []*plan.Expr
}

// residual divides the join's own condition.
func (s *sides) residual(t *tracer) {
	fields := append(slices.Clone(s.n.L.Fields()), s.n.R.Fields()...)
	for _, c := range conjuncts(s.n.Residual) {
		switch {
		case within(c, 0, s.width):
			s.ownLeft = append(s.ownLeft, c)
		case within(c, s.width, len(fields)):
			s.ownRight = append(s.ownRight, shift(c, -s.width))
		}
		reads(c, func(i int) {
			if fields[i].Name == watermarkName {
				t.loose(looseLate) // such a row matches nothing, but isn't left out
			}
		})
	}
}

// divide sorts the conditions above the join, and returns those that concern no side alone.
func (s *sides) divide(conds []*plan.Expr) (above []*plan.Expr) {
	for _, c := range conds {
		switch {
		case within(c, 0, s.width):
			s.left = append(s.left, c)
		case within(c, s.width, len(s.n.Out)) && keepsRight(s.n.Kind):
			s.right = append(s.right, shift(c, -s.width))
		case s.eitherKey(c):
		case !fixed(c):
			above = append(above, c)
		}
	}
	return above
}

// eitherKey takes coalesce(l, r) = c, where l and r are a key: rows of both sides with that key decide, whether they match or not.
func (s *sides) eitherKey(c *plan.Expr) bool {
	if c.Kind != plan.Compare || c.Name != "=" && c.Name != "is not distinct from" {
		return false
	}
	for i := range 2 {
		e, value := c.Args[i], c.Args[1-i]
		if e.Kind != plan.Coalesce || len(e.Args) != 2 || value.Kind != plan.Const || value.Value == nil {
			continue
		}
		for _, k := range s.n.Keys {
			right := shift(k.Right, s.width)
			if key(k.Left) == key(e.Args[0]) && key(right) == key(e.Args[1]) || key(k.Left) == key(e.Args[1]) && key(right) == key(e.Args[0]) {
				s.bothLeft, s.bothRight = append(s.bothLeft, compare("=", k.Left, value)), append(s.bothRight, compare("=", k.Right, value))
				return true
			}
		}
	}
	return false
}

// needs are the conditions on the needed rows of each side.
func (s *sides) needs(t *tracer) (left, right []*plan.Expr) {
	matchLeft := append(append(slices.Clone(s.left), s.ownLeft...), s.bothLeft...)
	matchRight := append(append(slices.Clone(s.right), s.ownRight...), s.bothRight...)
	switch s.kind {
	case plan.Inner:
		return append(matchLeft, s.across(matchRight, true)...), append(matchRight, s.across(matchLeft, false)...)
	case plan.Left, plan.Single:
		t.lose(s.n.R, s.right)
		return append(s.left, s.bothLeft...), append(append(s.ownRight, s.bothRight...), s.across(matchLeft, false)...)
	case plan.Right:
		t.lose(s.n.L, s.left)
		return append(append(s.ownLeft, s.bothLeft...), s.across(matchRight, true)...), append(s.right, s.bothRight...)
	case plan.Full:
		t.lose(s.n.L, s.left)
		t.lose(s.n.R, s.right)
		return s.bothLeft, s.bothRight
	case plan.Semi:
		return matchLeft, append(s.ownRight, s.across(matchLeft, false)...)
	case plan.Anti:
		return s.left, append(s.ownRight, s.across(matchLeft, false)...)
	}
	return s.left, s.marking()
}

// across carries conditions on one side's keys to the other; toLeft are those of the right.
func (s *sides) across(conds []*plan.Expr, toLeft bool) []*plan.Expr {
	var out []*plan.Expr
	columns := map[int]*plan.Expr{}
	for _, k := range s.n.Keys {
		from, to := k.Left, k.Right
		if toLeft {
			from, to = to, from
		}
		if c := constant(conds, from); c != nil {
			op := "="
			if k.NullSafe {
				op = "is not distinct from"
			}
			out = append(out, compare(op, to, c))
		} else if from.Kind == plan.Column && identical(from.Type) {
			columns[from.Index] = to
		}
	}
	for _, c := range conds {
		if !fixed(c) && only(c, func(i int) bool { return columns[i] != nil }) {
			out = append(out, c.Map(func(c *plan.Expr) *plan.Expr { return columns[c.Index] }))
		}
	}
	return out
}

// identical reports whether equal values of a type are the same to all functions.
func identical(t types.Type) bool {
	return !t.Kind.IsNested() && t.Kind != types.Float && t.Kind != types.Double && t.Kind != types.Interval && t.Kind != types.JSON
}

// marking are the rows on which a mark depends: those with the key, and those whose key is NULL.
func (s *sides) marking() []*plan.Expr {
	if len(s.n.Keys) != 1 || s.n.Residual != nil || s.n.Keys[0].NullSafe {
		return nil
	}
	k := s.n.Keys[0]
	c := constant(s.left, k.Left)
	if c == nil || c.Kind != plan.Const || c.Value == nil {
		return nil
	}
	return []*plan.Expr{boolean(plan.Or, boolean(plan.IsNull, k.Right), compare("=", k.Right, c))}
}
