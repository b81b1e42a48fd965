package pebblelog

import (
	"context"
	"sync"
)

// queue holds the requests that wait for the committer, bounded in number and bytes. The committer takes all at once.
type queue struct {
	maxLen, maxBytes int
	bell             chan struct{} // 1 slot: something waits, or the queue was closed

	mu     sync.Mutex // guards the rest
	items  []*request
	bytes  int
	space  chan struct{} // closed and replaced when the committer took everything
	closed bool
}

func newQueue(maxLen, maxBytes int) *queue {
	return &queue{maxLen: maxLen, maxBytes: maxBytes, bell: make(chan struct{}, 1), space: make(chan struct{})}
}

// put adds a request, waiting for room. A request larger than the queue is let in alone.
func (q *queue) put(ctx context.Context, r *request) error {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return errClosed()
		}
		if len(q.items) == 0 || len(q.items) < q.maxLen && q.bytes+r.bytes <= q.maxBytes {
			q.items = append(q.items, r)
			q.bytes += r.bytes
			q.mu.Unlock()
			q.ring()
			return nil
		}
		space := q.space
		q.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return ctxError(ctx)
		}
	}
}

func (q *queue) ring() {
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

// take waits for requests and returns all that wait, in order; none once the queue is closed and empty.
func (q *queue) take(into []*request) []*request {
	for {
		q.mu.Lock()
		if len(q.items) > 0 {
			into = append(into[:0], q.items...)
			clear(q.items)
			q.items, q.bytes = q.items[:0], 0
			close(q.space)
			q.space = make(chan struct{})
			q.mu.Unlock()
			return into
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil
		}
		<-q.bell
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.ring()
}

// depth returns how many requests and bytes wait.
func (q *queue) depth() (n, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items), q.bytes
}
