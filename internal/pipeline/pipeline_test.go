package pipeline

import (
	"sync"
	"sync/atomic"
	"testing"

	"leat/internal/types"
)

func (w *world) checkAll(defs []Definition) {
	w.Helper()
	for i, d := range defs {
		w.check(d, defs[:i]...)
	}
}

// Views equal their queries over what they have read, at every version, while rows come; children and parents at one cut.
func TestIncrementalEqualsRecompute(t *testing.T) {
	w := newWorld(t, settings{})
	defs := family(t)
	for range 30 {
		w.feed(50)
	}
	w.set(defs...)
	w.run()
	w.settle(ids(defs)...)
	var stop atomic.Bool
	var readers sync.WaitGroup
	readers.Go(func() {
		for !stop.Load() {
			for i, d := range defs {
				if v, err := w.m.Pin(d.ID); err == nil {
					w.checkVersion(v, d, defs[:i]...)
					v.Release()
				}
			}
		}
	})
	for range 150 {
		w.feed(30)
	}
	stop.Store(true)
	readers.Wait()
	w.settle(ids(defs)...)
	w.checkAll(defs)
	for id, s := range w.m.Status() {
		if s.State != Live || s.Error != "" && id != 120 || s.Lag != 0 { // some times are NULL
			t.Errorf("view %d: %+v", id, s)
		}
	}
}

// A shutdown commits; what comes after reads on from there, and from the log if it was not committed.
func TestRestart(t *testing.T) {
	w := newWorld(t, settings{})
	defs := family(t)
	for range 5 {
		for range 20 {
			w.feed(40)
		}
		w.set(defs...)
		w.run()
		w.settle(ids(defs)...)
		w.checkAll(defs)
		w.halt()
		for _, id := range []uint32{0, 1} {
			p := types.PartitionID{Stream: streamA.ID, Index: id}
			b, err := w.log.Bounds(p)
			if err != nil {
				t.Fatal(err)
			}
			if next, ok := w.m.Durable(p); !ok || next != b.End {
				t.Errorf("durable %d %v, the log ends at %d", next, ok, b.End)
			}
		}
		w.restart(settings{})
	}
}
