package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/types"
)

// History is how many versions of an object are kept, the current one included. They go with the object.
const History = 100

// Options of Open. The zero value is the real file system, the real clock and no log.
type Options struct {
	FS     vfs.FS
	Now    func() time.Time
	Logger *slog.Logger
}

// Catalog is the durable set of definitions. All methods may be called from any goroutine; none after Close.
type Catalog struct {
	db      *pebble.DB
	now     func() time.Time
	current atomic.Pointer[Snapshot]
	// turn holds one token; whoever took it may use next and failed, and write.
	turn   chan struct{}
	next   types.ObjectID
	failed error
}

// Open opens or makes the catalog in dir, which must be in an existing folder. Errors: Locked if a process holds it,
// InvalidArgument if dir is a file, PermissionDenied, Corrupt with one of Errors per damaged record.
func Open(dir string, o Options) (*Catalog, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if st, err := o.FS.Stat(dir); err == nil && !st.IsDir() {
		return nil, types.Errorf(types.InvalidArgument, "%s is a file, not a folder", dir).WithHint("choose another --data folder, or move the file away")
	}
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, openError(dir, err)
	}
	cache := pebble.NewCache(256 << 10)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		FS: o.FS, Cache: cache, Logger: logger{o.Logger}, MemTableSize: 1 << 20, MaxOpenFiles: 64,
		FormatMajorVersion: pebble.FormatNewest,
	})
	if err != nil {
		return nil, openError(dir, err)
	}
	c := &Catalog{db: db, now: o.Now, turn: make(chan struct{}, 1)}
	if err := c.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return c, nil
}

func openError(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EAGAIN), strings.Contains(err.Error(), "lock held by current process"):
		return types.Errorf(types.Locked, "the catalog in %s is in use by another process: %w", dir, err).WithHint("stop the other `leat start`, or choose another --data folder")
	case errors.Is(err, fs.ErrPermission):
		return types.Errorf(types.PermissionDenied, "no permission to open the catalog in %s: %w", dir, err).WithHint("give the user that runs Leat the folder")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return types.Errorf(types.InvalidArgument, "%s is not a folder: %w", dir, err).WithHint("choose another --data folder")
	case errors.Is(err, syscall.ENOSPC):
		return types.Errorf(types.DiskFull, "no space to open the catalog in %s: %w", dir, err)
	case pebble.IsCorruptionError(err):
		return types.Errorf(types.Corrupt, "the catalog in %s is damaged: %w", dir, err).WithHint("restore the folder from a backup")
	}
	return types.Errorf(types.Unavailable, "opening the catalog in %s: %w", dir, err)
}

// load reads every current record.
func (c *Catalog) load() error {
	var version uint64
	c.next = FirstUserID
	var damaged []*types.Error
	objects, tokens := map[types.ObjectID]*Object{}, map[string]*Token{}
	err := c.scan(nil, nil, func(key, value []byte) {
		var err error
		what := string(key[:1])
		switch {
		case key[0] == 'm' && len(key) == 1:
			var m counters
			if err = decode(value, &m); err == nil {
				version, c.next = m.Version, max(m.Next, FirstUserID)
			}
		case key[0] == 'o' && len(key) == 9:
			id := types.ObjectID(binary.BigEndian.Uint64(key[1:]))
			var o *Object
			if o, err = decodeObject(value); err == nil {
				objects[id] = o
			}
			what = fmt.Sprintf("object %d%s", id, c.rememberedName(id))
		case key[0] == 't':
			k := new(Token)
			if err = decode(value, k); err == nil {
				tokens[k.ID] = k
			}
			what = fmt.Sprintf("token %q", key[1:])
		}
		if err != nil && len(damaged) < 100 {
			damaged = append(damaged, types.Errorf(types.Corrupt, "record %q (%s) is damaged: %w", key, what, err))
		}
	})
	if err != nil {
		return err
	}
	if len(damaged) > 0 {
		e := types.Errorf(types.Corrupt, "the catalog is damaged: %s", damaged[0].Message).WithHint("restore the catalog folder from a backup; the events in the log are not touched by this")
		e.Errors = damaged
		return e
	}
	c.current.Store(newSnapshot(version, objects, tokens))
	return nil
}

// rememberedName is the name that the history has for an object, for messages.
func (c *Catalog) rememberedName(id types.ObjectID) string {
	versions, _ := c.History(id)
	if len(versions) == 0 {
		return ""
	}
	return fmt.Sprintf(", %s %q", versions[0].Kind, versions[0].Name)
}

