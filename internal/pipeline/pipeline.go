package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/bus"
	"leat/internal/engine/circuit"
	"leat/internal/engine/lower"
	"leat/internal/engine/op"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// pipeline runs one group of views: one reader of the log, one circuit, one store, one goroutine.
type pipeline struct {
	opts *Options
	tail *tail
	id   types.ObjectID
	log  *slog.Logger

	// bell rings when the log has grown, requests are run between two steps.
	bell     chan struct{}
	requests chan func()

	cur current
	// mu guards what follows.
	mu      sync.Mutex
	status  map[types.ObjectID]*viewStatus
	state   State
	err     error
	changed chan struct{} // closed and replaced whenever a version is published or the state changes
	durable map[types.PartitionID]types.Offset

	// The goroutine's own.
	group   group
	store   state.Store
	views   []*view
	circuit *circuit.Circuit
	reader  *reader
	origins map[types.PartitionID]types.Offset
	steps   int64
	// dirty is set while there are steps that no commit has.
	dirty bool
}

// view is one view at work.
type view struct {
	Definition
	slot   uint32
	table  *op.View
	digest string
	// live is set once it has caught up for the first time; readers see nothing of it before.
	live  bool
	snap  *pinned
	stats *viewStatus
}

// viewStatus counts for one view; the pipeline writes, anyone reads.
type viewStatus struct {
	live         atomic.Bool
	done, target atomic.Int64
	rows, bytes  atomic.Int64
	failed, late atomic.Int64
	watermark    atomic.Int64
	reason       atomic.Pointer[string]
}

// viewTables is how many tables at the end of a slot's range hold the view's rows.
const viewTables = 2

// slotTables is the ID of a slot's first table.
func slotTables(slot uint32) state.TableID { return state.TableID(slot) * lower.MaxTables }

func newPipeline(o *Options, t *tail, g group) *pipeline {
	p := &pipeline{
		opts: o, tail: t, id: g.id, group: g, log: o.Logger.With("pipeline", g.id), bell: make(chan struct{}, 1), requests: make(chan func()),
		changed: make(chan struct{}), state: CatchingUp, status: map[types.ObjectID]*viewStatus{},
	}
	for _, d := range g.views {
		p.status[d.ID] = newStatus()
	}
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

// do runs f between two steps and waits for it; false if ctx ended before.
func (p *pipeline) do(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case p.requests <- func() { defer close(done); f() }:
		<-done
		return true
	case <-ctx.Done():
		return false
	}
}

// maxAttempts is how often a pipeline is opened again after failures without a step between before it stays failed.
const maxAttempts = 3

// run works until ctx ends. What fails is opened again from its last commit; what goes on failing stays as it is, readable at its last version.
func (p *pipeline) run(ctx context.Context) {
	pause, attempts, steps := 100*time.Millisecond, 0, int64(-1)
	for ctx.Err() == nil {
		err := p.session(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if p.steps != steps {
			attempts, pause = 0, 100*time.Millisecond
		}
		attempts, steps = attempts+1, p.steps
		p.log.Error("a pipeline failed", "error", err, "attempt", attempts)
		if attempts >= maxAttempts {
			p.setState(Failed, err)
			pause = time.Minute
		}
		p.rest(ctx, pause)
		pause = min(2*pause, time.Minute)
	}
}

// rest waits, and answers requests meanwhile.
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
			f()
		}
	}
}

func (p *pipeline) setState(s State, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state, p.err = s, err
	close(p.changed)
	p.changed = make(chan struct{})
}

