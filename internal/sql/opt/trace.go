package opt

import (
	"slices"

	"leat/internal/sql/plan"
)

// Need says which rows of a relation decide on the rows that were traced. Whatever else the relation has, they would be the same.
type Need struct {
	Relation *plan.Relation
	// Any are conditions, one of which each needed row fulfils; no row is needed where there are none, and all rows are where one is nil.
	// Their columns are positions in Relation.Schema.Columns or, from SystemColumn on, system columns.
	Any []*plan.Expr
}

// SystemColumn is where the columns of a Need's conditions begin that the log stamped: SystemColumn + plan.Watermark and so on.
const SystemColumn = 1 << 20

// Trace is what Trace has found.
type Trace struct {
	// Needs are the relations in the order in which the plan reads them, each once.
	Needs []Need
	// Loose are reasons why the plan computed from the needed rows alone, by what is written in its query, may give other rows.
	Loose []string
}

// Reasons of Trace.Loose.
const (
	looseLate    = "rows that came late, which the view leaves out, may be among them"
	looseSession = "sessions depend on the order in which rows came"
	looseTime    = "the view asks for the time"
)

// maxTraced bounds the nodes that a trace visits, each time that it comes to one, and maxConds the conditions that it carries along.
const (
	maxTraced = 5000
	maxConds  = 200
)

// TraceRows finds which rows of the relations that a plan scans decide on those of its rows that fulfil one of some conditions over its output; nil is
// all rows. It takes what is more than needed where that can't be told.
func TraceRows(n plan.Node, any []*plan.Expr) Trace {
	t := &tracer{whole: map[plan.Node]bool{}}
	for _, c := range any {
		t.trace(n, conjuncts(c))
	}
	return t.out
}

type tracer struct {
	out Trace
	// visited counts the nodes; beyond maxTraced all rows are needed. whole are those of which all rows are.
	visited int
	whole   map[plan.Node]bool
}

func (t *tracer) loose(reason string) {
	if !slices.Contains(t.out.Loose, reason) {
		t.out.Loose = append(t.out.Loose, reason)
	}
}

// lose notes that conditions could not be carried further down.
func (t *tracer) lose(n plan.Node, conds []*plan.Expr) {
	fields := n.Fields()
	for _, c := range conds {
		reads(c, func(i int) {
			if fields[i].Name == watermarkName {
				t.loose(looseLate)
			}
		})
	}
}

// carry keeps the conditions over n's output that match, and notes what is lost by the others.
func (t *tracer) carry(n plan.Node, conds []*plan.Expr, match func(*plan.Expr) bool) []*plan.Expr {
	yes, no := split(conds, match)
	t.lose(n, no)
	return yes
}

// trace says what decides on the rows of n for which all conds are true.
func (t *tracer) trace(n plan.Node, conds []*plan.Expr) {
	if t.visited++; t.visited > maxTraced || len(conds) > maxConds {
		t.lose(n, conds)
		conds = nil
	}
	if t.whole[n] {
		return
	}
	t.whole[n] = len(conds) == 0
	switch n := n.(type) {
	case *plan.Scan:
		t.scan(n, conds)
	case *plan.Filter:
		t.asksTime(n.Cond)
		t.trace(n.Input, append(slices.Clone(conds), conjuncts(n.Cond)...))
	case *plan.Project:
		below := make([]*plan.Expr, len(conds))
		for i, c := range conds {
			below[i] = over(c, n.Exprs)
		}
		t.asksTime(n.Exprs...)
		t.trace(n.Input, below)
	case *plan.Aggregate:
		grouped := t.carry(n, conds, func(e *plan.Expr) bool { return only(e, func(c int) bool { return c < len(n.Groups) }) })
		below := make([]*plan.Expr, len(grouped))
		for i, c := range grouped {
			below[i] = over(c, n.Groups)
		}
		t.asksTime(n.Groups...)
		t.trace(n.Input, below)
	case *plan.Union:
		for _, s := range n.Sources {
			t.trace(s, conds)
		}
	case *plan.TopN:
		partition := columnsOf(n.Partition)
		t.trace(n.Input, t.carry(n, conds, func(e *plan.Expr) bool {
			return only(e, func(c int) bool { return slices.Contains(partition, c) })
		}))
	case *plan.Window:
		t.window(n, conds)
	case *plan.Join:
		t.join(n, conds)
	default:
		for _, in := range n.Inputs() {
			t.trace(in, t.carry(n, conds, func(*plan.Expr) bool { return len(in.Fields()) == len(n.Fields()) }))
		}
	}
}

