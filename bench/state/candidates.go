package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/state"
	"leat/internal/state/pebblestate"
)

// disk is one Pebble for the candidates that are built on it.
type disk struct {
	dir    string
	budget int64
	db     *pebble.DB
	buf    []byte
}

func (d *disk) options() *pebble.Options {
	o := &pebble.Options{MemTableSize: uint64(d.budget / 8), L0CompactionThreshold: 4, L0StopWritesThreshold: 1000, LBaseMaxBytes: 64 << 20,
		FormatMajorVersion: pebble.FormatNewest, Logger: silent{}}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 16 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	return o
}

func (d *disk) open(share int64) (err error) {
	o := d.options()
	o.Cache = pebble.NewCache(d.budget / share)
	defer o.Cache.Unref()
	d.db, err = pebble.Open(d.dir, o)
	return err
}

func (d *disk) key(table int, key []byte) []byte {
	d.buf = append(append(d.buf[:0], byte(table)), key...)
	return d.buf
}

type silent struct{}

func (silent) Infof(string, ...any)      {}
func (silent) Errorf(f string, a ...any) { fmt.Fprintf(os.Stderr, f, a...) }
func (silent) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// batches is candidate (a): an indexed batch over Pebble, committed with a position.
type batches struct {
	disk
	b *pebble.Batch
}

func openBatches(dir string, budget int64) (candidate, error) {
	c := &batches{disk: disk{dir: dir, budget: budget}}
	return c, c.start()
}

func (c *batches) start() error {
	if err := c.open(2); err != nil {
		return err
	}
	c.b = c.db.NewIndexedBatch()
	return nil
}

