// Package opt checks sql/opt on plans that DuckDB bound: SQL in, EXPLAIN out.
package opt

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leat/internal/duck"
	"leat/internal/engine/expr"
	"leat/internal/sql/bind"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// relations of the cases, as a CREATE STREAM would list their columns. Those in keyed are tables; streams with a date_time have a watermark.
var relations = []struct{ name, columns string }{
	{"bid", "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR"},
	{"auction", `id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP,
		seller BIGINT, category BIGINT, extra VARCHAR`},
	{"person", "id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR"},
	{"click", "bidder BIGINT, date_time TIMESTAMPTZ, price BIGINT"},
	{"plain", "k BIGINT, v BIGINT, ts TIMESTAMP"},
	{"side", "id BIGINT, name VARCHAR, price BIGINT"},
}

var keyed = map[string]bool{"side": true}

func resolver(t *testing.T) bind.Resolve {
	known := map[string]*plan.Relation{}
	for i, d := range relations {
		typ, err := types.ParseType("STRUCT(" + d.columns + ")")
		if err != nil {
			t.Fatal(err)
		}
		r := &plan.Relation{ID: types.ObjectID(i + 2), Name: d.name, Schema: &types.Schema{Version: 1}, Partitions: 1}
		for _, f := range typ.Fields {
			r.Schema.Add(f.Name, f.Type, f.Name)
		}
		if keyed[d.name] {
			r.Kind, r.Key = plan.TableRelation, []int32{1}
		}
		if at := r.Schema.Index("date_time"); at >= 0 {
			r.Time = types.TimeRule{Column: r.Schema.Columns[at].ID, Watermarked: true, Delay: 4 * time.Second}
		}
		known[d.name] = r
	}
	return func(name string) (bind.Source, error) {
		if r := known[name]; r != nil {
			return bind.Source{Relation: r}, nil
		}
		return bind.Source{}, types.Errorf(types.UnknownRelation, "there is no stream, table or view %q", name)
	}
}

func binder(t *testing.T) *bind.Binder {
	planner, err := duck.NewPlanner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(planner.Close)
	parser, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parser.Close)
	return bind.New(planner, parser)
}

// golden prints what a query becomes. One that ends with EMIT is closed.
func golden(b *bind.Binder, resolve bind.Resolve, query string) string {
	query, emit := strings.CutSuffix(query, "\nEMIT")
	n, err := b.Bind(context.Background(), query, resolve)
	if err == nil {
		n, err = opt.Optimize(n, opt.Options{Fallible: expr.Fallible})
	}
	if err == nil && emit {
		n, err = opt.Close(n)
	}
	if err != nil {
		e := types.AsError(err)
		out := "error " + string(e.Code) + ": " + e.Message + "\n"
		if e.Hint != "" {
			out += "hint: " + e.Hint + "\n"
		}
		return out
	}
	return opt.Explain(n, expr.Native)
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and look at the difference\n%s", path, got)
	}
}

// TestCases optimises each query of testdata/*.sql: they end with a line ";", and what each becomes stands in the .golden file.
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
					out.WriteString(query + "\n\n" + golden(b, resolve, query) + "----\n\n")
				}
			}
			compare(t, strings.TrimSuffix(file, ".sql")+".golden", out.String())
		})
	}
}
