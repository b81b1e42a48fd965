package ingest

import (
	"context"
	"sync"
	"time"

	"leat/internal/types"
)

// budget bounds the bytes that all requests together hold.
type budget struct {
	max  int64
	wait time.Duration

	mu    sync.Mutex // guards the rest
	used  int64
	freed chan struct{} // closed and replaced when bytes come back
}

func newBudget(limit int64, wait time.Duration) *budget {
	return &budget{max: limit, wait: wait, freed: make(chan struct{})}
}

// share is one request's part of the budget. It is used by one goroutine.
type share struct {
	of   *budget
	held int64
}

// grow takes n bytes more. It waits a little for room, then fails with TooManyRequests.
func (s *share) grow(ctx context.Context, n int64) error {
	freed := s.of.take(n)
	if freed == nil {
		s.held += n
		return nil
	}
	timer := time.NewTimer(s.of.wait)
	defer timer.Stop()
	for freed != nil {
		select {
		case <-freed:
			freed = s.of.take(n)
		case <-timer.C:
			err := types.Errorf(types.TooManyRequests, "requests in flight hold %d of %d bytes of memory for bodies, and this one needs %d", s.of.inUse(), s.of.max, n).
				WithHint("send fewer requests at once or smaller ones, and try again; the limit is ingest.max_in_flight")
			err.RetryAfter = 1
			return err
		case <-ctx.Done():
			return types.Errorf(types.Canceled, "waiting for memory: %w", ctx.Err())
		}
	}
	s.held += n
	return nil
}

// shrink gives n bytes back.
func (s *share) shrink(n int64) {
	s.held -= n
	s.of.give(n)
}

// release gives all back.
func (s *share) release() { s.shrink(s.held) }

// take answers nil when it took n bytes, else the channel that is closed when bytes come back.
func (b *budget) take(n int64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n <= b.max {
		b.used += n
		return nil
	}
	return b.freed
}

func (b *budget) give(n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	close(b.freed)
	b.freed = make(chan struct{})
}

func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
