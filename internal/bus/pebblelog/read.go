package pebblelog

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/bus"
	"leat/internal/types"
)

// Read implements bus.Log.
func (l *Log) Read(ctx context.Context, id types.PartitionID, from types.Offset, maxBytes int) ([]*bus.Entry, error) {
	p, err := l.partition(id)
	if err != nil {
		return nil, err
	}
	l.mu.RLock()
	start, end := p.start, p.durable.next
	entries, hit := p.tail.find(from, maxBytes)
	l.mu.RUnlock()
	switch {
	case from < start:
		return nil, &bus.TrimmedError{Partition: id, From: from, Start: start}
	case from >= end:
		return nil, nil
	case hit:
		l.count.tailHits.Add(1)
		return entries, nil
	}
	l.count.tailMisses.Add(1)
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	entries, err = l.readStored(ctx, id, from, from, end, maxBytes)
	if err == nil && len(entries) == 0 {
		return nil, l.missing(p, from, end)
	}
	damage, ok := errors.AsType[*bus.CorruptError](err)
	if !ok || !pebble.IsCorruptionError(damage.Err) {
		return entries, err
	}
	key, next := l.beyondDamage(id, from, end)
	if next <= from { // the entry of from lies behind the damage: Pebble only had to pass it
		return l.readStored(ctx, id, from, key, end, maxBytes)
	}
	damage.Next = next
	return nil, damage
}

// missing says why there are no entries between from and the end: they were dropped or trimmed meanwhile, or lost.
func (l *Log) missing(p *partition, from, end types.Offset) error {
	if now, err := l.partition(p.id); err != nil || now != p {
		return notFound(p.id)
	}
	l.mu.RLock()
	start := p.start
	l.mu.RUnlock()
	if from < start {
		return &bus.TrimmedError{Partition: p.id, From: from, Start: start}
	}
	return &bus.CorruptError{Partition: p.id, From: from, Next: end, Err: types.Errorf(types.Corrupt, "the entries are missing")}
}

// readStored reads the entries that Pebble has from the key of seek on, below the durable end; the reader stands at from.
func (l *Log) readStored(ctx context.Context, id types.PartitionID, from, seek, end types.Offset, maxBytes int) (out []*bus.Entry, err error) {
	it, err := l.iterate(id, seek, end)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil && len(out) == 0 {
			err = types.Errorf(types.Corrupt, "reading partition %s: %w", id, e)
		}
	}()
	n := 0
	for ok := it.SeekGE(entryKey(id, seek)); ok && (n < maxBytes || len(out) == 0); ok = it.Next() {
		if ctx.Err() != nil {
			return nil, ctxReadError(ctx)
		}
		last := entryLast(it.Key())
		value, err := it.ValueAndErr()
		if err != nil {
			break
		}
		e, h, err := decodeEntry(value, l.schemas.find)
		if err == nil && (h.next() != last+1 || len(out) > 0 && h.first < from) {
			err = types.Errorf(types.Corrupt, "entry with offsets %d to %d under the key of %d", h.first, h.next()-1, last)
		}
		if err != nil {
			if len(out) > 0 {
				return out, nil // the caller meets the damage with its next read
			}
			return nil, &bus.CorruptError{Partition: id, From: from, Next: last + 1, Err: err}
		}
		out = append(out, e)
		from = e.Next
		n += h.rawLen
	}
	if len(out) > 0 || it.Error() == nil {
		return out, nil
	}
	return nil, &bus.CorruptError{Partition: id, From: from, Next: end, Err: it.Error()}
}

func (l *Log) iterate(id types.PartitionID, from, end types.Offset) (*pebble.Iterator, error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: entryKey(id, from), UpperBound: entryKey(id, end)})
	if err != nil {
		return nil, types.Errorf(types.Corrupt, "reading partition %s: %w", id, err)
	}
	return it, nil
}

func ctxReadError(ctx context.Context) error {
	return types.Errorf(types.Canceled, "reading the log: %w", ctx.Err())
}

func notFound(id types.PartitionID) error {
	return types.Errorf(types.NotFound, "the log has no partition %s", id)
}

// partition finds a configured partition.
func (l *Log) partition(id types.PartitionID) (*partition, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s := l.streams[id.Stream]; s != nil && int(id.Index) < len(s.parts) {
		return s.parts[id.Index], nil
	}
	return nil, notFound(id)
}

// Bounds implements bus.Log.
func (l *Log) Bounds(id types.PartitionID) (bus.Bounds, error) {
	p, err := l.partition(id)
	if err != nil {
		return bus.Bounds{}, err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return p.bounds(), nil
}

// Position implements bus.Log.
func (l *Log) Position(ids ...types.ObjectID) types.Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var cursors []types.Cursor
	add := func(s *stream) {
		for _, p := range s.parts {
			cursors = append(cursors, types.Cursor{Partition: p.id, Next: p.durable.next})
		}
	}
	for _, id := range ids {
		if s := l.streams[id]; s != nil {
			add(s)
		}
	}
	if len(ids) == 0 {
		for _, s := range l.streams {
			add(s)
		}
	}
	return types.NewPosition(l.incarnation, cursors)
}

// Incarnation implements bus.Log.
func (l *Log) Incarnation() uint64 { return l.incarnation }

// String names the log in messages.
func (l *Log) String() string { return fmt.Sprintf("log in %s", l.dir) }
