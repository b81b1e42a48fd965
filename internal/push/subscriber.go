package push

import (
	"context"
	"slices"
	"time"

	"leat/internal/types"
)

// Options of a subscriber.
type Options struct {
	// Who is counted against MaxPerPrincipal, or Max where that is less and not 0.
	Who string
	Max int
	// Filter keeps the rows that the subscriber sees.
	Filter Filter
	// From is the ID of the last event that the subscriber has, "" for none; CheckID must accept it.
	From string
	// NoSnapshot begins with the changes from now on.
	NoSnapshot bool
	// Limit is the most rows of a snapshot.
	Limit int64
	// Linger is how long a feed that this subscriber opens is kept without subscribers; 0 is 5 minutes.
	Linger time.Duration
	// Idle is after how much silence an event of kind Idle comes; 0 is never.
	Idle time.Duration
}

// Over is the error of a subscriber whose feed goes on without it, or not at all: it may subscribe again.
type Over struct {
	Reason string
	// Slow says that the changes came faster than the subscriber took them.
	Slow bool
}

// Error implements error.
func (o *Over) Error() string { return o.Reason }

// progressEvery is how often a subscriber is told that the position has moved while no row changes.
const progressEvery = time.Second

// Subscriber is a cursor. One goroutine at a time uses it.
type Subscriber struct {
	Options
	feed  *feed
	group *group
	// cursor is the last change that the subscriber knows.
	cursor uint64
	// reset is what comes first, snapshot what comes then; nil once it is over.
	reset    *Event
	snapshot *snapshot
	// ready is a page that waits to be told; holds says that the last one that was told is one of maxPages.
	ready *Event
	holds bool
	// told is the position of the last event, at when it came.
	told   types.Position
	at     time.Time
	timer  *time.Timer
	closed bool
}

// Shape is what rows look like.
func (s *Subscriber) Shape() Shape { return s.feed.shape }

// start places the cursor: behind From where the ring has what follows, else at the newest version.
func (s *Subscriber) start(now time.Time) error {
	s.at = now
	v, seq, ok := s.feed.pin()
	if !ok {
		return &Over{Reason: "the view was built anew"}
	}
	s.cursor, s.told = seq, v.Mark().Position
	reason := ""
	if s.From != "" {
		x, err := parseID(s.From)
		if err != nil {
			v.Release()
			return err
		}
		if reason = s.resume(x, seq); reason == "" {
			v.Release()
			return nil
		}
	}
	if reason != "" {
		s.reset = s.feed.hub.Reset(reason)
	}
	if s.NoSnapshot {
		v.Release()
		return nil
	}
	s.snapshot = &snapshot{version: v, seq: seq, limit: firstPage}
	if n := v.Rows(); s.Filter.All() && n > s.Limit {
		return s.tooLarge()
	}
	return nil
}

func (s *Subscriber) tooLarge() error {
	return types.Errorf(types.LimitExceeded, "the snapshot would have more than %d rows", s.Limit).
		WithHint("raise _limit, ask for rows by column=value, or begin without a snapshot: _snapshot=false")
}

