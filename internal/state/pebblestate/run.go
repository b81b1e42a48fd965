package pebblestate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sink takes what a commit writes: the deletions of ranges of a table before its rows, all in the order of keys.
type sink interface {
	Set(key, value []byte) error
	Merge(key, value []byte) error
	Delete(key []byte) error
	DeleteRange(lower, upper []byte) error
	// next begins a table.
	next() error
	// commit makes all of it durable together; sync false may leave the fsync to the system.
	commit(sync bool) error
	Close() error
}

// batch is the sink of small commits: one record of the write-ahead log.
type batch struct{ b *pebble.Batch }

func (b batch) Set(key, value []byte) error           { return b.b.Set(key, value, nil) }
func (b batch) Merge(key, value []byte) error         { return b.b.Merge(key, value, nil) }
func (b batch) Delete(key []byte) error               { return b.b.Delete(key, nil) }
func (b batch) DeleteRange(lower, upper []byte) error { return b.b.DeleteRange(lower, upper, nil) }
func (b batch) next() error                           { return nil }
func (b batch) Close() error                          { return b.b.Close() }

func (b batch) commit(sync bool) error {
	if sync {
		return b.b.Commit(pebble.Sync)
	}
	return b.b.Commit(pebble.NoSync)
}

// runAt is the size of a commit, in bytes, from which sorted runs cost less than a batch: rows are written once, and not to the log, the
// memtable and level 0 first.
const runAt = 2 << 20

// runs is the sink of large commits: a sorted file per table, all taken into Pebble at once. The record of the store is in a file of its own.
type runs struct {
	e       *Engine
	db      *pebble.DB
	w       *sstable.Writer
	paths   []string
	batched bool // smaller commits of the store may be in memory alone
}

func runFolder(e *Engine) string { return e.o.FS.PathJoin(e.dir, "runs") }

func (r *runs) writer() (*sstable.Writer, error) {
	if r.w != nil {
		return r.w, nil
	}
	path := r.e.o.FS.PathJoin(runFolder(r.e), fmt.Sprintf("%d.sst", r.e.runs.Add(1)))
	f, err := r.e.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	r.paths = append(r.paths, path)
	r.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), r.e.pebble.MakeWriterOptions(0, r.db.TableFormat()))
	return r.w, nil
}

func (r *runs) do(f func(*sstable.Writer) error) error {
	w, err := r.writer()
	if err != nil {
		return err
	}
	return f(w)
}

func (r *runs) Set(key, value []byte) error {
	return r.do(func(w *sstable.Writer) error { return w.Set(key, value) })
}

func (r *runs) Merge(key, value []byte) error {
	return r.do(func(w *sstable.Writer) error { return w.Merge(key, value) })
}

func (r *runs) Delete(key []byte) error {
	return r.do(func(w *sstable.Writer) error { return w.Delete(key) })
}

func (r *runs) DeleteRange(lower, upper []byte) error {
	return r.do(func(w *sstable.Writer) error { return w.DeleteRange(lower, upper) })
}

// next ends the file that is being written, with an fsync.
func (r *runs) next() error {
	if r.w == nil {
		return nil
	}
	err := r.w.Close()
	r.w = nil
	return err
}

func (r *runs) commit(bool) error {
	if err := r.next(); err != nil {
		return err
	}
	if r.batched {
		if err := r.flush(); err != nil {
			return err
		}
	}
	return r.db.Ingest(context.Background(), r.paths)
}

// flush makes what smaller commits left in memory durable, so that a crash can't lose them and keep this one. Ingest would wait for the
// flush itself, but for ever if the disk fails meanwhile.
func (r *runs) flush() error {
	done, err := r.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-r.e.stopped:
		return r.e.Err()
	}
}

// Close removes files that no commit took.
func (r *runs) Close() error {
	err := r.next()
	for _, p := range r.paths {
		_ = r.e.o.FS.Remove(p) // most are gone; what is left goes when the engine opens again
	}
	return err
}

// sink returns where a commit of what changed goes.
func (s *Store) sink(db *pebble.DB) sink {
	if s.dirty >= s.e.runAt {
		return &runs{e: s.e, db: db, batched: s.batched}
	}
	return batch{db.NewBatchWithSize(int(s.dirty*5/4 + 1024))}
}

// clearRuns makes the folder of runs empty.
func (e *Engine) clearRuns() error {
	return errors.Join(e.fs.RemoveAll(runFolder(e)), e.fs.MkdirAll(runFolder(e), 0o700))
}

// disjoint returns the union of spans, in order.
func disjoint(spans []span) []span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(a.lower, b.lower) })
	var out []span
	for _, s := range spans {
		n := len(out)
		switch {
		case n == 0 || out[n-1].upper != nil && bytes.Compare(s.lower, out[n-1].upper) > 0:
			out = append(out, s)
		case out[n-1].upper != nil && (s.upper == nil || bytes.Compare(s.upper, out[n-1].upper) > 0):
			out[n-1].upper = s.upper
		}
	}
	return out
}