func (c *batches) get(table int, key []byte) ([]byte, bool) {
	v, closer, err := c.b.Get(c.key(table, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false
	}
	must(err)
	must(closer.Close())
	return v, true
}

func (c *batches) put(table int, key, value []byte) { must(c.b.Set(c.key(table, key), value, nil)) }

func count(r pebble.Reader, lower []byte, n int) int {
	_, upper := state.Prefix(lower, nil)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	must(err)
	rows := 0
	for ok := it.First(); ok && rows < n; ok = it.Next() {
		rows++
	}
	must(it.Close())
	return rows
}

func (c *batches) prefix(table int, p []byte, n int) int {
	return count(c.b, slices.Clone(c.key(table, p)), n)
}
func (c *batches) scan(table int) (int, bool) { return count(c.b, []byte{byte(table)}, 1<<60), true }

func (c *batches) snapshots(n int) bool {
	for i := range n { // what is not committed is not in it: a step would have to be
		c.put(99, binary.BigEndian.AppendUint64(nil, uint64(i)), nil)
		must(c.commit())
		must(c.db.NewSnapshot().Close())
	}
	return true
}

func (c *batches) commit() error {
	c.put(0, []byte("position"), nil)
	err := errors.Join(c.b.Commit(pebble.NoSync), c.b.Close())
	c.b = c.db.NewIndexedBatch()
	return err
}

func (c *batches) reopen() error { return errors.Join(c.close(), c.start()) }
func (c *batches) close() error  { return errors.Join(c.b.Close(), c.db.Close()) }
func (c *batches) drop(table int) error {
	return c.db.DeleteRange([]byte{byte(table)}, []byte{byte(table) + 1}, pebble.Sync)
}

// runs is candidate (b): an ordered head in memory; a commit, or a head of half the budget, becomes a sorted run that Pebble ingests.
type runs struct {
	disk
	head *pebblestate.Store
	runs int
}

func openRuns(dir string, budget int64) (candidate, error) {
	c := &runs{disk: disk{dir: dir + "/db", budget: budget}}
	return c, c.start()
}

func (c *runs) start() (err error) {
	if err := c.open(2); err != nil {
		return err
	}
	c.head, err = pebblestate.Open("", pebblestate.Options{Volatile: true, Budget: 1 << 40})
	return err
}

func (c *runs) get(table int, key []byte) ([]byte, bool) {
	if v, ok := c.head.Table(state.TableID(table)).Get(key); ok {
		return v, true
	}
	v, closer, err := c.db.Get(c.key(table, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false
	}
	must(err)
	v = slices.Clone(v)
	must(closer.Close())
	return v, true
}

func (c *runs) put(table int, key, value []byte) { c.head.Table(state.TableID(table)).Put(key, value) }

// prefix adds what head and runs have: the work never changes a bid.
func (c *runs) prefix(table int, p []byte, n int) int {
	rows := count(c.db, slices.Clone(c.key(table, p)), n)
	lower, upper := state.Prefix(p, nil)
	it := c.head.Table(state.TableID(table)).Scan(lower, upper)
	for rows < n && it.Next() {
		rows++
	}
	it.Close()
	return rows
}

func (c *runs) scan(table int) (int, bool) { return c.prefix(table, nil, 1<<60), true }

func (c *runs) snapshots(n int) bool {
	t := c.head.Table(99)
	for i := range n {
		t.Put(binary.BigEndian.AppendUint64(nil, uint64(i)), nil)
		t.Snapshot().Close()
		must(c.db.NewSnapshot().Close())
	}
	return true
}

func (c *runs) commit() error {
	c.runs++
	path := fmt.Sprintf("%s.%d.sst", c.dir, c.runs)
	f, err := vfs.Default.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	o := c.options()
	o.EnsureDefaults()
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), o.MakeWriterOptions(0, c.db.TableFormat()))
	err = w.Set([]byte{0}, nil)
	for _, id := range slices.Sorted(maps.Keys(c.head.Stats().Tables)) {
		for it := c.head.Table(id).Scan(nil, nil); it.Next(); {
			err = errors.Join(err, w.Set(c.key(int(id), it.Key()), it.Value()))
		}
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	if err = c.db.Ingest(context.Background(), []string{path}); err != nil {
		return err
	}
	err = c.head.Close()
	if err == nil {
		c.head, err = pebblestate.Open("", pebblestate.Options{Volatile: true, Budget: 1 << 40})
	}
	return err
}

func (c *runs) reopen() error { return errors.Join(c.close(), c.start()) }
func (c *runs) close() error  { return errors.Join(c.head.Close(), c.db.Close()) }
func (c *runs) drop(table int) error {
	return c.db.DeleteRange([]byte{byte(table)}, []byte{byte(table) + 1}, pebble.Sync)
}

// pages is candidate (c): an append-only file and a hash index in memory, rows of one 9 byte prefix chained. It knows no order.
type pages struct {
	dir   string
	f     *os.File
	tail  []byte // not written yet
	end   int64  // of the file
	seed  maphash.Seed
	index map[uint64]int64 // of keys, and of prefixes
	buf   []byte
}

func openPages(dir string, _ int64) (candidate, error) {
	f, err := os.Create(dir + "/pages")
	return &pages{dir: dir, f: f, seed: maphash.MakeSeed(), index: map[uint64]int64{}}, err
}

func (c *pages) hash(table int, key []byte) uint64 {
	c.buf = append(append(c.buf[:0], byte(table)), key...)
	return maphash.Bytes(c.seed, c.buf)
}

// at reads the record at an offset: lengths, the offset of the last record of the same prefix, key, value.
func (c *pages) at(off int64) (value []byte, before int64) {
	var head [16]byte
	read := func(p []byte, off int64) {
		if off >= c.end {
			copy(p, c.tail[off-c.end:])
		} else if _, err := c.f.ReadAt(p, off); err != nil {
			must(err)
		}
	}
	read(head[:], off)
	k, v := int(binary.LittleEndian.Uint32(head[:])), int(binary.LittleEndian.Uint32(head[4:]))
	b := make([]byte, k+v)
	read(b, off+16)
	return b[k:], int64(binary.LittleEndian.Uint64(head[8:]))
}

func (c *pages) get(table int, key []byte) ([]byte, bool) {
	off, ok := c.index[c.hash(table, key)]
	if !ok {
		return nil, false
	}
	v, _ := c.at(off)
	return v, true
}

func (c *pages) put(table int, key, value []byte) {
	off := c.end + int64(len(c.tail))
	before := int64(-1)
	if len(key) > 9 {
		h := c.hash(table+100, key[:9])
		if b, ok := c.index[h]; ok {
			before = b
		}
		c.index[h] = off
	}
	c.index[c.hash(table, key)] = off
	c.tail = binary.LittleEndian.AppendUint32(c.tail, uint32(len(key)))
	c.tail = binary.LittleEndian.AppendUint32(c.tail, uint32(len(value)))
	c.tail = binary.LittleEndian.AppendUint64(c.tail, uint64(before))
	c.tail = append(append(c.tail, key...), value...)
	if len(c.tail) > 1<<20 {
		must(c.commit())
	}
}

func (c *pages) prefix(table int, p []byte, n int) int {
	off, ok := c.index[c.hash(table+100, p)]
	rows := 0
	for ok && off >= 0 && rows < n {
		_, off = c.at(off)
		rows++
	}
	return rows
}

func (c *pages) scan(int) (int, bool) { return 0, false }
func (c *pages) snapshots(int) bool   { return false }

func (c *pages) commit() error {
	_, err := c.f.Write(c.tail)
	c.end += int64(len(c.tail))
	c.tail = c.tail[:0]
	return err
}

// reopen reads the file to build the index, of keys alone.
func (c *pages) reopen() error {
	index := make(map[uint64]int64, len(c.index))
	b, err := os.ReadFile(c.dir + "/pages")
	for off := 0; off < len(b); {
		k, v := int(binary.LittleEndian.Uint32(b[off:])), int(binary.LittleEndian.Uint32(b[off+4:]))
		index[maphash.Bytes(c.seed, b[off+16:off+16+k])] = int64(off)
		off += 16 + k + v
	}
	return err
}

func (c *pages) drop(int) error { return nil }
func (c *pages) close() error   { return c.f.Close() }

// tree is what was built: internal/state/pebblestate.
type tree struct {
	dir    string
	budget int64
	s      *pebblestate.Store
}

func openTree(dir string, budget int64) (candidate, error) {
	c := &tree{dir: dir, budget: budget}
	return c, c.start()
}

func (c *tree) start() (err error) {
	c.s, err = pebblestate.Open(c.dir, pebblestate.Options{Budget: c.budget * 3 / 4, Cache: c.budget / 8})
	return err
}

func (c *tree) get(table int, key []byte) ([]byte, bool) {
	return c.s.Table(state.TableID(table)).Get(key)
}
func (c *tree) put(table int, key, value []byte) { c.s.Table(state.TableID(table)).Put(key, value) }

func (c *tree) prefix(table int, p []byte, n int) int {
	lower, upper := state.Prefix(p, nil)
	it := c.s.Table(state.TableID(table)).Scan(lower, upper)
	rows := 0
	for rows < n && it.Next() {
		rows++
	}
	it.Close()
	return rows
}

func (c *tree) scan(table int) (int, bool) { return c.prefix(table, nil, 1<<60), true }

func (c *tree) snapshots(n int) bool {
	for i := range n {
		c.put(bids, binary.BigEndian.AppendUint64(nil, uint64(i)), nil)
		c.s.Table(bids).Snapshot().Close()
	}
	return true
}

func (c *tree) commit() error { return c.s.Commit([]byte("position"), false) }
func (c *tree) reopen() error { return errors.Join(c.close(), c.start()) }
func (c *tree) close() error  { return c.s.Close() }
func (c *tree) drop(table int) error {
	c.s.Drop(state.TableID(table))
	return c.s.Commit(nil, true)
}
