package duckdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

// TestRowsMoveAtOnce asks while rows move from the tail to the file: each query sees each row once, also where the moment that it is of lies
// before a commit and its scan begins during it. Before rows were inserted one after the other, one query in two thousand did not.
func TestRowsMoveAtOnce(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), SealBytes: 1 << 30, Readers: 6})
	schema := bidSchema()
	if err := s.Define(t.Context(), []store.Relation{{ID: 7, Name: "bid", Schema: schema}}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	var end atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	for range 6 {
		wg.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				askLate(t, s, end.Load())
			}
		})
	}
	batch := bids(schema, 10_000)
	for ctx.Err() == nil {
		for range 20 {
			at := types.Offset(end.Load())
			if err := s.Load(context.Background(), []store.Load{storetest.Load(7, 0, storetest.Entry(at, time.Now(), batch))}); err != nil {
				t.Fatal(err)
			}
			end.Add(10_000)
		}
		if err := s.seal(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// askLate counts the newest rows some time after the moment that the query is of.
func askLate(t *testing.T, s *Store, end int64) {
	db, conn, err := s.reader(context.Background())
	if err != nil {
		t.Error(err)
		return
	}
	defer release(db, conn)
	time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
	sql := fmt.Sprintf(`SELECT count(*) AS n, count(DISTINCT _leat_offset) AS d FROM "bid$leat" WHERE _leat_offset >= %d`, max(0, end-600_000))
	res, err := conn.Query(context.Background(), sql, nil, 10)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Close()
	rec, err := res.Next(context.Background())
	if err != nil {
		t.Error(err)
		return
	}
	if n, d := rec.Column(0).ValueStr(0), rec.Column(1).ValueStr(0); n != d {
		t.Errorf("%s rows with %s offsets", n, d)
	}
}
