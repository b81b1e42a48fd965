package query

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/endpoint"
	"leat/internal/push"
	"leat/internal/types"
)

// followable finds an endpoint that the principal may call, its arguments, and the key of its result: subscribers with equal keys share one.
func (s *Service) followable(snapshot *catalog.Snapshot, r *SubscribeRequest) (o *catalog.Object, args map[string]any, key string, err error) {
	o = snapshot.ByName(r.Endpoint)
	if o == nil || o.Endpoint == nil {
		return nil, nil, "", types.Errorf(types.NotFound, "there is no endpoint %.80q", r.Endpoint).WithHint("SHOW ENDPOINTS lists them")
	}
	if !r.Principal.May(auth.Read, o.Name) {
		return nil, nil, "", denied(o.Name)
	}
	if args, err = endpoint.Bind(o.Endpoint, r.Args, r.Principal.Params); err != nil {
		return nil, nil, "", err
	}
	b := fmt.Appendf(nil, "%q %q %q %d", o.Endpoint.Query, endpoint.Casts(o.Endpoint), r.Principal.DataKey(), r.Principal.Limits.MaxRows)
	for _, name := range slices.Sorted(maps.Keys(args)) {
		b = fmt.Appendf(b, " %q=%T:%q", name, args[name], fmt.Sprint(args[name]))
	}
	sum := sha256.Sum256(b)
	return o, args, fmt.Sprintf("endpoint %d %x", o.ID, sum[:16]), nil
}

// beginEndpoint takes a place in the feed of an endpoint's result, which is read for the first one.
func (s *Subscription) beginEndpoint(ctx context.Context) error {
	sv := s.service
	snapshot := sv.Catalog()
	o, args, key, err := sv.followable(snapshot, &s.request)
	if err != nil {
		return err
	}
	options := s.options(push.Filter{})
	options.Linger = liveLinger
	limit := maxLiveRows + 1
	if most := s.request.Principal.Limits.MaxRows; most > 0 {
		limit = min(limit, most)
	}
	result := &liveResult{service: sv, principal: s.request.Principal, endpoint: o, args: args, limit: limit}
	shape, ok := sv.Feeds.Hub.Shape(key)
	if !ok {
		if err := result.first(ctx); err != nil {
			return err
		}
		shape = push.Shape{Columns: result.columns, Key: result.key}
	}
	gone := false
	inner, err := sv.Feeds.Hub.Subscribe(key, shape, func() push.Source {
		if gone = ok; gone {
			return goneSource{}
		}
		return result
	}, options)
	if gone {
		return &push.Over{Reason: "the result is read anew"}
	}
	if err != nil {
		return err
	}
	s.inner, s.shape, s.catalog, s.object, s.key = inner, inner.Shape(), snapshot.Version(), o.ID, key
	return nil
}

// goneSource stands for a feed that has ended between two looks at it.
type goneSource struct{}

var errGone = errors.New("the feed has ended")

// Watch implements push.Source.
func (goneSource) Watch(push.Sink) (push.Version, error) { return nil, errGone }

// Unwatch implements push.Source.
func (goneSource) Unwatch(push.Sink) {}
