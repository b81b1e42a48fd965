package query

import (
	"context"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/engine/zset"
	"leat/internal/push"
	"leat/internal/store"
	"leat/internal/types"
)

// Bounds of live results of endpoints.
const (
	// maxLiveResults is how many different ones are kept up to date at a time: one for each endpoint, arguments and filters.
	maxLiveResults = 1000
	// maxLiveRows is how many rows one may have.
	maxLiveRows = 10_000
	// maxLiveBytes is about how much memory the rows of all may take.
	maxLiveBytes = 256 << 20
	// liveEvery is the least time between two runs of one, and liveShare the part of the time that it may be running: one of so many.
	liveEvery = 50 * time.Millisecond
	liveShare = 5
	// liveTimeout is the time of one run.
	liveTimeout = 30 * time.Second
	// storedEvery is how often it is looked whether the store has loaded more, idleEvery how often the position is told though no input changes.
	storedEvery = 50 * time.Millisecond
	idleEvery   = time.Second
	// liveLinger is how long one is kept up to date after its last subscriber has left.
	liveLinger = 15 * time.Second
)

// LiveResults is how many results of endpoints are kept up to date.
func (s *Service) LiveResults() int { return s.liveResults.count() }

// newLiveGate bounds how many results are brought up to date at once, so that calls have the other half of the machine.
func newLiveGate() chan struct{} { return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) }

// liveResult keeps the result of an endpoint up to date. It implements push.Source. What it reads tells it when to run again.
type liveResult struct {
	service   *Service
	principal auth.Principal
	endpoint  *catalog.Object
	args      map[string]any
	limit     int

	// The result as it was last read: its rows, each once with its number.
	columns []types.Column
	// key are the positions of columns that no two rows agree in; nil where none are known.
	key   []int
	rows  *zset.Batch
	bytes int64
	stamp string
	mark  push.Mark

	stop func()
	done chan struct{}

	// Of the loop: what wakes it, and how far the store was at the last run.
	triggers []*push.Trigger
	armed    bool
	stored   []types.ObjectID
	loaded   []types.Cursor
}

// first reads the result for the first time.
func (r *liveResult) first(ctx context.Context) error {
	if _, err := r.read(ctx); err != nil {
		return err
	}
	st, err := r.service.Endpoint(ctx, r.principal, r.endpoint)
	if err == nil {
		r.key = r.keyOf(ctx, st)
	}
	return err
}

// keyOf finds the key of a result that is a look-up, a range or a filter of one relation: that of the relation, if the result has it.
func (r *liveResult) keyOf(ctx context.Context, st *Statement) []int {
	w := r.service.way(ctx, st, r.args)
	if w == nil || w.plan == nil {
		return nil
	}
	o := r.service.Catalog().ByID(w.plan.Relation)
	if o == nil {
		return nil
	}
	_, shape, err := r.service.Feeds.Relation(o)
	if err != nil || len(shape.Key) == 0 {
		return nil
	}
	key := make([]int, len(shape.Key))
	for i, c := range shape.Key {
		if key[i] = w.plan.Output(c); key[i] < 0 {
			return nil
		}
	}
	return key
}

// read runs the query unless nothing has changed, and returns what has.
func (r *liveResult) read(ctx context.Context) (delta *zset.Batch, err error) {
	s := r.service
	if o := s.Catalog().ByID(r.endpoint.ID); o == nil || o.Endpoint == nil {
		return nil, types.Errorf(types.NotFound, "the endpoint %q was dropped", r.endpoint.Name)
	}
	st, err := s.Endpoint(ctx, r.principal, r.endpoint)
	if err != nil {
		return nil, err
	}
	r.arm(ctx, st)
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	res, err := s.runBound(ctx, st, Run{Args: maps.Clone(r.args), Limit: r.limit, Have: func(stamp string) bool { return stamp == r.stamp }})
	if err != nil {
		return nil, inEndpoint(r.endpoint.Name, err)
	}
	mark := push.Mark{Position: res.Position, Watermark: res.Watermark}
	if res.Rows == nil {
		r.mark = mark
		return nil, nil
	}
	defer res.Rows.Close()
	rows, err := r.collect(ctx, res.Rows)
	if err != nil {
		return nil, err
	}
	ts := make([]types.Type, len(r.columns))
	for i, c := range r.columns {
		ts[i] = c.Type
	}
	size := zset.Size(rows)
	if r.done != nil { // it is kept
		if err := s.holdLive(size - r.bytes); err != nil {
			return nil, err
		}
	}
	if r.rows != nil || r.stamp != "" || r.done != nil {
		delta = zset.Consolidate(zset.Concat(ts, rows, zset.Negate(r.rows)))
	}
	r.rows, r.bytes, r.stamp, r.mark = rows, size, res.Stamp, mark
	return delta, nil
}

