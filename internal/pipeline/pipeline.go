package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/engine/circuit"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// pipeline runs one group of views: one reader of the log, one circuit, one store, one goroutine.
type pipeline struct {
	opts *Options
	tail *tail
	id   types.ObjectID
	log  *slog.Logger

	// bell rings when the log has grown, requests are run between two steps; the error of one ends the session.
	bell     chan struct{}
	requests chan func() error
	// reads are the partitions whose growth means a step; nil before the first session.
	reads atomic.Pointer[map[types.PartitionID]bool]

	cur      current
	watchers watchers
	// mu guards what follows.
	mu      sync.Mutex
	status  map[types.ObjectID]*viewStatus
	state   State
	err     error
	retired bool
	changed chan struct{} // closed and replaced whenever a version is published or the state changes
	durable map[types.PartitionID]types.Offset
	// skipped counts gaps of the log that were passed over, lost letters that had no room.
	skipped, lost atomic.Int64

	// The goroutine's own; before it is started, the Manager's.
	group group
	// detached are views that failed while the rest goes on, with their digests.
	detached map[types.ObjectID]string
	// progressed is set by a commit: a failure after it counts as the first.
	progressed bool

	// Of the session.
	store   state.Store
	views   []*view
	circuit *circuit.Circuit
	names   map[circuit.NodeID][]string
	reader  *reader
	outbox  *outbox
	steps   int64
	// dirty is set while there are steps that no commit has, and uncommitted about the bytes of rows that they took.
	dirty       bool
	uncommitted int64
	// force makes a step though nothing came: a new circuit has constants to tell, and watermarks to learn.
	force bool
	// replay is the position of the version that is published, until the session has read as far.
	replay *types.Position
	// fresh is set until the session has published: what follows is no change of what was published before.
	fresh bool
	// stepping is set while the circuit runs.
	stepping   bool
	sized      time.Time
	lastCommit time.Time
}

// view is one view at work.
type view struct {
	Definition
	slot    uint32
	table   *op.View
	indexes []viewIndex
	digest  string
	// live is set once it has caught up for the first time; readers see nothing of it before.
	live bool
	// snap are the rows as they are now, nil where no snapshot was made since they changed.
	snap *pinned
	// delta is what has changed since the last version, for watchers.
	delta     *zset.Batch
	watermark int64
	stats     *viewStatus
}

// viewStatus counts for one view; the pipeline writes, anyone reads.
type viewStatus struct {
	live         atomic.Bool
	done         atomic.Int64 // the sum of the offsets read up to
	rows, bytes  atomic.Int64
	failed, late atomic.Int64
	watermark    atomic.Int64
	indexes      atomic.Pointer[map[uint32]IndexStatus]
	// reason is why a row was left out last, broken why the view does not run though its pipeline does.
	reason, broken atomic.Pointer[string]
}

// viewError is a failure of one view.
type viewError struct {
	view types.ObjectID
	err  error
}

func (e *viewError) Error() string { return e.err.Error() }

func (e *viewError) Unwrap() error { return e.err }

// errReopen ends a session whose root got another plan.
var errReopen = errors.New("the views have other plans")

func newPipeline(o *Options, t *tail, g group) *pipeline {
	p := &pipeline{
		opts: o, tail: t, id: g.id, log: o.Logger.With("pipeline", g.id), bell: make(chan struct{}, 1), requests: make(chan func() error),
		changed: make(chan struct{}), state: CatchingUp, status: map[types.ObjectID]*viewStatus{}, detached: map[types.ObjectID]string{},
	}
	p.regrouped(g)
	return p
}

func newStatus() *viewStatus {
	s := &viewStatus{}
	s.watermark.Store(types.NoWatermark)
	return s
}

// ring tells the pipeline that the log has grown.
func (p *pipeline) ring() {
	select {
	case p.bell <- struct{}{}:
	default:
	}
}

// concerned reports whether the pipeline reads one of the partitions.
func (p *pipeline) concerned(grown []types.PartitionID) bool {
	reads := p.reads.Load()
	if reads == nil {
		return true
	}
	for _, id := range grown {
		if (*reads)[id] {
			return true
		}
	}
	return false
}

// do runs f between two steps and waits for it; done is closed where nobody would. Errors: types.Timeout if ctx ended before,
// types.Unavailable.
func (p *pipeline) do(ctx context.Context, done <-chan struct{}, f func() error) error {
	ran := make(chan struct{})
	select {
	case p.requests <- func() error { defer close(ran); return f() }:
		<-ran
		return nil
	case <-done:
		return types.Errorf(types.Unavailable, "views are being stopped")
	case <-ctx.Done():
		return types.Errorf(types.Timeout, "the pipeline of the views is busy").WithHint("try again")
	}
}

