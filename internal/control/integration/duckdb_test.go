package integration

import (
	"strings"
	"testing"

	"leat/internal/auth"
	"leat/internal/control"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// Views and endpoints bind in DuckDB against what the same script makes, and every change keeps those above it working.
func TestScriptsInDuckDB(t *testing.T) {
	c := open(t).Controller
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
		{script: "EXPLAIN SELECT * FROM v"},
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
