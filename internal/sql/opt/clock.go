package opt

import "leat/internal/sql/plan"

// Clock returns the position among the keys of an Aggregate, TopN or Join of one that carries a watermark, and the delay after which what
// is under it is final; -1 where its state can't be freed by a key.
func (f *Facts) Clock(n plan.Node) (key int, delay int64) {
	switch n := n.(type) {
	case *plan.Aggregate:
		return f.clockOf(n.Input, n.Groups)
	case *plan.TopN:
		return f.clockOf(n.Input, n.Partition)
	case *plan.Join:
		b := f.boundOf(n)
		if b == nil || b.Key < 0 || !b.Left.Settled || !b.Right.Settled {
			return -1, 0
		}
		return b.Key, max(b.Left.Delay(), b.Right.Delay())
	}
	return -1, 0
}

func (f *Facts) clockOf(in plan.Node, keys []*plan.Expr) (int, int64) {
	windows := f.of(in).windowsOf(keys)
	for i := range keys {
		if t, ok := windows[i]; ok && t.Settled {
			return i, t.Delay()
		}
	}
	return -1, 0
}

// Slacks returns, of a join with a Band, how far behind the watermark each side's times may still change; ok is false where the band can't
// free state.
func (f *Facts) Slacks(n *plan.Join) (left, right int64, ok bool) {
	b := f.boundOf(n)
	if b == nil || b.Key >= 0 || !b.Left.Settled || !b.Right.Settled {
		return 0, 0, false
	}
	return b.Left.Delay(), b.Right.Delay(), true
}
