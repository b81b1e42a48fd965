package pebblelog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// bids returns n rows like Nexmark's bids: seven columns, some 220 bytes each as JSON.
func bids(rng *rand.Rand, n int) *types.Batch {
	s := &types.Schema{Version: 1}
	for _, c := range []struct {
		name string
		kind types.Kind
	}{{"auction", types.BigInt}, {"bidder", types.BigInt}, {"price", types.BigInt}, {"channel", types.Varchar}, {"url", types.Varchar}, {"date_time", types.Timestamp}, {"extra", types.Varchar}} {
		s.Add(c.name, types.Of(c.kind), c.name)
	}
	record := array.NewRecordBuilder(memory.DefaultAllocator, s.Arrow())
	letters := make([]byte, 64)
	for i := range n {
		for k := range letters {
			letters[k] = 'a' + byte(rng.IntN(26))
		}
		channel := []string{"Google", "Facebook", "Baidu", "Apple", "channel-4711"}[rng.IntN(5)]
		record.Field(0).(*array.Int64Builder).Append(1000 + rng.Int64N(5000))
		record.Field(1).(*array.Int64Builder).Append(1000 + rng.Int64N(2000))
		record.Field(2).(*array.Int64Builder).Append(rng.Int64N(1e8))
		record.Field(3).(*array.StringBuilder).Append(channel)
		record.Field(4).(*array.StringBuilder).Append("https://www.nexmark.com/" + string(letters[:14]) + "/item.htm?query=1&channel_id=" + fmt.Sprint(rng.IntN(1e9)))
		record.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(time.Now().UnixMicro() + int64(i)*10))
		record.Field(6).(*array.StringBuilder).Append(string(letters[14:54]))
	}
	return &types.Batch{Schema: s, Columns: record.NewRecordBatch().Columns(), Rows: n}
}

func benchBids(n, rows int) []*types.Batch {
	rng := rand.New(rand.NewPCG(1, 1))
	out := make([]*types.Batch, n)
	for i := range out {
		out[i] = bids(rng, rows)
	}
	return out
}

// inParallel calls f b.N times from n goroutines and reports the 99th percentile of its time.
func inParallel(b *testing.B, n int, f func(i int) error) {
	var next atomic.Int64
	var mu sync.Mutex // guards took
	var took []time.Duration
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			var mine []time.Duration
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				start := time.Now()
				if err := f(int(i)); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	if len(took) > 0 {
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	}
}

func BenchmarkAppendBids(b *testing.B) {
	batches := benchBids(16, 1000)
	l := configured(b, b.TempDir(), Options{}, 1)
	defer closeLog(b, l)
	inParallel(b, 8, func(i int) error {
		_, err := l.Append(ctx, appendOne(0, batches[i%len(batches)]))
		return err
	})
	m := l.Metrics()
	b.ReportMetric(float64(m.Rows)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(m.Bytes)/float64(m.Rows), "stored-B/event")
	b.ReportMetric(float64(m.Appends)/float64(m.Groups), "appends/group")
}

func BenchmarkAppendSingle(b *testing.B) {
	batches := benchBids(256, 1)
	l := configured(b, b.TempDir(), Options{}, 1)
	defer closeLog(b, l)
	inParallel(b, 64, func(i int) error {
		_, err := l.Append(ctx, appendOne(0, batches[i%len(batches)]))
		return err
	})
	m := l.Metrics()
	b.ReportMetric(float64(m.Appends)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(m.Bytes)/float64(m.Rows), "stored-B/event")
	b.ReportMetric(float64(m.Appends)/float64(m.Groups), "appends/group")
}

func BenchmarkRead(b *testing.B) {
	for name, tail := range map[string]int64{"tail": 1 << 30, "stored": -1} {
		b.Run(name, func(b *testing.B) {
			const n = 500
			batches := benchBids(16, 1000)
			l := configured(b, b.TempDir(), Options{TailBytes: tail}, 1)
			defer closeLog(b, l)
			for i := range n {
				if _, err := l.Append(ctx, appendOne(0, batches[i%len(batches)])); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				for from := types.Offset(0); from < n*1000; {
					got, err := l.Read(ctx, types.PartitionID{Stream: 10}, from, 4<<20)
					if err != nil {
						b.Fatal(err)
					}
					from = got[len(got)-1].Next
				}
			}
			b.ReportMetric(n*1000*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkOpen10M(b *testing.B) {
	dir := b.TempDir()
	batches := benchBids(16, 10_000)
	l := configured(b, dir, Options{}, 1)
	for i := range 1000 {
		if _, err := l.Append(ctx, appendOne(0, batches[i%len(batches)])); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(l.Metrics().DiskBytes)/1e6, "disk-MB")
	closeLog(b, l)
	b.ResetTimer()
	for range b.N {
		closeLog(b, mustOpen(b, dir, Options{}))
	}
}
