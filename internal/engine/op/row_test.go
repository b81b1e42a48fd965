package op

import (
	"math"
	"slices"
	"testing"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var rowInt = types.Of(types.BigInt)

func rowProgram(t testing.TB, es ...*plan.Expr) *expr.Program {
	t.Helper()
	p, err := expr.Compile(es, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func call(kind plan.ExprKind, name string, t types.Type, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: kind, Name: name, Type: t, Args: args, Place: -1}
}

// plusOne fails for the greatest BIGINT.
func plusOne() *plan.Expr {
	return call(plan.Call, "+", rowInt, plan.Col(0, rowInt), plan.Lit(int64(1), rowInt))
}

func rowBatch() *zset.Batch {
	b := zset.NewBuilder([]types.Type{rowInt, rowInt})
	for i, v := range []int64{3, math.MaxInt64, 0, 9, 1} {
		if i == 2 {
			b.AppendNull(0)
		} else {
			b.AppendInt64(0, v)
		}
		b.AppendInt64(1, int64(i))
		b.EndRow(int64(i + 1))
	}
	return b.Finish()
}

// collected is a context that notes what fails and what is late.
func collected() (x *Context, failed, late *[]int64) {
	failed, late = &[]int64{}, &[]int64{}
	return &Context{
		Fail: func(b *zset.Batch, row int, _ *types.Error) { *failed = append(*failed, b.Cols[1].I64[row]) },
		Late: func(b *zset.Batch) { *late = append(*late, b.Cols[1].I64...) },
	}, failed, late
}

func TestFilter(t *testing.T) {
	cond := call(plan.Compare, ">", types.Of(types.Boolean), plusOne(), plan.Lit(int64(3), rowInt))
	for _, late := range []bool{false, true} {
		x, failed, dropped := collected()
		out, err := NewFilter(rowProgram(t, cond), []int{1}, late).Step(x, []*zset.Batch{rowBatch()})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Cols) != 1 || !slices.Equal(out.Cols[0].I64, []int64{0, 3}) || !slices.Equal(out.W, []int64{1, 4}) {
			t.Errorf("late %t: rows %v, weights %v", late, out.Cols[0].I64, out.W)
		}
		want := []int64{2, 4}
		if !late {
			want = []int64{}
		}
		if !slices.Equal(*failed, []int64{1}) || !slices.Equal(*dropped, want) {
			t.Errorf("late %t: failed %v, dropped %v", late, *failed, *dropped)
		}
	}
}

func TestProject(t *testing.T) {
	x, failed, _ := collected()
	out, err := NewProject(rowProgram(t, plusOne(), plan.Col(1, rowInt))).Step(x, []*zset.Batch{rowBatch()})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Cols[1].I64, []int64{0, 2, 3, 4}) || out.Cols[0].I64[2] != 10 || !out.Cols[0].Null(1) || !slices.Equal(out.W, []int64{1, 3, 4, 5}) {
		t.Errorf("%v %v %v", out.Cols[0].I64, out.Cols[1].I64, out.W)
	}
	if !slices.Equal(*failed, []int64{1}) {
		t.Errorf("failed %v", *failed)
	}
}

// Constants come once in a life; the table remembers it.
func TestValues(t *testing.T) {
	table := memstate.New().Table(1)
	for life, want := range []int{2, 0} {
		rows := []*expr.Program{rowProgram(t, plan.Lit(int64(1), rowInt)), rowProgram(t, plan.Lit(int64(2), rowInt))}
		v := NewValues(rows, []types.Type{rowInt}, table)
		for step := range 2 {
			x, _, _ := collected()
			out, err := v.Step(x, nil)
			if err != nil || out.Rows() != want {
				t.Errorf("life %d, step %d: %d rows, %v; want %d", life, step, out.Rows(), err, want)
			}
			want = 0
		}
	}
}

// BenchmarkFilter keeps half of 64k rows of two columns: ns/row.
func BenchmarkFilter(b *testing.B) {
	const n = 1 << 16
	vs := make([]int64, n)
	for i := range vs {
		vs[i] = int64(i*2654435761) % 1000
	}
	v := &zset.Vec{Type: rowInt, Len: n, I64: vs}
	in := []*zset.Batch{{Cols: []*zset.Vec{v, v}, N: n}}
	cond := call(plan.Compare, "<", types.Of(types.Boolean), plan.Col(0, rowInt), plan.Lit(int64(500), rowInt))
	f, x := NewFilter(rowProgram(b, cond), nil, false), &Context{}
	for b.Loop() {
		if _, err := f.Step(x, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
