package pipeline

import (
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/op"
	"leat/internal/engine/zset/zsettest"
)

// withIndexes gives definitions random indexes. One that comes again has the same columns.
func withIndexes(r *rand.Rand, defs []Definition) []Definition {
	out := slices.Clone(defs)
	for i := range out {
		width := len(out[i].Plan.Fields())
		out[i].Indexes = nil
		for id := uint32(1); id < 6; id++ {
			if r.IntN(3) == 0 {
				ix := op.Index{ID: id, Columns: []int{int(id) % width}}
				if second := int(id/2) % width; id%2 == 0 && second != ix.Columns[0] {
					ix.Columns = append(ix.Columns, second)
				}
				out[i].Indexes = append(out[i].Indexes, ix)
			}
		}
	}
	return out
}

// checkIndexes compares the indexes of a snapshot with its rows.
func checkIndexes(t testing.TB, name string, s *op.ViewSnapshot, rows *zsettest.Model) {
	t.Helper()
	for i, o := range s.Orders() {
		m := zsettest.NewModel(s.Types())
		r := op.Range{Limit: 7, Desc: i%2 == 1}
		for b, next := s.Range(i, r); ; b, next = s.Range(i, r) {
			m.Apply(b)
			if r.From = next; next == nil {
				break
			}
		}
		if diff := m.Diff(rows); diff != "" {
			t.Fatalf("view %s: order %+v has not its rows:\n%s", name, o, diff)
		}
	}
}

// complete reports whether the newest versions of views have the indexes of their definitions.
func (w *world) complete(defs []Definition) func() bool {
	return func() bool {
		for _, d := range defs {
			v, err := w.m.Pin(d.ID)
			if err != nil {
				return false
			}
			var got []uint32
			for _, o := range v.View(d.ID).Orders()[1:] {
				got = append(got, o.Index)
			}
			v.Release()
			var want []uint32
			for _, x := range d.Indexes {
				want = append(want, x.ID)
			}
			if !slices.Equal(got, want) {
				return false
			}
		}
		return true
	}
}

// Indexes come and go while views run, while the server is down, and with views that are built anew; readers see an index when it is whole.
func TestIndexes(t *testing.T) {
	w := newWorld(t, settings{budget: 32 << 10})
	defs := family(t)
	w.set(defs...)
	w.run()
	for range 20 {
		defs = withIndexes(w.r, defs)
		switch w.r.IntN(6) {
		case 0:
			w.restart(settings{budget: 32 << 10})
			w.set(defs...)
			w.run()
		case 1: // the third view and what is built on it are made anew
			w.set(defs[:2]...)
			w.feed(50)
			w.set(defs...)
		default:
			w.set(defs...)
		}
		for range 5 {
			w.feed(60)
		}
		w.settle(ids(defs)...)
		w.await("all indexes are there", w.complete(defs))
		w.checkAll(defs)
	}
	for _, d := range defs {
		if got := w.m.Status()[d.ID].Indexes; len(got) != len(d.Indexes) {
			t.Errorf("view %s has %d indexes, its status tells of %v", d.Name, len(d.Indexes), got)
		}
	}
}

// An index that was whole at the last commit is not built again; what other tables held before it is gone.
func TestIndexOverRestart(t *testing.T) {
	w := newWorld(t, settings{})
	defs := []Definition{define(t, 140, "rows", above(scan(streamB), 1, 0))}
	w.set(defs...)
	w.run()
	for range 40 {
		w.put(streamB, 0, w.random(streamB, 500)...)
	}
	w.settle(140)
	defs[0].Indexes = []op.Index{{ID: 1, Columns: []int{1}}, {ID: 2, Columns: []int{0, 1}}}
	w.set(defs...)
	w.await("both are built", w.complete(defs))
	size := w.m.Status()[140].Indexes[1].Bytes
	w.halt()
	w.restart(settings{})
	w.set(defs...)
	w.run()
	w.await("the view is there", func() bool {
		v, err := w.m.Pin(140)
		if err != nil {
			return false
		}
		defer v.Release()
		if len(v.View(140).Orders()) != 3 {
			t.Error("the first version after a restart has not all indexes")
		}
		return true
	})
	w.halt()
	w.restart(settings{})
	defs[0].Indexes = []op.Index{{ID: 3, Columns: []int{1}}} // in the table that index 1 had
	w.set(defs...)
	w.run()
	w.put(streamB, 0, w.random(streamB, 1)...)
	w.settle(140)
	w.await("it is built", w.complete(defs))
	w.checkAll(defs)
	if now := w.m.Status()[140].Indexes[3].Bytes; size == 0 || now < size/2 || now > 2*size {
		t.Errorf("the index has %d bytes, one that was like it had %d", now, size)
	}
}
