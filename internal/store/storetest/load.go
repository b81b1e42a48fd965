package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"leat/internal/bus"
	"leat/internal/store"
	"leat/internal/types"
)

var now = time.Now()

func orders() store.Relation {
	return store.Relation{ID: 7, Name: "orders", Schema: Schema("id BIGINT", "item VARCHAR")}
}

func numbered(s *types.Schema, from, n int) *types.Batch {
	rows := make([][]any, n)
	for i := range rows {
		rows[i] = []any{from + i, fmt.Sprintf("item %d", from+i)}
	}
	return Batch(s, rows...)
}

func exactlyOnce(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	must(t, s.Define(t.Context(), []store.Relation{r}))
	a, b := Entry(0, now, numbered(r.Schema, 0, 3)), Entry(3, now, numbered(r.Schema, 3, 4))
	for range 2 {
		must(t, s.Load(t.Context(), []store.Load{Load(7, 0, a), Load(7, 1, a)}))
	}
	must(t, s.Load(t.Context(), []store.Load{Load(7, 0, a, b)}))
	// An entry that begins before what is loaded and ends after it.
	must(t, s.Load(t.Context(), []store.Load{Load(7, 0, Entry(5, now, numbered(r.Schema, 5, 5)))}))
	want(t, s, "SELECT count(*), count(DISTINCT id), max(id) FROM orders", "13|10|9")
	want(t, s, `SELECT _leat_partition, count(*), max(_leat_offset) FROM "orders$leat" GROUP BY 1 ORDER BY 1`, "0|10|9\n1|3|2")
	want(t, s, "SELECT * FROM orders WHERE id = 9", "9|item 9")
	expected := types.NewPosition(s.Loaded().Incarnation, []types.Cursor{{Partition: types.PartitionID{Stream: 7, Index: 0}, Next: 10}, {Partition: types.PartitionID{Stream: 7, Index: 1}, Next: 3}})
	if got := s.Loaded(); !got.Covers(expected) || !expected.Covers(got) {
		t.Errorf("loaded %v, want %v", got, expected)
	}
	if err := s.Load(t.Context(), []store.Load{Load(99, 0, a)}); !types.HasCode(err, types.NotFound) {
		t.Errorf("load of an unknown stream: %v", err)
	}
}

func reopen(t *testing.T, env Env) {
	dir := t.TempDir()
	s := env.Open(t, dir)
	r := orders()
	must(t, s.Define(t.Context(), []store.Relation{r}))
	must(t, s.Load(t.Context(), []store.Load{Load(7, 0, Entry(0, now, numbered(r.Schema, 0, 100)))}))
	before := s.Loaded()
	must(t, s.Close())
	s = env.Open(t, dir)
	if got := s.Loaded(); !got.Covers(before) {
		t.Fatalf("loaded %v after reopen, %v before", got, before)
	}
	must(t, s.Define(t.Context(), []store.Relation{r}))
	must(t, s.Load(t.Context(), []store.Load{Load(7, 0, Entry(0, now, numbered(r.Schema, 0, 150)))}))
	want(t, s, "SELECT count(*), count(DISTINCT id) FROM orders", "150|150")
}

