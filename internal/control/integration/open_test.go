package integration

import (
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/auth"
	"leat/internal/bus/pebblelog"
	"leat/internal/catalog"
	"leat/internal/control"
	"leat/internal/duck"
	"leat/internal/endpoint"
	"leat/internal/ingest"
	"leat/internal/sql/ddl"
	"leat/internal/sql/guard"
	"leat/internal/store/duckdb"
	"leat/internal/types"
)

// free is a Fences for a test with one goroutine.
type free struct{}

func (free) Write(types.ObjectID) func() { return func() {} }
func (free) Forget(types.ObjectID)       {}

// world is a controller over the real catalog, log, guard and store.
type world struct {
	*control.Controller
	store *duckdb.Store
	log   *pebblelog.Log
}

func open(t *testing.T) *world {
	t.Helper()
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
	c := control.New(control.Options{Catalog: cat, Log: log, Store: st, Fences: free{}, Guard: guard.New(parser), CheckEndpoint: endpoint.Check,
		WaitLoaded: func(context.Context, types.Position) error { return nil }, Explain: st.Explain,
		BuiltIn: []*catalog.Object{ingest.DeadLetterObject(ingest.DefaultConfig().LetterTTL)}})
	for _, table := range c.SystemTables() {
		if err := st.DefineSystem(table.Name, table.Columns, func() ([][]any, error) { return table.Rows(context.Background()) }); err != nil {
			t.Fatal(err)
		}
		c.System = append(c.System, "leat_system."+table.Name)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &world{c, st, log}
}

func (w *world) run(t *testing.T, script string) (control.Outcome, error) {
	t.Helper()
	statements, err := ddl.Parse(script)
	if err != nil {
		return control.Outcome{}, err
	}
	return w.Exec(t.Context(), auth.Local, control.Script{Text: script, Statements: statements})
}