func (c *Catalog) scan(lower, upper []byte, f func(key, value []byte)) error {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if it.Key()[0] == 'h' && lower == nil {
			ok = it.SeekGE([]byte("i"))
			if !ok {
				break
			}
		}
		f(it.Key(), it.Value())
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return types.Errorf(types.Corrupt, "reading the catalog: %w", err).WithHint("restore the catalog folder from a backup")
	}
	return nil
}

// Snapshot returns the last committed state, without a lock.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// History returns the kept versions of an object that still exists, newest first; damaged ones are left out.
func (c *Catalog) History(id types.ObjectID) ([]*Object, error) {
	var out []*Object
	err := c.scan(historyKey(id, 0), historyKey(id+1, 0), func(_, value []byte) {
		if o, err := decodeObject(value); err == nil {
			out = append(out, o)
		}
	})
	slices.Reverse(out)
	return out, err
}

// Update runs change alone and commits what it did, all or nothing: it is durable when Update returns. An error of change
// is returned as it is, and nothing is changed. After a failed write every Update is Unavailable until a restart.
// change must not call Update.
func (c *Catalog) Update(ctx context.Context, change func(*Tx) error) (*Snapshot, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, types.Errorf(types.Canceled, "waiting for another change of the catalog: %w", context.Cause(ctx))
	}
	if c.failed != nil {
		return nil, c.failed
	}
	tx := newTx(c.current.Load(), c.next, c.now().UTC().Truncate(time.Microsecond))
	err := change(tx)
	c.next = tx.next
	if err != nil {
		return nil, err
	}
	if len(tx.changed) == 0 && len(tx.touched) == 0 {
		return tx.base, nil
	}
	s, err := tx.finish()
	if err != nil {
		return nil, err
	}
	if err := c.commit(tx, s); err != nil {
		return nil, err
	}
	c.current.Store(s)
	return s, nil
}

type counters struct {
	Next    types.ObjectID `json:"next"`
	Version uint64         `json:"version"`
}

func (c *Catalog) commit(tx *Tx, s *Snapshot) error {
	b := c.db.NewBatch()
	var errs []error
	set := func(key []byte, v any) {
		record, err := encode(v)
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, b.Set(key, record, nil))
		}
	}
	set(counterKey, counters{c.next, s.version})
	for id := range tx.changed {
		o := s.byID[id]
		if o == nil {
			errs = append(errs, b.Delete(objectKey(id), nil), b.DeleteRange(historyKey(id, 0), historyKey(id+1, 0), nil))
			continue
		}
		set(objectKey(id), o)
		set(historyKey(id, o.Version), o)
		if o.Version > History {
			errs = append(errs, b.Delete(historyKey(id, o.Version-History), nil))
		}
	}
	for id := range tx.touched {
		if k := s.tokens[id]; k != nil {
			set(tokenKey(id), k)
		} else {
			errs = append(errs, b.Delete(tokenKey(id), nil))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := apply(b); err != nil {
		c.failed = types.Errorf(types.Unavailable, "writing the catalog failed: %w", err).WithHint("check the disk, then restart Leat; what was acknowledged before is kept")
		return c.failed
	}
	return nil
}

// apply commits with fsync. Pebble calls Fatalf where the write-ahead log fails; our logger turns that into a panic with fatal.
func apply(b *pebble.Batch) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fatal:
			err = errors.New(string(r))
		default:
			panic(r)
		}
	}()
	return errors.Join(b.Commit(pebble.Sync), b.Close())
}

// Close waits for an Update under way and closes the files.
func (c *Catalog) Close() error {
	c.turn <- struct{}{}
	if err := c.db.Close(); err != nil {
		return fmt.Errorf("closing the catalog: %w", err)
	}
	return nil
}

// fatal is what Pebble says when it cannot go on.
type fatal string

type logger struct{ l *slog.Logger }

func (l logger) Infof(format string, args ...any)  { l.l.Debug(fmt.Sprintf(format, args...)) }
func (l logger) Errorf(format string, args ...any) { l.l.Error(fmt.Sprintf(format, args...)) }
func (l logger) Fatalf(format string, args ...any) {
	l.l.Error(fmt.Sprintf(format, args...))
	panic(fatal(fmt.Sprintf(format, args...)))
}
