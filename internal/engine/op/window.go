package op

import (
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

const (
	// maxFanout bounds the windows that one row can be in (a size over a slide): each is a row of the output.
	maxFanout = 10_000
	// maxTime bounds event times and the sizes of windows in µs (about 73,000 years each way): sums of a few of them can't overflow.
	maxTime = 1 << 61
)

// Fanout returns into how many windows one row goes at most: what a step's size has to be divided by. Sessions and counted windows are 1.
func Fanout(w *plan.Window) int64 {
	switch {
	case w.Slide <= 0:
	case w.Kind == plan.Hop:
		return (w.Size + w.Slide - 1) / w.Slide
	case w.Kind == plan.Cumulate:
		return w.Size / w.Slide
	}
	return 1
}

// window assigns rows to windows of fixed bounds (TUMBLE, HOP, CUMULATE). It has no state.
type window struct {
	kind                plan.WindowKind
	time                int
	timeType            types.Type
	size, slide, origin int64
	fanout              int
	sel                 []int32
}

// NewWindow returns the operator of a Tumble, Hop or Cumulate over an input of the given types: each row once per window that it is in,
// oldest window first, with window_start and window_end (of the time column's type) as last columns. Rows keep their order and weight. A
// row whose time is NULL or beyond ±73,000 years is in no window and goes to Context.Fail.
func NewWindow(w *plan.Window, in []types.Type) (Op, error) {
	t, err := timeColumn(w.Time, in)
	if err != nil {
		return nil, err
	}
	o := &window{kind: w.Kind, time: w.Time, timeType: t, size: w.Size, slide: w.Slide, origin: w.Origin}
	switch w.Kind {
	case plan.Tumble:
		o.slide = w.Size
	case plan.Hop, plan.Cumulate:
	default:
		return nil, types.Errorf(types.Internal, "BUG: window kind %d has an operator of its own", w.Kind)
	}
	if o.size <= 0 || o.slide <= 0 || o.size > maxTime || o.slide > maxTime || o.origin > maxTime || o.origin < -maxTime {
		return nil, types.Errorf(types.InvalidArgument, "the size of a window and its slide or step must be more than zero")
	}
	if w.Kind == plan.Cumulate && o.size%o.slide != 0 {
		return nil, types.Errorf(types.InvalidArgument, "CUMULATE: the size must be a multiple of the step")
	}
	if Fanout(w) > maxFanout {
		return nil, types.Errorf(types.LimitExceeded, "one row would be in %d windows; at most %d are allowed", Fanout(w), maxFanout).
			WithHint("Take a longer slide or step.")
	}
	o.fanout = int(Fanout(w))
	return o, nil
}

// timeColumn returns the type of the time column of a window.
func timeColumn(at int, in []types.Type) (types.Type, error) {
	if at < 0 || at >= len(in) {
		return types.Type{}, types.Errorf(types.Internal, "BUG: time column %d of %d", at, len(in))
	}
	if k := in[at].Kind; k != types.Timestamp && k != types.TimestampTZ {
		return types.Type{}, types.Errorf(types.TypeMismatch, "windows go by a TIMESTAMP or TIMESTAMPTZ, not by %s", in[at]).
			WithHint("Cast the column to TIMESTAMP.")
	}
	return in[at], nil
}

// cell is a stretch of time whose rows are all in the same windows, so that a row in the cell of the row before needs no division.
type cell struct {
	// lo is its first µs; width is 0 for a cell that holds nothing.
	lo    int64
	width uint64
	// The windows are [start+i*startStep, end+i*endStep) for 0 <= i < n.
	n                int
	start, startStep int64
	end, endStep     int64
}

func (c *cell) holds(t int64) bool { return uint64(t-c.lo) < c.width }

// floor rounds t down to a multiple of step away from origin.
func floor(t, origin, step int64) int64 {
	r := (t - origin) % step
	if r < 0 {
		r += step
	}
	return t - r
}

// cellOf returns the cell of a time within maxTime.
func (o *window) cellOf(t int64) cell {
	lo := floor(t, o.origin, o.slide)
	if o.kind == plan.Cumulate {
		start := floor(t, o.origin, o.size)
		return cell{lo: lo, width: uint64(o.slide), n: int((start + o.size - lo) / o.slide),
			start: start, end: lo + o.slide, endStep: o.slide}
	}
	// Where the size is no multiple of the slide, the first rest µs of a slide are in one window more.
	n, rest := o.size/o.slide, o.size%o.slide
	c := cell{lo: lo, width: uint64(o.slide - rest), startStep: o.slide, endStep: o.slide}
	if t-lo < rest {
		n++
		c.width = uint64(rest)
	} else {
		c.lo += rest
	}
	c.n, c.start = int(n), lo-(n-1)*o.slide
	c.end = c.start + o.size
	return c
}

// Step implements Op.
func (o *window) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	if b.Rows() == 0 {
		return nil, nil
	}
	if o.fanout == 1 {
		if out := o.single(b); out != nil {
			return out, nil
		}
	}
	times := b.Cols[o.time]
	starts, ends, sel := make([]int64, 0, b.N*o.fanout), make([]int64, 0, b.N*o.fanout), o.sel[:0]
	var c cell
	for i, t := range times.I64[:b.N] {
		if times.Null(i) || t > maxTime || t < -maxTime {
			x.Fail(b, i, untimely(times.Null(i)))
			continue
		}
		if !c.holds(t) {
			c = o.cellOf(t)
		}
		s, e := c.start, c.end
		for range c.n {
			starts, ends, sel = append(starts, s), append(ends, e), append(sel, int32(i))
			s, e = s+c.startStep, e+c.endStep
		}
	}
	o.sel = sel
	if len(sel) == 0 {
		return nil, nil
	}
	return withBounds(zset.GatherBatch(b, sel), o.timeType, starts, ends), nil
}

// single assigns rows that are each in exactly one window, without copying a column; nil where one of them is not.
func (o *window) single(b *zset.Batch) *zset.Batch {
	times := b.Cols[o.time]
	bounds := make([]int64, 2*b.N)
	starts, ends := bounds[:b.N:b.N], bounds[b.N:]
	var c cell
	for i, t := range times.I64[:b.N] {
		if times.Null(i) {
			return nil
		}
		if !c.holds(t) {
			if t > maxTime || t < -maxTime {
				return nil
			}
			if c = o.cellOf(t); c.n != 1 {
				return nil
			}
		}
		starts[i], ends[i] = c.start, c.end
	}
	return withBounds(b, o.timeType, starts, ends)
}

// withBounds adds two columns of type t to a batch.
func withBounds(b *zset.Batch, t types.Type, starts, ends []int64) *zset.Batch {
	cols := make([]*zset.Vec, 0, len(b.Cols)+2)
	cols = append(cols, b.Cols...)
	cols = append(cols, &zset.Vec{Type: t, Len: b.N, I64: starts}, &zset.Vec{Type: t, Len: b.N, I64: ends})
	return &zset.Batch{Cols: cols, N: b.N, W: b.W}
}

// untimely is the reason why a row is in no window.
func untimely(null bool) *types.Error {
	if null {
		return types.Errorf(types.DataError, "the event time is NULL, so the row is in no window")
	}
	return types.Errorf(types.DataError, "the event time is out of range, so the row is in no window")
}
