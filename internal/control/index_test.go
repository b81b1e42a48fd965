package control

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"leat/internal/auth"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// builtViews tells of all relations that their index 1 is complete and others are not.
type builtViews struct{ wordViews }

func (*builtViews) Status(types.ObjectID) (ViewStatus, bool) {
	s := ViewStatus{Indexes: map[uint32]IndexStatus{1: {Built: true, Progress: 1, Bytes: 100}}}
	for id := uint32(2); id < 50; id++ {
		s.Indexes[id] = IndexStatus{Progress: 0.25, Bytes: 10}
	}
	return s, true
}

// indexWorld has one of each kind of object.
func indexWorld(t *testing.T) *world {
	w := open(t)
	w.Views = &builtViews{}
	w.Explain = func(context.Context, string) (string, error) { return "the store's plan", nil }
	w.must(t, `CREATE TABLE t (id BIGINT, a VARCHAR, "Bee" DOUBLE, l BIGINT[], s STRUCT(x INT), PRIMARY KEY (id, a));
		CREATE STREAM s (a BIGINT, b VARCHAR, c BIGINT);
		CREATE MATERIALIZED VIEW m AS SELECT a, b FROM s;
		CREATE VIEW v AS SELECT a FROM s;
		CREATE ENDPOINT e AS SELECT a FROM s;
		CREATE TABLE old (id BIGINT, a BIGINT, PRIMARY KEY (id)) WITH (ttl = '1 day')`)
	return w
}

// indexes prints an object's indexes as the catalog has them.
func (w *world) indexes(name string) string {
	var out []string
	o := w.Catalog.Snapshot().ByName(name)
	for _, x := range o.Indexes {
		out = append(out, fmt.Sprintf("%d %s (%s)", x.ID, x.Name, strings.Join(indexColumnNames(o, x), ", ")))
	}
	return strings.Join(out, "; ")
}

func TestIndexes(t *testing.T) {
	w := indexWorld(t)
	for _, c := range []struct{ script, result, t, m string }{
		{`CREATE INDEX ON t (a); CREATE INDEX ON t ("Bee", a); CREATE INDEX by_b ON m (b)`, "by_b created", "1 t_a_idx (a); 2 t_bee_a_idx (Bee, a)", "1 by_b (b)"},
		{"CREATE INDEX IF NOT EXISTS by_b ON m (a)", "by_b unchanged", "1 t_a_idx (a); 2 t_bee_a_idx (Bee, a)", "1 by_b (b)"},
		{"DROP INDEX t_bee_a_idx, by_b", "t_bee_a_idx, by_b dropped", "1 t_a_idx (a)", ""},
		{"DROP INDEX IF EXISTS by_b", " unchanged", "1 t_a_idx (a)", ""},
		{`CREATE INDEX ON t ("Bee"); CREATE INDEX ON m (b)`, "m_b_idx created", "1 t_a_idx (a); 3 t_bee_idx (Bee)", "2 m_b_idx (b)"},
		{`ALTER TABLE t RENAME "Bee" TO bee`, "t altered", "1 t_a_idx (a); 3 t_bee_idx (bee)", "2 m_b_idx (b)"},
		{"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT c, b FROM s", "m replaced", "1 t_a_idx (a); 3 t_bee_idx (bee)", "2 m_b_idx (b)"},
		{"CREATE OR REPLACE TABLE t (id BIGINT, a VARCHAR, bee DOUBLE, l BIGINT[], s STRUCT(x INT), more INT, PRIMARY KEY (id, a))", "t replaced", "1 t_a_idx (a); 3 t_bee_idx (bee)", "2 m_b_idx (b)"},
		{"DROP INDEX t_bee_idx; ALTER TABLE t DROP COLUMN bee", "t altered", "1 t_a_idx (a)", "2 m_b_idx (b)"},
		{"DROP INDEX m_b_idx; CREATE INDEX m_b_idx ON m (b)", "m_b_idx created", "1 t_a_idx (a)", "3 m_b_idx (b)"},
		{"ALTER VIEW m RENAME TO mm; CREATE MATERIALIZED VIEW m AS SELECT a FROM s; CREATE INDEX m_a_idx ON mm (b, c); CREATE INDEX ON m (a)", "m_a_idx1 created", "1 t_a_idx (a)", "1 m_a_idx1 (a)"},
	} {
		out := w.must(t, c.script)
		if r := out.Results[len(out.Results)-1]; r.Name+" "+r.Status != c.result {
			t.Errorf("%s: %s %s, want %s", c.script, r.Name, r.Status, c.result)
		}
		if got := w.indexes("t"); got != c.t {
			t.Errorf("%s: t has %s, want %s", c.script, got, c.t)
		}
		if got := w.indexes("m"); got != c.m {
			t.Errorf("%s: m has %s, want %s", c.script, got, c.m)
		}
		w.agree(t)
	}
	w.must(t, "DROP TABLE t")
	if o, _ := w.draft().index("t_a_idx"); o != nil {
		t.Error("an index outlives its table")
	}
}

