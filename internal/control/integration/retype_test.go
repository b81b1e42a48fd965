package integration

import (
	"strings"
	"testing"
	"time"

	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

// put loads rows of a stream into the store, as the loader would.
func (w *world) put(t *testing.T, stream string, first types.Offset, rows ...[]any) {
	t.Helper()
	o := w.Catalog.Snapshot().ByName(stream)
	entry := storetest.Entry(first, time.Unix(1_700_000_000, 0), storetest.Batch(o.Stream.Schema, rows...))
	if err := w.store.Load(t.Context(), []store.Load{storetest.Load(o.ID, 0, entry)}); err != nil {
		t.Fatal(err)
	}
}

// Stored rows follow a change of type, forth and back; a value that doesn't fit refuses it by name and changes nothing.
func TestRetypeWithStoredRows(t *testing.T) {
	w := open(t)
	must := func(script string) {
		t.Helper()
		if _, err := w.run(t, script); err != nil {
			t.Fatalf("%s: %v", script, err)
		}
	}
	must("CREATE STREAM s (id BIGINT, n INTEGER, name VARCHAR); CREATE VIEW v AS SELECT id, n FROM s")
	w.put(t, "s", 0, []any{1, 7, "12"}, []any{2, 300, "x"}, []any{nil, nil, nil})
	for _, tt := range []struct{ script, says, rows string }{
		{"ALTER STREAM s ALTER n TYPE BIGINT", "", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s ALTER n TYPE TINYINT", `"300" cannot become TINYINT`, "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s ALTER name TYPE BIGINT", `"x" cannot become BIGINT`, "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s ALTER n TYPE SMALLINT, ALTER name TYPE BIGINT", `"x" cannot become BIGINT`, "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s ALTER n TYPE VARCHAR, ALTER id TYPE DOUBLE", "", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s ALTER n TYPE INTEGER, ALTER id TYPE BIGINT", "", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s RENAME n TO m, ALTER m TYPE SMALLINT; CREATE OR REPLACE VIEW v AS SELECT id, m FROM s", "", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s ALTER m SET NOT NULL", "it is NULL in 1 rows", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"CREATE OR REPLACE STREAM s (id BIGINT, m SMALLINT PATH '$.n', name VARCHAR, more INT NOT NULL)", "3 rows of \"s\" are older", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
		{"ALTER STREAM s RENAME TO z, ALTER m TYPE BIGINT; CREATE OR REPLACE VIEW v AS SELECT id, m FROM z; CREATE VIEW s AS SELECT id, m, name FROM z", "", "1|7|12\n2|300|x\n(null)|(null)|(null)"},
	} {
		before := w.Catalog.Snapshot()
		_, err := w.run(t, tt.script)
		switch {
		case tt.says == "" && err != nil:
			t.Errorf("%s: %v", tt.script, err)
		case tt.says != "" && (!types.HasCode(err, types.DataError) || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s: got %v, want %s", tt.script, err, tt.says)
		case tt.says != "" && w.Catalog.Snapshot() != before:
			t.Errorf("%s: refused, yet the catalog changed", tt.script)
		}
		if got := storetest.Query(t, w.store, "SELECT * FROM s ORDER BY 1"); got != tt.rows {
			t.Errorf("%s: the rows are\n%s", tt.script, got)
		}
		if got := storetest.Query(t, w.store, "SELECT count(*) FROM v"); got != "3" {
			t.Errorf("%s: the view has %s rows", tt.script, got)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatalf("%s: start: %v", tt.script, err)
		}
	}
}
