package op

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var topTypes = []types.Type{bigint, double, varchar, bigint, double}

func topValue(r *rand.Rand, col int) any {
	switch col {
	case 0:
		return pick(r, int64(1), int64(2))
	case 1:
		return pick(r, 0.0, math.Copysign(0, -1), math.NaN(), 2.5, -1.0)
	case 2:
		return pick(r, "", "a", "ab", "b\x00c")
	case 3:
		return pick(r, int64(1), int64(2), int64(3), int64(-3))
	}
	return pick(r, 0.0, math.Copysign(0, -1), 1.0)
}

func compareValue(a, b any, desc, nullsFirst bool) int {
	if a == nil || b == nil {
		c := 0
		if a == nil && b != nil {
			c = 1
		} else if a != nil {
			c = -1
		}
		if nullsFirst {
			return -c
		}
		return c
	}
	c := compareBoxed(a, b)
	if desc {
		return -c
	}
	return c
}

func compareOrder(cfg TopNConfig, a, b tuple) int {
	for _, o := range cfg.Order {
		if c := compareValue(a[o.Column], b[o.Column], o.Desc, o.NullsFirst); c != 0 {
			return c
		}
	}
	return 0
}

// compareRest goes by the remaining columns, and at last by what SQL does not tell apart.
func compareRest(a, b tuple) int {
	sign := func(v any) int {
		if f, ok := v.(float64); ok && f == 0 && math.Signbit(f) {
			return 0
		}
		return 1
	}
	for i := range a {
		if c := cmp.Or(compareValue(a[i], b[i], false, false), cmp.Compare(sign(a[i]), sign(b[i]))); c != 0 {
			return c
		}
	}
	return 0
}

func naiveTopN(cfg TopNConfig, live []tuple) multiset {
	parts := map[string][]tuple{}
	for _, r := range live {
		var key tuple
		for _, c := range cfg.Partition {
			v := r[c]
			if v == 0.0 {
				v = 0.0
			}
			key = append(key, v)
		}
		parts[key.String()] = append(parts[key.String()], r)
	}
	out := multiset{}
	for _, rows := range parts {
		slices.SortFunc(rows, func(a, b tuple) int { return cmp.Or(compareOrder(cfg, a, b), compareRest(a, b)) })
		rank, dense := int64(0), int64(0)
		for i, r := range rows {
			if i == 0 || compareOrder(cfg, rows[i-1], r) != 0 {
				rank, dense = int64(i)+1, dense+1
			}
			n := map[plan.Ranking]int64{plan.RowNumber: int64(i) + 1, plan.Rank: rank, plan.DenseRank: dense}[cfg.Ranking]
			if n <= cfg.Offset || cfg.Limit >= 0 && n > cfg.Offset+cfg.Limit {
				continue
			}
			if cfg.Number {
				r = append(slices.Clone(r), n)
			}
			out.put(r, 1)
		}
	}
	return out
}

func TestTopNEqualsRecompute(t *testing.T) {
	r := seeded(t)
	for range 150 {
		cfg := TopNConfig{Types: topTypes, Clock: NoClock, Ranking: plan.Ranking(r.IntN(3)), Limit: int64(r.IntN(6)) - 1, Number: r.IntN(2) == 0, AppendOnly: r.IntN(2) == 0}
		if r.IntN(2) == 0 {
			cfg.Offset = int64(r.IntN(3))
		}
		if r.IntN(10) == 0 {
			cfg.Limit = maxKept + 1
		}
		for range r.IntN(3) {
			cfg.Partition = append(cfg.Partition, r.IntN(2))
		}
		for range r.IntN(4) {
			cfg.Order = append(cfg.Order, Order{Column: r.IntN(5), Desc: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0})
		}
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			tr := &trial{steps: 20, size: []int{2, 10, 60}[r.IntN(3)], make: func(tables Tables) (Op, error) { return NewTopN(cfg, tables) },
				want: func(live []tuple) multiset { return naiveTopN(cfg, live) }}
			tr.run(t, &source{r: r, ts: topTypes, value: topValue, appendOnly: cfg.AppendOnly})
		})
	}
}

func TestTopNKeepsOnlyWhatCanRank(t *testing.T) {
	ts := []types.Type{bigint, bigint}
	for _, ranking := range []plan.Ranking{plan.RowNumber, plan.Rank, plan.DenseRank} {
		store := memstate.New()
		cfg := TopNConfig{Types: ts, Order: []Order{{Column: 0}}, Ranking: ranking, Limit: maxKept + 1, Clock: NoClock, AppendOnly: true}
		o, err := NewTopN(cfg, tablesOf(store))
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(1000) {
			row := boxBatch(ts, []tuple{{1000 - i, i}}, nil)
			if _, err := o.Step(&Context{Watermark: types.NoWatermark}, []*zset.Batch{row}); err != nil {
				t.Fatal(err)
			}
		}
		if n := store.Stats().Tables[1].Rows; n != maxKept+1 {
			t.Errorf("ranking %d keeps %d rows", ranking, n)
		}
	}
}

