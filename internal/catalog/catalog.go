package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/disk"
	"leat/internal/types"
)

const (
	// History is how many versions of an object are kept, the current one included. They go with the object.
	History = 100
	// MaxTransaction is how many bytes one Update may write.
	MaxTransaction = 64 << 20
)

// Catalog is the durable set of definitions. All methods may be called from any goroutine, and after Close too:
// Snapshot goes on, what needs the disk is Unavailable.
type Catalog struct {
	now     func() time.Time
	log     *slog.Logger
	current atomic.Pointer[Snapshot]
	failure atomic.Pointer[types.Error] // why the catalog takes no more changes
	closing chan struct{}               // closed by Close
	once    sync.Once                   // closes closing
	workers sync.WaitGroup

	life sync.RWMutex // held for reading while db is used, for writing to open and close it
	db   *pebble.DB   // nil once it is closed

	// turn holds one token; whoever took it may use next and write.
	turn chan struct{}
	next types.ObjectID
}

// Snapshot returns the last committed state, without a lock.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// History returns the kept versions of an object that still exists, newest first; damaged ones are left out.
func (c *Catalog) History(id types.ObjectID) ([]*Object, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.life.RUnlock()
	return c.history(id)
}

func (c *Catalog) history(id types.ObjectID) ([]*Object, error) {
	var out []*Object
	err := c.scan(historyKey(id, 0), historyKey(id+1, 0), func(_, value []byte) {
		if o, err := decodeObject(value); err == nil {
			out = append(out, o)
		}
	})
	slices.Reverse(out)
	return out, err
}

// scan visits the records from lower to before upper. The caller is between enter and life.RUnlock.
func (c *Catalog) scan(lower, upper []byte, f func(key, value []byte)) error {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return types.Errorf(types.Unavailable, "reading the catalog: %w", err).WithHint("check the disk of the catalog's folder")
	}
	for ok := it.First(); ok; ok = it.Next() {
		f(it.Key(), it.Value())
	}
	switch err := errors.Join(it.Error(), it.Close()); {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err):
		return types.Errorf(types.Corrupt, "reading the catalog: %w", err).WithHint("restore the catalog folder from a backup")
	default:
		return types.Errorf(types.Unavailable, "reading the catalog: %w", err).WithHint("check the disk of the catalog's folder")
	}
}

// Update runs change alone and commits what it did, all or nothing: it is durable when Update returns. An error of change
// is returned as it is, and nothing is changed. change must not call Update.
//
// A write that the disk refuses is Unavailable or DiskFull, and so is every later Update until a restart, which tells
// whether that one change was kept; nothing that was acknowledged is lost. After Close Update is Unavailable.
func (c *Catalog) Update(ctx context.Context, change func(*Tx) error) (*Snapshot, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-c.closing: // don't wait for the others to find out
		return nil, errClosed()
	case <-ctx.Done():
		return nil, types.Errorf(types.Canceled, "waiting for another change of the catalog: %w", context.Cause(ctx))
	}
	if err := c.usable(); err != nil {
		return nil, err
	}
	tx := newTx(c.current.Load(), c.next, c.now().UTC().Truncate(time.Microsecond))
	err := change(tx)
	c.next = tx.next
	if err != nil {
		return nil, err
	}
	if len(tx.changed) == 0 && len(tx.touched) == 0 && len(tx.renewed) == 0 {
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

// commit writes what tx changed in one batch and returns when that is durable, or why it may not be.
func (c *Catalog) commit(tx *Tx, s *Snapshot) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.life.RUnlock()
	b := c.db.NewBatch()
	err := c.fill(b, tx, s)
	if err == nil && b.Len() > MaxTransaction {
		err = types.Errorf(types.LimitExceeded, "the change takes %d MiB in the catalog; the limit is %d", b.Len()>>20, MaxTransaction>>20).
			WithHint("make it in several steps")
	}
	if err != nil {
		return errors.Join(err, b.Close())
	}
	if err := errors.Join(b.Commit(pebble.Sync), b.Close()); err != nil {
		c.fail(err)
	}
	return c.failed()
}

func (c *Catalog) fill(b *pebble.Batch, tx *Tx, s *Snapshot) error {
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
	for name := range tx.renewed {
		if i := s.issuers[name]; i != nil {
			set(issuerKey(name), i)
		} else {
			errs = append(errs, b.Delete(issuerKey(name), nil))
		}
	}
	return errors.Join(errs...)
}

// enter begins a use of db, which ends with life.RUnlock; where there is no db any more it says why.
func (c *Catalog) enter() error {
	c.life.RLock()
	err := c.failed()
	if err == nil && c.db == nil {
		err = errClosed()
	}
	if err != nil {
		c.life.RUnlock()
	}
	return err
}

// usable tells early, before the work of a change, what enter will.
func (c *Catalog) usable() error {
	select {
	case <-c.closing:
		return errClosed()
	default:
		return c.failed()
	}
}

func errClosed() error {
	return types.Errorf(types.Unavailable, "the catalog is closed").WithHint("the server is stopping; try again when it runs")
}

// failed returns why the catalog takes no more changes, nil while it does.
func (c *Catalog) failed() error {
	if e := c.failure.Load(); e != nil {
		return e
	}
	return nil
}

// fail stops the catalog: after an error of the disk nobody knows what it holds. It also closes Pebble, which would try
// a flush again for ever. It may be called with Pebble's locks held.
func (c *Catalog) fail(err error) {
	if !c.failure.CompareAndSwap(nil, disk.Stopped("catalog", err)) {
		return
	}
	c.log.Error("the catalog stopped", "error", err)
	c.workers.Go(func() {
		if err := c.release(); err != nil {
			c.log.Warn("closing the catalog that stopped", "error", err)
		}
	})
}

// release closes Pebble when nobody uses it any more.
func (c *Catalog) release() error {
	c.life.Lock()
	defer c.life.Unlock()
	if c.db == nil {
		return nil
	}
	db := c.db
	c.db = nil
	return db.Close()
}

// Close waits for a commit under way and closes the files; an Update that does not write yet fails. It returns why the catalog stopped, if it did; further
// calls do nothing more.
func (c *Catalog) Close() error {
	c.once.Do(func() { close(c.closing) })
	err := c.release()
	c.workers.Wait()
	if e := c.failed(); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("closing the catalog: %w", err)
	}
	return nil
}

// logger hands Pebble's messages on. Its Fatalf must not end the process: it stops the catalog.
type logger struct{ c *Catalog }

// Infof implements pebble.Logger.
func (l logger) Infof(format string, args ...any) { l.c.log.Debug(fmt.Sprintf(format, args...)) }

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) { l.c.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf implements pebble.Logger.
func (l logger) Fatalf(format string, args ...any) { l.c.fail(fmt.Errorf(format, args...)) }