// collect reads a result to its end.
func (r *liveResult) collect(ctx context.Context, rows store.Rows) (*zset.Batch, error) {
	columns := rows.Columns()
	if r.columns == nil {
		r.columns = slices.Clone(columns)
	}
	shape, is := push.Shape{Columns: r.columns}, push.Shape{Columns: columns}
	if !shape.Equal(is) {
		return nil, types.Errorf(types.Conflict, "the columns of endpoint %s have changed", r.endpoint.Name)
	}
	var parts []*zset.Batch
	n := 0
	for {
		rec, err := rows.Next(ctx)
		if err != nil {
			return nil, inEndpoint(r.endpoint.Name, err)
		}
		if rec == nil {
			break
		}
		if n += int(rec.NumRows()); n > r.limit || n > maxLiveRows {
			break
		}
		b := &zset.Batch{N: int(rec.NumRows())}
		for i, c := range columns {
			v, err := zset.FromArrow(c.Type, rec.Column(i))
			if err != nil {
				return nil, types.Errorf(types.Unsupported, "column %s of endpoint %s can't be followed: %w", types.QuoteIdent(c.Name), r.endpoint.Name, err)
			}
			b.Cols = append(b.Cols, v)
		}
		if b.N > 0 {
			parts = append(parts, copied(b))
		}
	}
	if most := min(r.limit, maxLiveRows); n > most || rows.Truncated() {
		return nil, types.Errorf(types.LimitExceeded, "the result of endpoint %s has more than %d rows, which are too many to follow", r.endpoint.Name, most).
			WithHint("give it parameters or a LIMIT, or make a materialized view and follow that: /v1/views/.../changes")
	}
	ts := make([]types.Type, len(columns))
	for i, c := range columns {
		ts[i] = c.Type
	}
	return zset.Consolidate(zset.Concat(ts, parts...)), nil
}

// copied is a batch that shares nothing with the record that it was made of.
func copied(b *zset.Batch) *zset.Batch {
	sel := make([]int32, b.N)
	for i := range sel {
		sel[i] = int32(i)
	}
	return zset.GatherBatch(b, sel)
}

// Watch implements push.Source.
func (r *liveResult) Watch(sink push.Sink) (push.Version, error) {
	s := r.service
	if err := s.liveResults.take(r.principal); err != nil {
		return nil, err
	}
	if err := s.holdLive(r.bytes); err != nil {
		s.liveResults.give(r.principal)
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, make(chan struct{})
	version := r.version()
	go func() {
		defer close(r.done)
		defer func() {
			s.liveResults.give(r.principal)
			s.liveBytes.Add(-r.bytes)
		}()
		r.loop(ctx, sink)
	}()
	return version, nil
}

// holdLive counts rows of results that are kept, unless they are too many.
func (s *Service) holdLive(bytes int64) error {
	if n := s.liveBytes.Add(bytes); bytes > 0 && n > maxLiveBytes {
		s.liveBytes.Add(-bytes)
		return types.Errorf(types.TooManyRequests, "the followed results of endpoints take %d MiB; that is the server's limit", maxLiveBytes>>20).
			WithHint("follow a materialized view, which takes no such memory, and pick rows by column=value")
	}
	return nil
}

// Unwatch implements push.Source.
func (r *liveResult) Unwatch(push.Sink) {
	r.stop()
	<-r.done
}

// loop runs the query when something that it reads has changed, but not too often.
func (r *liveResult) loop(ctx context.Context, sink push.Sink) {
	defer r.disarm()
	pause := liveEvery
	for ctx.Err() == nil {
		select {
		case r.service.liveGate <- struct{}{}:
		case <-ctx.Done():
			return
		}
		// What changes from here on wakes the loop again, whether this run sees it or not.
		changed, before := r.changed(), r.mark
		began := time.Now()
		delta, err := r.read(ctx)
		took := time.Since(began)
		<-r.service.liveGate
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !passing(err):
			sink.Ended(types.AsError(err).Message)
			return
		case err != nil:
			pause = min(2*pause, 100*liveEvery)
		default:
			pause = liveEvery
			if delta != nil || !samePlace(before, r.mark) {
				sink.Published(r.version(), delta)
			}
		}
		if !sleep(ctx, max(pause-took, (liveShare-1)*took)) {
			return
		}
		if err == nil {
			r.await(ctx, changed)
		}
	}
}

