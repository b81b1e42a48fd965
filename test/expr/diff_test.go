package expr

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leat/internal/duck"
	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/plan"
	"leat/internal/sql/print"
	"leat/internal/types"
)

var (
	seed   = flag.Uint64("seed", 0, "seed of the random expressions; 0 draws one")
	length = flag.Duration("for", 10*time.Second, "how long to try random expressions")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func evaluator(t testing.TB) expr.Evaluator {
	t.Helper()
	d, err := duck.NewEvaluator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return expr.FromArrow(d)
}

func batch(r *rand.Rand, rows int) *zset.Batch {
	b := zset.NewBuilder(scalars)
	for range rows {
		for i, t := range scalars {
			put(b, i, t, value(r, t))
		}
		b.EndRow(1)
	}
	return b.Finish()
}

// TestKernelsAgreeWithDuckDB evaluates random expressions in kernels and in DuckDB.
func TestKernelsAgreeWithDuckDB(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("seed %d", s)
	r := rand.New(rand.NewPCG(s, s))
	ev := evaluator(t)
	kernels, left := map[string]int{}, map[string]int{}
	bad := 0
	in := batch(r, 40)
	n := 0
	for end := time.Now().Add(*length); time.Now().Before(end) && bad < 20; n++ {
		if n%50 == 49 {
			in = batch(r, []int{1, 2, 7, 64, 30, 20, 20, 50, 10, 3, 30, 40, 40, 40, 30, 30, 4100}[r.IntN(17)])
		}
		g := generator{r: r}
		if in.N > 500 {
			g.safe = 1 // DuckDB's failing rows are found by a query each
		}
		e := g.expr(g.any(), 1+r.IntN(3))
		e.Walk(func(e *plan.Expr) bool { count(e, kernels, left); return true })
		if msg := differ(ev, e, in); msg != "" {
			bad++
			t.Error(msg)
		}
	}
	t.Logf("%d expressions", n)
	t.Logf("in kernels: %s", tally(kernels))
	t.Logf("in DuckDB: %s", tally(left))
}

// TestDoublesPrintAsInDuckDB prints many doubles: DuckDB's digits are the shortest, or nearly all would differ in some.
func TestDoublesPrintAsInDuckDB(t *testing.T) {
	r := zsettest.Rand(t, *seed)
	b := zset.NewBuilder([]types.Type{double64})
	for range 50_000 {
		b.AppendFloat64(0, double(r))
		b.EndRow(1)
	}
	for range 50_000 {
		b.AppendFloat64(0, math.Float64frombits(r.Uint64()))
		b.EndRow(1)
	}
	e := of(plan.Cast, varchar, plan.Col(0, double64))
	if msg := differ(evaluator(t), e, b.Finish()); msg != "" {
		t.Error(msg)
	}
}

// count notes whether e itself has a kernel.
func count(e *plan.Expr, kernels, left map[string]int) {
	if e.Kind == plan.Column || e.Kind == plan.Const {
		return
	}
	own := *e
	own.Args = nil
	for i, a := range e.Args {
		if a.Kind == plan.Const {
			own.Args = append(own.Args, a)
		} else {
			own.Args = append(own.Args, plan.Col(i, a.Type))
		}
	}
	name := e.Name
	if e.Kind == plan.Cast {
		name = "cast " + e.Args[0].Type.Kind.String() + ">" + e.Type.Kind.String()
	} else if e.Kind == plan.Call {
		for _, a := range e.Args {
			if a.Type.Kind.IsTime() || a.Type.Kind == types.Date || a.Type.Kind == types.Interval || a.Type.Kind == types.Decimal {
				name += ":" + a.Type.Kind.String()
				break
			}
		}
	}
	if expr.Native(&own) {
		kernels[name]++
	} else {
		left[name]++
	}
}

func tally(m map[string]int) string {
	var names []string
	for n, c := range m {
		names = append(names, fmt.Sprintf("%s %d", n, c))
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// differ evaluates e both ways and says where they disagree.
func differ(ev expr.Evaluator, e *plan.Expr, in *zset.Batch) string {
	var used []*zset.Vec
	at := map[int]int{}
	e = e.Map(func(c *plan.Expr) *plan.Expr {
		if _, ok := at[c.Index]; !ok {
			at[c.Index] = len(used)
			used = append(used, in.Cols[c.Index])
		}
		return plan.Col(at[c.Index], c.Type)
	})
	in = &zset.Batch{Cols: used, N: in.N}
	text, err := print.Expr(e, func(i int) string { return fmt.Sprintf("c%d", i) })
	if err != nil {
		return err.Error()
	}
	want, failed, err := ev.Evaluate([]string{text}, []types.Type{e.Type}, in.Cols, in.N)
	if err != nil {
		return fmt.Sprintf("%s\n  DuckDB: %v", text, err)
	}
	p, err := expr.Compile([]*plan.Expr{e}, ev)
	if err != nil {
		return fmt.Sprintf("%s\n  compile: %v", text, err)
	}
	got, fails, err := p.Eval(in)
	if err != nil {
		return fmt.Sprintf("%s\n  eval: %v", text, err)
	}
	if len(fails) > 0 && !expr.Fallible(e) {
		return fmt.Sprintf("%s\n  fails, but isn't fallible: %s", text, fails[0].Reason.Message)
	}
	mine := map[int]string{}
	for _, f := range fails {
		mine[f.Row] = f.Reason.Message
	}
	for row := range in.N {
		reason, theirs := failed[0][row]
		own, fails := mine[row]
		switch {
		case theirs && !fails && foldable(e), fails && !theirs && foldable(e):
			// DuckDB computes constants at planning: what fails then fails also where no row asks for it, and what meets a NULL
			// constant is NULL without being computed.
			continue
		case theirs != fails:
			return fmt.Sprintf("%s\n  row %d fails: DuckDB %t %q, kernel %t %q (%s)%s", text, row, theirs, reason, fails, own, zsettest.Print(got[0], row), inputs(e, in, row))
		case !theirs && !same(want[0], got[0], row):
			return fmt.Sprintf("%s\n  row %d: DuckDB %s, kernel %s%s", text, row, zsettest.Print(want[0], row), zsettest.Print(got[0], row), inputs(e, in, row))
		}
	}
	return ""
}

// foldable reports whether a part of e that may fail, or is NULL, is constant.
func foldable(e *plan.Expr) bool {
	found := false
	e.Walk(func(e *plan.Expr) bool {
		found = found || e.Kind == plan.Const && (e.Value == nil || fmt.Sprint(e.Value) == "0") || e.Kind != plan.Const && constant(e)
		return !found
	})
	return found
}

func constant(e *plan.Expr) bool {
	is := true
	e.Walk(func(e *plan.Expr) bool { is = is && e.Kind != plan.Column; return is })
	return is
}

func same(a, b *zset.Vec, row int) bool {
	if a.Null(row) || b.Null(row) {
		return a.Null(row) == b.Null(row)
	}
	if a.F64 != nil {
		p, q := a.F64[row], b.F64[row]
		return math.Float64bits(p) == math.Float64bits(q) || p != p && q != q
	}
	if a.Data != nil || b.Data != nil {
		// The sign of a NaN that arithmetic made is the processor's.
		plain := func(v *zset.Vec) string { return strings.ReplaceAll(string(v.Bytes(row)), "-nan", "nan") }
		return plain(a) == plain(b)
	}
	return zset.Equal([]*zset.Vec{a}, row, []*zset.Vec{b}, row)
}

// inputs prints the columns that e reads.
func inputs(e *plan.Expr, in *zset.Batch, row int) string {
	out := ""
	e.Walk(func(e *plan.Expr) bool {
		if e.Kind == plan.Column {
			out += fmt.Sprintf("\n    c%d = %s (%s)", e.Index, zsettest.Print(in.Cols[e.Index], row), e.Type)
		}
		return true
	})
	return out
}
