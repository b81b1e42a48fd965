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
)

// TestLargeStepsOfWindows: rows that are in many windows are grouped in slices, late ones and those of windows that close in the same step too.
func TestLargeStepsOfWindows(t *testing.T) {
	s := uint64(time.Now().UnixNano() % 1e9)
	if *seed != 0 {
		s = *seed
	}
	r := rand.New(rand.NewPCG(s, 3))
	rel := relation(1, "a", plan.StreamRelation)
	rel.Partitions = 1
	l := visits(r, 1200, false)
	w := window(scan(rel), plan.Hop, 2, second, 1000*second)
	n, err := opt.Optimize(aggregate(w, 1, "max", 4, 0), opt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	run := func(size int) (*zsettest.Model, int64) {
		low, err := Lower([]View{{Plan: n}}, memstate.New(), nil)
		if err != nil {
			t.Fatal(err)
		}
		out, late := zsettest.NewModel(typesOf(n.Fields())), int64(0)
		for at := 0; at < len(l.events); at += size {
			to := min(at+size, len(l.events))
			in := circuit.Input{Batch: l.batch(low.Circuit.Sources()[0], at, to), Watermark: l.watermarks[to-1]}
			if to == len(l.events) {
				in.Watermark = math.MaxInt64 - 1
			}
			o, err := low.Circuit.Step([]circuit.Input{in}, 0)
			if err != nil {
				t.Fatal(err)
			}
			out.Apply(o.Deltas[0])
			for _, x := range o.Late {
				late += x.Rows()
			}
		}
		return out, late
	}
	want, wantLate := run(40)
	for _, size := range []int{400, 1200} {
		got, late := run(size)
		if d := got.Diff(want); d != "" || late != wantLate {
			t.Fatalf("seed %d, steps of %d, %d late of %d:\n%.2000s", s, size, late, wantLate, d)
		}
	}
}
