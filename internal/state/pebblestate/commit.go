package pebblestate

import (
	"bytes"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/state"
)

// Commit implements state.Store. Content and meta are one batch.
func (s *Store) Commit(meta []byte, sync bool) error {
	if s.e.o.Volatile {
		s.meta = append([]byte{}, meta...)
		return s.Err()
	}
	meta = append([]byte{}, meta...)
	if err := s.flush(meta, sync); err != nil {
		return err
	}
	s.meta = meta
	for _, t := range s.tables {
		t.bury()
	}
	s.limit = s.budget
	s.pressure()
	return s.Err()
}

// flush writes the changes of this generation and begins the next.
func (s *Store) flush(meta []byte, sync bool) error {
	if err := s.Err(); err != nil {
		return err
	}
	db, err := s.e.database()
	if err != nil {
		s.e.fail(err)
		return err
	}
	b := db.NewBatchWithSize(int(min(s.dirty*5/4+1024, 64<<20)))
	w := writer{b: b}
	w.ranges(s)
	kept := map[state.TableID]state.TableStats{}
	for _, id := range slices.Sorted(maps.Keys(s.tables)) {
		t := s.tables[id]
		t.cemeteries = nil
		w.table(t)
		t.publish()
		kept[id] = state.TableStats{Rows: t.rows, Bytes: t.bytes}
	}
	r := record{tables: kept, meta: meta}
	w.do(b.Set(recordKey(s.id), r.append(nil), nil))
	if w.err == nil {
		o := pebble.NoSync
		if sync {
			o = pebble.Sync
		}
		w.err = b.Commit(o)
	}
	w.do(b.Close())
	if w.err != nil {
		s.e.fail(w.err)
	}
	if err := s.Err(); err != nil {
		return err
	}
	s.advance(kept)
	return nil
}

// advance begins a generation: all is committed.
func (s *Store) advance(kept map[state.TableID]state.TableStats) {
	s.turn()
	s.kept, s.drops, s.dirty = kept, nil, 0
	s.gen++
	var onDisk int64
	for _, st := range kept {
		onDisk += st.Bytes
	}
	s.disk.Store(onDisk)
	for _, t := range s.tables {
		t.gone = nil
		t.forget()
	}
}

// bury packs the leaves that were mostly tombs. Not in flush, which may come in the middle of a walk.
func (t *table) bury() {
	for _, key := range t.cemeteries {
		t.change(key)
		t.slim(t.at.leaf)
	}
	t.cemeteries = nil
}

// writer writes the changes of a generation into a batch.
type writer struct {
	b          *pebble.Batch
	key, value []byte
	err        error
}

func (w *writer) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

// ranges writes the deletions of ranges, which come before all rows: the rows in memory are later, whatever the order of changes was.
func (w *writer) ranges(s *Store) {
	for _, id := range s.drops {
		p := tablePrefix(s.id, id)
		w.do(w.b.DeleteRange(p, successor(p), nil))
	}
	for id, t := range s.tables {
		if _, ok := s.kept[id]; !ok || slices.Contains(s.drops, id) {
			continue
		}
		for _, r := range t.gone {
			upper := successor(t.prefix)
			if r.upper != nil {
				upper = append(bytes.Clone(t.prefix), r.upper...)
			}
			w.do(w.b.DeleteRange(append(bytes.Clone(t.prefix), r.lower...), upper, nil))
		}
	}
}

// table writes the changed rows of a table.
func (w *writer) table(t *table) {
	w.key = append(w.key[:0], t.prefix...)
	w.value = append(w.value[:0], plainRow)
	if t.adds {
		w.value[0] = weightRow
	}
	w.node(t, t.root)
}

func (w *writer) node(t *table, n *inner) {
	if n.gen != t.s.gen {
		return
	}
	for _, k := range n.kids {
		w.node(t, k)
	}
	for _, l := range n.leaves {
		if l.gen == t.s.gen {
			w.leaf(t, l)
		}
	}
}

func (w *writer) leaf(t *table, l *leaf) {
	p := len(t.prefix)
	for i := range l.slots {
		k := l.kind(i)
		if k == clean {
			continue
		}
		key, value := l.row(i)
		w.key = append(w.key[:p], key...)
		if k == tomb {
			w.do(w.b.Delete(w.key, nil))
			continue
		}
		w.value = append(w.value[:1], value...)
		if k == delta {
			w.do(w.b.Merge(w.key, w.value, nil))
		} else {
			w.do(w.b.Set(w.key, w.value, nil))
		}
	}
	if l.complete && l.tombs > 8 && l.tombs > len(l.slots)/2 {
		t.cemeteries = append(t.cemeteries, bytes.Clone(l.key(0)))
	}
}
