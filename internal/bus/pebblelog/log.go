// Package pebblelog is the embedded log: bus.Log on Pebble. docs/formats/log.md describes what it stores.
//
// Callers of Append encode their rows, the committer (commitLoop) takes all that wait, gives offsets and stamps and
// writes one Pebble batch, and ackLoop waits for its fsync, publishes the entries and answers. The next group
// gathers and is written while the fsync of the one before runs.
package pebblelog

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/disk"
	"leat/internal/types"
)

// Log implements bus.Log. Make it with Open; close it with Close.
type Log struct {
	dir         string
	opts        Options
	db          *pebble.DB
	lock        *pebble.Lock
	incarnation uint64
	schemas     *schemas
	queue       *queue
	count       counters

	acks     chan *group   // from committer to ackLoop, in commit order
	inFlight chan struct{} // one element per group between its start and its answer
	workers  sync.WaitGroup

	failure atomic.Pointer[types.Error] // why the log accepts no more
	wedged  atomic.Bool                 // Pebble panicked while holding its locks: it cannot be closed

	// Only the committer touches these, once Open returned.
	stored                map[streamSchema]bool
	scratch               []byte
	lastAt                int64
	dedupFirst, dedupNext uint64
	diskChecked           time.Time
	diskFree              int64

	life   sync.RWMutex // held for reading while db is used outside the committer, for writing to close it
	mu     sync.RWMutex // guards what follows and the parts of stream and partition that say so
	closed bool
	// streams by ID. A dropped stream is removed.
	streams map[types.ObjectID]*stream
	subs    map[*subscription]struct{}
	tails   tails
}

type streamSchema struct {
	stream      types.ObjectID
	fingerprint uint64
}

// enter begins a use of the database that Close waits for; leave ends it.
func (l *Log) enter() error {
	l.life.RLock()
	if l.db == nil {
		l.life.RUnlock()
		return errClosed()
	}
	return nil
}

func (l *Log) leave() { l.life.RUnlock() }

// failed returns why the log accepts no more, nil while it does.
func (l *Log) failed() error {
	if e := l.failure.Load(); e != nil {
		return e
	}
	return nil
}

// poison stops the log for good: after an error of the disk nobody knows what it holds.
func (l *Log) poison(err error) {
	if l.failure.CompareAndSwap(nil, disk.Stopped("log", err)) {
		l.opts.Logger.Errorf("log: %s stopped: %v", l.dir, err)
	}
}

// guard turns a panic of Pebble (it panics where its files fail at a bad moment) into an error that stops the log.
func (l *Log) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if cause, ok := r.(error); ok {
				err = fmt.Errorf("pebble: %w", cause)
			} else {
				err = fmt.Errorf("pebble: %v", r)
			}
			l.wedged.Store(true)
			l.poison(err)
		}
	}()
	return f()
}

// pebbleLogger hands Pebble's messages on. Its Fatalf must not end the process: it stops the log.
type pebbleLogger struct{ log *Log }

func (p pebbleLogger) Infof(string, ...any) {}

func (p pebbleLogger) Errorf(format string, args ...any) { p.log.opts.Logger.Errorf(format, args...) }

func (p pebbleLogger) Fatalf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			p.log.poison(fmt.Errorf(format, args...))
			p.log.opts.Logger.Errorf("log: %v", err)
			return
		}
	}
	p.log.poison(fmt.Errorf(format, args...))
}

// Close implements bus.Log.
func (l *Log) Close() error {
	l.queue.close()
	l.workers.Wait()
	l.life.Lock()
	defer l.life.Unlock()
	if l.db == nil {
		return nil
	}
	db := l.db
	l.db = nil
	l.mu.Lock()
	l.closed = true
	for s := range l.subs {
		s.end()
	}
	l.mu.Unlock()
	var err error
	if !l.wedged.Load() {
		err = l.guard(db.Close)
	}
	if l.wedged.Load() {
		err = l.failed()
	}
	return errors.Join(err, l.lock.Close())
}

// diskEvery is how old the answer about free space may be: no disk fills by much of MinFree in that time.
const diskEvery = 10 * time.Millisecond

// checkDisk refuses appends while the disk is almost full.
func (l *Log) checkDisk() error {
	if l.opts.MinFree < 0 {
		return nil
	}
	if now := l.opts.Now(); l.diskChecked.IsZero() || now.Sub(l.diskChecked).Abs() >= diskEvery {
		l.diskChecked = now
		free, err := l.opts.FreeSpace()
		if err != nil {
			l.opts.Logger.Errorf("log: free space of %s: %v", l.dir, err)
			free = 1 << 62
		}
		l.diskFree = int64(min(free, 1<<62))
	}
	if l.diskFree >= l.opts.MinFree {
		return nil
	}
	return types.Errorf(types.DiskFull, "the disk of the log has %d MiB free; appends need %d MiB", l.diskFree>>20, l.opts.MinFree>>20).
		WithHint("free some space on the disk of %s; appends go on by themselves", l.dir)
}
