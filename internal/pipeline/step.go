package pipeline

import (
	"context"
	"fmt"
	"math"
	"time"

	"leat/internal/engine/circuit"
	"leat/internal/engine/lower"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// step runs one step; more is false where nothing had arrived.
func (p *pipeline) step(ctx context.Context) (more bool, err error) {
	in, moved, err := p.reader.step(ctx)
	if err != nil {
		return false, err
	}
	if !moved && !p.force {
		return false, p.caughtUp(ctx)
	}
	if err := p.fault("step"); err != nil {
		return false, err
	}
	began := p.opts.Now()
	out, err := p.run1(in)
	if err != nil {
		return false, err
	}
	if p.opts.ObserveStep != nil {
		p.opts.ObserveStep(p.opts.Now().Sub(began))
	}
	if err := p.fault("after apply"); err != nil {
		return false, err
	}
	p.force = false
	p.steps++
	p.dirty = true
	p.leftOut(out)
	p.progress()
	p.publish()
	for _, i := range in {
		p.uncommitted += batchBytes(i.Batch)
	}
	if p.uncommitted >= p.opts.CommitBytes {
		if err := p.commit(ctx); err != nil {
			return false, err
		}
	}
	if p.reader.atEnd() {
		return true, p.caughtUp(ctx)
	}
	return true, nil
}

// run1 runs the circuit once and changes the views' rows. An error or panic in it is the view's whose operator it is.
func (p *pipeline) run1(in []circuit.Input) (*circuit.Output, error) {
	p.stepping = true
	out, err := p.circuit.Step(in, p.reader.now)
	if err != nil {
		return nil, p.blame(err)
	}
	p.stepping = false
	if err := p.fault("before apply"); err != nil {
		return nil, err
	}
	if err := p.apply(out); err != nil {
		return nil, err
	}
	// A failed disk gives wrong answers without an error.
	return out, p.store.Err()
}

// apply changes the views' rows.
func (p *pipeline) apply(out *circuit.Output) error {
	for i, v := range p.views {
		if d := out.Deltas[i]; d.Rows() > 0 {
			changed, err := v.table.Apply(d)
			if err != nil {
				return &viewError{v.ID, fmt.Errorf("view %s: %w", v.Name, err)}
			}
			v.delta = changed
			p.uncommitted += batchBytes(d) + v.table.Written()
			v.snap.release()
			v.snap = nil
			v.stats.rows.Store(v.table.Rows())
		}
		v.setWatermark(out.Watermarks[i])
	}
	return nil
}

func (v *view) setWatermark(w int64) {
	v.watermark = w
	v.stats.watermark.Store(told(w))
}

// told is a combined watermark as readers know it: what reads no stream has none.
func told(w int64) int64 {
	if w == math.MaxInt64 {
		return types.NoWatermark
	}
	return w
}

// leftOut counts the rows that operators left out, and keeps them as letters of the view whose operator it was.
func (p *pipeline) leftOut(out *circuit.Output) {
	for _, f := range out.Failed {
		reason := f.Reason.Error()
		roots := p.circuit.RootsOf(f.Node)
		for _, r := range roots {
			p.views[r].stats.failed.Add(f.Batch.Weight(f.Row))
			p.views[r].stats.reason.Store(&reason)
		}
		if len(roots) > 0 {
			p.outbox.add(p.views[roots[0]].ID, "error", reason, f.Batch, []int32{int32(f.Row)}, p.names[f.Node])
		}
	}
	for _, l := range out.Late {
		roots := p.circuit.RootsOf(l.Node)
		for _, r := range roots {
			p.views[r].stats.late.Add(l.Rows())
		}
		if len(roots) > 0 {
			p.outbox.add(p.views[roots[0]].ID, "late", lateReason, l.Batch, nil, p.names[l.Node])
			p.outbox.lost.Add(max(0, l.More))
		}
	}
}

const lateReason = "the row came after the watermark had passed its time"

// publish makes what the live views hold now the newest version. Views without a change share their snapshot with the version before.
func (p *pipeline) publish() {
	at := p.reader.position()
	if p.replay != nil {
		if !reaches(at, *p.replay) {
			return // readers saw more than this before a failure
		}
		p.replay = nil
	}
	v := &Version{Position: at, Now: p.reader.now, views: make(map[types.ObjectID]shown, len(p.views))}
	v.refs.Store(1)
	for _, w := range p.views {
		if !w.live {
			continue
		}
		if w.snap == nil {
			w.snap = &pinned{ViewSnapshot: w.table.Snapshot(), change: p.tail.changes.Add(1)}
			w.snap.refs.Store(1)
		}
		w.snap.refs.Add(1)
		v.views[w.ID] = shown{w.snap, told(w.watermark)}
	}
	if len(v.views) == 0 || p.store.Err() != nil {
		v.Release() // a failed disk gives wrong rows without an error
		return
	}
	p.show(v)
	p.mu.Lock()
	p.notify()
	p.mu.Unlock()
}

// sizeEvery is how often the state is measured.
const sizeEvery = 100 * time.Millisecond

// progress renews what SHOW VIEWS tells of progress and size.
func (p *pipeline) progress() {
	done := int64(0)
	for _, q := range p.reader.parts {
		done += int64(q.next)
	}
	for _, v := range p.views {
		v.stats.done.Store(done)
	}
	p.skipped.Store(p.reader.skipped)
	now := time.Now()
	if now.Sub(p.sized) < sizeEvery {
		return
	}
	p.sized = now
	p.measure()
}

// measure renews the sizes of the views' state.
func (p *pipeline) measure() {
	stats := p.store.Stats()
	// Operators may keep more than they were given: a join many rows for one.
	p.uncommitted = max(p.uncommitted, stats.Uncommitted)
	sizes, tables := map[uint32]int64{}, stats.Tables
	for id, t := range tables {
		sizes[uint32(id/lower.MaxTables)] += t.Bytes
	}
	for _, v := range p.views {
		v.stats.bytes.Store(sizes[v.slot])
		v.tellIndexes(tables)
	}
}

// caughtUp shows views that have reached the log's end for the first time.
func (p *pipeline) caughtUp(ctx context.Context) error {
	shown := false
	for _, v := range p.views {
		if !v.live {
			v.live, shown = true, true
			v.stats.live.Store(true)
		}
	}
	if shown {
		p.dirty = true
		if err := p.commit(ctx); err != nil {
			return err
		}
		p.publish()
		p.measure()
	}
	if shown || p.state != Live {
		p.setState(Live, nil)
	}
	return nil
}

// batchBytes is about how many bytes a batch has.
func batchBytes(b *zset.Batch) int64 {
	if b == nil {
		return 0
	}
	n := 8 * len(b.W)
	for _, c := range b.Cols {
		n += 8*len(c.I64) + 8*len(c.F64) + 16*len(c.W) + 4*len(c.Off)
		if len(c.Off) > 0 {
			n += int(c.Off[len(c.Off)-1] - c.Off[0])
		}
	}
	return int64(n)
}
