// Package pipeline runs continuous views over the log. A pipeline is one view and the views built on it: one consumer, one clock, one
// atomic commit of state, offsets, watermarks and outbox. Every step's result is published as an immutable version; readers pin one.
package pipeline

import (
	"context"
	"errors"
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
	// States opens the store of a pipeline, made empty where it is new; Forget removes it. Snapshots of a store have to stay readable when it
	// is closed and opened again.
	States func(pipeline types.ObjectID) (state.Store, error)
	Forget func(pipeline types.ObjectID) error
	// Evaluator runs expressions without kernels.
	Evaluator expr.Evaluator
	// Letters takes the rows that views left out; nil: they are counted only.
	Letters Letters
	// TailBytes bounds the decoded log that pipelines share; 0 is DefaultTailBytes.
	TailBytes int
	// CommitEvery is how often state is made durable; 0 is 10 s. A restart replays what came after.
	CommitEvery time.Duration
	// CommitBytes is about how many bytes of rows and of changed state a pipeline has between two commits, because what is not committed stays in memory;
	// 0 is 64 MiB.
	CommitBytes int64
	Logger      *slog.Logger
	// Now is the wall clock, for the epochs of letters; nil is time.Now.
	Now func() time.Time
	// ObserveStep, if set, is told how long each step took.
	ObserveStep func(took time.Duration)
	// Fault, if set, is asked at named points ("step", "before apply", "after apply", "before commit", "after commit", "after letters"); its
	// error is a failure there.
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
	// Skipped counts stretches of the log that were damaged or missing, and passed over. LettersLost counts rows that were left out and not
	// kept as letters, because there were too many at once. Both are the pipeline's.
	Skipped, LettersLost int64
	// Indexes tells of the view's indexes, by their IDs; don't change it.
	Indexes map[uint32]IndexStatus
}

// Manager runs the pipelines of all views. Its methods may be called from any goroutine.
type Manager struct {
	opts Options
	tail *tail
	wg   sync.WaitGroup

	// setting is held by Set, which may take long; readers don't wait for it. Pipelines' groups change only meanwhile.
	setting sync.Mutex
	// mu guards what follows.
	mu        sync.Mutex
	pipelines map[types.ObjectID]*running
	// home is each view's pipeline.
	home map[types.ObjectID]*running
	// ctx is Run's, nil before; ended is set once Run waits for the last pipeline.
	ctx   context.Context
	ended bool
}

// running is a pipeline with its goroutine.
type running struct {
	*pipeline
	// stop ends the goroutine, and done is closed then; both are nil where there is none. The Manager's mu guards them.
	stop func()
	done chan struct{}
}

// New makes a Manager without views.
func New(o Options) *Manager {
	if o.CommitEvery == 0 {
		o.CommitEvery = 10 * time.Second
	}
	if o.CommitBytes == 0 {
		o.CommitBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Manager{opts: o, tail: newTail(o.Log, o.TailBytes), pipelines: map[types.ObjectID]*running{}, home: map[types.ObjectID]*running{}}
}

// Run follows the log and runs the pipelines until ctx ends; then it commits them, and no version can be pinned any more. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	m.mu.Lock()
	m.ctx = ctx
	for _, r := range m.pipelines {
		m.start(r)
	}
	m.mu.Unlock()
	defer m.end()
	defer cancel()
	sub := m.opts.Log.Subscribe()
	defer sub.Close()
	for {
		grown, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil // being stopped is no failure
		}
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		m.ring(grown)
	}
}

// end waits for the pipelines and lets their versions go.
func (m *Manager) end() {
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	m.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.pipelines {
		r.retire()
	}
}

// ring wakes the pipelines that read what has grown: the clock's tick each second is nothing to most.
func (m *Manager) ring(grown []types.PartitionID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.pipelines {
		if r.concerned(grown) {
			r.ring()
		}
	}
}

// start starts a pipeline's goroutine. m.mu is held.
func (m *Manager) start(r *running) {
	if m.ctx == nil || m.ended || r.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(m.ctx)
	done := make(chan struct{})
	r.stop, r.done = stop, done
	m.wg.Go(func() {
		defer close(done)
		r.run(ctx)
	})
}

// Set makes the views those of the list, parents before children: it starts what is new, lets go what is gone, builds anew what has another
// plan and leaves the rest as it is. An error tells of views that could not be added to a running pipeline, or of state that could not be
// removed; all else is done nevertheless.
func (m *Manager) Set(ctx context.Context, defs []Definition) error {
	m.setting.Lock()
	defer m.setting.Unlock()
	home := map[types.ObjectID]*running{}
	wanted := map[types.ObjectID]bool{}
	var errs []error
	for _, g := range groups(defs) {
		wanted[g.id] = true
		r, err := m.place(ctx, g)
		if err != nil {
			errs = append(errs, err)
		}
		for _, d := range g.views {
			home[d.ID] = r
		}
	}
	m.mu.Lock()
	m.home = home
	var gone []*running
	for id, r := range m.pipelines {
		if !wanted[id] {
			delete(m.pipelines, id)
			gone = append(gone, r)
		}
	}
	m.mu.Unlock()
	for _, r := range gone {
		if err := m.forget(r); err != nil {
			errs = append(errs, err)
		}
	}
	if len(gone) > 0 {
		m.trimTail()
	}
	return errors.Join(errs...)
}

// place makes a pipeline for a group, or changes the one that there is.
func (m *Manager) place(ctx context.Context, g group) (*running, error) {
	m.mu.Lock()
	r := m.pipelines[g.id]
	if r == nil {
		r = &running{pipeline: newPipeline(&m.opts, m.tail, g)}
		m.pipelines[g.id] = r
		m.start(r)
		m.mu.Unlock()
		return r, nil
	}
	done := r.done
	if r.group.same(g) {
		m.mu.Unlock()
		return r, nil
	}
	if done == nil {
		r.regrouped(g)
		m.mu.Unlock()
		return r, nil
	}
	m.mu.Unlock()
	var err error
	if e := r.do(ctx, done, func() error {
		var fatal error
		err, fatal = r.regroup(g)
		return fatal
	}); e != nil {
		return r, e
	}
	return r, err
}

// forget ends a pipeline and removes its state. Versions that are pinned stay readable.
func (m *Manager) forget(r *running) error {
	m.mu.Lock()
	stop, done := r.stop, r.done
	m.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	r.retire()
	if err := m.opts.Forget(r.id); err != nil {
		return fmt.Errorf("drop the state of a view: %w", err)
	}
	return nil
}

// trimTail lets go the decoded rows of partitions that nobody reads any more.
func (m *Manager) trimTail() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tail.keep(func(p types.PartitionID) bool {
		for _, r := range m.pipelines {
			if r.concerned([]types.PartitionID{p}) {
				return true
			}
		}
		return false
	})
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
// types.Canceled when ctx ends before, types.Unavailable where the view or its pipeline has failed or was stopped.
func (m *Manager) Wait(ctx context.Context, want types.Position, views ...types.ObjectID) error {
	for _, id := range views {
		m.mu.Lock()
		r := m.home[id]
		m.mu.Unlock()
		if r == nil {
			continue
		}
		if err := r.wait(ctx, id, want); err != nil {
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
