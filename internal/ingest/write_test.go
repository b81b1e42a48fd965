package ingest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/ingest"
	"leat/internal/types"
)

func users(t *testing.T, w *world, partitions uint32) {
	w.define(t, &catalog.Object{Kind: catalog.TableKind, Name: "users", Stream: &catalog.Stream{Partitions: partitions, PrimaryKey: []int32{1}}}, "id", "INTEGER", "name", "VARCHAR", "score", "DOUBLE")
}

func TestRowsOfTables(t *testing.T) {
	w := memWorld(t)
	users(t, w, 1)
	steps := []func() (ingest.Result, error){
		func() (ingest.Result, error) {
			return w.Write(t.Context(), auth.Local, "users", ingest.Rows{Columns: []string{"NAME", "id"}, Records: []arrow.RecordBatch{record("ada", int64(1)), record("bob", int64(2))}})
		},
		func() (ingest.Result, error) {
			return w.Put(t.Context(), auth.Local, "users", []string{"3"}, []byte(`{"name":"cy","score":1.5}`))
		},
		func() (ingest.Result, error) {
			return w.Put(t.Context(), auth.Local, "users", []string{"4"}, []byte(` {"id":4} `))
		},
		func() (ingest.Result, error) { return w.DeleteKey(t.Context(), auth.Local, "users", []string{"1"}) },
		func() (ingest.Result, error) {
			return w.Delete(t.Context(), auth.Local, "users", ingest.Rows{Columns: []string{"id"}, Records: []arrow.RecordBatch{record(int64(2))}})
		},
	}
	for i, step := range steps {
		if r, err := step(); err != nil || r.Accepted == 0 || len(r.Position.Cursors) == 0 {
			t.Fatalf("step %d: got %+v, %v", i, r, err)
		}
	}
	want := []string{"1|ada|(null)", "2|bob|(null)", "3|cy|1.5", "4|(null)|(null)", "-1|(null)|(null)", "-2|(null)|(null)"}
	if got := w.rows(t, "users"); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// Who sees some rows only may not replace or delete those that he doesn't see; streams only grow.
func TestRowsOfTablesWithFilters(t *testing.T) {
	w := memWorld(t)
	users(t, w, 1)
	w.must(t, "s", `{"a":1}`)
	who := auth.Principal{ID: "x", Scopes: []auth.Scope{{Action: auth.Append, Object: "*"}}}
	for _, c := range []struct {
		filters map[string]auth.Filter
		allowed bool
	}{
		{nil, true}, {map[string]auth.Filter{}, false}, {map[string]auth.Filter{"users": {{Column: "name", Value: "ada"}}}, false},
		{map[string]auth.Filter{"*": {{Column: "name", Value: "ada"}}}, false}, {map[string]auth.Filter{"users": {}}, true}, {map[string]auth.Filter{"*": {{Column: "name", Value: "ada"}}, "users": {}}, true},
	} {
		who.Filters = c.filters
		steps := map[string]func() (ingest.Result, error){
			"insert": func() (ingest.Result, error) {
				return w.Write(t.Context(), who, "users", ingest.Rows{Columns: []string{"name", "id"}, Records: []arrow.RecordBatch{record("ada", int64(1))}})
			},
			"put":    func() (ingest.Result, error) { return w.Put(t.Context(), who, "users", []string{"3"}, []byte(`{}`)) },
			"delete": func() (ingest.Result, error) { return w.DeleteKey(t.Context(), who, "users", []string{"1"}) },
			"events": func() (ingest.Result, error) {
				return w.Send(t.Context(), ingest.Request{Principal: who, Stream: "users", Body: strings.NewReader(`{"id":9}`)})
			},
		}
		for name, step := range steps {
			if _, err := step(); c.allowed != (err == nil) || err != nil && !types.HasCode(err, types.PermissionDenied) {
				t.Errorf("%s with %v: %v", name, c.filters, err)
			}
		}
		if _, err := w.Send(t.Context(), ingest.Request{Principal: who, Stream: "s", Body: strings.NewReader(`{"a":2}`)}); err != nil {
			t.Errorf("a stream with %v: %v", c.filters, err)
		}
	}
}

func TestBadRows(t *testing.T) {
	w := memWorld(t)
	users(t, w, 1)
	w.define(t, &catalog.Object{Kind: catalog.StreamKind, Name: "s", Stream: &catalog.Stream{Partitions: 1}}, "a", "TINYINT")
	write := func(object, column string, v any) func() error {
		return func() error {
			_, err := w.Write(t.Context(), auth.Local, object, ingest.Rows{Columns: []string{column}, Records: []arrow.RecordBatch{record(v)}})
			return err
		}
	}
	put := func(key, body string) func() error {
		return func() error {
			_, err := w.Put(t.Context(), auth.Local, "users", []string{key}, []byte(body))
			return err
		}
	}
	for i, c := range []struct {
		do   func() error
		code types.Code
	}{
		{write("s", "a", int64(128)), types.DataError},
		{write("s", "a", 1.5), types.DataError},
		{write("s", "a", "x"), types.DataError},
		{write("s", "b", int64(1)), types.UnknownColumn},
		{write("users", "name", "no key"), types.DataError},
		{write("nowhere", "a", int64(1)), types.UnknownRelation},
		{put("x", `{}`), types.DataError},
		{put("1", `[]`), types.InvalidRecord},
		{put("1", `{"id":2}`), types.InvalidArgument},
		{put("1", `{"_op":"d"}`), types.InvalidRecord},
		{put("1", `{"score":"high"}`), types.InvalidRecord},
		{func() error { _, err := w.DeleteKey(t.Context(), auth.Local, "s", []string{"1"}); return err }, types.NotAllowed},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { wantCode(t, c.do(), c.code) })
	}
	if rows := append(w.rows(t, "users"), w.rows(t, "s")...); len(rows) != 0 {
		t.Fatalf("got %q", rows)
	}
}

// TestKeysKeepTheirPartition: events, INSERT and DELETE send a key to the same partition.
func TestKeysKeepTheirPartition(t *testing.T) {
	w := memWorld(t)
	users(t, w, 4)
	w.must(t, "users", repeat(50, func(i int) string { return fmt.Sprintf(`{"id":%d}`, i) }))
	var keys []arrow.RecordBatch
	for i := range 50 {
		keys = append(keys, record(int64(i)))
	}
	if _, err := w.Delete(t.Context(), auth.Local, "users", ingest.Rows{Records: keys}); err != nil {
		t.Fatal(err)
	}
	live, ups := map[string]bool{}, 0
	for _, row := range w.rows(t, "users") {
		if row[0] == '-' {
			if !live[row[1:]] {
				t.Fatalf("delete of %s is not behind its upsert in its partition", row)
			}
			delete(live, row[1:])
		} else {
			live[row] = true
			ups++
		}
	}
	if len(live) != 0 || ups != 50 {
		t.Fatalf("%d upserts, left %v", ups, live)
	}
}
