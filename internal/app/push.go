package app

import (
	"context"
	"slices"

	"leat/internal/api"
	"leat/internal/catalog"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/pipeline"
	"leat/internal/push"
	"leat/internal/query"
	"leat/internal/types"
)

// feeds are where changes of views and tables come from.
func (s *server) feeds() query.Feeds {
	return query.Feeds{Hub: s.push, Relation: s.views.feed, Value: parseValue}
}

// feed returns the source of a relation's changes.
func (v *views) feed(o *catalog.Object) (push.Source, push.Shape, error) {
	live := v.liveOf(o.ID)
	if live == nil {
		return nil, push.Shape{}, anew()
	}
	shape := push.Shape{Columns: live.schema.Columns}
	switch {
	case o.Continuous():
		shape.Key = o.View.Materialized.Key
	case o.Stream != nil:
		for _, id := range o.Stream.PrimaryKey {
			shape.Key = append(shape.Key, live.schema.IndexID(id))
		}
	}
	return &viewSource{views: v, live: live, id: o.ID}, shape, nil
}

// viewSource tells a feed what the pipeline of a view publishes. It implements push.Source and pipeline.Watcher.
type viewSource struct {
	views *views
	live  *liveRows
	id    types.ObjectID
	sink  push.Sink
}

// Watch implements push.Source.
func (s *viewSource) Watch(sink push.Sink) (push.Version, error) {
	s.sink = sink
	version, err := s.views.manager.Watch(s.id, s)
	if err != nil {
		return nil, err
	}
	if !s.live.fits(version.View(s.id)) {
		s.views.manager.Unwatch(s.id, s)
		version.Release()
		return nil, anew()
	}
	return viewVersion{version, s.id}, nil
}

// Unwatch implements push.Source.
func (s *viewSource) Unwatch(push.Sink) { s.views.manager.Unwatch(s.id, s) }

// Published implements pipeline.Watcher.
func (s *viewSource) Published(v *pipeline.Version, delta *zset.Batch) {
	s.sink.Published(viewVersion{v, s.id}, delta)
}

// Ended implements pipeline.Watcher.
func (s *viewSource) Ended(reason string) { s.sink.Ended(reason) }

// viewVersion is one view in a version of its pipeline. It implements push.Version.
type viewVersion struct {
	*pipeline.Version
	id types.ObjectID
}

// Mark implements push.Version.
func (v viewVersion) Mark() push.Mark {
	return push.Mark{Position: logPosition(v.Version), Watermark: v.Watermark(v.id)}
}

// Rows implements push.Version.
func (v viewVersion) Rows() int64 { return v.View(v.id).Rows() }

// Scan implements push.Version. It goes by the order of which most leading columns are given: the view's key, or an index.
func (v viewVersion) Scan(f *push.Filter, from []byte, limit int) (*zset.Batch, []byte) {
	if f.None() {
		return nil, nil
	}
	snap := v.View(v.id)
	order, prefix := bestOrder(snap.Orders(), f)
	rows, next := snap.Range(order, op.Range{Prefix: prefix, From: from, Limit: limit})
	return f.Keep(rows), next
}

// bestOrder picks an order for a filter, and the values of its first columns.
func bestOrder(orders []op.ViewOrder, f *push.Filter) (best int, prefix []*zset.Vec) {
	for i, o := range orders {
		var values []*zset.Vec
		for _, c := range o.Columns {
			v := f.Value(c)
			if v == nil {
				break
			}
			values = append(values, v)
		}
		if len(values) > len(prefix) {
			best, prefix = i, values
		}
	}
	return best, prefix
}

// pushes begins subscriptions for HTTP.
type pushes struct{ query *query.Service }

// Subscribe implements api.Pushes.
func (p pushes) Subscribe(ctx context.Context, r api.SubscribeRequest) (api.Stream, error) {
	q := query.SubscribeRequest{
		Principal: r.Principal, Relation: r.Relation, Endpoint: r.Endpoint, Args: r.Args, From: r.From, NoSnapshot: r.NoSnapshot, Limit: r.Limit,
		Cut: r.Cut, Idle: r.Idle,
	}
	names := make([]string, 0, len(r.Columns))
	for name := range r.Columns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text := r.Columns[name]
		q.Where = append(q.Where, query.KeyValue{Column: name, Text: &text})
	}
	sub, err := p.query.Subscribe(ctx, q)
	if err != nil {
		return nil, err
	}
	return stream{sub, push.Form{Messages: r.Messages, Int64AsString: r.Int64AsString}}, nil
}

// stream is a subscription in a form of the wire.
type stream struct {
	*query.Subscription
	form push.Form
}

// Next implements api.Stream.
func (s stream) Next(ctx context.Context) ([][]byte, error) {
	e, err := s.Subscription.Next(ctx)
	if err != nil {
		return nil, err
	}
	return e.Encoded(s.form), nil
}

// Last implements api.Stream.
func (s stream) Last(err error) [][]byte { return push.EncodeError(s.form, err) }