// How failures are answered: the session is opened again after a pause that doubles, and after maxAttempts without a commit between the
// pipeline, or the one view that fails, is shown as failed.
const (
	maxAttempts = 3
	firstPause  = 100 * time.Millisecond
	longPause   = time.Minute
)

// run works until ctx ends. What fails is opened again from its last commit; what goes on failing stays as it is, readable at its last version.
func (p *pipeline) run(ctx context.Context) {
	pause, attempts := firstPause, 0
	for ctx.Err() == nil {
		p.progressed = false
		err := p.session(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			if err != nil {
				p.log.Error("a pipeline did not stop well", "error", err)
			}
			return
		case errors.Is(err, errReopen):
			pause, attempts = firstPause, 0
			continue
		case p.progressed:
			pause, attempts = firstPause, 0
		}
		attempts++
		p.log.Error("a pipeline failed", "error", err, "attempt", attempts)
		if attempts >= maxAttempts {
			if p.detach(err) {
				pause, attempts = firstPause, 0
				continue
			}
			p.setState(Failed, err)
			pause = longPause
		}
		p.rest(ctx, pause)
		pause = min(2*pause, longPause)
	}
}

// rest waits, and answers requests meanwhile; a change of the views ends it.
func (p *pipeline) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case f := <-p.requests:
			if f() != nil {
				return
			}
		}
	}
}

func (p *pipeline) setState(s State, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.err = s, err
	p.notify()
}

// notify wakes those who wait. p.mu is held.
func (p *pipeline) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// retire lets the published version go, for a pipeline whose goroutine has ended.
func (p *pipeline) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	p.hide()
	p.notify()
}

// session opens the state and steps until ctx ends or something fails. A panic of an operator is a failure of its pipeline only.
func (p *pipeline) session(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.close()) }()
	defer func() {
		if r := recover(); r != nil {
			err = p.blame(types.Errorf(types.Internal, "BUG: %v", r))
			p.log.Error("a pipeline panicked", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if err := p.open(); err != nil {
		return err
	}
	p.deliver(ctx)
	tick := time.NewTicker(min(p.opts.CommitEvery, lettersEvery))
	defer tick.Stop()
	idle := make(chan struct{})
	close(idle)
	more := true
	for {
		now := idle
		if !more {
			now = nil
		}
		select {
		case <-ctx.Done():
			return p.commit(context.WithoutCancel(ctx))
		case f := <-p.requests:
			if err := f(); err != nil {
				return err
			}
			more = true
		case <-tick.C:
			if err := p.commitDue(ctx); err != nil {
				return err
			}
		case <-p.bell:
			more = true
		case <-now:
			if more, err = p.step(ctx); err != nil {
				if ctx.Err() != nil {
					return nil // being stopped is no failure: the last commit counts
				}
				return err
			}
			building, err := p.buildIndexes(ctx)
			if err != nil {
				return err
			}
			more = more || building
		}
	}
}

// blame names the view whose failure an error of the circuit is.
func (p *pipeline) blame(err error) error {
	if !p.stepping || p.circuit == nil {
		return err
	}
	roots := p.circuit.RootsOf(p.circuit.Current())
	if len(roots) == 0 || roots[0] >= len(p.views) {
		return err
	}
	return &viewError{p.views[roots[0]].ID, err}
}

// detach puts the view whose failure err is, if it is not the root, aside with all that are built on it; false where it can't.
func (p *pipeline) detach(err error) bool {
	var of *viewError
	if !errors.As(err, &of) || of.view == p.group.views[0].ID {
		return false
	}
	reason := err.Error()
	out := map[types.ObjectID]bool{of.view: true}
	for _, d := range p.group.views {
		for id := range out {
			if reads(d.Plan, id) {
				out[d.ID] = true
				break
			}
		}
		if out[d.ID] {
			p.detached[d.ID] = d.digest()
			p.breakView(d.ID, reason)
		}
	}
	return true
}

// breakView shows a view as failed.
func (p *pipeline) breakView(id types.ObjectID, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.status[id]; s != nil {
		s.broken.Store(&reason)
	}
	p.notify()
}

// close gives the snapshots and the store back. The published version stays readable.
func (p *pipeline) close() error {
	for _, v := range p.views {
		v.snap.release()
		v.snap = nil
	}
	var err error
	if p.store != nil {
		err = p.store.Close()
	}
	p.store, p.circuit, p.views, p.outbox, p.stepping = nil, nil, nil, nil, false
	return err
}

// fault asks the test that injects faults, if any.
func (p *pipeline) fault(point string) error {
	if p.opts.Fault == nil {
		return nil
	}
	if err := p.opts.Fault(point); err != nil {
		return fmt.Errorf("fault point %s: %w", point, err)
	}
	return nil
}
