package push

import (
	"sync"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// maxNets is how many net changes one state of a group keeps for others that are as far behind; further ones are made for each alone.
const maxNets = 4

// netChanges keep the net changes up to one state, by where they begin.
type netChanges struct {
	mu     sync.Mutex // guards events, and is held while one is made, so that those who are equally late make it once
	events map[uint64]*Event
}

// net is what has changed for a group from a step's end to the state's end: nil for nothing. ok is false where the ring has not all of it.
func (f *feed) net(g *group, st *groupState, from uint64) (e *Event, ok bool) {
	st.net.mu.Lock()
	e, found := st.net.events[from]
	if found || len(st.net.events) >= maxNets {
		st.net.mu.Unlock()
		if found {
			return e, true
		}
		return f.makeNet(g, st, from)
	}
	defer st.net.mu.Unlock()
	if e, ok = f.makeNet(g, st, from); ok {
		if st.net.events == nil {
			st.net.events = map[uint64]*Event{}
		}
		st.net.events[from] = e
	}
	return e, ok
}

// makeNet computes what net returns.
func (f *feed) makeNet(g *group, st *groupState, from uint64) (e *Event, ok bool) {
	f.mu.Lock()
	steps, ok := f.ring.after(from)
	f.mu.Unlock()
	if !ok {
		return nil, false
	}
	var last *step
	var parts []*zset.Batch
	for _, s := range steps {
		if s.seq > st.end() {
			break
		}
		last = s
		parts = append(parts, g.filter.Keep(s.rows))
	}
	f.hub.conflated.Add(int64(len(parts)))
	if rows := zset.Consolidate(zset.Concat(columnTypes(f.shape.Columns), parts...)); rows != nil {
		e = f.changes(g, st.end(), last, rows)
	}
	return e, true
}

func columnTypes(columns []types.Column) []types.Type {
	ts := make([]types.Type, len(columns))
	for i, c := range columns {
		ts[i] = c.Type
	}
	return ts
}
