package pebblelog

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/bus"
)

// SyncBuckets is the number of buckets of Metrics.SyncLatency.
const SyncBuckets = 24

// Metrics is what the log counts since it was opened, and where it stands.
type Metrics struct {
	Appends, Rows, Entries, Marks int64
	// Bytes is what was given to Pebble, keys included.
	Bytes int64
	// Groups counts commits; Appends / Groups is what one fsync served.
	Groups int64
	// SyncLatency counts groups by the time from the write to the fsync's end: bucket i is under 2^i microseconds, the last
	// one everything else. SyncSum is the sum of those times.
	SyncLatency [SyncBuckets]int64
	SyncSum     time.Duration
	// QueueLength and QueueBytes are the appends that wait now.
	QueueLength, QueueBytes int
	// TailHits and TailMisses count reads served from memory and from Pebble; TailBytes is the tail's size now.
	TailHits, TailMisses, TailBytes int64
	// FutureRows had event times too far ahead to move the watermark.
	FutureRows int64
	// Duplicates are appends answered from memory of an earlier one; DedupKeys is how many keys are remembered.
	Duplicates, DedupKeys int64
	// DiskBytes is what the log's files take; WriteAmplification is the bytes written to tables per byte that left the memtables.
	DiskBytes          int64
	WriteAmplification float64
}

type counters struct {
	appends, rows, entries, marks, bytes, groups, syncSum atomic.Int64
	tailHits, tailMisses, future, duplicates, dedupKeys   atomic.Int64
	syncs                                                 [SyncBuckets]atomic.Int64
}

// group counts a group that became durable.
func (c *counters) group(g *group, took time.Duration) {
	if len(g.entries) == 0 {
		return
	}
	c.groups.Add(1)
	c.appends.Add(int64(len(g.acks)))
	c.rows.Add(int64(g.rows))
	c.entries.Add(int64(len(g.entries)))
	c.marks.Add(int64(g.marks))
	c.future.Add(int64(g.future))
	for _, n := range g.entries {
		c.bytes.Add(int64(n.stored))
	}
	if g.sync {
		c.syncSum.Add(int64(took))
		c.syncs[min(bits.Len64(uint64(max(took.Microseconds(), 0))), SyncBuckets-1)].Add(1)
	}
}

// Metrics returns the present figures.
func (l *Log) Metrics() Metrics {
	c := &l.count
	m := Metrics{
		Appends: c.appends.Load(), Rows: c.rows.Load(), Entries: c.entries.Load(), Marks: c.marks.Load(), Bytes: c.bytes.Load(),
		Groups: c.groups.Load(), SyncSum: time.Duration(c.syncSum.Load()), TailHits: c.tailHits.Load(), TailMisses: c.tailMisses.Load(),
		FutureRows: c.future.Load(), Duplicates: c.duplicates.Load(), DedupKeys: c.dedupKeys.Load(),
	}
	for i := range m.SyncLatency {
		m.SyncLatency[i] = c.syncs[i].Load()
	}
	m.QueueLength, m.QueueBytes = l.queue.depth()
	l.mu.RLock()
	m.TailBytes = l.tails.bytes
	l.mu.RUnlock()
	if l.enter() == nil {
		defer l.leave()
		p := l.db.Metrics()
		m.DiskBytes = int64(p.DiskSpaceUsage())
		m.WriteAmplification = l.writeAmp(p)
	}
	return m
}

func (l *Log) writeAmp(m *pebble.Metrics) float64 {
	total := m.Total()
	return total.WriteAmp()
}

var _ bus.Log = (*Log)(nil)