func TestTopNClockFreesState(t *testing.T) {
	ts := []types.Type{bigint, stamp}
	for _, appendOnly := range []bool{false, true} {
		store := memstate.New()
		cfg := TopNConfig{Types: ts, Partition: []int{0, 1}, Limit: 1, Clock: Clock{Key: 1}, AppendOnly: appendOnly}
		o, err := NewTopN(cfg, tablesOf(store))
		if err != nil {
			t.Fatal(err)
		}
		in := boxBatch(ts, []tuple{{int64(1), int64(10)}, {int64(2), int64(20)}, {int64(2), nil}}, nil)
		for _, c := range []struct{ watermark, rows int64 }{{9, 3}, {10, 2}, {30, 1}} {
			if _, err := o.Step(&Context{Watermark: c.watermark}, []*zset.Batch{in}); err != nil {
				t.Fatal(err)
			}
			in = nil
			if n := store.Stats().Tables[1].Rows; n != c.rows {
				t.Errorf("%d rows at %d, want %d", n, c.watermark, c.rows)
			}
		}
	}
}

// BenchmarkTopNLast is Nexmark's q18: the last bid of each bidder and auction, 64k bids on 10,000 pairs, rows of 7 columns.
func BenchmarkTopNLast(b *testing.B) {
	benchTopN(b, []int{0, 1}, []Order{{Column: 3, Desc: true}}, 1, false)
}

// BenchmarkTopNTen is Nexmark's q19: the ten highest bids of each auction with their rank.
func BenchmarkTopNTen(b *testing.B) {
	benchTopN(b, []int{0}, []Order{{Column: 2, Desc: true}}, 10, true)
}

func benchTopN(b *testing.B, partition []int, order []Order, limit int64, number bool) {
	const n = 1 << 16
	r := rand.New(rand.NewPCG(1, 1))
	ts := []types.Type{bigint, bigint, bigint, bigint, varchar, varchar, varchar}
	in := &zset.Batch{N: n, Cols: []*zset.Vec{
		intVec(n, func(int) int64 { return 1000 + r.Int64N(1000) }), intVec(n, func(int) int64 { return r.Int64N(10) }),
		intVec(n, func(int) int64 { return r.Int64N(1e7) }), intVec(n, func(i int) int64 { return int64(i) }),
		textVec(n, func(int) []byte { return []byte("channel-1234") }), textVec(n, func(int) []byte { return []byte("https://www.nexmark.com/item.htm?query=1") }),
		textVec(n, func(int) []byte { return []byte("extra extra extra extra") }),
	}}
	x := &Context{Watermark: types.NoWatermark}
	var rows int
	for b.Loop() {
		o, err := NewTopN(TopNConfig{Types: ts, Partition: partition, Order: order, Limit: limit, Number: number, AppendOnly: true, Clock: NoClock}, fastTables())
		if err != nil {
			b.Fatal(err)
		}
		for from := 0; from < n; from += n / 16 {
			if _, err := o.Step(x, []*zset.Batch{in.Slice(from, from+n/16)}); err != nil {
				b.Fatal(err)
			}
		}
		rows += n
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// BenchmarkTopNRetractions updates one of the rows of each of 1,000 partitions of 100 rows a step, top 10 with their rank.
func BenchmarkTopNRetractions(b *testing.B) {
	ts := []types.Type{bigint, bigint, bigint}
	r := rand.New(rand.NewPCG(1, 1))
	o, err := NewTopN(TopNConfig{Types: ts, Partition: []int{0}, Order: []Order{{Column: 2, Desc: true}}, Limit: 10, Number: true, Clock: NoClock}, tablesOf(memstate.New()))
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	rows := make([]tuple, n)
	for i := range rows {
		rows[i] = tuple{int64(i % 1000), int64(i), r.Int64N(1e6)}
	}
	x := &Context{Watermark: types.NoWatermark}
	if _, err := o.Step(x, []*zset.Batch{boxBatch(ts, rows, nil)}); err != nil {
		b.Fatal(err)
	}
	changes := 0
	for b.Loop() {
		var in []tuple
		var ws []int64
		for p := range 1000 {
			i := p + 1000*r.IntN(100)
			is := tuple{rows[i][0], rows[i][1], r.Int64N(1e6)}
			in, ws = append(in, rows[i], is), append(ws, -1, 1)
			rows[i] = is
		}
		if _, err := o.Step(x, []*zset.Batch{boxBatch(ts, in, ws)}); err != nil {
			b.Fatal(err)
		}
		changes += 1000
	}
	b.ReportMetric(float64(changes)/b.Elapsed().Seconds()/1e3, "kupdates/s")
}
