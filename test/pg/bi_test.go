package pg

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"leat/test/harness"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestQueriesOfTools runs the SQL that Grafana's macros, Metabase's query builder and others make, over the simple and the extended protocol, and
// what these tools ask of the catalog. Both protocols must agree; the golden files also tell what is refused.
func TestQueriesOfTools(t *testing.T) {
	s := startShop(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgres://leat@"+s.PG+"/leat")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	b, err := os.ReadFile(filepath.Join(harness.Root(), "test", "pgcatalog", "testdata", "bi.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, part := range strings.Split(string(b), "-- @ ")[1:] {
		label, sql, _ := strings.Cut(part, "\n")
		simple := answerOf(ctx, conn, sql, pgx.QueryExecModeSimpleProtocol)
		extended := answerOf(ctx, conn, sql, pgx.QueryExecModeDescribeExec)
		if simple != extended {
			t.Errorf("%s: the simple protocol answers\n%s\nthe extended one\n%s", label, simple, extended)
		}
		fmt.Fprintf(&out, "-- @ %s\n%s\n", label, simple)
	}
	golden := filepath.Join(harness.Root(), "test", "pgcatalog", "testdata", "bi.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	w, g := strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			t.Fatalf("%s line %d:\n got %s\nwant %s", golden, i+1, g[i], w[i])
		}
	}
	if len(w) != len(g) {
		t.Fatalf("%s: %d lines, want %d", golden, len(g), len(w))
	}
}

// answerOf is the sorted rows of a query, or its fault.
func answerOf(ctx context.Context, conn *pgx.Conn, sql string, mode pgx.QueryExecMode) string {
	rows, err := conn.Query(ctx, sql, mode)
	if err != nil {
		return fault(err)
	}
	defer rows.Close()
	var names, lines []string
	for _, f := range rows.FieldDescriptions() {
		names = append(names, fmt.Sprintf("%s:%d", f.Name, f.DataTypeOID))
	}
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return fault(err)
		}
		lines = append(lines, row(values))
	}
	if rows.Err() != nil {
		return fault(rows.Err())
	}
	slices.Sort(lines)
	return strings.Join(names, "\t") + "\n" + strings.Join(lines, "\n")
}

// row writes values with tabs between them.
func row(values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		if n, ok := v.(pgtype.Numeric); ok {
			v, _ = n.Value()
		}
		if at, ok := v.(time.Time); ok {
			v = at.UTC().Format(time.RFC3339)
		}
		out[i] = fmt.Sprint(v)
	}
	return strings.Join(out, "\t")
}

func fault(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return "error " + first
}

// TestPGXLoadsTypes has pgx look up a type by its name, as applications do for their own.
func TestPGXLoadsTypes(t *testing.T) {
	s := startShop(t)
	conn, err := pgx.Connect(t.Context(), "postgres://leat@"+s.PG+"/leat")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	loaded, err := conn.LoadTypes(t.Context(), []string{"events", "_events"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(loaded, func(x *pgtype.Type) bool { return x.Name == "events" }) {
		t.Fatalf("loaded %d types", len(loaded))
	}
	var kind rune
	var oid uint32
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT oid, relname, relkind FROM pg_class WHERE relname = $1 AND relnamespace = $2", "totals", 2200).Scan(&oid, &name, &kind); err != nil {
		t.Fatal(err)
	}
	if oid < 1<<15 || name != "totals" || kind != 'm' {
		t.Errorf("got %d %s %c", oid, name, kind)
	}
}
