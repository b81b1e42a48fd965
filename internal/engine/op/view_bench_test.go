package op_test

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/state/pebblestate"
	"leat/internal/types"
)

// benchView is a view of n rows (id, name, group of 1,000, amount) by id, in a store as the server has it.
type benchView struct {
	*op.View
	types []types.Type
	store state.Store
	rows  int
}

func newBenchView(tb testing.TB, n, indexes int) *benchView {
	s, err := pebblestate.Open("state", pebblestate.Options{FS: vfs.NewMem(), Budget: 1 << 30})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	v := &benchView{types: []types.Type{types.Of(types.BigInt), types.Of(types.Varchar), types.Of(types.BigInt), types.Of(types.Double)}, store: s, rows: n}
	id := state.TableID(0)
	v.View = op.NewView(v.types, []int{0}, func() state.Table { id++; return s.Table(id) })
	for i := range indexes {
		v.AddIndex(op.Index{ID: uint32(i + 1), Columns: [][]int{{2}, {3, 1}}[i]}, s.Table(state.TableID(100+i)), true)
	}
	for at := 0; at < n; at += 8192 {
		if _, err := v.Apply(v.batch(at, min(8192, n-at), 1, 0)); err != nil {
			tb.Fatal(err)
		}
	}
	return v
}

// batch are rows from number at on, each by, whose amounts are of a version.
func (v *benchView) batch(at, n, by, version int) *zset.Batch {
	b := zset.NewBuilder(v.types)
	for i := range n {
		row := (at + i*by) % v.rows
		b.AppendInt64(0, int64(row))
		b.AppendBytes(1, fmt.Appendf(nil, "customer %d", row))
		b.AppendInt64(2, int64(row)*7919%1000)
		b.AppendFloat64(3, float64(row*31+version))
		b.EndRow(1)
	}
	return b.Finish()
}

// BenchmarkViewApply replaces 4,096 of 256k rows a step: the amount changes, by which the second index orders.
func BenchmarkViewApply(b *testing.B) {
	for indexes := range 3 {
		b.Run(fmt.Sprint(indexes, " indexes"), func(b *testing.B) {
			const n, rows = 4096, 1 << 18
			v := newBenchView(b, rows, indexes)
			deltas := make([]*zset.Batch, rows/n)
			for i := range deltas {
				deltas[i] = zset.Concat(v.types, v.batch(i, n, rows/n, 1), zset.Negate(v.batch(i, n, rows/n, 0)))
			}
			step := 0
			for b.Loop() {
				d := deltas[step%len(deltas)]
				if step/len(deltas)%2 == 1 {
					d = zset.Negate(d)
				}
				if _, err := v.Apply(d); err != nil {
					b.Fatal(err)
				}
				if step++; step%64 == 0 {
					if err := v.store.Commit(nil, false); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mupdates/s")
		})
	}
}

// BenchmarkViewBuild makes an index of 1M rows.
func BenchmarkViewBuild(b *testing.B) {
	const rows = 1 << 20
	v := newBenchView(b, rows, 0)
	for b.Loop() {
		v.AddIndex(op.Index{ID: 1, Columns: []int{2}}, v.store.Table(100), false)
		for v.Build(4096) {
		}
		v.DropIndex(1)
		v.store.Drop(100)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func one(t types.Type, x int64) *zset.Vec { return &zset.Vec{Type: t, Len: 1, I64: []int64{x}} }

// BenchmarkViewGet reads rows of 1M by key.
func BenchmarkViewGet(b *testing.B) {
	const rows = 1 << 20
	v := newBenchView(b, rows, 0)
	snap := v.Snapshot()
	defer snap.Close()
	b.ReportAllocs()
	i := int64(0)
	for b.Loop() {
		i += 7919
		if snap.Get([]*zset.Vec{one(v.types[0], i%rows)}, 0) == nil {
			b.Fatal("a row is missing")
		}
	}
}

// BenchmarkViewRange reads 10 and 100 rows of one of 1,000 groups, by an index and by the key.
func BenchmarkViewRange(b *testing.B) {
	const rows = 1 << 20
	v := newBenchView(b, rows, 1)
	snap := v.Snapshot()
	defer snap.Close()
	for _, limit := range []int{10, 100} {
		for order, name := range []string{"key", "index"} {
			for _, desc := range []bool{false, true} {
				b.Run(fmt.Sprint(name, "/", limit, " rows/desc ", desc), func(b *testing.B) {
					b.ReportAllocs()
					i := int64(0)
					for b.Loop() {
						i += 7919
						r := op.Range{Limit: limit, Desc: desc}
						if order == 0 {
							r.Lower = &op.Bound{Value: one(v.types[0], 1000+i%(rows/2)), Inclusive: true}
						} else {
							r.Prefix = []*zset.Vec{one(v.types[2], i%1000)}
						}
						if got, _ := snap.Range(order, r); got.Rows() != limit {
							b.Fatalf("%d rows", got.Rows())
						}
					}
				})
			}
		}
	}
}
