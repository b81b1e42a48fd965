package pebblestate

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/state"
)

// Store implements state.Store as a part of an Engine. Sizes in Stats are those of the last Snapshot, Commit or step over the budget.
type Store struct {
	e      *Engine
	id     uint64
	own    bool // the engine is its alone
	budget int64
	limit  int64 // of memory, where pressure acts next
	dirty  int64 // about the bytes of changes since the last commit
	gen    uint64
	meta   []byte

	batched bool // the last commit was a batch, or may have been

	disk  atomic.Int64 // about the bytes of rows on disk
	shown atomic.Int64 // dirty, for Stats

	mu     sync.Mutex // guards tables against Stats
	tables map[state.TableID]*table

	kept  map[state.TableID]state.TableStats // tables that have rows on disk
	drops []state.TableID                    // of kept ones, since the last commit
	base  *base                              // of this generation, if a snapshot needed it
	rows  *pebble.Iterator                   // of this generation, if a table needed it
	hand  int                                // the table where the clock stands
}

var _ state.Store = (*Store)(nil)

// Open opens or makes a store that has dir to itself. With Volatile, dir may be empty: then a
// folder for temporary files is made if memory does not suffice.
// Errors as those of OpenEngine.
func Open(dir string, o Options) (*Store, error) {
	e, err := OpenEngine(dir, o)
	if err != nil {
		return nil, err
	}
	s, err := e.Store(1)
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	s.own = true
	return s, nil
}

// restore reads what the last commit left.
func (s *Store) restore() error {
	db, err := s.e.database()
	if err != nil {
		return err
	}
	v, closer, err := db.Get(recordKey(s.id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return openError(s.e.dir, err)
	}
	defer closer.Close()
	r, err := readRecord(v)
	if err != nil {
		return err
	}
	s.kept, s.meta = r.tables, r.meta
	for id, st := range r.tables {
		t := newTable(s, id, true)
		t.rows, t.bytes = st.Rows, st.Bytes
		t.publish()
		s.disk.Add(st.Bytes)
		s.tables[id] = t
	}
	return nil
}

// Table implements state.Store.
func (s *Store) Table(id state.TableID) state.Table {
	t := s.tables[id]
	if t == nil {
		t = newTable(s, id, false)
		if slices.Contains(s.drops, id) {
			t.gone = []span{{}} // until the next commit the dropped rows are on disk
		}
		s.mu.Lock()
		s.tables[id] = t
		s.mu.Unlock()
	}
	return t
}

// Drop implements state.Store.
func (s *Store) Drop(id state.TableID) {
	s.mu.Lock()
	delete(s.tables, id)
	s.mu.Unlock()
	if _, ok := s.kept[id]; ok {
		s.drops = append(s.drops, id)
	}
}

// Meta implements state.Store.
func (s *Store) Meta() []byte { return s.meta }

// Err implements state.Store.
func (s *Store) Err() error { return s.e.Err() }

// SetBudget changes how many bytes of memory the rows may take, at once where they take more. Only the writer may call it.
func (s *Store) SetBudget(bytes int64) {
	s.budget, s.limit = bytes, bytes
	s.pressure()
}

// Stats implements state.Store.
func (s *Store) Stats() state.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := state.Stats{Disk: s.disk.Load(), Uncommitted: s.shown.Load(), Tables: make(map[state.TableID]state.TableStats, len(s.tables))}
	for id, t := range s.tables {
		st.Tables[id] = state.TableStats{Rows: t.published.rows.Load(), Bytes: t.published.bytes.Load()}
		st.Memory += t.published.memory.Load()
	}
	return st
}

// Close implements state.Store. Snapshots stay readable until the engine is closed.
func (s *Store) Close() error {
	s.turn()
	s.e.mu.Lock()
	delete(s.e.stores, s.id)
	s.e.mu.Unlock()
	s.mu.Lock()
	s.tables = map[state.TableID]*table{}
	s.mu.Unlock()
	if s.own {
		return s.e.Close()
	}
	return nil
}

// turn lets go of the version on disk that reads have used.
func (s *Store) turn() {
	if s.rows != nil {
		if err := s.rows.Close(); err != nil {
			s.e.fail(err)
		}
		s.rows = nil
	}
	s.base.release()
	s.base = nil
}

// pin returns the present version on disk, for a snapshot; nil if the disk failed.
func (s *Store) pin() *base {
	if s.rows != nil { // a step ends: hold no files longer than that
		if err := s.rows.Close(); err != nil {
			s.e.fail(err)
		}
		s.rows = nil
	}
	if s.base == nil {
		db, err := s.e.database()
		if err != nil || s.Err() != nil {
			return nil
		}
		s.base = &base{e: s.e, snap: db.NewSnapshot()}
		s.base.refs.Store(1)
	}
	s.base.refs.Add(1)
	return s.base
}

// reader returns an iterator over what is committed; nil if the disk failed.
func (s *Store) reader() *pebble.Iterator {
	if s.Err() != nil {
		return nil
	}
	if s.rows == nil {
		db, err := s.e.database()
		if err != nil {
			s.e.fail(err)
			return nil
		}
		lower := storePrefix(s.id)
		if s.rows, err = db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: successor(lower)}); err != nil {
			s.e.fail(err)
			return nil
		}
	}
	return s.rows
}

// memory is what all tables take.
func (s *Store) memory() int64 {
	var n int64
	for _, t := range s.tables {
		n += t.memory
	}
	return n
}
