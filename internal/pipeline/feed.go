package pipeline

import (
	"slices"
	"sync"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Watcher is told what each published version changes in one view. Its methods are called by one goroutine at a time, which publishes: they must
// be quick, and must not call the Manager.
type Watcher interface {
	// Published tells of the version that follows the one that was told before, and of the rows that changed in the view, consolidated; nil is
	// none. The version is pinned during the call only: Retain keeps it longer.
	Published(v *Version, delta *zset.Batch)
	// Ended says, once, that there are no more versions that follow: the view was dropped, built anew, or its pipeline was opened again.
	Ended(reason string)
}

// watchers are those of a pipeline's views.
type watchers struct {
	// mu is held while a version is published, so that who begins to watch gets one version and is told of each one behind it. It guards of.
	mu sync.Mutex
	of map[types.ObjectID][]Watcher
}

// Watch returns the newest version that has a view, pinned, and tells w of each one that follows. Errors are those of Pin.
func (m *Manager) Watch(id types.ObjectID, w Watcher) (*Version, error) {
	m.mu.Lock()
	r := m.home[id]
	m.mu.Unlock()
	if r == nil {
		return m.Pin(id)
	}
	r.watchers.mu.Lock()
	v := r.cur.pin()
	if v != nil && v.View(id) != nil {
		if r.watchers.of == nil {
			r.watchers.of = map[types.ObjectID][]Watcher{}
		}
		r.watchers.of[id] = append(r.watchers.of[id], w)
		r.watchers.mu.Unlock()
		return v, nil
	}
	r.watchers.mu.Unlock()
	if v != nil {
		v.Release()
	}
	v, err := m.Pin(id)
	if err == nil {
		v.Release() // it came this moment
		err = types.Errorf(types.Unavailable, "the view is being shown for the first time").WithHint("ask again")
	}
	return nil, err
}

// Unwatch ends what Watch began: w is told nothing more once it returns.
func (m *Manager) Unwatch(id types.ObjectID, w Watcher) {
	m.mu.Lock()
	all := make([]*running, 0, len(m.pipelines))
	for _, r := range m.pipelines {
		all = append(all, r)
	}
	m.mu.Unlock()
	// The view may have moved to another pipeline since: there are few, and this is rare.
	for _, r := range all {
		r.watchers.remove(id, w)
	}
}

func (ws *watchers) remove(id types.ObjectID, w Watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	list := slices.DeleteFunc(ws.of[id], func(o Watcher) bool { return o == w })
	if len(list) == 0 {
		delete(ws.of, id)
		return
	}
	ws.of[id] = list
}

// show makes a version the newest and tells the watchers what has changed since the one before.
func (p *pipeline) show(v *Version) {
	p.watchers.mu.Lock()
	defer p.watchers.mu.Unlock()
	if p.fresh {
		p.watchers.end("the view was built anew")
		p.fresh = false
	}
	p.cur.publish(v)
	for _, shown := range p.views {
		delta := shown.delta
		shown.delta = nil
		for _, w := range p.watchers.of[shown.ID] {
			w.Published(v, delta)
		}
	}
	for id := range p.watchers.of {
		if v.View(id) == nil {
			p.watchers.endOf(id, "the view is not maintained any more")
		}
	}
}

// hide lets the published version go.
func (p *pipeline) hide() {
	p.watchers.mu.Lock()
	defer p.watchers.mu.Unlock()
	p.watchers.end("the view was stopped")
	p.cur.publish(nil)
}

// end lets all watchers go. mu is held, here and in endOf.
func (ws *watchers) end(reason string) {
	for id := range ws.of {
		ws.endOf(id, reason)
	}
}

func (ws *watchers) endOf(id types.ObjectID, reason string) {
	for _, w := range ws.of[id] {
		w.Ended(reason)
	}
	delete(ws.of, id)
}
