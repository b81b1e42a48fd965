package expr

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

var (
	bigint  = types.Of(types.BigInt)
	integer = types.Of(types.Integer)
	double  = types.Of(types.Double)
	varchar = types.Of(types.Varchar)
)

// fake stands for DuckDB: it upper-cases, and fails for "bad".
type fake struct{ calls, rows int }

func (f *fake) Evaluate(exprs []string, out []types.Type, in []*zset.Vec, rows int) ([]*zset.Vec, []map[int]string, error) {
	f.calls++
	f.rows += rows
	cols, failed := make([]*zset.Vec, len(exprs)), make([]map[int]string, len(exprs))
	for k := range exprs {
		b := zset.NewBuilder(out[k : k+1])
		for i := range rows {
			s := "CONST"
			if len(in) > 0 {
				s = strings.ToUpper(string(in[0].Bytes(i)))
			}
			if s == "BAD" {
				failed[k] = map[int]string{i: "it is bad"}
				b.AppendNull(0)
			} else {
				b.AppendBytes(0, []byte(s))
			}
			b.EndRow(1)
		}
		cols[k] = b.Finish().Cols[0]
	}
	return cols, failed, nil
}

func call(name string, t types.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: plan.Call, Name: name, Type: t, Args: args}
}

func of(kind plan.ExprKind, t types.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: kind, Type: t, Args: args}
}

func compared(name string, a, b *plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: plan.Compare, Name: name, Type: boolean, Args: []*plan.Expr{a, b}}
}

// ints makes a batch of BIGINT rows; nil is NULL.
func ints(values ...any) *zset.Batch {
	b := zset.NewBuilder([]types.Type{bigint})
	for _, v := range values {
		if n, ok := v.(int); ok {
			b.AppendInt64(0, int64(n))
		} else {
			b.AppendNull(0)
		}
		b.EndRow(1)
	}
	return b.Finish()
}

func texts(values ...string) *zset.Batch {
	b := zset.NewBuilder([]types.Type{varchar})
	for _, v := range values {
		b.AppendBytes(0, []byte(v))
		b.EndRow(1)
	}
	return b.Finish()
}

// run evaluates e and prints its rows, failures as "!".
func run(t *testing.T, e *plan.Expr, ev Evaluator, in *zset.Batch) string {
	t.Helper()
	p, err := Compile([]*plan.Expr{e}, ev)
	if err != nil {
		t.Fatal(err)
	}
	p.SetNow(1_000_000)
	var out []string
	for range 2 { // the second time in the buffers of the first
		cols, failures, err := p.Eval(in)
		if err != nil {
			t.Fatal(err)
		}
		bad := map[int]bool{}
		for _, f := range failures {
			bad[f.Row] = true
		}
		out = nil
		for i := range in.N {
			if bad[i] {
				out = append(out, "!")
			} else {
				out = append(out, zsettest.Print(cols[0], i))
			}
		}
	}
	return strings.Join(out, " ")
}

func lit(n int64) *plan.Expr { return plan.Lit(n, bigint) }

