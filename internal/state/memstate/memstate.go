// Package memstate is the simplest state.Store: everything in memory, for tests. It is strict where the contract is: what a Table gave is
// overwritten at the next call on it, and a walk over a table that changed panics.
package memstate

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"

	"leat/internal/state"
)

// Store implements state.Store on persistent treaps: a snapshot is a root.
type Store struct {
	mu     sync.Mutex // guards what Stats reads: tables and their roots
	tables map[state.TableID]*table
	rng    *rand.PCG

	committed map[state.TableID]*node
	meta      []byte
}

// New returns an empty store.
func New() *Store {
	return &Store{tables: map[state.TableID]*table{}, rng: rand.NewPCG(1, 2), committed: map[state.TableID]*node{}}
}

// Reopen returns the store that a crash leaves: the content and meta of the last Commit.
func (s *Store) Reopen() *Store {
	r := New()
	r.meta = bytes.Clone(s.meta)
	for id, root := range s.committed {
		r.committed[id] = root
		r.tables[id] = &table{store: r, root: root}
	}
	return r
}

// Table implements state.Store.
func (s *Store) Table(id state.TableID) state.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[id]
	if t == nil {
		t = &table{store: s}
		s.tables[id] = t
	}
	return t
}

// Drop implements state.Store.
func (s *Store) Drop(id state.TableID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tables, id)
}

// Commit implements state.Store.
func (s *Store) Commit(meta []byte, _ bool) error {
	s.meta = append([]byte{}, meta...)
	clear(s.committed)
	for id, t := range s.tables {
		s.committed[id] = t.root
	}
	return nil
}

// Meta implements state.Store.
func (s *Store) Meta() []byte { return s.meta }

// Err implements state.Store: memory does not fail.
func (s *Store) Err() error { return nil }

// Close implements state.Store.
func (s *Store) Close() error { return nil }

// Stats implements state.Store.
func (s *Store) Stats() state.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := state.Stats{Tables: map[state.TableID]state.TableStats{}}
	for id, t := range s.tables {
		ts := state.TableStats{}
		if t.root != nil {
			ts = state.TableStats{Rows: t.root.rows, Bytes: t.root.bytes}
		}
		st.Tables[id] = ts
		st.Memory += ts.Bytes
	}
	return st
}

// table implements state.Table.
type table struct {
	store   *Store
	root    *node
	changes int
	given   [][]byte
}

// spoil overwrites what was given before: the caller may not use it any more.
func (t *table) spoil() {
	for _, p := range t.given {
		for i := range p {
			p[i] = 0xdb
		}
	}
	t.given = t.given[:0]
}

func (t *table) give(p []byte) []byte {
	p = append([]byte{}, p...)
	t.given = append(t.given, p)
	return p
}

func (t *table) Get(key []byte) ([]byte, bool) {
	key = bytes.Clone(key) // it may be what was given
	t.spoil()
	n := t.root.find(key)
	if n == nil {
		return nil, false
	}
	return t.give(n.value), true
}

func (t *table) Scan(lower, upper []byte) state.Iterator {
	it := &iterator{walk: newWalk(t.root, lower, upper), table: t, changes: t.changes}
	t.spoil()
	return it
}

// set puts root in, after what was given may no longer be used.
func (t *table) set(root *node) {
	t.store.mu.Lock()
	t.root = root
	t.store.mu.Unlock()
	t.changes++
	t.spoil()
}

func (t *table) Put(key, value []byte) {
	t.set(t.root.put(&node{key: append([]byte{}, key...), value: append([]byte{}, value...), priority: t.store.rng.Uint64()}))
}

func (t *table) Delete(key []byte) {
	a, b := t.root.split(key)
	_, c := b.split(append(bytes.Clone(key), 0))
	t.set(merge(a, c))
}

func (t *table) Add(key []byte, delta int64) {
	w := delta
	if n := t.root.find(key); n != nil {
		w += state.WeightOf(n.value)
	}
	if w == 0 {
		t.Delete(key)
		return
	}
	t.Put(key, state.AppendWeight(nil, w))
}

func (t *table) DeleteRange(lower, upper []byte) {
	if upper != nil && bytes.Compare(lower, upper) >= 0 {
		return
	}
	a, b := t.root.split(lower)
	var c *node
	if upper != nil {
		_, c = b.split(upper)
	}
	t.set(merge(a, c))
}

func (t *table) Snapshot() state.Snapshot { return &snapshot{root: t.root} }

// snapshot implements state.Snapshot.
type snapshot struct {
	mu     sync.Mutex // guards closed
	root   *node
	closed bool
}

func (s *snapshot) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		panic("BUG: a snapshot is read after Close")
	}
}

func (s *snapshot) Get(key []byte) ([]byte, bool) {
	s.check()
	n := s.root.find(key)
	if n == nil {
		return nil, false
	}
	return slices.Clip(n.value), true
}

func (s *snapshot) Scan(lower, upper []byte) state.Iterator {
	s.check()
	return &iterator{walk: newWalk(s.root, lower, upper)}
}

func (s *snapshot) ScanDown(lower, upper []byte) state.Iterator {
	s.check()
	return &iterator{walk: newWalkDown(s.root, lower, upper)}
}

func (s *snapshot) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// iterator implements state.Iterator; table is nil for a snapshot's.
type iterator struct {
	walk
	table      *table
	changes    int
	key, value []byte
}

func (it *iterator) Next() bool {
	if it.table != nil {
		if it.changes != it.table.changes {
			panic("BUG: a table changed during a walk over it")
		}
		it.table.spoil()
	}
	n := it.next()
	if n == nil {
		return false
	}
	it.key, it.value = n.key, n.value
	if it.table != nil {
		it.key, it.value = it.table.give(n.key), it.table.give(n.value)
	}
	return true
}

func (it *iterator) Key() []byte   { return it.key }
func (it *iterator) Value() []byte { return it.value }
func (it *iterator) Close()        { it.stack = nil }