// session opens the state and steps until ctx ends or something fails. A panic of an operator is a failure of its pipeline only.
func (p *pipeline) session(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = types.Errorf(types.Internal, "BUG: %v", r)
			p.log.Error("a pipeline panicked", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if err := p.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	tick := time.NewTicker(p.opts.CommitEvery)
	defer tick.Stop()
	more := true
	for {
		var idle <-chan struct{}
		if more {
			idle = closed
		}
		select {
		case <-ctx.Done():
			return p.commit()
		case f := <-p.requests:
			f()
			if err := p.store.Err(); err != nil {
				return err
			}
			more = true
		case <-tick.C:
			if err := p.commit(); err != nil {
				return err
			}
		case <-p.bell:
			more = true
		case <-idle:
			if more, err = p.step(ctx); err != nil {
				if ctx.Err() != nil {
					return nil //nolint:nilerr // being stopped is no failure: the last commit counts
				}
				return err
			}
		}
	}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// open opens the store and places the pipeline where its last commit left it, or at the beginning of history.
func (p *pipeline) open() error {
	st, err := p.opts.States(p.id)
	if err != nil {
		return err
	}
	p.store = st
	m, err := decodeMeta(st.Meta())
	if err == nil && m != nil && !p.usable(m) {
		err = p.reset()
		m = nil
	}
	if err != nil {
		return errors.Join(err, st.Close())
	}
	if m == nil {
		m = &meta{Incarnation: p.opts.Log.Incarnation()}
	}
	p.steps = m.Steps
	p.views = nil
	var fresh []Definition
	for _, d := range p.group.views {
		kept := false
		for _, mv := range m.Views {
			if mv.ID == d.ID && mv.Plan == digest(d.Plan) {
				v := p.newView(d, mv.Slot)
				v.live = mv.Live
				v.stats.failed.Store(mv.Failed)
				v.stats.late.Store(mv.Late)
				kept = true
				p.views = append(p.views, v)
			}
		}
		if !kept {
			fresh = append(fresh, d)
		}
	}
	if len(p.views) == 0 && len(fresh) > 0 {
		// A new pipeline: its views see history from the beginning together.
		for i, d := range fresh {
			p.views = append(p.views, p.newView(d, uint32(i)))
		}
		fresh = nil
	}
	if err := p.build(m); err != nil {
		return errors.Join(err, st.Close())
	}
	for _, d := range fresh {
		if err := p.add(d); err != nil {
			return errors.Join(err, st.Close())
		}
	}
	return p.publish(nil)
}

// usable reports whether the log still has what the state stands on: the same log, and no offsets that it lost in a power cut.
func (p *pipeline) usable(m *meta) bool {
	if m.Incarnation != p.opts.Log.Incarnation() {
		return false
	}
	for _, k := range m.Marks {
		id := types.PartitionID{Stream: k.Stream, Index: k.Index}
		if b, err := p.opts.Log.Bounds(id); err == nil && k.Next > b.End && id != bus.Clock {
			p.log.Warn("the log lost rows that views had read; they are built anew", "partition", id.String())
			return false
		}
	}
	return len(p.group.views) > 0 && len(m.Views) > 0 && m.Views[0].ID == p.group.views[0].ID && m.Views[0].Plan == digest(p.group.views[0].Plan)
}

// reset empties the store.
func (p *pipeline) reset() error {
	if err := p.store.Close(); err != nil {
		return err
	}
	if err := p.opts.Forget(p.id); err != nil {
		return err
	}
	st, err := p.opts.States(p.id)
	p.store = st
	return err
}

// digest names a plan: state belongs to one.
func digest(n plan.Node) string {
	sum := sha256.Sum256([]byte(plan.String(n)))
	return hex.EncodeToString(sum[:16])
}

func (p *pipeline) newView(d Definition, slot uint32) *view {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status[d.ID] == nil {
		p.status[d.ID] = newStatus()
	}
	v := &view{Definition: d, slot: slot, digest: digest(d.Plan), stats: p.status[d.ID]}
	ts := make([]types.Type, 0, len(d.Plan.Fields()))
	for _, f := range d.Plan.Fields() {
		ts = append(ts, f.Type)
	}
	next := slotTables(slot) + lower.MaxTables - viewTables
	v.table = op.NewView(ts, d.Key, func() state.Table {
		next++
		return p.store.Table(next - 1)
	})
	return v
}

// build lowers the views and places the reader.
func (p *pipeline) build(m *meta) error {
	low, err := lower.Lower(p.lowered(), p.store, p.opts.Evaluator)
	if err != nil {
		return err
	}
	p.circuit = low.Circuit
	from := map[types.PartitionID]mark{}
	p.origins = map[types.PartitionID]types.Offset{}
	for _, k := range m.Marks {
		id := types.PartitionID{Stream: k.Stream, Index: k.Index}
		from[id], p.origins[id] = mark{k.Next, k.Watermark}, k.Origin
	}
	p.reader = newReader(p.tail, p.opts.Log, p.opts.History, p.circuit.Sources(), from)
	return nil
}

// lowered are the views as lowering takes them.
func (p *pipeline) lowered() []lower.View {
	out := make([]lower.View, len(p.views))
	for i, v := range p.views {
		out[i] = lower.View{ID: v.ID, Plan: v.Plan, Tables: slotTables(v.slot)}
	}
	return out
}

// close gives the snapshots and the store back. The published version stays readable.
func (p *pipeline) close() error {
	err := p.store.Close()
	p.store, p.circuit = nil, nil
	return err
}

// step runs one step; more is false where nothing had arrived.
func (p *pipeline) step(ctx context.Context) (more bool, err error) {
	in, moved, err := p.reader.step(ctx)
	if err != nil {
		return false, err
	}
	if !moved {
		return false, p.caughtUp()
	}
	if err := p.fault("step"); err != nil {
		return false, err
	}
	out, err := p.circuit.Step(in, p.reader.now)
	if err != nil {
		return false, err
	}
	if err := p.store.Err(); err != nil {
		return false, err
	}
	p.steps++
	p.dirty = true
	if err := p.apply(out); err != nil {
		return false, err
	}
	return true, p.publish(out)
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

// apply changes the views' rows and counts what was left out.
func (p *pipeline) apply(out *circuit.Output) error {
	for i, v := range p.views {
		if d := out.Deltas[i]; d.Rows() > 0 {
			if _, err := v.table.Apply(d); err != nil {
				return fmt.Errorf("view %s: %w", v.Name, err)
			}
			if v.snap != nil {
				v.snap.release()
				v.snap = nil
			}
		}
		v.stats.watermark.Store(out.Watermarks[i])
	}
	for _, f := range out.Failed {
		for _, r := range p.circuit.RootsOf(f.Node) {
			p.views[r].stats.failed.Add(f.Batch.Weight(f.Row))
			reason := f.Reason.Error()
			p.views[r].stats.reason.Store(&reason)
		}
	}
	for _, l := range out.Late {
		for _, r := range p.circuit.RootsOf(l.Node) {
			p.views[r].stats.late.Add(int64(l.Batch.Rows()))
		}
	}
	return nil
}

// publish makes what the views hold now the newest version. Views without a change share their snapshot with the version before.
func (p *pipeline) publish(out *circuit.Output) error {
	v := &Version{Position: p.reader.position(), Now: p.reader.now, views: map[types.ObjectID]*pinned{}}
	v.refs.Store(1)
	for i, w := range p.views {
		mark := types.NoWatermark
		if out != nil {
			mark = out.Watermarks[i]
		}
		if w.snap == nil || w.snap.watermark != mark {
			fresh := &pinned{ViewSnapshot: w.table.Snapshot(), watermark: mark}
			fresh.refs.Store(1) // the view's own
			if w.snap != nil {
				w.snap.release()
			}
			w.snap = fresh
			w.stats.rows.Store(fresh.Rows())
		}
		if w.live {
			w.snap.refs.Add(1)
			v.views[w.ID] = w.snap
		}
	}
	p.cur.publish(v)
	p.mu.Lock()
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	p.progress()
	return nil
}

// progress renews what SHOW VIEWS tells of a view that catches up.
func (p *pipeline) progress() {
	done, target := int64(0), int64(0)
	for _, q := range p.reader.parts {
		done += int64(q.next)
		target += int64(max(q.end, q.next))
	}
	bytes := p.store.Stats()
	for _, v := range p.views {
		v.stats.done.Store(done)
		v.stats.target.Store(target)
		size := int64(0)
		for id, t := range bytes.Tables {
			if uint32(id/lower.MaxTables) == v.slot {
				size += t.Bytes
			}
		}
		v.stats.bytes.Store(size)
	}
}

// caughtUp shows views that have reached the log's end for the first time.
func (p *pipeline) caughtUp() error {
	shown := false
	for _, v := range p.views {
		if !v.live {
			v.live, shown = true, true
			v.stats.live.Store(true)
		}
	}
	if !shown && p.state == Live {
		return nil
	}
	if shown {
		if err := p.commit(); err != nil {
			return err
		}
		if err := p.publish(nil); err != nil {
			return err
		}
	}
	p.setState(Live, nil)
	return nil
}

// commit makes the steps so far durable: state, offsets and watermarks at once.
func (p *pipeline) commit() error {
	if !p.dirty && p.durable != nil {
		return nil
	}
	if err := p.fault("before commit"); err != nil {
		return err
	}
	m := p.meta()
	text, err := m.encode()
	if err != nil {
		return err
	}
	if err := p.store.Commit(text, true); err != nil {
		return err
	}
	if err := p.fault("after commit"); err != nil {
		return err
	}
	p.dirty = false
	p.mu.Lock()
	defer p.mu.Unlock()
	p.durable = map[types.PartitionID]types.Offset{}
	for _, k := range m.Marks {
		p.durable[types.PartitionID{Stream: k.Stream, Index: k.Index}] = k.Next
	}
	return nil
}

func (p *pipeline) meta() *meta {
	m := &meta{Incarnation: p.opts.Log.Incarnation(), Steps: p.steps}
	for id, k := range p.reader.marks() {
		m.Marks = append(m.Marks, metaMark{Stream: id.Stream, Index: id.Index, Next: k.Next, Watermark: k.Watermark, Origin: p.origins[id]})
	}
	for _, v := range p.views {
		m.Views = append(m.Views, metaView{ID: v.ID, Slot: v.slot, Plan: v.digest, Live: v.live, Failed: v.stats.failed.Load(), Late: v.stats.late.Load()})
	}
	return m
}
