package opt

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

var (
	bigint    = types.Of(types.BigInt)
	timestamp = types.Of(types.Timestamp)
)

func rel(name string, kind plan.RelationKind, watermark bool, partitions uint32) *plan.Relation {
	s := &types.Schema{Version: 1}
	s.Add("k", bigint)
	s.Add("v", bigint)
	s.Add("ts", timestamp)
	r := &plan.Relation{ID: types.ObjectID(len(name)), Name: name, Kind: kind, Schema: s, Partitions: partitions}
	if kind == plan.TableRelation {
		r.Key = []int32{1}
	} else if watermark {
		r.Time = types.TimeRule{Column: 3, Watermarked: true, Delay: time.Second}
	}
	return r
}

func scanOf(r *plan.Relation) plan.Node {
	out := []plan.Field{{Name: "k", Type: bigint}, {Name: "v", Type: bigint}, {Name: "ts", Type: timestamp}}
	return &plan.Scan{Relation: r, Columns: []int{0, 1, 2}, Out: out}
}

func windowOf(n plan.Node, kind plan.WindowKind, keys ...int) plan.Node {
	out := append(slices.Clone(n.Fields()), plan.Field{Name: "window_start", Type: timestamp}, plan.Field{Name: "window_end", Type: timestamp})
	return &plan.Window{Kind: kind, Input: n, Time: 2, Size: 10e6, Gap: 1e6, Rows: 5, Keys: keys, Out: out}
}

func groupOf(n plan.Node, by ...int) plan.Node {
	a := &plan.Aggregate{Input: n, Aggs: []plan.Agg{{Name: "count_star", Type: bigint}}}
	for _, c := range by {
		a.Groups, a.Out = append(a.Groups, plan.Col(c, n.Fields()[c].Type)), append(a.Out, n.Fields()[c])
	}
	a.Out = append(a.Out, plan.Field{Name: "n", Type: bigint})
	return a
}

func joinOf(kind plan.JoinKind, l, r plan.Node, left, right int) plan.Node {
	k := plan.JoinKey{Left: plan.Col(left, l.Fields()[left].Type), Right: plan.Col(right, r.Fields()[right].Type)}
	return &plan.Join{Kind: kind, L: l, R: r, Keys: []plan.JoinKey{k}, Out: append(slices.Clone(l.Fields()), r.Fields()...)}
}

