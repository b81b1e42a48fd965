// Package bind checks sql/bind with DuckDB's planner: text in, plan tree out.
package bind

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leat/internal/duck"
	"leat/internal/sql/bind"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// relations of the cases, as a CREATE STREAM would list their columns. Those in keyed are tables.
var relations = map[string]string{
	"bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR",
	"auction": `id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP,
		seller BIGINT, category BIGINT, extra VARCHAR`,
	"person":  "id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR",
	"cars":    "ts TIMESTAMP, driver_id BIGINT, event_type VARCHAR, location VARCHAR",
	"impulse": "ts TIMESTAMP, counter BIGINT, subtask_index BIGINT",
	"orders":  `id BIGINT, customer_name VARCHAR, product_name VARCHAR, quantity BIGINT, price DOUBLE, order_date BIGINT, status VARCHAR`,
	"t": `a INTEGER, b VARCHAR, c DOUBLE, d DECIMAL(10,2), l INTEGER[], s STRUCT(x INTEGER, y VARCHAR), m MAP(VARCHAR, INTEGER), j JSON,
		tz TIMESTAMPTZ, u UUID, bl BLOB, h HUGEINT, ti TINYINT, "Odd name" DATE`,
	"leat_system.dead_letters": "reason VARCHAR",
}

var keyed = map[string]bool{"auction": true, "orders": true}

// views are plain: query and renamed columns.
var views = map[string]bind.Source{
	"big_bids":    {Query: "WITH bid AS (SELECT * FROM bid WHERE price > 1000) SELECT auction, price, date_time FROM bid -- the big ones"},
	"renamed":     {Query: "SELECT auction, max(price) FROM big_bids GROUP BY ALL;", Columns: []string{"a", "Top"}},
	"loop":        {Query: "SELECT * FROM loop"},
	"broken":      {Query: "SELECT nothing FROM bid"},
	"broken_name": {Query: "SELECT * FROM nothing"},
	"per_minute":  {Query: "SELECT auction, window_start, window_end, count(*) n FROM TUMBLE(bid, date_time, INTERVAL 1 MINUTE) GROUP BY ALL"},
}

func schema(t *testing.T, columns string) *types.Schema {
	typ, err := types.ParseType("STRUCT(" + columns + ")")
	if err != nil {
		t.Fatal(columns, err)
	}
	s := &types.Schema{Version: 1}
	for _, f := range typ.Fields {
		s.Add(f.Name, f.Type, f.Name)
	}
	return s
}

func resolver(t *testing.T) bind.Resolve {
	known := map[string]*plan.Relation{}
	for name, columns := range relations {
		r := &plan.Relation{ID: types.ObjectID(len(known) + 2), Name: name, Schema: schema(t, columns)}
		if keyed[name] {
			r.Kind, r.Key = plan.TableRelation, []int32{1}
		}
		known[name] = r
	}
	return func(name string) (bind.Source, error) {
		if v, ok := views[name]; ok {
			return v, nil
		}
		if r := known[name]; r != nil {
			return bind.Source{Relation: r}, nil
		}
		return bind.Source{}, types.Errorf(types.UnknownRelation, "there is no stream, table or view %q", name).WithHint("did you mean bid?")
	}
}

func binder(tb testing.TB) *bind.Binder {
	planner, err := duck.NewPlanner()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(planner.Close)
	parser, err := duck.NewParser()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(parser.Close)
	return bind.New(planner, parser)
}

// golden prints what a query becomes: its columns and plan, or the error.
func golden(b *bind.Binder, resolve bind.Resolve, query string) string {
	n, err := b.Bind(context.Background(), query, resolve)
	if err != nil {
		e := types.AsError(err)
		out := fmt.Sprintf("error %s at %d:%d: %s\n", e.Code, e.Line, e.Column, e.Message)
		if e.Hint != "" {
			out += "hint: " + e.Hint + "\n"
		}
		return out
	}
	if err := check(n, map[plan.Node]bool{}); err != nil {
		return "BROKEN " + err.Error() + "\n" + plan.String(n)
	}
	columns := make([]string, len(n.Fields()))
	for i, f := range n.Fields() {
		columns[i] = types.QuoteIdent(f.Name) + " " + f.Type.String()
	}
	return "-> " + strings.Join(columns, ", ") + "\n" + plan.String(n)
}

// TestCases binds each query of testdata/*.sql: they end with a line ";", and what each becomes stands in the .golden file.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	b, resolve := binder(t), resolver(t)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, query := range strings.Split(string(text), "\n;\n") {
				if query = strings.TrimSpace(query); query != "" {
					out.WriteString(query + "\n\n" + golden(b, resolve, query) + "\n----\n\n")
				}
			}
			compare(t, strings.TrimSuffix(file, ".sql")+".golden", out.String())
		})
	}
}

var header = regexp.MustCompile(`(?is)^(\s*--[^\n]*\n)*\s*(create materialized view \w+\s+as\b)?`)

// TestConformance binds the queries of the suites written by others; they are not part of this repository.
func TestConformance(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "conformance")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the suites are not beside this checkout:", err)
	}
	b, resolve := binder(t), resolver(t)
	for _, suite := range []string{"nexmark/queries", "arroyo/cases"} {
		name, _, _ := strings.Cut(suite, "/")
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(root, suite, "*.sql"))
			if err != nil || len(files) == 0 {
				t.Fatal("no queries", err)
			}
			var out strings.Builder
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				query := header.ReplaceAllString(string(text), "")
				out.WriteString(strings.TrimSuffix(filepath.Base(file), ".sql") + "\n" + golden(b, resolve, query) + "\n")
			}
			compare(t, "testdata/"+name+".golden", out.String())
		})
	}
}

func compare(t *testing.T, file, got string) {
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n")
		for i := range g {
			if i >= len(w) || w[i] != g[i] {
				t.Fatalf("%s differs at line %d (run with -update):\n%s", file, i+1, strings.Join(g[i:min(i+8, len(g))], "\n"))
			}
		}
		t.Fatalf("%s is longer than what was printed", file)
	}
	if strings.Contains(got, "BROKEN") {
		t.Errorf("%s: a plan is not sound", file)
	}
}

// BenchmarkBind binds a join with a window.
func BenchmarkBind(b *testing.B) {
	bd, resolve := binder(b), resolver(&testing.T{})
	query := `SELECT b.auction, count(*) n, window_end FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND) b JOIN auction a ON a.id = b.auction
		WHERE a.category = 10 GROUP BY ALL`
	for b.Loop() {
		if _, err := bd.Bind(context.Background(), query, resolve); err != nil {
			b.Fatal(err)
		}
	}
}
