package op

import (
	"cmp"
	"encoding/binary"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// SessionChanges are what a step did to the sessions of an operator that gives them IDs, for the one that groups by them. Both belong to one
// circuit.
type SessionChanges struct {
	list []sessionChange
	// closed are the sessions that are final.
	closed []int64
}

// sessionChange are the bounds of a session that rows of the step came to or went from, before and after; had and has say that it was there.
type sessionChange struct {
	id       int64
	was, is  bounds
	had, has bool
	// grouped is set where the step changes a group of it.
	grouped bool
}

func (c *sessionChange) moved() bool { return c.had && c.has && !c.was.same(c.is) }

func (s *SessionChanges) reset() { s.list, s.closed = s.list[:0], s.closed[:0] }

// sessionIDs gives sessions their IDs.
type sessionIDs struct {
	changes *SessionChanges
	// counter is [0] -> the last ID (uvarint).
	counter state.Table
	next    uint64
	issued  bool
}

// NewSessionIDs returns the operator of SESSION like NewSession, but for window_start and window_end: in both a row has its session's ID, as µs
// of the time's type. A session keeps its ID while it grows; where some become one, it has the ID of the one with the most rows, and only
// the rows of the others change theirs. So a step's work goes by its own rows and by those that change their session. The session's bounds
// are in the changes, for NewSessionGroups.
func NewSessionIDs(w *plan.Window, in []types.Type, wmCol int, tables Tables) (Op, *SessionChanges, error) {
	o, err := newSession(w, in, wmCol, tables)
	if err != nil {
		return nil, nil, err
	}
	o.ids = &sessionIDs{changes: &SessionChanges{}, counter: tables()}
	o.store.closed = &o.ids.changes.closed
	return o, o.ids.changes, nil
}

func (s *sessionIDs) begin() {
	s.changes.reset()
	s.next, s.issued = 0, false
}

func (s *sessionIDs) issue() int64 {
	if !s.issued {
		s.issued = true
		if v, ok := s.counter.Get([]byte{0}); ok {
			s.next, _ = binary.Uvarint(v)
		}
	}
	s.next++
	return int64(s.next)
}

func (s *sessionIDs) end() {
	if s.issued {
		s.counter.Put([]byte{0}, binary.AppendUvarint(nil, s.next))
	}
}

// identify gives the session that a span has become the ID of the greatest that it was made of, or a new one.
func (o *session) identify(sp *span, now *bounds) {
	most := int64(-1)
	for i := sp.olds.head; i >= 0; i = o.spans.oldNext[i] {
		if old := &o.spans.olds[i]; old.rows > most {
			most, now.id = old.rows, old.id
		}
	}
	if most < 0 {
		now.id = o.ids.issue()
	}
}

// identifyAll gives the segments of a span IDs: the largest first, each that of the greatest session that overlaps it and is not taken.
func (o *session) identifyAll(sp *span) {
	order := make([]int, len(o.segments))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(o.segments[b].rows, o.segments[a].rows) })
	taken := map[int64]bool{}
	for _, at := range order {
		seg, most := &o.segments[at], int64(-1)
		for i := sp.olds.head; i >= 0; i = o.spans.oldNext[i] {
			if old := &o.spans.olds[i]; old.rows > most && !taken[old.id] && max(old.start, seg.start) <= min(old.last, seg.last) {
				most, seg.id = old.rows, old.id
			}
		}
		if most < 0 {
			seg.id = o.ids.issue()
		}
		taken[seg.id] = true
	}
}

// note records what has become of the sessions of a span.
func (o *session) note(sp *span) {
	if o.ids == nil {
		return
	}
	list := &o.ids.changes.list
	from := len(*list)
	for _, seg := range o.segments {
		*list = append(*list, sessionChange{id: seg.id, is: seg, has: true})
	}
	for i := sp.olds.head; i >= 0; i = o.spans.oldNext[i] {
		old := o.spans.olds[i]
		segments := (*list)[from : from+len(o.segments)]
		if at := slices.IndexFunc(segments, func(c sessionChange) bool { return c.id == old.id }); at >= 0 {
			segments[at].was, segments[at].had = old, true
			continue
		}
		*list = append(*list, sessionChange{id: old.id, was: old, had: true})
	}
}

// same reports whether rows of session a are rows of b without a change.
func (o *session) same(a, b bounds) bool {
	if o.ids != nil {
		return a.id == b.id
	}
	return a.same(b)
}

// windowOf returns the two last columns of a row of a session.
func (o *session) windowOf(s bounds) (start, end int64) {
	if o.ids != nil {
		return s.id, s.id
	}
	return s.start, s.last + o.gap
}

// idKey is how an ID begins the key of a group.
func idKey(dst []byte, id int64) []byte { return zset.AppendTime(dst, id) }
