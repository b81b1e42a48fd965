package api

import (
	"container/list"
	"context"
	"sync"
	"time"

	"leat/internal/codec/encode"
)

// keptQuestion bounds the text of a question whose answer is kept, keptOverhead is what an answer takes besides its texts, about.
const (
	keptQuestion = 8 << 10
	keptOverhead = 512
)

// kept is an answer to a call of an endpoint, as it was sent. The cache owns seen and at; all else is immutable.
type kept struct {
	question string
	// stamp is Outcome.Stamp, tag its ETag; "" where the answer can't be told from a newer one.
	stamp, tag string
	body       []byte
	coding     encode.Coding
	// cursor is Outcome.Cursor.
	cursor string
	// seen is how fresh the answer was at a moment.
	seen Seen
	at   time.Time
}

func (k *kept) size() int { return len(k.body) + len(k.question) + keptOverhead }

// flight is an answer that is being made, for those who ask the same meanwhile.
type flight struct {
	done chan struct{}
	// answer is set before done is closed; nil where there is none to share.
	answer *kept
}

// CacheMetrics are counts since the start, and what is kept now.
type CacheMetrics struct{ Hits, Misses, Stale, Bytes, Answers int64 }

// ResultCache keeps the newest answer of each question that endpoints were asked, up to so many bytes: then those that were asked longest ago go.
// An answer is given again only with the stamp of the present moment, or where the caller said how old it may be. Any goroutine may use it.
type ResultCache struct {
	limit int

	// mu guards all below.
	mu      sync.Mutex
	answers map[string]*list.Element
	order   *list.List // of *kept, the one asked last in front
	bytes   int
	flights map[string]*flight
	metrics CacheMetrics

	// directs are the versions of endpoints, by ID, whose answers cost less to make than to keep. At most one for each endpoint there has been.
	directs sync.Map
}

// NewResultCache makes a cache of at most limit bytes; 0 keeps nothing.
func NewResultCache(limit int) *ResultCache {
	return &ResultCache{limit: limit, answers: map[string]*list.Element{}, order: list.New(), flights: map[string]*flight{}}
}

// Metrics counts.
func (c *ResultCache) Metrics() CacheMetrics {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.metrics
	m.Bytes, m.Answers = int64(c.bytes), int64(c.order.Len())
	return m
}

// current returns the answer with that stamp, if it is kept. Else the caller either makes it, and calls land with the flight that it gets first,
// or waits for another's flight.
func (c *ResultCache) current(question, stamp string) (answer *kept, own, other *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.answers[question]; ok {
		if k := e.Value.(*kept); k.stamp == stamp {
			c.metrics.Hits++
			c.order.MoveToFront(e)
			return k, nil, nil
		}
	}
	key := question + stamp
	if f, ok := c.flights[key]; ok {
		return nil, nil, f
	}
	c.metrics.Misses++
	f := &flight{done: make(chan struct{})}
	c.flights[key] = f
	return nil, f, nil
}

// direct notes that answers of an endpoint come straight from the engine's state: they are kept no more.
func (c *ResultCache) direct(p Published) { c.directs.Store(p.ID, p.Version) }

func (c *ResultCache) isDirect(p Published) bool {
	version, ok := c.directs.Load(p.ID)
	return ok && version == p.Version
}

// land ends a flight that current began; answer may be nil. It is kept by keep.
func (c *ResultCache) land(question, stamp string, f *flight, answer *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[question+stamp] == f {
		delete(c.flights, question+stamp)
	}
	f.answer = answer
	close(f.done)
}

// wait returns the answer of another's flight, nil where there is none.
func (c *ResultCache) wait(ctx context.Context, f *flight) (*kept, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.answer != nil {
		c.metrics.Hits++
	} else {
		c.metrics.Misses++
	}
	return f.answer, nil
}

// keep puts an answer in the place of the one before.
func (c *ResultCache) keep(k *kept) {
	if k.size() > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.answers[k.question]; ok {
		if e.Value.(*kept).at.After(k.at) {
			return // a slower call brings an older answer
		}
		c.drop(e)
	}
	c.answers[k.question] = c.order.PushFront(k)
	for c.bytes += k.size(); c.bytes > c.limit; {
		c.drop(c.order.Back())
	}
}

func (c *ResultCache) drop(e *list.Element) {
	k := e.Value.(*kept)
	c.order.Remove(e)
	delete(c.answers, k.question)
	c.bytes -= k.size()
}

// confirm notes that an answer is as fresh as seen at a moment.
func (c *ResultCache) confirm(k *kept, seen Seen, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(k.at) {
		k.seen, k.at = seen, at
	}
}

// recent returns an answer that lags at most so far behind, with how far it may at most, and its age.
func (c *ResultCache) recent(question string, most time.Duration, stale bool) (k *kept, seen Seen, age time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.answers[question]
	if !ok {
		return nil, Seen{}, 0
	}
	k = e.Value.(*kept)
	// Nobody knows what was appended since: all of it may be missing.
	age = time.Since(k.at)
	seen = k.seen
	seen.Lag += age
	switch {
	case stale && age <= most:
		c.metrics.Stale++
	case !stale && k.stamp != "" && seen.Known && seen.Lag <= most:
		c.metrics.Hits++
	default:
		return nil, Seen{}, 0
	}
	c.order.MoveToFront(e)
	return k, seen, age
}
