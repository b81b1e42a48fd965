package pipeline

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/bus"
	"leat/internal/bus/pebblelog"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/pebblestate"
	"leat/internal/types"
)

// bids are like those of Nexmark: 7 columns, about 200 bytes a row.
var bids = func() *plan.Relation {
	s := &types.Schema{Version: 1}
	for _, c := range []string{"auction", "bidder", "price"} {
		s.Add(c, bigInt)
	}
	s.Add("channel", types.Of(types.Varchar))
	s.Add("url", types.Of(types.Varchar))
	s.Add("date_time", timestamp)
	s.Add("extra", types.Of(types.Varchar))
	return &plan.Relation{ID: 9, Name: "bid", Kind: plan.StreamRelation, Schema: s, Partitions: 1,
		Time: types.TimeRule{Column: 6, Watermarked: true, Delay: 4 * time.Second}}
}()

func bidBatch(r *rand.Rand, first, n int) *types.Batch {
	var ints [3]*array.Int64Builder
	var texts [3]*array.StringBuilder
	for i := range 3 {
		ints[i], texts[i] = array.NewInt64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
	}
	ts := array.NewTimestampBuilder(memory.DefaultAllocator, timestamp.Arrow().(*arrow.TimestampType))
	filler := make([]byte, 80)
	for i := range n {
		ints[0].Append(1000 + int64(first+i)/15 - r.Int64N(100))
		ints[1].Append(1000 + r.Int64N(20000))
		ints[2].Append(r.Int64N(1 << 20))
		texts[0].Append([]string{"Google", "Facebook", "Baidu", "Apple"}[r.IntN(4)])
		texts[1].Append("https://www.nexmark.com/abcd/efgh/item.htm?query=1")
		ts.Append(arrow.Timestamp(start + int64(first+i)*100))
		for k := range filler {
			filler[k] = byte('a' + r.IntN(26))
		}
		texts[2].Append(string(filler))
	}
	return &types.Batch{Schema: bids.Schema, Rows: n, Columns: []arrow.Array{ints[0].NewArray(), ints[1].NewArray(), ints[2].NewArray(),
		texts[0].NewArray(), texts[1].NewArray(), ts.NewArray(), texts[2].NewArray()}}
}

func columnsOf(n plan.Node, cols ...int) plan.Node {
	p := &plan.Project{Input: n}
	for _, c := range cols {
		p.Exprs = append(p.Exprs, col(n, c))
		p.Out = append(p.Out, n.Fields()[c])
	}
	return p
}

