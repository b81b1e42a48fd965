package push

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/types"
)

// Bounds that are no settings.
const (
	// A feed keeps at most feedBytes of changed rows, and all feeds together allBytes: where there are many, each has an equal share. The newest
	// change of each always stays, whatever its size.
	feedBytes = 8 << 20
	allBytes  = 64 << 20
	// maxShapes is how many different sets of columns the filters of one feed may look at: each costs time with every change.
	maxShapes = 64
	// linger is how long a feed is kept without subscribers, so that who lost a connection can go on.
	linger = 5 * time.Minute
	// sweepEvery is how often feeds without subscribers are looked for.
	sweepEvery = 5 * time.Second
	// DefaultMaxSubscribers is how many there may be.
	DefaultMaxSubscribers = 10_000
)

// Config of New.
type Config struct {
	// MaxSubscribers is how many there may be at a time, 0 for DefaultMaxSubscribers; one principal may have half of them.
	MaxSubscribers int
	// Lag is how long ago the oldest event was appended that a position doesn't include; nil is unknown.
	Lag func(p types.Position) time.Duration
	// ObserveDelay, if set, is told how long after its publication each change was told to each subscriber.
	ObserveDelay func(time.Duration)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Hub has all feeds. Its methods may be called from any goroutine.
type Hub struct {
	Config
	wg sync.WaitGroup
	// pages has a place for each of maxPages.
	pages chan struct{}

	mu sync.Mutex // guards what follows
	// feeds are those that have not ended, by their keys.
	feeds       map[string]*feed
	subscribers int
	of          map[string]int // by principal
	stopped     bool
	// left is closed when the last subscriber has gone after Stop.
	left chan struct{}

	// count is the number of feeds, for their shares.
	count                    atomic.Int64
	bytes                    atomic.Int64
	steps, conflated         atomic.Int64
	resets, events, rejected atomic.Int64
}

// New makes a Hub without feeds.
func New(c Config) *Hub {
	if c.MaxSubscribers == 0 {
		c.MaxSubscribers = DefaultMaxSubscribers
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Hub{Config: c, feeds: map[string]*feed{}, of: map[string]int{}, pages: make(chan struct{}, maxPages), left: make(chan struct{})}
}

// Run drops feeds that nobody watches any more until ctx ends; then it stops the hub and waits for its goroutines.
func (h *Hub) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			h.Stop()
			h.wg.Wait()
			return nil
		case <-tick.C:
			h.sweep()
		}
	}
}

// Stop ends all feeds, and refuses new subscribers.
func (h *Hub) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	h.stopped = true
	for _, f := range h.feeds {
		f.Ended(stopping)
	}
	if h.subscribers == 0 {
		close(h.left)
	}
}

const stopping = "the server stops"

// Left is closed once Stop was called and the last subscriber has gone.
func (h *Hub) Left() <-chan struct{} { return h.left }

// Stopped reports whether Stop was called.
func (h *Hub) Stopped() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopped
}

// sweep ends the feeds that have had no subscriber for a while.
func (h *Hub) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.feeds {
		if f.subscribers == 0 && h.Now().Sub(f.idleSince) >= f.linger {
			f.Ended("nobody watches")
		}
	}
}

// Subscribe gives a place in the feed of a key, which is opened if it is not there. shape is what its rows look like now: a feed of another shape
// ends. Errors: types.TooManyRequests, types.LimitExceeded of a snapshot, types.Unavailable where the hub is stopped, those of source.Watch, and *Over where
// the feed ends this moment.
func (h *Hub) Subscribe(key string, shape Shape, source func() Source, o Options) (*Subscriber, error) {
	f, err := h.enter(key, shape, source, &o)
	if err != nil {
		return nil, err
	}
	s := &Subscriber{Options: o, feed: f}
	if s.group, err = f.join(o.Filter); err != nil {
		h.leave(f, &s.Options)
		return nil, err
	}
	if err := s.start(h.Now()); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// enter returns a feed and counts its subscriber; a nil o is a trigger, which counts for the feed alone.
func (h *Hub) enter(key string, shape Shape, source func() Source, o *Options) (*feed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil, types.Errorf(types.Unavailable, stopping).WithHint("connect again")
	}
	if o != nil {
		if err := h.room(o); err != nil {
			return nil, err
		}
	}
	f, err := h.feed(key, shape, source, o)
	if err != nil {
		return nil, err
	}
	if o != nil {
		h.subscribers++
		h.of[o.Who]++
	}
	f.subscribers++
	return f, nil
}

// room reports whether there may be one more subscriber. h.mu is held.
func (h *Hub) room(o *Options) error {
	most := (h.MaxSubscribers + 1) / 2
	if o.Max > 0 {
		most = min(most, o.Max)
	}
	switch {
	case h.subscribers >= h.MaxSubscribers:
		h.rejected.Add(1)
		return types.Errorf(types.TooManyRequests, "%d subscribers are connected; that is the server's limit (max-subscribers)", h.subscribers)
	case h.of[o.Who] >= most:
		h.rejected.Add(1)
		return types.Errorf(types.TooManyRequests, "%d subscribers of this principal are connected; that is its limit", h.of[o.Who]).
			WithHint("share one connection, or raise max-subscribers: a principal may have half of them")
	}
	return nil
}

// feed finds or opens a feed. h.mu is held.
func (h *Hub) feed(key string, shape Shape, source func() Source, o *Options) (*feed, error) {
	f := h.feeds[key]
	if f != nil && !f.shape.Equal(shape) {
		f.Ended("its columns have changed")
		delete(h.feeds, key)
		f = nil
	}
	if f == nil {
		f = newFeed(h, key, shape, source())
		f.linger = linger
		if o != nil && o.Linger > 0 {
			f.linger = o.Linger
		}
		if err := f.open(); err != nil {
			return nil, err
		}
		h.feeds[key] = f
		h.count.Store(int64(len(h.feeds)))
		h.wg.Go(f.run)
		for _, other := range h.feeds {
			other.trim(h.share())
		}
	}
	return f, nil
}

// Shape is that of the rows of a key's feed; ok is false where there is none.
func (h *Hub) Shape(key string) (s Shape, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[key]
	if f == nil {
		return Shape{}, false
	}
	return f.shape, true
}

// share is how many bytes of changes a feed may keep.
func (h *Hub) share() int64 { return min(feedBytes, allBytes/max(1, h.count.Load())) }

// leave is the opposite of enter.
func (h *Hub) leave(f *feed, o *Options) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o != nil {
		h.subscribers--
		if h.of[o.Who]--; h.of[o.Who] == 0 {
			delete(h.of, o.Who)
		}
	}
	if f.subscribers--; f.subscribers == 0 {
		f.idleSince = h.Now()
	}
	if o != nil && h.stopped && h.subscribers == 0 {
		close(h.left)
	}
}

// forget takes an ended feed out.
func (h *Hub) forget(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feeds[f.key] == f {
		delete(h.feeds, f.key)
	}
	h.count.Store(int64(len(h.feeds)))
}

// Reset makes an event of that kind, and counts it.
func (h *Hub) Reset(reason string) *Event {
	h.resets.Add(1)
	return &Event{Kind: Reset, Reason: reason}
}
