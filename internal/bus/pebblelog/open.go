package pebblelog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/bus"
	"leat/internal/disk"
	"leat/internal/types"
)

// formatVersion is the version of the whole store, kept under metaKey.
const formatVersion = 1

// Open opens the log in a directory, making it if it is not there. A log that someone else has open is types.Locked.
func Open(ctx context.Context, dir string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	if err := opts.Validate(); err != nil {
		return nil, types.Errorf(types.InvalidArgument, "options of the log: %w", err)
	}
	if opts.FreeSpace == nil {
		opts.FreeSpace = func() (uint64, error) { return freeSpace(opts.FS, dir) }
	}
	l := &Log{
		dir: dir, opts: opts, schemas: newSchemas(), queue: newQueue(opts.QueueLength, opts.QueueBytes),
		acks: make(chan *group, maxInFlight+1), inFlight: make(chan struct{}, maxInFlight),
		stored: map[streamSchema]bool{}, streams: map[types.ObjectID]*stream{}, subs: map[*subscription]struct{}{},
		tails: tails{limit: opts.TailBytes},
	}
	if err := l.openFolder(); err != nil {
		return nil, err
	}
	err := l.guard(l.openPebble)
	if err == nil {
		err = l.recover(ctx)
	}
	if err == nil {
		err = l.failed()
	}
	if err != nil {
		return nil, errors.Join(l.openError(err), l.closeFailed())
	}
	l.workers.Go(l.commitLoop)
	l.workers.Go(l.ackLoop)
	return l, nil
}

func (l *Log) closeFailed() error {
	var err error
	if l.db != nil && !l.wedged.Load() {
		err = l.guard(l.db.Close)
	}
	return errors.Join(err, l.lock.Close())
}

// openFolder makes the folder and takes its lock.
func (l *Log) openFolder() error {
	if info, err := l.opts.FS.Stat(l.dir); err == nil && !info.IsDir() {
		return types.Errorf(types.InvalidArgument, "%s is a file; the log needs a folder", l.dir).WithHint("name another data folder, or move the file away")
	}
	if err := l.opts.FS.MkdirAll(l.dir, 0o700); err != nil {
		return l.openError(err)
	}
	lock, err := pebble.LockDirectory(l.dir, l.opts.FS)
	if errors.Is(err, syscall.EAGAIN) || err != nil && err.Error() == "lock held by current process" { // Pebble has no name for it
		return types.Errorf(types.Locked, "the log in %s is in use by another process: %w", l.dir, err).WithHint("stop the other Leat, or name another data folder")
	}
	if err != nil {
		return l.openError(err)
	}
	l.lock = lock
	return nil
}

// openError gives an error of Open its code.
func (l *Log) openError(err error) error {
	var coded *types.Error
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, fs.ErrPermission):
		return types.Errorf(types.PermissionDenied, "the log in %s cannot be opened: %w", l.dir, err).WithHint("the folder must belong to the user that runs Leat")
	case errors.Is(err, syscall.ENOTDIR):
		return types.Errorf(types.InvalidArgument, "%s is not a folder: %w", l.dir, err).WithHint("name another data folder")
	case errors.Is(err, syscall.ENOSPC):
		return types.Errorf(types.DiskFull, "the log in %s cannot be opened: %w", l.dir, err).WithHint("free some space on its disk")
	case pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "object size mismatch"):
		// Pebble doesn't mark files that are missing or cut as corruption.
		return types.Errorf(types.Corrupt, "the log in %s is damaged: %w", l.dir, err).WithHint("restore it from a backup")
	}
	return types.Errorf(types.Unavailable, "the log in %s cannot be opened: %w", l.dir, err).WithHint("check the disk of the folder, then start again")
}

func (l *Log) openPebble() error {
	cache := pebble.NewCache(l.opts.CacheBytes)
	defer cache.Unref()
	logger := pebbleLogger{l}
	o := &pebble.Options{
		FS: disk.New(l.opts.FS, l.poison), Lock: l.lock, Cache: cache, Logger: logger,
		FormatMajorVersion: pebble.FormatNewest, MemTableSize: l.opts.MemTableBytes, MemTableStopWritesThreshold: 4,
		L0CompactionThreshold: 4, L0StopWritesThreshold: 64, LBaseMaxBytes: 256 << 20, MaxOpenFiles: 512,
		BytesPerSync: 1 << 20, WALBytesPerSync: 1 << 20,
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { logger.Errorf("log: in the background: %v", err) },
			DataCorruption:  func(info pebble.DataCorruptionInfo) { logger.Errorf("log: %s", info) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 8 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return block.NoCompression }
	}
	db, err := pebble.Open(l.dir, o)
	l.db = db
	return err
}

func freeSpace(f vfs.FS, dir string) (uint64, error) {
	u, err := f.GetDiskUsage(dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return math.MaxUint64, nil
	}
	return u.AvailBytes, err
}

