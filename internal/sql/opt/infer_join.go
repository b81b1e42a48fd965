package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// bound is the pair of times that bounds a join: Key is the position among its keys, -1 where it is the band.
type bound struct {
	Key         int
	Left, Right *plan.TimeColumn
}

// boundOf returns what bounds a join in time, nil if nothing does. Mark joins, whose rows all come out, take no test of lateness.
func (f *Facts) boundOf(n *plan.Join) *bound {
	if n.Kind == plan.Mark {
		return nil
	}
	l, r := f.of(n.L), f.of(n.R)
	if n.Band != nil {
		if a, b := l.TimeOf(n.Band.LeftTime), r.TimeOf(n.Band.RightTime); a.Timed() && b.Timed() {
			return &bound{-1, a, b}
		}
	}
	for i, k := range n.Keys {
		if k.Left.Kind != plan.Column || k.Right.Kind != plan.Column {
			continue
		}
		if a, b := l.TimeOf(k.Left.Index), r.TimeOf(k.Right.Index); a.Timed() && b.Timed() {
			return &bound{i, a, b}
		}
	}
	return nil
}

// delays returns how far behind the watermark the output of a bounded join still changes, by the left's time and by the right's.
func (b *bound) delays(n *plan.Join) (left, right int64) {
	l, r := b.Left.Delay(), b.Right.Delay()
	if b.Key >= 0 {
		return max(l, r), max(l, r)
	}
	return max(l, r+n.Band.Upper), max(r, l-n.Band.Lower)
}

func (f *Facts) join(n *plan.Join) *fact {
	l, r := f.of(n.L), f.of(n.R)
	out := &fact{}
	out.AppendOnly = l.AppendOnly && r.AppendOnly && (n.Kind == plan.Inner || n.Kind == plan.Semi)
	out.Key = joinKey(n, l.Key, r.Key)
	width := len(n.L.Fields())
	if b := f.boundOf(n); b != nil {
		dl, dr := b.delays(n)
		settled := b.Left.Settled && b.Right.Settled
		preserved := n.Kind != plan.Inner && n.Kind != plan.Semi
		out.bounded(l, 0, b.Left, dl, settled, preserved && n.Kind != plan.Right)
		if keepsRight(n.Kind) {
			out.bounded(r, width, b.Right, dr, settled, n.Kind == plan.Right || n.Kind == plan.Full)
		}
		return out
	}
	out.unbounded(l, 0, n.Kind == plan.Inner && r.AppendOnly && marks(n.R))
	if keepsRight(n.Kind) {
		out.unbounded(r, width, n.Kind == plan.Inner && l.AppendOnly && marks(n.L))
	}
	return out
}

// keepsRight reports whether the right's columns are in a join's output.
func keepsRight(k plan.JoinKind) bool {
	return k != plan.Semi && k != plan.Anti && k != plan.Mark
}

// bounded adds the times of one side of a join that by, with the given delay, bounds. late is set where the side's late rows, if it has
// such, come out (padded).
func (k *fact) bounded(side *fact, shift int, by *plan.TimeColumn, delay int64, settled, late bool) {
	origin := side.originOf(by.Column)
	slack := delay - (by.Delay() - by.Slack)
	for i, t := range side.Times {
		same := t.Column == by.Column || side.origins[i] == origin && t.Timed() && t.Kind != plan.EventTime && by.Kind != plan.EventTime
		t.Final, t.Settled = same && (by.Final || !late), same && settled
		if same {
			t.Slack = max(t.Slack, slack)
		}
		t.Column += shift
		k.add(t, side.origins[i])
	}
}

// unbounded adds the times of one side of a join that nothing bounds. settled says that the other side only brings rows that carry their
// own watermark, by which the joined rows are late.
func (k *fact) unbounded(side *fact, shift int, settled bool) {
	for i, t := range side.Times {
		t.Final, t.Settled = false, t.Settled && settled
		t.Column += shift
		k.add(t, side.origins[i])
	}
}

// joinKey infers the key of a join's output from those of its sides.
func joinKey(n *plan.Join, l, r []int) []int {
	width := len(n.L.Fields())
	var left, right []int
	for _, k := range n.Keys {
		if k.Left.Kind == plan.Column && k.Right.Kind == plan.Column {
			left, right = append(left, k.Left.Index), append(right, k.Right.Index)
		}
	}
	switch {
	case !keepsRight(n.Kind):
		return l
	case n.Kind == plan.Single:
		return l
	case l != nil && contains(right, r) && (n.Kind == plan.Inner || n.Kind == plan.Left):
		return l
	case r != nil && contains(left, l) && (n.Kind == plan.Inner || n.Kind == plan.Right):
		return shifted(r, width)
	case l == nil || r == nil:
		return nil
	}
	out := append([]int{}, l...)
	for _, c := range r {
		i := slices.Index(right, c)
		if i >= 0 && slices.Contains(l, left[i]) && (n.Kind == plan.Inner || n.Kind == plan.Left) {
			continue // equal to a column of the left's key
		}
		out = append(out, c+width)
	}
	return out
}

// contains reports whether all of key, which must be known, are among columns.
func contains(columns, key []int) bool {
	if key == nil {
		return false
	}
	for _, c := range key {
		if !slices.Contains(columns, c) {
			return false
		}
	}
	return true
}

func shifted(columns []int, by int) []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		out[i] = c + by
	}
	return out
}

// marks reports whether each row of n carries a watermark not below what was final when it came: rows of streams do, also joined with each
// other, but what is computed from many rows does not.
func marks(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Scan:
		return n.Relation.Kind == plan.StreamRelation
	case *plan.Filter, *plan.Project, *plan.Union:
	case *plan.Window:
		if n.Kind == plan.Session {
			return false
		}
	case *plan.Join:
		if n.Kind != plan.Inner {
			return false
		}
	default:
		return false
	}
	for _, in := range n.Inputs() {
		if !marks(in) {
			return false
		}
	}
	return true
}
