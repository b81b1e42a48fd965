package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/bus"
	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

// bids makes n Nexmark bids of about 220 bytes of JSON each.
func bids(s *types.Schema, n int) *types.Batch {
	mem := memory.DefaultAllocator
	auction, bidder, price := array.NewInt64Builder(mem), array.NewInt64Builder(mem), array.NewInt64Builder(mem)
	channel, url, extra := array.NewStringBuilder(mem), array.NewStringBuilder(mem), array.NewStringBuilder(mem)
	at := array.NewTimestampBuilder(mem, types.Of(types.Timestamp).Arrow().(*arrow.TimestampType))
	for i := range n {
		auction.Append(int64(i % 1000))
		bidder.Append(int64(i * 7 % 5000))
		price.Append(int64(i * 31 % 1000000))
		channel.Append([]string{"Google", "Facebook", "Baidu", "Apple", "channel-" + fmt.Sprint(i%1000)}[i%5])
		url.Append(fmt.Sprintf("https://www.nexmark.com/%d/item.htm?query=1&channel_id=%d", i%1000, i*13%100000))
		at.Append(arrow.Timestamp(int64(i) * 100))
		extra.Append(strings.Repeat(string(rune('a'+i%26)), 40))
	}
	return &types.Batch{Schema: s, Rows: n, Columns: []arrow.Array{auction.NewArray(), bidder.NewArray(), price.NewArray(), channel.NewArray(), url.NewArray(), at.NewArray(), extra.NewArray()}}
}

func bidSchema() *types.Schema {
	return storetest.Schema("auction BIGINT", "bidder BIGINT", "price BIGINT", "channel VARCHAR", "url VARCHAR", "date_time TIMESTAMP", "extra VARCHAR")
}

// BenchmarkLoad loads bids in loads of a number of rows, with checkpoints as Maintain makes them.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1000, 10_000, 64_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, Options{Dir: b.TempDir(), Threads: 1, MemoryLimit: 1 << 30})
			schema := bidSchema()
			batch := bids(schema, n)
			if err := s.Define(b.Context(), []store.Relation{{ID: 7, Name: "bid", Schema: schema}}); err != nil {
				b.Fatal(err)
			}
			first := types.Offset(0)
			var took, stalls []time.Duration
			last := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				if err := s.Load(context.Background(), []store.Load{storetest.Load(7, 0, storetest.Entry(first, start, batch))}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
				first += types.Offset(n)
				if time.Since(last) > time.Second {
					last = time.Now()
					if err := s.Maintain(b.Context()); err != nil {
						b.Fatal(err)
					}
					stalls = append(stalls, time.Since(last))
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			if len(stalls) > 0 {
				b.ReportMetric(float64(slices.Max(stalls).Microseconds())/1000, "maintain-max-ms")
			}
		})
	}
}

// BenchmarkSeal loads 600,000 bids into the tail and seals them.
func BenchmarkSeal(b *testing.B) {
	const n, loads = 20_000, 30
	s := open(b, Options{Dir: b.TempDir(), MemoryLimit: 2 << 30, SealBytes: 1 << 40})
	schema := bidSchema()
	batch := bids(schema, n)
	if err := s.Define(b.Context(), []store.Relation{{ID: 7, Name: "bid", Schema: schema}}); err != nil {
		b.Fatal(err)
	}
	first := types.Offset(0)
	var loading, sealing time.Duration
	for b.Loop() {
		start := time.Now()
		for range loads {
			if err := s.Load(b.Context(), []store.Load{storetest.Load(7, 0, storetest.Entry(first, start, batch))}); err != nil {
				b.Fatal(err)
			}
			first += n
		}
		loading += time.Since(start)
		start = time.Now()
		if err := s.seal(b.Context()); err != nil {
			b.Fatal(err)
		}
		sealing += time.Since(start)
	}
	b.ReportMetric(n*loads*float64(b.N)/loading.Seconds(), "loaded-rows/s")
	b.ReportMetric(n*loads*float64(b.N)/sealing.Seconds(), "sealed-rows/s")
}

