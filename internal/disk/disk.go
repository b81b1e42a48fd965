// Package disk puts a file system under Pebble that stops at its first fault, so that an error of the disk stops what uses
// Pebble and never ends the process.
package disk

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/types"
)

// FS is a file system for one Pebble. After the first write, fsync or creation that fails nothing more reaches the
// files: they stay as a crash at that moment leaves them, and fail has been called with the cause.
//
// Pebble must not see a failure of its write-ahead log: while it changes log files it panics between an unlock and
// the deferred unlock (rotateWAL of v2.1.7), which ends the process. So the log pretends that all is well, and the owner looks for
// a failure before it acknowledges. Other files return the cause.
type FS struct {
	vfs.FS
	fail  func(error)
	cause atomic.Pointer[error]
}

// New puts an FS over inner. fail is called, possibly more than once and from any goroutine, before any write is dropped; the
// owner must acknowledge nothing that was written after.
func New(inner vfs.FS, fail func(error)) *FS { return &FS{FS: inner, fail: fail} }

// Stopped is the error of what stopped after its disk failed with err: types.DiskFull, or types.Unavailable. Owner names it, such as "log".
func Stopped(owner string, err error) *types.Error {
	if errors.Is(err, syscall.ENOSPC) {
		return types.Errorf(types.DiskFull, "the disk of the %s is full: %w", owner, err).WithHint("free some space, then restart Leat")
	}
	return types.Errorf(types.Unavailable, "the %s stopped after an error of its disk: %w", owner, err).
		WithHint("nothing that was acknowledged is lost; check the disk, then restart Leat")
}

// try does f, which changes the disk, unless the disk failed before; it returns why it failed.
func (d *FS) try(f func() error) error {
	if cause := d.cause.Load(); cause != nil {
		return *cause
	}
	err := f()
	if err != nil {
		d.fail(err) // first, lest a write is dropped and acknowledged in between
		d.cause.CompareAndSwap(nil, &err)
	}
	return err
}

// file is an open file for writing. A silent one pretends success when the disk failed.
type file struct {
	vfs.File
	disk   *FS
	silent bool
}

// open makes a file for writing with f.
func (d *FS) open(name string, c vfs.DiskWriteCategory, f func() (vfs.File, error)) (vfs.File, error) {
	w := &file{disk: d, silent: strings.HasSuffix(name, ".log")}
	err := d.try(func() (err error) {
		w.File, err = f()
		return err
	})
	if err != nil && w.silent {
		w.File, err = vfs.NewMem().Create("log", c) // stands in, nothing is written to it
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Create implements vfs.FS. Before a marker, which names another file, it syncs the folder: Pebble leaves both to one
// sync afterwards, and a crash could keep the marker alone.
func (d *FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(d.PathBase(name), "marker.") {
		if err := d.try(func() error { return d.syncFolder(d.PathDir(name)) }); err != nil {
			return nil, err
		}
	}
	return d.open(name, c, func() (vfs.File, error) { return d.FS.Create(name, c) })
}

func (d *FS) syncFolder(dir string) error {
	f, err := d.FS.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ReuseForWrite implements vfs.FS.
func (d *FS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open(to, c, func() (vfs.File, error) { return d.FS.ReuseForWrite(from, to, c) })
}

// OpenDir implements vfs.FS. A folder is opened for its fsync, which the write-ahead log waits for.
func (d *FS) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &file{File: f, disk: d, silent: true}, nil
}

// Rename implements vfs.FS.
func (d *FS) Rename(from, to string) error {
	return d.try(func() error { return d.FS.Rename(from, to) })
}

// Remove implements vfs.FS. A file that stays is no failure.
func (d *FS) Remove(name string) error {
	if cause := d.cause.Load(); cause != nil {
		return *cause
	}
	return d.FS.Remove(name)
}

// Link implements vfs.FS.
func (d *FS) Link(from, to string) error {
	return d.try(func() error { return d.FS.Link(from, to) })
}

// Unwrap implements vfs.FS.
func (d *FS) Unwrap() vfs.FS { return d.FS }

func (f *file) try(change func() error) error {
	if err := f.disk.try(change); err != nil && !f.silent {
		return err
	}
	return nil
}

// Write implements vfs.File.
func (f *file) Write(p []byte) (int, error) {
	err := f.try(func() error { _, err := f.File.Write(p); return err })
	return count(p, err), err
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(p []byte, at int64) (int, error) {
	err := f.try(func() error { _, err := f.File.WriteAt(p, at); return err })
	return count(p, err), err
}

func count(p []byte, err error) int {
	if err != nil {
		return 0
	}
	return len(p)
}

// Sync implements vfs.File.
func (f *file) Sync() error { return f.try(func() error { return f.File.Sync() }) }

// SyncData implements vfs.File.
func (f *file) SyncData() error { return f.try(func() error { return f.File.SyncData() }) }

// SyncTo implements vfs.File. It says that everything was synced where the disk failed: nothing more is to be done.
func (f *file) SyncTo(length int64) (full bool, err error) {
	full = true
	err = f.try(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Preallocate implements vfs.File. It is an optimisation; the write that finds no space reports it.
func (f *file) Preallocate(offset, length int64) error {
	if f.disk.cause.Load() == nil {
		_ = f.File.Preallocate(offset, length)
	}
	return nil
}

// Prefetch implements vfs.File; files for writing are not read.
func (f *file) Prefetch(int64, int64) error { return nil }

// Close implements vfs.File.
func (f *file) Close() error {
	err := f.File.Close()
	return f.try(func() error { return err })
}
