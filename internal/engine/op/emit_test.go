package op

import (
	"math"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

func TestEmitOnCloseHoldsUntilTheTimeIsFinal(t *testing.T) {
	r := seeded(t)
	ts := []types.Type{bigint, stamp, double}
	const delay = 3
	for range 30 {
		store := memstate.New()
		o, err := NewEmitOnClose(ts, 1, delay, tablesOf(store))
		if err != nil {
			t.Fatal(err)
		}
		watermark := types.NoWatermark
		all, got := []tuple{}, multiset{}
		weights := []int64{}
		for step := range 40 {
			if step > 5 {
				watermark = max(watermark, 0) + int64(r.IntN(4))
			}
			if step == 39 {
				watermark = 1 << 60
			}
			var rows []tuple
			var ws []int64
			for range r.IntN(5) {
				row := tuple{pick(r, int64(1), int64(2)), pick(r, min(max(watermark, 0), 100)-delay+int64(r.IntN(20))), pick(r, math.NaN(), 0.0, math.Copysign(0, -1))}
				rows, ws = append(rows, row), append(ws, int64(r.IntN(2)*2-1))
			}
			all, weights = append(all, rows...), append(weights, ws...)
			out, err := o.Step(&Context{Watermark: watermark}, []*zset.Batch{boxBatch(ts, rows, ws)})
			if err != nil {
				t.Fatal(err)
			}
			got.add(out)
			want := multiset{}
			for i, row := range all {
				if at, ok := row[1].(int64); !ok || watermark != types.NoWatermark && at <= watermark-delay {
					want.put(row, weights[i])
				}
			}
			if got.String() != want.String() {
				t.Fatalf("step %d, watermark %d: got\n%swant\n%s", step, watermark, got, want)
			}
			if r.IntN(4) == 0 {
				if err := store.Commit(nil, false); err != nil {
					t.Fatal(err)
				}
				store = store.Reopen()
				if o, err = NewEmitOnClose(ts, 1, delay, tablesOf(store)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := store.Stats().Tables[1].Rows; n != 0 {
			t.Fatalf("%d rows of state are left", n)
		}
	}
}
