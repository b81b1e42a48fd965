package opt

import (
	"math"
	"slices"

	"leat/internal/sql/plan"
)

// findBands sets the Band of joins whose condition bounds the distance of two times that carry a watermark, or, of a join without keys,
// of any two times; the conditions that it stands for leave the residual.
func (z *optimizer) findBands(n plan.Node) plan.Node {
	facts := NewFacts()
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		if j, ok := n.(*plan.Join); ok && j.Band == nil && j.Kind != plan.Mark && j.Kind != plan.Single {
			return findBand(j, facts)
		}
		return n
	})
}

func findBand(n *plan.Join, facts *Facts) plan.Node {
	width := len(n.L.Fields())
	l, r := facts.Of(n.L), facts.Of(n.R)
	type pair struct{ left, right int }
	bands := map[pair]*plan.Band{}
	var order []pair
	conds := conjuncts(n.Residual)
	limits := make([]*limit, len(conds))
	for i, c := range conds {
		m := limitOf(c, width)
		if m == nil {
			continue
		}
		limits[i] = m
		p := pair{m.left, m.right}
		b := bands[p]
		if b == nil {
			b = &plan.Band{LeftTime: m.left, RightTime: m.right, Lower: math.MinInt64, Upper: math.MaxInt64}
			bands[p], order = b, append(order, p)
		}
		b.Lower, b.Upper = max(b.Lower, m.lower), min(b.Upper, m.upper)
	}
	addEqualTimes(n, l, r, func(left, right int, distance int64) {
		p := pair{left, right}
		if bands[p] == nil {
			order = append(order, p)
		}
		bands[p] = &plan.Band{LeftTime: left, RightTime: right, Lower: distance, Upper: distance}
	})
	for _, p := range order {
		b := bands[p]
		timed := l.TimeOf(p.left).Timed() && r.TimeOf(p.right).Timed()
		if b.Lower == math.MinInt64 || b.Upper == math.MaxInt64 || b.Lower > b.Upper || !timed && len(n.Keys) > 0 {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(conds), func(c *plan.Expr) bool {
			m := limits[slices.Index(conds, c)]
			return m != nil && m.left == p.left && m.right == p.right
		})
		c := *n
		c.Band, c.Residual = b, and(rest)
		return &c
	}
	return n
}

// addEqualTimes calls f for the event times that a join compares for equality, with constants added: a band of no width at that distance of
// the right from the left. Windows are keys like others.
func addEqualTimes(n *plan.Join, l, r *plan.Props, f func(left, right int, distance int64)) {
	for _, k := range n.Keys {
		left, lOff, ok := timePlus(k.Left)
		if !ok || k.NullSafe {
			continue
		}
		right, rOff, ok := timePlus(k.Right)
		if !ok {
			continue
		}
		a, b := l.TimeOf(left.Index), r.TimeOf(right.Index)
		if a != nil && b != nil && (lOff != 0 || rOff != 0 || a.Kind == plan.EventTime || b.Kind == plan.EventTime) {
			f(left.Index, right.Index, lOff-rOff)
		}
	}
}

// limit says lower <= right - left <= upper of two time columns of a join, in µs.
type limit struct {
	left, right  int
	lower, upper int64
}

// limitOf reads a comparison of a time of the left with one of the right, each with a constant interval added; nil where it is none.
func limitOf(e *plan.Expr, width int) *limit {
	if e.Kind != plan.Compare {
		return nil
	}
	a, aOff, ok := timePlus(e.Args[0])
	if !ok {
		return nil
	}
	b, bOff, ok := timePlus(e.Args[1])
	if !ok || a.Type.Kind != b.Type.Kind {
		return nil
	}
	name := e.Name
	if a.Index >= width {
		a, aOff, b, bOff, name = b, bOff, a, aOff, mirrored(name)
	}
	if a.Index >= width || b.Index < width {
		return nil
	}
	// a + aOff <name> b + bOff, a on the left: b - a compared with aOff - bOff.
	m := &limit{left: a.Index, right: b.Index - width, lower: math.MinInt64, upper: math.MaxInt64}
	d := aOff - bOff
	switch name {
	case "<=":
		m.lower = d
	case "<":
		m.lower = d + 1
	case ">=":
		m.upper = d
	case ">":
		m.upper = d - 1
	case "=":
		m.lower, m.upper = d, d
	default:
		return nil
	}
	return m
}

// maxBand bounds the constants of a band (about 3,000 years): sums of a few of them can't overflow.
const maxBand = 1 << 57

// timePlus reads column ± INTERVAL, nested or not; months have no fixed length.
func timePlus(e *plan.Expr) (column *plan.Expr, offset int64, ok bool) {
	if e.Kind == plan.Column {
		return e, 0, e.Type.Kind.IsTime()
	}
	if e.Kind != plan.Call || len(e.Args) != 2 || e.Name != "+" && e.Name != "-" {
		return nil, 0, false
	}
	t, i := e.Args[0], e.Args[1]
	if t.Kind == plan.Const && e.Name == "+" {
		t, i = i, t
	}
	v, isInterval := i.Value.(plan.Interval)
	if i.Kind != plan.Const || !isInterval || v.Months != 0 || v.Micros > maxBand || v.Micros < -maxBand {
		return nil, 0, false
	}
	d := v.Micros + int64(v.Days)*24*3600*1e6
	if e.Name == "-" {
		d = -d
	}
	column, offset, ok = timePlus(t)
	offset += d
	return column, offset, ok && offset <= maxBand && offset >= -maxBand
}
