package query

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/engine/op"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

func position(cursors ...uint64) types.Position {
	var list []types.Cursor
	for i := 0; i < len(cursors); i += 2 {
		list = append(list, types.Cursor{Partition: types.PartitionID{Stream: types.ObjectID(cursors[i])}, Next: types.Offset(cursors[i+1])})
	}
	return types.NewPosition(7, list)
}

func TestLeast(t *testing.T) {
	for _, c := range []struct {
		of   []types.Position
		want types.Position
	}{
		{[]types.Position{position(1, 10)}, position(1, 10)},
		{[]types.Position{position(1, 12), position()}, position(1, 12)},
		{[]types.Position{position(1, 12), position(1, 10)}, position(1, 10)},
		{[]types.Position{position(2, 3), position(1, 10, 2, 5)}, position(1, 10, 2, 3)},
		{[]types.Position{position(1, 12), position(1, 11, 2, 4), position()}, position(1, 11, 2, 4)},
	} {
		if got := least(c.of...); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("least(%v) = %v, want %v", c.of, got, c.want)
		}
	}
}

// world is a store, a guard, waiters and an engine that note what they are asked.
type world struct {
	store.Store
	verdict  guard.Verdict
	snapshot *catalog.Snapshot
	live     []types.ObjectID
	asked    []string
	pins     int
	fail     error
}

func (w *world) Check(context.Context, string, guard.Catalog) (*guard.Verdict, error) {
	return &w.verdict, nil
}
func (w *world) CheckFiltered(context.Context, string, guard.Catalog, guard.Restrict) (*guard.Verdict, error) {
	return &w.verdict, nil
}
func (w *world) CheckArgs(context.Context, string, guard.Catalog, map[string]any) error {
	return nil
}
func (w *world) Loaded() types.Position { return position(1, 10, 2, 10) }
func (w *world) Query(_ context.Context, q store.Query) (store.Rows, error) {
	w.asked = append(w.asked, fmt.Sprintf("query with pins %v", q.Live != nil))
	return noRows{}, w.fail
}

type noRows struct{ store.Rows }

func (noRows) Close() error { return nil }

type loaderWait struct{ *world }

func (l loaderWait) Wait(context.Context, types.Position) error {
	l.asked = append(l.asked, "wait for the store")
	return nil
}

type engine struct{ *world }

func (e engine) Ends(streams []types.ObjectID) (out []End) {
	for _, id := range streams {
		out = append(out, End{Cursor: types.Cursor{Partition: types.PartitionID{Stream: id}, Next: 12}, Watermark: types.NoWatermark})
	}
	return out
}
func (e engine) At(context.Context, types.PartitionID, types.Offset) (int64, bool) { return 1, true }
func (e engine) Serves(id types.ObjectID) bool                                     { return slices.Contains(e.live, id) }
func (e engine) Wait(_ context.Context, _ types.Position, ids []types.ObjectID) error {
	e.asked = append(e.asked, fmt.Sprint("wait for ", ids))
	return nil
}
func (e engine) Pin(_ context.Context, ids []types.ObjectID) (Pinned, error) {
	e.asked = append(e.asked, fmt.Sprint("pin ", ids))
	e.pins++
	return pin{nil, e.world}, nil
}
func (e engine) Lookup(_ context.Context, o *catalog.Object, l Lookup) (*Found, error) {
	e.asked = append(e.asked, fmt.Sprint("look up in ", o.Name, " ", len(l.Columns)))
	return &Found{Rows: noRows{}, Position: position(1, 12)}, nil
}

type pin struct {
	store.Live
	*world
}

func (p pin) Positions() []types.Position    { return []types.Position{position(1, 12)} }
func (p pin) Watermark(types.ObjectID) int64 { return types.NoWatermark }
func (p pin) Change(types.ObjectID) uint64   { return 1 }
func (p pin) Release()                       { p.pins-- }
func (p pin) View(types.ObjectID) *op.ViewSnapshot {
	return nil
}

