package app

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"leat/internal/catalog"
	"leat/internal/control"
	"leat/internal/duck"
	"leat/internal/engine/expr"
	"leat/internal/engine/op"
	"leat/internal/observe"
	"leat/internal/pipeline"
	"leat/internal/sql/bind"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/pebblestate"
	"leat/internal/types"
)

// views plans materialized views with DuckDB's binder and runs them in pipelines. It implements control.Views.
type views struct {
	server    *server
	planner   *duck.Planner
	binder    *bind.Binder
	evaluator *lazyEvaluator
	states    *pebblestate.Engine
	manager   *pipeline.Manager

	// mu guards live: what queries read of a view or table, by ID.
	mu   sync.RWMutex
	live map[types.ObjectID]*liveRows
	kept keptRows

	planned planned
	seals   seals
}

// stateCache is the part of the memory for a view's state that the blocks of all views' state on disk may take beside it: after a restart, look-ups
// read these. leastCache is the least.
const (
	stateCache = 4
	leastCache = 16 << 20
)

// openViews opens the state of views.
func (s *server) openViews(context.Context) (err error) {
	v := &views{server: s, evaluator: &lazyEvaluator{}, live: map[types.ObjectID]*liveRows{}, seals: newSeals(s.signer)}
	s.views = v
	if v.planner, err = duck.NewPlanner(); err != nil {
		return err
	}
	v.binder = bind.New(v.planner, s.parser)
	v.states, err = pebblestate.OpenEngine(filepath.Join(s.path, "state"), pebblestate.Options{Logger: s.log, Budget: int64(s.cfg.ViewMemory), Cache: max(int64(s.cfg.ViewMemory)/stateCache, leastCache)})
	if err != nil {
		return err
	}
	steps := s.metrics.Histogram(observe.Desc{Name: "leat_pipeline_step_seconds", Help: "Time of one step of a view and those built on it."}, observe.LatencyBuckets)
	v.manager = pipeline.New(pipeline.Options{
		Log: s.bus, History: s.store, Evaluator: expr.FromArrow(v.evaluator), Logger: s.log, ObserveStep: steps.Observe, Letters: leftOut{s},
		States: func(id types.ObjectID) (state.Store, error) { return v.states.Store(uint64(id)) },
		Forget: func(id types.ObjectID) error { return v.states.Drop(uint64(id)) },
	})
	return nil
}

func (v *views) close() error {
	if v == nil {
		return nil
	}
	var err error
	if v.states != nil {
		err = v.states.Close()
	}
	if v.planner != nil {
		v.planner.Close()
	}
	v.evaluator.close()
	return err
}

// finder finds objects by name.
type finder = func(name string) *catalog.Object

// bound is a view's query bound to relations.
type bound struct {
	node plan.Node
	// inputs are the streams and tables that it reads.
	inputs []catalog.Input
}

// bind binds a view's query. Streams and tables that the view was bound to before keep the columns that they had then.
func (v *views) bind(ctx context.Context, view *catalog.View, all *planning) (*bound, error) {
	out := &bound{}
	kept := map[types.ObjectID]*types.Schema{}
	for _, in := range view.Materialized.Inputs {
		kept[in.ID] = in.Schema
	}
	relations := map[types.ObjectID]*plan.Relation{}
	resolve := func(name string) (bind.Source, error) {
		o := all.find(name)
		switch {
		case o == nil || o.Kind == catalog.EndpointKind:
			return bind.Source{}, types.Errorf(types.UnknownRelation, "there is no stream, table or view %q that a materialized view can read", name)
		case o.View != nil && !o.Continuous():
			return bind.Source{Query: o.View.Query, Columns: o.View.Columns}, nil
		}
		rel := relations[o.ID]
		if rel == nil {
			var below plan.Node
			if o.Continuous() {
				below = all.node(ctx, o)
			}
			rel = relationOf(o, kept[o.ID], below)
			relations[o.ID] = rel
			if o.Stream != nil {
				out.inputs = append(out.inputs, catalog.Input{ID: o.ID, Schema: rel.Schema})
			}
		}
		return bind.Source{Relation: rel}, nil
	}
	node, err := v.binder.Bind(ctx, view.Query, resolve)
	if err != nil {
		return nil, err
	}
	if out.node, err = renamed(node, view.Columns); err != nil {
		return nil, err
	}
	if view.Materialized.EmitOnClose {
		if out.node, err = opt.Close(out.node); err != nil {
			return nil, err
		}
	}
	out.node, err = opt.Optimize(out.node, opt.Options{Fallible: expr.Fallible, View: func(id types.ObjectID) plan.Node { return all.plans[id] }})
	if err == nil {
		out.note()
	}
	return out, err
}

// note keeps in the inputs which of their columns the plan reads.
func (b *bound) note() {
	plan.Rewrite(b.node, func(n plan.Node) plan.Node {
		s, ok := n.(*plan.Scan)
		if !ok {
			return n
		}
		i := slices.IndexFunc(b.inputs, func(in catalog.Input) bool { return in.ID == s.Relation.ID })
		if i < 0 {
			return n
		}
		for _, c := range s.Columns {
			if id := s.Relation.Schema.Columns[c].ID; !slices.Contains(b.inputs[i].Reads, id) {
				b.inputs[i].Reads = append(b.inputs[i].Reads, id)
			}
		}
		return n
	})
}