// recover brings back in memory what the log knows: one seek per partition, whatever its length.
func (l *Log) recover(ctx context.Context) error {
	if err := l.recoverMeta(); err != nil {
		return err
	}
	if err := l.scanSpace(spaceSchema, func(key, value []byte) error {
		info, err := parseSchema(value)
		if err != nil {
			return err
		}
		info = l.schemas.add(info)
		l.stored[streamSchema{types.ObjectID(binary.BigEndian.Uint64(key[1:])), info.fingerprint}] = true
		return nil
	}); err != nil {
		return err
	}
	if err := l.scanSpace(spaceConfig, func(key, value []byte) error {
		var c config
		if err := parseRecord(value, &c); err != nil {
			return err
		}
		l.addStream(types.ObjectID(binary.BigEndian.Uint64(key[1:])), c)
		return nil
	}); err != nil {
		return err
	}
	if l.streams[bus.Clock.Stream] == nil {
		l.addStream(bus.Clock.Stream, config{Partitions: 1})
	}
	for _, s := range l.streams {
		for _, p := range s.parts {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := l.recoverPartition(p); err != nil {
				return fmt.Errorf("partition %s: %w", p.id, err)
			}
			l.lastAt = max(l.lastAt, p.assigned.at)
		}
	}
	return l.recoverDedup()
}

// recoverMeta reads the log's own record or, in a new log, writes it.
func (l *Log) recoverMeta() error {
	v, err := l.get(metaKey)
	if err != nil {
		return err
	}
	if v == nil {
		l.incarnation = max(rand.Uint64(), 1)
		return l.db.Set(metaKey, binary.BigEndian.AppendUint64([]byte{formatVersion}, l.incarnation), pebble.Sync)
	}
	if len(v) != 9 || v[0] != formatVersion {
		return types.Errorf(types.Corrupt, "the log in %s has format %d; this Leat reads %d", l.dir, v[0], formatVersion).
			WithHint("open it with the Leat that wrote it")
	}
	l.incarnation = binary.BigEndian.Uint64(v[1:])
	return nil
}

// scanSpace visits all keys of a small space.
func (l *Log) scanSpace(space byte, visit func(key, value []byte) error) error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			err = visit(it.Key(), v)
		}
	}
	return errors.Join(err, it.Close())
}

// addStream makes the partitions of a stream in memory that are not there yet. The caller holds Log.mu or is Open.
func (l *Log) addStream(id types.ObjectID, c config) {
	s := l.streams[id]
	if s == nil {
		s = &stream{id: id}
		l.streams[id] = s
	}
	rule := c.rule()
	s.rule.Store(&rule)
	for i := len(s.parts); i < int(c.Partitions); i++ {
		s.parts = append(s.parts, &partition{id: types.PartitionID{Stream: id, Index: uint32(i)}, stream: s,
			assigned: emptyState, durable: emptyState, agesLoaded: true})
	}
}

// recoverPartition finds where a partition stands from its last entry and what the last trim kept.
func (l *Log) recoverPartition(p *partition) error {
	v, err := l.get(partitionKey(spaceState, p.id))
	if err != nil {
		return err
	}
	if v != nil {
		p.saved = new(savedState)
		if err := parseRecord(v, p.saved); err != nil {
			return err
		}
		p.start, p.startBytes, p.startRows = p.saved.Start, p.saved.StartBytes, p.saved.StartRows
		p.assigned = p.saved.state()
	}
	from, to := entryRange(p.id)
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	if it.Last() {
		if v, err = it.ValueAndErr(); err == nil {
			err = p.recoverFrom(v)
		}
	}
	if err = errors.Join(err, it.Error()); err != nil {
		err = l.recoverDamaged(p, err)
	}
	p.durable = p.assigned
	p.agesLoaded, p.agesFrom = p.assigned.next == 0, p.assigned.next
	if closeErr := it.Close(); !pebble.IsCorruptionError(closeErr) {
		err = errors.Join(err, closeErr)
	}
	return err
}

// recoverFrom takes the partition's state from its last entry.
func (p *partition) recoverFrom(value []byte) error {
	h, _, err := parseHeader(value)
	if err != nil {
		return err
	}
	s := state{next: h.next(), watermark: h.watermark, at: h.at(), rows: h.totalRows, bytes: h.totalBytes + uint64(entryKeyLen+len(value))}
	if s.next < p.assigned.next {
		return nil
	}
	if h.kind == kindRows {
		s.rowsAt = s.at
	}
	p.assigned = s
	return nil
}

// recoverDedup finds the oldest and the newest remembered idempotency key.
func (l *Log) recoverDedup() error {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceExpiry}, UpperBound: []byte{spaceExpiry + 1}})
	if err != nil {
		return err
	}
	if it.First() {
		l.dedupFirst = binary.BigEndian.Uint64(it.Key()[1:])
	}
	if it.Last() {
		l.dedupNext = binary.BigEndian.Uint64(it.Key()[1:]) + 1
	}
	l.count.dedupKeys.Store(int64(l.dedupNext - l.dedupFirst))
	return it.Close()
}
