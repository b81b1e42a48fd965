package app

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/bus"
	"leat/internal/engine/op"
	"leat/internal/pipeline"
	"leat/internal/query"
	"leat/internal/store"
	"leat/internal/types"
)

// liveOf finds a relation that the engine serves, nil if it is none.
func (v *views) liveOf(id types.ObjectID) *liveRows {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.live[id]
}

// Serves implements query.Live.
func (v *views) Serves(id types.ObjectID) bool { return v.liveOf(id) != nil }

// Wait implements query.Live. The clock is not waited for: only views that ask for the time follow it.
func (v *views) Wait(ctx context.Context, p types.Position, ids []types.ObjectID) error {
	if p.Incarnation != v.server.bus.Incarnation() {
		return types.Errorf(types.PositionGone, "the position belongs to another log: this one was restored or is new").WithHint("start again without a position")
	}
	want := types.Position{Incarnation: p.Incarnation}
	for _, c := range p.Cursors {
		if c.Partition.Stream == bus.Clock.Stream {
			continue
		}
		if b, err := v.server.bus.Bounds(c.Partition); err == nil && c.Next > b.End {
			return types.Errorf(types.PositionGone, "the position is beyond the end of partition %s", c.Partition)
		}
		want.Cursors = append(want.Cursors, c)
	}
	return v.manager.Wait(ctx, want, ids...)
}

// pinned are the versions that one query sees. It implements query.Pinned.
type pinned struct {
	views *views
	refs  atomic.Int64
	// mu guards versions: one of each pipeline.
	mu       sync.Mutex
	versions []*pipeline.Version
}

// firstVersion is how long a reader waits for a view that was just made: most are complete at once, and a script that makes one and reads it
// expects that. Who reads one over much history is told to come again.
const firstVersion = 5 * time.Second

// version pins the newest version that has a view, waiting for the first one for a while.
func (v *views) version(ctx context.Context, id types.ObjectID) (*pipeline.Version, error) {
	version, err := v.manager.Pin(id)
	if err == nil || !types.HasCode(err, types.Unavailable) {
		return version, err
	}
	ctx, cancel := context.WithTimeout(ctx, firstVersion)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for err != nil {
		if s, ok := v.manager.Status()[id]; !ok || s.State == pipeline.Failed {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
		version, err = v.manager.Pin(id)
	}
	return version, nil
}

// Pin implements query.Live.
func (v *views) Pin(ctx context.Context, ids []types.ObjectID) (query.Pinned, error) {
	p := &pinned{views: v}
	p.refs.Store(1)
	for i, id := range ids {
		if p.find(id) != nil {
			continue
		}
		version, err := v.version(ctx, id)
		if err != nil {
			p.Release()
			return nil, err
		}
		// A view that was shown only now has a version newer than that of its pipeline pinned before: the newer one takes its place.
		p.versions = slices.DeleteFunc(p.versions, func(old *pipeline.Version) bool {
			replaced := !slices.ContainsFunc(ids[:i], func(id types.ObjectID) bool { return old.View(id) != nil && version.View(id) == nil })
			if replaced {
				old.Release()
			}
			return replaced
		})
		p.versions = append(p.versions, version)
	}
	return p, nil
}

// find returns the pinned version that has a view; mu is held, or nobody else knows p yet.
func (p *pinned) find(id types.ObjectID) *pipeline.Version {
	for _, version := range p.versions {
		if version.View(id) != nil {
			return version
		}
	}
	return nil
}

// Positions implements query.Pinned.
func (p *pinned) Positions() []types.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]types.Position, len(p.versions))
	for i, version := range p.versions {
		out[i] = logPosition(version)
	}
	return out
}

// Watermark implements query.Pinned.
func (p *pinned) Watermark(id types.ObjectID) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if version := p.find(id); version != nil {
		return version.Watermark(id)
	}
	return types.NoWatermark
}

// Change implements query.Pinned.
func (p *pinned) Change(id types.ObjectID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if version := p.find(id); version != nil {
		return version.Change(id)
	}
	return 0
}

// View implements query.Pinned.
func (p *pinned) View(id types.ObjectID) *op.ViewSnapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if version := p.find(id); version != nil {
		return version.View(id)
	}
	return nil
}

