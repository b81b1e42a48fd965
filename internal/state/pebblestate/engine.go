// Package pebblestate keeps state in memory as far as a budget allows, and on disk in one Pebble instance that all stores of a process share.
//
// A table is a copy-on-write B+tree of packed leaves. Complete leaves are the truth of their range; partial ones hold changes to rows that
// are on disk only. A commit writes what changed since the last one, in one batch; leaves that were not used for a while then leave memory.
// A table that fits the budget is never read from disk after it was written.
package pebblestate

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/disk"
	"leat/internal/state"
	"leat/internal/types"
)

// Options of Open and OpenEngine; zero values are defaults.
type Options struct {
	FS     vfs.FS // the real one
	Logger *slog.Logger
	// Budget is how many bytes of memory the rows of one store may take, 256 MiB. Uncommitted changes of a store that is not Volatile are
	// kept whatever they take: commit when Stats says that there are many.
	Budget int64
	// Cache is how many bytes of blocks Pebble keeps, and twice what its memtables take; 16 MiB.
	Cache int64
	runAt int64 // of the engine, for tests

	// Volatile stores forget everything at the end of the process: they touch dir when memory does not suffice, and not before.
	Volatile bool
}

func (o *Options) defaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Budget == 0 {
		o.Budget = 256 << 20
	}
	if o.runAt == 0 {
		o.runAt = runAt
	}
	if o.Cache == 0 {
		o.Cache = 16 << 20
	}
}

// Engine is one Pebble instance with any number of stores. Its methods may be called from any goroutine.
type Engine struct {
	dir     string
	o       Options
	failure atomic.Pointer[types.Error]
	stopped chan struct{} // closed at the first failure
	runAt   int64         // see the constant; tests change it
	runs    atomic.Uint64 // how many files of runs were made

	mu     sync.Mutex // guards what follows
	db     *pebble.DB
	fs     *disk.FS        // what db uses
	pebble *pebble.Options // of db
	closed bool
	stores map[uint64]*Store
}

// stallAt is how many memtables or level-0 runs may wait for the disk before Pebble holds writes back, for ever if the disk fails.
const stallAt = 1 << 10

// OpenEngine opens or makes the state in dir; Volatile, an empty dir is a temporary one. Errors: Locked if a process holds it, Corrupt, DiskFull, PermissionDenied, Unavailable.
func OpenEngine(dir string, o Options) (*Engine, error) {
	o.defaults()
	e := &Engine{dir: dir, o: o, stopped: make(chan struct{}), runAt: o.runAt, stores: map[uint64]*Store{}}
	if o.Volatile {
		return e, nil
	}
	if _, err := e.database(); err != nil {
		return nil, err
	}
	return e, nil
}

// database returns Pebble, opened if it was not.
func (e *Engine) database() (*pebble.DB, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db != nil {
		return e.db, nil
	}
	if e.closed {
		return nil, types.Errorf(types.Unavailable, "the state is closed")
	}
	var err error
	if e.dir == "" {
		e.dir, err = os.MkdirTemp("", "leat-state-")
	}
	if err == nil {
		err = e.o.FS.MkdirAll(e.dir, 0o700)
	}
	if err == nil {
		err = e.openPebble()
	}
	if err != nil {
		return nil, openError(e.dir, err)
	}
	return e.db, nil
}

func (e *Engine) openPebble() error {
	cache := pebble.NewCache(e.o.Cache)
	defer cache.Unref()
	fs := e.o.FS
	if e.o.Volatile {
		fs = unsynced{fs}
	}
	e.fs = disk.New(fs, e.fail)
	o := &pebble.Options{
		FS: e.fs, Cache: cache, Logger: logger{e}, Merger: merger(), MaxOpenFiles: 512,
		MemTableSize: uint64(max(256<<10, e.o.Cache/4)), MemTableStopWritesThreshold: stallAt, L0StopWritesThreshold: stallAt,
		L0CompactionThreshold: 4, LBaseMaxBytes: 64 << 20, DisableWAL: e.o.Volatile,
		EventListener:      &pebble.EventListener{BackgroundError: e.fail},
		FormatMajorVersion: pebble.FormatNewest,
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 8 << 10
		if !e.o.Volatile { // whose rows are read by iterators, in windows: those can't use filters
			o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		}
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.FastestCompression }
	}
	db, err := pebble.Open(e.dir, o)
	if err != nil {
		return err
	}
	if f := e.failure.Load(); f != nil {
		return errors.Join(f, db.Close())
	}
	if err := errors.Join(e.checkFormat(db), e.clearRuns()); err != nil {
		return errors.Join(err, db.Close())
	}
	o.EnsureDefaults()
	e.db, e.pebble = db, o
	return nil
}

