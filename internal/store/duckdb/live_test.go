package duckdb

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

var live8 = store.Relation{ID: 8, Name: "totals", Live: storetest.Schema("k VARCHAR", "n BIGINT")}

// moment is a store.Live whose rows all are n.
type moment int64

func (m moment) Open(_ types.ObjectID, columns []int) (store.LiveRows, error) {
	return &momentRows{n: int64(m), columns: columns}, nil
}

type momentRows struct {
	n       int64
	columns []int
	done    bool
}

func (m *momentRows) Next() (arrow.RecordBatch, error) {
	if m.done {
		return nil, nil
	}
	m.done = true
	k, n := array.NewStringBuilder(memory.DefaultAllocator), array.NewInt64Builder(memory.DefaultAllocator)
	for _, key := range []string{"a", "b"} {
		k.Append(key)
		n.Append(m.n)
	}
	all := []arrow.Array{k.NewArray(), n.NewArray()}
	var names []string
	var kinds []types.Type
	var cols []arrow.Array
	for _, c := range m.columns {
		names, kinds, cols = append(names, live8.Live.Columns[c].Name), append(kinds, live8.Live.Columns[c].Type), append(cols, all[c])
	}
	return duck.Record(names, kinds, cols, 2), nil
}

func (m *momentRows) Close() {}

// Each query reads live relations of its own moment, also through views, twice, and after the database was opened again.
func TestLiveRelations(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), Live: moment(1)})
	plain := store.Relation{ID: 9, Name: "doubled", Query: "SELECT k, 2 * n AS n FROM totals"}
	if err := s.Define(t.Context(), []store.Relation{live8, plain}); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if i == 3 {
			if err := s.note(types.Errorf(types.Unavailable, "%w", &duck.FatalError{Message: "made up"})); err == nil {
				t.Fatal("note lost the error")
			}
		}
		for _, c := range []struct {
			live store.Live
			sql  string
			want string
		}{
			{moment(5), "SELECT k, n FROM totals ORDER BY k", "a|5\nb|5"},
			{nil, "SELECT n FROM totals", "1\n1"},
			{moment(7), "SELECT sum(t.n), sum(d.n), count(*) FROM totals t JOIN doubled d USING (k) JOIN totals u USING (k) WHERE u.n = t.n", "14|28|2"},
			{moment(5), "SELECT count(*) FROM totals", "2"},
			{nil, "SELECT max(n) FROM doubled", "2"},
		} {
			if got := storetest.QueryLive(t, s, c.sql, c.live); got != c.want {
				t.Errorf("%s: %q, want %q", c.sql, got, c.want)
			}
		}
	}
}
