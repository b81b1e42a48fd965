package control

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/auth"
	"leat/internal/bus/pebblelog"
	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/store"
	"leat/internal/types"
)

type world struct {
	*Controller
	store *memStore
	log   *pebblelog.Log
}

func open(t testing.TB) *world {
	t.Helper()
	cat, err := catalog.Open("catalog", catalog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	log, err := pebblelog.Open(t.Context(), "log", pebblelog.Options{FS: vfs.NewMem(), MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(log.Close(), cat.Close()); err != nil {
			t.Error(err)
		}
	})
	w := &world{store: &memStore{relations: map[types.ObjectID]store.Relation{}}, log: log}
	w.Controller = New(Options{Catalog: cat, Log: log, Store: w.store, Fences: &locks{}, Guard: wordGuard{},
		WaitLoaded: func(context.Context, types.Position) error { return nil }})
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) run(t testing.TB, script string) (Outcome, error) {
	t.Helper()
	statements, err := ddl.Parse(script)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return w.Exec(t.Context(), auth.Local, Script{Text: script, Statements: statements})
}

func (w *world) must(t testing.TB, script string) Outcome {
	t.Helper()
	out, err := w.run(t, script)
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return out
}

// agree fails unless store and log have exactly what the catalog says.
func (w *world) agree(t testing.TB) {
	t.Helper()
	want := map[types.ObjectID]store.Relation{}
	relations, err := w.relations(t.Context(), w.Catalog.Snapshot().All(), w.draft())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range relations {
		want[r.ID] = r
	}
	for _, o := range w.Catalog.Snapshot().All() {
		if hasLog(o) {
			if _, err := w.log.Bounds(types.PartitionID{Stream: o.ID, Index: o.Stream.Partitions - 1}); err != nil {
				t.Errorf("log of %s: %v", o.Name, err)
			}
		}
	}
	if !reflect.DeepEqual(w.store.relations, want) {
		t.Errorf("the store has %v\nthe catalog %v", w.store.relations, want)
	}
}

const base = `CREATE STREAM s (id BIGINT, ts TIMESTAMP, n BIGINT, WATERMARK FOR ts AS ts - INTERVAL '5 seconds');
	CREATE TABLE t (k VARCHAR, v DOUBLE, PRIMARY KEY (k));
	CREATE VIEW v AS SELECT id FROM s ;
	CREATE ENDPOINT e (p BIGINT DEFAULT 1) AS SELECT id FROM v WHERE id = $p;`

func TestScripts(t *testing.T) {
	for _, tc := range []struct {
		script string
		status string // of the last statement
		code   types.Code
		says   string
	}{
		{script: "CREATE STREAM s (id BIGINT)", code: types.AlreadyExists, says: `stream "s" already exists`},
		{script: "CREATE STREAM IF NOT EXISTS s (id BIGINT)", status: unchanged},
		{script: "CREATE TABLE IF NOT EXISTS s (k BIGINT, PRIMARY KEY (k))", code: types.AlreadyExists},
		{script: "CREATE STREAM x (a BIGINT); DROP STREAM nope", code: types.UnknownRelation, says: `"nope"`},
		{script: "DROP STREAM IF EXISTS nope", status: unchanged},
		{script: "DROP STREAM s", code: types.DependentObjects, says: `view "v"`},
		{script: "DROP STREAM s; DROP VIEW v; DROP ENDPOINT e", status: dropped},
		{script: "DROP TABLE s", code: types.InvalidArgument, says: "is a stream"},
		{script: "DROP TABLE t; CREATE TABLE t (a BIGINT, PRIMARY KEY (a))", status: created},
		{script: "ALTER STREAM s RENAME TO z", code: types.DependentObjects, says: `view "v"`},
		{script: "ALTER STREAM s RENAME TO z; CREATE OR REPLACE VIEW v AS SELECT id FROM z", status: replaced},
		{script: "ALTER STREAM s RENAME COLUMN n TO m", status: altered},
		{script: "ALTER STREAM s RENAME COLUMN n TO id", code: types.AlreadyExists},
		{script: "ALTER STREAM s ADD COLUMN x VARCHAR", status: altered},
		{script: "ALTER STREAM s DROP COLUMN ts", code: types.Conflict, says: "event time"},
		{script: "ALTER STREAM s DROP COLUMN n", status: altered},
		{script: "ALTER TABLE t DROP COLUMN k", code: types.Conflict, says: "primary key"},
		{script: "ALTER STREAM s ALTER COLUMN n TYPE DOUBLE", status: altered},
		{script: "ALTER STREAM s ALTER COLUMN ts TYPE VARCHAR", code: types.TypeMismatch, says: "event time"},
		{script: "CREATE OR REPLACE STREAM s (id BIGINT, ts TIMESTAMP)", code: types.Conflict, says: `lose column "n"`},
		{script: "CREATE OR REPLACE STREAM s (id VARCHAR, ts TIMESTAMP, n BIGINT)", code: types.Conflict, says: "from BIGINT to VARCHAR"},
		{script: "CREATE OR REPLACE STREAM s (id BIGINT, ts TIMESTAMP, n BIGINT, x VARCHAR)", status: replaced},
		{script: "CREATE OR REPLACE STREAM s (id BIGINT, ts TIMESTAMP, n BIGINT, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')", status: unchanged},
		{script: "CREATE OR REPLACE VIEW v AS SELECT id FROM v ", code: types.Conflict, says: "read itself"},
		{script: "CREATE MATERIALIZED VIEW m AS SELECT 1", code: types.Unsupported},
		{script: "INSERT INTO t VALUES ('a', 1); DROP TABLE t", code: types.Unsupported, says: "can't share"},
		{script: "SHOW STREAMS"},
		{script: "DESCRIBE s"},
		{script: "SHOW CREATE STREAM s"},
	} {
		t.Run(tc.script, func(t *testing.T) {
			w := open(t)
			w.must(t, base)
			before := w.Catalog.Snapshot().Version()
			out, err := w.run(t, tc.script)
			w.agree(t)
			if tc.code != "" {
				if !types.HasCode(err, tc.code) || !strings.Contains(err.Error(), tc.says) {
					t.Fatalf("got %v, want %s: %s", err, tc.code, tc.says)
				}
				if w.Catalog.Snapshot().Version() != before {
					t.Error("a refused script changed the catalog")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Results[len(out.Results)-1].Status; got != tc.status {
				t.Errorf("status %q, want %q", got, tc.status)
			}
		})
	}
}

// What SHOW CREATE prints makes the same object again.
func TestCreateTextRoundTrip(t *testing.T) {
	w := open(t)
	w.must(t, base)
	for _, o := range w.Catalog.Snapshot().All() {
		text := strings.Replace(createText(o), "CREATE ", "CREATE OR REPLACE ", 1)
		if out := w.must(t, text); out.Results[0].Status != unchanged {
			t.Errorf("%s: %s", text, out.Results[0].Status)
		}
	}
}

func TestDefineFailurePutsTheCatalogBack(t *testing.T) {
	w := open(t)
	w.must(t, base)
	broken := true
	w.store.fail = func(op string, _ []store.Relation) error {
		if broken {
			broken = false
			return types.Errorf(types.DiskFull, "no space")
		}
		return nil
	}
	for _, script := range []string{"CREATE STREAM x (a BIGINT)", "ALTER STREAM s ADD COLUMN y BIGINT", "ALTER STREAM s ALTER COLUMN n TYPE DOUBLE"} {
		broken = true
		if _, err := w.run(t, script); !types.HasCode(err, types.DiskFull) {
			t.Fatalf("%s: %v", script, err)
		}
		if w.Catalog.Snapshot().ByName("x") != nil {
			t.Error("x stayed in the catalog")
		}
		w.agree(t)
	}
	// A drop goes forward: the next statement finishes it.
	broken = true
	if _, err := w.run(t, "DROP TABLE t"); !types.HasCode(err, types.Unavailable) {
		t.Fatal(err)
	}
	w.must(t, "CREATE STREAM z (a BIGINT)")
	w.agree(t)
}

// A crash between the catalog's transaction and Define is mended by Start.
func TestStartMendsACrash(t *testing.T) {
	w := open(t)
	w.must(t, base)
	_, err := w.Catalog.Update(t.Context(), func(tx *catalog.Tx) error {
		s := &catalog.Stream{Schema: &types.Schema{Version: 1}, Partitions: 3}
		s.Schema.Add("a", types.Of(types.BigInt))
		return errors.Join(tx.Put(&catalog.Object{ID: tx.NewID(), Kind: catalog.StreamKind, Name: "half", Stream: s}),
			tx.Delete(tx.ByName("t").ID))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.agree(t)
}

func TestEvolveOnceUnderConcurrency(t *testing.T) {
	w := open(t)
	records := [][]byte{[]byte(`{"ts":"2026-01-01T00:00:00Z","a":1}`)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			_, created, err := w.Evolve(t.Context(), auth.Local, "auto", records)
			if err == nil {
				_, _, err = w.Evolve(t.Context(), auth.Local, "auto", [][]byte{[]byte(`{"b":"x"}`)})
			}
			if err != nil {
				t.Error(err)
			}
			if created {
				mu.Lock()
				made++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	o := w.Catalog.Snapshot().ByName("auto")
	if made != 1 || o.Stream.Schema.Version != 2 || len(o.Stream.Schema.Columns) != 3 || o.Stream.Time.Column == 0 {
		t.Fatalf("made %d times: %+v", made, o.Stream)
	}
	if err := w.MarkWide(t.Context(), o.ID, []int32{2}); err != nil {
		t.Fatal(err)
	}
	o = w.Catalog.Snapshot().ByName("auto")
	if s := o.Stream.Schema; s.Version != 2 || !s.Columns[s.IndexID(2)].Wide {
		t.Errorf("%+v", s)
	}
	for _, table := range w.SystemTables() {
		if _, err := table.Rows(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
