package control

import (
	"maps"
	"slices"
	"strings"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// Relation implements guard.Catalog for views and endpoints under construction.
func (d *draft) Relation(name string) (guard.Relation, bool) {
	if id, ok := d.system[name]; ok {
		return guard.Relation{ID: id, Name: name}, true
	}
	o := d.byName(name)
	if o == nil || o.Kind == catalog.EndpointKind {
		return guard.Relation{}, false
	}
	r := guard.Relation{ID: o.ID, Name: o.Name}
	if o.View != nil && !o.Continuous() {
		r.Query = viewQuery(o, o.View.Query)
	}
	return r, true
}

// Names implements guard.Catalog.
func (d *draft) Names() []string {
	out := slices.Collect(maps.Keys(d.system))
	for _, o := range d.objects {
		if o.Kind != catalog.EndpointKind {
			out = append(out, o.Name)
		}
	}
	slices.Sort(out)
	return out
}

// references guards the query of a view or endpoint and returns the objects that it reads; old is the one it replaces, or nil. Who may
// read the result reads all of it with the rights of the principal, so the principal must have them.
func (p *planner) references(q ddl.Query, old *catalog.Object) (ids []types.ObjectID, params []string, err error) {
	v, err := p.c.Guard.Check(p.ctx, q.Text, p.draft)
	if err != nil {
		return nil, nil, p.shift(q.Offset, 1, err)
	}
	for _, r := range v.Relations {
		switch {
		case !p.who.May(auth.Read, r.Name):
			return nil, nil, p.fail(q.Offset, types.PermissionDenied, "this token may not read %q", r.Name).WithHint("it needs the scope read:%s", r.Name)
		case r.ID == catalog.DeadLetters && !p.who.May(auth.Raw, ""):
			return nil, nil, p.fail(q.Offset, types.PermissionDenied, "this token may not read %q", r.Name).WithHint("it needs the scope raw")
		}
		o := p.draft.objects[r.ID]
		if o == nil {
			continue // leat_system is always there
		}
		if old != nil && (r.ID == old.ID || p.draft.reads(o, old.ID)) {
			return nil, nil, p.fail(q.Offset, types.Conflict, "%s %q would read itself", kindOf(old), old.Name)
		}
		ids = append(ids, r.ID)
	}
	return ids, v.Params, nil
}

// unplaced gives an error, whose place is in a text that the user never saw, the place of the query.
func (p *planner) unplaced(offset int, err error) error {
	e := *types.AsError(err)
	e.Line, e.Column = 0, 0
	return place(p.script, offset, &e)
}

// shift moves an error's place from a query's text to the script; line is that of the query's first line in the text that failed.
func (p *planner) shift(offset, line int, err error) error {
	e := *types.AsError(err)
	if e.Line < line {
		return place(p.script, offset, &e)
	}
	first, column := types.Place(p.script, offset)
	if e.Line == line {
		e.Column += column - 1
	}
	e.Line += first - line
	return &e
}

// check makes sure that what the script leaves still fits together: nothing reads what is dropped or renamed, and every view and
// endpoint over what changed still binds.
func (p *planner) check(ch *change) error {
	for _, gone := range p.draft.removed {
		users := p.draft.dependents(gone.ID)
		if len(users) == 0 {
			continue
		}
		e := p.at(gone, "%s %q can't be dropped: it is used by %s", kindOf(gone), gone.Name, nameList(users))
		if gone.ID >= provisional {
			return e.WithHint("the script itself makes it; leave its DROP out")
		}
		return e.WithHint("in one script: %s", drops(append(slices.Clone(ch.drop), p.draft.above(ch.drop)...)))
	}
	for _, o := range ch.put {
		if err := p.checkNames(o, ch); err != nil {
			return err
		}
		if err := p.checkIndexes(o); err != nil {
			return err
		}
	}
	for _, o := range ch.put {
		before := ch.before[o.ID]
		if before == nil || o.Kind == catalog.EndpointKind || o.Stream == before.Stream && o.View == before.View && o.Name == before.Name {
			continue // new, read by nothing, or with other indexes alone
		}
		if err := p.rebind(o); err != nil {
			return err
		}
	}
	return nil
}

// at makes an error about what depends on o, at the place where the script names o, if it does.
func (p *planner) at(o *catalog.Object, format string, args ...any) *types.Error {
	e := types.Errorf(types.DependentObjects, format, args...)
	if pos, ok := p.places[o.ID]; ok {
		return place(p.script, pos, e)
	}
	return e
}

func drops(objects []*catalog.Object) string {
	var out []string
	for _, o := range objects {
		out = append(out, "DROP "+words(o)+" "+types.QuoteIdent(o.Name)+";")
	}
	return strings.Join(out, " ")
}

// checkNames makes sure that the text of everything that reads o still finds it by its name.
func (p *planner) checkNames(o *catalog.Object, ch *change) error {
	before := ch.before[o.ID]
	if before != nil && o.Name == before.Name {
		return nil
	}
	var lost []*catalog.Object
	for _, u := range p.draft.dependents(o.ID) {
		v, err := p.c.Guard.Check(p.ctx, query(u), p.draft)
		if err != nil && !types.HasCode(err, types.UnknownRelation) {
			return err
		}
		if err != nil || !slices.ContainsFunc(v.Relations, func(r guard.Relation) bool { return r.ID == o.ID }) {
			lost = append(lost, u)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	name := o.Name
	if before != nil {
		name = before.Name
	}
	return p.at(o, "%s %q can't be renamed: its name stands in %s", kindOf(o), name, nameList(lost)).
		WithHint("write the new name there, in the same script after the ALTER: CREATE OR REPLACE %s %s ...", words(lost[0]), types.QuoteIdent(lost[0].Name))
}

// query is the text of a view or endpoint.
func query(o *catalog.Object) string {
	if o.View != nil {
		return o.View.Query
	}
	return o.Endpoint.Query
}

// rebind binds everything above o again.
func (p *planner) rebind(o *catalog.Object) error {
	for _, u := range p.draft.dependents(o.ID) {
		if err := p.bind(u, -1); err != nil {
			cause := types.AsError(err)
			if cause.Code == types.TooManyRequests || cause.Code == types.Canceled || cause.Code == types.Timeout {
				return err
			}
			return p.at(o, "the change of %s %q would break %s %q: %w", kindOf(o), o.Name, kindOf(u), u.Name, err).
				WithHint("change %s in the same script: CREATE OR REPLACE %s %s ...", types.QuoteIdent(u.Name), words(u), types.QuoteIdent(u.Name))
		}
		if err := p.rebind(u); err != nil {
			return err
		}
	}
	return nil
}
