package pebblelog

import (
	"github.com/cockroachdb/pebble/v2"

	"leat/internal/types"
)

// damageGap is how far offsets jump where damage at a partition's end hides which offsets were given: far more than any
// number of rows that damaged blocks can hold, so that no offset is given twice.
const damageGap = 1 << 32

// beyondDamage finds the first entry after the damaged blocks at from: its last offset, which is its key, and its first. Both
// are end if there is none. Pebble takes up to seconds to refuse a damaged block (it looks for the bit that flipped), so this
// gallops to any place that can be read and walks back from there; entries between two damages close together may be passed over.
func (l *Log) beyondDamage(id types.PartitionID, from, end types.Offset) (key, next types.Offset) {
	for step := types.Offset(64); from+step > from && from+step < end; step *= 8 {
		if key, next, ok := l.walkBack(id, from, end, func(it *pebble.Iterator) bool { return it.SeekGE(entryKey(id, from+step)) }); ok {
			return key, next
		}
	}
	if key, next, ok := l.walkBack(id, from, end, (*pebble.Iterator).Last); ok {
		return key, next
	}
	return end, end
}

// walkBack positions an iterator and goes back from there to the first entry that can be read.
func (l *Log) walkBack(id types.PartitionID, from, end types.Offset, position func(*pebble.Iterator) bool) (key, next types.Offset, ok bool) {
	it, err := l.iterate(id, from, end)
	if err != nil {
		return 0, 0, false
	}
	for valid := position(it); valid; valid = it.Prev() {
		v, err := it.ValueAndErr()
		if err != nil {
			break
		}
		key, ok = entryLast(it.Key()), true
		next = key // of an entry whose header is damaged too
		if h, _, err := parseHeader(v); err == nil {
			next = h.first
		}
	}
	if err := it.Close(); err != nil && !pebble.IsCorruptionError(err) {
		return 0, 0, false
	}
	return key, next, ok
}

// recoverDamaged finds where a partition stands when its last entry cannot be read. It is the one case in which Open
// goes through a whole partition: the state is that of the last readable entry, the next offset is after all that
// may have been given.
func (l *Log) recoverDamaged(p *partition, cause error) error {
	const end = types.Offset(1<<64 - 1)
	l.opts.Logger.Errorf("log: the end of partition %s is damaged: %v", p.id, cause)
	next := p.assigned.next
	for from := p.start; from < end; {
		it, err := l.iterate(p.id, from, end)
		if err != nil {
			return err
		}
		for ok := it.SeekGE(entryKey(p.id, from)); ok; ok = it.Next() {
			v, err := it.ValueAndErr()
			if err != nil {
				break
			}
			from = entryLast(it.Key()) + 1
			if err := p.recoverFrom(v); err != nil {
				next = max(next, from)
			}
		}
		err = it.Error()
		if closeErr := it.Close(); err == nil && closeErr == nil {
			break
		}
		if !pebble.IsCorruptionError(err) {
			return err
		}
		if from, _ = l.beyondDamage(p.id, from, end); from == end {
			next = max(next, p.assigned.next+damageGap)
		}
	}
	p.assigned.next = max(p.assigned.next, next)
	return nil
}
