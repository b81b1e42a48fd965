package pipeline

import (
	"sync/atomic"

	"leat/internal/engine/op"
	"leat/internal/types"
)

// Version is what a pipeline's views held after one step. It never changes; who gets one releases it, or its memory is kept.
type Version struct {
	// Position is the vector of offsets that it stands for.
	Position types.Position
	// Now is the clock's time of the step in µs, 0 before the first tick.
	Now int64
	// views are by ID.
	views map[types.ObjectID]shown

	refs atomic.Int64
}

// shown is a view in a version.
type shown struct {
	*pinned
	watermark int64
}

// pinned is a snapshot with the number of versions that hold it, and one for the pipeline while it is the newest of its view.
type pinned struct {
	*op.ViewSnapshot
	refs atomic.Int64
	// change numbers the snapshots of all views while the process runs.
	change uint64
}

// release gives one reference back; that of nil is none.
func (p *pinned) release() {
	if p != nil && p.refs.Add(-1) == 0 {
		p.Close()
	}
}

// View returns the rows of a view, nil if the version has none of that ID. They are readable until the version is released.
func (v *Version) View(id types.ObjectID) *op.ViewSnapshot {
	if s, ok := v.views[id]; ok {
		return s.ViewSnapshot
	}
	return nil
}

// Change numbers the rows of a view: while the process runs, equal numbers are equal rows. 0 where the version has no view of that ID.
func (v *Version) Change(id types.ObjectID) uint64 {
	if s, ok := v.views[id]; ok {
		return s.change
	}
	return 0
}

// Watermark is a view's combined watermark in µs, types.NoWatermark where it has none.
func (v *Version) Watermark(id types.ObjectID) int64 {
	if s, ok := v.views[id]; ok {
		return s.watermark
	}
	return types.NoWatermark
}

// acquire takes a reference unless the last one is gone.
func (v *Version) acquire() bool {
	for {
		n := v.refs.Load()
		if n == 0 {
			return false
		}
		if v.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Retain takes one more reference, for who has one; it is released as well.
func (v *Version) Retain() { v.refs.Add(1) }

// Release gives the version back.
func (v *Version) Release() {
	n := v.refs.Add(-1)
	if n > 0 {
		return
	}
	if n < 0 {
		panic("BUG: a version was released more often than it was pinned")
	}
	for _, s := range v.views {
		s.release()
	}
}

// current is the newest version, for any number of readers.
type current struct{ v atomic.Pointer[Version] }

// pin returns the newest version, which the caller releases; nil where there is none.
func (c *current) pin() *Version {
	for {
		v := c.v.Load()
		if v == nil || v.acquire() {
			return v
		}
	}
}

// publish makes v, which has one reference, the newest; nil is none.
func (c *current) publish(v *Version) {
	if old := c.v.Swap(v); old != nil {
		old.Release()
	}
}
