package app

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"leat/internal/catalog"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/query"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// ordersTable has 60 rows (id, tenant, status, note) by id, and indexes by status, and by tenant and status; the third is never built.
type ordersTable struct {
	keyed
	view *op.View
}

func newOrdersTable(t *testing.T, keyed bool) *ordersTable {
	t.Helper()
	s := &types.Schema{}
	s.Add("id", types.Of(types.BigInt))
	s.Add("tenant", types.Of(types.BigInt))
	s.Add("status", types.Of(types.Varchar))
	s.Add("note", types.Of(types.Varchar))
	o := &catalog.Object{ID: 7, Name: "orders", Kind: catalog.ViewKind, View: &catalog.View{Materialized: &catalog.Materialized{Schema: s}}}
	o.Indexes = []catalog.Index{{ID: 1, Name: "by_status", Columns: []int32{3}}, {ID: 4, Name: "by_tenant", Columns: []int32{2, 3}}, {ID: 5, Name: "by_note", Columns: []int32{4}}}
	w := &ordersTable{}
	w.object, w.schema, w.unique = o, s, keyed
	var ts []types.Type
	for _, c := range s.Columns {
		ts = append(ts, c.Type)
	}
	store, next := memstate.New(), state.TableID(0)
	tables := func() state.Table { next++; return store.Table(next) }
	if keyed {
		o.View.Materialized.Key = []int{0}
		w.view = op.NewView(ts, []int{0}, tables)
	} else {
		w.view = op.NewView(ts, nil, tables)
	}
	for i, x := range indexesOf(o) {
		w.view.AddIndex(x, tables(), i < 2)
	}
	b := zset.NewBuilder(ts)
	for i := range int64(60) {
		b.AppendInt64(0, i)
		b.AppendInt64(1, i%5)
		if i%10 == 9 {
			b.AppendNull(2)
		} else {
			b.AppendBytes(2, []byte([]string{"new", "paid", "sent"}[i%3]))
		}
		b.AppendBytes(3, fmt.Append(nil, i%2))
		if b.EndRow(1); !keyed && i%7 == 0 {
			b.Append(oneMore(ts, i), 0, 2)
		}
	}
	if _, err := w.view.Apply(b.Finish()); err != nil {
		t.Fatal(err)
	}
	return w
}

// oneMore is one more row, which a view without a key has twice.
func oneMore(ts []types.Type, i int64) *zset.Batch {
	b := zset.NewBuilder(ts)
	b.AppendInt64(0, 1000+i)
	b.AppendInt64(1, i%5)
	b.AppendBytes(2, []byte("paid"))
	b.AppendBytes(3, []byte("x"))
	b.EndRow(1)
	return b.Finish()
}

func (w *ordersTable) lookup(columns string, where ...query.Condition) query.Lookup {
	l := query.Lookup{Where: where}
	for pair := range strings.FieldsSeq(columns) {
		name, text, _ := strings.Cut(pair, "=")
		l.Columns = append(l.Columns, query.KeyValue{Column: name, Text: &text})
	}
	return l
}

// pages reads all pages of a look-up, each on a snapshot of its own.
func (w *ordersTable) pages(t *testing.T, l query.Lookup, s seals) (ids []int64, pages int) {
	t.Helper()
	for {
		snap := w.view.Snapshot()
		w.key = snap.Key()
		got, err := w.look(snap, l, s)
		if err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
		if l.Limit > 0 && got.rows.Rows() > l.Limit {
			t.Fatalf("%d rows, limit %d", got.rows.Rows(), l.Limit)
		}
		if got.rows != nil {
			ids = append(ids, got.rows.Cols[0].I64...)
		}
		snap.Close()
		if pages++; got.cursor == "" {
			return ids, pages
		}
		l.Cursor = got.cursor
	}
}

// naive are the IDs of the rows that a look-up should find, sorted.
func (w *ordersTable) naive(keep func(id, tenant int64, status, note string) bool) (ids []int64) {
	snap := w.view.Snapshot()
	defer snap.Close()
	b, _ := snap.Scan(nil, 0)
	for i := range b.N {
		status := "NULL"
		if !b.Cols[2].Null(i) {
			status = string(b.Cols[2].Bytes(i))
		}
		for range b.Weight(i) {
			if keep(b.Cols[0].I64[i], b.Cols[1].I64[i], status, string(b.Cols[3].Bytes(i))) {
				ids = append(ids, b.Cols[0].I64[i])
			}
		}
	}
	slices.Sort(ids)
	return ids
}

func tenantIs(n int) query.Condition {
	return query.Condition{Column: types.Column{Name: "tenant", Type: types.Of(types.BigInt)}, Text: fmt.Sprint(n), Value: int64(n)}
}

