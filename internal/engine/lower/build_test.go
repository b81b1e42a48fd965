package lower

import (
	"math/rand/v2"
	"time"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// The relations of the tests: streams a and b with a watermark, table t keyed by k.
const second = int64(1e6)

var (
	bigInt    = types.Of(types.BigInt)
	timestamp = types.Of(types.Timestamp)
	boolean   = types.Of(types.Boolean)
	interval  = types.Of(types.Interval)
)

func relation(id types.ObjectID, name string, kind plan.RelationKind) *plan.Relation {
	s := &types.Schema{Version: 1}
	s.Add("k", bigInt)
	s.Add("v", bigInt)
	s.Add("ts", timestamp)
	r := &plan.Relation{ID: id, Name: name, Kind: kind, Schema: s, Partitions: 2}
	if kind == plan.TableRelation {
		r.Key = []int32{1}
	} else {
		r.Time = types.TimeRule{Column: 3, Watermarked: true, Delay: 5 * time.Second}
	}
	return r
}

func scan(r *plan.Relation) plan.Node {
	return &plan.Scan{Relation: r, Columns: []int{0, 1, 2}, Out: []plan.Field{{Name: "k", Type: bigInt}, {Name: "v", Type: bigInt}, {Name: "ts", Type: timestamp}}}
}

func col(n plan.Node, i int) *plan.Expr { return plan.Col(i, n.Fields()[i].Type) }

func lit(v int64) *plan.Expr { return plan.Lit(v, bigInt) }

func expression(kind plan.ExprKind, name string, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: kind, Name: name, Type: boolean, Args: args, Place: -1}
}

func filter(n plan.Node, conds ...*plan.Expr) plan.Node {
	cond := conds[0]
	if len(conds) > 1 {
		cond = expression(plan.And, "", conds...)
	}
	return &plan.Filter{Input: n, Cond: cond}
}

func window(n plan.Node, kind plan.WindowKind, at int, slide, size int64) plan.Node {
	t := n.Fields()[at].Type
	out := append(append([]plan.Field(nil), n.Fields()...), plan.Field{Name: "window_start", Type: t}, plan.Field{Name: "window_end", Type: t})
	return &plan.Window{Kind: kind, Input: n, Time: at, Slide: slide, Size: size, Out: out}
}

// aggregate groups by columns, with a count and a sum or greatest of column v.
func aggregate(n plan.Node, v int, name string, by ...int) plan.Node {
	a := &plan.Aggregate{Input: n}
	for _, c := range by {
		a.Groups = append(a.Groups, col(n, c))
		a.Out = append(a.Out, n.Fields()[c])
	}
	a.Aggs = []plan.Agg{{Name: "count_star", Type: bigInt}, {Name: name, Args: []*plan.Expr{col(n, v)}, Type: bigInt}}
	if name == "sum" {
		a.Aggs[1].Type = types.Of(types.HugeInt)
	}
	a.Out = append(a.Out, plan.Field{Name: "n", Type: bigInt}, plan.Field{Name: "x", Type: a.Aggs[1].Type})
	return a
}

func distinct(n plan.Node, by ...int) plan.Node {
	a := &plan.Aggregate{Input: n}
	for _, c := range by {
		a.Groups = append(a.Groups, col(n, c))
		a.Out = append(a.Out, n.Fields()[c])
	}
	return a
}

// pick projects to columns.
func pick(n plan.Node, cols ...int) plan.Node {
	p := &plan.Project{Input: n}
	for _, c := range cols {
		p.Exprs = append(p.Exprs, col(n, c))
		p.Out = append(p.Out, n.Fields()[c])
	}
	return p
}

