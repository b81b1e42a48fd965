package query

import (
	"context"
	"errors"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/engine/zset"
	"leat/internal/push"
	"leat/internal/types"
)

// Event is what a subscriber is told at once; it is immutable.
type Event = push.Event

// SubscribeRequest asks for the changes of a materialized view or table, or of the result of an endpoint.
type SubscribeRequest struct {
	Principal auth.Principal
	// Relation is the name of a materialized view or table; where it is "", Endpoint is that of an endpoint, called with Args as in CallRequest.
	Relation string
	Endpoint string
	Args     map[string]any
	// Where keeps the rows of a relation in which these columns have these values.
	Where []KeyValue
	// From is Event.ID of the last event that the subscriber has, who wants to go on behind it; "" begins anew. Where the changes since are not
	// kept any more, the first event is a push.Reset.
	From string
	// NoSnapshot begins with the changes from now on.
	NoSnapshot bool
	// Limit is the most rows of a snapshot; 0 is DefaultLimit. A larger one ends the subscription with types.LimitExceeded.
	Limit int
	// Cut ends the subscription (types.Canceled) of who is too slow, who otherwise gets a Reset.
	Cut bool
	// Idle, where it is not 0, is after how much silence an event of kind push.Idle comes.
	Idle time.Duration
}

// Feeds is where changes come from.
type Feeds struct {
	Hub *push.Hub
	// Relation returns the source of a live relation's changes and what its rows look like.
	Relation func(o *catalog.Object) (source push.Source, shape push.Shape, err error)
	// Value makes a column of one value from a text that spells it exactly; nil if it doesn't.
	Value func(t types.Type, text string) *zset.Vec
	// Alive, if set, tells of a principal whose credential has ended since; it is asked when definitions have changed.
	Alive func(p auth.Principal) error
}

// Subscription is one subscriber's place. One goroutine at a time uses it.
type Subscription struct {
	service *Service
	request SubscribeRequest
	// inner is nil while the subscription begins anew.
	inner *push.Subscriber
	shape push.Shape
	// catalog is the version of the definitions that it was begun with, object what it follows.
	catalog uint64
	object  types.ObjectID
	// key is that of the result of an endpoint.
	key string
	// since is when the last event came, while inner is nil.
	since time.Time
}

// Subscribe begins a subscription; the caller closes it. ctx governs this call only. Errors: types.NotFound, types.PermissionDenied,
// types.InvalidArgument of Where, Args or From, types.TooManyRequests where there are too many subscribers, types.Unavailable of a view that has
// failed.
func (s *Service) Subscribe(ctx context.Context, r SubscribeRequest) (*Subscription, error) {
	if r.Limit < 0 || r.Limit > MaxLimit {
		return nil, types.Errorf(types.InvalidArgument, "limit %d: at least 1, at most %d", r.Limit, MaxLimit)
	}
	if r.From != "" {
		if err := push.CheckID(r.From); err != nil {
			return nil, err
		}
	}
	sub := &Subscription{service: s, request: r}
	// A feed that ends this moment is opened again.
	for range 10 {
		err := sub.begin(ctx)
		if err == nil {
			return sub, nil
		}
		if _, over := errors.AsType[*push.Over](err); !over {
			return nil, err
		}
		if !sleep(ctx, firstPause) {
			break
		}
	}
	return nil, types.Errorf(types.Unavailable, "the view is being defined anew").WithHint("connect again")
}

// Columns are those of the rows; after a push.Reset they may be others. Each event has them too.
func (s *Subscription) Columns() []types.Column { return s.shape.Columns }

// Key are the positions of the key columns, nil where rows have no key.
func (s *Subscription) Key() []int { return s.shape.Key }

// begin takes a place in a feed.
func (s *Subscription) begin(ctx context.Context) error {
	if s.request.Relation == "" {
		return s.beginEndpoint(ctx)
	}
	sv := s.service
	snapshot := sv.Catalog()
	o, conditions, err := sv.subscribable(snapshot, &s.request)
	if err != nil {
		return err
	}
	// A view that was just made is waited for a little.
	pinned, err := sv.Live.Pin(ctx, []types.ObjectID{o.ID})
	if err != nil {
		return err
	}
	defer pinned.Release()
	source, shape, err := sv.Feeds.Relation(o)
	if err != nil {
		return err
	}
	f, err := sv.rowFilter(o, shape, conditions, s.request.Where)
	if err != nil {
		return err
	}
	inner, err := sv.Feeds.Hub.Subscribe(relationKey(o.ID), shape, func() push.Source { return source }, s.options(f))
	if err != nil {
		return err
	}
	s.inner, s.shape, s.catalog, s.object = inner, inner.Shape(), snapshot.Version(), o.ID
	return nil
}

// options are those of the place in a feed.
func (s *Subscription) options(f push.Filter) push.Options {
	r := &s.request
	limit := r.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	if most := r.Principal.Limits.MaxRows; most > 0 {
		limit = min(limit, most)
	}
	return push.Options{
		Who: r.Principal.ID, Max: r.Principal.Limits.Concurrent, Filter: f, From: r.From, NoSnapshot: r.NoSnapshot, Limit: int64(limit), Idle: r.Idle,
	}
}

