package pipeline

import (
	"slices"
	"time"

	"leat/internal/bus"
	"leat/internal/engine/lower"
	"leat/internal/engine/op"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// viewTables is how many tables at the end of a slot's range hold the view's rows.
const viewTables = 2

// outboxSlot is the slot whose first table is the outbox.
const outboxSlot = 1<<16 - 1

// slotTables is the ID of a slot's first table.
func slotTables(slot uint32) state.TableID { return state.TableID(slot) * lower.MaxTables }

// open opens the store and places the pipeline where its last commit left it, or at the beginning of history.
func (p *pipeline) open() error {
	if p.group.err != nil {
		return p.group.err
	}
	m, err := p.openStore()
	if err != nil {
		return err
	}
	p.steps, p.lastCommit, p.uncommitted, p.dirty, p.replay, p.fresh = m.Steps, time.Now(), 0, false, nil, true
	p.outbox = newOutbox(p.store.Table(slotTables(outboxSlot)), m.Epoch, p.opts, &p.lost)
	fresh := p.keep(m)
	if len(p.views) == 0 {
		// A new pipeline: its views see history from the beginning together.
		for i, d := range fresh {
			p.views = append(p.views, p.newView(d, uint32(i), nil))
		}
		fresh = nil
	} else {
		p.setDurable(m)
		if v := p.cur.v.Load(); v != nil && v.Position.Incarnation == m.Incarnation {
			p.replay = &v.Position
		}
	}
	if err := p.build(m.places()); err != nil {
		return err
	}
	for _, d := range fresh {
		if _, fatal := p.add(d); fatal != nil {
			return fatal
		}
	}
	p.publish()
	return nil
}

// openStore opens the store, emptied if what it has can't be gone on with, and returns what its last commit said.
func (p *pipeline) openStore() (*meta, error) {
	st, err := p.opts.States(p.id)
	if err != nil {
		return nil, err
	}
	p.store = st
	m, err := decodeMeta(st.Meta())
	if err != nil {
		return nil, err
	}
	if m != nil && !p.usable(m) {
		if err := p.reset(); err != nil {
			return nil, err
		}
		m = nil
	}
	if m == nil {
		m = &meta{Incarnation: p.opts.Log.Incarnation()}
	}
	return m, nil
}

// usable reports whether the log still has what the state stands on: the same log, and no offsets that it lost in a power cut.
func (p *pipeline) usable(m *meta) bool {
	if m.Incarnation != p.opts.Log.Incarnation() {
		p.log.Warn("the log is another one; its views are built anew")
		return false
	}
	for _, k := range m.Marks {
		id := k.partition()
		if b, err := p.opts.Log.Bounds(id); err == nil && k.Next > b.End && id != bus.Clock {
			p.log.Warn("the log lost rows that views had read; they are built anew", "partition", id.String())
			return false
		}
	}
	root := &p.group.views[0]
	return len(m.Views) > 0 && m.Views[0].ID == root.ID && m.Views[0].Plan == root.digest()
}

// reset empties the store.
func (p *pipeline) reset() error {
	err := p.store.Close()
	p.store = nil
	p.mu.Lock()
	p.durable = nil
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if err := p.opts.Forget(p.id); err != nil {
		return err
	}
	st, err := p.opts.States(p.id)
	if err != nil {
		return err
	}
	p.store = st
	return nil
}

// keep takes over the views whose state the store has, frees what it has of others, and returns those that it has none of.
func (p *pipeline) keep(m *meta) (fresh []Definition) {
	var kept []uint32
	isFresh := map[types.ObjectID]bool{}
	for _, d := range p.group.views {
		if _, out := p.detached[d.ID]; out {
			continue
		}
		i := slices.IndexFunc(m.Views, func(mv metaView) bool { return mv.ID == d.ID && mv.Plan == d.digest() })
		for _, s := range scans(d.Plan) {
			if isFresh[s.Relation.ID] {
				i = -1
			}
		}
		if i < 0 {
			isFresh[d.ID] = true
			fresh = append(fresh, d)
			continue
		}
		kept = append(kept, m.Views[i].Slot)
		p.views = append(p.views, p.newView(d, m.Views[i].Slot, &m.Views[i]))
	}
	for _, mv := range m.Views {
		if !slices.Contains(kept, mv.Slot) {
			p.free(mv.Slot)
		}
	}
	return fresh
}

// newView makes a view at work; m is what the last commit says of it, nil for one without state.
func (p *pipeline) newView(d Definition, slot uint32, m *metaView) *view {
	v := &view{Definition: d, slot: slot, digest: d.digest(), watermark: types.NoWatermark}
	p.mu.Lock()
	if p.status[d.ID] == nil {
		p.status[d.ID] = newStatus()
	}
	v.stats = p.status[d.ID]
	p.mu.Unlock()
	if m == nil {
		m = &metaView{}
	}
	v.live = m.Live
	v.stats.live.Store(m.Live)
	v.stats.failed.Store(m.Failed)
	v.stats.late.Store(m.Late)
	v.stats.broken.Store(nil)
	ts := make([]types.Type, 0, len(d.Plan.Fields()))
	for _, f := range d.Plan.Fields() {
		ts = append(ts, f.Type)
	}
	next := slotTables(slot) + lower.MaxTables - viewTables
	tables := func() state.Table {
		next++
		return p.store.Table(next - 1)
	}
	if d.isLog() {
		v.table = op.NewViewLog(ts, tables)
	} else {
		v.table = op.NewView(ts, d.Key, tables)
	}
	v.stats.rows.Store(v.table.Rows())
	p.openIndexes(v, m.Indexes)
	return v
}

// build lowers the views and places the reader.
func (p *pipeline) build(from map[types.PartitionID]mark) error {
	views, ticks := make([]lower.View, len(p.views)), false
	for i, v := range p.views {
		views[i] = lower.View{ID: v.ID, Plan: v.Plan, Tables: slotTables(v.slot)}
		ticks = ticks || usesNow(v.Plan)
	}
	low, err := lower.Lower(views, p.store, p.opts.Evaluator)
	if err != nil {
		return p.culprit(views, err)
	}
	p.circuit, p.names, p.force = low.Circuit, low.Names, true
	p.reader = newReader(p.opts, p.tail, p.circuit.Sources(), from, ticks)
	reads := p.reader.reads()
	p.reads.Store(&reads)
	return nil
}

// culprit names the first view that can't be lowered as the one whose failure err is.
func (p *pipeline) culprit(views []lower.View, err error) error {
	for i := range views {
		if _, e := lower.Lower(views[:i+1], memstate.New(), p.opts.Evaluator); e != nil {
			return &viewError{views[i].ID, e}
		}
	}
	return err
}

// free drops a slot's tables.
func (p *pipeline) free(slot uint32) {
	for id := range p.store.Stats().Tables {
		if uint32(id/lower.MaxTables) == slot {
			p.store.Drop(id)
		}
	}
	p.dirty = true
}

// setDurable tells up to where a commit has read.
func (p *pipeline) setDurable(m *meta) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.durable = map[types.PartitionID]types.Offset{}
	for _, k := range m.Marks {
		p.durable[k.partition()] = k.Next
	}
}

// regrouped takes over other definitions; the next session goes by them. A published version whose columns are others is let go.
func (p *pipeline) regrouped(g group) {
	for _, d := range g.views {
		for _, old := range p.group.views {
			if d.ID == old.ID && !sameTypes(d, old) {
				p.hide()
			}
		}
		if was, ok := p.detached[d.ID]; ok && was != d.digest() {
			delete(p.detached, d.ID)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	status := map[types.ObjectID]*viewStatus{}
	for _, d := range g.views {
		if status[d.ID] = p.status[d.ID]; status[d.ID] == nil {
			status[d.ID] = newStatus()
		}
	}
	p.group, p.status = g, status
}

func sameTypes(a, b Definition) bool {
	return slices.EqualFunc(a.Plan.Fields(), b.Plan.Fields(), func(x, y plan.Field) bool { return x.Type.Equal(y.Type) }) &&
		slices.Equal(a.Key, b.Key)
}
