package op

import (
	"math/rand/v2"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

func intVec(n int, f func(i int) int64) *zset.Vec {
	v := &zset.Vec{Type: bigint, Len: n, I64: make([]int64, n)}
	for i := range v.I64 {
		v.I64[i] = f(i)
	}
	return v
}

func textVec(n int, f func(i int) []byte) *zset.Vec {
	v := &zset.Vec{Type: varchar, Len: n, Off: make([]int32, 1, n+1)}
	for i := range n {
		v.Data = append(v.Data, f(i)...)
		v.Off = append(v.Off, int32(len(v.Data)))
	}
	return v
}

func benchOp(b *testing.B, o Op, err error, in *zset.Batch) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	x := &Context{Watermark: types.NoWatermark}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Step(x, []*zset.Batch{in}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(in.N)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// BenchmarkAggregateWindows is count and sum per key in windows of a second: 64k rows of 1,000 keys in two windows.
func BenchmarkAggregateWindows(b *testing.B) {
	const n = 1 << 16
	r := rand.New(rand.NewPCG(1, 1))
	window := intVec(n, func(i int) int64 { return int64(i) >> 15 * 1e6 })
	value := intVec(n, func(int) int64 { return r.Int64N(1000) })
	aggs := []AggConfig{{Name: "count_star", Filter: -1, Type: bigint}, {Name: "sum", Args: []int{2}, Filter: -1, Type: hugeint}}
	b.Run("number", func(b *testing.B) {
		ts := []types.Type{bigint, bigint, bigint}
		in := &zset.Batch{N: n, Cols: []*zset.Vec{intVec(n, func(int) int64 { return r.Int64N(1000) }), window, value}}
		o, err := NewAggregate(AggregateConfig{Types: ts, Groups: []int{0, 1}, Aggs: aggs, Clock: NoClock}, fastTables())
		benchOp(b, o, err, in)
	})
	b.Run("text", func(b *testing.B) {
		ts := []types.Type{varchar, bigint, bigint}
		in := &zset.Batch{N: n, Cols: []*zset.Vec{textVec(n, func(int) []byte { return append([]byte{'k'}, "0123456789"[r.IntN(10)], "0123456789"[r.IntN(10)]) }), window, value}}
		o, err := NewAggregate(AggregateConfig{Types: ts, Groups: []int{0, 1}, Aggs: aggs, Clock: NoClock}, fastTables())
		benchOp(b, o, err, in)
	})
	b.Run("text+bounds", func(b *testing.B) {
		ts := []types.Type{varchar, bigint, bigint, bigint}
		in := &zset.Batch{N: n, Cols: []*zset.Vec{textVec(n, func(int) []byte { return append([]byte{'k'}, "0123456789"[r.IntN(10)], "0123456789"[r.IntN(10)]) }), window, value, window}}
		o, err := NewAggregate(AggregateConfig{Types: ts, Groups: []int{0, 1, 3}, Aggs: aggs, Clock: NoClock}, fastTables())
		benchOp(b, o, err, in)
	})
}

// BenchmarkAggregateHop is Nexmark's q5: a count per auction and sliding window, 5 windows a row, about 25,000 groups a step.
func BenchmarkAggregateHop(b *testing.B) {
	const n = 5 << 16
	r := rand.New(rand.NewPCG(1, 1))
	ts := []types.Type{bigint, bigint, bigint}
	window := intVec(n, func(i int) int64 { return int64(i%5) * 2e6 })
	in := &zset.Batch{N: n, Cols: []*zset.Vec{intVec(n, func(i int) int64 { return 1000 + r.Int64N(5000) }), window, window}}
	o, err := NewAggregate(AggregateConfig{Types: ts, Groups: []int{0, 1, 2}, Clock: NoClock,
		Aggs: []AggConfig{{Name: "count_star", Filter: -1, Type: bigint}}}, fastTables())
	benchOp(b, o, err, in)
}

func BenchmarkExactSum(b *testing.B) {
	const n = 1 << 16
	r := rand.New(rand.NewPCG(1, 1))
	ts := []types.Type{bigint, double}
	v := &zset.Vec{Type: double, Len: n, F64: make([]float64, n)}
	for i := range v.F64 {
		v.F64[i] = float64(r.IntN(100000)) / 100
	}
	acc := &floatSum{arg: 1}
	in := &rows{cols: []*zset.Vec{nil, v}, n: n, gid: make([]int32, n), groups: 100}
	for i := range in.gid {
		in.gid[i] = int32(r.IntN(100))
	}
	_ = ts
	for b.Loop() {
		acc.reset(100)
		acc.add(in)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Madds/s")
}
