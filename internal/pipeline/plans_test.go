package pipeline

import (
	"testing"
	"time"

	"leat/internal/engine/expr"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

var (
	bigInt    = types.Of(types.BigInt)
	timestamp = types.Of(types.Timestamp)
	boolean   = types.Of(types.Boolean)
)

var (
	streamA = relation(1, "a", plan.StreamRelation)
	streamB = relation(2, "b", plan.StreamRelation)
	tableT  = relation(3, "t", plan.TableRelation)
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
	s := &plan.Scan{Relation: r}
	for i, c := range r.Schema.Columns {
		s.Columns = append(s.Columns, i)
		s.Out = append(s.Out, plan.Field{Name: c.Name, Type: c.Type})
	}
	return s
}

// scanView scans a view that is defined.
func scanView(d Definition) plan.Node {
	s := &types.Schema{Version: 1}
	for _, f := range d.Plan.Fields() {
		s.Add(f.Name, f.Type)
	}
	return scan(&plan.Relation{ID: d.ID, Name: d.Name, Kind: plan.ViewRelation, Schema: s, View: opt.Infer(d.Plan)})
}

func col(n plan.Node, i int) *plan.Expr { return plan.Col(i, n.Fields()[i].Type) }

func lit(v int64) *plan.Expr { return plan.Lit(v, bigInt) }

func call(kind plan.ExprKind, name string, t types.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: kind, Name: name, Type: t, Args: args, Place: -1}
}

func above(n plan.Node, c int, v int64) plan.Node {
	return &plan.Filter{Input: n, Cond: call(plan.Compare, ">", boolean, col(n, c), lit(v))}
}

// counts groups by columns, with a count and a sum of column v.
func counts(n plan.Node, v int, by ...int) plan.Node {
	a := &plan.Aggregate{Input: n}
	for _, c := range by {
		a.Groups = append(a.Groups, col(n, c))
		a.Out = append(a.Out, n.Fields()[c])
	}
	a.Aggs = []plan.Agg{{Name: "count_star", Type: bigInt}, {Name: "sum", Args: []*plan.Expr{col(n, v)}, Type: types.Of(types.HugeInt)}}
	a.Out = append(a.Out, plan.Field{Name: "n", Type: bigInt}, plan.Field{Name: "x", Type: types.Of(types.HugeInt)})
	return a
}

func tumble(n plan.Node, at int, size int64) plan.Node {
	out := append(append([]plan.Field(nil), n.Fields()...), plan.Field{Name: "window_start", Type: timestamp}, plan.Field{Name: "window_end", Type: timestamp})
	return &plan.Window{Kind: plan.Tumble, Input: n, Time: at, Size: size, Out: out}
}

// joined joins on equal columns l and r.
func joined(l, r plan.Node, lc, rc int) plan.Node {
	return &plan.Join{Kind: plan.Inner, L: l, R: r, Keys: []plan.JoinKey{{Left: col(l, lc), Right: col(r, rc)}},
		Out: append(append([]plan.Field(nil), l.Fields()...), r.Fields()...)}
}

// overflowing projects to k and v plus so much that only v up to 5 fits.
func overflowing(n plan.Node) plan.Node {
	return &plan.Project{Input: n, Out: []plan.Field{{Name: "k", Type: bigInt}, {Name: "big", Type: bigInt}},
		Exprs: []*plan.Expr{col(n, 0), call(plan.Call, "+", bigInt, col(n, 1), lit(1<<63-6))}}
}

func optimised(t testing.TB, n plan.Node) plan.Node {
	t.Helper()
	out, err := opt.Optimize(n, opt.Options{Fallible: expr.Fallible})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func define(t testing.TB, id types.ObjectID, name string, n plan.Node) Definition {
	t.Helper()
	n = optimised(t, n)
	return Definition{ID: id, Name: name, Plan: n, Key: opt.Infer(n).Key}
}

// family are views of several pipelines: counts over a with two generations on it, a table, windows with late rows, a join of all.
func family(t testing.TB) []Definition {
	all := define(t, 100, "by_k", counts(scan(streamA), 1, 0))
	child := define(t, 101, "large", above(scanView(all), 1, 3))
	grandchild := define(t, 102, "by_n", counts(scanView(child), 0, 1))
	table := define(t, 110, "t", scan(tableT))
	windows := define(t, 120, "windows", counts(tumble(scan(streamA), 2, 10*second), 1, 4, 0))
	j := joined(scan(streamB), scan(tableT), 0, 0)
	join := define(t, 130, "joined", counts(joined(j, scanView(all), 0, 0), 1, 0))
	rows := define(t, 140, "rows", above(scan(streamB), 1, 4))
	fewer := define(t, 141, "fewer", above(scanView(rows), 1, 7))
	keys := define(t, 142, "keys", counts(scanView(rows), 1, 0))
	return []Definition{all, child, grandchild, table, windows, join, rows, fewer, keys}
}

func ids(defs []Definition) (out []types.ObjectID) {
	for _, d := range defs {
		out = append(out, d.ID)
	}
	return out
}