// passing reports whether a failure is one of the moment.
func passing(err error) bool {
	switch types.AsError(err).Code {
	case types.TooManyRequests, types.Timeout, types.Unavailable, types.OutOfMemory, types.Canceled, types.Locked:
		return true
	}
	return false
}

func samePlace(a, b push.Mark) bool {
	return a.Watermark == b.Watermark && a.Position.Incarnation == b.Position.Incarnation && slices.Equal(a.Position.Cursors, b.Position.Cursors)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// arm finds what a statement reads, and watches the rows of live relations that can matter to it.
func (r *liveResult) arm(ctx context.Context, st *Statement) {
	if r.done == nil || r.armed && !slices.ContainsFunc(r.triggers, (*push.Trigger).Over) {
		return
	}
	r.disarm()
	r.armed, r.stored = true, st.reads.stored
	w := r.service.way(ctx, st, r.args)
	for _, id := range st.reads.live {
		o := r.service.Catalog().ByID(id)
		if o == nil {
			continue
		}
		source, shape, err := r.service.Feeds.Relation(o)
		if err != nil {
			r.armed = false // it is looked at each second meanwhile
			continue
		}
		var filter push.Filter
		if w != nil && w.plan != nil && w.plan.Relation == id {
			var matches []push.Match
			columns, values := w.plan.Fixed(r.args)
			for i, c := range columns {
				matches = append(matches, push.Match{Column: c, Value: values[i]})
			}
			filter = push.NewFilter(matches)
		}
		t, err := r.service.Feeds.Hub.Watch(relationKey(id), shape, func() push.Source { return source }, filter)
		if err != nil {
			r.armed = false
			continue
		}
		r.triggers = append(r.triggers, t)
	}
}

func (r *liveResult) disarm() {
	for _, t := range r.triggers {
		t.Close()
	}
	r.triggers, r.armed = nil, false
}

// changed is what is closed when something changes from now on; it notes how far the store is.
func (r *liveResult) changed() []<-chan struct{} {
	r.loaded = r.storeIsAt()
	out := make([]<-chan struct{}, len(r.triggers))
	for i, t := range r.triggers {
		out[i] = t.Changed()
	}
	return out
}

// storeIsAt is how far the store is with the streams that the result reads there.
func (r *liveResult) storeIsAt() []types.Cursor {
	if len(r.stored) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.service.Store.Loaded().Cursors), func(c types.Cursor) bool { return !slices.Contains(r.stored, c.Partition.Stream) })
}

// await waits until something has changed, or it is time to tell the position.
func (r *liveResult) await(ctx context.Context, changed []<-chan struct{}) {
	until := time.Now().Add(idleEvery)
	if len(changed) < len(r.triggers) {
		return // armed since
	}
	every := idleEvery
	if len(r.stored) > 0 {
		every = storedEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}, {Dir: reflect.SelectRecv, Chan: reflect.ValueOf(tick.C)}}
	for _, c := range changed {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c)})
	}
	for {
		chosen, _, _ := reflect.Select(cases)
		if chosen != 1 || !time.Now().Before(until) || !slices.Equal(r.loaded, r.storeIsAt()) {
			return
		}
	}
}