// asksTime notes that an expression is another one at another time.
func (t *tracer) asksTime(es ...*plan.Expr) {
	for _, e := range es {
		e.Walk(func(e *plan.Expr) bool {
			if isClock(e) {
				t.loose(looseTime)
			}
			return true
		})
	}
}

// scan notes a need of the relation. Conditions that ask for the time can't be tested later.
func (t *tracer) scan(n *plan.Scan, conds []*plan.Expr) {
	var own []*plan.Expr
	seen := map[string]bool{}
	for _, c := range conds {
		timed := false
		c.Walk(func(e *plan.Expr) bool { timed = timed || isClock(e); return true })
		if timed {
			t.loose(looseTime)
			continue
		}
		if fixed(c) && c.Kind == plan.Compare && key(c.Args[0]) == key(c.Args[1]) {
			continue // a constant is itself
		}
		if unfolded(c) {
			t.lose(n, []*plan.Expr{c})
			continue
		}
		c = moved(plain(c), func(i int) int {
			if i < len(n.Columns) {
				return n.Columns[i]
			}
			return SystemColumn + int(n.System[i-len(n.Columns)])
		})
		if k := key(c); !seen[k] {
			seen[k] = true
			own = append(own, c)
		}
	}
	i := slices.IndexFunc(t.out.Needs, func(x Need) bool { return x.Relation.ID == n.Relation.ID })
	if i < 0 {
		i = len(t.out.Needs)
		t.out.Needs = append(t.out.Needs, Need{Relation: n.Relation})
	}
	need := &t.out.Needs[i]
	cond := and(own)
	same := func(e *plan.Expr) bool {
		return (e == nil) == (cond == nil) && (e == nil || key(e) == key(cond))
	}
	if !slices.ContainsFunc(need.Any, same) {
		need.Any = append(need.Any, cond)
	}
}

// plain writes a comparison with a constant that is not NULL as what it is in a condition.
func plain(c *plan.Expr) *plan.Expr {
	if c.Kind != plan.Compare || c.Name != "is not distinct from" {
		return c
	}
	for i, a := range c.Args {
		if a.Kind == plan.Const && a.Value != nil {
			return compare("=", c.Args[1-i], a)
		}
		if a.Kind == plan.Const {
			return boolean(plan.IsNull, c.Args[1-i])
		}
	}
	return c
}

// Conjuncts are the conditions that must all be true for e to be; none where e is nil.
func Conjuncts(e *plan.Expr) []*plan.Expr { return conjuncts(e) }

// constant returns the constant that conditions say e equals, nil for none.
func constant(conds []*plan.Expr, e *plan.Expr) *plan.Expr {
	k := key(e)
	for _, cond := range conds {
		if cond.Kind != plan.Compare || cond.Name != "=" && cond.Name != "is not distinct from" {
			continue
		}
		for i := range 2 {
			if fixed(cond.Args[1-i]) && cond.Args[1-i].Type.Equal(e.Type) && key(cond.Args[i]) == k {
				return cond.Args[1-i]
			}
		}
	}
	return nil
}

// unfolded reports whether a constant is still to be computed in e: what sql/bind has left so fails, and DuckDB fails on it before it looks at a row.
func unfolded(e *plan.Expr) bool {
	found := false
	e.Walk(func(e *plan.Expr) bool {
		found = found || (e.Kind == plan.Call || e.Kind == plan.Cast) && fixed(e)
		return !found
	})
	return found
}