// Look-ups by the columns of an index give what a filter over all rows gives, in pages of any size, with and without conditions.
func TestLookupsByIndex(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		w, s := newOrdersTable(t, keyed), newSeals(query.NewSigner([]byte("test")))
		type keep = func(id, tenant int64, status, note string) bool
		for _, c := range []struct {
			lookup query.Lookup
			keep   keep
		}{
			{w.lookup("status=paid"), func(_, _ int64, status, _ string) bool { return status == "paid" }},
			{w.lookup("status.null="), func(_, _ int64, status, _ string) bool { return status == "NULL" }},
			{w.lookup("tenant=3"), func(_, tenant int64, _, _ string) bool { return tenant == 3 }},
			{w.lookup("status=new tenant=3"), func(_, tenant int64, status, _ string) bool { return tenant == 3 && status == "new" }},
			{w.lookup("status=none"), func(int64, int64, string, string) bool { return false }},
			{w.lookup("tenant=1 status=sent id=11"), func(id, _ int64, _, _ string) bool { return id == 11 }},
			{w.lookup("", tenantIs(2)), func(_, tenant int64, _, _ string) bool { return tenant == 2 }},
			{w.lookup("status=new", tenantIs(2)), func(_, tenant int64, status, _ string) bool { return tenant == 2 && status == "new" }},
			{w.lookup("tenant=1", tenantIs(2)), func(int64, int64, string, string) bool { return false }},
			{w.lookup("tenant=2", tenantIs(2)), func(_, tenant int64, _, _ string) bool { return tenant == 2 }},
		} {
			for range 5 {
				c.lookup.Limit = 1 + rand.IntN(9)
				got, pages := w.pages(t, c.lookup, s)
				slices.Sort(got)
				if want := w.naive(c.keep); !slices.Equal(got, want) || pages > 1+len(want)+60/c.lookup.Limit {
					t.Errorf("key %v, %+v: %v in %d pages, want %v", keyed, c.lookup, got, pages, want)
				}
			}
		}
	}
}

func TestLookupsThatNoIndexServes(t *testing.T) {
	w := newOrdersTable(t, true)
	snap := w.view.Snapshot()
	defer snap.Close()
	w.key = snap.Key()
	for columns, want := range map[string]string{
		"note=1":          "unavailable: index \"by_note\", which finds these rows, is being built",
		"note=1 status=a": "invalid_argument: CREATE INDEX ON orders (status, note), or ask for /v1/views/orders/rows?id=..., or query it: SELECT * FROM orders WHERE ...",
		"id=1 tenant=1":   "invalid_argument: CREATE INDEX ON orders (id, tenant), or ask",
		"id=x":            "invalid_argument",
	} {
		_, err := w.look(snap, w.lookup(columns), newSeals(query.NewSigner([]byte("test"))))
		if e := types.AsError(err); e == nil || !strings.HasPrefix(fmt.Sprintf("%s: %s", e.Code, e.Hint), want) && !strings.HasPrefix(fmt.Sprintf("%s: %s", e.Code, e.Message), want) && string(e.Code) != want {
			t.Errorf("%s: %v, want %s", columns, err, want)
		}
	}
}

// A cursor belongs to one look-up and one index; a filtered reader's is sealed.
func TestCursorsOfIndexes(t *testing.T) {
	w, s := newOrdersTable(t, true), newSeals(query.NewSigner([]byte("test")))
	snap := w.view.Snapshot()
	defer snap.Close()
	w.key = snap.Key()
	ask := func(l query.Lookup, cursor string) (looked, error) {
		l.Limit, l.Cursor = 2, cursor
		return w.look(snap, l, s)
	}
	paid, err := ask(w.lookup("status=paid"), "")
	if err != nil || paid.cursor == "" {
		t.Fatalf("%+v %v", paid, err)
	}
	// status goes by one index alone, and the condition stays a sieve.
	hidden, err := ask(w.lookup("status=paid", query.Condition{Column: types.Column{Name: "note", Type: types.Of(types.Varchar)}, Text: "1", Value: "1"}), "")
	if err != nil || hidden.cursor == "" {
		t.Fatalf("%+v %v", hidden, err)
	}
	for name, c := range map[string]struct {
		l      query.Lookup
		cursor string
	}{
		"of another value":     {w.lookup("status=new"), paid.cursor},
		"of another column":    {w.lookup("tenant=1"), paid.cursor},
		"of all rows":          {w.lookup(""), paid.cursor},
		"of a filtered reader": {w.lookup("status=paid"), hidden.cursor},
	} {
		if _, err := ask(c.l, c.cursor); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("a cursor %s: %v", name, err)
		}
	}
	w.view.DropIndex(1)
	after := w.view.Snapshot()
	defer after.Close()
	l := w.lookup("status=paid")
	l.Cursor = paid.cursor
	if _, err := w.look(after, l, s); !types.HasCode(err, types.Conflict) {
		t.Errorf("a cursor of an index that was dropped: %v", err)
	}
}
