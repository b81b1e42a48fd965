package query

import (
	"context"
	"time"

	"leat/internal/auth"
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

// Subscription is one subscriber's place. One goroutine at a time uses it.
type Subscription struct {
	service *Service
	request SubscribeRequest
}

// Subscribe begins a subscription; the caller closes it. ctx governs this call only. Errors: types.NotFound, types.PermissionDenied,
// types.InvalidArgument of Where, Args or From, types.TooManyRequests where there are too many subscribers, types.Unavailable of a view that has
// failed.
func (s *Service) Subscribe(ctx context.Context, r SubscribeRequest) (*Subscription, error) {
	return nil, types.Errorf(types.Unsupported, "changes can't be followed yet")
}

// Columns are those of the rows; after a push.Reset they may be others. Each event has them too.
func (s *Subscription) Columns() []types.Column { return nil }

// Key are the positions of the key columns, nil where rows have no key.
func (s *Subscription) Key() []int { return nil }

// Next waits for the next event. First comes the snapshot in pages, if one was asked for, then the changes of whole steps. What ctx's end
// interrupts can be asked for again (types.Canceled or types.Timeout); any other error is the end: types.NotFound where the relation was
// dropped, types.LimitExceeded, types.Canceled of who was too slow (Cut), types.PermissionDenied and types.Unauthenticated where the right to
// read has ended, types.Unavailable where the server stops.
func (s *Subscription) Next(ctx context.Context) (*Event, error) {
	return nil, types.Errorf(types.Unsupported, "changes can't be followed yet")
}

// Ready reports whether Next would return at once.
func (s *Subscription) Ready() bool { return false }

// Close ends the subscription.
func (s *Subscription) Close() {}
