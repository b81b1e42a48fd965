package control

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/types"
)

// wordViews plans "SELECT a, b FROM s": a view's columns are those of the one relation that it reads. It keeps what Set was called with.
type wordViews struct {
	set  [][]*catalog.Object
	fail func() error
}

func (v *wordViews) Plan(_ context.Context, view *catalog.View, find func(string) *catalog.Object) (*catalog.Materialized, error) {
	words := strings.Fields(strings.ReplaceAll(view.Query, ",", " "))
	o := find(words[len(words)-1])
	if o == nil {
		return nil, types.Errorf(types.UnknownRelation, "there is no %s", words[len(words)-1])
	}
	m := &catalog.Materialized{EmitOnClose: view.Materialized.EmitOnClose, Schema: &types.Schema{Version: 1}}
	var from *types.Schema
	if o.View != nil {
		from = o.View.Materialized.Schema
	} else {
		from = o.Stream.Schema
		if in := view.Materialized.Inputs; len(in) > 0 {
			from = in[0].Schema
		}
		m.Inputs = []catalog.Input{{ID: o.ID, Schema: from}}
	}
	names := words[1 : len(words)-2]
	if names[0] == "*" {
		names = nil
		for _, c := range from.Columns {
			names = append(names, c.Name)
		}
	}
	for _, name := range names {
		i := from.Index(name)
		if i < 0 {
			return nil, types.Errorf(types.UnknownColumn, "there is no column %s", name)
		}
		m.Schema.Add(name, from.Columns[i].Type)
		if len(m.Inputs) > 0 {
			m.Inputs[0].Reads = append(m.Inputs[0].Reads, from.Columns[i].ID)
		}
	}
	return m, nil
}

func (v *wordViews) Explain(_ context.Context, view *catalog.View, _ func(string) *catalog.Object) (string, error) {
	return "plan of " + view.Query, nil
}

func (v *wordViews) Set(_ context.Context, objects []*catalog.Object) error {
	if v.fail != nil {
		if err := v.fail(); err != nil {
			return err
		}
	}
	v.set = append(v.set, objects)
	return nil
}

func (v *wordViews) Status(types.ObjectID) (ViewStatus, bool) { return ViewStatus{}, false }

// running are the queries of the materialized views that Set was called with last, by name.
func (v *wordViews) running() map[string]string {
	out := map[string]string{}
	for _, o := range v.set[len(v.set)-1] {
		if o.Continuous() {
			out[o.Name] = o.View.Query
		}
	}
	return out
}

func openViews(t *testing.T) (*world, *wordViews) {
	w := open(t)
	v := &wordViews{}
	w.Views = v
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, v
}

func TestViewsFollowTheCatalog(t *testing.T) {
	w, v := openViews(t)
	w.must(t, "CREATE STREAM s (a BIGINT, b VARCHAR); CREATE MATERIALIZED VIEW v AS SELECT * FROM s; CREATE MATERIALIZED VIEW u AS SELECT a FROM v")
	var order []string
	for _, o := range v.set[len(v.set)-1] {
		order = append(order, o.Name)
	}
	if !slices.Equal(order, []string{"s", "v", "u"}) {
		t.Errorf("parents don't come first: %v", order)
	}
	if id := w.Catalog.Snapshot().ByName("v").View.Materialized.Inputs[0].ID; id != w.Catalog.Snapshot().ByName("s").ID {
		t.Errorf("the input of v has ID %d", id)
	}
	for _, c := range []struct{ script, status string }{
		{"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT * FROM s", unchanged},
		{"CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT b FROM s", unchanged},
		{"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a, b FROM s", replaced},
		{"ALTER STREAM s ADD COLUMN c INTEGER", altered},
		{"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a, b FROM s", unchanged},
		{"ALTER VIEW u RENAME TO w", altered},
		{"DROP MATERIALIZED VIEW w", dropped},
	} {
		if got := w.must(t, c.script).Results[0].Status; got != c.status {
			t.Errorf("%s: %s, want %s", c.script, got, c.status)
		}
	}
	if got := v.running(); len(got) != 1 || got["v"] != "SELECT a, b FROM s" {
		t.Errorf("running are %v", got)
	}
	w.agree(t)
}