// crash copies the files between loads: what is there must be what its offsets say, no less than what was durable, and loading the rest makes it whole.
func crash(t *testing.T, env Env) {
	dir := t.TempDir()
	s := env.Open(t, dir)
	r := orders()
	must(t, s.Define(t.Context(), []store.Relation{r}))
	var entries []*bus.Entry
	for i := range 5 {
		entries = append(entries, Entry(types.Offset(1000*i), now, numbered(r.Schema, 1000*i, 1000)))
		must(t, s.Load(t.Context(), []store.Load{Load(7, 0, entries[i])}))
		if i == 2 {
			must(t, s.Maintain(t.Context()))
			if !s.Durable().Covers(s.Loaded()) {
				t.Errorf("durable %v after Maintain, loaded %v", s.Durable(), s.Loaded())
			}
		}
		copied := env.Open(t, env.Crash(t, dir))
		if got := copied.Loaded(); !got.Covers(s.Durable()) || !s.Loaded().Covers(got) {
			t.Fatalf("after a crash loaded %v; before it loaded %v, durable %v", got, s.Loaded(), s.Durable())
		}
		must(t, copied.Define(t.Context(), []store.Relation{r}))
		n := int(offsetOf(copied, 7))
		want(t, copied, "SELECT count(*), count(DISTINCT id), coalesce(max(id), -1) FROM orders", fmt.Sprintf("%d|%d|%d", n, n, n-1))
		must(t, copied.Load(t.Context(), []store.Load{Load(7, 0, entries...)}))
		n = 1000 * (i + 1)
		want(t, copied, "SELECT count(*), count(DISTINCT id), max(id) FROM orders", fmt.Sprintf("%d|%d|%d", n, n, n-1))
		must(t, copied.Close())
	}
}

// offsetOf is where loading of a stream's partition 0 goes on.
func offsetOf(s store.Store, stream types.ObjectID) types.Offset {
	for _, c := range s.Loaded().Cursors {
		if c.Partition == (types.PartitionID{Stream: stream}) {
			return c.Next
		}
	}
	return 0
}

func maxRows(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	rows, err := s.Query(t.Context(), store.Query{SQL: "SELECT range FROM range(5000)", MaxRows: 3000})
	must(t, err)
	defer rows.Close()
	n := 0
	for {
		rec, err := rows.Next(t.Context())
		must(t, err)
		if rec == nil {
			break
		}
		n += int(rec.NumRows())
	}
	if n != 3000 || !rows.Truncated() {
		t.Fatalf("%d rows, truncated %t", n, rows.Truncated())
	}
}

func cancel(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	start := time.Now()
	_, err := query(ctx, s, store.Query{SQL: "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range > 1"})
	if took := time.Since(start); !types.HasCode(err, types.Timeout) || took > 150*time.Millisecond {
		t.Fatalf("after %s: %v", took, err)
	}
}

// concurrent loads in one goroutine and maintains in another while others query: counts never go back and each is a multiple of the load.
func concurrent(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	must(t, s.Define(t.Context(), []store.Relation{r}))
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	errs := make(chan error, 4)
	for range 3 {
		wg.Go(func() {
			for last := 0; ctx.Err() == nil; {
				text, err := query(t.Context(), s, store.Query{SQL: "SELECT count(*) FROM orders"})
				var n int
				if err == nil {
					_, err = fmt.Sscan(text, &n)
				}
				if err == nil && (n < last || n%100 != 0) {
					err = errors.New(fmt.Sprint(n, " after ", last))
				}
				if err != nil {
					errs <- err
					return
				}
				last = n
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := s.Maintain(t.Context()); err != nil {
				errs <- err
				return
			}
		}
	})
	for i := range 50 {
		must(t, s.Load(t.Context(), []store.Load{Load(7, 0, Entry(types.Offset(100*i), now, numbered(r.Schema, 100*i, 100)))}))
	}
	stop()
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
	want(t, s, "SELECT count(*) FROM orders", "5000")
}

func rewind(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	must(t, s.Define(t.Context(), []store.Relation{r}))
	must(t, s.Load(t.Context(), []store.Load{Load(7, 0, Entry(0, now, numbered(r.Schema, 0, 10)))}))
	must(t, s.Rewind(t.Context(), []types.Cursor{{Partition: types.PartitionID{Stream: 7}, Next: 4}}))
	want(t, s, "SELECT count(*), max(id) FROM orders", "4|3")
	must(t, s.Load(t.Context(), []store.Load{Load(7, 0, Entry(4, now, numbered(r.Schema, 100, 2)))}))
	want(t, s, "SELECT count(*), max(id) FROM orders", "6|101")
}