// join joins on equal columns, pairs of left and right, and a condition over the columns of both.
func join(kind plan.JoinKind, l, r plan.Node, cond *plan.Expr, pairs ...int) plan.Node {
	j := &plan.Join{Kind: kind, L: l, R: r, Residual: cond, Out: append([]plan.Field(nil), l.Fields()...)}
	for i := 0; i < len(pairs); i += 2 {
		j.Keys = append(j.Keys, plan.JoinKey{Left: col(l, pairs[i]), Right: col(r, pairs[i+1])})
	}
	if kind != plan.Semi && kind != plan.Anti {
		j.Out = append(j.Out, r.Fields()...)
	}
	return j
}

// near is the condition that the right's time is from lower to upper µs behind the left's.
func near(l, r plan.Node, left, right int, lower, upper int64) *plan.Expr {
	lt, rt := col(l, left), plan.Col(len(l.Fields())+right, timestamp)
	plus := func(d int64) *plan.Expr {
		return &plan.Expr{Kind: plan.Call, Name: "+", Type: timestamp, Args: []*plan.Expr{lt, plan.Lit(plan.Interval{Micros: d}, interval)}, Place: -1}
	}
	return expression(plan.And, "", expression(plan.Compare, ">=", rt, plus(lower)), expression(plan.Compare, "<=", rt, plus(upper)))
}

// generator draws plans whose every construct the optimiser has a rule for.
type generator struct {
	r       *rand.Rand
	a, b, t *plan.Relation
}

func (g *generator) oneOf(n ...int64) int64 { return n[g.r.IntN(len(n))] }

// timed returns a node with columns k, v and a time that may carry a watermark.
func (g *generator) timed(depth int) plan.Node {
	stream := func() plan.Node {
		if g.r.IntN(2) == 0 {
			return scan(g.a)
		}
		return scan(g.b)
	}
	if depth == 0 {
		return stream()
	}
	switch g.r.IntN(9) {
	case 0:
		n := g.timed(depth - 1)
		return filter(n, expression(plan.Compare, ">", col(n, 1), lit(g.oneOf(0, 3, 6))), expression(plan.IsNotNull, "", col(n, 0)))
	case 1:
		l, r := g.timed(depth-1), g.timed(depth-1)
		return &plan.Union{Sources: []plan.Node{l, r}, Out: l.Fields()}
	case 2: // an interval join
		l, r := g.timed(depth-1), g.timed(depth-1)
		kind := []plan.JoinKind{plan.Inner, plan.Inner, plan.Left, plan.Right, plan.Full, plan.Semi, plan.Anti}[g.r.IntN(7)]
		j := join(kind, l, r, near(l, r, 2, 2, -g.oneOf(0, 2, 20)*second, g.oneOf(0, 3, 15)*second), 0, 0)
		if kind == plan.Semi || kind == plan.Anti || g.r.IntN(2) == 0 {
			return pick(j, 0, 1, 2)
		}
		return pick(j, 3, 1, 5)
	case 3: // a join that nothing bounds
		l := g.timed(depth - 1)
		r := scan(g.t)
		if g.r.IntN(2) == 0 {
			r = g.timed(depth - 1)
		}
		kind := []plan.JoinKind{plan.Inner, plan.Inner, plan.Left, plan.Semi, plan.Anti}[g.r.IntN(5)]
		return pick(join(kind, l, r, nil, 0, 0), 0, 1, 2)
	case 4: // a window's time
		w := g.windowed(depth - 1)
		return pick(aggregate(w, 1, "max", 0, 4, 3), 0, 4, 1+g.r.IntN(2))
	case 5: // windows joined
		l, r := g.windowed(depth-1), g.windowed(depth-1)
		kind := []plan.JoinKind{plan.Inner, plan.Left, plan.Full, plan.Anti}[g.r.IntN(4)]
		end := 3 + g.r.IntN(2)
		return pick(join(kind, l, r, nil, 0, 0, end, end), 0, 1, 3+g.r.IntN(2))
	case 6:
		n := g.timed(depth - 1)
		top := &plan.TopN{Input: n, Partition: []*plan.Expr{col(n, 0)}, Order: []plan.SortKey{{Expr: col(n, 1), Desc: true}}, Limit: 2, Out: n.Fields()}
		return top
	case 7: // append-only, but its rows carry no watermark of their own
		return distinct(g.timed(depth-1), 0, 1, 2)
	}
	return stream()
}

