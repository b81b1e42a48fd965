package op

import (
	"math"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// session puts the rows of each key that are at most gap apart into one window (DESIGN 3).
//
// Without a watermark the sessions are the maximal chains of the rows that there are, in whatever order they came; rows may go again, which
// splits sessions. With a watermark rows count in the order of the log: a row whose time + gap is not after its own watermark is late; any
// other joins the sessions it touches whose end is after its watermark. In both cases a row is handled alike (sessionSpans.add): without a
// watermark no session is ever final.
type session struct {
	time, wm int
	timeType types.Type
	gap      int64
	out      []types.Type
	runs     *keyRuns
	store    sessionStore
	spans    sessionSpans
	// segments are the sessions that a span has become.
	segments []bounds
	moved    movedRows
	keep     []int32
	late     []int32
	// The rows of this step and their windows.
	b            *zset.Batch
	starts, ends []int64
	watermark    int64
	// ids is set where rows get the ID of their session instead of its bounds.
	ids *sessionIDs
}

// bounds are a session's first and last time.
type bounds struct {
	start, last int64
	// rows is about how many rows it has, id its ID where sessions have one.
	rows, id int64
}

func (a bounds) same(b bounds) bool { return a.start == b.start && a.last == b.last }

// NewSession returns the operator of SESSION: each input row with window_start, its session's first time, and window_end, its session's
// last time plus the gap, as last columns of the time column's type. A session that grows, merges or splits retracts its rows and gives
// them anew; only net changes of a step come out. wmCol is the column with each row's watermark, -1 where the input has none.
//
// With a watermark the input must be append-only and the rows of a key in offset order, as sql/opt sees to; late rows go to Context.Late,
// and the state of sessions that end at or before Context.Watermark is freed. Without, the state is all rows. Rows whose time is NULL go to
// Context.Fail. A session that grows in many steps gives its rows anew in each: the work is the square of its rows at worst.
func NewSession(w *plan.Window, in []types.Type, wmCol int, tables Tables) (Op, error) {
	return newSession(w, in, wmCol, tables)
}

func newSession(w *plan.Window, in []types.Type, wmCol int, tables Tables) (*session, error) {
	t, err := timeColumn(w.Time, in)
	if err != nil {
		return nil, err
	}
	if w.Gap <= 0 || w.Gap > maxTime {
		return nil, types.Errorf(types.InvalidArgument, "the gap of a SESSION must be more than zero")
	}
	o := &session{time: w.Time, wm: wmCol, timeType: t, gap: w.Gap, runs: newKeyRuns(w.Keys, in)}
	o.out = append(append(o.out, in...), t, t)
	o.store = newSessionStore(w, in, wmCol >= 0, tables)
	o.moved.rows = zset.NewBuilder(o.store.layout)
	o.spans.gap = w.Gap
	return o, nil
}

// Step implements Op.
func (o *session) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	if o.ids != nil {
		o.ids.begin()
		defer o.ids.end()
	}
	o.watermark = types.NoWatermark
	if o.wm >= 0 {
		o.watermark = x.Watermark
	}
	var out *zset.Batch
	if b.Rows() > 0 {
		if retracts(b) {
			if o.wm >= 0 {
				return nil, notAppendOnly("SESSION with a watermark")
			}
			b = zset.Consolidate(b)
		}
		var err error
		if out, err = o.change(o.timely(x, b)); err != nil {
			return nil, err
		}
	}
	if o.watermark != types.NoWatermark {
		o.store.free(o.watermark - o.gap)
	}
	return out, nil
}

// timely drops the rows that are in no session.
func (o *session) timely(x *Context, b *zset.Batch) *zset.Batch {
	if b.Rows() == 0 {
		return nil
	}
	times, keep, late := b.Cols[o.time], o.keep[:0], o.late[:0]
	for i, t := range times.I64[:b.N] {
		switch {
		case times.Null(i) || t > maxTime || t < -maxTime:
			x.Fail(b, i, untimely(times.Null(i)))
		case o.wm >= 0 && t+o.gap <= o.rowWatermark(b, i):
			late = append(late, int32(i))
		default:
			keep = append(keep, int32(i))
		}
	}
	o.keep, o.late = keep, late
	if len(late) > 0 {
		x.Late(zset.GatherBatch(b, late))
	}
	switch len(keep) {
	case 0:
		return nil
	case b.N:
		return b
	}
	return zset.GatherBatch(b, keep)
}

func (o *session) rowWatermark(b *zset.Batch, row int) int64 {
	if o.wm < 0 || b.Cols[o.wm].Null(row) {
		return types.NoWatermark
	}
	return b.Cols[o.wm].I64[row]
}

