package pebblelog

import (
	"context"
	"slices"
	"sync"

	"leat/internal/bus"
	"leat/internal/types"
)

// subscription is one reader's bell: a flag per partition that grew.
type subscription struct {
	log  *Log
	bell chan struct{} // 1 slot

	mu     sync.Mutex // guards the rest; taken inside Log.mu
	grown  map[types.PartitionID]struct{}
	closed bool
}

// Subscribe implements bus.Log.
func (l *Log) Subscribe() bus.Subscription {
	s := &subscription{log: l, bell: make(chan struct{}, 1), grown: map[types.PartitionID]struct{}{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs[s] = struct{}{}
	for _, st := range l.streams {
		for _, p := range st.parts {
			if p.durable.next > p.start {
				s.ring(p.id)
			}
		}
	}
	if l.closed {
		s.end()
	}
	return s
}

// ringLocked tells every subscription that a partition grew. The caller holds Log.mu.
func (l *Log) ringLocked(id types.PartitionID) {
	for s := range l.subs {
		s.ring(id)
	}
}

func (s *subscription) ring(id types.PartitionID) {
	s.mu.Lock()
	s.grown[id] = struct{}{}
	s.mu.Unlock()
	s.wake()
}

func (s *subscription) wake() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Next implements bus.Subscription. It fails with types.Unavailable once the log or the subscription was closed.
func (s *subscription) Next(ctx context.Context) ([]types.PartitionID, error) {
	for {
		s.mu.Lock()
		if len(s.grown) > 0 {
			out := make([]types.PartitionID, 0, len(s.grown))
			for id := range s.grown {
				out = append(out, id)
			}
			clear(s.grown)
			s.mu.Unlock()
			slices.SortFunc(out, types.PartitionID.Compare)
			return out, nil
		}
		closed := s.closed
		s.mu.Unlock()
		if closed {
			s.wake()
			return nil, errClosed()
		}
		select {
		case <-s.bell:
		case <-ctx.Done():
			return nil, ctxReadError(ctx)
		}
	}
}

// Close implements bus.Subscription.
func (s *subscription) Close() {
	s.log.mu.Lock()
	delete(s.log.subs, s)
	s.log.mu.Unlock()
	s.end()
}

func (s *subscription) end() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
}
