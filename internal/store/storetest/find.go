package storetest

import (
	"strings"
	"testing"

	"leat/internal/store"
	"leat/internal/types"
)

// find searches a stream and tables as they were at some positions.
func find(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	finder, ok := s.(store.Finder)
	if !ok {
		t.Skip("this store finds no rows by where they are")
	}
	o, p, versioned := orders(), products(), products()
	p.ID = 8
	versioned.ID, versioned.Name, versioned.Version = 9, "versioned", 3
	define(t, s, o)
	define(t, s, p)
	define(t, s, versioned)
	load(t, s, Load(o.ID, 0, Entry(0, now, numbered(o.Schema, 0, 3)), Entry(5, now, numbered(o.Schema, 3, 2))))
	load(t, s, Load(o.ID, 1, Entry(0, now, numbered(o.Schema, 7, 2))))
	for i, name := range []any{"a", "b", nil, "c"} {
		for _, r := range []store.Relation{p, versioned} {
			l := op(r.Schema, types.Offset(i), now, 1, name, 10-i)
			l.Partition.Stream = r.ID
			load(t, s, l)
		}
	}
	at := func(id types.ObjectID, index uint32, next types.Offset) types.Cursor {
		return types.Cursor{Partition: types.PartitionID{Stream: id, Index: index}, Next: next}
	}
	for _, c := range []struct {
		search store.Search
		want   string // partition, offset and first column
	}{
		{store.Search{ID: o.ID}, ""}, {store.Search{ID: o.ID, Below: []types.Cursor{at(o.ID+90, 0, 9)}}, ""},
		{store.Search{ID: o.ID, Below: []types.Cursor{at(o.ID, 0, 6), at(o.ID, 1, 9)}}, "0|0|0 0|1|1 0|2|2 0|5|3 1|0|7 1|1|8"},
		{store.Search{ID: o.ID, Below: []types.Cursor{at(o.ID, 0, 9)}, Where: "id > $least AND _leat_offset < 6", Args: map[string]any{"least": int64(1)}}, "0|2|2 0|5|3"},
		{store.Search{ID: o.ID, Below: []types.Cursor{at(o.ID, 0, 9)}, Where: "_leat_wm > '2020-01-01'"}, ""},
		{store.Search{ID: o.ID, Below: []types.Cursor{at(o.ID, 0, 9)}, MaxRows: 2}, "0|0|0 0|1|1 cut"},
		{store.Search{ID: p.ID, Below: []types.Cursor{at(p.ID, 0, 1)}}, "0|0|1"}, {store.Search{ID: p.ID, Below: []types.Cursor{at(p.ID, 0, 2)}, Where: "name = 'b'"}, "0|1|1"},
		{store.Search{ID: p.ID, Below: []types.Cursor{at(p.ID, 0, 2)}, Where: "name = 'a'"}, ""}, {store.Search{ID: p.ID, Below: []types.Cursor{at(p.ID, 0, 3)}}, ""}, {store.Search{ID: p.ID, Below: []types.Cursor{at(p.ID, 0, 9)}}, "0|3|1"},
		{store.Search{ID: versioned.ID, Below: []types.Cursor{at(versioned.ID, 0, 9)}}, "0|0|1"},
	} {
		rows, err := finder.Find(t.Context(), c.search)
		must(t, err)
		var got []string
		for {
			rec, err := rows.Next(t.Context())
			must(t, err)
			if rec == nil {
				break
			}
			for i := range int(rec.NumRows()) {
				got = append(got, rec.Column(0).ValueStr(i)+"|"+rec.Column(1).ValueStr(i)+"|"+rec.Column(3).ValueStr(i))
			}
		}
		if rows.Truncated() {
			got = append(got, "cut")
		}
		must(t, rows.Close())
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%+v: got %s, want %s", c.search, text, c.want)
		}
	}
	if _, err := finder.Find(t.Context(), store.Search{ID: 99}); !types.HasCode(err, types.NotFound) {
		t.Errorf("an unknown relation: %v", err)
	}
}
