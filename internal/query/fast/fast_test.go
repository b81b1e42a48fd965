package fast

import (
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var (
	bigint  = types.Of(types.BigInt)
	integer = types.Of(types.Integer)
	varchar = types.Of(types.Varchar)
	boolean = types.Of(types.Boolean)
)

// relation has the key k, and the columns n and s.
var relation = &plan.Relation{ID: 7, Name: "v", Kind: plan.ViewRelation, Schema: &types.Schema{Version: 1, Columns: []types.Column{
	{ID: 1, Name: "k", Type: bigint}, {ID: 2, Name: "n", Type: integer}, {ID: 3, Name: "s", Type: varchar},
}}}

// view has rows (i, i % 10, "s<i>").
func view(t testing.TB, rows int, indexes ...op.Index) *op.ViewSnapshot {
	t.Helper()
	store, id := memstate.New(), state.TableID(0)
	tables := func() state.Table { id++; return store.Table(id) }
	v := op.NewView([]types.Type{bigint, integer, varchar}, []int{0}, tables)
	for _, ix := range indexes {
		v.AddIndex(ix, tables(), true)
	}
	b := zset.NewBuilder([]types.Type{bigint, integer, varchar})
	for i := range rows {
		b.AppendInt64(0, int64(i))
		b.AppendInt64(1, int64(i%10))
		b.AppendBytes(2, fmt.Appendf(nil, "s%d", i))
		b.EndRow(1)
	}
	if _, err := v.Apply(b.Finish()); err != nil {
		t.Fatal(err)
	}
	snap := v.Snapshot()
	t.Cleanup(snap.Close)
	return snap
}

func scan() *plan.Scan {
	return &plan.Scan{Relation: relation, Columns: []int{0, 1, 2}, Out: []plan.Field{{Name: "k", Type: bigint}, {Name: "n", Type: integer}, {Name: "s", Type: varchar}}}
}

func compare(op string, a, b *plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: plan.Compare, Name: op, Type: boolean, Args: []*plan.Expr{a, b}}
}

func param(name string, t types.Type) *plan.Expr {
	return &plan.Expr{Kind: plan.Param, Name: name, Type: t}
}

// byKey is SELECT s, k WHERE k = $k.
func byKey(t testing.TB) *Plan {
	t.Helper()
	p, reason := New(&plan.Project{
		Input: &plan.Filter{Input: scan(), Cond: compare("=", plan.Col(0, bigint), param("k", bigint))},
		Exprs: []*plan.Expr{plan.Col(2, varchar), plan.Col(0, bigint)}, Out: []plan.Field{{Name: "s", Type: varchar}, {Name: "k", Type: bigint}},
	}, map[string]types.Type{"k": bigint})
	if p == nil {
		t.Fatal(reason)
	}
	return p
}

