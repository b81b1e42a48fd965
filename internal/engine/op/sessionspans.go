package op

import (
	"slices"
	"sort"

	"leat/internal/types"
)

// sessionSpans are the sessions of one key that a step may change, in memory.
type sessionSpans struct {
	gap int64
	// list is in the order of time. Spans don't overlap; two are at most gap apart only where the first was final when the second began.
	list []span
	// rowNext chains the rows of a span, oldNext the stored sessions that it was made of (ascending).
	rowNext, oldNext []int32
	olds             []bounds
}

// chain is a list in rowNext or oldNext; head is -1 for none.
type chain struct{ head, tail int32 }

// span is a session being changed.
type span struct {
	start, last int64
	rows, olds  chain
	// retracts is set where a row goes away.
	retracts bool
}

var none = chain{-1, -1}

func (c *chain) append(next []int32, i int32) {
	next[i] = -1
	if c.head < 0 {
		c.head = i
	} else {
		next[c.tail] = i
	}
	c.tail = i
}

func (c *chain) concat(next []int32, d chain) {
	switch {
	case d.head < 0:
	case c.head < 0:
		*c = d
	default:
		next[c.tail] = d.head
		c.tail = d.tail
	}
}

// begin makes s ready for another key with that many rows.
func (s *sessionSpans) begin(rows int) {
	s.list, s.olds, s.oldNext = s.list[:0], s.olds[:0], s.oldNext[:0]
	if cap(s.rowNext) < rows {
		s.rowNext = make([]int32, rows)
	}
	s.rowNext = s.rowNext[:rows]
}

// loaded adds a stored session; they come in the order of time.
func (s *sessionSpans) loaded(b bounds) {
	i := int32(len(s.olds))
	s.olds, s.oldNext = append(s.olds, b), append(s.oldNext, -1)
	s.list = append(s.list, span{start: b.start, last: b.last, rows: none, olds: chain{i, i}})
}

// from returns the first span whose last time is t or later.
func (s *sessionSpans) from(t int64) int {
	n := len(s.list)
	if n > 0 && s.list[n-1].last < t {
		return n
	}
	if n == 1 || n > 1 && s.list[n-2].last < t {
		return n - 1
	}
	return sort.Search(n, func(i int) bool { return s.list[i].last >= t })
}

// add puts row n at time t into the spans that it touches and that are not final at watermark wm. The row is not late itself, so final spans
// that it touches are before it.
func (s *sessionSpans) add(n int32, t, wm int64) {
	i := s.from(t - s.gap)
	if wm != types.NoWatermark {
		for i < len(s.list) && s.list[i].last+s.gap <= wm {
			i++
		}
	}
	j := i
	for j < len(s.list) && s.list[j].start <= t+s.gap {
		j++
	}
	if i == j {
		s.list = slices.Insert(s.list, i, span{start: t, last: t, rows: none, olds: none})
		j++
	}
	sp := &s.list[i]
	for k := i + 1; k < j; k++ {
		d := &s.list[k]
		sp.rows.concat(s.rowNext, d.rows)
		sp.olds.concat(s.oldNext, d.olds)
		sp.last = d.last
	}
	sp.start, sp.last = min(sp.start, t), max(sp.last, t)
	sp.rows.append(s.rowNext, n)
	if j > i+1 {
		s.list = slices.Delete(s.list, i+1, j)
	}
}

// remove notes that row n at time t goes away; false if no span has that time.
func (s *sessionSpans) remove(n int32, t int64) bool {
	i := s.from(t)
	if i == len(s.list) || s.list[i].start > t {
		return false
	}
	s.list[i].rows.append(s.rowNext, n)
	s.list[i].retracts = true
	return true
}

// oldAt returns the stored session of sp that t was in.
func (s *sessionSpans) oldAt(sp *span, t int64) (bounds, bool) {
	for i := sp.olds.head; i >= 0; i = s.oldNext[i] {
		if b := s.olds[i]; b.start <= t && t <= b.last {
			return b, true
		}
	}
	return bounds{}, false
}

// segmentAt returns the session of an ascending list that t is in; there is one.
func segmentAt(list []bounds, t int64) bounds {
	return list[sort.Search(len(list), func(i int) bool { return list[i].last >= t })]
}
