package guard_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/duck"
)

func TestListsCoverTheRunningDuckDB(t *testing.T) {
	db, err := duck.Open("", duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range []struct{ kinds, allowed, refused string }{
		{"'scalar', 'aggregate', 'macro'", "functions.txt", "refused.txt"},
		{"'table', 'table_macro'", "table_functions.txt", "refused_table.txt"},
	} {
		running := query(t, db, "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ("+c.kinds+")")
		listed := append(lines(t, c.allowed), lines(t, c.refused)...)
		slices.Sort(listed)
		for i, name := range listed {
			if i > 0 && listed[i-1] == name {
				t.Errorf("%s is both in %s and in %s", name, c.allowed, c.refused)
			}
			if !slices.Contains(running, name) {
				t.Errorf("%s is listed but DuckDB has no such function", name)
			}
		}
		for _, name := range running {
			if !slices.Contains(listed, name) {
				t.Errorf("add %s to %s or %s", name, c.allowed, c.refused)
			}
		}
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

func query(t *testing.T, db *duck.DB, sql string) []string {
	t.Helper()
	ctx := context.Background()
	c, err := db.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Release(c)
	r, err := c.Query(ctx, sql, nil, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if rec == nil {
			return out
		}
		for i := range int(rec.NumRows()) {
			out = append(out, strings.Clone(rec.Column(0).(*array.String).Value(i)))
		}
	}
}
