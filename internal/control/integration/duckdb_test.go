package integration

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/auth"
	"leat/internal/bus/pebblelog"
	"leat/internal/catalog"
	"leat/internal/control"
	"leat/internal/duck"
	"leat/internal/sql/ddl"
	"leat/internal/sql/guard"
	"leat/internal/store/duckdb"
	"leat/internal/types"
)

// free is a Fences for a test with one goroutine.
type free struct{}

func (free) Write(types.ObjectID) func() { return func() {} }
func (free) Forget(types.ObjectID)       {}

// Views and endpoints bind in DuckDB against what the same script makes, and every change keeps those above it working.
func TestScriptsInDuckDB(t *testing.T) {
	cat, err := catalog.Open("catalog", catalog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	log, err := pebblelog.Open(t.Context(), "log", pebblelog.Options{FS: vfs.NewMem(), MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	st, err := duckdb.Open(duckdb.Options{Dir: t.TempDir(), Incarnation: log.Incarnation()})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		parser.Close()
		if err := errors.Join(st.Close(), log.Close(), cat.Close()); err != nil {
			t.Error(err)
		}
	})
	c := control.New(control.Options{Catalog: cat, Log: log, Store: st, Fences: free{}, Guard: guard.New(parser),
		WaitLoaded: func(context.Context, types.Position) error { return nil }})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		script string
		code   types.Code
		says   string
	}{
		{script: `CREATE STREAM s (id BIGINT, "Näme" VARCHAR, n INTEGER);
			CREATE VIEW v (i, total) AS SELECT id, sum(n) FROM s GROUP BY 1 -- by id
			;
			CREATE ENDPOINT e (p BIGINT, l INT DEFAULT 3) AS SELECT * FROM v WHERE i = $p LIMIT $l`},
		{script: "CREATE VIEW bad AS\nSELECT nope FROM s", code: types.UnknownColumn, says: "line 2, column 8"},
		{script: "ALTER STREAM s RENAME COLUMN n TO m", code: types.DependentObjects, says: `break view "v"`},
		{script: "ALTER STREAM s ADD COLUMN x DOUBLE"},
		{script: "ALTER STREAM s ALTER COLUMN n TYPE BIGINT"},
		{script: "ALTER STREAM s ALTER COLUMN n TYPE VARCHAR", code: types.DependentObjects, says: `break view "v"`},
		{script: "ALTER STREAM s RENAME TO z; CREATE OR REPLACE VIEW v AS SELECT id AS i FROM z"},
		{script: "DESCRIBE v"},
		{script: "EXPLAIN SELECT * FROM v", code: types.Unsupported},
		{script: "DROP STREAM z", code: types.DependentObjects},
		{script: "DROP STREAM z; DROP VIEW v; DROP ENDPOINT e"},
	} {
		statements, err := ddl.Parse(tc.script)
		if err != nil {
			t.Fatalf("%s: %v", tc.script, err)
		}
		_, err = c.Exec(t.Context(), auth.Local, control.Script{Text: tc.script, Statements: statements})
		if tc.code == "" && err != nil {
			t.Errorf("%s: %v", tc.script, err)
		} else if tc.code != "" && (!types.HasCode(err, tc.code) || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%s: got %v, want %s: %s", tc.script, err, tc.code, tc.says)
		}
	}
	if err := c.Start(t.Context()); err != nil {
		t.Errorf("a second Start: %v", err)
	}
}