func TestChangesUnderViews(t *testing.T) {
	w, v := openViews(t)
	w.must(t, "CREATE STREAM s (a BIGINT, b VARCHAR, c STRUCT(x BIGINT)); CREATE MATERIALIZED VIEW v AS SELECT a, c FROM s; CREATE MATERIALIZED VIEW u AS SELECT a FROM v")
	for _, c := range []struct{ script, breaks string }{
		{"ALTER STREAM s DROP COLUMN a", "v"},
		{"ALTER STREAM s RENAME COLUMN a TO z", "v"},
		{"ALTER STREAM s ALTER COLUMN a TYPE DOUBLE", "v"},
		{"ALTER STREAM s ALTER COLUMN c TYPE STRUCT(y BIGINT)", "v"},
		{"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT b FROM s", "u"},
		{"DROP STREAM s", "v"},
		{"DROP VIEW v", "u"},
		{"ALTER STREAM s RENAME TO r", "v"},
		{"ALTER VIEW v RENAME TO r", "u"},
	} {
		_, err := w.run(t, c.script)
		if e := types.AsError(err); e == nil || e.Code != types.DependentObjects || !strings.Contains(e.Message, `materialized view "`+c.breaks+`"`) || e.Hint == "" {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	for _, script := range []string{
		"ALTER STREAM s DROP COLUMN b",
		"ALTER STREAM s ALTER COLUMN c TYPE STRUCT(x BIGINT, y BIGINT)",
		"ALTER STREAM s ALTER COLUMN a TYPE DOUBLE; CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT a, c FROM s; CREATE OR REPLACE MATERIALIZED VIEW u AS SELECT a FROM v",
		"ALTER STREAM s RENAME COLUMN a TO z; CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT z, c FROM s; CREATE OR REPLACE MATERIALIZED VIEW u AS SELECT z FROM v",
	} {
		w.must(t, script)
	}
	if got := w.Catalog.Snapshot().ByName("u").View.Materialized.Schema.Columns[0]; got.Name != "z" || got.Type.Kind != types.Double {
		t.Errorf("u has %+v", got)
	}
	if got := v.running(); got["u"] != "SELECT z FROM v" {
		t.Errorf("running are %v", got)
	}
	w.agree(t)
}

func TestSchemasDoNotWidenUnderViews(t *testing.T) {
	w, _ := openViews(t)
	w.must(t, "CREATE STREAM s (a BIGINT, b BIGINT, c STRUCT(x BIGINT)); CREATE MATERIALIZED VIEW v AS SELECT a, c FROM s")
	o, _, err := w.Evolve(t.Context(), auth.Local, "s", [][]byte{[]byte(`{"a": 1.5, "b": 1.5, "c": {"x": 1, "y": 2}, "d": true}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range o.Stream.Schema.Columns {
		got = append(got, c.Name+" "+c.Type.String())
	}
	if want := "a BIGINT, b DOUBLE, c STRUCT(x BIGINT, y BIGINT), d BOOLEAN"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	again, _, err := w.Evolve(t.Context(), auth.Local, "s", [][]byte{[]byte(`{"a": 2.5}`)})
	if err != nil || again.Version != o.Version {
		t.Errorf("a record that only widens what a view reads made version %d of %d, %v", again.Version, o.Version, err)
	}
}

func TestARefusedViewIsUndone(t *testing.T) {
	w, v := openViews(t)
	w.must(t, "CREATE STREAM s (a BIGINT, b VARCHAR); CREATE MATERIALIZED VIEW v AS SELECT a FROM s")
	for _, script := range []string{
		"CREATE MATERIALIZED VIEW u AS SELECT b FROM s",
		"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT b FROM s",
		"CREATE STREAM r (x BIGINT); CREATE MATERIALIZED VIEW u AS SELECT x FROM r",
	} {
		calls := 0
		v.fail = func() error {
			if calls++; calls == 1 {
				return errors.New("no memory for it")
			}
			return nil
		}
		if _, err := w.run(t, script); err == nil || !strings.Contains(err.Error(), "no memory") {
			t.Errorf("%s: %v", script, err)
		}
		if got := v.running(); len(got) != 1 || got["v"] != "SELECT a FROM s" {
			t.Errorf("%s: running are %v", script, got)
		}
		w.agree(t)
	}
	v.fail = nil
	w.must(t, "CREATE MATERIALIZED VIEW u AS SELECT b FROM s")
}

// A crash between the catalog's transaction and the start of the view: the next start runs it.
func TestACrashBeforeAViewRuns(t *testing.T) {
	w, v := openViews(t)
	w.must(t, "CREATE STREAM s (a BIGINT, b VARCHAR); CREATE MATERIALIZED VIEW v AS SELECT a FROM s")
	for script, want := range map[string]map[string]string{
		"CREATE MATERIALIZED VIEW u AS SELECT b FROM s":            {"u": "SELECT b FROM s", "v": "SELECT a FROM s"},
		"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT b FROM s": {"v": "SELECT b FROM s"},
		"DROP VIEW v": {},
	} {
		crashed, running := openViews(t)
		crashed.must(t, "CREATE STREAM s (a BIGINT, b VARCHAR); CREATE MATERIALIZED VIEW v AS SELECT a FROM s")
		running.fail = func() error { panic("the process ends") }
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Set was not called", script)
				}
			}()
			_, err := crashed.run(t, script)
			t.Errorf("%s: %v", script, err)
		}()
		next := New(crashed.Options)
		running.fail = nil
		if err := next.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := running.running()
		if len(got) != len(want) {
			t.Errorf("%s: running are %v, want %v", script, got, want)
		}
		for name, query := range want {
			if got[name] != query {
				t.Errorf("%s: %s is %q, want %q", script, name, got[name], query)
			}
		}
		(&world{next, crashed.store, crashed.log}).agree(t)
	}
	if got := v.running(); got["v"] != "SELECT a FROM s" {
		t.Errorf("running are %v", got)
	}
}

func TestAViewIsExplainedBeforeItExists(t *testing.T) {
	w, v := openViews(t)
	w.Explain = func(context.Context, string) (string, error) { return "", nil }
	w.must(t, "CREATE STREAM s (a BIGINT)")
	sets := len(v.set)
	for _, script := range []string{"EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT a FROM s", "EXPLAIN CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT a FROM s"} {
		out := w.must(t, script)
		if got := out.Results[0].Table.Rows[0][0]; got != "plan of SELECT a FROM s" {
			t.Errorf("got %v", got)
		}
	}
	if w.Catalog.Snapshot().ByName("v") != nil || len(v.set) != sets {
		t.Error("EXPLAIN made the view")
	}
	if _, err := w.run(t, "EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT z FROM s"); !types.HasCode(err, types.UnknownColumn) {
		t.Errorf("got %v", err)
	}
}

func TestKindsOfViews(t *testing.T) {
	w, _ := openViews(t)
	w.must(t, "CREATE STREAM s (a BIGINT); CREATE VIEW p AS SELECT a FROM s; CREATE MATERIALIZED VIEW m AS SELECT a FROM s")
	names := func(script string) (out []string) {
		for _, row := range w.must(t, script).Results[0].Table.Rows {
			out = append(out, row[0].(string)+" "+row[1].(string))
		}
		return out
	}
	if got := names("SHOW MATERIALIZED VIEWS"); !slices.Equal(got, []string{"m materialized view"}) {
		t.Errorf("SHOW MATERIALIZED VIEWS: %v", got)
	}
	if got := names("SHOW VIEWS"); !slices.Equal(got, []string{"m materialized view", "p view"}) {
		t.Errorf("SHOW VIEWS: %v", got)
	}
	_, err := w.run(t, "DROP MATERIALIZED VIEW p")
	if e := types.AsError(err); e == nil || e.Hint != "DROP VIEW p" {
		t.Errorf("got %v", err)
	}
	if _, err := w.run(t, "DROP MATERIALIZED VIEW IF EXISTS nothing"); err != nil {
		t.Error(err)
	}
	w.must(t, "DROP VIEW m, p")
}
