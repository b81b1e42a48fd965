package control

import (
	"context"
	"testing"

	"leat/internal/auth"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

func TestExplain(t *testing.T) {
	w := open(t)
	w.must(t, base+"; CREATE ENDPOINT e2 (p VARCHAR DEFAULT 'it''s', d DATE, b BOOLEAN DEFAULT NULL) AS SELECT $p, $D, $b, '$p' FROM s")
	var got string
	w.Explain = func(_ context.Context, sql string) (string, error) {
		got = sql
		return "SCAN\n  FILTER", nil
	}
	for script, want := range map[string]string{
		"EXPLAIN SELECT id FROM s":   "SELECT id FROM s",
		"EXPLAIN VIEW v":             "SELECT * FROM v",
		"EXPLAIN ENDPOINT e":         "SELECT id FROM v WHERE id = CAST('1' AS BIGINT)",
		"EXPLAIN ENDPOINT public.e2": "SELECT CAST('it''s' AS VARCHAR), CAST('1970-01-01' AS DATE), CAST('0' AS BOOLEAN), '$p' FROM s",
	} {
		out := w.must(t, script)
		if rows := out.Results[0].Table.Rows; got != want || len(rows) != 2 || rows[1][0] != "  FILTER" {
			t.Errorf("%s explained %q, want %q: %v", script, got, want, rows)
		}
	}
}

// Who makes a view needs the rights that its readers will use.
func TestViewsNeedTheRightsOfTheirMaker(t *testing.T) {
	w := open(t)
	w.must(t, base)
	scope := func(a auth.Action, object string) auth.Scope { return auth.Scope{Action: a, Object: object} }
	for _, tt := range []struct {
		scopes []auth.Scope
		code   types.Code
	}{
		{[]auth.Scope{scope(auth.Read, "*")}, types.PermissionDenied},
		{[]auth.Scope{scope(auth.Create, "")}, types.PermissionDenied},
		{[]auth.Scope{scope(auth.Create, ""), scope(auth.Read, "t")}, types.PermissionDenied},
		{[]auth.Scope{scope(auth.Create, ""), scope(auth.Read, "s")}, ""},
	} {
		const script = "CREATE OR REPLACE VIEW mine AS SELECT id FROM s "
		statements, err := ddl.Parse(script)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Exec(t.Context(), auth.Principal{Scopes: tt.scopes}, Script{Text: script, Statements: statements})
		if tt.code == "" && err != nil || tt.code != "" && !types.HasCode(err, tt.code) {
			t.Errorf("%v: %v", tt.scopes, err)
		}
	}
}