// BenchmarkGroupBy compares count(*) GROUP BY over 3 M rows through the public view and on a plain table with the same rows.
func BenchmarkGroupBy(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), MemoryLimit: 1 << 30})
	schema := storetest.Schema("date TIMESTAMP", "delay BIGINT", "distance BIGINT", "origin VARCHAR", "destination VARCHAR")
	if err := s.Define(b.Context(), []store.Relation{{ID: 7, Name: "flights", Schema: schema}}); err != nil {
		b.Fatal(err)
	}
	const rows = `SELECT TIMESTAMP '2001-01-01' + to_seconds(i * 10) AS c1, i % 200 AS c2, i % 3000 AS c3, 'A' || (i * 7919 % 300) AS c4, 'B' || (i * 104729 % 300) AS c5 FROM range(3000000) t(i)`
	unlock, err := s.lock()
	if err != nil {
		b.Fatal(err)
	}
	err = s.transact(b.Context(), s.keeper, func(ctx context.Context) error {
		return exec(ctx, s.keeper, `INSERT INTO leat.s_7 SELECT 0, row_number() OVER (), now(), now(), * FROM (`+rows+`)`, "CREATE TABLE public.plain AS SELECT c4 AS origin, * FROM ("+rows+")")
	})
	unlock()
	if err == nil {
		err = s.Maintain(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, from := range []string{"plain", "flights"} {
		b.Run(from, func(b *testing.B) {
			for b.Loop() {
				storetest.Query(b, s, "SELECT origin, count(*) FROM "+from+" GROUP BY 1")
			}
		})
	}
}

// BenchmarkTable reads the current rows of a table with 1 M changes of 200,000 keys.
func BenchmarkTable(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), MemoryLimit: 1 << 30})
	schema := storetest.Schema("id BIGINT", "name VARCHAR", "price DOUBLE")
	if err := s.Define(b.Context(), []store.Relation{{ID: 7, Name: "products", Schema: schema, Key: []int32{1}}}); err != nil {
		b.Fatal(err)
	}
	unlock, err := s.lock()
	if err != nil {
		b.Fatal(err)
	}
	err = s.transact(b.Context(), s.keeper, func(ctx context.Context) error {
		return exec(ctx, s.keeper, `INSERT INTO leat.s_7 SELECT 0, i, now(), now(), CASE WHEN i % 50 = 0 THEN -1 ELSE 1 END, i * 7919 % 200000, 'name ' || i, i / 3 FROM range(1000000) t(i)`)
	})
	unlock()
	if err != nil {
		b.Fatal(err)
	}
	const (
		argMax = `(SELECT unnest(r) FROM (SELECT arg_max({'_op': _op, 'id': c1, 'name': c2, 'price': c3}, _offset) r FROM leat.s_7 GROUP BY c1)) WHERE _op > 0`
		window = `(SELECT c1 AS id, c2 AS name, c3 AS price, _op FROM leat.s_7 QUALIFY row_number() OVER (PARTITION BY c1 ORDER BY _offset DESC) = 1) WHERE _op > 0`
		join   = `(SELECT c1 AS id, c2 AS name, c3 AS price, _op FROM leat.s_7 SEMI JOIN (SELECT max(_offset) AS o FROM leat.s_7 GROUP BY c1) w ON w.o = _offset) WHERE _op > 0`
	)
	for name, from := range map[string]string{"view": "products", "argmax": argMax, "semijoin": join, "window": window} {
		b.Run(name+"/all", func(b *testing.B) {
			for b.Loop() {
				storetest.Query(b, s, "SELECT count(*), count(name), sum(price) FROM "+from)
			}
		})
		b.Run(name+"/key", func(b *testing.B) {
			for b.Loop() {
				storetest.Query(b, s, "SELECT * FROM (SELECT * FROM "+from+") WHERE id = 4711")
			}
		})
	}
}

// BenchmarkFresh measures the time from arrival to visible at 20,000 rows/s, in entries of 20 rows each millisecond, while Maintain
// runs every second, by the size at which it seals. It wants -benchtime 10s.
func BenchmarkFresh(b *testing.B) {
	for _, mib := range []int64{4, 16, 64, 256} {
		b.Run(fmt.Sprint(mib), func(b *testing.B) { fresh(b, mib<<20) })
	}
}

func fresh(b *testing.B, sealBytes int64) {
	s := open(b, Options{Dir: b.TempDir(), MemoryLimit: 1 << 30, SealBytes: sealBytes})
	schema := bidSchema()
	batch := bids(schema, 20)
	if err := s.Define(b.Context(), []store.Relation{{ID: 7, Name: "bid", Schema: schema}}); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	var stalls []time.Duration
	wg.Go(func() {
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-ctx.Done():
				return
			case start := <-tick.C:
				if err := s.Maintain(ctx); err != nil {
					b.Error(err)
				}
				stalls = append(stalls, time.Since(start))
			}
		}
	})
	var visible []time.Duration
	start, sent := time.Now(), 0
	for b.Loop() {
		// All that should have arrived by now and was not loaded.
		var entries []*bus.Entry
		for due := int(time.Since(start) / time.Millisecond); sent < due; sent++ {
			entries = append(entries, storetest.Entry(types.Offset(20*sent), start.Add(time.Duration(sent)*time.Millisecond), batch))
		}
		if len(entries) == 0 {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		if err := s.Load(b.Context(), []store.Load{storetest.Load(7, 0, entries...)}); err != nil {
			b.Fatal(err)
		}
		for i := range entries {
			visible = append(visible, time.Since(start.Add(time.Duration(sent-len(entries)+i)*time.Millisecond)))
		}
	}
	stop()
	wg.Wait()
	slices.Sort(visible)
	for name, at := range map[string]int{"p50-ms": 50, "p99-ms": 99} {
		b.ReportMetric(float64(visible[len(visible)*at/100].Microseconds())/1000, name)
	}
	b.ReportMetric(float64(visible[len(visible)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(20*float64(len(visible))/time.Since(start).Seconds(), "rows/s")
	if len(stalls) > 0 {
		b.ReportMetric(float64(slices.Max(stalls).Microseconds())/1000, "maintain-max-ms")
	}
}