func TestKeys(t *testing.T) {
	stream, table := scanOf(rel("s", plan.StreamRelation, true, 1)), scanOf(rel("table", plan.TableRelation, false, 1))
	counts := groupOf(stream, 0)
	timed := scanOf(rel("s", plan.StreamRelation, true, 1))
	tumbled := windowOf(timed, plan.Tumble)
	pick := func(n plan.Node, columns ...int) plan.Node {
		p := &plan.Project{Input: n}
		for _, c := range columns {
			p.Exprs, p.Out = append(p.Exprs, plan.Col(c, n.Fields()[c].Type)), append(p.Out, n.Fields()[c])
		}
		return p
	}
	best := &plan.TopN{Input: stream, Partition: []*plan.Expr{plan.Col(1, bigint)}, Order: []plan.SortKey{{Expr: plan.Col(2, timestamp)}}, Limit: 1, Out: stream.Fields()}
	for _, c := range []struct {
		name string
		n    plan.Node
		want []int
	}{
		{"stream", stream, nil},
		{"table", table, []int{0}},
		{"table without its key", &plan.Project{Input: table, Exprs: []*plan.Expr{plan.Col(1, bigint)}, Out: table.Fields()[1:2]}, nil},
		{"groups", groupOf(stream, 1, 0), []int{0, 1}},
		{"one row", &plan.Aggregate{Input: stream, Global: true, Aggs: []plan.Agg{{Name: "count_star", Type: bigint}}}, []int{}},
		{"best of each", best, []int{1}},
		{"stream with table", joinOf(plan.Left, stream, table, 0, 0), nil},
		{"groups with table", joinOf(plan.Left, counts, table, 0, 0), []int{0}},
		{"table with groups, right", joinOf(plan.Right, table, counts, 0, 0), []int{3}},
		{"table with any groups", joinOf(plan.Inner, table, groupOf(stream, 0, 1), 0, 0), []int{3, 4}},
		{"full", joinOf(plan.Full, counts, table, 0, 0), []int{0, 2}},
		{"window without its end", pick(groupOf(tumbled, 0, 3, 4), 0, 1), []int{0, 1}},
		{"window without its start", pick(groupOf(tumbled, 0, 3, 4), 2, 0), []int{0, 1}},
		{"window without both", pick(groupOf(tumbled, 0, 3, 4), 0), nil},
		{"open-ended window without its end", pick(groupOf(windowOf(timed, plan.Cumulate), 0, 3, 4), 0, 1), nil},
	} {
		if got := Infer(c.n).Key; !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: key %v, want %v", c.name, got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	window := windowOf(scanOf(rel("s", plan.StreamRelation, true, 1)), plan.Tumble)
	p := Infer(groupOf(window, 4, 0, 3))
	end, start := p.TimeOf(0), p.TimeOf(2)
	if end == nil || end.Kind != plan.WindowEnd || !end.Final || !end.Settled || end.Delay() != 0 {
		t.Errorf("window_end %+v", end)
	}
	if start == nil || start.Kind != plan.WindowStart || start.Size != 10e6 || start.Delay() != 10e6 || p.TimeOf(1) != nil {
		t.Errorf("window_start %+v", start)
	}
	table := scanOf(rel("table", plan.TableRelation, false, 1))
	if p := Infer(groupOf(windowOf(joinOf(plan.Inner, scanOf(rel("s", plan.StreamRelation, true, 1)), table, 0, 0), plan.Tumble), 7)); p.TimeOf(0).Settled {
		t.Error("a table changes rows of closed windows")
	}
}

func TestCloseNamesTheMend(t *testing.T) {
	n := groupOf(windowOf(scanOf(rel("s", plan.StreamRelation, false, 1)), plan.Tumble), 4)
	_, err := Close(n)
	e := types.AsError(err)
	if e == nil || e.Code != types.InvalidArgument || e.Hint != "ALTER STREAM s SET WATERMARK FOR ts AS ts - INTERVAL '5 seconds'" {
		t.Errorf("%v, hint %q", err, e.Hint)
	}
	closed, err := Close(groupOf(windowOf(scanOf(rel("s", plan.StreamRelation, true, 1)), plan.Tumble), 3, 4))
	if err != nil || closed.(*plan.EmitOnClose).Time != 1 || !Infer(closed).AppendOnly {
		t.Errorf("%v %v", closed, err)
	}
}

func TestOrderedWindowsNeedAnOrder(t *testing.T) {
	one, many := rel("one", plan.StreamRelation, true, 1), rel("many", plan.StreamRelation, true, 4)
	byKey := rel("bykey", plan.StreamRelation, true, 4)
	byKey.PartitionBy = []int32{1}
	table := scanOf(rel("table", plan.TableRelation, false, 1))
	for _, c := range []struct {
		name string
		n    plan.Node
		ok   bool
	}{
		{"one partition", windowOf(scanOf(one), plan.Session), true},
		{"many partitions", windowOf(scanOf(many), plan.Session), false},
		{"partitioned by its key", windowOf(scanOf(byKey), plan.Session, 0), true},
		{"partitioned by another", windowOf(scanOf(byKey), plan.CountWindow, 1), false},
		{"a table", windowOf(table, plan.CountWindow), false},
		{"a session of what has no watermark", windowOf(table, plan.Session), true},
	} {
		_, err := Optimize(groupOf(c.n, 0), Options{})
		if (err == nil) != c.ok || err != nil && !types.HasCode(err, types.Unsupported) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Names don't matter to what a plan computes, all else does.
func TestFingerprint(t *testing.T) {
	s := rel("s", plan.StreamRelation, true, 1)
	named := scanOf(s).(*plan.Scan)
	renamed := *named
	renamed.Out = slices.Clone(named.Out)
	renamed.Out[0].Name = "other"
	if Fingerprint(groupOf(named, 0)) != Fingerprint(groupOf(&renamed, 0)) {
		t.Error("a column's name changes the fingerprint")
	}
	list := func(v ...any) plan.Node {
		return &plan.Project{Input: named, Exprs: []*plan.Expr{plan.Lit(v, types.ListOf(types.Of(types.Varchar)))}, Out: named.Out[:1]}
	}
	seen := map[string]bool{}
	for _, n := range []plan.Node{named, groupOf(named, 0), groupOf(named, 1), list("a b"), list("a", "b"), windowOf(named, plan.Hop), windowOf(named, plan.Tumble)} {
		if f := Fingerprint(n); seen[f] {
			t.Errorf("two plans share %s", f)
		} else {
			seen[f] = true
		}
	}
}

func TestExplainMarksDuckDB(t *testing.T) {
	s := scanOf(rel("s", plan.StreamRelation, false, 1))
	odd := &plan.Expr{Kind: plan.Call, Name: "soundex", Type: bigint, Args: []*plan.Expr{plan.Col(0, bigint)}, Place: -1}
	n := groupOf(&plan.Project{Input: s, Exprs: []*plan.Expr{odd}, Out: s.Fields()[:1]}, 0)
	out := Explain(n, func(e *plan.Expr) bool { return e != odd })
	for _, want := range []string{"evaluated by DuckDB: soundex(k#0)", "unbounded: ALTER STREAM s SET WATERMARK", "key: (k)"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestWindowsOfWindows(t *testing.T) {
	stream := scanOf(rel("s", plan.StreamRelation, true, 1))
	inner := windowOf(stream, plan.Tumble).(*plan.Window)
	for _, c := range []struct {
		name       string
		size, want int64
	}{{"the same grid", 20e6, 0}, {"another grid", 15e6, 10e6}} {
		outer := *windowOf(inner, plan.Tumble).(*plan.Window)
		outer.Time, outer.Size = 3, c.size
		if got := Infer(&outer).TimeOf(len(outer.Out) - 1).Delay(); got != c.want {
			t.Errorf("%s: the outer window closes %d µs late, want %d", c.name, got, c.want)
		}
	}
	ms := plan.Lit(plan.Interval{Micros: 1000}, types.Of(types.Interval))
	end := inner.Fields()[4]
	timed := &plan.Project{Input: inner, Out: []plan.Field{end}, Exprs: []*plan.Expr{
		{Kind: plan.Call, Name: "-", Type: end.Type, Args: []*plan.Expr{plan.Col(4, end.Type), ms}, Place: -1}}}
	p := Infer(timed).TimeOf(0)
	if p == nil || p.Delay() != 1000 {
		t.Fatalf("window_time %+v", p)
	}
	outer := &plan.Window{Kind: plan.Tumble, Input: timed, Time: 0, Size: 20e6, Out: []plan.Field{end, end, end}}
	if got := Infer(outer).TimeOf(2).Delay(); got != 0 {
		t.Errorf("a window by window_time closes %d µs late", got)
	}
	outer.Origin = -500
	if got := Infer(outer).TimeOf(2).Delay(); got != 500 {
		t.Errorf("a window that ends beside the grid closes %d µs late", got)
	}
}
