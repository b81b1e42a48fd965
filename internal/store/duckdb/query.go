package duckdb

import (
	"context"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// rows is a result with the slot that it holds.
type rows struct {
	*duck.Result
	store *Store
	db    *duck.DB
	conn  *duck.Conn
}

// Query implements store.Store. ctx governs the result until its Close.
func (s *Store) Query(ctx context.Context, q store.Query) (store.Rows, error) {
	db, conn, err := s.reader(ctx)
	if err != nil {
		return nil, err
	}
	limit := q.MaxRows
	if limit == 0 {
		limit = s.opts.MaxRows
	}
	res, err := conn.Query(ctx, q.SQL, q.Args, limit)
	if err != nil {
		db.Release(conn)
		return nil, s.note(err)
	}
	return &rows{Result: res, store: s, db: db, conn: conn}, nil
}

// reader takes a slot, after opening the database again if a fatal error closed it.
func (s *Store) reader(ctx context.Context) (*duck.DB, *duck.Conn, error) {
	s.dbMu.RLock()
	db, failed := s.db, s.failed
	s.dbMu.RUnlock()
	if failed {
		s.mu.Lock()
		err := s.heal()
		s.mu.Unlock()
		if err != nil {
			return nil, nil, err
		}
		s.dbMu.RLock()
		db = s.db
		s.dbMu.RUnlock()
	}
	conn, err := db.Reader(ctx)
	if err != nil {
		return nil, nil, types.AsError(err)
	}
	return db, conn, nil
}

// Close implements store.Rows.
func (r *rows) Close() error {
	if r.conn != nil {
		r.Result.Close()
		r.db.Release(r.conn)
		r.conn = nil
	}
	return nil
}
