package pgwire

import (
	"context"
	"sync"
	"time"

	"leat/internal/types"
)

// Why a statement or a session was ended.
var (
	errCanceled = withState(types.Errorf(types.Canceled, "canceling statement due to user request"), "57014")
	errTimeout  = withState(types.Errorf(types.Timeout, "canceling statement due to statement timeout").
			WithHint("ask for less, or SET statement_timeout to more"), "57014")
	errGone     = withState(types.Errorf(types.Canceled, "the client has gone"), "57014")
	errStopping = withState(types.Errorf(types.Unavailable, "terminating connection due to administrator command"), "57P01")
	errIdle     = withState(types.Errorf(types.Timeout, "terminating connection due to idle-session timeout"), "57P05")
	errIdleTx   = withState(types.Errorf(types.Timeout, "terminating connection due to idle-in-transaction timeout"), "25P03")
)

// guard lets others stop the statement of a session. Its contexts are used again from statement to statement: making one for each costs more
// than a look-up.
type guard struct {
	parent context.Context

	mu sync.Mutex // guards what follows
	// ctx is for the next statement that needs none of its own.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// active is the one that runs, nil between statements; since is when it began or the last one ended.
	active   context.CancelCauseFunc
	since    time.Time
	deadline time.Time
	// timer fires at armed or before; what it then finds decides.
	timer *time.Timer
	armed time.Time
}

// begin starts a statement; own says that its context must outlive it. The context ends with the deadline, with stop, and with the session.
func (g *guard) begin(timeout time.Duration, own bool) (context.Context, context.CancelCauseFunc) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx, cancel := g.ctx, g.cancel
	if own || ctx == nil || ctx.Err() != nil {
		ctx, cancel = context.WithCancelCause(g.parent)
		if !own {
			g.ctx, g.cancel = ctx, cancel
		}
	}
	g.resume(cancel, now, timeout)
	return ctx, cancel
}

// again goes on with a statement that was suspended.
func (g *guard) again(cancel context.CancelCauseFunc, timeout time.Duration) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resume(cancel, now, timeout)
}

// resume notes what runs; mu is held.
func (g *guard) resume(cancel context.CancelCauseFunc, now time.Time, timeout time.Duration) {
	g.active, g.since, g.deadline = cancel, now, time.Time{}
	if timeout <= 0 {
		return
	}
	g.deadline = now.Add(timeout)
	switch {
	case g.timer == nil:
		g.timer = time.AfterFunc(timeout, g.expire)
	case g.armed.IsZero() || g.deadline.Before(g.armed):
		g.timer.Reset(timeout)
	default:
		return
	}
	g.armed = g.deadline
}

// expire stops what has passed its deadline.
func (g *guard) expire() {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = time.Time{}
	if g.active == nil || g.deadline.IsZero() {
		return
	}
	if now.Before(g.deadline) {
		g.timer.Reset(g.deadline.Sub(now))
		g.armed = g.deadline
		return
	}
	g.active(errTimeout)
}

// end says that nothing runs any more.
func (g *guard) end() {
	now := time.Now()
	g.mu.Lock()
	g.active, g.since = nil, now
	g.mu.Unlock()
}

// stop cancels what runs.
func (g *guard) stop(why error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active != nil {
		g.active(why)
	}
}

// state tells whether something runs, and since when it does or doesn't.
func (g *guard) state() (active bool, since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active != nil, g.since
}

// close ends all contexts.
func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.timer != nil {
		g.timer.Stop()
	}
	if g.cancel != nil {
		g.cancel(errGone)
	}
}

// cause is why ctx ended, in the words of PostgreSQL, or err where it did not.
func cause(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if why := context.Cause(ctx); why == errCanceled || why == errTimeout || why == errStopping || why == errGone { //nolint:errorlint // the very values
		return why
	}
	return err
}

// running is what cancels the statement that runs.
func (g *guard) running() context.CancelCauseFunc {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.active
}
