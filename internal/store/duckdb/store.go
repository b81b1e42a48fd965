// Package duckdb is the embedded store: one DuckDB file. It is a projection of the log, so
// what can't be read is set aside and loaded again wherever the log still has it (docs/adr/0001-store-layout.md).
//
// A stream or table with ID 7 is the table leat.s_7 with columns c<column ID> and _partition, _offset, _at, _wm (tables: _op). Users see
// views in schema public: "flights", and "flights$leat" with _leat_offset, _leat_partition and _leat_received_at added last.
package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"leat/internal/duck"
	"leat/internal/store"
	"leat/internal/types"
)

// Options of Open.
type Options struct {
	// Dir is the store's own folder; it is created with mode 0700.
	Dir string
	// Incarnation is the log's: a store that was loaded from another log is not used.
	Incarnation uint64
	// LogComplete says that the log still has every entry from offset 0, so a damaged or foreign store may be
	// set aside and loaded again; without it Open refuses.
	LogComplete bool
	// Threads, MemoryLimit, MaxTempBytes, Readers and MaxRSS are duck.Options'.
	Threads                           int
	MemoryLimit, MaxTempBytes, MaxRSS int64
	Readers                           int
	// MaxRows cuts results of queries that name no limit; 0 is 1,000,000.
	MaxRows int
	// CheckpointBytes is the WAL size at which Maintain checkpoints; 0 is 16 MiB.
	CheckpointBytes int64
	// CheckpointAfter is the age of the oldest load outside a checkpoint at which Maintain checkpoints; 0 is 30 s.
	CheckpointAfter time.Duration
	// ExpireEvery is how often Maintain removes rows past their TTL; 0 is one minute.
	ExpireEvery time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.MaxRows == 0 {
		o.MaxRows = 1_000_000
	}
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = 16 << 20
	}
	if o.CheckpointAfter == 0 {
		o.CheckpointAfter = 30 * time.Second
	}
	if o.ExpireEvery == 0 {
		o.ExpireEvery = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

const fileName = "store.duckdb"

// Store implements store.Store on one DuckDB file.
type Store struct {
	opts Options
	// Recovered says what Open set aside, empty if nothing.
	Recovered string

	// dbMu guards db and failed: readers of db hold it shared while they take a connection; opening again holds it alone.
	dbMu   sync.RWMutex
	db     *duck.DB
	failed bool

	// mu serialises writers and guards what follows.
	mu        sync.Mutex
	writer    *duck.Conn
	relations map[types.ObjectID]*relation
	order     []types.ObjectID
	names     map[types.ObjectID]string
	systems   []system
	// since is when the oldest load outside a checkpoint happened; zero if there is none.
	since  time.Time
	closed bool

	// maintaining serialises Maintain and guards expired, when rows past their TTL were removed last.
	maintaining sync.Mutex
	expired     time.Time

	// posMu guards the positions, which readers ask for at any time.
	posMu   sync.Mutex
	loaded  map[types.PartitionID]types.Offset
	durable map[types.PartitionID]types.Offset
}

var _ store.Store = (*Store)(nil)

// Open opens or creates the store in o.Dir. Errors: types.Locked when another process has it, types.Corrupt when it is damaged or
// belongs to another log and the log can't fill a new one, types.DiskFull.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, types.Errorf(types.Unavailable, "the store's folder: %w", err)
	}
	s := &Store{opts: o, relations: map[types.ObjectID]*relation{}}
	err := s.open()
	if types.HasCode(err, types.Corrupt) {
		err = s.recover(err)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// recover sets the damaged part aside: first the WAL, whose loads the log still has because it is trimmed only
// below Durable, which is a checkpoint; then the file.
func (s *Store) recover(cause error) error {
	aside := ".damaged-" + s.opts.Now().UTC().Format("20060102T150405.000000000")
	path := filepath.Join(s.opts.Dir, fileName)
	if foreign := errors.Is(cause, errForeign); !foreign {
		if err := os.Rename(path+".wal", path+".wal"+aside); err == nil {
			s.Recovered = "the store's write-ahead log was damaged and set aside as " + fileName + ".wal" + aside
			if cause = s.open(); !types.HasCode(cause, types.Corrupt) {
				return cause
			}
		}
	}
	if !s.opts.LogComplete {
		return types.AsError(cause).WithHint("the log was trimmed, so history can't be loaded again: restore the data folder from a backup, or move %s away to start without history", fileName)
	}
	for _, suffix := range []string{"", ".wal"} {
		if err := os.Rename(path+suffix, path+suffix+aside); err != nil && !errors.Is(err, os.ErrNotExist) {
			return types.Errorf(types.Corrupt, "set the damaged store aside: %w", err)
		}
	}
	s.Recovered = fmt.Sprintf("%v; it was set aside as %s%s and is being loaded again from the log", cause, fileName, aside)
	return s.open()
}

var errForeign = errors.New("incarnation")

// open opens the file, makes our own tables if they are missing and reads positions and names.
func (s *Store) open() error {
	db, err := duck.Open(filepath.Join(s.opts.Dir, fileName), duck.Options{
		Threads: s.opts.Threads, MemoryLimit: s.opts.MemoryLimit, MaxTempBytes: s.opts.MaxTempBytes, Readers: s.opts.Readers,
		MaxRSS: s.opts.MaxRSS, TempDir: filepath.Join(s.opts.Dir, "tmp"), Schema: "public",
	})
	if err != nil {
		return err
	}
	s.db = db
	if err = s.connect(); err != nil {
		if s.writer != nil {
			s.writer.Close()
			s.writer = nil
		}
		db.Close()
	}
	return err
}

func (s *Store) connect() (err error) {
	if s.writer, err = s.db.Connect(); err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.writer.Exec(ctx, `SET search_path = 'public';
CREATE SCHEMA IF NOT EXISTS leat;
CREATE SCHEMA IF NOT EXISTS leat_system;
CREATE TABLE IF NOT EXISTS leat.meta (incarnation UBIGINT, format INTEGER);
CREATE TABLE IF NOT EXISTS leat.offsets (stream UBIGINT, part UINTEGER, next UBIGINT);
CREATE TABLE IF NOT EXISTS leat.names (id UBIGINT, name VARCHAR);`); err != nil {
		return err
	}
	if err := s.checkMeta(ctx); err != nil {
		return err
	}
	return s.readState(ctx)
}

// formatVersion is the version of the tables in schema leat.
const formatVersion = 1

func (s *Store) checkMeta(ctx context.Context) error {
	rows, err := s.strings(ctx, "SELECT incarnation, format FROM leat.meta")
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return s.writer.Exec(ctx, fmt.Sprintf("INSERT INTO leat.meta VALUES (%d, %d)", s.opts.Incarnation, formatVersion))
	}
	if rows[0][1] != strconv.Itoa(formatVersion) {
		return types.Errorf(types.Unsupported, "the store has format %s; this version of Leat reads %d", rows[0][1], formatVersion)
	}
	if rows[0][0] != strconv.FormatUint(s.opts.Incarnation, 10) {
		return types.Errorf(types.Corrupt, "the store was loaded from another log (%w %s, the log has %d)", errForeign, rows[0][0], s.opts.Incarnation)
	}
	return nil
}

