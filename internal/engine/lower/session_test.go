package lower

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"leat/internal/engine/circuit"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// visits makes a log of one partition: rows of a few keys that come in bursts, somewhat out of order.
func visits(r *rand.Rand, n int, retract bool) *log {
	l := &log{}
	wm, now := types.NoWatermark, 1000*second
	for range n {
		now += r.Int64N(3*second) * r.Int64N(3)
		e := event{k: r.Int64N(4), v: r.Int64N(5), ts: now - r.Int64N(6*second) - r.Int64N(2)*r.Int64N(20*second), wm: wm, weight: 1}
		if e.null = r.IntN(40) == 0; !e.null {
			wm = max(wm, e.ts-5*second)
		}
		if retract {
			e.k = r.Int64N(30) // of a table: upserts move rows
			e.weight = 1 - 2*int64(r.IntN(4)/3)
		}
		l.events, l.watermarks = append(l.events, e), append(l.watermarks, wm)
	}
	return l
}

// sessionPlan groups sessions; read makes the plan read a bound, so that it can't do without them.
func sessionPlan(g *rand.Rand, n plan.Node, gap int64, read bool) plan.Node {
	key, shape, ordered, filtered, closing := []int{0}, g.IntN(6), g.IntN(2) == 0, g.IntN(3) == 0, g.IntN(3) == 0
	if g.IntN(3) == 0 {
		key = []int{1}
	}
	if shape == 5 {
		key = nil
	}
	w := window(n, plan.Session, 2, 0, 0).(*plan.Window)
	w.Gap, w.Keys = gap, key
	var in plan.Node = w
	if read {
		in = filter(in, expression(plan.IsNotNull, "", col(in, 4)))
	}
	if filtered {
		in = filter(in, expression(plan.Compare, ">", col(in, 1), lit(1)))
	}
	k, v, start, end := 0, 1, 3, 4
	if ordered {
		in = pick(in, 4, 0, 3, 1, 2)
		k, v, start, end = 1, 3, 2, 0
	}
	if len(key) > 0 && key[0] == 1 {
		k, v = v, k
	}
	by := [][]int{{k, start, end}, {end, k}, {start, k}, {start, v, k, end}, {end, start, k}, {end, start}}[shape]
	a := aggregate(in, v, []string{"sum", "max"}[g.IntN(2)], by...).(*plan.Aggregate)
	a.Aggs = append(a.Aggs, plan.Agg{Name: "count", Distinct: true, Args: a.Aggs[1].Args, Type: bigInt})
	a.Out = append(a.Out, plan.Field{Name: "d", Type: bigInt})
	if closing && opt.Infer(a).TimeOf(0) != nil && shape != 2 {
		for i, c := range by {
			if c == end {
				return &plan.EmitOnClose{Input: a, Time: i}
			}
		}
	}
	return a
}

// drive feeds a log to a plan and closes all windows at the end; left are the rows of state that stay.
func drive(t *testing.T, n plan.Node, l *log, r *rand.Rand, most int) (out *zsettest.Model, left int64, fast bool) {
	t.Helper()
	store := memstate.New()
	low, err := Lower([]View{{Plan: n}}, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	out = zsettest.NewModel(typesOf(n.Fields()))
	s := low.Circuit.Sources()[0]
	for at := 0; at <= len(l.events); {
		to := min(at+1+r.IntN(most), len(l.events))
		if r.IntN(8) == 0 { // nothing is kept but in the store
			if low, err = Lower([]View{{Plan: n}}, store, nil); err != nil {
				t.Fatal(err)
			}
		}
		in := circuit.Input{Watermark: math.MaxInt64 - 1}
		if at < to {
			in = circuit.Input{Batch: l.batch(s, at, to), Watermark: l.watermarks[to-1]}
		}
		if at = to; in.Batch == nil {
			at++
		}
		o, err := low.Circuit.Step([]circuit.Input{in}, 0)
		if err != nil {
			t.Fatal(err)
		}
		out.Apply(o.Deltas[0])
	}
	for _, x := range store.Stats().Tables {
		left += x.Rows
	}
	for i := range low.Circuit.Len() {
		fast = fast || low.Circuit.Name(circuit.NodeID(i)) == "aggregate" && len(low.Tables[0]) > 0 && low.Circuit.Inputs(circuit.NodeID(i)) == 2
	}
	return out, left, fast
}

// TestSessionGroups: groups of sessions by their IDs are what they are by their bounds, in steps of any size.
func TestSessionGroups(t *testing.T) {
	first, count := uint64(time.Now().UnixNano()%1e9), 200
	if *seed != 0 {
		first, count = *seed, 1
	}
	for s := first; s < first+uint64(count); s++ {
		r := rand.New(rand.NewPCG(s, 2))
		kind := plan.StreamRelation
		if r.IntN(3) == 0 {
			kind = plan.TableRelation
		}
		rel := relation(1, "a", kind)
		rel.Partitions = 1
		if r.IntN(3) == 0 {
			rel.Time = types.TimeRule{Column: 3}
		}
		l := visits(r, 1+r.IntN(200), kind == plan.TableRelation)
		gap := (1 + r.Int64N(8)) * second
		shape := r.Uint64()
		build := func(read bool) plan.Node {
			n, err := opt.Optimize(sessionPlan(rand.New(rand.NewPCG(shape, 1)), scan(rel), gap, read), opt.Options{})
			if err != nil {
				t.Fatalf("seed %d: %v", s, err)
			}
			return n
		}
		plain, better := build(true), build(false)
		want, leftPlain, fast := drive(t, plain, l, r, 1+len(l.events))
		if fast {
			t.Fatalf("seed %d: the plain form is none:\n%s", s, plan.String(plain))
		}
		for _, most := range []int{1, 5, 200} {
			got, left, fast := drive(t, better, l, r, most)
			if !fast {
				t.Fatalf("seed %d: the plan keeps its bounds:\n%s", s, plan.String(better))
			}
			if d := got.Diff(want); d != "" {
				t.Fatalf("seed %d, steps of %d:\n%s\n%s", s, most, d, plan.String(better))
			}
			if leftPlain == 0 && left > 1 {
				t.Fatalf("seed %d: %d rows of state are left", s, left)
			}
		}
	}
}
