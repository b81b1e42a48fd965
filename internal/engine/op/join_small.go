package op

import (
	"bytes"
	"sort"

	"leat/internal/engine/zset"
	"leat/internal/state"
)

// A probe asks for one key after the other, which is much work where the other side has few rows: then all of them are read instead, and each
// looks for its key among those of the change.
const (
	// fewGroups are as many as are quickly asked for one by one.
	fewGroups = 48
	// smallShare is how many rows of the other side stand against a hundred groups of the change at most.
	smallShare = 25
	// maxSkips is how many changes at most go by until the other side, once found large, is tried again.
	maxSkips = 256
)

// smallSide says when a side is tried.
type smallSide struct{ skips, left int }

// try reports whether this is the change with which to try.
func (s *smallSide) try() bool {
	if s.left > 0 {
		s.left--
		return false
	}
	return true
}

func (s *smallSide) failed() {
	s.skips = min(max(2*s.skips, 1), maxSkips)
	s.left = s.skips
}

// small reads the rows of the other side that may match the change, if they are few beside its groups; else it finds nothing and returns
// false.
func (p *joinProbe) small(x *Context) (done bool, err error) {
	o := p.s.other
	most := p.groups.len() * p.share / 100
	if most < p.least || !o.small.try() {
		return false, nil
	}
	p.lower, p.upper = p.lower[:0], p.upper[:0]
	if p.s.bucket > 0 {
		p.reach()
	}
	if !p.few(most) {
		o.small.failed()
		return false, nil
	}
	o.small.skips = 0
	it := o.rows.Scan(p.lower, unbounded(p.upper))
	for it.Next() {
		p.match(it.Key(), state.WeightOf(it.Value()))
		if p.full() {
			if err := p.end(x); err != nil {
				it.Close()
				return true, err
			}
		}
	}
	return true, nil
}

// reach sets lower and upper to the first and behind the last bucket that rows of the change are in reach of.
func (p *joinProbe) reach() {
	times := p.delta.Cols[p.s.time].I64
	low, high, any := int64(0), int64(0), false
	for _, row := range p.groups.rows {
		t := times[row]
		if !any {
			low, high, any = t, t, true
		}
		low, high = min(low, t), max(high, t)
	}
	size := p.s.bucket
	p.lower = appendOrdered(p.lower, floorDiv(addSaturated(low, p.s.lower), size))
	p.upper = appendOrdered(p.upper, floorDiv(addSaturated(high, p.s.upper), size)+1)
}

// few reports whether the other side has at most that many rows between lower and upper.
func (p *joinProbe) few(most int) bool {
	it := p.s.other.rows.Scan(p.lower, unbounded(p.upper))
	for range most + 1 {
		if !it.Next() {
			return true
		}
	}
	it.Close()
	return false
}

// match adds a state row if rows of the change match it.
func (p *joinProbe) match(key []byte, w int64) {
	s, o := p.s, p.s.other
	k := key
	if s.bucket > 0 {
		k = k[8:]
	}
	rest := o.keyCodec.Skip(k, len(o.keys))
	k = k[:len(k)-len(rest)]
	g := sort.Search(p.groups.len(), func(i int) bool { return bytes.Compare(p.groups.key(i), k) >= 0 })
	if g == p.groups.len() || !bytes.Equal(p.groups.key(g), k) {
		return
	}
	rows := p.groups.group(g)
	if s.time < 0 {
		p.row(key, rest, w, rows)
		return
	}
	t := readOrdered(rest)
	if p.near = s.near(p.near[:0], p.delta, rows, t); len(p.near) > 0 {
		p.time(t)
		p.row(key, rest[8:], w, p.near)
	}
}

// near appends the rows of d that a row of the other side with time t is in reach of.
func (s *joinSide) near(dst []int32, d *zset.Batch, rows []int32, t int64) []int32 {
	times := d.Cols[s.time].I64
	for _, row := range rows {
		if addSaturated(times[row], s.lower) <= t && t <= addSaturated(times[row], s.upper) {
			dst = append(dst, row)
		}
	}
	return dst
}
