package op

import (
	"math"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

func TestGrouperEqualsMap(t *testing.T) {
	r := seeded(t)
	var g grouper
	for range 15 {
		n := []int{1, 10, 1000, 1 << 16}[r.IntN(4)]
		domain := []int64{1, 3, 1000, math.MaxInt64}[r.IntN(4)]
		ints := func() *zset.Vec { return intVec(n, func(int) int64 { return r.Int64N(domain) - domain/2 }) }
		nulls := intVec(n, func(int) int64 { return 1 })
		nulls.Valid = make([]byte, (n+7)/8)
		for i := range nulls.Valid {
			nulls.Valid[i] = byte(r.Uint32())
		}
		floats := &zset.Vec{Type: double, Len: n, F64: make([]float64, n)}
		for i := range floats.F64 {
			floats.F64[i] = []float64{0, 1.5, math.NaN()}[r.IntN(3)]
		}
		text := textVec(n, func(int) []byte { return []byte("abcdef")[:r.IntN(7)] })
		all := []*zset.Vec{ints(), ints(), ints(), nulls, floats, text}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		cols := all[:r.IntN(5)]
		gid, first := g.assign(cols, n)
		want := map[string]int32{}
		b := &zset.Batch{Cols: cols, N: n}
		for i := range n {
			key := unbox(b, i).String()
			id, ok := want[key]
			if !ok {
				id = int32(len(want))
				want[key] = id
				if first[id] != int32(i) {
					t.Fatalf("first row of group %d is %d, want %d", id, first[id], i)
				}
			}
			if gid[i] != id {
				t.Fatalf("row %d is in group %d, want %d", i, gid[i], id)
			}
		}
		if len(first) != len(want) {
			t.Fatalf("%d groups, want %d", len(first), len(want))
		}
	}
}

func TestIdleOperatorsAreSmall(t *testing.T) {
	const n = 1 << 16
	ts := []types.Type{bigint, bigint}
	in := &zset.Batch{N: n, Cols: []*zset.Vec{intVec(n, func(i int) int64 { return int64(i) }), intVec(n, func(i int) int64 { return int64(i) })}}
	o, err := NewAggregate(AggregateConfig{Types: ts, Groups: []int{0}, Clock: NoClock, Aggs: []AggConfig{
		{Name: "sum", Args: []int{1}, Filter: -1, Type: hugeint}, {Name: "max", Args: []int{1}, Filter: -1, Type: bigint},
		{Name: "count", Args: []int{1}, Distinct: true, Filter: -1, Type: bigint}}}, tablesOf(memstate.New()))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*zset.Batch{in, nil} {
		if _, err := o.Step(&Context{Watermark: types.NoWatermark}, []*zset.Batch{b}); err != nil {
			t.Fatal(err)
		}
	}
	a := o.(*aggregate)
	got := cap(a.grouper.gid) + cap(a.grouper.slots) + cap(a.counts) + cap(a.keys) + cap(a.accs[0].(*sum).deltas) +
		cap(a.accs[1].(*extremum).pairs.gids) + cap(a.accs[2].(*distinct).w)
	if got > 4*roomy || a.accs[1].(*extremum).cols[0] != nil || a.groups[0] != nil {
		t.Errorf("an idle operator keeps room for %d", got)
	}
}
