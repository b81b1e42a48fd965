package op

import (
	"encoding/binary"
	"math"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// joinStatus says what a join outputs for a row of one side by whether it has matches, apart from the pairs.
type joinStatus uint8

const (
	// statusNone: nothing.
	statusNone joinStatus = iota
	// statusPad: a row without a match, padded with NULLs.
	statusPad
	// statusMatched: a row with a match (semi).
	statusMatched
	// statusUnmatched: a row without a match (anti).
	statusUnmatched
	// statusMark: each row, with a BOOLEAN.
	statusMark
)

// joinSide is one input of a join and its arrangement. A row's state key is
//
//	[bucket, with a band and without a clock: 8 bytes] [join keys] [band time: 8 bytes] [rest]
//
// and its value the row's weight. With a bucket first, rows whose time has passed are freed by one DeleteRange, and the live ones lie close
// together.
type joinSide struct {
	keyedRow
	other      *joinSide
	appendOnly bool
	status     joinStatus
	// left is set of the left side.
	left bool
	// dropMatched: a row with a match has it for ever and is output by no other, so only rows without one are kept.
	dropMatched bool
	// never are the columns in which a NULL matches nothing.
	never []int
	// time is the band's time column, -1 for none; bucket is the size of a bucket in µs, 0 for none.
	time   int
	bucket int64
	// freed is the first bucket that is not free yet.
	freed int64
	// lower and upper bound the other side's time, seen from a row of this side.
	lower, upper int64

	rows state.Table
	// matches and unknown hold, under the state key of each row of a counted join, the sum over its matches (those whose residual is NULL)
	// of the product of both weights. The sum is bilinear, so it is kept without being read, and is 0 where the row has no match or is gone.
	matches, unknown state.Table

	// small says when it is tried whether the side is small.
	small smallSide

	// read collects rows read from the arrangement: the band's time, if there is one, then rest.
	read *zset.Builder
	buf  []byte
	// The state keys of a change, where each ends, and its row.
	order zset.KeySorter
	ends  []int
	from  []int32
}

// newJoinSide prepares a side; order are positions in keys. With keysOnly the arrangement counts keys and has no rows.
func newJoinSide(ts []types.Type, keys []int, nullSafe []bool, order []int, time int, keysOnly bool) *joinSide {
	s := &joinSide{time: time, freed: math.MinInt64}
	ordered := make([]int, len(order))
	for i, k := range order {
		ordered[i] = keys[k]
		if !nullSafe[k] {
			s.never = append(s.never, keys[k])
		}
	}
	s.keyedRow = newKeyedRow(ts, ordered, time)
	if keysOnly {
		s.rest, s.restCodec = nil, zset.NewRowCodec(nil)
	}
	var read []types.Type
	if time >= 0 {
		s.never = append(s.never, time)
		read = append(read, ts[time])
	}
	s.read = zset.NewBuilder(append(read, typesAt(s.rest, ts)...))
	return s
}

// apply adds the rows of b to the arrangement, and to their counts of matches what each found: matched (unknown) is, per row, the sum of
// the weights of its matches; nil where not counted. It goes through the arrangement in order.
func (s *joinSide) apply(b *zset.Batch, g *rowGroups, matched, unknown []int64) {
	s.restOf(b)
	s.buf, s.ends, s.from = s.buf[:0], s.ends[:0], s.from[:0]
	for i := range g.len() {
		key := g.key(i)
		if s.dropMatched && matched[g.group(i)[0]] != 0 {
			continue
		}
		for _, row := range g.group(i) {
			s.buf = s.appendKey(s.buf, key, b, int(row))
			s.ends, s.from = append(s.ends, len(s.buf)), append(s.from, row)
		}
	}
	for _, o := range s.order.Sort(s.buf, s.ends) {
		start := 0
		if o.Index > 0 {
			start = s.ends[o.Index-1]
		}
		row, key := s.from[o.Index], s.buf[start:s.ends[o.Index]]
		w := b.Weight(int(row))
		s.rows.Add(key, w)
		if s.matches != nil && matched[row] != 0 {
			s.matches.Add(key, w*matched[row])
		}
		if s.unknown != nil && unknown[row] != 0 {
			s.unknown.Add(key, w*unknown[row])
		}
	}
}

// appendKey appends the state key of a row of b; s.cols are its columns in rest.
func (s *joinSide) appendKey(dst, key []byte, b *zset.Batch, row int) []byte {
	if s.time < 0 {
		return s.restCodec.Append(append(dst, key...), s.cols, row)
	}
	t := b.Cols[s.time].I64[row]
	if s.bucket > 0 {
		dst = appendOrdered(dst, floorDiv(t, s.bucket))
	}
	dst = appendOrdered(append(dst, key...), t)
	return s.restCodec.Append(dst, s.cols, row)
}

// exists reports whether the arrangement has a row with that key. It is not for sides with buckets.
func (s *joinSide) exists(key []byte) bool {
	if len(s.rest) == 0 && s.time < 0 {
		_, ok := s.rows.Get(key)
		return ok
	}
	lower, upper := state.Prefix(key, s.buf)
	if upper != nil {
		s.buf = upper
	}
	it := s.rows.Scan(lower, upper)
	ok := it.Next()
	if ok {
		it.Close()
	}
	return ok
}

// appendOrdered appends 8 bytes that sort as v.
func appendOrdered(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v)^1<<63)
}

func readOrdered(p []byte) int64 { return int64(binary.BigEndian.Uint64(p) ^ 1<<63) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// addSaturated is a + b, at the end of the range where it would leave it.
func addSaturated(a, b int64) int64 {
	c := a + b
	if (c > a) == (b > 0) || b == 0 {
		return c
	}
	if b > 0 {
		return math.MaxInt64
	}
	return math.MinInt64
}
