package pebblestate

import (
	"bytes"
	"maps"
	"slices"

	"leat/internal/state"
)

// Commit implements state.Store. Content and meta are one batch, or runs that Pebble takes together.
func (s *Store) Commit(meta []byte, sync bool) error {
	if s.e.o.Volatile {
		s.meta = append([]byte{}, meta...)
		for _, t := range s.tables {
			t.publish()
		}
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
	w := writer{sink: s.sink(db)}
	kept := map[state.TableID]state.TableStats{}
	for id, t := range s.tables {
		t.publish()
		kept[id] = state.TableStats{Rows: t.rows, Bytes: t.bytes}
	}
	w.do(w.Set(recordKey(s.id), (&record{tables: kept, meta: meta}).append(nil)))
	for _, id := range s.changed() {
		w.do(w.next())
		w.ranges(s, id)
		if t := s.tables[id]; t != nil {
			w.table(t)
		}
	}
	if w.err == nil {
		w.err = w.commit(sync)
	}
	w.do(w.Close())
	if w.err != nil {
		s.e.fail(w.err)
	}
	if err := s.Err(); err != nil {
		return err
	}
	_, s.batched = w.sink.(batch)
	s.advance(kept)
	return nil
}

// advance begins a generation: all is committed.
func (s *Store) advance(kept map[state.TableID]state.TableStats) {
	s.turn()
	s.kept, s.drops, s.dirty = kept, nil, 0
	s.shown.Store(0)
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

// changed returns the tables, those that were dropped included, in the order of their rows on disk.
func (s *Store) changed() []state.TableID {
	ids := append(slices.Collect(maps.Keys(s.tables)), s.drops...)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// writer writes the changes of a generation.
type writer struct {
	sink
	key, value []byte
	err        error
}

func (w *writer) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

// ranges writes the deletions of a table's ranges, which come before its rows: the rows in memory are later, whatever the order of changes was.
func (w *writer) ranges(s *Store, id state.TableID) {
	if _, ok := s.kept[id]; !ok {
		return // nothing is on disk
	}
	var gone []span
	if slices.Contains(s.drops, id) {
		gone = []span{{}}
	} else if t := s.tables[id]; t != nil {
		gone = disjoint(t.gone)
	}
	p := tablePrefix(s.id, id)
	for _, r := range gone {
		upper := successor(p)
		if r.upper != nil {
			upper = append(bytes.Clone(p), r.upper...)
		}
		w.do(w.DeleteRange(append(bytes.Clone(p), r.lower...), upper))
	}
}

// table writes the changed rows of a table.
func (w *writer) table(t *table) {
	t.cemeteries = nil
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
			w.do(w.Delete(w.key))
			continue
		}
		w.value = append(w.value[:1], value...)
		if k == delta {
			w.do(w.Merge(w.key, w.value))
		} else {
			w.do(w.Set(w.key, w.value))
		}
	}
	if l.complete && l.tombs > 8 && l.tombs > len(l.slots)/2 {
		t.cemeteries = append(t.cemeteries, bytes.Clone(l.key(0)))
	}
}
