// Package pipeline runs continuous views over the log. A pipeline is one view and the views built on it: one consumer, one clock, one
// atomic commit of state, offsets and watermarks. Every step's result is published as an immutable version; readers pin one.
package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"leat/internal/bus"
	"leat/internal/engine/expr"
	"leat/internal/state"
	"leat/internal/types"
)

// Options of New. Log, States, Forget and Evaluator are required.
type Options struct {
	Log bus.Log
	// History has the rows that the log trimmed; nil: there are none.
	History History
	// States opens the store of a pipeline, made empty where it is new; Forget removes it.
	States func(pipeline types.ObjectID) (state.Store, error)
	Forget func(pipeline types.ObjectID) error
	// Evaluator runs expressions without kernels.
	Evaluator expr.Evaluator
	// TailBytes bounds the decoded log that pipelines share; 0 is DefaultTailBytes.
	TailBytes int
	// CommitEvery is how often state is made durable; 0 is 10 s. A restart replays what came after.
	CommitEvery time.Duration
	Logger      *slog.Logger
	// Fault, if set, is asked at named points ("step", "before commit", "after commit"); its error is a failure there.
	Fault func(point string) error
}

// State says what a view is doing.
type State string

// The states of a view.
const (
	CatchingUp State = "catching up"
	Live       State = "live"
	Failed     State = "failed"
)

// Status is what SHOW VIEWS tells of a view.
type Status struct {
	ID       types.ObjectID
	Pipeline types.ObjectID
	State    State
	// Progress is from 0 to 1 while the view catches up.
	Progress float64
	Rows     int64
	// Lag is how many offsets of the log wait for the view.
	Lag        int64
	Watermark  int64
	StateBytes int64
	// Failed and Late count rows that were left out.
	Failed, Late int64
	// Error is the last failure: of the pipeline, or of a row's expression.
	Error string
}

// Manager runs the pipelines of all views. Its methods may be called from any goroutine.
type Manager struct {
	opts Options
	tail *tail

	// mu guards what follows.
	mu        sync.Mutex
	pipelines map[types.ObjectID]*running
	// home is each view's pipeline.
	home map[types.ObjectID]*running
	ctx  context.Context
	wg   sync.WaitGroup
}

// running is a pipeline with its goroutine.
type running struct {
	*pipeline
	stop func()
	done chan struct{}
}

// New makes a Manager without views.
func New(o Options) *Manager {
	if o.CommitEvery == 0 {
		o.CommitEvery = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Manager{opts: o, tail: newTail(o.Log, o.TailBytes), pipelines: map[types.ObjectID]*running{}, home: map[types.ObjectID]*running{}}
}

// Run follows the log and runs the pipelines until ctx ends; then it commits them.
func (m *Manager) Run(ctx context.Context) error {
	m.mu.Lock()
	m.ctx = ctx
	for _, r := range m.pipelines {
		m.start(r)
	}
	m.mu.Unlock()
	defer m.wg.Wait()
	sub := m.opts.Log.Subscribe()
	defer sub.Close()
	for {
		grown, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being stopped is no failure
		}
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		m.ring(grown)
	}
}

// ring wakes the pipelines that read what has grown; all for the clock would be a step a second for nothing.
func (m *Manager) ring(grown []types.PartitionID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.pipelines {
		r.ring()
	}
}

// start starts a pipeline's goroutine. m.mu is held.
func (m *Manager) start(r *running) {
	if m.ctx == nil || r.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(m.ctx)
	r.stop, r.done = stop, make(chan struct{})
	m.wg.Go(func() {
		defer close(r.done)
		r.run(ctx)
	})
}

// Set makes the views those of the list, parents before children: it starts what is new, lets go what is gone and leaves the rest as it is.
func (m *Manager) Set(ctx context.Context, defs []Definition) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	home := map[types.ObjectID]*running{}
	wanted := map[types.ObjectID]bool{}
	for _, g := range groups(defs) {
		wanted[g.id] = true
		r := m.pipelines[g.id]
		if r == nil {
			r = &running{pipeline: newPipeline(&m.opts, m.tail, g)}
			m.pipelines[g.id] = r
			m.start(r)
		} else if err := m.change(ctx, r, g); err != nil {
			return err
		}
		for _, d := range g.views {
			home[d.ID] = r
		}
	}
	for id, r := range m.pipelines {
		if wanted[id] {
			continue
		}
		delete(m.pipelines, id)
		if r.stop != nil {
			r.stop()
			<-r.done
		}
		if err := m.opts.Forget(id); err != nil {
			return fmt.Errorf("drop the state of a view: %w", err)
		}
	}
	m.home = home
	return nil
}

// change adds and removes views of a running pipeline.
func (m *Manager) change(ctx context.Context, r *running, g group) error {
	if r.stop == nil {
		r.group = g
		return nil
	}
	var err error
	if !r.do(ctx, func() { err = r.regroup(g) }) {
		return types.Errorf(types.Timeout, "the pipeline of the views is busy").WithHint("try again")
	}
	return err
}

// Pin returns the newest version that has a view; the caller releases it. types.NotFound for no view of that ID, types.Unavailable while it
// catches up for the first time.
func (m *Manager) Pin(id types.ObjectID) (*Version, error) {
	m.mu.Lock()
	r := m.home[id]
	m.mu.Unlock()
	if r == nil {
		return nil, types.Errorf(types.NotFound, "there is no materialized view with ID %d", id)
	}
	v := r.cur.pin()
	if v != nil && v.View(id) != nil {
		return v, nil
	}
	if v != nil {
		v.Release()
	}
	s := r.tell(id)
	if s.State == Failed {
		return nil, types.Errorf(types.Unavailable, "the view has failed before it was complete: %s", s.Error)
	}
	return nil, types.Errorf(types.Unavailable, "the view is catching up with what exists: %.0f %%", 100*s.Progress).WithHint("ask again; SHOW VIEWS shows the progress")
}

// Wait returns once the views have read the log up to a position; partitions that they don't read are not waited for. Errors: types.Timeout or
// types.Canceled when ctx ends before, types.Unavailable where the pipeline has failed.
func (m *Manager) Wait(ctx context.Context, want types.Position, views ...types.ObjectID) error {
	for _, id := range views {
		m.mu.Lock()
		r := m.home[id]
		m.mu.Unlock()
		if r == nil {
			continue
		}
		if err := r.wait(ctx, want); err != nil {
			return err
		}
	}
	return nil
}

// Status tells of all views, by ID.
func (m *Manager) Status() map[types.ObjectID]Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[types.ObjectID]Status{}
	for id, r := range m.home {
		out[id] = r.tell(id)
	}
	return out
}

// Durable is up to where all views have read a partition durably: the log may be trimmed below. ok is false where none reads it.
func (m *Manager) Durable(p types.PartitionID) (next types.Offset, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.pipelines {
		n, reads := r.committed(p)
		if reads && (!ok || n < next) {
			next, ok = n, true
		}
	}
	return next, ok
}