// fixed reports whether an expression reads no columns.
func fixed(e *plan.Expr) bool {
	return only(e, func(int) bool { return false })
}

// window: what is known of the times of a window bounds the times of its rows. Which windows a row is in depends on the row alone, but in a session
// or counted window on the rows of its key.
func (t *tracer) window(n *plan.Window, conds []*plan.Expr) {
	width := len(n.Input.Fields())
	if n.Kind == plan.Session || n.Kind == plan.CountWindow {
		below := t.carry(n, conds, func(e *plan.Expr) bool { return only(e, func(c int) bool { return slices.Contains(n.Keys, c) }) })
		if n.Kind == plan.Session {
			below = append(below, t.session(n, conds)...)
		}
		t.trace(n.Input, below)
		return
	}
	start, end := t.bounds(n, conds)
	known := func(c *plan.Expr) *plan.Expr {
		return c.Map(func(c *plan.Expr) *plan.Expr {
			switch {
			case c.Index == width && start != nil:
				return start
			case c.Index == width+1 && end != nil:
				return end
			}
			return c
		})
	}
	var below []*plan.Expr
	for _, c := range conds {
		if c = known(c); !fixed(c) {
			below = append(below, c)
		}
	}
	below = t.carry(n, below, func(e *plan.Expr) bool { return only(e, func(c int) bool { return c < width }) })
	time := plan.Col(n.Time, n.Input.Fields()[n.Time].Type)
	if start != nil {
		below = append(below, compare(">=", time, start))
		if end == nil { // of a cumulating window, which ends with its last step at the latest
			below = append(below, compare("<", time, later(start, n.Size)))
		}
	}
	if end != nil {
		below = append(below, compare("<", time, end))
		if start == nil {
			below = append(below, compare(">=", time, later(end, -n.Size)))
		}
	}
	t.trace(n.Input, below)
}

// bounds are the start and the end of the window that conditions on a window's output speak of; nil where they don't say.
func (t *tracer) bounds(n *plan.Window, conds []*plan.Expr) (start, end *plan.Expr) {
	at := func(i int) *plan.Expr {
		c := constant(conds, plan.Col(i, n.Out[i].Type))
		if c == nil || c.Kind != plan.Const {
			return nil
		}
		if _, ok := c.Value.(int64); !ok || !n.Out[i].Type.Equal(n.Input.Fields()[n.Time].Type) {
			return nil
		}
		return c
	}
	width := len(n.Input.Fields())
	start, end = at(width), at(width+1)
	if n.Kind == plan.Tumble || n.Kind == plan.Hop {
		if start == nil && end != nil {
			start = later(end, -n.Size)
		}
		if end == nil && start != nil {
			end = later(start, n.Size)
		}
	}
	return start, end
}

// later is a constant time so many µs later; DATEs are in days, which windows have none of.
func later(c *plan.Expr, us int64) *plan.Expr {
	return plan.Lit(c.Value.(int64)+us, c.Type)
}

// session are the times of a session's rows and, a gap to both sides, of those that make other sessions other ones.
func (t *tracer) session(n *plan.Window, conds []*plan.Expr) []*plan.Expr {
	if WatermarkColumn(n.Input.Fields()) >= 0 {
		t.loose(looseSession)
	}
	width := len(n.Input.Fields())
	time := plan.Col(n.Time, n.Input.Fields()[n.Time].Type)
	var out []*plan.Expr
	for i, bound := range []struct {
		op string
		by int64
	}{{">=", -n.Gap}, {"<=", 0}} {
		c := constant(conds, plan.Col(width+i, n.Out[width+i].Type))
		if c == nil || c.Kind != plan.Const || !c.Type.Equal(time.Type) {
			continue
		}
		if _, ok := c.Value.(int64); ok {
			out = append(out, compare(bound.op, time, later(c, bound.by)))
		}
	}
	return out
}

// isClock reports whether an expression is the present time.
func isClock(e *plan.Expr) bool { return e.Kind == plan.Call && e.Name == "now" }