// Next waits for the next event. First comes the snapshot in pages, if one was asked for, then the changes of whole steps. What ctx's end
// interrupts can be asked for again (types.Canceled or types.Timeout); any other error is the end: types.NotFound where the relation was
// dropped, types.LimitExceeded, types.Conflict of who was too slow (Cut), types.PermissionDenied and types.Unauthenticated where the right to
// read has ended, types.Unavailable where the server stops.
func (s *Subscription) Next(ctx context.Context) (*Event, error) {
	if until := s.request.Principal.Expires; !until.IsZero() {
		if !time.Now().Before(until) {
			return nil, types.Errorf(types.Unauthenticated, "the credential has expired").WithHint("connect again with a new one")
		}
		bounded, cancel := context.WithDeadline(ctx, until)
		defer cancel()
		e, err := s.next(bounded)
		if err != nil && ctx.Err() == nil && bounded.Err() != nil {
			err = types.Errorf(types.Unauthenticated, "the credential has expired").WithHint("connect again with a new one")
		}
		return e, err
	}
	return s.next(ctx)
}

func (s *Subscription) next(ctx context.Context) (*Event, error) {
	if reason, err := s.recheck(); err != nil {
		return nil, err
	} else if reason != "" {
		return s.anew(reason), nil
	}
	if s.inner == nil {
		if e, err := s.rejoin(ctx); e != nil || err != nil {
			return e, err
		}
	}
	e, err := s.inner.Next(ctx)
	over, ok := errors.AsType[*push.Over](err)
	switch {
	case err == nil:
		// What came while definitions changed was picked by the old ones.
		if reason, err := s.recheck(); err != nil {
			return nil, err
		} else if reason != "" {
			return s.anew(reason), nil
		}
		return e, nil
	case !ok:
		return nil, err
	case s.service.Feeds.Hub.Stopped():
		return nil, types.Errorf(types.Unavailable, "the server stops").WithHint("connect again")
	case over.Slow && s.request.Cut:
		return nil, types.Errorf(types.Conflict, "%s", over.Reason).WithHint("connect again with the last id, or without _slow=cut")
	}
	if err := s.gone(); err != nil {
		return nil, err
	}
	return s.anew(over.Reason), nil
}

// gone tells of what was dropped, or may not be read any more.
func (s *Subscription) gone() error {
	var err error
	if snapshot := s.service.Catalog(); s.request.Relation == "" {
		_, _, _, err = s.service.followable(snapshot, &s.request)
	} else {
		_, _, err = s.service.subscribable(snapshot, &s.request)
	}
	return err
}

// anew leaves the feed: the next event is a Reset, and the subscription begins again with the call after it.
func (s *Subscription) anew(reason string) *Event {
	s.leave()
	s.since = time.Now()
	s.request.From = ""
	return s.service.Feeds.Hub.Reset(reason)
}

func (s *Subscription) leave() {
	if s.inner != nil {
		s.inner.Close()
		s.inner = nil
	}
}

// recheck looks, where definitions have changed, whether the subscription still follows what it was begun with; else reason says why not.
func (s *Subscription) recheck() (reason string, err error) {
	snapshot := s.service.Catalog()
	if s.catalog == snapshot.Version() || s.inner == nil {
		return "", nil
	}
	if alive := s.service.Feeds.Alive; alive != nil {
		if err := alive(s.request.Principal); err != nil {
			return "", err
		}
	}
	if s.request.Relation == "" {
		_, _, key, err := s.service.followable(snapshot, &s.request)
		if err == nil && key != s.key {
			reason = "the endpoint was defined anew"
		}
		s.catalog = snapshot.Version()
		return reason, err
	}
	o, _, err := s.service.subscribable(snapshot, &s.request)
	if err != nil {
		return "", err
	}
	s.catalog = snapshot.Version()
	_, shape, err := s.service.Feeds.Relation(o)
	if err == nil && o.ID == s.object && shape.Equal(s.shape) {
		return "", nil
	}
	return "the view was defined anew", nil
}

// Pauses between attempts to begin again.
const (
	firstPause = 20 * time.Millisecond
	longPause  = time.Second
)

// rejoin begins again, waiting while the view is built; an event tells of idleness meanwhile.
func (s *Subscription) rejoin(ctx context.Context) (*Event, error) {
	pause := firstPause
	for {
		err := s.begin(ctx)
		if err == nil {
			return nil, nil
		}
		_, over := errors.AsType[*push.Over](err)
		if s.service.Feeds.Hub.Stopped() || !over && !types.HasCode(err, types.Unavailable) {
			return nil, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, types.Errorf(types.Canceled, "the wait for changes was canceled")
		case <-timer.C:
		}
		if pause = min(2*pause, longPause); s.request.Idle > 0 && time.Since(s.since) >= s.request.Idle {
			s.since = time.Now()
			return push.IdleEvent(), nil
		}
	}
}

// Lag is how long ago the oldest event was appended that a position doesn't include; 0 where it includes all.
func (s *Service) Lag(p types.Position) time.Duration { return s.lag(context.Background(), p) }

// Ready reports whether Next would return at once.
func (s *Subscription) Ready() bool { return s.inner != nil && s.inner.Ready() }

// Close ends the subscription.
func (s *Subscription) Close() { s.leave() }
