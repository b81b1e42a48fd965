package pebblelog

import (
	"sort"

	"leat/internal/bus"
	"leat/internal/types"
)

// tail is the newest decoded entries of a partition, without gaps up to its end.
type tail struct {
	entries []tailEntry
}

type tailEntry struct {
	*bus.Entry
	bytes int
}

// find returns the entries from the one that holds from, up to about maxBytes, and whether the tail reaches back to from.
func (t *tail) find(from types.Offset, maxBytes int) ([]*bus.Entry, bool) {
	if len(t.entries) == 0 || from < t.entries[0].First {
		return nil, false
	}
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].Next > from })
	var out []*bus.Entry
	for n := 0; i < len(t.entries) && (n < maxBytes || len(out) == 0); i++ {
		out = append(out, t.entries[i].Entry)
		n += t.entries[i].bytes
	}
	return out, true
}

// tails bounds the tails of all partitions together: the entry that was published first goes first.
type tails struct {
	limit, bytes int64
	order        []*partition // one element per kept entry, oldest first from head
	head         int
}

// add appends an entry to its partition's tail and lets the oldest go. The caller holds Log.mu.
func (t *tails) add(p *partition, e *bus.Entry, bytes int) {
	bytes += 256 // the entry itself, roughly
	if t.limit <= 0 {
		return
	}
	p.tail.entries = append(p.tail.entries, tailEntry{e, bytes})
	t.order = append(t.order, p)
	t.bytes += int64(bytes)
	for t.bytes > t.limit && t.head < len(t.order) {
		t.pop(t.order[t.head])
		t.order[t.head] = nil
		t.head++
	}
	if t.head > 1024 && t.head > len(t.order)/2 {
		t.order = append(t.order[:0], t.order[t.head:]...)
		t.head = 0
	}
}

// pop drops the partition's oldest entry; one that was cleared has none left.
func (t *tails) pop(p *partition) {
	if len(p.tail.entries) == 0 {
		return
	}
	t.bytes -= int64(p.tail.entries[0].bytes)
	p.tail.entries[0] = tailEntry{}
	p.tail.entries = p.tail.entries[1:]
}

// drop empties a partition's tail below an offset. The caller holds Log.mu.
func (t *tails) drop(p *partition, below types.Offset) {
	n := 0
	for len(p.tail.entries) > 0 && p.tail.entries[0].Next <= below {
		t.pop(p)
		n++
	}
	if n == 0 {
		return
	}
	kept := t.order[t.head:t.head]
	for _, q := range t.order[t.head:] {
		if q == p && n > 0 {
			n--
			continue
		}
		kept = append(kept, q)
	}
	clear(t.order[t.head+len(kept):])
	t.order = t.order[:t.head+len(kept)]
}
