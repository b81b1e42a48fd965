package ingest

import (
	"sync"

	"leat/internal/types"
)

// usage is how many letters a stream has, and their bytes.
type usage struct{ rows, bytes int64 }

func (u usage) plus(o usage) usage  { return usage{u.rows + o.rows, u.bytes + o.bytes} }
func (u usage) minus(o usage) usage { return usage{u.rows - o.rows, u.bytes - o.bytes} }

// quota bounds the letters per stream. It counts what was added since the last refresh on top of what the
// refresh found; what goes is only seen by the next one, so it errs on the safe side.
type quota struct {
	max usage

	mu    sync.Mutex // guards the rest
	found map[types.ObjectID]usage
	added map[types.ObjectID]usage
}

func newQuota(rows, bytes int64) *quota {
	return &quota{max: usage{rows, bytes}, found: map[types.ObjectID]usage{}, added: map[types.ObjectID]usage{}}
}

// add counts letters before they are appended, or refuses them.
func (q *quota) add(id types.ObjectID, stream string, u usage) error {
	if u.rows == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	has := q.found[id].plus(q.added[id])
	if sum := has.plus(u); sum.rows > q.max.rows || sum.bytes > q.max.bytes {
		err := types.Errorf(types.TooManyRequests, "stream %q has %d dead letters of %d bytes (the limits are %d and %d) and %d records of this request don't fit; nothing was written",
			stream, has.rows, has.bytes, q.max.rows, q.max.bytes, u.rows).
			WithHint("mend and replay them (leat dead replay %s) or drop them (leat dead purge %s)", stream, stream)
		err.RetryAfter = maxRetry
		return err
	}
	q.added[id] = q.added[id].plus(u)
	return nil
}

// undo takes back an add whose append failed.
func (q *quota) undo(id types.ObjectID, u usage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.added[id] = q.added[id].minus(u)
}

// mark returns what was added so far; found replaces that part by what the store then counted.
func (q *quota) mark() map[types.ObjectID]usage {
	q.mu.Lock()
	defer q.mu.Unlock()
	seen := make(map[types.ObjectID]usage, len(q.added))
	for id, u := range q.added {
		seen[id] = u
	}
	return seen
}

func (q *quota) refresh(seen, found map[types.ObjectID]usage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.found = found
	for id, u := range seen {
		if left := q.added[id].minus(u); left == (usage{}) {
			delete(q.added, id)
		} else {
			q.added[id] = left
		}
	}
}

// kept returns how many letters all streams have, for the metrics.
func (q *quota) kept() usage {
	q.mu.Lock()
	defer q.mu.Unlock()
	var sum usage
	for _, u := range q.found {
		sum = sum.plus(u)
	}
	for _, u := range q.added {
		sum = sum.plus(u)
	}
	return sum
}