func TestEval(t *testing.T) {
	x := plan.Col(0, bigint)
	inverse := call("//", bigint, lit(100), x)
	small := of(plan.Cast, types.Of(types.TinyInt), x)
	for _, test := range []struct {
		e    *plan.Expr
		want string
	}{
		{call("+", bigint, x, lit(1)), "2 1 NULL 101 !"},
		{call("-", bigint, lit(0), x), "-1 0 NULL -100 -9223372036854775807"},
		{inverse, "100 NULL NULL 1 0"},
		{compared("<", x, lit(1)), "0 1 NULL 0 0"},
		{compared("<", lit(1), x), "0 0 NULL 1 1"},
		{compared("is distinct from", x, plan.Lit(nil, bigint)), "1 1 0 1 1"},
		{of(plan.In, boolean, x, lit(1), plan.Lit(nil, bigint)), "1 NULL NULL NULL NULL"},
		{of(plan.In, boolean, x, lit(1), lit(2), lit(3), lit(4), lit(100)), "1 0 NULL 1 0"},
		{small, "1 0 NULL 100 !"},
		{of(plan.Case, types.Of(types.TinyInt), compared("<", x, lit(1000)), small, plan.Lit(int64(7), types.Of(types.TinyInt))), "1 0 7 100 7"},
		{of(plan.Coalesce, bigint, x, lit(5)), "1 0 5 100 9223372036854775807"},
		{of(plan.And, boolean, compared("<", x, lit(50)), compared("<", small, plan.Lit(int64(1), types.Of(types.TinyInt)))), "0 1 NULL 0 0"},
		{of(plan.Or, boolean, compared(">", x, lit(50)), compared("<", small, plan.Lit(int64(1), types.Of(types.TinyInt)))), "0 1 NULL 1 1"},
		{of(plan.Not, boolean, of(plan.IsNull, boolean, x)), "1 1 0 1 1"},
		{of(plan.Cast, varchar, x), `"1" "0" NULL "100" "9223372036854775807"`},
		{call("now", types.Of(types.TimestampTZ)), "1000000 1000000 1000000 1000000 1000000"},
		{call("+", bigint, lit(math.MaxInt64), lit(1)), "! ! ! ! !"},
		{of(plan.Coalesce, bigint, lit(5), call("+", bigint, lit(math.MaxInt64), lit(1))), "5 5 5 5 5"},
	} {
		if got := run(t, test.e, nil, ints(1, 0, nil, 100, math.MaxInt64)); got != test.want {
			t.Errorf("%s %v: got %s, want %s", test.e.Name, test.e.Kind, got, test.want)
		}
	}
}

func TestFallback(t *testing.T) {
	f := &fake{}
	in := texts("a", "bad", "c")
	e := call("regexp_extract", varchar, plan.Col(0, varchar), plan.Lit("x", varchar))
	if got := run(t, e, f, in); got != `"A" ! "C"` || f.calls != 2 {
		t.Errorf("got %s in %d calls", got, f.calls)
	}
	guarded := of(plan.Case, varchar, compared("=", plan.Col(0, varchar), plan.Lit("bad", varchar)), plan.Lit("ok", varchar), e)
	if got := run(t, guarded, f, in); got != `"A" "ok" "C"` {
		t.Errorf("got %s", got)
	}
	if _, err := Compile([]*plan.Expr{e}, nil); !types.HasCode(err, types.Unsupported) {
		t.Errorf("without an evaluator: %v", err)
	}
	f.calls = 0
	if got := run(t, call("md5", varchar, plan.Lit("x", varchar)), f, in); got != `"CONST" "CONST" "CONST"` || f.calls != 1 {
		t.Errorf("a constant: got %s in %d calls", got, f.calls)
	}
	if p, err := Compile([]*plan.Expr{e, e, call("||", varchar, e, e)}, f); err != nil || len(p.rest.texts) != 1 {
		t.Errorf("equal expressions are sent once: %v", err)
	}
}

func TestHybridSendsOnlyHardRows(t *testing.T) {
	f := &fake{}
	if got := run(t, call("upper", varchar, plan.Col(0, varchar)), f, texts("a", "é", "bc")); got != `"A" "É" "BC"` || f.calls != 2 || f.rows != 2 {
		t.Errorf("got %s, %d calls with %d rows", got, f.calls, f.rows)
	}
}

func TestNativeAndFallible(t *testing.T) {
	x, s, d := plan.Col(0, bigint), plan.Col(1, varchar), plan.Col(2, double)
	for _, test := range []struct {
		e                *plan.Expr
		native, fallible bool
	}{
		{x, true, false},
		{call("+", bigint, x, x), true, true},
		{call("/", double, d, d), true, false},
		{compared("=", s, s), true, false},
		{of(plan.Cast, double, x), true, false},
		{of(plan.Cast, integer, x), true, true},
		{of(plan.Cast, integer, s), false, true},
		{&plan.Expr{Kind: plan.Cast, Type: integer, Args: []*plan.Expr{x}, Try: true}, true, false},
		{call("regexp_extract", varchar, s, plan.Lit("(", varchar)), false, true},
		{call("lower", varchar, s), false, false},
		{call("length", bigint, s), true, false},
		{call("length", bigint, call("chr", varchar, x)), false, true},
		{call("year", bigint, plan.Col(0, types.Of(types.Timestamp))), true, false},
		{call("date_trunc", types.Of(types.Timestamp), plan.Lit("day", varchar), plan.Col(0, types.Of(types.Timestamp))), true, true},
	} {
		if n, f := Native(test.e), Fallible(test.e); n != test.native || f != test.fallible {
			t.Errorf("%s %v %s: native %t, fallible %t", test.e.Name, test.e.Kind, test.e.Type, n, f)
		}
	}
}

