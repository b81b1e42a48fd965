package pipeline

import (
	"context"
	"fmt"
	"slices"

	"leat/internal/engine/circuit"
	"leat/internal/engine/lower"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// regroup makes the views of a running pipeline those of g, whose root is the same.
func (p *pipeline) regroup(g group) error {
	p.group = g
	if p.store == nil {
		return nil // between two sessions: the next one opens what g says
	}
	removed := false
	p.views = slices.DeleteFunc(p.views, func(v *view) bool {
		gone := !slices.ContainsFunc(g.views, func(d Definition) bool { return d.ID == v.ID })
		if gone {
			p.drop(v)
			removed = true
		}
		return gone
	})
	if removed {
		if err := p.rebuild(); err != nil {
			return err
		}
	}
	for _, d := range g.views {
		if slices.ContainsFunc(p.views, func(v *view) bool { return v.ID == d.ID }) {
			continue
		}
		if err := p.add(d); err != nil {
			return fmt.Errorf("view %s: %w", d.Name, err)
		}
	}
	p.dirty = true
	if err := p.commit(); err != nil {
		return err
	}
	return p.publish(nil)
}

// drop frees a view's state.
func (p *pipeline) drop(v *view) {
	if v.snap != nil {
		v.snap.release()
	}
	for id := range p.store.Stats().Tables {
		if uint32(id/lower.MaxTables) == v.slot {
			p.store.Drop(id)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.status, v.ID)
}

// rebuild lowers the views that there are now; the reader stays where it is.
func (p *pipeline) rebuild() error {
	m := p.meta()
	return p.build(m)
}

// add builds a view on views that already run: their rows as they are now are its first delta, so it needs no history and sees the same
// offsets as they do. The pipeline stands still meanwhile.
func (p *pipeline) add(d Definition) error {
	slot := uint32(0)
	for _, v := range p.views {
		slot = max(slot, v.slot+1)
	}
	v := p.newView(d, slot)
	if err := p.warm(v); err != nil {
		p.drop(v)
		return err
	}
	v.live = true
	v.stats.live.Store(true)
	p.views = append(p.views, v)
	return p.rebuild()
}

// warm runs a view's circuit alone over the present rows of the views that it reads.
func (p *pipeline) warm(v *view) error {
	low, err := lower.Lower([]lower.View{{ID: v.ID, Plan: v.Plan, Tables: slotTables(v.slot)}}, p.store, p.opts.Evaluator)
	if err != nil {
		return err
	}
	sources := low.Circuit.Sources()
	in := make([]circuit.Input, len(sources))
	step := func() error {
		out, err := low.Circuit.Step(in, p.reader.now)
		if err != nil {
			return err
		}
		_, err = v.table.Apply(out.Deltas[0])
		return err
	}
	for i := range in {
		in[i].Watermark = types.NoWatermark
	}
	for i, s := range sources {
		parent := p.view(s.Relation.ID)
		if parent == nil {
			return types.Errorf(types.Internal, "BUG: view %s reads %s, which is not of its pipeline", v.Name, s.Relation.Name)
		}
		if err := eachBatch(parent.table.Snapshot(), s.Columns, func(b *zset.Batch) error {
			in[i].Batch = b
			return step()
		}); err != nil {
			return err
		}
		in[i].Batch = nil
	}
	for i, s := range sources {
		in[i].Watermark = p.view(s.Relation.ID).stats.watermark.Load()
	}
	return step()
}

// eachBatch calls f with some columns of all rows, and closes the snapshot.
func eachBatch(s *op.ViewSnapshot, columns []int, f func(*zset.Batch) error) error {
	defer s.Close()
	for b, next := s.Scan(nil, stepRows); b != nil; b, next = s.Scan(next, stepRows) {
		picked := &zset.Batch{N: b.N, W: b.W}
		for _, c := range columns {
			picked.Cols = append(picked.Cols, b.Cols[c])
		}
		if err := f(picked); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
	}
	return nil
}

func (p *pipeline) view(id types.ObjectID) *view {
	for _, v := range p.views {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// wait returns once the published version has read up to a position.
func (p *pipeline) wait(ctx context.Context, want types.Position) error {
	for {
		p.mu.Lock()
		changed, state, err := p.changed, p.state, p.err
		p.mu.Unlock()
		v := p.cur.pin()
		if v != nil {
			reached := reaches(v.Position, want)
			v.Release()
			if reached {
				return nil
			}
		}
		if state == Failed {
			return types.Errorf(types.Unavailable, "the view has failed: %w", err).WithHint("SHOW VIEWS")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				return types.Errorf(types.Canceled, "the wait for a position was canceled")
			}
			return types.Errorf(types.Timeout, "the view did not reach the position in time").WithHint("everything sent is durable; ask again, or see SHOW VIEWS")
		}
	}
}

// reaches reports whether have covers want in the partitions that it has.
func reaches(have, want types.Position) bool {
	for _, c := range want.Cursors {
		for _, h := range have.Cursors {
			if h.Partition == c.Partition && h.Next < c.Next {
				return false
			}
		}
	}
	return true
}

// tell is the status of one view.
func (p *pipeline) tell(id types.ObjectID) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{ID: id, Pipeline: p.id, State: p.state, Watermark: types.NoWatermark}
	v := p.status[id]
	if v == nil {
		return s
	}
	s.Rows, s.StateBytes, s.Failed, s.Late, s.Watermark = v.rows.Load(), v.bytes.Load(), v.failed.Load(), v.late.Load(), v.watermark.Load()
	if s.State == Live && !v.live.Load() {
		s.State = CatchingUp
	}
	done, target := v.done.Load(), v.target.Load()
	s.Lag, s.Progress = target-done, 1
	if target > 0 {
		s.Progress = float64(done) / float64(target)
	}
	if r := v.reason.Load(); r != nil {
		s.Error = *r
	}
	if p.err != nil {
		s.Error = p.err.Error()
	}
	return s
}

// committed is up to where the pipeline has read a partition durably; reads is false where it doesn't.
func (p *pipeline) committed(id types.PartitionID) (next types.Offset, reads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next, reads = p.durable[id]
	if p.durable == nil {
		return 0, true // not opened yet: nobody knows
	}
	return next, reads
}
