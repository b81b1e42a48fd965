package app

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/query"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// counted is a view of one BIGINT column without a key, whose rows have the given weights.
func counted(t *testing.T, weights ...int64) *op.ViewSnapshot {
	t.Helper()
	ts := []types.Type{types.Of(types.BigInt)}
	store, next := memstate.New(), state.TableID(0)
	v := op.NewView(ts, nil, func() state.Table { next++; return store.Table(next) })
	b := zset.NewBuilder(ts)
	for i, w := range weights {
		if w != 0 {
			b.AppendInt64(0, int64(i))
			b.EndRow(w)
		}
	}
	if _, err := v.Apply(b.Finish()); err != nil {
		t.Fatal(err)
	}
	return v.Snapshot()
}

func repeated(weights []int64) (out []int64) {
	for i, w := range weights {
		for range w {
			out = append(out, int64(i))
		}
	}
	return out
}

// Pages of any size, cut anywhere in the copies of a row, make up the view.
func TestPagesMakeUpAView(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		weights := make([]int64, 1+r.IntN(12))
		for i := range weights {
			weights[i] = int64(r.IntN(5))
		}
		weights[0]++
		snap, limit := counted(t, weights...), 1+r.IntN(7)
		var got []int64
		cursor := ""
		for pages := 0; ; pages++ {
			p := page{id: 5, sum: 9, limit: limit}
			if cursor != "" {
				if err := p.resume(cursor, snap.Orders()); err != nil {
					t.Fatal(err)
				}
			}
			b := p.read(snap)
			if b.Rows() > limit || pages > 100 {
				t.Fatalf("page %d has %d rows, limit %d", pages, b.Rows(), limit)
			}
			if b != nil {
				got = append(got, b.Cols[0].I64...)
			}
			if cursor = p.cursor(); cursor == "" {
				break
			}
		}
		if want := repeated(weights); !slices.Equal(got, want) {
			t.Fatalf("weights %v, limit %d: got %v, want %v", weights, limit, got, want)
		}
		snap.Close()
	}
}

// A page that goes on in the copies of a row begins with the next row where that one is gone.
func TestPagesWhenTheirRowIsGone(t *testing.T) {
	p := page{limit: 4}
	before := counted(t, 2, 3, 2)
	if b := p.read(before); !slices.Equal(b.Cols[0].I64, []int64{0, 0, 1, 1}) {
		t.Fatalf("got %v", b.Cols[0].I64)
	}
	cursor := p.cursor()
	for _, c := range []struct{ weights, want []int64 }{
		{[]int64{2, 3, 2}, []int64{1, 2, 2}},
		{[]int64{2, 0, 2}, []int64{2, 2}},
		{[]int64{9, 1, 2}, []int64{2, 2}},
		{[]int64{2, 5, 1}, []int64{1, 1, 1, 2}},
	} {
		p := page{limit: 10}
		if err := p.resume(cursor, before.Orders()); err != nil {
			t.Fatal(err)
		}
		if b := p.read(counted(t, c.weights...)); !slices.Equal(b.Cols[0].I64, c.want) {
			t.Errorf("weights %v: got %v, want %v", c.weights, b.Cols[0].I64, c.want)
		}
	}
}

func TestCursorsOfOtherLookups(t *testing.T) {
	p := page{id: 5, sum: 9, limit: 1}
	snap := counted(t, 3, 3)
	p.read(snap)
	good := p.cursor()
	for _, other := range []page{{id: 6, sum: 9}, {id: 5, sum: 8}} {
		if err := other.resume(good, snap.Orders()); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%+v: %v", other, err)
		}
	}
	for i := range good {
		p := page{id: 5, sum: 9}
		if err := p.resume(good[:i], snap.Orders()); err != nil && !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%q: %v", good[:i], err)
		}
	}
}

func TestRepeater(t *testing.T) {
	for _, weights := range [][]int64{{1, 1, 1}, {3, 1, 2}, {10, 0, 1}, {1}, {25}} {
		b := zset.NewBuilder([]types.Type{types.Of(types.BigInt)})
		for i, w := range weights {
			if w != 0 {
				b.AppendInt64(0, int64(i))
				b.EndRow(w)
			}
		}
		p := repeater{b: b.Finish()}
		var got []int64
		for piece := p.next(4); piece != nil; piece = p.next(4) {
			if piece.N > 4 || piece.W != nil {
				t.Errorf("a piece of %d rows, weights %v", piece.N, piece.W)
			}
			got = append(got, piece.Cols[0].I64...)
		}
		if want := repeated(weights); !slices.Equal(got, want) {
			t.Errorf("weights %v: got %v", weights, got)
		}
	}
}

func TestColumnsOfLookups(t *testing.T) {
	s := &types.Schema{}
	for _, name := range []string{"a", "B", "a.null", "n"} {
		s.Add(name, types.Of(types.Varchar))
	}
	k := keyed{object: nil, schema: s, key: []int{0, 1}, unique: true}
	text, empty := "x", ""
	for _, c := range []struct {
		given query.KeyValue
		want  string
	}{
		{query.KeyValue{Column: "a", Text: &text}, "0 x"},
		{query.KeyValue{Column: "b", Text: &text}, "1 x"},
		{query.KeyValue{Column: "a.null", Text: &empty}, "2 "},
		{query.KeyValue{Column: "b.null", Text: &empty}, "1 NULL"},
		{query.KeyValue{Column: "B.null"}, "1 NULL"},
	} {
		i, value, err := k.column(c.given)
		got := fmt.Sprint(i, " NULL")
		if value != nil {
			got = fmt.Sprint(i, " ", *value)
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: %s %v, want %s", c.given, got, err, c.want)
		}
	}
}
