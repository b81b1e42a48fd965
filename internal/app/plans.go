package app

import (
	"context"
	"slices"
	"sync"

	"leat/internal/catalog"
	"leat/internal/pipeline"
	"leat/internal/sql/bind"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// planned keeps the plans of materialized views, so that a definition plans again only what it changes.
type planned struct {
	mu    sync.Mutex // guards plans
	plans map[types.ObjectID]keptPlan
}

// keptPlan is a plan and what it was made of: the view and all below it, which are other objects when they change.
type keptPlan struct {
	basis []*catalog.Object
	node  plan.Node
}

func (p *planned) get(id types.ObjectID) keptPlan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plans[id]
}

func (p *planned) put(id types.ObjectID, k keptPlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plans == nil {
		p.plans = map[types.ObjectID]keptPlan{}
	}
	p.plans[id] = k
}

// retain forgets the plans of views that are gone.
func (p *planned) retain(objects []*catalog.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := map[types.ObjectID]keptPlan{}
	for _, o := range objects {
		if k, ok := p.plans[o.ID]; ok {
			kept[o.ID] = k
		}
	}
	p.plans = kept
}

// definitions plans the materialized views among objects, parents first. One that can't be planned any more goes on as it was planned last; where
// it never was, it is left out. Both are logged.
func (v *views) definitions(ctx context.Context, objects []*catalog.Object, find finder) []pipeline.Definition {
	d := v.planning(objects, find)
	for _, o := range objects {
		d.visit(ctx, o)
	}
	return d.out
}

// planning begins a pass over the objects of the present catalog whose names may mean others: those of a script that is being checked.
func (v *views) planning(objects []*catalog.Object, find finder) *planning {
	d := &planning{views: v, find: find, byID: map[types.ObjectID]*catalog.Object{}, bases: map[types.ObjectID][]*catalog.Object{}, plans: map[types.ObjectID]plan.Node{}}
	for _, o := range objects {
		d.byID[o.ID] = o
	}
	return d
}

// planning is one pass over the objects of a catalog.
type planning struct {
	views *views
	find  finder
	byID  map[types.ObjectID]*catalog.Object
	// bases are what each object is made of; nil where its name, or one below, now means something else.
	bases map[types.ObjectID][]*catalog.Object
	plans map[types.ObjectID]plan.Node
	out   []pipeline.Definition
}

// visit plans o after all that it reads, and returns its basis.
func (d *planning) visit(ctx context.Context, o *catalog.Object) []*catalog.Object {
	if o == nil {
		return nil
	}
	if basis, ok := d.bases[o.ID]; ok {
		return basis
	}
	basis := []*catalog.Object{o}
	if d.find(o.Name) != o {
		basis = nil
	}
	for _, id := range o.DependsOn {
		below := d.visit(ctx, d.byID[id])
		switch {
		case id < catalog.FirstUserID: // built in: always the same
		case below == nil:
			basis = nil
		case basis != nil:
			for _, b := range below {
				if !slices.Contains(basis, b) {
					basis = append(basis, b)
				}
			}
		}
	}
	d.bases[o.ID] = basis
	if o.Continuous() {
		d.plan(ctx, o, basis)
	}
	return basis
}

// node is the plan of a materialized view that another one reads; nil, which costs what can be known of its rows, where it has none.
func (d *planning) node(ctx context.Context, o *catalog.Object) plan.Node {
	if n, ok := d.plans[o.ID]; ok {
		return n
	}
	if d.byID[o.ID] == o {
		d.visit(ctx, o)
		return d.plans[o.ID]
	}
	d.plans[o.ID] = nil
	if b, err := d.views.bind(ctx, o.View, d); err == nil {
		d.plans[o.ID] = b.node
	}
	return d.plans[o.ID]
}

func (d *planning) plan(ctx context.Context, o *catalog.Object, basis []*catalog.Object) {
	last := d.views.planned.get(o.ID)
	node := last.node
	if basis == nil || !slices.Equal(last.basis, basis) {
		b, err := d.views.bind(ctx, o.View, d)
		switch {
		case err == nil:
			node = b.node
		case basis != nil:
			d.views.server.log.Error("a materialized view can't be planned", "view", o.Name, "error", err)
		}
		if err != nil && node == nil {
			return
		}
		if err == nil && basis != nil {
			d.views.planned.put(o.ID, keptPlan{basis, node})
		}
	}
	d.plans[o.ID] = node
	d.out = append(d.out, pipeline.Definition{ID: o.ID, Name: o.Name, Plan: node, Key: o.View.Materialized.Key, Indexes: indexesOf(o)})
}

// BindQuery implements query.Planner.
func (v *views) BindQuery(ctx context.Context, text string, definitions *catalog.Snapshot) (plan.Node, error) {
	return v.binder.BindQuery(ctx, text, func(name string) (bind.Source, error) {
		o := definitions.ByName(name)
		switch {
		case o == nil || o.Kind == catalog.EndpointKind:
			return bind.Source{}, types.Errorf(types.UnknownRelation, "there is no stream, table or view %q", name)
		case o.View != nil && !o.Continuous():
			return bind.Source{Query: o.View.Query, Columns: o.View.Columns}, nil
		}
		return bind.Source{Relation: relationOf(o, nil, nil)}, nil
	})
}