// relationOf is what plans know of an object; kept is its schema if the view was bound to one, below the plan of a materialized view.
func relationOf(o *catalog.Object, kept *types.Schema, below plan.Node) *plan.Relation {
	rel := &plan.Relation{ID: o.ID, Name: o.Name, Kind: plan.ViewRelation}
	if o.Continuous() {
		rel.Schema = o.View.Materialized.Schema
		if below != nil {
			rel.View = opt.Infer(below)
		}
		return rel
	}
	s := o.Stream
	rel.Kind, rel.Schema, rel.Time, rel.Partitions, rel.PartitionBy = plan.StreamRelation, s.Schema, s.Time, s.Partitions, s.PartitionBy
	if kept != nil {
		rel.Schema = kept
	}
	if len(s.PrimaryKey) > 0 {
		rel.Kind, rel.Key, rel.VersionColumn = plan.TableRelation, s.PrimaryKey, s.VersionColumn
	}
	return rel
}

// renamed gives the columns the names of CREATE ... VIEW v (a, b).
func renamed(n plan.Node, names []string) (plan.Node, error) {
	fields := n.Fields()
	if len(names) == 0 {
		return n, nil
	}
	if len(names) > len(fields) {
		return nil, types.Errorf(types.InvalidArgument, "the view names %d columns, and its query has %d", len(names), len(fields))
	}
	p := &plan.Project{Input: n, Out: append([]plan.Field(nil), fields...)}
	for i, f := range fields {
		p.Exprs = append(p.Exprs, plan.Col(i, f.Type))
		if i < len(names) {
			p.Out[i].Name = names[i]
		}
	}
	return p, nil
}

// Plan implements control.Views.
func (v *views) Plan(ctx context.Context, view *catalog.View, find finder) (*catalog.Materialized, error) {
	b, err := v.bind(ctx, view, v.planning(v.server.catalog.Snapshot().All(), find))
	if err != nil {
		return nil, err
	}
	m := &catalog.Materialized{EmitOnClose: view.Materialized.EmitOnClose, Schema: &types.Schema{Version: 1}, Key: opt.Infer(b.node).Key, Inputs: b.inputs}
	for _, f := range b.node.Fields() {
		if m.Schema.Index(f.Name) >= 0 {
			return nil, types.Errorf(types.AlreadyExists, "the view would have two columns %q", f.Name).WithHint("give one of them another name with AS")
		}
		if err := types.CheckColumnName(f.Name); err != nil {
			return nil, types.AsError(err).WithHint("give the column a name with AS")
		}
		m.Schema.Add(f.Name, f.Type)
	}
	return m, m.Schema.Validate()
}

// Explain implements control.Views.
func (v *views) Explain(ctx context.Context, view *catalog.View, find finder) (string, error) {
	b, err := v.bind(ctx, view, v.planning(v.server.catalog.Snapshot().All(), find))
	if err != nil {
		return "", err
	}
	return opt.Explain(b.node, expr.Native), nil
}

// Set implements control.Views. Tables are views of their own: their current rows are state of the engine.
func (v *views) Set(ctx context.Context, objects []*catalog.Object) error {
	// Who asked may be gone: the views of others have to be planned all the same.
	ctx = context.WithoutCancel(ctx)
	v.planned.retain(objects)
	defs := v.definitions(ctx, objects, v.server.catalog.Snapshot().ByName)
	for _, o := range objects {
		if control.ServedByEngine(o) {
			defs = append(defs, tableDefinition(o))
		}
	}
	v.mu.Lock()
	for _, l := range v.live {
		l.retire(&v.kept)
	}
	v.live = map[types.ObjectID]*liveRows{}
	for _, o := range objects {
		switch {
		case o.Continuous():
			v.live[o.ID] = newLiveRows(o.View.Materialized.Schema)
		case control.ServedByEngine(o):
			v.live[o.ID] = newLiveRows(o.Stream.Schema)
		}
	}
	v.mu.Unlock()
	return v.manager.Set(ctx, defs)
}

// tableDefinition is a table's current rows as a view.
func tableDefinition(o *catalog.Object) pipeline.Definition {
	rel := relationOf(o, nil, nil)
	scan := &plan.Scan{Relation: rel}
	d := pipeline.Definition{ID: o.ID, Name: o.Name, Plan: scan, Indexes: indexesOf(o)}
	for i, c := range rel.Schema.Columns {
		scan.Columns = append(scan.Columns, i)
		scan.Out = append(scan.Out, plan.Field{Name: c.Name, Type: c.Type})
	}
	for _, id := range rel.Key {
		d.Key = append(d.Key, rel.Schema.IndexID(id))
	}
	return d
}

// indexesOf are an object's indexes as the engine keeps them.
func indexesOf(o *catalog.Object) (out []op.Index) {
	for _, x := range o.Indexes {
		out = append(out, op.Index{ID: x.ID, Columns: positions(o.Schema(), x)})
	}
	return out
}

// Status implements control.Views.
func (v *views) Status(id types.ObjectID) (control.ViewStatus, bool) {
	s, ok := v.manager.Status()[id]
	indexes := make(map[uint32]control.IndexStatus, len(s.Indexes))
	for x, is := range s.Indexes {
		indexes[x] = control.IndexStatus(is)
	}
	return control.ViewStatus{
		State: string(s.State), Progress: s.Progress, Rows: s.Rows, Lag: s.Lag, Watermark: s.Watermark, StateBytes: s.StateBytes,
		Failed: s.Failed, Late: s.Late, Error: s.Error, Indexes: indexes,
	}, ok
}