// change takes the rows of a step into their sessions and returns the change of the output.
func (o *session) change(b *zset.Batch) (*zset.Batch, error) {
	if b.Rows() == 0 {
		return nil, nil
	}
	all := make([]int64, 2*b.N)
	o.b, o.starts, o.ends = b, all[:b.N:b.N], all[b.N:]
	o.store.take(b)
	for g := range o.runs.split(b) {
		if err := o.changeKey(o.runs.key(g), o.runs.rows(g)); err != nil {
			return nil, err
		}
	}
	out := withBounds(b, o.timeType, o.starts, o.ends)
	o.b, o.starts, o.ends = nil, nil, nil
	if from, to := o.moved.finish(o); from != nil {
		out = zset.Concat(o.out, out, from, to)
	}
	return out, nil
}

// changeKey takes the rows of one key.
func (o *session) changeKey(key []byte, rows []int32) error {
	times := o.b.Cols[o.time].I64
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, i := range rows {
		low, high = min(low, times[i]), max(high, times[i])
	}
	s := &o.spans
	s.begin(len(rows))
	o.store.load(key, low-o.gap, high+o.gap, s)
	for n, i := range rows {
		if o.b.Weight(int(i)) > 0 {
			s.add(int32(n), times[i], o.rowWatermark(o.b, int(i)))
		}
	}
	for n, i := range rows {
		if o.b.Weight(int(i)) < 0 && !s.remove(int32(n), times[i]) {
			return types.Errorf(types.Internal, "BUG: SESSION: retraction of a row that is not there")
		}
	}
	for i := range s.list {
		if sp := &s.list[i]; sp.rows.head >= 0 {
			o.finish(key, rows, sp)
		}
	}
	return nil
}

// finish gives the rows of a changed span their windows and stores the sessions that it has become.
func (o *session) finish(key []byte, rows []int32, sp *span) {
	if sp.retracts {
		o.split(key, rows, sp)
		return
	}
	now := bounds{start: sp.start, last: sp.last}
	if o.ids != nil {
		o.identify(sp, &now)
	}
	for i := sp.olds.head; i >= 0; i = o.spans.oldNext[i] {
		old := o.spans.olds[i]
		now.rows += old.rows
		if !o.same(old, now) {
			o.store.move(key, old.start, old.last, old, now, &o.moved)
		}
	}
	// A session that is over before the step ends needs no state.
	over := sp.olds.head < 0 && o.watermark != types.NoWatermark && now.last+o.gap <= o.watermark
	for n := sp.rows.head; n >= 0; n = o.spans.rowNext[n] {
		i := rows[n]
		o.starts[i], o.ends[i] = o.windowOf(now)
		now.rows++
		if !over {
			o.store.add(key, int(i), o.b.Weight(int(i)))
		}
	}
	o.segments = append(o.segments[:0], now)
	o.note(sp)
	if !over {
		o.replace(key, sp)
	} else if o.ids != nil {
		o.ids.changes.closed = append(o.ids.changes.closed, now.id)
	}
}

// split handles a span from which rows went: what is left may be several sessions, or none. A row whose weight changes does so in its old
// session, if it had one; then rows whose session is another one now are moved.
func (o *session) split(key []byte, rows []int32, sp *span) {
	for n := sp.rows.head; n >= 0; n = o.spans.rowNext[n] {
		o.store.add(key, int(rows[n]), o.b.Weight(int(rows[n])))
	}
	o.segments = o.store.segments(key, sp.start, sp.last, o.gap, o.segments[:0])
	if o.ids != nil {
		o.identifyAll(sp)
	}
	o.note(sp)
	times := o.b.Cols[o.time].I64
	for n := sp.rows.head; n >= 0; n = o.spans.rowNext[n] {
		i := rows[n]
		in, ok := o.spans.oldAt(sp, times[i])
		if !ok {
			in = segmentAt(o.segments, times[i])
		}
		o.starts[i], o.ends[i] = o.windowOf(in)
	}
	for i := sp.olds.head; i >= 0; i = o.spans.oldNext[i] {
		old := o.spans.olds[i]
		for _, seg := range o.segments {
			if lo, hi := max(old.start, seg.start), min(old.last, seg.last); lo <= hi && !o.same(old, seg) {
				o.store.move(key, lo, hi, old, seg, &o.moved)
			}
		}
	}
	o.replace(key, sp)
}

// replace stores o.segments in place of the sessions that sp was made of.
func (o *session) replace(key []byte, sp *span) {
	for i := sp.olds.head; i >= 0; i = o.spans.oldNext[i] {
		o.store.drop(key, o.spans.olds[i].last)
	}
	for _, seg := range o.segments {
		o.store.put(key, seg)
	}
}