// logPosition is a version's position without the clock, which says nothing of rows.
func logPosition(version *pipeline.Version) types.Position {
	p := version.Position
	p.Cursors = slices.DeleteFunc(slices.Clone(p.Cursors), func(c types.Cursor) bool { return c.Partition.Stream == bus.Clock.Stream })
	return p
}

// Open implements store.Live.
func (p *pinned) Open(id types.ObjectID, columns []int) (store.LiveRows, error) {
	p.mu.Lock()
	version := p.find(id)
	p.mu.Unlock()
	if version == nil {
		return newestRows{p.views.server}.Open(id, columns)
	}
	p.refs.Add(1)
	return p.views.open(id, version, columns, p.Release)
}

// Release implements query.Pinned; readings that are open keep what they read.
func (p *pinned) Release() {
	if p.refs.Add(-1) > 0 {
		return
	}
	for _, version := range p.versions {
		version.Release()
	}
}

// newestRows gives each relation as it is now.
type newestRows struct{ *server }

// Open implements store.Live.
func (n newestRows) Open(id types.ObjectID, columns []int) (store.LiveRows, error) {
	version, err := n.views.manager.Pin(id)
	if err != nil {
		return nil, err
	}
	return n.views.open(id, version, columns, version.Release)
}

// open begins to read a view; release is called at its end, or if there is none.
func (v *views) open(id types.ObjectID, version *pipeline.Version, columns []int, release func()) (store.LiveRows, error) {
	l := v.liveOf(id)
	snap := version.View(id)
	if l == nil || snap == nil {
		release()
		return nil, types.Errorf(types.NotFound, "there is no materialized view with ID %d", id)
	}
	// A query that was bound before the view was defined anew may ask for a column that it had.
	if !l.fits(snap) || slices.ContainsFunc(columns, func(c int) bool { return c >= len(l.names) }) {
		release()
		return nil, anew()
	}
	r := &viewRows{live: l, kept: &v.kept, snap: snap, columns: columns, release: release}
	if rows, ok := l.kept(snap); ok {
		r.pieces, r.scanned = rows, true
	}
	for _, c := range columns {
		r.names, r.types = append(r.names, l.names[c]), append(r.types, l.types[c])
	}
	return r, nil
}

// sight waits until SQL sees a position: the store, and all views and tables over the position's streams. Views that have failed or that still
// read much of what exists are not waited for.
type sight struct{ *server }

// A view that catches up is waited for while it has at most nearlyThere offsets to read, and no longer than firstWait.
const (
	nearlyThere = 100_000
	firstWait   = time.Second
)

// Wait implements ingest.Waiter.
func (w sight) Wait(ctx context.Context, p types.Position) error {
	if err := w.loader.Wait(ctx, p); err != nil {
		return err
	}
	over := w.views.over(p)
	if len(over) == 0 {
		return nil
	}
	status := w.views.manager.Status()
	for _, id := range over {
		if err := w.waitView(ctx, p, id, status[id]); err != nil && !types.HasCode(err, types.Unavailable) {
			return err
		}
	}
	return nil
}

func (w sight) waitView(ctx context.Context, p types.Position, id types.ObjectID, s pipeline.Status) error {
	switch {
	case s.State == pipeline.Live:
		return w.views.Wait(ctx, p, []types.ObjectID{id})
	case s.State != pipeline.CatchingUp || s.Lag > nearlyThere:
		return nil
	}
	short, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	if err := w.views.Wait(short, p, []types.ObjectID{id}); err != nil && short.Err() == nil {
		return err
	}
	return ctx.Err()
}

// over are the live relations that read the streams of a position, also through other views.
func (v *views) over(p types.Position) []types.ObjectID {
	snapshot := v.server.catalog.Snapshot()
	seen := map[types.ObjectID]bool{}
	var out []types.ObjectID
	var visit func(id types.ObjectID)
	visit = func(id types.ObjectID) {
		if seen[id] {
			return
		}
		seen[id] = true
		if v.Serves(id) {
			out = append(out, id)
		}
		for _, o := range snapshot.Dependents(id) {
			visit(o.ID)
		}
	}
	for _, c := range p.Cursors {
		visit(c.Partition.Stream)
	}
	return out
}
