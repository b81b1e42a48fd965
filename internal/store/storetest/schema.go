package storetest

import (
	"strings"
	"testing"
	"time"

	"leat/internal/store"
	"leat/internal/types"
)

func define(t *testing.T, s store.Store, r store.Relation) {
	t.Helper()
	must(t, s.Define(t.Context(), []store.Relation{r}))
}

func load(t *testing.T, s store.Store, loads ...store.Load) {
	t.Helper()
	must(t, s.Load(t.Context(), loads))
}

func evolve(t *testing.T, env Env) {
	dir := t.TempDir()
	s := env.Open(t, dir)
	r := store.Relation{ID: 7, Name: "orders", Schema: Schema("id INTEGER", "gone VARCHAR", "s STRUCT(a INTEGER)", "l STRUCT(a INTEGER)[]")}
	define(t, s, r)
	load(t, s, Load(7, 0, Entry(0, now, Batch(r.Schema, []any{1, "x", `{"a":1}`, `[{"a":1}]`}))))
	next := r.Schema.Clone()
	next.Version = 2
	next.Columns = append(next.Columns[:1:1], next.Columns[2:]...)
	next.Columns[0].Type = types.Of(types.BigInt)
	next.Columns[1].Type, _ = types.ParseType("STRUCT(a BIGINT, b VARCHAR)")
	next.Columns[2].Type, _ = types.ParseType("STRUCT(a INTEGER, b STRUCT(c DOUBLE))[]")
	next.Add("more", types.Of(types.Double), "more")
	r.Schema = next
	define(t, s, r)
	load(t, s, Load(7, 0, Entry(1, now, Batch(next, []any{5_000_000_000, `{"a":2,"b":"y"}`, `[{"a":2,"b":{"c":1.5}}]`, 2.5}))))
	const expected = "1|{\"a\":1,\"b\":null}|[{\"a\":1,\"b\":null}]|(null)\n5000000000|{\"a\":2,\"b\":\"y\"}|[{\"a\":2,\"b\":{\"c\":1.5}}]|2.5"
	want(t, s, "SELECT * FROM orders ORDER BY id", expected)
	must(t, s.Close())
	s = env.Open(t, dir)
	define(t, s, r)
	want(t, s, "SELECT * FROM orders ORDER BY id", expected)
}

func refusedConversion(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	define(t, s, r)
	load(t, s, Load(7, 0, Entry(0, now, Batch(r.Schema, []any{1, "12"}, []any{1<<53 + 1, "twelve"}))))
	for column, to := range map[int]types.Kind{0: types.Double, 1: types.Integer} {
		bad := r
		bad.Schema = r.Schema.Clone()
		bad.Schema.Columns[column].Type = types.Of(to)
		err := s.Define(t.Context(), []store.Relation{bad})
		value := []string{"9007199254740993", "twelve"}[column]
		if !types.HasCode(err, types.DataError) || !strings.Contains(err.Error(), value) {
			t.Errorf("column %d to %s: %v", column, to, err)
		}
	}
	want(t, s, "SELECT * FROM orders ORDER BY id", "1|12\n9007199254740993|twelve")
}

// olderSchema loads a batch of a version from before the present one.
func olderSchema(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	old := r.Schema
	r.Schema = old.Clone()
	r.Schema.Version = 2
	r.Schema.Columns[0].Type = types.Of(types.Double)
	r.Schema.Columns = r.Schema.Columns[:1]
	r.Schema.Add("extra", types.Of(types.JSON), "extra")
	define(t, s, r)
	load(t, s, Load(7, 0, Entry(0, now, numbered(old, 1, 1)), Entry(1, now, Batch(r.Schema, []any{2.5, `{"k": 1}`}))))
	want(t, s, "SELECT * FROM orders ORDER BY id", "1|(null)\n2.5|{\"k\": 1}")
}

func rename(t *testing.T, env Env) {
	dir := t.TempDir()
	s := env.Open(t, dir)
	a, b := orders(), store.Relation{ID: 8, Name: "other", Schema: Schema("x VARCHAR")}
	must(t, s.Define(t.Context(), []store.Relation{a, b}))
	load(t, s, Load(7, 0, Entry(0, now, numbered(a.Schema, 0, 1))), Load(8, 0, Entry(0, now, Batch(b.Schema, []any{"eight"}))))
	must(t, s.Close())
	s = env.Open(t, dir)
	a.Name, b.Name = b.Name, a.Name
	a.Schema = a.Schema.Clone()
	a.Schema.Columns[0].Name = `Straße "x"`
	must(t, s.Define(t.Context(), []store.Relation{a, b}))
	want(t, s, `SELECT "Straße ""x""", item FROM other`, "0|item 0")
	want(t, s, "SELECT * FROM orders", "eight")
	b.Name = "third"
	define(t, s, b)
	if _, err := query(t.Context(), s, store.Query{SQL: "SELECT * FROM orders"}); !types.HasCode(err, types.UnknownRelation) {
		t.Errorf("the old name: %v", err)
	}
}

