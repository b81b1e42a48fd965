package op

import (
	"math"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// bucketSize is the size of the time buckets of a band: half its width, so that a row's range is in at most three of them and state lives
// longer than it must by no more than half a width; at least a second, at most what can be added up.
func bucketSize(b *plan.Band) int64 {
	width := addSaturated(b.Upper, negate(b.Lower))
	return min(max(width/2, 1_000_000), math.MaxInt64/4)
}

// band reads the rows with a key whose times are in reach of the group's rows. The ranges of rows that overlap are read at once.
func (p *joinProbe) band(x *Context, key []byte, rows []int32) error {
	s := p.s
	times := p.delta.Cols[s.time].I64
	slices.SortFunc(rows, func(a, b int32) int {
		switch {
		case times[a] < times[b]:
			return -1
		case times[a] > times[b]:
			return 1
		}
		return int(a - b)
	})
	for len(rows) > 0 {
		from, to := addSaturated(times[rows[0]], s.lower), addSaturated(times[rows[0]], s.upper)
		n := 1
		for n < len(rows) && addSaturated(times[rows[n]], s.lower) <= to {
			to = addSaturated(times[rows[n]], s.upper)
			n++
		}
		if err := p.between(x, key, rows[:n], from, to); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// between reads the rows with times in [from, to], for rows of the delta that are sorted by time.
func (p *joinProbe) between(x *Context, key []byte, rows []int32, from, to int64) error {
	if p.s.bucket == 0 {
		_, err := p.times(x, key, rows, from, to)
		return err
	}
	size := p.s.bucket
	for b := floorDiv(from, size); b <= floorDiv(to, size); b++ {
		p.prefix = append(appendOrdered(p.prefix[:0], b), key...)
		var err error
		if rows, err = p.times(x, p.prefix, rows, from, to); err != nil {
			return err
		}
	}
	return nil
}

// times reads the rows below a prefix of the state key with times in [from, to]. It returns the rows of the delta that later times may
// still be in reach of.
func (p *joinProbe) times(x *Context, prefix []byte, rows []int32, from, to int64) ([]int32, error) {
	s := p.s
	times := p.delta.Cols[s.time].I64
	p.lower = appendOrdered(append(p.lower[:0], prefix...), from)
	p.last = appendOrdered(append(p.last[:0], prefix...), to)
	_, p.upper = prefixBounds(p.last, p.upper)
	n := 0
	it := s.other.rows.Scan(p.lower, unbounded(p.upper))
	for it.Next() {
		k := it.Key()
		t := readOrdered(k[len(prefix):])
		for len(rows) > 0 && addSaturated(times[rows[0]], s.upper) < t {
			rows, n = rows[1:], max(n-1, 0)
		}
		for n < len(rows) && addSaturated(times[rows[n]], s.lower) <= t {
			n++
		}
		if n == 0 {
			continue
		}
		p.time(t)
		p.row(k, k[len(prefix)+8:], state.WeightOf(it.Value()), rows[:n])
		if p.full() {
			if err := p.end(x); err != nil {
				it.Close()
				return nil, err
			}
		}
	}
	return rows, nil
}

// time writes the band's time of the state row that comes next.
func (p *joinProbe) time(t int64) { p.s.other.read.AppendInt64(0, t) }

// free deletes the rows that nothing to come can match or retract. w is the combined watermark.
func (j *join) free(w int64) {
	if w == types.NoWatermark || w <= j.freed {
		return
	}
	j.freed = w
	var end []byte
	for i, s := range j.sides {
		switch {
		case j.clock:
			// A key is final once time + delay <= w.
			end = zset.AppendTime(end[:0], addSaturated(addSaturated(w, negate(j.delay)), 1))
		case s.bucket > 0:
			b := floorDiv(j.bound(i, w), s.bucket)
			if b == s.freed {
				continue
			}
			s.freed = b
			end = appendOrdered(end[:0], b)
		default:
			continue
		}
		for _, t := range []state.Table{s.rows, s.matches, s.unknown} {
			if t != nil {
				t.DeleteRange(nil, end)
			}
		}
	}
	if j.clock && j.stats != nil {
		j.stats.DeleteRange(nil, end)
	}
}

// bound is the time below which rows of a side of a band join can go. A row of time t matches rows of the other side with times in
// [t+lower, t+upper]; those yet to come have times >= w - their slack, so it has met them all once t + upper < w - slack. Where rows of its
// own side may be retracted, it must also be there until that cannot be: while t >= w - its own slack. Its partners are still there
// then, by the first rule seen from their side.
func (j *join) bound(side int, w int64) int64 {
	s := j.sides[side]
	end := addSaturated(addSaturated(w, negate(j.slack[1-side])), negate(s.upper))
	if !s.appendOnly {
		end = min(end, addSaturated(w, negate(j.slack[side])))
	}
	if j.kind == plan.Single && side == 1 {
		// A left row is looked at again with all its matches, some of them up to the band's width before the latest.
		end = min(end, addSaturated(addSaturated(w, negate(j.slack[1])), addSaturated(s.other.lower, negate(s.other.upper))))
	}
	return end
}
