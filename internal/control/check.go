package control

import (
	"slices"
	"strings"
	"time"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// Relation implements guard.Catalog for views and endpoints under construction.
func (d *draft) Relation(name string) (guard.Relation, bool) {
	o := d.byName(name)
	if o == nil || o.Kind == catalog.EndpointKind {
		return guard.Relation{}, false
	}
	r := guard.Relation{ID: o.ID, Name: o.Name}
	if o.View != nil {
		r.Query = viewQuery(o)
	}
	return r, true
}

// Names implements guard.Catalog.
func (d *draft) Names() []string {
	var out []string
	for _, o := range d.objects {
		if o.Kind != catalog.EndpointKind {
			out = append(out, o.Name)
		}
	}
	slices.Sort(out)
	return out
}

// references guards the query of a view or endpoint and returns the objects that it reads. old is the one it replaces, or nil.
func (p *planner) references(q ddl.Query, old *catalog.Object) (ids []types.ObjectID, params []string, err error) {
	v, err := p.c.Guard.Check(p.ctx, q.Text, p.draft)
	if err != nil {
		return nil, nil, p.shift(q.Offset, 1, err)
	}
	for _, r := range v.Relations {
		o := p.draft.objects[r.ID]
		if o == nil {
			return nil, nil, p.fail(q.Offset, types.Unsupported, "views and endpoints can't read %s", r.Name)
		}
		if old != nil && (r.ID == old.ID || p.draft.reads(o, old.ID)) {
			return nil, nil, p.fail(q.Offset, types.Conflict, "%s %q would read itself", old.Kind, old.Name)
		}
		ids = append(ids, r.ID)
	}
	if v.Rewritten && (old == nil || old.Kind == catalog.ViewKind) {
		return nil, nil, p.fail(q.Offset, types.Unsupported, "a view can't name _leat_offset, _leat_partition or _leat_received_at").
			WithHint("name them in the SELECT that reads the stream")
	}
	return ids, v.Params, nil
}

// bind asks the store for the columns of a view's or endpoint's query. What it reads stands before it as empty CTEs, so nothing of
// it need exist in the store yet and no row is read.
func (p *planner) bind(o *catalog.Object, offset int) error {
	var b strings.Builder
	b.WriteString(p.inputs(o))
	query, args := "", map[string]any{}
	if o.View != nil {
		query = viewQuery(o)
	} else {
		query = o.Endpoint.Query
		for _, a := range o.Endpoint.Params {
			args[a.Name] = sample(a.Type)
		}
	}
	b.WriteString("SELECT * FROM (\n")
	line := 1 + strings.Count(b.String(), "\n")
	if o.View != nil && len(o.View.Columns) > 0 {
		line++ // viewQuery puts a line before
	}
	b.WriteString(query + "\n) LIMIT 0")
	rows, err := p.c.Store.Query(p.ctx, store.Query{SQL: b.String(), Args: args, MaxRows: 1})
	if err != nil {
		return p.shift(offset, line, err)
	}
	return rows.Close()
}

// inputs is a WITH clause, on one line, of empty relations for all that o reads.
func (p *planner) inputs(o *catalog.Object) string {
	var reads []*catalog.Object
	var visit func(o *catalog.Object)
	visit = func(o *catalog.Object) {
		for _, id := range o.DependsOn {
			if dep := p.draft.objects[id]; dep != nil && !slices.Contains(reads, dep) {
				visit(dep)
				reads = append(reads, dep)
			}
		}
	}
	visit(o)
	if len(reads) == 0 {
		return ""
	}
	parts := make([]string, len(reads))
	for i, r := range reads {
		body := ""
		if r.View != nil {
			body = viewQuery(r)
		} else {
			body = emptyRows(r.Stream.Schema)
		}
		parts[i] = types.QuoteIdent(r.Name) + " AS (" + body + "\n)"
	}
	return "WITH " + strings.Join(parts, ", ") + " "
}

func emptyRows(s *types.Schema) string {
	cols := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		cols[i] = "NULL::" + c.Type.String() + " AS " + types.QuoteIdent(c.Name)
	}
	return "SELECT " + strings.Join(cols, ", ") + " WHERE false"
}

// sample is a value of a parameter's type, to bind a query with.
func sample(t types.Type) any {
	switch k := t.Kind; {
	case k == types.Boolean:
		return false
	case k.IsInteger():
		return int64(0)
	case k == types.Float || k == types.Double:
		return float64(0)
	case k == types.Varchar || k == types.JSON:
		return ""
	case k == types.Blob:
		return []byte{}
	case k == types.Date || k.IsTime():
		return time.Unix(0, 0).UTC()
	}
	return nil
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
	for _, gone := range ch.drop {
		if err := dependent(p.draft.dependents(gone.ID), "%s %q can't be dropped: it is used by %s", gone.Kind, gone.Name); err != nil {
			return err
		}
	}
	for _, o := range ch.put {
		before := ch.before[o.ID]
		if before == nil || o.Kind == catalog.EndpointKind {
			continue
		}
		users := slices.DeleteFunc(p.draft.dependents(o.ID), func(u *catalog.Object) bool { return p.draft.base[u.ID] != u })
		if o.Name != before.Name {
			if err := dependent(users, "%s %q can't be renamed: its name stands in %s", o.Kind, before.Name); err != nil {
				return err
			}
		}
		if err := p.rebind(o); err != nil {
			return err
		}
	}
	return nil
}

// rebind binds everything above o again.
func (p *planner) rebind(o *catalog.Object) error {
	for _, u := range p.draft.dependents(o.ID) {
		if err := p.bind(u, -1); err != nil {
			cause := types.AsError(err)
			if cause.Code == types.TooManyRequests || cause.Code == types.Canceled || cause.Code == types.Timeout {
				return err
			}
			return types.Errorf(types.DependentObjects, "the change of %s %q would break %s %q: %w", o.Kind, o.Name, u.Kind, u.Name, err).
				WithHint("change %s in the same script: CREATE OR REPLACE %s %s ...", types.QuoteIdent(u.Name), keyword(u.Kind), types.QuoteIdent(u.Name))
		}
		if err := p.rebind(u); err != nil {
			return err
		}
	}
	return nil
}

func dependent(users []*catalog.Object, format string, kind catalog.Kind, name string) error {
	if len(users) == 0 {
		return nil
	}
	slices.SortFunc(users, byName)
	var drops []string
	for _, u := range users {
		drops = append(drops, "DROP "+keyword(u.Kind)+" "+types.QuoteIdent(u.Name)+";")
	}
	return types.Errorf(types.DependentObjects, format, kind, name, nameList(users)).
		WithHint("in the same script: %s", strings.Join(drops, " "))
}
