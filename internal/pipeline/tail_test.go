package pipeline

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"leat/internal/bus"
	"leat/internal/types"
)

// countingLog counts what is read of a log.
type countingLog struct {
	bus.Log
	reads atomic.Int64
}

func (l *countingLog) Read(ctx context.Context, p types.PartitionID, from types.Offset, most int) ([]*bus.Entry, error) {
	entries, err := l.Log.Read(ctx, p, from, most)
	if len(entries) > 0 {
		l.reads.Add(1)
	}
	return entries, err
}

// Pipelines that are at the end of the log read it once together.
func TestTailIsShared(t *testing.T) {
	w := newWorld(t, settings{})
	log := &countingLog{}
	w.restart(settings{options: func(o *Options) { log.Log, o.Log = o.Log, log }})
	var defs []Definition
	for i := range 50 {
		defs = append(defs, define(t, types.ObjectID(200+i), fmt.Sprintf("v%d", i), above(scan(streamA), 1, int64(i%8))))
	}
	w.set(defs...)
	w.run()
	w.await("the views are live", w.isLive(defs))
	const appends = 40
	before := log.reads.Load()
	for range appends {
		w.put(streamA, 0, w.random(streamA, 20)...)
		w.settle(ids(defs)...)
	}
	if n := log.reads.Load() - before; n > appends {
		t.Errorf("%d reads of %d appends by %d pipelines", n, appends, len(defs))
	}
	for _, d := range defs[:8] {
		w.check(d)
	}
}

// What has left the ring is read alone, and the ring stays what it is.
func TestTailRing(t *testing.T) {
	w := newWorld(t, settings{})
	id := types.PartitionID{Stream: streamA.ID}
	for range 50 {
		w.put(streamA, 0, w.random(streamA, 10)...)
	}
	ring := newTail(w.log, 2000)
	for from := types.Offset(0); from < 500; {
		entries, err := ring.read(background, id, from, 500)
		if err != nil || len(entries) == 0 || entries[0].First > from {
			t.Fatalf("at %d: %v %v", from, entries, err)
		}
		from = entries[len(entries)-1].Next
	}
	r := ring.rings[id]
	if r.bytes > 2000 || len(r.entries) == 0 || r.entries[len(r.entries)-1].Next != 500 {
		t.Errorf("%d entries of %d bytes", len(r.entries), r.bytes)
	}
	first := r.entries[0].First
	if entries, err := ring.read(background, id, 5, 100); err != nil || len(entries) == 0 || entries[0].First > 5 || r.entries[0].First != first {
		t.Errorf("behind the ring: %v %v", entries, err)
	}
	if entries, err := ring.read(background, id, 500, 100); err != nil || len(entries) != 0 {
		t.Errorf("at the end: %v %v", entries, err)
	}
	ring.keep(func(types.PartitionID) bool { return false })
	if len(ring.rings) != 0 {
		t.Error("a ring that nobody reads is kept")
	}
}