// objects are a stream 1, a table 2, a materialized view 3 over 1, plain views 4 over 3 and 5 over 4 and 1.
func objects(t *testing.T) *catalog.Snapshot {
	t.Helper()
	c, err := catalog.Open(t.TempDir(), catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	schema := &types.Schema{Version: 1}
	schema.Add("k", types.Of(types.BigInt))
	key := []int32{schema.Columns[0].ID}
	ids := map[string]types.ObjectID{}
	for _, o := range []struct {
		catalog.Object
		over []string
	}{
		{catalog.Object{Name: "s", Kind: catalog.StreamKind, Stream: &catalog.Stream{Schema: schema, Partitions: 1}}, nil},
		{catalog.Object{Name: "t", Kind: catalog.TableKind, Stream: &catalog.Stream{Schema: schema, Partitions: 1, PrimaryKey: key}}, nil},
		{catalog.Object{Name: "m", Kind: catalog.ViewKind, View: &catalog.View{Query: "q", Materialized: &catalog.Materialized{Schema: schema}}}, []string{"s"}},
		{catalog.Object{Name: "p", Kind: catalog.ViewKind, View: &catalog.View{Query: "q"}}, []string{"m"}},
		{catalog.Object{Name: "q", Kind: catalog.ViewKind, View: &catalog.View{Query: "q"}}, []string{"p", "s"}},
	} {
		for _, below := range o.over {
			o.DependsOn = append(o.DependsOn, ids[below])
		}
		if _, err := c.Update(t.Context(), func(tx *catalog.Tx) error {
			o.ID = tx.NewID()
			ids[o.Name] = o.ID
			return tx.Put(&o.Object)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return c.Snapshot()
}

func TestQueriesWaitForAllThatTheyRead(t *testing.T) {
	snapshot := objects(t)
	id := func(name string) types.ObjectID { return snapshot.ByName(name).ID }
	for _, c := range []struct{ reads, want string }{
		{"s", "[wait for the store query with pins false]"},
		{"m", fmt.Sprintf("[wait for [%d] pin [%d] query with pins true]", id("m"), id("m"))},
		{"p", fmt.Sprintf("[wait for [%d] pin [%d] query with pins true]", id("m"), id("m"))},
		{"t", fmt.Sprintf("[wait for [%d] pin [%d] query with pins true]", id("t"), id("t"))},
		{"q", fmt.Sprintf("[wait for [%d] wait for the store pin [%d] query with pins true]", id("m"), id("m"))},
	} {
		w := &world{snapshot: snapshot, live: []types.ObjectID{id("t"), id("m")}}
		w.verdict = guard.Verdict{SQL: "SELECT", Relations: []guard.Relation{{ID: id(c.reads), Name: c.reads}}}
		s := New(Options{Catalog: func() *catalog.Snapshot { return snapshot }, Store: w, Guard: w, Waiter: loaderWait{w}, Live: engine{w}, Log: engine{w}})
		res, err := s.Query(t.Context(), Text{Principal: auth.Local, SQL: "SELECT"}, Run{Freshness: Freshness{After: position(1, 5)}})
		if err != nil || fmt.Sprint(w.asked) != c.want {
			t.Errorf("%s: %v %v, want %s", c.reads, w.asked, err, c.want)
			continue
		}
		if err := res.Rows.Close(); err != nil || w.pins != 0 {
			t.Errorf("%s: %d pins are left, %v", c.reads, w.pins, err)
		}
		w.fail = types.Errorf(types.Internal, "broken")
		if _, err := s.Query(t.Context(), Text{Principal: auth.Local, SQL: "SELECT"}, Run{}); err == nil || w.pins != 0 {
			t.Errorf("%s fails: %d pins are left, %v", c.reads, w.pins, err)
		}
	}
}

func TestLookupsAreForViewsThatKeepRows(t *testing.T) {
	snapshot := objects(t)
	w := &world{snapshot: snapshot, live: []types.ObjectID{snapshot.ByName("t").ID, snapshot.ByName("m").ID}}
	s := New(Options{Catalog: func() *catalog.Snapshot { return snapshot }, Store: w, Guard: w, Waiter: loaderWait{w}, Live: engine{w}, Log: engine{w}})
	for name, want := range map[string]types.Code{"s": types.InvalidArgument, "p": types.InvalidArgument, "t": types.NotFound, "none": types.NotFound} {
		if _, err := s.Lookup(t.Context(), LookupRequest{Principal: auth.Local, View: name}); !types.HasCode(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Lookup(t.Context(), LookupRequest{View: "m"}); !types.HasCode(err, types.PermissionDenied) {
		t.Errorf("without a scope: %v", err)
	}
	if _, err := s.Lookup(t.Context(), LookupRequest{Principal: auth.Local, View: "m", Lookup: Lookup{Limit: MaxPage + 1}}); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("a page too large: %v", err)
	}
	if _, err := s.Lookup(t.Context(), LookupRequest{Principal: auth.Local, View: "m", Freshness: Freshness{After: position(1, 3)}}); err != nil {
		t.Error(err)
	}
	if _, err := s.Row(t.Context(), RowRequest{Principal: auth.Local, Table: "t", Key: []string{"1"}}); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf("[wait for [%d] look up in m 0 look up in t 1]", snapshot.ByName("m").ID)
	if fmt.Sprint(w.asked) != want {
		t.Errorf("%v, want %s", w.asked, want)
	}
}
