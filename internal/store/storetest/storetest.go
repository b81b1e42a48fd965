// Package storetest is the suite that every store.Store must pass.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/bus"
	"leat/internal/store"
	"leat/internal/types"
)

// Env makes stores for one test.
type Env struct {
	// Open opens the store in a folder that belongs to the test; called again it opens what is there.
	Open func(t testing.TB, dir string) store.Store
	// Crash returns a folder with what a kill -9 at this moment would leave of dir. The store is still open.
	Crash func(t testing.TB, dir string) string
}

// Run runs the suite.
func Run(t *testing.T, env Env) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, Env)
	}{
		{"exactly once", exactlyOnce}, {"reopen", reopen}, {"crash", crash}, {"evolve", evolve}, {"refused conversion", refusedConversion},
		{"older schema", olderSchema}, {"rename", rename}, {"all types", allTypes}, {"table", table}, {"versions", versions}, {"ttl", ttl},
		{"max rows", maxRows}, {"cancel", cancel}, {"concurrent", concurrent}, {"drop", drop}, {"rewind", rewind}, {"views", views}, {"random", random}, {"find", find},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, env) })
	}
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Schema makes a schema from "name TYPE" pairs.
func Schema(columns ...string) *types.Schema {
	s := &types.Schema{Version: 1}
	for _, c := range columns {
		name, text, _ := strings.Cut(c, " ")
		t, err := types.ParseType(text)
		if err != nil {
			panic(err)
		}
		s.Add(name, t, name)
	}
	return s
}

// Batch makes a batch from rows of Go values as arrow builders' AppendValueFromString reads them; nil is NULL.
func Batch(s *types.Schema, rows ...[]any) *types.Batch {
	b := &types.Batch{Schema: s, Rows: len(rows)}
	for i, c := range s.Columns {
		builder := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
		for _, r := range rows {
			if r[i] == nil {
				builder.AppendNull()
			} else if err := builder.AppendValueFromString(fmt.Sprint(r[i])); err != nil {
				panic(err)
			}
		}
		b.Columns = append(b.Columns, builder.NewArray())
	}
	return b
}

// Entry makes a log entry of a batch appended at a moment.
func Entry(first types.Offset, at time.Time, b *types.Batch) *bus.Entry {
	return &bus.Entry{First: first, Next: first + types.Offset(b.Rows), Batch: b, Runs: []bus.Run{{Rows: b.Rows, At: at.UnixMicro(), Watermark: types.NoWatermark}}}
}

// Load makes the load of some entries of one partition.
func Load(stream types.ObjectID, index uint32, entries ...*bus.Entry) store.Load {
	return store.Load{Partition: types.PartitionID{Stream: stream, Index: index}, Entries: entries, Next: entries[len(entries)-1].Next}
}

// Query returns a result as text: rows joined by newline, values by |.
func Query(t testing.TB, s store.Store, sql string) string {
	t.Helper()
	return QueryLive(t, s, sql, nil)
}

// QueryLive is Query with the rows of live relations.
func QueryLive(t testing.TB, s store.Store, sql string, live store.Live) string {
	t.Helper()
	text, err := query(t.Context(), s, store.Query{SQL: sql, Live: live})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func query(ctx context.Context, s store.Store, q store.Query) (string, error) {
	rows, err := s.Query(ctx, q)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var lines []string
	for {
		rec, err := rows.Next(ctx)
		if err != nil {
			return "", err
		}
		if rec == nil {
			return strings.Join(lines, "\n"), nil
		}
		for i := range int(rec.NumRows()) {
			lines = append(lines, line(rec, i))
		}
	}
}

func line(rec arrow.RecordBatch, i int) string {
	values := make([]string, rec.NumCols())
	for j := range values {
		values[j] = strings.Clone(rec.Column(j).ValueStr(i))
	}
	return strings.Join(values, "|")
}

func want(t testing.TB, s store.Store, sql, expected string) {
	t.Helper()
	if got := Query(t, s, sql); got != expected {
		t.Errorf("%s:\n got %s\nwant %s", sql, got, expected)
	}
}
