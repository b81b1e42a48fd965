package duckdb

import (
	"context"
	"errors"
	"strconv"
	"time"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// rows is a result with the slot that it holds.
type rows struct {
	*duck.Result
	db   *duck.DB
	conn *duck.Conn
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
	if q.Live != nil {
		conn.SetPin(q.Live)
	}
	ask := conn.Query
	if q.Typed {
		ask = conn.QueryTyped
	}
	res, err := ask(ctx, q.SQL, q.Args, limit)
	if err != nil {
		release(db, conn)
		return nil, s.note(err)
	}
	return &rows{Result: res, db: db, conn: conn}, nil
}

// Describe implements store.Describer.
func (s *Store) Describe(ctx context.Context, sql string) (d store.Description, err error) {
	db, conn, err := s.reader(ctx)
	if err != nil {
		return d, err
	}
	defer release(db, conn)
	d.Columns, d.Params, err = conn.Describe(ctx, sql)
	return d, s.note(err)
}

// reader takes a slot and begins a transaction there, which sees file and tail as of one moment.
func (s *Store) reader(ctx context.Context) (*duck.DB, *duck.Conn, error) {
	if err := s.healed(); err != nil {
		return nil, nil, err
	}
	s.dbMu.RLock()
	db := s.db
	s.dbMu.RUnlock()
	if db == nil {
		return nil, nil, types.Errorf(types.Unavailable, "the store is closed")
	}
	conn, err := db.Reader(ctx)
	if err != nil {
		return nil, nil, types.AsError(err)
	}
	if err := s.begin(conn); err != nil {
		release(db, conn)
		return nil, nil, err
	}
	return db, conn, nil
}

// begin starts a transaction whose snapshots of file and tail belong together: DuckDB takes each when the database is first named.
func (s *Store) begin(conn *duck.Conn) error {
	s.cut.RLock()
	defer s.cut.RUnlock()
	err := conn.Repeat(context.Background(), "BEGIN")
	if err == nil {
		err = conn.Repeat(context.Background(), "SELECT NULL FROM leat.offsets, leat_tail.main.cut LIMIT 0")
	}
	return s.note(err)
}

// release ends a reader's transaction and gives its slot back.
func release(db *duck.DB, conn *duck.Conn) {
	// Of a transaction that only read nothing is left to fail; a fatal error shows at the next use.
	_ = conn.Repeat(context.Background(), "ROLLBACK")
	conn.SetPin(nil)
	db.Release(conn)
}

// Close implements store.Rows.
func (r *rows) Close() error {
	if r.conn != nil {
		r.Result.Close()
		release(r.db, r.conn)
		r.conn = nil
	}
	return nil
}

// rowsTimeout bounds Rows.
const rowsTimeout = 250 * time.Millisecond

// Rows counts the rows of a stream or table that queries see at present, in a quarter of a second at most (types.Timeout). It needs no
// query slot, so rows of a system table may ask for it.
func (s *Store) Rows(ctx context.Context, id types.ObjectID) (int64, error) {
	ctx, stop := context.WithTimeout(ctx, rowsTimeout)
	defer stop()
	select {
	case s.counting <- struct{}{}:
		defer func() { <-s.counting }()
	case <-ctx.Done():
		return 0, types.Errorf(types.Timeout, "other rows are being counted")
	}
	r, ok := (*s.known.Load())[id]
	if !ok || r.Schema == nil {
		return 0, types.Errorf(types.NotFound, "the store knows no stream or table with ID %d", id)
	}
	// Opening again waits for queries that may be waiting for this one.
	if !s.dbMu.TryRLock() {
		return 0, types.Errorf(types.Unavailable, "the store is being opened")
	}
	defer s.dbMu.RUnlock()
	if s.counter == nil {
		return 0, types.Errorf(types.Unavailable, "the store is closed")
	}
	return s.count(ctx, r)
}

func (s *Store) count(ctx context.Context, r *relation) (n int64, err error) {
	if err := s.begin(s.counter); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.counter.Exec(context.Background(), "ROLLBACK")) }()
	text, err := s.strings(ctx, s.counter, "SELECT count(*) FROM "+r.current())
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text[0][0], 10, 64)
}