func drop(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	define(t, s, r)
	load(t, s, Load(7, 0, Entry(0, now, numbered(r.Schema, 0, 3))))
	must(t, s.Drop(t.Context(), []types.ObjectID{7}))
	if len(s.Loaded().Cursors) != 0 {
		t.Errorf("loaded %v after the drop", s.Loaded())
	}
	if _, err := query(t.Context(), s, store.Query{SQL: "SELECT * FROM orders"}); !types.HasCode(err, types.UnknownRelation) {
		t.Errorf("after the drop: %v", err)
	}
	r.ID = 9
	define(t, s, r)
	want(t, s, "SELECT count(*) FROM orders", "0")
}

func views(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	v := store.Relation{ID: 8, Name: "cheap", Query: "SELECT * FROM orders WHERE id < 5;"}
	w := store.Relation{ID: 10, Name: "counted", Query: "SELECT count(*) AS n FROM cheap -- all"}
	must(t, s.Define(t.Context(), []store.Relation{r, v, w, {ID: 1, Name: "leat_system.dead_letters", Schema: Schema("reason VARCHAR")}}))
	load(t, s, Load(7, 0, Entry(0, now, numbered(r.Schema, 0, 10))), Load(1, 0, Entry(0, now, Batch(Schema("reason VARCHAR"), []any{"bad"}))))
	want(t, s, "SELECT n FROM counted", "5")
	want(t, s, "SELECT reason FROM leat_system.dead_letters", "bad")
	want(t, s, `SELECT reason, _leat_offset FROM leat_system."dead_letters$leat"`, "bad|0")
	r.Schema = r.Schema.Clone()
	r.Schema.Version = 2
	r.Schema.Add("extra", types.Of(types.Double), "extra")
	define(t, s, r)
	want(t, s, "SELECT * FROM cheap WHERE id = 1", "1|item 1|(null)")
}

func products() store.Relation {
	return store.Relation{ID: 7, Name: "products", Schema: Schema("id BIGINT", "name VARCHAR", "version BIGINT"), Key: []int32{1}}
}

// op is a change-log entry of one row; a nil name deletes.
func op(s *types.Schema, offset types.Offset, at time.Time, id int, name any, version any) (l store.Load) {
	b := Batch(s, []any{id, name, version})
	b.Weights = []int64{1}
	if name == nil {
		b.Weights[0] = -1
	}
	return Load(7, 0, Entry(offset, at, b))
}

func table(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := products()
	define(t, s, r)
	for i, change := range []struct {
		id   int
		name any
	}{{1, "a"}, {2, "b"}, {1, "c"}, {2, nil}, {3, "d"}, {3, nil}, {3, "e"}} {
		load(t, s, op(r.Schema, types.Offset(i), now, change.id, change.name, nil))
	}
	want(t, s, "SELECT id, name FROM products ORDER BY id", "1|c\n3|e")
	want(t, s, `SELECT id, _leat_offset FROM "products$leat" ORDER BY id`, "1|2\n3|6")
}

func versions(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := products()
	r.Version = 3
	define(t, s, r)
	load(t, s, op(r.Schema, 0, now, 1, "v5", 5))
	load(t, s, op(r.Schema, 1, now, 1, "v4", 4))
	load(t, s, op(r.Schema, 2, now, 2, nil, 9))
	load(t, s, op(r.Schema, 3, now, 2, "v8", 8))
	load(t, s, op(r.Schema, 4, now, 3, "a", 1))
	load(t, s, op(r.Schema, 5, now, 3, "b", 1))
	want(t, s, "SELECT id, name FROM products ORDER BY id", "1|v5\n3|b")
}

func ttl(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	r := orders()
	r.TTL = time.Hour
	p := products()
	p.ID, p.Version, p.TTL = 8, 3, time.Hour
	must(t, s.Define(t.Context(), []store.Relation{r, p}))
	old := time.Now().Add(-2 * time.Hour)
	load(t, s, Load(7, 0, Entry(0, old, numbered(r.Schema, 0, 3)), Entry(3, time.Now(), numbered(r.Schema, 3, 2))))
	// The winner of key 1 is old, its loser came later: neither may be seen, before or after the removal.
	winner, loser, gone := op(p.Schema, 0, old, 1, "v5", 5), op(p.Schema, 1, time.Now(), 1, "v4", 4), op(p.Schema, 2, old, 2, "x", 1)
	for _, l := range []store.Load{winner, loser, gone} {
		l.Partition.Stream = 8
		load(t, s, l)
	}
	for range 2 {
		want(t, s, "SELECT count(*), min(id) FROM orders", "2|3")
		want(t, s, "SELECT count(*) FROM products", "0")
		must(t, s.Maintain(t.Context()))
	}
}
