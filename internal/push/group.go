package push

import (
	"sync/atomic"

	"leat/internal/engine/zset"
)

// maxShared is how many of its newest changes a group keeps ready for all of its subscribers: who is further behind gets the net change.
const maxShared = 8

// grouping are the groups of subscribers whose filters look at the same columns: a change finds those that it concerns by one look-up a row,
// however many there are. The feed's grouping guards it.
type grouping struct {
	filter Filter // of any of them, for its columns
	groups map[string]*group
	// touched are the groups whose state is to be shown.
	touched []*group
}

// group are the subscribers that see the same rows.
type group struct {
	filter Filter
	sum    uint32
	state  atomic.Pointer[groupState]
	// members is how many there are, pending the changes that are to be shown; the feed's grouping guards both.
	members int
	pending []touch
}

// groupState is what a group knows; it is immutable but for the caches.
type groupState struct {
	// Of the changes behind base that concern the group, touches has all.
	base    uint64
	touches []touch
	ended   bool
	reason  string
	// changed is closed when another state takes this one's place.
	changed  chan struct{}
	progress atomic.Pointer[progress]
	net      netChanges
}

// touch is a change that concerns a group.
type touch struct {
	seq   uint64
	event *Event
}

// progress is an event that many share, of one moment.
type progress struct {
	at    *moment
	event *Event
}

// end is the last change that the state has.
func (s *groupState) end() uint64 {
	if n := len(s.touches); n > 0 {
		return max(s.base, s.touches[n-1].seq)
	}
	return s.base
}

func newGroup(filter Filter, base uint64) *group {
	g := &group{filter: filter, sum: filter.sum()}
	g.state.Store(&groupState{base: base, changed: make(chan struct{})})
	return g
}

// dispatch notes a step in the groups that it concerns.
func (g *grouping) dispatch(f *feed, s *step) {
	switch {
	case g.filter.none:
		return
	case g.filter.All():
		for _, to := range g.groups {
			g.touch(f, to, s, s.rows)
		}
		return
	}
	cols := g.filter.pick(s.rows)
	rows := map[*group][]int32{}
	var order []*group
	var key []byte
	for i := range s.rows.N {
		key = g.filter.codec.Append(key[:0], cols, i)
		to := g.groups[string(key)]
		if to == nil {
			continue
		}
		if rows[to] == nil {
			order = append(order, to)
		}
		rows[to] = append(rows[to], int32(i))
	}
	for _, to := range order {
		g.touch(f, to, s, zset.GatherBatch(s.rows, rows[to]))
	}
}

func (g *grouping) touch(f *feed, to *group, s *step, rows *zset.Batch) {
	if s.seq <= to.state.Load().base {
		return // those who subscribe have it in their snapshots
	}
	if len(to.pending) == 0 {
		g.touched = append(g.touched, to)
	}
	to.pending = append(to.pending, touch{s.seq, f.changes(to, s.seq, s, rows)})
}

// changes makes an event of the rows that changed up to a step.
func (f *feed) changes(g *group, seq uint64, last *step, rows *zset.Batch) *Event {
	return &Event{Kind: Changes, Shape: f.shape, Rows: rows, Mark: last.mark, ID: f.id(g, seq, last.mark), at: last.at}
}

func (f *feed) id(g *group, seq uint64, m Mark) string {
	return id{nonce: f.nonce, seq: seq, filter: g.sum, position: m.Position}.String()
}

// wake shows the subscribers what was noted.
func (g *grouping) wake() {
	for _, to := range g.touched {
		old := to.state.Load()
		next := &groupState{base: old.base, changed: make(chan struct{})}
		next.touches = append(append(make([]touch, 0, len(old.touches)+len(to.pending)), old.touches...), to.pending...)
		if n := len(next.touches) - maxShared; n > 0 {
			next.base = next.touches[n-1].seq
			next.touches = next.touches[n:]
		}
		to.pending = nil
		to.show(old, next)
	}
	clear(g.touched)
	g.touched = g.touched[:0]
}

func (g *group) show(old, next *groupState) {
	g.state.Store(next)
	close(old.changed)
}

// lose tells all groups that changes up to seq were not dispatched: they have to be read from the ring.
func (g *grouping) lose(seq uint64) {
	for _, to := range g.groups {
		old := to.state.Load()
		to.pending = nil
		to.show(old, &groupState{base: max(seq, old.base), changed: make(chan struct{})})
	}
	g.touched = g.touched[:0]
}

// end tells all groups that nothing follows.
func (g *grouping) end(reason string) {
	for _, to := range g.groups {
		old := to.state.Load()
		to.show(old, &groupState{base: old.base, touches: old.touches, ended: true, reason: reason, changed: make(chan struct{})})
	}
}