func TestOnePlanRunsManyTimesAtOnce(t *testing.T) {
	snap, p := view(t, 5000), byKey(t)
	filter, reason := New(&plan.Filter{Input: scan(), Cond: &plan.Expr{Kind: plan.And, Type: boolean, Args: []*plan.Expr{
		compare(">=", plan.Col(0, bigint), param("k", bigint)), compare("<", plan.Col(0, bigint), &plan.Expr{Kind: plan.Call, Name: "+", Type: bigint,
			Args: []*plan.Expr{param("k", bigint), plan.Lit(int64(20), bigint)}}), compare("=", plan.Col(1, integer), param("n", integer)),
	}}}, map[string]types.Type{"k": bigint, "n": integer})
	if filter == nil {
		t.Fatal(reason)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < 2000; i += 3 {
				rows := p.Run(snap, map[string]any{"k": int64(i)}, 10)
				if b := rows.Batch(); b.Rows() != 1 || string(b.Cols[0].Bytes(0)) != fmt.Sprint("s", i) || b.Cols[1].I64[0] != int64(i) {
					t.Errorf("row %d: %v", i, b)
					return
				}
				rows = filter.Run(snap, map[string]any{"k": int64(i), "n": int64(i % 10)}, 10)
				if b := rows.Batch(); b.Rows() != 2 || b.Cols[0].I64[1] != int64(i+10) {
					t.Errorf("rows from %d: %v", i, b)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A view larger than MaxRows is read only where the rows are found or the order ends the reading.
func TestLargeViewsAreTheStores(t *testing.T) {
	small, large := view(t, MaxRows), view(t, MaxRows+1, op.Index{ID: 1, Columns: []int{1}})
	filter := &plan.Filter{Input: scan(), Cond: compare("=", plan.Col(2, varchar), plan.Lit("s77", varchar))}
	by := func(limit int64, desc bool, column int) plan.Node {
		return &plan.TopN{Input: scan(), Limit: limit, Order: []plan.SortKey{{Expr: plan.Col(column, relation.Schema.Columns[column].Type), Desc: desc}}, Out: scan().Out}
	}
	for _, c := range []struct {
		name         string
		node         plan.Node
		small, large int // rows; -1 is the store
		first        int64
	}{
		{"a filter", filter, 1, -1, 77},
		{"all", scan(), MaxRows, -1, 0},
		{"the first by key", by(3, false, 0), 3, 3, 0},
		{"the last by key, NULLS LAST", by(3, true, 0), 3, 3, -1},
		{"by an index, else sorted", by(3, false, 1), 3, 3, 0},
		{"by no order", by(3, false, 2), 3, -1, 0},
		{"more than it may examine", by(MaxRows+1, false, 0), MaxRows, -1, 0},
		{"a value of an index that many rows have", &plan.Filter{Input: scan(), Cond: compare("=", plan.Col(1, integer), plan.Lit(int64(4), integer))}, MaxRows / 10, MaxRows / 10, 4},
		{"a range with too many rows", &plan.Filter{Input: scan(), Cond: compare(">=", plan.Col(0, bigint), plan.Lit(int64(0), bigint))}, MaxRows, -1, 0},
	} {
		p, reason := New(c.node, nil)
		if p == nil {
			t.Fatal(reason)
		}
		for _, v := range []struct {
			snap *op.ViewSnapshot
			want int
		}{{small, c.small}, {large, c.large}} {
			rows, n := p.Run(v.snap, nil, 1_000_000), -1
			if rows != nil {
				n = rows.Batch().Rows()
			}
			_, _, ok := p.Path(v.snap.Orders(), v.snap.Rows())
			if n != v.want || !ok && n >= 0 {
				t.Errorf("%s of %d rows: %d rows, want %d (Path: %v)", c.name, v.snap.Rows(), n, v.want, ok)
			}
			if b := rows; n > 0 && c.first >= 0 && b.Batch().Cols[0].I64[0] != c.first {
				t.Errorf("%s: the first is %d", c.name, b.Batch().Cols[0].I64[0])
			}
		}
	}
}

func TestPaths(t *testing.T) {
	snap := view(t, MaxRows+1, op.Index{ID: 1, Columns: []int{1}})
	narrow := func(e *plan.Expr) *plan.Expr { return &plan.Expr{Kind: plan.Cast, Type: bigint, Args: []*plan.Expr{e}} }
	for _, c := range []struct {
		cond       *plan.Expr
		text, hint string
	}{
		{compare("=", plan.Col(0, bigint), param("k", bigint)), "look-up by key (k)", ""},
		{compare("=", narrow(plan.Col(1, integer)), param("k", bigint)), "range (n) of an index", ""},
		{compare("<", param("k", bigint), plan.Col(0, bigint)), "range (k)", ""},
		{compare("=", plan.Col(2, varchar), plan.Lit("x", varchar)), "neither its key nor an index", "CREATE INDEX ON v (s)"},
		{compare("<>", plan.Col(0, bigint), param("k", bigint)), "neither its key nor an index", ""},
	} {
		p, reason := New(&plan.Filter{Input: scan(), Cond: c.cond}, map[string]types.Type{"k": bigint})
		if p == nil {
			t.Fatal(reason)
		}
		text, hint, ok := p.Path(snap.Orders(), snap.Rows())
		if !strings.Contains(text, c.text) || hint != c.hint || ok != !strings.HasPrefix(c.text, "neither") {
			t.Errorf("%s: %s, %s, %v", c.cond, text, hint, ok)
		}
	}
}

func TestOtherColumnsAreTheStores(t *testing.T) {
	store, id := memstate.New(), state.TableID(0)
	v := op.NewView([]types.Type{bigint, bigint, varchar}, []int{0}, func() state.Table { id++; return store.Table(id) })
	snap := v.Snapshot()
	defer snap.Close()
	if byKey(t).Run(snap, map[string]any{"k": int64(1)}, 1) != nil {
		t.Error("a view with other columns was read")
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		typ   types.Type
		value any
		want  string // "" is the store's
	}{
		{bigint, int64(5), "5"}, {bigint, "5", "5"}, {bigint, "-05", "-5"}, {bigint, "+5", ""}, {bigint, " 5", ""}, {bigint, "5.0", ""}, {bigint, "", ""}, {bigint, 5.0, ""},
		{integer, int64(1 << 31), ""}, {bigint, "9223372036854775808", ""}, {types.Of(types.UBigInt), uint64(1<<64 - 1), "18446744073709551615"},
		{types.Of(types.UBigInt), int64(-1), ""}, {types.Of(types.HugeInt), big.NewInt(-3), "-3"},
		{types.Of(types.Double), int64(1 << 60), ""}, {types.Of(types.Float), 0.1, ""}, {types.Of(types.Float), 0.5, "0.5"},
		{types.DecimalOf(4, 1), "12.5", "12.5"}, {types.DecimalOf(4, 1), "12.55", ""}, {types.DecimalOf(4, 1), "1e2", ""},
		{boolean, "true", "true"}, {boolean, "yes", ""}, {boolean, true, "true"}, {varchar, int64(5), ""},
		{types.Of(types.Date), "2024-02-29", "2024-02-29"}, {types.Of(types.Date), "2023-02-29", ""}, {types.Of(types.Date), "2024-2-9", ""}, {types.Of(types.Date), "infinity", ""},
		{types.Of(types.Timestamp), "2024-02-29", "2024-02-29 00:00:00"}, {types.Of(types.Timestamp), "2024-02-29T01:02:03.5Z", "2024-02-29 01:02:03.5"},
		{types.Of(types.Timestamp), "2024-02-29 01:02", ""}, {types.Of(types.TimestampTZ), "2024-02-29 01:02:03+02", ""},
		{types.Of(types.Time), "01:02:03", "01:02:03"}, {types.Of(types.Time), "24:00:00", ""},
		{types.Of(types.UUID), "11111111-2222-3333-4444-55555555555A", "set"}, {types.Of(types.UUID), "11111111222233334444555555555555", ""},
		{types.Of(types.Interval), "1 day", ""}, {varchar, nil, "NULL"}, {bigint, nil, "NULL"},
	} {
		v := &zset.Vec{Type: c.typ, Len: 1}
		ok := set(v, c.value)
		if ok != (c.want != "") {
			t.Errorf("%s %v: %v", c.typ, c.value, ok)
			continue
		}
		if ok && c.want != "set" && (c.want == "NULL") != v.Null(0) {
			t.Errorf("%s %v: NULL is %v", c.typ, c.value, v.Null(0))
		}
	}
}

func BenchmarkByKey(b *testing.B) {
	snap, p := view(b, 100_000), byKey(b)
	b.ReportAllocs()
	args := map[string]any{}
	for i := range b.N {
		args["k"] = int64(i * 7919 % 100_000)
		if p.Run(snap, args, 1_000_000).Batch().Rows() != 1 {
			b.Fatal("no row")
		}
	}
}
