package control

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// memStore keeps relations like a store and no rows. fail, if set, is asked before each change.
type memStore struct {
	mu        sync.Mutex
	relations map[types.ObjectID]store.Relation
	fail      func(op string, relations []store.Relation) error
	bind      func(sql string) error
}

func (s *memStore) refuse(op string, r []store.Relation) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op, r)
}

func (s *memStore) Define(_ context.Context, relations []store.Relation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuse("define", relations); err != nil {
		return err
	}
	for _, r := range relations {
		s.relations[r.ID] = r
	}
	return nil
}

func (s *memStore) Drop(_ context.Context, ids []types.ObjectID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuse("drop", nil); err != nil {
		return err
	}
	for _, id := range ids {
		delete(s.relations, id)
	}
	return nil
}

func (s *memStore) Relations() []types.ObjectID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.relations))
}

func (s *memStore) Query(_ context.Context, q store.Query) (store.Rows, error) {
	if s.bind != nil {
		if err := s.bind(q.SQL); err != nil {
			return nil, err
		}
	}
	return noRows{}, nil
}

func (s *memStore) Load(context.Context, []store.Load) error     { return nil }
func (s *memStore) Loaded() types.Position                       { return types.Position{} }
func (s *memStore) Durable() types.Position                      { return types.Position{} }
func (s *memStore) Maintain(context.Context) error               { return nil }
func (s *memStore) Rewind(context.Context, []types.Cursor) error { return nil }
func (s *memStore) Close() error                                 { return nil }

// noRows is an empty result with one column.
type noRows struct{}

func (noRows) Columns() []types.Column {
	return []types.Column{{ID: 1, Name: "a", Type: types.Of(types.BigInt)}}
}
func (noRows) Next(context.Context) (arrow.RecordBatch, error) { return nil, nil }
func (noRows) Truncated() bool                                 { return false }
func (noRows) Close() error                                    { return nil }

// wordGuard takes every word of a query that names a relation as a reference to it.
type wordGuard struct{}

func (wordGuard) Check(_ context.Context, sql string, cat guard.Catalog) (*guard.Verdict, error) {
	v := &guard.Verdict{SQL: sql}
	for _, w := range strings.Fields(sql) {
		if r, ok := cat.Relation(w); ok {
			v.Relations = append(v.Relations, r)
		}
	}
	return v, nil
}

// locks is a small Fences.
type locks struct {
	mu sync.Mutex
	by map[types.ObjectID]*sync.Mutex
}

func (l *locks) Write(id types.ObjectID) func() {
	l.mu.Lock()
	if l.by == nil {
		l.by = map[types.ObjectID]*sync.Mutex{}
	}
	m := l.by[id]
	if m == nil {
		m = &sync.Mutex{}
		l.by[id] = m
	}
	l.mu.Unlock()
	m.Lock()
	return m.Unlock
}

func (l *locks) Forget(id types.ObjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, id)
}
