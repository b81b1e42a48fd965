package pebblelog

import (
	"context"
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/bus"
	"leat/internal/types"
)

// maxPartitions bounds the partitions of one stream.
const maxPartitions = 1024

func configOf(c bus.StreamConfig) config {
	return config{Partitions: c.Partitions, Column: c.Time.Column, Watermarked: c.Time.Watermarked, Delay: c.Time.Delay,
		Future: c.Time.MaxFuture, Idle: c.Time.Idle}
}

func (c config) rule() types.TimeRule {
	return types.TimeRule{Column: c.Column, Watermarked: c.Watermarked, Delay: c.Delay, MaxFuture: c.Future, Idle: c.Idle}
}

// Configure implements bus.Log.
func (l *Log) Configure(ctx context.Context, c bus.StreamConfig) error {
	if c.ID == bus.Clock.Stream || c.Partitions < 1 || c.Partitions > maxPartitions || c.Time.Delay < 0 || c.Time.MaxFuture < 0 {
		return types.Errorf(types.InvalidArgument, "stream %d with %d partitions, delay %s, future %s: 1 to %d partitions, no negative times",
			c.ID, c.Partitions, c.Time.Delay, c.Time.MaxFuture, maxPartitions)
	}
	return l.control(ctx, func() error {
		l.mu.RLock()
		old := 0
		if s := l.streams[c.ID]; s != nil {
			old = len(s.parts)
		}
		l.mu.RUnlock()
		if int(c.Partitions) < old {
			return types.Errorf(types.InvalidArgument, "stream %d has %d partitions; they cannot become %d", c.ID, old, c.Partitions)
		}
		stored := configOf(c)
		b := l.db.NewBatch()
		l.set(b, streamKey(spaceConfig, c.ID), record(stored))
		if err := l.commitNow(b); err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.addStream(c.ID, stored)
		return nil
	})
}

// commitNow writes a batch and waits for its fsync. An error stops the log. Only the committer calls it.
func (l *Log) commitNow(b *pebble.Batch) error {
	if err := l.db.Apply(b, pebble.Sync); err != nil {
		l.poison(err)
	}
	if err := l.failed(); err != nil {
		return err
	}
	return b.Close()
}

// Trim implements bus.Log.
func (l *Log) Trim(ctx context.Context, id types.PartitionID, below types.Offset) error {
	p, err := l.partition(id)
	if err != nil {
		return err
	}
	return l.control(ctx, func() error {
		if p.dropped {
			return notFound(id)
		}
		return l.trim(p, below)
	})
}

// trim forgets whole entries below an offset and keeps what the partition must still know of them.
func (l *Log) trim(p *partition, below types.Offset) error {
	below = min(below, p.assigned.next)
	if below <= p.start { // only the committer writes start
		return nil
	}
	if err := l.loadAges(p); err != nil {
		return err
	}
	start, rows, bytes, err := l.firstKept(p, below)
	if err != nil || start <= p.start {
		return err
	}
	s := p.assigned
	saved := &savedState{Start: start, StartBytes: bytes, StartRows: rows, Next: s.next, Watermark: s.watermark, At: s.at,
		RowsAt: s.rowsAt, Rows: s.rows, Bytes: s.bytes}
	for _, a := range p.ages.q {
		saved.Ages = append(saved.Ages, [2]int64{int64(a.rows), a.age})
	}
	b := l.db.NewBatch()
	l.set(b, partitionKey(spaceState, p.id), record(saved))
	if err := b.DeleteRange(entryKey(p.id, p.start), entryKey(p.id, start), nil); err != nil {
		return err
	}
	if err := l.commitNow(b); err != nil {
		return err
	}
	p.saved = saved
	l.mu.Lock()
	defer l.mu.Unlock()
	p.start, p.startBytes, p.startRows = start, bytes, rows
	l.tails.drop(p, start)
	return nil
}

// firstKept finds the first offset kept by a trim, and the rows and bytes appended before it. A damaged entry there goes too.
func (l *Log) firstKept(p *partition, below types.Offset) (start types.Offset, rows, bytes uint64, err error) {
	for below < p.assigned.next {
		it, err := l.iterate(p.id, below, p.assigned.next)
		if err != nil {
			return 0, 0, 0, err
		}
		if !it.SeekGE(entryKey(p.id, below)) {
			if err := it.Close(); pebble.IsCorruptionError(err) {
				below, _ = l.beyondDamage(p.id, below, p.assigned.next)
				continue
			} else if err != nil {
				return 0, 0, 0, err
			}
			break
		}
		last := entryLast(it.Key())
		v, err := it.ValueAndErr()
		h, _, headerErr := parseHeader(v)
		err = errors.Join(err, it.Close())
		switch {
		case err != nil && !pebble.IsCorruptionError(err):
			return 0, 0, 0, err
		case err == nil && headerErr == nil:
			return h.first, h.totalRows - uint64(h.rows), h.totalBytes, nil
		}
		below = last + 1
	}
	return p.assigned.next, p.assigned.rows, p.assigned.bytes, nil
}

func (s *savedState) state() state {
	return state{next: s.Next, watermark: s.Watermark, at: s.At, rowsAt: s.RowsAt, rows: s.Rows, bytes: s.Bytes}
}

// Drop implements bus.Log. A stream that is not there is no error.
func (l *Log) Drop(ctx context.Context, id types.ObjectID) error {
	if id == bus.Clock.Stream {
		return types.Errorf(types.InvalidArgument, "stream %d is the log's clock", id)
	}
	return l.control(ctx, func() error {
		b := l.db.NewBatch()
		l.batchDelete(b, streamKey(spaceConfig, id))
		for _, space := range []byte{spaceSchema, spaceState, spaceEntry} {
			from, to := streamRange(space, id)
			if err := b.DeleteRange(from, to, nil); err != nil {
				return err
			}
		}
		if err := l.commitNow(b); err != nil {
			return err
		}
		for k := range l.stored {
			if k.stream == id {
				delete(l.stored, k)
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		s := l.streams[id]
		if s == nil {
			return nil
		}
		for _, p := range s.parts {
			p.dropped = true
			l.tails.drop(p, math.MaxUint64)
		}
		delete(l.streams, id)
		return nil
	})
}
