package duckdb

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *Store {
	t.Helper()
	o.Incarnation = 1
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// copyFiles copies the store's files as they are.
func copyFiles(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{fileName, fileName + ".wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Env{
		// Expire and seal whenever Maintain is called.
		Open: func(t testing.TB, dir string) store.Store {
			return open(t, Options{Dir: dir, SealAfter: 1, ExpireEvery: 1})
		},
		Crash: copyFiles,
	})
}

func TestExplainRowsRelations(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir()})
	orders := store.Relation{ID: 7, Name: "orders", Schema: storetest.Schema("id BIGINT", "item VARCHAR")}
	products := store.Relation{ID: 8, Name: "products", Schema: storetest.Schema("sku BIGINT", "title VARCHAR"), Key: []int32{1}}
	view := store.Relation{ID: 9, Name: "cheap", Query: "SELECT * FROM orders WHERE id < 3"}
	if err := s.Define(t.Context(), []store.Relation{orders, products, view}); err != nil {
		t.Fatal(err)
	}
	if got := s.Relations(); !slices.Equal(got, []types.ObjectID{7, 8, 9}) {
		t.Errorf("relations %v", got)
	}
	load := func(first int) {
		batch := storetest.Batch(orders.Schema, []any{first, "a"}, []any{first + 1, "b"})
		product := storetest.Batch(products.Schema, []any{1, "x"}, []any{2, "y"})
		if err := s.Load(t.Context(), []store.Load{storetest.Load(7, 0, storetest.Entry(types.Offset(first), time.Now(), batch)),
			storetest.Load(8, 0, storetest.Entry(types.Offset(first), time.Now(), product))}); err != nil {
			t.Fatal(err)
		}
	}
	load(0)
	if err := s.seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	load(2)
	for id, want := range map[types.ObjectID]int64{7: 4, 8: 2} {
		if n, err := s.Rows(t.Context(), id); err != nil || n != want {
			t.Errorf("%d rows of relation %d, want %d: %v", n, id, want, err)
		}
	}
	if _, err := s.Rows(t.Context(), 9); !types.HasCode(err, types.NotFound) {
		t.Errorf("rows of a view: %v", err)
	}
	for sql, wants := range map[string][]string{
		"SELECT id + 1 FROM orders WHERE item LIKE '%c1%' AND id >= 1":                        {"SEQ_SCAN orders ", "SEQ_SCAN orders (tail)", "id>=1", "'c1'"},
		`SELECT _leat_offset FROM "orders$leat" WHERE _leat_offset = 1`:                       {"_leat_offset=1"},
		"SELECT o.item, p.title FROM cheap o JOIN products p ON o.id = p.sku ORDER BY 1":      {"orders", "products", "id = sku"},
		"SELECT item, count(*) FROM orders WHERE id IN (SELECT sku FROM products) GROUP BY 1": {"GROUP_BY", "count_star()"},
	} {
		plan, err := s.Explain(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(plan, want) {
				t.Errorf("%s: no %q in\n%s", sql, want, plan)
			}
		}
		if found := internalName.FindString(strings.ReplaceAll(plan, "'c1'", "")); found != "" {
			t.Errorf("%s: %s in\n%s", sql, found, plan)
		}
	}
	if _, err := s.Explain(t.Context(), "SELECT nope FROM orders"); !types.HasCode(err, types.UnknownColumn) {
		t.Errorf("explain of a wrong query: %v", err)
	}
	if _, err := s.Explain(t.Context(), "DROP VIEW orders"); !types.HasCode(err, types.NotAllowed) {
		t.Errorf("explain of a DROP: %v", err)
	}
}

var internalName = regexp.MustCompile(`leat\.s_|leat_tail|s_\d+|\bc\d+\b`)
