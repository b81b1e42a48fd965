package lower

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/circuit"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// BenchmarkSessionGroups takes 200,000 rows whose sessions never end, in steps of 10,000: grouped by IDs, and by bounds.
func BenchmarkSessionGroups(b *testing.B) {
	const rows, size = 200_000, 10_000
	for _, keys := range []int64{1, 1000} {
		r := rand.New(rand.NewPCG(1, 1))
		l := &log{}
		for i := range int64(rows) {
			l.events = append(l.events, event{k: r.Int64N(keys), v: r.Int64N(1000), ts: 1000*second + i*100, wm: types.NoWatermark, weight: 1})
		}
		for _, read := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/bounds=%v", keys, read), func(b *testing.B) {
				rel := relation(1, "a", plan.StreamRelation)
				rel.Partitions = 1
				w := window(scan(rel), plan.Session, 2, 0, 0).(*plan.Window)
				w.Gap, w.Keys = 10*second, []int{0}
				var in plan.Node = w
				if read {
					in = filter(in, expression(plan.IsNotNull, "", col(in, 4)))
				}
				n, err := opt.Optimize(aggregate(in, 1, "sum", 0, 3, 4), opt.Options{})
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					low, err := Lower([]View{{Plan: n}}, memstate.New(), nil)
					if err != nil {
						b.Fatal(err)
					}
					for at := 0; at < rows; at += size {
						in := circuit.Input{Batch: l.batch(low.Circuit.Sources()[0], at, at+size), Watermark: types.NoWatermark}
						if _, err := low.Circuit.Step([]circuit.Input{in}, 0); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds()/1e3, "krows/s")
			})
		}
	}
}
