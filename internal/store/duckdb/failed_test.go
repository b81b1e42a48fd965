package duckdb

import (
	"context"
	"testing"
	"time"

	"leat/internal/store"
	"leat/internal/types"
)

// A connection serves on after each way in which a query can end.
func TestConnectionsOutliveFailures(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Readers: 1})
	for _, typed := range []bool{false, true} {
		for range 3 {
			for sql, want := range map[string]types.Code{
				"SELECT CAST(range || 'x' AS INTEGER) FROM range(10)": types.DataError,
				"SELECT nothing": types.UnknownColumn,
				"SELECT CAST(CASE WHEN range > 950000 THEN 'x' ELSE '1' END AS BIGINT) FROM range(1000000)": types.DataError,
				"SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range+b.range > 1":       types.Timeout,
			} {
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				if want == types.Timeout {
					stop()
					ctx, stop = context.WithTimeout(t.Context(), 20*time.Millisecond)
				}
				res, err := s.Query(ctx, store.Query{SQL: sql, Typed: typed})
				for err == nil {
					rec, e := res.Next(ctx)
					if e == nil && rec == nil {
						e = types.Errorf(types.Internal, "the query has an end")
					}
					err = e
				}
				if !types.HasCode(err, want) {
					t.Errorf("%s: %v", sql, err)
				}
				if res != nil {
					_ = res.Close()
				}
				stop()
				good, err := s.Query(t.Context(), store.Query{SQL: "SELECT 1", Typed: typed})
				if err != nil {
					t.Fatalf("after %s: %v", sql, err)
				}
				if err := good.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
