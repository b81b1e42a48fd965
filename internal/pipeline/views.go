package pipeline

import (
	"context"
	"fmt"
	"slices"

	"leat/internal/bus"
	"leat/internal/engine/circuit"
	"leat/internal/engine/lower"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// regroup makes the views of a running pipeline those of g, whose root has the same ID. refused tells of views that could not be added; a
// fatal error ends the session.
func (p *pipeline) regroup(g group) (refused, fatal error) {
	p.regrouped(g)
	if p.store == nil || g.err != nil || p.views[0].digest != g.views[0].digest() {
		return nil, errReopen // where there is no session, the next one comes at once
	}
	removed := false
	p.views = slices.DeleteFunc(p.views, func(v *view) bool {
		gone := !slices.ContainsFunc(g.views, func(d Definition) bool { return d.ID == v.ID && d.digest() == v.digest })
		if gone {
			p.drop(v)
			removed = true
		}
		return gone
	})
	if removed {
		p.views = p.withParents()
	}
	changed := p.replan(g) || removed
	if changed {
		if err := p.rebuild(); err != nil {
			return nil, err
		}
	}
	changed = p.reindex() || changed
	for _, d := range g.views {
		if _, out := p.detached[d.ID]; out || p.view(d.ID) != nil {
			continue
		}
		changed = true
		no, err := p.add(d)
		if err != nil {
			return nil, err
		}
		if no != nil && refused == nil {
			refused = fmt.Errorf("view %s: %w", d.Name, no)
		}
	}
	if !changed {
		return nil, nil
	}
	p.dirty = true
	if err := p.commit(context.Background()); err != nil {
		return nil, err
	}
	p.publish()
	p.measure()
	return refused, nil
}

// replan takes over plans that differ in nothing but names and the number of partitions; true where it is the latter.
func (p *pipeline) replan(g group) (more bool) {
	for _, v := range p.views {
		i := slices.IndexFunc(g.views, func(d Definition) bool { return d.ID == v.ID })
		more = more || !samePartitions(v.Plan, g.views[i].Plan)
		v.Definition = g.views[i]
	}
	return more
}

// withParents drops the views that read views which are no longer there: they are added anew, over the new ones.
func (p *pipeline) withParents() []*view {
	var kept []*view
	for _, v := range p.views {
		orphan := false
		for _, s := range scans(v.Plan) {
			in := func(k *view) bool { return k.ID == s.Relation.ID }
			orphan = orphan || slices.ContainsFunc(p.group.views, func(d Definition) bool { return d.ID == s.Relation.ID }) && !slices.ContainsFunc(kept, in)
		}
		if orphan {
			p.drop(v)
			continue
		}
		kept = append(kept, v)
	}
	return kept
}

// drop frees a view's state.
func (p *pipeline) drop(v *view) {
	v.snap.release()
	v.snap = nil
	p.free(v.slot)
}

// rebuild lowers the views that there are now; the reader stays where it is.
func (p *pipeline) rebuild() error { return p.build(p.reader.marks()) }

// add builds a view on views that already run: their rows as they are now are its first delta, so it needs no history and sees the same
// offsets as they do. The pipeline stands still meanwhile. A view that can't be built is shown as failed, which is no failure of the others.
func (p *pipeline) add(d Definition) (refused, fatal error) {
	slot := uint32(0)
	for _, v := range p.views {
		slot = max(slot, v.slot+1)
	}
	if slot == outboxSlot {
		return types.Errorf(types.Unavailable, "too many views were built on one another").WithHint("restart the server"), nil
	}
	v := p.newView(d, slot, nil)
	if err := p.warm(v); err != nil {
		p.drop(v)
		p.detached[d.ID] = v.digest
		p.breakView(d.ID, err.Error())
		return err, p.store.Err()
	}
	p.views = append(p.views, v)
	return nil, p.rebuild()
}

// warm runs a view's circuit alone over the present rows of the views that it reads.
func (p *pipeline) warm(v *view) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = types.Errorf(types.Internal, "BUG: %v", r)
		}
	}()
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
		v.stats.failed.Add(int64(len(out.Failed)))
		_, err = v.table.Apply(out.Deltas[0])
		return err
	}
	v.live = true
	for i, s := range sources {
		parent := p.view(s.Relation.ID)
		if parent == nil {
			return types.Errorf(types.Unavailable, "view %s reads %s, which does not run", v.Name, s.Relation.Name)
		}
		v.live = v.live && parent.live
		in[i].Watermark = types.NoWatermark
	}
	for i, s := range sources {
		if err := eachBatch(p.view(s.Relation.ID).table.Snapshot(), s.Columns, func(b *zset.Batch) error {
			in[i].Batch = b
			return step()
		}); err != nil {
			return err
		}
		in[i].Batch = nil
	}
	for i, s := range sources {
		in[i].Watermark = p.view(s.Relation.ID).watermark
	}
	if err := step(); err != nil {
		return err
	}
	v.stats.live.Store(v.live)
	v.stats.rows.Store(v.table.Rows())
	return p.store.Err()
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
func (p *pipeline) wait(ctx context.Context, id types.ObjectID, want types.Position) error {
	for {
		p.mu.Lock()
		changed, state, err, retired, status := p.changed, p.state, p.err, p.retired, p.status[id]
		p.mu.Unlock()
		v := p.cur.pin()
		if v != nil {
			reached := reaches(v.Position, want)
			v.Release()
			if reached {
				return nil
			}
		}
		switch {
		case retired:
			return types.Errorf(types.Unavailable, "the view was stopped")
		case state == Failed:
			return types.Errorf(types.Unavailable, "the view has failed: %w", err).WithHint("SHOW VIEWS")
		case status != nil && status.broken.Load() != nil:
			return types.Errorf(types.Unavailable, "the view has failed: %s", *status.broken.Load()).WithHint("SHOW VIEWS")
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
	s := Status{ID: id, Pipeline: p.id, State: p.state, Watermark: types.NoWatermark, Skipped: p.skipped.Load(), LettersLost: p.lost.Load()}
	v := p.status[id]
	if v == nil {
		return s
	}
	s.Rows, s.StateBytes, s.Failed, s.Late, s.Watermark = v.rows.Load(), v.bytes.Load(), v.failed.Load(), v.late.Load(), v.watermark.Load()
	if s.State == Live && !v.live.Load() {
		s.State = CatchingUp
	}
	done, target := v.done.Load(), p.end()
	s.Lag, s.Progress = max(0, target-done), 1
	if target > 0 {
		s.Progress = min(1, float64(done)/float64(target))
	}
	if x := v.indexes.Load(); x != nil {
		s.Indexes = *x
	}
	if r := v.reason.Load(); r != nil {
		s.Error = *r
	}
	if r := v.broken.Load(); r != nil {
		s.State, s.Error = Failed, *r
	}
	if p.err != nil {
		s.Error = p.err.Error()
	}
	return s
}

// end is the sum of the ends of the partitions that are read, as the log has them now.
func (p *pipeline) end() (n int64) {
	reads := p.reads.Load()
	if reads == nil {
		return 0
	}
	for id := range *reads {
		if b, err := p.opts.Log.Bounds(id); err == nil && id != bus.Clock {
			n += int64(b.End)
		}
	}
	return n
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
