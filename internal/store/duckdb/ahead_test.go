package duckdb

import (
	"context"
	"strings"
	"testing"
	"time"

	"leat/internal/store"
	"leat/internal/types"
)

// A short result gives its slot back before it is read, and is whole when it is read; a long one holds its slot.
func TestResultsAreReadAhead(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Readers: 1})
	const rows = 5000
	slow, err := s.Query(t.Context(), store.Query{SQL: "SELECT range AS n, repeat('x', 50) || range AS name, [range, NULL] AS list, uuid() AS id FROM range(5000)", Typed: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		other, err := s.Query(t.Context(), store.Query{SQL: "SELECT repeat('y', 60) || range FROM range(5000)"})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for {
		rec, err := slow.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rec == nil {
			break
		}
		for i := range int(rec.NumRows()) {
			if got, want := rec.Column(1).ValueStr(i), strings.Repeat("x", 50)+rec.Column(0).ValueStr(i); got != want {
				t.Fatalf("row %d: %s", n, got)
			}
			n++
		}
	}
	if n != rows || s.ahead.Load() == 0 {
		t.Errorf("%d rows, %d bytes ahead", n, s.ahead.Load())
	}
	if err := slow.Close(); err != nil || s.ahead.Load() != 0 {
		t.Errorf("%d bytes ahead after its end: %v", s.ahead.Load(), err)
	}
	long, err := s.Query(t.Context(), store.Query{SQL: "SELECT repeat('x', 1000) FROM range(100000)"})
	if err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := s.Query(short, store.Query{SQL: "SELECT 1"}); !types.HasCode(err, types.TooManyRequests) || !strings.Contains(err.Error(), "limit queries") {
		t.Errorf("beside a long result: %v", err)
	}
	if err := long.Close(); err != nil || s.ahead.Load() != 0 {
		t.Errorf("%d bytes ahead at the end: %v", s.ahead.Load(), err)
	}
	last, err := s.Query(t.Context(), store.Query{SQL: "SELECT 1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
}
