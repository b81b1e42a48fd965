package op

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// TestJoinTypes joins on keys of random types, and compares with nested loops.
func TestJoinTypes(t *testing.T) {
	r := zsettest.Rand(t, 0)
	for range 40 {
		key := zsettest.Type(r)
		ts := []types.Type{types.Of(types.BigInt), key, zsettest.Type(r)}
		safe := r.IntN(2) == 0
		op, err := NewJoin(JoinConfig{Kind: plan.Full, LeftTypes: ts, RightTypes: ts, LeftKeys: []int{1}, RightKeys: []int{1},
			NullSafe: []bool{safe}, Clock: NoClock}, tablesOf(memstate.New()))
		if err != nil {
			t.Fatal(err)
		}
		in := []*zsettest.Stream{zsettest.NewStream(r, ts, zsettest.Options{}), zsettest.NewStream(r, ts, zsettest.Options{})}
		sums := []*zsettest.Model{zsettest.NewModel(ts), zsettest.NewModel(ts)}
		out := zsettest.NewModel(slices.Concat(ts, ts))
		for range 6 {
			ds := []*zset.Batch{in[0].Next(r.IntN(20)), in[1].Next(r.IntN(20))}
			sums[0].Apply(ds[0])
			sums[1].Apply(ds[1])
			got, err := op.Step(&Context{Watermark: types.NoWatermark}, ds)
			if err != nil {
				t.Fatal(err)
			}
			out.Apply(got)
			want := fullJoin(ts, sums[0].Batch(), sums[1].Batch(), safe)
			if d := out.Diff(zsettest.NewModel(slices.Concat(ts, ts), want)); d != "" {
				t.Fatalf("key %s, null-safe %v:\n%s", key, safe, d)
			}
		}
	}
}

// fullJoin joins two batches on column 1 by nested loops.
func fullJoin(ts []types.Type, l, r *zset.Batch, safe bool) *zset.Batch {
	b := zset.NewBuilder(slices.Concat(ts, ts))
	hit := make([]bool, r.Rows())
	for i := range l.Rows() {
		any := false
		for k := range r.Rows() {
			n := l.Cols[1].Null(i) || r.Cols[1].Null(k)
			if n && !safe || zset.Compare(l.Cols[1], i, r.Cols[1], k) != 0 {
				continue
			}
			any, hit[k] = true, true
			b.AppendCols(0, l.Cols, i)
			b.AppendCols(len(ts), r.Cols, k)
			b.EndRow(l.Weight(i) * r.Weight(k))
		}
		if !any {
			b.AppendCols(0, l.Cols, i)
			b.AppendNulls(len(ts), len(ts))
			b.EndRow(l.Weight(i))
		}
	}
	for k, h := range hit {
		if !h {
			b.AppendNulls(0, len(ts))
			b.AppendCols(len(ts), r.Cols, k)
			b.EndRow(r.Weight(k))
		}
	}
	return b.Finish()
}

// overflowing is the residual left.value * 2^61 <= right.value, an error from left.value = 4 on.
func overflowing(t testing.TB) (*expr.Program, func(l, r joinRow) int) {
	big := types.Of(types.BigInt)
	product := &plan.Expr{Kind: plan.Call, Name: "*", Type: big, Place: -1, Args: []*plan.Expr{plan.Col(colValue, big), plan.Lit(int64(1)<<61, big)}}
	p, err := expr.Compile([]*plan.Expr{benchCompare("<=", product, plan.Col(len(joinTypes)+colValue, big))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, func(l, r joinRow) int {
		a, ok := l[colValue].(int64)
		b, ok2 := r[colValue].(int64)
		switch {
		case ok && a > math.MaxInt64>>61:
			return -2
		case !ok || !ok2:
			return -1
		case a<<61 <= b:
			return 1
		}
		return 0
	}
}

// TestJoinFails has a residual that fails for some pairs: they are reported, retracted with their rows, and are no matches.
func TestJoinFails(t *testing.T) {
	for _, k := range joinKinds {
		t.Run(k.name, func(t *testing.T) {
			sc := &joinScenario{steps: 25, size: 30}
			sc.cfg = JoinConfig{Kind: k.kind, LeftTypes: joinTypes, RightTypes: joinTypes, LeftKeys: []int{colKey}, RightKeys: []int{colKey},
				NullSafe: []bool{true}, Clock: NoClock}
			sc.cfg.Residual, sc.residual = overflowing(t)
			runJoin(t, sc)
		})
	}
}

// TestJoinSteps joins the same rows in one step and in many: the outputs add up to the same.
func TestJoinSteps(t *testing.T) {
	r := zsettest.Rand(t, 0)
	ts := []types.Type{types.Of(types.BigInt), types.Of(types.BigInt)}
	var in [2]*zset.Batch
	for i := range in {
		in[i] = zsettest.NewStream(r, ts, zsettest.Options{Row: func(r *rand.Rand, b *zset.Builder) {
			b.AppendInt64(0, r.Int64N(2000))
			b.AppendInt64(1, r.Int64N(3))
		}}).Next(20_000)
	}
	for _, k := range []plan.JoinKind{plan.Inner, plan.Full, plan.Anti} {
		out := slices.Concat(ts, ts)
		if k == plan.Anti {
			out = ts
		}
		cfg := JoinConfig{Kind: k, LeftTypes: ts, RightTypes: ts, LeftKeys: []int{0}, RightKeys: []int{0}, NullSafe: []bool{false}, Clock: NoClock}
		want := zsettest.NewModel(out, stepJoin(t, cfg, in, 20_000)...)
		got := zsettest.NewModel(out, stepJoin(t, cfg, in, 1500)...)
		if d := got.Diff(want); d != "" || want.Len() == 0 {
			t.Errorf("kind %d, %d rows:\n%s", k, want.Len(), d)
		}
	}
}

// stepJoin joins two inputs, size rows of each at a time.
func stepJoin(t *testing.T, cfg JoinConfig, in [2]*zset.Batch, size int) (out []*zset.Batch) {
	op, err := NewJoin(cfg, tablesOf(memstate.New()))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < max(in[0].N, in[1].N); at += size {
		ds := make([]*zset.Batch, 2)
		for i, b := range in {
			ds[i] = b.Slice(min(at, b.N), min(at+size, b.N))
		}
		d, err := op.Step(&Context{Watermark: types.NoWatermark}, ds)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}
