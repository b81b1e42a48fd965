package ingest

import (
	"sync"
	"time"

	"leat/internal/types"
)

// Backlog says how far a consumer of the log is behind.
type Backlog struct {
	// Bottleneck names the consumer, such as "the store's loader".
	Bottleneck string
	// Waiting are the rows that are durable and that the consumer has not got yet.
	Waiting int64
	// Drained counts the rows that the consumer got since the start of the process; it never falls.
	Drained int64
}

// Bounds of the pressure gauge.
const (
	pressureEvery  = 100 * time.Millisecond // how old a reading may be
	pressureWindow = 10 * time.Second       // the span over which the drain rate is measured
	minRetry       = 1
	maxRetry       = 60
)

// pressure refuses requests while the backlog is above its bound.
type pressure struct {
	read  func() Backlog
	limit int64
	now   func() time.Time

	mu    sync.Mutex // guards the rest
	last  reading
	older []reading // one a second, over the window
}

type reading struct {
	at time.Time
	Backlog
}

// check answers nil, or TooManyRequests with the bottleneck's name and the seconds until its backlog is half the bound.
func (p *pressure) check() error {
	r, rate := p.sample()
	if r.Waiting <= p.limit {
		return nil
	}
	err := types.Errorf(types.TooManyRequests, "%s is %d rows behind (the limit is %d) and takes %.0f rows/s", r.Bottleneck, r.Waiting, p.limit, rate).
		WithHint("try again after the time in Retry-After; if this lasts, send less or give %s a faster disk", r.Bottleneck)
	err.RetryAfter = retryAfter(r.Waiting-p.limit/2, rate)
	return err
}

// retryAfter is how many seconds rows need at a rate, within bounds; a rate of 0 answers the longest.
func retryAfter(rows int64, rate float64) int {
	if rate <= 0 {
		return maxRetry
	}
	return int(min(max(float64(rows)/rate+1, minRetry), maxRetry))
}

// sample returns the present reading, at most pressureEvery old, and the rows drained per second over the window.
func (p *pressure) sample() (reading, float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.last.at.IsZero() || now.Sub(p.last.at) >= pressureEvery {
		p.last = reading{now, p.read()}
		if n := len(p.older); n == 0 || now.Sub(p.older[n-1].at) >= time.Second {
			p.older = append(p.older, p.last)
		}
		for len(p.older) > 1 && now.Sub(p.older[0].at) > pressureWindow {
			p.older = p.older[1:]
		}
	}
	first := p.older[0]
	span := p.last.at.Sub(first.at).Seconds()
	if span <= 0 {
		return p.last, 0
	}
	return p.last, float64(p.last.Drained-first.Drained) / span
}