// checkFormat reads the version of the format, or writes it in a new engine: under the store 0, which nobody has.
func (e *Engine) checkFormat(db *pebble.DB) error {
	v, closer, err := db.Get(recordKey(0))
	if errors.Is(err, pebble.ErrNotFound) {
		return db.Set(recordKey(0), []byte{format}, &pebble.WriteOptions{Sync: !e.o.Volatile})
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	if len(v) != 1 || v[0] != format {
		return types.Errorf(types.Corrupt, "the state has the format %x, this program knows %d", v, format).WithHint("use the program that wrote it, or a newer one")
	}
	return nil
}

// openError gives an error of opening its code.
func openError(dir string, err error) error {
	if coded, ok := errors.AsType[*types.Error](err); ok {
		return coded
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return types.Errorf(types.Locked, "the state in %s is in use by another process: %w", dir, err).WithHint("stop the other process, or choose another folder")
	case errors.Is(err, fs.ErrPermission):
		return types.Errorf(types.PermissionDenied, "no permission to open the state in %s: %w", dir, err)
	case errors.Is(err, syscall.ENOSPC):
		return types.Errorf(types.DiskFull, "no space to open the state in %s: %w", dir, err).WithHint("free some space on its disk")
	case pebble.IsCorruptionError(err):
		return types.Errorf(types.Corrupt, "the state in %s is damaged: %w", dir, err).WithHint("remove the folder: views are then built anew from the log and the store")
	}
	return types.Errorf(types.Unavailable, "opening the state in %s: %w", dir, err)
}

func (e *Engine) fail(err error) {
	stopped, ok := errors.AsType[*types.Error](err)
	if !ok && pebble.IsCorruptionError(err) {
		stopped = types.Errorf(types.Corrupt, "the state in %s is damaged: %w", e.dir, err)
	} else if !ok {
		stopped = disk.Stopped("state", err)
	}
	if e.failure.CompareAndSwap(nil, stopped) {
		close(e.stopped)
		e.o.Logger.Error("the state stopped", "error", err)
	}
}

// Err is the first failure, or nil. All stores stop with it.
func (e *Engine) Err() error {
	if f := e.failure.Load(); f != nil {
		return f
	}
	return nil
}

// Store opens the store of that number, which is not 0. It is open once at a time.
func (e *Engine) Store(id uint64) (*Store, error) {
	s := &Store{e: e, id: id, gen: 1, batched: true, budget: e.o.Budget, tables: map[state.TableID]*table{}, kept: map[state.TableID]state.TableStats{}}
	s.limit = s.budget
	e.mu.Lock()
	taken := id == 0 || e.stores[id] != nil
	if !taken {
		e.stores[id] = s
	}
	e.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("BUG: store %d of state is open already", id)
	}
	if e.o.Volatile {
		return s, nil
	}
	if err := s.restore(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Drop forgets a store that is not open, without an fsync.
func (e *Engine) Drop(id uint64) error {
	db, err := e.database()
	if err != nil {
		return err
	}
	if err := db.DeleteRange(storePrefix(id), successor(storePrefix(id)), pebble.NoSync); err != nil {
		e.fail(err)
	}
	return e.Err()
}

// Backup writes a copy of what is committed to dir, which must not exist: hard links where the disk allows, so that a later copy to another
// machine moves only new files.
func (e *Engine) Backup(dir string) error {
	db, err := e.database()
	if err != nil {
		return err
	}
	if err := db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copying the state to %s: %w", dir, err)
	}
	return nil
}

// Metrics are figures of the disk.
func (e *Engine) Metrics() *pebble.Metrics {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.db == nil {
		return &pebble.Metrics{}
	}
	return e.db.Metrics()
}

// Close closes the files. Stores and snapshots must be closed before.
func (e *Engine) Close() error {
	e.mu.Lock()
	db := e.db
	e.db, e.closed = nil, true
	e.mu.Unlock()
	var err error
	if db != nil {
		err = db.Close()
	}
	if e.o.Volatile && e.dir != "" {
		err = errors.Join(err, e.o.FS.RemoveAll(e.dir))
	}
	if f := e.Err(); f != nil {
		return f
	}
	return err
}

// logger hands Pebble's messages on. Its Fatalf must not end the process: it stops the engine.
type logger struct{ e *Engine }

// Infof implements pebble.Logger.
func (l logger) Infof(format string, args ...any) { l.e.o.Logger.Debug(fmt.Sprintf(format, args...)) }

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) { l.e.o.Logger.Error(fmt.Sprintf(format, args...)) }

// Fatalf implements pebble.Logger.
func (l logger) Fatalf(format string, args ...any) { l.e.fail(fmt.Errorf(format, args...)) }