func (s *Store) readState(ctx context.Context) error {
	rows, err := s.strings(ctx, "SELECT stream, part, next FROM leat.offsets")
	if err != nil {
		return err
	}
	loaded := map[types.PartitionID]types.Offset{}
	for _, r := range rows {
		var n [3]uint64
		for i := range n {
			if n[i], err = strconv.ParseUint(r[i], 10, 64); err != nil {
				return types.Errorf(types.Corrupt, "leat.offsets: %w", err)
			}
		}
		loaded[types.PartitionID{Stream: types.ObjectID(n[0]), Index: uint32(n[1])}] = types.Offset(n[2])
	}
	names := map[types.ObjectID]string{}
	if rows, err = s.strings(ctx, "SELECT id, name FROM leat.names"); err != nil {
		return err
	}
	for _, r := range rows {
		id, err := strconv.ParseUint(r[0], 10, 64)
		if err != nil {
			return types.Errorf(types.Corrupt, "leat.names: %w", err)
		}
		names[types.ObjectID(id)] = r[1]
	}
	s.names = names
	s.posMu.Lock()
	s.loaded, s.durable = loaded, map[types.PartitionID]types.Offset{}
	s.posMu.Unlock()
	s.since = s.opts.Now()
	return nil
}

// strings runs a small internal query on the writer and returns its rows as text.
func (s *Store) strings(ctx context.Context, sql string) ([][]string, error) {
	r, err := s.writer.Query(ctx, sql, nil, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out [][]string
	for {
		rec, err := r.Next(ctx)
		if rec == nil || err != nil {
			return out, err
		}
		for i := range int(rec.NumRows()) {
			row := make([]string, rec.NumCols())
			for j := range row {
				row[j] = string([]byte(rec.Column(j).ValueStr(i)))
			}
			out = append(out, row)
		}
	}
}

// write runs f in one transaction of the writer. s.mu is held.
func (s *Store) write(ctx context.Context, f func(ctx context.Context) error) error {
	if s.closed {
		return types.Errorf(types.Unavailable, "the store is closed")
	}
	if err := s.heal(); err != nil {
		return err
	}
	// The transaction's control statements must not be cut off by ctx.
	always := context.WithoutCancel(ctx)
	err := s.writer.Exec(always, "BEGIN")
	if err == nil {
		if err = f(ctx); err == nil {
			err = s.writer.Exec(always, "COMMIT")
		}
		if err != nil {
			// After a failed commit there is nothing to roll back; that error says nothing new.
			_ = s.writer.Exec(always, "ROLLBACK")
		}
	}
	return s.note(err)
}

// note remembers a fatal error, after which the database is opened again before its next use.
func (s *Store) note(err error) error {
	if _, fatal := errors.AsType[*duck.FatalError](err); fatal {
		s.dbMu.Lock()
		s.failed = true
		s.dbMu.Unlock()
	}
	return err
}

// heal opens the database again after a fatal error. s.mu is held.
func (s *Store) heal() error {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	if !s.failed {
		return nil
	}
	if s.writer != nil {
		s.writer.Close()
		s.writer = nil
		s.db.Close()
	}
	if err := s.open(); err != nil {
		return err
	}
	s.failed = false
	for _, sys := range s.systems {
		if err := s.register(sys); err != nil {
			return err
		}
	}
	return nil
}

// Loaded implements store.Store.
func (s *Store) Loaded() types.Position { return s.position(&s.loaded) }

// Durable implements store.Store: the position of the last checkpoint, so that a damaged WAL costs nothing.
func (s *Store) Durable() types.Position { return s.position(&s.durable) }

func (s *Store) position(m *map[types.PartitionID]types.Offset) types.Position {
	s.posMu.Lock()
	defer s.posMu.Unlock()
	cursors := make([]types.Cursor, 0, len(*m))
	for p, next := range *m {
		cursors = append(cursors, types.Cursor{Partition: p, Next: next})
	}
	return types.NewPosition(s.opts.Incarnation, cursors)
}

// Close implements store.Store. DuckDB checkpoints as it closes.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.writer != nil {
		s.writer.Close()
		s.db.Close()
	}
	return nil
}
