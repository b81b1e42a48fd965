package pipeline

import (
	"context"
	"slices"
	"time"

	"leat/internal/engine/lower"
	"leat/internal/engine/op"
	"leat/internal/state"
)

// MaxIndexes is how many indexes a view has at most: each is written with every change of the rows.
const MaxIndexes = 16

// A piece of an index is buildRows rows; between two steps they are built for buildTime, and for firstBuild when the index is made, so that
// a small view's is there when the statement returns.
const (
	buildRows  = 4096
	buildTime  = 10 * time.Millisecond
	firstBuild = 50 * time.Millisecond
)

// IndexStatus tells of one index.
type IndexStatus struct {
	// Built says that readers can go by it.
	Built bool
	// Progress is from 0 to 1 while it is built.
	Progress float64
	Bytes    int64
}

// viewIndex is an index at work, and which of the view's tables for indexes has its entries.
type viewIndex struct {
	op.Index
	place uint32
}

// indexTable is a table for an index: they stand before those of the rows.
func indexTable(slot, place uint32) state.TableID {
	return slotTables(slot) + lower.MaxTables - viewTables - MaxIndexes + state.TableID(place)
}

// sameIndex reports whether the entries of two indexes are the same.
func sameIndex(a, b op.Index) bool { return a.ID == b.ID && slices.Equal(a.Columns, b.Columns) }

func sameIndexes(a, b []op.Index) bool { return slices.EqualFunc(a, b, sameIndex) }

// openIndexes takes over the indexes of which the last commit has all entries, and begins the others anew.
func (p *pipeline) openIndexes(v *view, kept []metaIndex) {
	for _, k := range kept {
		if i := slices.IndexFunc(v.Indexes, func(x op.Index) bool { return sameIndex(x, k.index()) }); i >= 0 && k.Built {
			v.indexes = append(v.indexes, viewIndex{v.Indexes[i], k.Place})
			v.table.AddIndex(v.Indexes[i], p.store.Table(indexTable(v.slot, k.Place)), true)
		}
	}
	for id := range p.store.Stats().Tables {
		if place := int64(id) - int64(indexTable(v.slot, 0)); place >= 0 && place < MaxIndexes && !v.uses(uint32(place)) {
			p.store.Drop(id)
		}
	}
	p.addIndexes(v)
}

func (v *view) uses(place uint32) bool {
	return slices.ContainsFunc(v.indexes, func(x viewIndex) bool { return x.place == place })
}

// addIndexes begins the indexes that the view does not have yet.
func (p *pipeline) addIndexes(v *view) (added bool) {
	for _, ix := range v.Indexes {
		if slices.ContainsFunc(v.indexes, func(x viewIndex) bool { return x.ID == ix.ID }) || len(v.indexes) == MaxIndexes {
			continue
		}
		place := uint32(0)
		for v.uses(place) {
			place++
		}
		v.indexes = append(v.indexes, viewIndex{ix, place})
		v.table.AddIndex(ix, p.store.Table(indexTable(v.slot, place)), v.table.Rows() == 0)
		added = true
	}
	v.tellIndexes(nil)
	return added
}

// reindex gives the views that run the indexes that their definitions have.
func (p *pipeline) reindex() (changed bool) {
	for _, v := range p.views {
		gone := len(v.indexes)
		v.indexes = slices.DeleteFunc(v.indexes, func(x viewIndex) bool {
			if slices.ContainsFunc(v.Indexes, func(ix op.Index) bool { return sameIndex(ix, x.Index) }) {
				return false
			}
			v.table.DropIndex(x.ID)
			p.store.Drop(indexTable(v.slot, x.place))
			return true
		})
		gone -= len(v.indexes)
		if p.addIndexes(v) || gone > 0 {
			v.renewed()
			changed = true
		}
	}
	if changed {
		p.buildFor(firstBuild)
	}
	return changed
}

// renewed says that the present snapshot no longer tells what the view has.
func (v *view) renewed() {
	v.snap.release()
	v.snap = nil
}

// buildFor builds indexes for about so long. shown says that readers have one more to go by, more that some are left.
func (p *pipeline) buildFor(d time.Duration) (shown, more bool) {
	until := time.Now().Add(d)
	for _, v := range p.views {
		before := v.built()
		left := before < len(v.indexes)
		for left && time.Now().Before(until) {
			left = v.table.Build(buildRows)
			p.dirty = true
			p.uncommitted += v.table.Written()
		}
		more = more || left
		if v.built() > before {
			v.renewed()
			shown = true
		}
	}
	return shown, more
}

func (v *view) built() (n int) {
	for _, x := range v.indexes {
		if v.table.Built(x.ID) {
			n++
		}
	}
	return n
}

// buildIndexes goes on with indexes that are not complete, between two steps.
func (p *pipeline) buildIndexes(ctx context.Context) (more bool, err error) {
	shown, more := p.buildFor(buildTime)
	if err := p.store.Err(); err != nil {
		return false, err
	}
	switch {
	case shown:
		p.publish()
		p.measure()
	case more:
		p.progress()
	}
	if p.uncommitted >= p.opts.CommitBytes {
		return more, p.commit(ctx)
	}
	return more, nil
}

// tellIndexes renews what SHOW INDEXES tells; tables are the sizes of the store's, nil where they are not known yet.
func (v *view) tellIndexes(tables map[state.TableID]state.TableStats) {
	told := make(map[uint32]IndexStatus, len(v.indexes))
	for _, x := range v.indexes {
		size := tables[indexTable(v.slot, x.place)]
		told[x.ID] = IndexStatus{Built: v.table.Built(x.ID), Progress: v.table.Progress(x.ID), Bytes: size.Bytes}
	}
	v.stats.indexes.Store(&told)
}
