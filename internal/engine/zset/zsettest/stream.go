package zsettest

import (
	"math/rand/v2"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Options shape a Stream.
type Options struct {
	// AppendOnly makes rows of weight +1 alone.
	AppendOnly bool
	// Row writes one new random row to b (all columns, no EndRow); nil draws each column by Value.
	Row func(r *rand.Rand, b *zset.Builder)
}

// Stream makes changes that are valid one after the other: no row is ever retracted that isn't there.
type Stream struct {
	r     *rand.Rand
	ts    []types.Type
	o     Options
	codec *zset.RowCodec
	// live are the rows that are there, in no order, and where they are in it.
	live  []liveRow
	place map[string]int
}

type liveRow struct {
	row    string
	weight int64
}

// NewStream returns a stream of rows of these types that begins empty.
func NewStream(r *rand.Rand, ts []types.Type, o Options) *Stream {
	s := &Stream{r: r, ts: ts, o: o, codec: zset.NewRowCodec(ts), place: map[string]int{}}
	if s.o.Row == nil {
		s.o.Row = func(r *rand.Rand, b *zset.Builder) {
			for i, t := range ts {
				Value(r, b, i, t)
			}
		}
	}
	return s
}

// Next returns a change of about n rows, nil where n is 0: inserts (some of several copies, some of rows that are there), deletes, and
// updates as a delete and an insert, in one batch that is not consolidated.
func (s *Stream) Next(n int) *zset.Batch {
	b := zset.NewBuilder(s.ts)
	for b.Len() < n {
		switch k := s.r.IntN(10); {
		case s.o.AppendOnly || len(s.live) == 0 || k < 5:
			s.insert(b)
		case k < 6:
			s.change(b, s.live[s.r.IntN(len(s.live))].row, 1)
		case k < 8:
			s.retract(b)
		default:
			s.retract(b)
			s.insert(b)
		}
	}
	return b.Finish()
}

// Drain returns the retraction of all that is there.
func (s *Stream) Drain() *zset.Batch {
	b := zset.NewBuilder(s.ts)
	for len(s.live) > 0 {
		s.change(b, s.live[0].row, -s.live[0].weight)
	}
	return b.Finish()
}

func (s *Stream) insert(b *zset.Builder) {
	one := zset.NewBuilder(s.ts)
	s.o.Row(s.r, one)
	one.EndRow(1)
	w := int64(1)
	if !s.o.AppendOnly && s.r.IntN(8) == 0 {
		w += int64(s.r.IntN(3))
	}
	s.change(b, string(s.codec.Append(nil, one.Finish().Cols, 0)), w)
}

func (s *Stream) retract(b *zset.Builder) {
	l := s.live[s.r.IntN(len(s.live))]
	s.change(b, l.row, -1-s.r.Int64N(l.weight))
}

func (s *Stream) change(b *zset.Builder, row string, w int64) {
	s.codec.Decode([]byte(row), b, 0)
	b.EndRow(w)
	i, ok := s.place[row]
	if !ok {
		i = len(s.live)
		s.place[row] = i
		s.live = append(s.live, liveRow{row, 0})
	}
	s.live[i].weight += w
	if s.live[i].weight != 0 {
		return
	}
	last := len(s.live) - 1
	s.live[i] = s.live[last]
	s.place[s.live[i].row] = i
	s.live = s.live[:last]
	delete(s.place, row)
}
