package push

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Version is what is watched at one moment, pinned. Its methods may be called from any goroutine.
type Version interface {
	// Retain takes one more reference, Release gives one back.
	Retain()
	Release()
	Mark() Mark
	// Rows is the number of rows, each counted as often as its weight.
	Rows() int64
	// Scan returns some rows that pass the filter, at most limit; from is nil at the beginning, else the next of the call before, which is nil at
	// the end. A call may return no rows (nil) though there are more.
	Scan(f *Filter, from []byte, limit int) (rows *zset.Batch, next []byte)
}

// Sink takes the versions of a source. Its methods are called by one goroutine at a time, and are quick.
type Sink interface {
	// Published tells of the version that follows the last one and of the net change to it; a nil delta is none. The version is pinned during the
	// call only.
	Published(v Version, delta *zset.Batch)
	// Ended says that no version follows.
	Ended(reason string)
}

// Source is something that can be watched.
type Source interface {
	// Watch returns the newest version, pinned, and tells s of each one that follows.
	Watch(s Sink) (Version, error)
	// Unwatch ends that: s is told nothing once it returns.
	Unwatch(s Sink)
}

// step is one change of a feed. It is immutable.
type step struct {
	seq   uint64
	rows  *zset.Batch
	mark  Mark
	bytes int64
	at    time.Time
}

// feed is one thing that is watched.
type feed struct {
	hub    *Hub
	key    string
	shape  Shape
	nonce  uint64
	from   Source
	linger time.Duration
	// bell wakes the dispatcher.
	bell chan struct{}

	// mu guards what follows; it is held shortly, since what publishes waits for it.
	mu      sync.Mutex
	version Version
	mark    Mark
	ring    ring
	ended   bool
	reason  string

	// now is what all groups have been told of.
	now atomic.Pointer[moment]

	// grouping guards what follows; it is held while changes are dispatched. It is taken before mu.
	grouping sync.Mutex
	shapes   map[string]*grouping
	// dispatched is the last step that groups know.
	dispatched uint64
	over       bool

	// The hub's mu guards these: how many subscribe, and since when none does.
	subscribers int
	idleSince   time.Time
}

// moment is a mark, and the last change up to it.
type moment struct {
	seq  uint64
	mark Mark
}

func newFeed(h *Hub, key string, shape Shape, from Source) *feed {
	f := &feed{hub: h, key: key, shape: shape, from: from, bell: make(chan struct{}, 1), shapes: map[string]*grouping{}, ring: ring{first: 1}}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, as crypto/rand says
	f.nonce = binary.BigEndian.Uint64(b[:])
	return f
}

// open begins to watch.
func (f *feed) open() error {
	v, err := f.from.Watch(f)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.version != nil {
		v.Release() // a newer one came already
	} else {
		f.version, f.mark = v, v.Mark()
	}
	f.now.CompareAndSwap(nil, &moment{0, v.Mark()})
	return nil
}

// Published implements Sink.
func (f *feed) Published(v Version, delta *zset.Batch) {
	v.Retain()
	f.mu.Lock()
	old := f.version
	f.version, f.mark = v, v.Mark()
	if delta.Rows() > 0 {
		s := &step{seq: f.ring.last + 1, rows: delta, mark: f.mark, bytes: zset.Size(delta), at: f.hub.Now()}
		f.hub.bytes.Add(f.ring.push(s, f.hub.share()))
		f.hub.steps.Add(1)
	}
	f.mu.Unlock()
	if old != nil {
		old.Release()
	}
	f.wake()
}

// wake wakes the dispatcher.
func (f *feed) wake() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

// Ended implements Sink.
func (f *feed) Ended(reason string) {
	f.mu.Lock()
	if !f.ended {
		f.ended, f.reason = true, reason
	}
	f.mu.Unlock()
	f.wake()
}

// run dispatches what is published to the groups, until the feed has ended.
func (f *feed) run() {
	for range f.bell {
		if f.dispatch() {
			f.from.Unwatch(f)
			f.hub.forget(f)
			f.drop()
			return
		}
	}
}

// dispatch tells the groups what has come; true once the feed has ended.
func (f *feed) dispatch() (over bool) {
	f.grouping.Lock()
	defer f.grouping.Unlock()
	f.mu.Lock()
	steps, complete := f.ring.after(f.dispatched)
	now, ended, reason := &moment{f.ring.last, f.mark}, f.ended, f.reason
	f.mu.Unlock()
	for _, g := range f.shapes {
		if !complete {
			g.lose(now.seq)
			continue
		}
		for _, s := range steps {
			g.dispatch(f, s)
		}
	}
	f.dispatched = now.seq
	for _, g := range f.shapes {
		g.wake()
	}
	f.now.Store(now) // behind the groups: who sees it and finds nothing in its group has missed nothing
	if ended && !f.over {
		f.over = true
		for _, g := range f.shapes {
			g.end(reason)
		}
	}
	return f.over
}

// drop gives back what the feed holds.
func (f *feed) drop() {
	f.mu.Lock()
	v := f.version
	f.version = nil
	f.hub.bytes.Add(-f.ring.clear())
	f.mu.Unlock()
	if v != nil {
		v.Release()
	}
}

// pin returns the newest version, retained, and the last change up to it; ok is false where the feed has ended.
func (f *feed) pin() (v Version, seq uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.version == nil {
		return nil, 0, false
	}
	f.version.Retain()
	return f.version, f.ring.last, true
}

// trim makes the ring fit its share.
func (f *feed) trim(share int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hub.bytes.Add(f.ring.trim(share))
}

// join finds or makes the group of a filter.
func (f *feed) join(filter Filter) (*group, error) {
	f.grouping.Lock()
	defer f.grouping.Unlock()
	shape := filter.shape()
	s := f.shapes[shape]
	if s == nil {
		if len(f.shapes) >= maxShapes {
			return nil, types.Errorf(types.TooManyRequests, "rows are picked by %d different sets of columns already; that is the limit", len(f.shapes)).
				WithHint("pick rows by columns that others pick by, too")
		}
		s = &grouping{filter: filter, groups: map[string]*group{}}
		f.shapes[shape] = s
	}
	g := s.groups[filter.key]
	if g == nil {
		f.mu.Lock()
		base := f.ring.last
		f.mu.Unlock()
		g = newGroup(filter, base)
		if f.over {
			g.state.Store(&groupState{base: base, ended: true, reason: f.reason, changed: make(chan struct{})})
		}
		s.groups[filter.key] = g
	}
	g.members++
	return g, nil
}

// leave takes a member out of its group.
func (f *feed) leave(g *group) {
	f.grouping.Lock()
	defer f.grouping.Unlock()
	if g.members--; g.members > 0 {
		return
	}
	shape := g.filter.shape()
	s := f.shapes[shape]
	delete(s.groups, g.filter.key)
	if len(s.groups) == 0 {
		delete(f.shapes, shape)
	}
}
