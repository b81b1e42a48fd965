package pipeline

import (
	"context"
	"errors"
	"sort"
	"sync"
	"sync/atomic"

	"leat/internal/bus"
	"leat/internal/types"
)

// DefaultTailBytes is about how much decoded log all pipelines share.
const DefaultTailBytes = 64 << 20

// tail is the newest part of the log, decoded once for all pipelines: a ring of entries per partition. Who asks for what has left the
// ring reads the log alone.
type tail struct {
	log   bus.Log
	bytes int

	// mu guards rings.
	mu    sync.Mutex
	rings map[types.PartitionID]*ring

	// changes numbers the contents of views: pipelines share it with the tail.
	changes atomic.Uint64
}

// ring holds entries that follow one another.
type ring struct {
	// mu is held while the log is read at the ring's end, so that one reader decodes and the others wait for it.
	mu      sync.Mutex
	entries []*bus.Entry
	bytes   int
}

func newTail(log bus.Log, bytes int) *tail {
	if bytes <= 0 {
		bytes = DefaultTailBytes
	}
	return &tail{log: log, bytes: bytes, rings: map[types.PartitionID]*ring{}}
}

// read returns whole entries from the one that holds offset from, as bus.Log.Read does.
func (t *tail) read(ctx context.Context, p types.PartitionID, from types.Offset, maxBytes int) ([]*bus.Entry, error) {
	r, share := t.ring(p)
	r.mu.Lock()
	if found := r.find(from, maxBytes); found != nil {
		r.mu.Unlock()
		return found, nil
	}
	if n := len(r.entries); n > 0 && from < r.entries[n-1].Next {
		// Behind the ring.
		r.mu.Unlock()
		return t.log.Read(ctx, p, from, maxBytes)
	}
	defer r.mu.Unlock()
	entries, err := t.log.Read(ctx, p, from, maxBytes)
	if err != nil {
		return nil, err
	}
	r.add(from, entries, share)
	return entries, nil
}

// ring returns a partition's ring and its share of the memory.
func (t *tail) ring(p types.PartitionID) (*ring, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rings[p]
	if r == nil {
		r = &ring{}
		t.rings[p] = r
	}
	return r, t.bytes / len(t.rings)
}

// keep drops the rings of the partitions that nobody reads.
func (t *tail) keep(read func(types.PartitionID) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.rings {
		if !read(p) {
			delete(t.rings, p)
		}
	}
}

// find returns the entries from an offset that the ring holds, nil if it doesn't hold it.
func (r *ring) find(from types.Offset, maxBytes int) []*bus.Entry {
	n := len(r.entries)
	if n == 0 || from < r.entries[0].First || from >= r.entries[n-1].Next {
		return nil
	}
	i := sort.Search(n, func(i int) bool { return r.entries[i].Next > from })
	j := i
	for size := 0; j < n && (j == i || size < maxBytes); j++ {
		size += entryBytes(r.entries[j])
	}
	return r.entries[i:j:j]
}

// add appends what was read from an offset at the ring's end or beyond; beyond, the ring starts anew: it has no holes. The oldest entries
// make room.
func (r *ring) add(from types.Offset, entries []*bus.Entry, limit int) {
	if len(entries) == 0 {
		return
	}
	if n := len(r.entries); n > 0 && from != r.entries[n-1].Next {
		r.entries, r.bytes = nil, 0
	}
	for _, e := range entries {
		r.bytes += entryBytes(e)
	}
	r.entries = append(r.entries, entries...)
	drop := 0
	for drop < len(r.entries)-1 && r.bytes > limit {
		r.bytes -= entryBytes(r.entries[drop])
		drop++
	}
	if drop > 0 {
		// A copy, so that dropped entries are freed; those who read them still hold their own slices.
		r.entries = append([]*bus.Entry(nil), r.entries[drop:]...)
	}
}

func entryBytes(e *bus.Entry) int {
	if e.Batch == nil {
		return 64
	}
	return 64 + e.Batch.Bytes()
}

// readable reads past damage and trimmed entries: it returns the entries, the offset that it came to where there are none, and how many such
// gaps it passed.
func (t *tail) readable(ctx context.Context, p types.PartitionID, from types.Offset, maxBytes int) (entries []*bus.Entry, at types.Offset, gaps int, err error) {
	for {
		entries, err = t.read(ctx, p, from, maxBytes)
		var damaged *bus.CorruptError
		var trimmed *bus.TrimmedError
		switch {
		case errors.As(err, &damaged):
			from, gaps = damaged.Next, gaps+1
		case errors.As(err, &trimmed):
			from, gaps = trimmed.Start, gaps+1
		default:
			return entries, from, gaps, err
		}
	}
}