func TestIndexesThatAreRefused(t *testing.T) {
	w := indexWorld(t)
	w.must(t, `CREATE INDEX i ON t (a); CREATE INDEX b ON m (b)`)
	for _, c := range []struct {
		script string
		code   types.Code
		says   string
	}{
		{"CREATE INDEX ON s (a)", types.Unsupported, "CREATE MATERIALIZED VIEW"},
		{"CREATE INDEX ON v (a)", types.Unsupported, "MATERIALIZED VIEW"},
		{"CREATE INDEX ON e (a)", types.Unsupported, "that it reads"},
		{"CREATE INDEX ON old (a)", types.Unsupported, "ttl"},
		{"CREATE INDEX ON nothing (a)", types.UnknownRelation, "SHOW ALL"},
		{"CREATE INDEX ON leat_system.jobs (name)", types.NotAllowed, "public"},
		{"CREATE INDEX ON t (c)", types.UnknownColumn, "the columns are id, a"},
		{"CREATE INDEX ON t (l)", types.TypeMismatch, "BIGINT[]"},
		{"CREATE INDEX ON t (a, s)", types.TypeMismatch, "STRUCT"},
		{"CREATE INDEX ON t (id)", types.AlreadyExists, "key begins with them"},
		{"CREATE INDEX ON t (id, a)", types.AlreadyExists, "key begins with them"},
		{"CREATE INDEX ON t (a)", types.AlreadyExists, `index "i"`},
		{"CREATE INDEX i ON m (a)", types.AlreadyExists, `on "t"`},
		{"CREATE INDEX m ON t (a, id)", types.AlreadyExists, "one name space"},
		{"CREATE STREAM i (n INT)", types.AlreadyExists, `index of "t"`},
		{"ALTER STREAM s RENAME TO i", types.AlreadyExists, `index of "t"`},
		{"DROP INDEX m", types.InvalidArgument, "DROP MATERIALIZED VIEW m"},
		{"DROP INDEX nothing", types.UnknownRelation, "SHOW INDEXES"},
		{"DROP TABLE i", types.UnknownRelation, "DROP INDEX i"},
		{"DROP INDEX b, b", types.UnknownRelation, "SHOW INDEXES"},
		{"CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a FROM s", types.DependentObjects, "DROP INDEX b;"},
		{"CREATE OR REPLACE VIEW m AS SELECT a, b FROM s", types.DependentObjects, "DROP INDEX b;"},
		{"ALTER TABLE t SET (ttl = '1 day')", types.DependentObjects, "DROP INDEX i;"},
		{`CREATE INDEX bee ON t ("Bee"); ALTER TABLE t DROP COLUMN "Bee"`, types.DependentObjects, "DROP INDEX bee; ALTER TABLE t DROP COLUMN"},
		{`CREATE INDEX bee ON t ("Bee"); ALTER TABLE t ALTER COLUMN "Bee" TYPE DOUBLE[]`, types.DependentObjects, "DROP INDEX bee;"},
	} {
		_, err := w.run(t, c.script)
		e := types.AsError(err)
		if e == nil || e.Code != c.code || !strings.Contains(e.Message+" "+e.Hint, c.says) {
			t.Errorf("%s: %v; want %s, %s", c.script, err, c.code, c.says)
		} else if e.Line == 0 {
			t.Errorf("%s: no place", c.script)
		}
		if w.indexes("t") != "1 i (a)" || w.indexes("m") != "1 b (b)" {
			t.Fatalf("%s changed something", c.script)
		}
	}
	if _, _, err := w.Evolve(t.Context(), auth.Local, "i", nil); !types.HasCode(err, types.Conflict) && !types.HasCode(err, types.InvalidRecord) {
		t.Errorf("events make a stream of an index's name: %v", err)
	}
}

