// Package duckdb is the embedded store: one DuckDB file and, before it, a tail in memory. It is a projection of the log, so
// what can't be read is set aside and loaded again wherever the log still has it (docs/adr/0001-store-layout.md).
//
// A stream or table with ID 7 is the table leat.s_7 with columns c<column ID> and _partition, _offset, _at, _wm (tables: _op), and two tables of
// the same shape in the tail. Loads go to the tail; Maintain seals it into the file. Users see views of both in
// schema public: "flights", and "flights$leat" with _leat_offset, _leat_partition and _leat_received_at added last.
//
// Locks are taken in this order: maintaining, mu, then cut or dbMu or posMu.
package duckdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	// SealBytes is the size of loaded rows in memory at which Maintain seals them into the file; 0 is 32 MiB. At four times this size
	// a load waits until the tail is sealed.
	SealBytes int64
	// SealAfter is the age of the oldest load outside the file at which Maintain seals; 0 is 30 s.
	SealAfter time.Duration
	// ExpireEvery is how often Maintain removes rows past their TTL; 0 is one minute.
	ExpireEvery time.Duration
	// Live gives the rows of live relations to queries that bring no store.Live; its records are made with duck.Record.
	Live store.Live
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.MaxRows == 0 {
		o.MaxRows = 1_000_000
	}
	if o.SealBytes == 0 {
		o.SealBytes = 32 << 20
	}
	if o.SealAfter == 0 {
		o.SealAfter = 30 * time.Second
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

// Store implements store.Store on one DuckDB file and a tail in memory.
type Store struct {
	opts Options
	// Recovered says what Open set aside, empty if nothing.
	Recovered string

	// failed says that a fatal error was met: the database must be opened again before its next use.
	failed atomic.Bool

	// ahead counts the bytes of results that were read before they were asked for.
	ahead atomic.Int64

	// dbMu guards db and counter: who takes db, or uses counter, holds it shared; opening again holds it alone.
	dbMu sync.RWMutex
	db   *duck.DB
	// counter serves Rows; who holds counting uses it.
	counter  *duck.Conn
	counting chan struct{}

	// maintaining serialises all that writes to the file: sealing, checkpoints, removal of old rows and definitions. It guards what follows.
	maintaining sync.Mutex
	keeper      *duck.Conn
	// sealing is the generation that is being written to the file, nil if none; unsaved the position of rows in the WAL that no checkpoint
	// has covered yet, nil if there are none.
	sealing *generation
	unsaved map[types.PartitionID]types.Offset
	// redefined says that definitions were committed that no checkpoint has yet.
	redefined bool
	// expired is when rows past their TTL were removed last.
	expired time.Time
	systems []system

	// mu serialises loads and guards what follows. Definitions hold both, so either is enough to read relations, order and names.
	mu        sync.Mutex
	writer    *duck.Conn
	relations map[types.ObjectID]*relation
	order     []types.ObjectID
	names     map[types.ObjectID]string
	// tail is the generation that loads go to, shapes counts the tail tables ever made.
	tail   *generation
	shapes uint64
	// lost says that the tail went with a database that had to be opened again: the next load fails, so that its caller asks for Loaded.
	lost   bool
	closed bool

	// known is a copy of relations for who may hold no lock.
	known atomic.Pointer[map[types.ObjectID]*relation]

	// cut makes file and tail one to queries: held shared while a query takes its snapshots of both, alone while rows change over.
	cut sync.RWMutex

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
	s := &Store{opts: o, relations: map[types.ObjectID]*relation{}, counting: make(chan struct{}, 1)}
	s.publish()
	err := s.open()
	if types.HasCode(err, types.Corrupt) {
		err = s.recover(err)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// recover sets a damaged file aside, to load all again.
func (s *Store) recover(cause error) error {
	if !s.opts.LogComplete {
		return types.AsError(cause).WithHint("the log was trimmed, so history can't be loaded again: restore the data folder from a backup, or move %s away to start without history", fileName)
	}
	aside := ".damaged-" + s.opts.Now().UTC().Format("20060102T150405.000000000")
	path := filepath.Join(s.opts.Dir, fileName)
	if err := os.Rename(path, path+aside); err != nil {
		return types.Errorf(types.Corrupt, "set the damaged store aside: %w", err)
	}
	s.Recovered = fmt.Sprintf("%v; it was set aside as %s%s and is being loaded again from the log", cause, fileName, aside)
	return s.open()
}

var errForeign = errors.New("incarnation")

// walSuffixes are the endings of the files that DuckDB 1.5 logs to beside its own.
var walSuffixes = []string{".wal", ".wal.checkpoint", ".wal.recovery"}

// open opens the file as its last checkpoint left it, makes our own tables if they are missing and reads positions and names.
//
// DuckDB's write-ahead log is dropped, never replayed: whatever came after the checkpoint the log still has, since it is trimmed only below
// Durable, and Start defines all relations again. A process killed while it checkpoints leaves a WAL that DuckDB 1.5.5 at times replays
// over the checkpoint that has it already; rows were there twice after 1 kill of about 20 (test/chaos TestKillUnderFullLoad).
func (s *Store) open() error {
	for _, suffix := range walSuffixes {
		if err := os.Remove(filepath.Join(s.opts.Dir, fileName+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return types.Errorf(types.Unavailable, "drop the store's write-ahead log: %w", err)
		}
	}
	db, err := duck.Open(filepath.Join(s.opts.Dir, fileName), duck.Options{
		Threads: s.opts.Threads, MemoryLimit: s.opts.MemoryLimit, MaxTempBytes: s.opts.MaxTempBytes, Readers: s.opts.Readers,
		MaxRSS: s.opts.MaxRSS, TempDir: filepath.Join(s.opts.Dir, "tmp"), Schema: "public",
	})
	if err != nil {
		return err
	}
	s.db = db
	if err = s.connect(); err != nil {
		s.disconnect()
	}
	return err
}

// disconnect closes what connect opened, and the database.
func (s *Store) disconnect() {
	for _, c := range []**duck.Conn{&s.writer, &s.keeper, &s.counter} {
		if *c != nil {
			(*c).Close()
			*c = nil
		}
	}
	if s.db != nil {
		s.db.Close()
		s.db = nil
	}
}

func (s *Store) connect() (err error) {
	ctx := context.Background()
	for _, c := range []**duck.Conn{&s.writer, &s.keeper, &s.counter} {
		if *c, err = s.db.Connect(); err != nil {
			return err
		}
		if err = (*c).Exec(ctx, "SET search_path = 'public'"); err != nil {
			return err
		}
	}
	if err := s.keeper.Exec(ctx, `ATTACH ':memory:' AS leat_tail;
CREATE TABLE leat_tail.main.cut (nothing BOOLEAN);
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
	rows, err := s.strings(ctx, s.keeper, "SELECT incarnation, format FROM leat.meta")
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return s.keeper.Exec(ctx, fmt.Sprintf("INSERT INTO leat.meta VALUES (%d, %d)", s.opts.Incarnation, formatVersion))
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
	rows, err := s.strings(ctx, s.keeper, "SELECT stream, part, next FROM leat.offsets")
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
		p := types.PartitionID{Stream: types.ObjectID(n[0]), Index: uint32(n[1])}
		loaded[p] = types.Offset(n[2])
	}
	names := map[types.ObjectID]string{}
	if rows, err = s.strings(ctx, s.keeper, "SELECT id, name FROM leat.names"); err != nil {
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
	s.loaded, s.durable = loaded, maps.Clone(loaded)
	s.posMu.Unlock()
	s.tail, s.sealing, s.unsaved = &generation{}, nil, nil
	return nil
}

// strings runs a small internal query and returns its rows as text.
func (s *Store) strings(ctx context.Context, conn *duck.Conn, sql string) ([][]string, error) {
	r, err := conn.Query(ctx, sql, nil, -1)
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
				row[j] = strings.Clone(rec.Column(j).ValueStr(i))
			}
			out = append(out, row)
		}
	}
}

// transact runs f in one transaction of conn, whose lock is held.
func (s *Store) transact(ctx context.Context, conn *duck.Conn, f func(ctx context.Context) error) error {
	// The transaction's control statements must not be cut off by ctx.
	always := context.WithoutCancel(ctx)
	err := conn.Exec(always, "BEGIN")
	if err == nil {
		if err = f(ctx); err == nil {
			err = conn.Exec(always, "COMMIT")
		}
		if err != nil {
			// After a failed commit there is nothing to roll back; that error says nothing new.
			_ = conn.Exec(always, "ROLLBACK")
		}
	}
	return s.note(err)
}

func exec(ctx context.Context, conn *duck.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// note remembers a fatal error, after which the database is opened again before its next use.
func (s *Store) note(err error) error {
	if _, fatal := errors.AsType[*duck.FatalError](err); fatal {
		s.failed.Store(true)
	}
	return err
}

// lock takes maintaining and mu for who changes definitions, after opening the database again if that is needed.
func (s *Store) lock() (unlock func(), err error) {
	s.maintaining.Lock()
	s.mu.Lock()
	unlock = func() {
		s.mu.Unlock()
		s.maintaining.Unlock()
	}
	if err := s.heal(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// healed opens the database again if a fatal error closed it. No lock is held.
func (s *Store) healed() error {
	if !s.failed.Load() {
		return nil
	}
	unlock, err := s.lock()
	if err == nil {
		unlock()
	}
	return err
}

// heal opens the database again after a fatal error; what was only in the tail has to be loaded again. maintaining and mu are held.
func (s *Store) heal() error {
	if s.closed {
		return types.Errorf(types.Unavailable, "the store is closed")
	}
	if !s.failed.Load() {
		return nil
	}
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	s.disconnect()
	if err := s.open(); err != nil {
		return err
	}
	if err := s.checkDefined(context.Background()); err != nil {
		return err
	}
	for _, r := range s.relations {
		if err := exec(context.Background(), s.keeper, r.createTail()...); err != nil {
			return err
		}
	}
	for _, r := range s.relations {
		if err := s.registerLive(r); err != nil {
			return err
		}
	}
	for _, sys := range s.systems {
		if err := s.register(sys); err != nil {
			return err
		}
	}
	s.failed.Store(false)
	s.lost = true
	return nil
}

// checkDefined makes sure that the file has all relations as they were defined: a definition may have missed its checkpoint.
func (s *Store) checkDefined(ctx context.Context) error {
	for id, r := range s.relations {
		missing := s.names[id] != r.Name
		if !missing && r.Schema != nil {
			have, err := s.columns(ctx, id)
			if err != nil {
				return err
			}
			missing = len(changes(have, r.Schema)) > 0
		}
		if missing {
			return types.Errorf(types.Unavailable, "the store was opened again and does not have %s as it was defined last", r.Name).WithHint("restart Leat: it defines all again")
		}
	}
	return nil
}

// Loaded implements store.Store. After a restart it is the position of the file, which is behind what was loaded before.
func (s *Store) Loaded() types.Position { return s.position(&s.loaded) }

// Durable implements store.Store: the position of the last checkpoint, so that neither the tail nor DuckDB's WAL is missed.
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

// Close implements store.Store. It seals the tail; DuckDB checkpoints as it closes. If sealing fails, the rows come from the log again.
func (s *Store) Close() error {
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if !s.failed.Load() {
		err = s.sealAll(context.Background())
	}
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	s.disconnect()
	return err
}
