package duckdb

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// Bounds of what is read ahead of the readers of results: of one, and of all. A result that is shorter gives its slot back at once, however slowly it
// is read; a longer one holds its slot while it is read.
const (
	maxAhead    = 4 << 20
	maxAheadAll = 64 << 20
)

// rows is a result with the slot that it holds.
type rows struct {
	*duck.Result
	store *Store
	db    *duck.DB
	// conn is nil once the slot was given back.
	conn *duck.Conn
	// ahead are records that were read before they were asked for, of so many bytes; current is the one that was asked for last.
	ahead   []arrow.RecordBatch
	bytes   int64
	current arrow.RecordBatch
	// ended says that nothing follows them.
	ended bool
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
	r := &rows{Result: res, store: s, db: db, conn: conn}
	if err := r.fill(ctx); err != nil {
		_ = r.Close() // of a result that failed nothing else can
		return nil, s.note(err)
	}
	return r, nil
}

// fill reads ahead.
func (r *rows) fill(ctx context.Context) error {
	for r.bytes < maxAhead && r.store.ahead.Load() < maxAheadAll {
		rec, err := r.Result.Next(ctx)
		if err != nil {
			return err
		}
		if rec == nil {
			r.ended = true
			r.free()
			return nil
		}
		rec.Retain()
		r.ahead = append(r.ahead, rec)
		n := recordBytes(rec)
		r.bytes += n
		r.store.ahead.Add(n)
	}
	return nil
}

// recordBytes is about what a record takes.
func recordBytes(rec arrow.RecordBatch) int64 {
	var of func(d arrow.ArrayData) int64
	of = func(d arrow.ArrayData) int64 {
		n := int64(128)
		for _, b := range d.Buffers() {
			if b != nil {
				n += int64(b.Len())
			}
		}
		for _, c := range d.Children() {
			n += of(c)
		}
		return n
	}
	n := int64(0)
	for _, c := range rec.Columns() {
		n += of(c.Data())
	}
	return n
}

// Next implements store.Rows.
func (r *rows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	r.drop()
	switch {
	case len(r.ahead) > 0:
		r.current, r.ahead = r.ahead[0], r.ahead[1:]
		return r.current, nil
	case r.ended:
		return nil, nil
	}
	r.forget()
	return r.Result.Next(ctx)
}

// drop lets go of the record that was read last.
func (r *rows) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// forget takes the records off the account of all.
func (r *rows) forget() {
	r.store.ahead.Add(-r.bytes)
	r.bytes = 0
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

// free gives the slot back.
func (r *rows) free() {
	if r.conn != nil {
		r.Result.Close()
		release(r.db, r.conn)
		r.conn = nil
	}
}

// Close implements store.Rows.
func (r *rows) Close() error {
	r.drop()
	for _, rec := range r.ahead {
		rec.Release()
	}
	r.ahead, r.ended = nil, true
	r.forget()
	r.free()
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