func TestIndexesAreFew(t *testing.T) {
	w := open(t)
	w.Views = &wordViews{}
	columns := make([]string, MaxIndexes+1)
	for i := range columns {
		columns[i] = fmt.Sprintf("c%d", i)
	}
	w.must(t, "CREATE TABLE t (id BIGINT, "+strings.Join(columns, " INT, ")+" INT, PRIMARY KEY (id))")
	for i, c := range columns {
		_, err := w.run(t, "CREATE INDEX ON t ("+c+")")
		if full := i == MaxIndexes; full != types.HasCode(err, types.LimitExceeded) || !full && err != nil {
			t.Errorf("index %d: %v", i+1, err)
		}
	}
	long := strings.Repeat("x", 63)
	w.must(t, "CREATE MATERIALIZED VIEW "+long+" AS SELECT c0, c1 FROM t; CREATE INDEX ON "+long+" (c0); CREATE INDEX ON "+long+" (c1)")
	if got := w.indexes(long); got != "1 "+long[:59]+"_idx (c0); 2 "+long[:58]+"_idx1 (c1)" {
		t.Errorf("indexes %s", got)
	}
}

func TestShowIndexes(t *testing.T) {
	w := indexWorld(t)
	w.must(t, `CREATE INDEX i ON t (a); CREATE INDEX j ON t ("Bee", a); CREATE INDEX b ON m (b)`)
	for script, want := range map[string]string{
		"SHOW INDEXES":             "b m b ready <nil> 100|i t a ready <nil> 100|j t \"Bee\", a building 25 % 10",
		"SHOW INDEXES FROM t":      "i t a ready <nil> 100|j t \"Bee\", a building 25 % 10",
		"SHOW INDEXES FROM s":      "",
		"SHOW CREATE INDEX j":      "j CREATE INDEX j ON t (\"Bee\", a)",
		"SHOW CREATE m":            "m CREATE MATERIALIZED VIEW m AS\nSELECT a, b FROM s;\nCREATE INDEX b ON m (b)",
		"DESCRIBE m":               "a BIGINT <nil>|b VARCHAR index b",
		"EXPLAIN VIEW m":           "plan of SELECT a, b FROM s|Index b (b)",
		"DESCRIBE s; SHOW INDEXES": "b m b ready <nil> 100|i t a ready <nil> 100|j t \"Bee\", a building 25 % 10",
	} {
		out := w.must(t, script)
		var rows []string
		for _, r := range out.Results[len(out.Results)-1].Table.Rows {
			rows = append(rows, strings.TrimSuffix(fmt.Sprintln(r...), "\n"))
		}
		if got := strings.Join(rows, "|"); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
	d, err := w.Describe(auth.Local, "t")
	if err != nil || len(d.Indexes) != 2 || fmt.Sprint(d.Indexes[1]) != "{j [Bee a]}" || d.Columns[1].Note != "primary key, index i, index j" {
		t.Errorf("%+v %v", d, err)
	}
	reader := auth.Principal{}
	statements, err := ddl.Parse("SHOW INDEXES")
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Exec(t.Context(), reader, Script{Text: "SHOW INDEXES", Statements: statements})
	if err != nil || len(out.Results[0].Table.Rows) != 0 {
		t.Errorf("a token without scopes sees %+v %v", out, err)
	}
	rows, err := w.allIndexRows(t.Context())
	if err != nil || len(rows) != 3 || rows[2][6] != `CREATE INDEX j ON t ("Bee", a)` {
		t.Errorf("leat_system.indexes: %v %v", rows, err)
	}
}

// An index is undone with its script.
func TestIndexesAreUndone(t *testing.T) {
	w := indexWorld(t)
	w.Views.(*builtViews).fail = func() error { return types.Errorf(types.Unavailable, "the engine is busy") }
	if _, err := w.run(t, "CREATE INDEX i ON t (a)"); err == nil {
		t.Error("a failure of the engine is not told")
	}
	w.Views.(*builtViews).fail = nil
	if o, _ := w.draft().index("i"); o != nil {
		t.Errorf("%s is left", w.indexes("t"))
	}
	w.agree(t)
}