func benchmarkLog(b *testing.B, rows, batch int) *pebblelog.Log {
	log, err := pebblelog.Open(b.Context(), "log", pebblelog.Options{FS: vfs.NewMem(), MinFree: -1, TailBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	if err := log.Configure(b.Context(), bus.StreamConfig{ID: bids.ID, Partitions: 1, Time: bids.Time}); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < rows; at += batch {
		part := bus.Part{Partition: types.PartitionID{Stream: bids.ID}, Batch: bidBatch(r, at, batch)}
		if _, err := log.Append(b.Context(), &bus.Append{NoSync: true, Parts: []bus.Part{part}}); err != nil {
			b.Fatal(err)
		}
	}
	return log
}

func benchmarkManager(b *testing.B, log bus.Log) *Manager {
	states, err := pebblestate.OpenEngine("state", pebblestate.Options{FS: vfs.NewMem(), Budget: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := states.Close(); err != nil {
			b.Error(err)
		}
	})
	m := New(Options{
		Log:    log,
		States: func(id types.ObjectID) (state.Store, error) { return states.Store(uint64(id)) },
		Forget: func(id types.ObjectID) error { return states.Drop(uint64(id)) },
	})
	done := make(chan error)
	b.Cleanup(func() {
		if err := <-done; err != nil { // the test's context has ended
			b.Error(err)
		}
	})
	go func() { done <- m.Run(b.Context()) }()
	return m
}

// BenchmarkCatchUp is how fast views read a log of a million bids.
func BenchmarkCatchUp(b *testing.B) {
	const rows = 1 << 20
	log := benchmarkLog(b, rows, 8192)
	in := scan(bids)
	modulo := call(plan.Compare, "=", boolean, call(plan.Call, "%", bigInt, col(in, 0), lit(123)), lit(0))
	for _, c := range []struct {
		name string
		plan plan.Node
	}{
		{"project", columnsOf(in, 0, 1, 2, 5)},
		{"filter", columnsOf(&plan.Filter{Input: in, Cond: modulo}, 0, 2)},
		{"count", counts(in, 2, 0)},
		{"all", in},
	} {
		d := define(b, 100, c.name, c.plan)
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				m := benchmarkManager(b, log)
				if err := m.Set(b.Context(), []Definition{d}); err != nil {
					b.Fatal(err)
				}
				if err := m.Wait(b.Context(), log.Position(bids.ID), 100); err != nil {
					b.Fatal(err)
				}
				if err := m.Set(b.Context(), nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// BenchmarkLatency is the time from an acknowledged append until its row can be read, at 20,000 rows a second in small appends.
func BenchmarkLatency(b *testing.B) {
	for _, c := range []struct {
		name string
		plan plan.Node
	}{{"count", counts(scan(bids), 2, 0)}, {"project", columnsOf(scan(bids), 0, 1, 2, 5)}} {
		b.Run(c.name, func(b *testing.B) {
			log := benchmarkLog(b, 1<<15, 8192)
			m := benchmarkManager(b, log)
			d := define(b, 100, c.name, c.plan)
			if err := m.Set(b.Context(), []Definition{d}); err != nil {
				b.Fatal(err)
			}
			if err := m.Wait(b.Context(), log.Position(bids.ID), 100); err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, 2))
			var took []time.Duration
			const every = time.Millisecond
			next := time.Now()
			for i := range b.N {
				part := bus.Part{Partition: types.PartitionID{Stream: bids.ID}, Batch: bidBatch(r, 1<<15+20*i, 20)}
				ack, err := log.Append(b.Context(), &bus.Append{Parts: []bus.Part{part}})
				if err != nil {
					b.Fatal(err)
				}
				acked := time.Now()
				at := types.NewPosition(log.Incarnation(), []types.Cursor{{Partition: part.Partition, Next: ack.Ranges[0].Next}})
				if err := m.Wait(b.Context(), at, 100); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(acked))
				next = next.Add(every)
				time.Sleep(time.Until(next))
			}
			slices.Sort(took)
			for _, q := range []int{50, 99} {
				b.ReportMetric(float64(took[(len(took)-1)*q/100].Microseconds())/1000, fmt.Sprintf("ms-p%d", q))
			}
		})
	}
}

// BenchmarkManyPipelines is what a thousand idle views over one stream cost: memory each, and the time from an append until all have read it.
func BenchmarkManyPipelines(b *testing.B) {
	const views = 1000
	log := benchmarkLog(b, 1<<16, 8192)
	m := benchmarkManager(b, log)
	var defs []Definition
	for i := range views {
		modulo := call(plan.Compare, "=", boolean, call(plan.Call, "%", bigInt, col(scan(bids), 1), lit(views)), lit(int64(i)))
		defs = append(defs, define(b, types.ObjectID(100+i), "v", counts(&plan.Filter{Input: scan(bids), Cond: modulo}, 2, 0)))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	if err := m.Set(b.Context(), defs); err != nil {
		b.Fatal(err)
	}
	if err := m.Wait(b.Context(), log.Position(bids.ID), ids(defs)...); err != nil {
		b.Fatal(err)
	}
	caught := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	r := rand.New(rand.NewPCG(1, 2))
	b.ResetTimer()
	for i := range b.N {
		part := bus.Part{Partition: types.PartitionID{Stream: bids.ID}, Batch: bidBatch(r, 1<<16+20*i, 20)}
		if _, err := log.Append(b.Context(), &bus.Append{Parts: []bus.Part{part}}); err != nil {
			b.Fatal(err)
		}
		if err := m.Wait(b.Context(), log.Position(bids.ID), ids(defs)...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/views/1024, "KiB/view")
	b.ReportMetric(float64(after.Sys)/(1<<20), "MiB-peak")
	b.ReportMetric(caught.Seconds(), "s-catch-up")
}