// windowed returns k, v, ts, window_start, window_end.
func (g *generator) windowed(depth int) plan.Node {
	n := g.timed(depth)
	size := g.oneOf(5, 10, 20) * second
	if g.r.IntN(2) == 0 {
		return window(n, plan.Tumble, 2, 0, size)
	}
	return window(n, plan.Hop, 2, size/g.oneOf(1, 2, 5), size)
}

// plan returns a whole plan.
func (g *generator) plan() plan.Node {
	depth := 1 + g.r.IntN(3)
	switch g.r.IntN(9) {
	case 0:
		return g.timed(depth)
	case 5, 6:
		return g.correlated(depth)
	case 1:
		w := g.windowed(depth)
		return distinct(w, 4, 0)
	case 2: // the best of each window
		w := g.windowed(depth)
		ranked := &plan.TopN{Input: w, Partition: []*plan.Expr{col(w, 3+g.r.IntN(2))}, Order: []plan.SortKey{{Expr: col(w, 1)}}, Limit: -1,
			Number: true, Out: append(append([]plan.Field(nil), w.Fields()...), plan.Field{Name: "rn", Type: bigInt})}
		return pick(filter(ranked, expression(plan.Compare, "<=", col(ranked, 5), lit(2))), 0, 1, 3, 4, 5)
	case 3: // a condition on groups, and one on the count
		n := aggregate(g.timed(depth), 1, "sum", 0)
		return filter(n, expression(plan.Compare, "<", col(n, 0), lit(4)), expression(plan.Compare, ">", col(n, 1), lit(1)))
	case 4: // the same window counted twice, joined
		w := g.windowed(depth)
		l := aggregate(w, 1, "max", 4, 0)
		r := aggregate(aggregate(w, 1, "max", 0, 4), 2, "max", 1)
		return join(plan.Inner, l, r, expression(plan.Compare, ">=", col(l, 2), plan.Col(len(l.Fields())+2, bigInt)), 0, 0)
	}
	w := g.windowed(depth)
	if g.r.IntN(2) == 0 {
		return aggregate(w, 1, "max", 3+g.r.IntN(2), 0)
	}
	return aggregate(w, 1, "sum", 4, 3)
}

// correlated is a subquery over the distinct values of the outer rows, as DuckDB's binder makes it.
func (g *generator) correlated(depth int) plan.Node {
	l, y := g.timed(depth-1), g.timed(depth-1)
	d := distinct(l, 0)
	tied := filter(join(plan.Inner, y, d, nil), expression(plan.Compare, "=", col(y, 0), plan.Col(3, bigInt)))
	var r plan.Node
	kind := []plan.JoinKind{plan.Semi, plan.Anti, plan.Inner, plan.Left}[g.r.IntN(4)]
	switch g.r.IntN(3) {
	case 0:
		r = pick(tied, 1, 3)
	case 1:
		a := aggregate(tied, 1, "max", 3)
		j := join([]plan.JoinKind{plan.Inner, plan.Left}[g.r.IntN(2)], d, a, nil, 0, 0)
		j.(*plan.Join).Keys[0].NullSafe = true
		r = pick(j, 2, 0)
	case 2:
		r = pick(&plan.TopN{Input: pick(tied, 1, 3), Partition: []*plan.Expr{plan.Col(1, bigInt)},
			Order: []plan.SortKey{{Expr: plan.Col(0, bigInt)}}, Limit: 1, Out: []plan.Field{{Name: "v", Type: bigInt}, {Name: "k", Type: bigInt}}}, 0, 1)
	}
	j := join(kind, l, r, nil, 0, 1)
	j.(*plan.Join).Keys[0].NullSafe = true
	return j
}
