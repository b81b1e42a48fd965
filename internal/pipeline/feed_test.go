package pipeline

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/types"
)

// observer adds up what it is told, and compares that with each version.
type observer struct {
	*testing.T
	id    types.ObjectID
	mu    sync.Mutex // guards what follows
	rows  *zsettest.Model
	at    types.Position
	told  int
	ended string
	early []func() // what was told before the first version was known
}

// watch begins to watch until that succeeds.
func (w *world) watch(id types.ObjectID) *observer {
	o := &observer{T: w.T, id: id}
	w.await("the view can be watched", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		v, err := w.watchHeld(id, o)
		if err != nil {
			return false
		}
		defer v.Release()
		o.rows, o.at = rowsIn(v.View(id)), v.Position
		for _, f := range o.early {
			f()
		}
		return true
	})
	return o
}

// watchHeld lets the observer's lock go while the Manager may call it.
func (w *world) watchHeld(id types.ObjectID, o *observer) (*Version, error) {
	o.mu.Unlock()
	defer o.mu.Lock()
	return w.m.Watch(id, o)
}

// Published implements Watcher.
func (o *observer) Published(v *Version, delta *zset.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v.Retain()
	take := func() {
		defer v.Release()
		if !reaches(v.Position, o.at) {
			o.Errorf("view %d went back from %v to %v", o.id, o.at, v.Position)
		}
		o.rows.Apply(delta)
		o.at = v.Position
		o.told++
		if diff := o.rows.Diff(rowsIn(v.View(o.id))); diff != "" {
			o.Errorf("what watchers of view %d were told is not the version at %v:\n%s", o.id, v.Position, diff)
		}
	}
	if o.rows == nil {
		o.early = append(o.early, take)
		return
	}
	take()
}

// Ended implements Watcher.
func (o *observer) Ended(reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended != "" {
		o.Errorf("view %d ended twice: %s, %s", o.id, o.ended, reason)
	}
	o.ended = reason
}

func (o *observer) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended != ""
}

// What watchers are told adds up to the view at each version, while views come and go and sessions fail.
func TestWatch(t *testing.T) {
	var fail atomic.Bool
	w := newWorld(t, settings{quiet: true, fault: func(point string) error {
		if point == "after apply" && fail.CompareAndSwap(true, false) {
			return errors.New("a test")
		}
		return nil
	}})
	defs := family(t)
	w.set(defs...)
	if _, err := w.m.Watch(100, &observer{T: t}); !types.HasCode(err, types.Unavailable) {
		t.Errorf("a view that is not complete: %v", err)
	}
	if _, err := w.m.Watch(999, &observer{T: t}); !types.HasCode(err, types.NotFound) {
		t.Errorf("no view: %v", err)
	}
	w.run()
	w.feed(30)
	w.settle(ids(defs)...)
	w.await("the views are live", w.isLive(defs))
	watching := map[types.ObjectID]*observer{}
	for _, d := range defs {
		watching[d.ID] = w.watch(d.ID)
	}
	late := 0
	for i := range 60 {
		w.feed(20)
		if i == 20 || i == 40 { // a third failure of one pipeline would be its last
			fail.Store(true)
			w.feed(20)
			w.settle(ids(defs)...)
		}
		for id, o := range watching {
			if o.over() {
				late++
				watching[id] = w.watch(id)
			}
		}
	}
	w.settle(ids(defs)...)
	told := 0
	for id, o := range watching {
		w.await("the watcher has the newest version", func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			v, err := w.m.Pin(id)
			if err != nil {
				return false
			}
			defer v.Release()
			return o.ended != "" || reaches(o.at, v.Position)
		})
		told += o.told
	}
	if told == 0 || late == 0 {
		t.Errorf("%d versions were told, %d sessions failed: that proves nothing", told, late)
	}
	gone := watching[defs[len(defs)-1].ID]
	w.set(defs[:len(defs)-1]...)
	if !gone.over() {
		t.Error("the watcher of a view that was dropped was not told")
	}
	unwatched := w.watch(defs[0].ID)
	w.m.Unwatch(defs[0].ID, unwatched)
	unwatched.mu.Lock()
	before := unwatched.told
	unwatched.mu.Unlock()
	w.feed(20)
	w.settle(defs[0].ID)
	if unwatched.told != before {
		t.Error("a watcher was told after it had ended")
	}
}