// resume moves the cursor to an ID's place, or says why it can't.
func (s *Subscriber) resume(x id, newest uint64) (reason string) {
	switch {
	case x.nonce != s.feed.nonce:
		return "the server or the view was started anew since"
	case x.filter != s.group.sum:
		return "the id belongs to other rows"
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if x.seq+1 < s.feed.ring.first || x.seq > newest {
		return "the changes since are not kept any more"
	}
	s.cursor, s.told = x.seq, types.Position{}
	return ""
}

// Next waits for the next event. Errors: *Over; types.LimitExceeded where the snapshot has too many rows; types.Canceled or types.Timeout when ctx ends,
// after which Next can be called again.
func (s *Subscriber) Next(ctx context.Context) (*Event, error) {
	s.freePage()
	for {
		e, wait, err := s.poll(ctx)
		if err != nil {
			return nil, err
		}
		if e == nil {
			e, err = s.wait(ctx, wait)
		}
		if err != nil {
			return nil, err
		}
		if e != nil {
			s.note(e)
			return e, nil
		}
	}
}

// Ready reports whether Next has something to tell at once.
func (s *Subscriber) Ready() bool {
	return s.reset != nil || s.snapshot != nil || s.ready != nil || s.group.state.Load().end() > s.cursor
}

func (s *Subscriber) note(e *Event) {
	h := s.feed.hub
	s.at = h.Now()
	if e.Kind == Changes && h.ObserveDelay != nil {
		h.ObserveDelay(s.at.Sub(e.at))
	}
	if e.Kind == Changes || e.Kind == Progress {
		s.told = e.Position
	}
	h.events.Add(1)
}

// poll returns what there is to tell, else what is closed when there may be more.
func (s *Subscriber) poll(ctx context.Context) (e *Event, wait <-chan struct{}, err error) {
	if e = s.reset; e != nil {
		s.reset = nil
		return e, nil, nil
	}
	if s.snapshot != nil || s.ready != nil {
		e, err = s.nextPage(ctx)
		return e, nil, err
	}
	now, st := s.feed.now.Load(), s.group.state.Load()
	if e, err = s.take(st); e != nil || err != nil {
		return e, nil, err
	}
	if st.ended {
		return nil, nil, &Over{Reason: st.reason}
	}
	if now != nil {
		s.cursor = max(s.cursor, now.seq)
	}
	return nil, st.changed, nil
}

// take returns the next change of a state, nil where there is none.
func (s *Subscriber) take(st *groupState) (*Event, error) {
	for s.cursor < st.end() {
		if s.cursor < st.base {
			e, ok := s.feed.net(s.group, st, s.cursor)
			if !ok {
				return nil, &Over{Slow: true, Reason: "the changes came faster than they were read"}
			}
			s.cursor = st.end()
			if e != nil {
				return e, nil
			}
			continue
		}
		for _, t := range st.touches {
			if t.seq > s.cursor {
				s.cursor = t.seq
				return t.event, nil
			}
		}
	}
	return nil, nil
}

// wait waits until there may be something to tell: nil, or an event about time.
func (s *Subscriber) wait(ctx context.Context, changed <-chan struct{}) (*Event, error) {
	silent := s.feed.hub.Now().Sub(s.at)
	after := progressEvery - silent
	if after <= 0 {
		if e := s.progress(); e != nil {
			return e, nil
		}
		if s.Idle > 0 && silent >= s.Idle {
			return IdleEvent(), nil
		}
		if after = progressEvery; s.Idle > 0 {
			after = min(after, s.Idle-silent)
		}
	}
	if s.timer == nil {
		s.timer = time.NewTimer(after)
	} else {
		s.timer.Reset(after)
	}
	select {
	case <-changed:
		return nil, nil
	case <-s.timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, interrupted(ctx)
	}
}

// interrupted is the error of a wait that ctx has ended.
func interrupted(ctx context.Context) error {
	if ctx.Err() == context.Canceled {
		return types.Errorf(types.Canceled, "the wait for changes was canceled")
	}
	return types.Errorf(types.Timeout, "nothing has changed in time")
}

// progress is the event that the position has moved, nil where it hasn't.
func (s *Subscriber) progress() *Event {
	now, st := s.feed.now.Load(), s.group.state.Load()
	if st.end() > s.cursor || now == nil || samePosition(now.mark.Position, s.told) {
		return nil
	}
	if p := st.progress.Load(); p != nil && p.at == now {
		return p.event
	}
	e := &Event{Kind: Progress, Shape: s.feed.shape, Mark: now.mark, ID: s.feed.id(s.group, now.seq, now.mark)}
	if lag := s.feed.hub.Lag; lag != nil {
		e.Lag = lag(now.mark.Position)
	}
	st.progress.Store(&progress{now, e})
	return e
}

func samePosition(a, b types.Position) bool {
	return a.Incarnation == b.Incarnation && slices.Equal(a.Cursors, b.Cursors)
}

// Close gives the place up.
func (s *Subscriber) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.endSnapshot()
	s.freePage()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.feed.leave(s.group)
	s.feed.hub.leave(s.feed, &s.Options)
}