func TestEmptyAndOutputsOutliveTheNextEval(t *testing.T) {
	p, err := Compile([]*plan.Expr{call("+", bigint, plan.Col(0, bigint), lit(1))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cols, fails, err := p.Eval(nil); err != nil || cols[0].Len != 0 || fails != nil {
		t.Fatalf("of nothing: %v %v %v", cols, fails, err)
	}
	first, _, _ := p.Eval(ints(1, nil, 3))
	if _, _, err := p.Eval(ints(10, 20, 30)); err != nil || fmt.Sprint(first[0].I64[0], first[0].Null(1), first[0].I64[2]) != "2 true 4" {
		t.Errorf("the first result changed to %v", first[0])
	}
}

func benchmark(b *testing.B, e *plan.Expr, cols ...*zset.Vec) {
	p, err := Compile([]*plan.Expr{e}, nil)
	if err != nil {
		b.Fatal(err)
	}
	p.Transient()
	in := &zset.Batch{Cols: cols, N: cols[0].Len}
	for b.Loop() {
		if _, _, err := p.Eval(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(in.N)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkKernels(b *testing.B) {
	for _, n := range []int{2048, 65536} {
		v := &zset.Vec{Type: bigint, Len: n, I64: make([]int64, n)}
		f := &zset.Vec{Type: double, Len: n, F64: make([]float64, n)}
		s := &zset.Vec{Type: varchar, Len: n, Off: make([]int32, n+1)}
		ts := &zset.Vec{Type: types.Of(types.Timestamp), Len: n, I64: make([]int64, n)}
		dec := &zset.Vec{Type: types.DecimalOf(18, 3), Len: n, W: make([]zset.Int128, n)}
		for i := range n {
			v.I64[i] = int64(i * 7919 % 1000)
			f.F64[i] = float64(i)
			ts.I64[i] = 1_700_000_000_000_000 + int64(i)*1_000_003
			s.Data = append(s.Data, fmt.Sprintf("https://x.com/%d", i%500)...)
			s.Off[i+1] = int32(len(s.Data))
			dec.W[i] = wideOf(pow10(i % 8))
		}
		x := plan.Col(0, bigint)
		text := plan.Col(0, varchar)
		for _, c := range []struct {
			name string
			e    *plan.Expr
			in   *zset.Vec
		}{
			{"compare int const", compared("<", x, lit(500)), v},
			{"add int const", call("+", bigint, x, lit(1)), v},
			{"add int", call("+", bigint, x, x), v},
			{"multiply int", call("*", bigint, x, x), v},
			{"compare double", compared("<", plan.Col(0, double), plan.Lit(5.0, double)), f},
			{"add double", call("+", double, plan.Col(0, double), plan.Col(0, double)), f},
			{"and", of(plan.And, boolean, compared("<", x, lit(500)), compared(">", x, lit(5))), v},
			{"in 5", of(plan.In, boolean, x, lit(1), lit(2), lit(3), lit(4), lit(5)), v},
			{"case", of(plan.Case, bigint, compared("<", x, lit(500)), x, lit(5)), v},
			{"equal text", compared("=", text, plan.Lit("https://x.com/7", varchar)), s},
			{"like", call("~~", boolean, text, plan.Lit("%com/4%", varchar)), s},
			{"split_part", call("split_part", varchar, text, plan.Lit("/", varchar), lit(4)), s},
			{"year", call("year", bigint, plan.Col(0, ts.Type)), ts},
			{"date_trunc", call("date_trunc", ts.Type, plan.Lit("minute", varchar), plan.Col(0, ts.Type)), ts},
			{"multiply decimal", call("*", types.DecimalOf(36, 6), plan.Col(0, dec.Type), plan.Col(0, dec.Type)), dec},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) { benchmark(b, c.e, c.in) })
		}
	}
}
