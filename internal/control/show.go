package control

import (
	"maps"
	"slices"
	"strings"
	"time"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/store"
	"leat/internal/types"
)

// answer runs a statement that changes no definition.
func (p *planner) answer(st ddl.Statement, args map[string]any) (Result, error) {
	switch st := st.(type) {
	case *ddl.Show:
		return p.show(st)
	case *ddl.ShowCreate:
		if st.Kind == ddl.Index {
			return p.showCreateIndex(st.Name)
		}
		if st.Name.Schema != "" {
			return p.showCreateSystem(st)
		}
		o, err := p.readable(st.Name, st.Kind, "SHOW CREATE")
		if err != nil {
			return Result{}, err
		}
		return Result{Statement: "SHOW CREATE", Name: o.Name, Table: table([]any{o.Name, createText(o)}, "name", "statement")}, nil
	case *ddl.Describe:
		return p.describe(st)
	case *ddl.Explain:
		return p.explain(st)
	case *ddl.Insert:
		return p.write("INSERT", st.Target, func() (int64, types.Position, error) {
			return p.c.Writer.Insert(p.ctx, p.who, p.script, st, args)
		})
	case *ddl.Delete:
		return p.write("DELETE", st.Target, func() (int64, types.Position, error) {
			return p.c.Writer.Delete(p.ctx, p.who, p.script, st, args)
		})
	}
	return Result{}, types.Errorf(types.Unsupported, "a query is not a definition; it runs through the door for reads")
}

func (p *planner) write(what string, target ddl.ObjectName, run func() (int64, types.Position, error)) (Result, error) {
	if p.c.Writer == nil {
		return Result{}, p.fail(target.Pos, types.Unsupported, "%s is not available here", what)
	}
	rows, at, err := run()
	return Result{Statement: what, Name: target.Name, Rows: rows, Position: at}, err
}

// readable finds an object that the principal may read.
func (p *planner) readable(name ddl.ObjectName, kind ddl.Kind, verb string) (*catalog.Object, error) {
	o, err := p.find(name, kind, verb)
	if err != nil {
		return nil, err
	}
	if !mayRead(p.who, o.Name) {
		return nil, p.fail(name.Pos, types.PermissionDenied, "this token may not read %q", o.Name)
	}
	return o, nil
}

// showCreateSystem says that no statement makes a relation of leat_system.
func (p *planner) showCreateSystem(st *ddl.ShowCreate) (Result, error) {
	if err := p.knownSystem(st.Name); err != nil {
		return Result{}, err
	}
	name := st.Name.String()
	return Result{}, p.fail(st.Name.Pos, types.NotAllowed, "%s is built in: no statement makes it", name).WithHint("DESCRIBE %s", name)
}

// knownSystem refuses names that leat_system does not have.
func (p *planner) knownSystem(name ddl.ObjectName) error {
	if _, ok := p.draft.system[name.String()]; ok {
		return nil
	}
	return p.fail(name.Pos, types.UnknownRelation, "there is no %q", name.String()).
		WithHint("schema leat_system has %s", strings.Join(slices.Sorted(maps.Keys(p.draft.system)), ", "))
}

func (p *planner) show(st *ddl.Show) (Result, error) {
	if st.Kind == ddl.Index {
		return p.showIndexes(st)
	}
	t := table(nil, shownColumns...)
	objects := make([]*catalog.Object, 0, len(p.draft.objects))
	for _, o := range p.draft.objects {
		if isKind(o, st.Kind) && mayRead(p.who, o.Name) {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, byName)
	switch st.Kind {
	case ddl.View, ddl.MaterializedView:
		t = p.showViews(objects)
	case ddl.EndpointKind:
		t = p.showEndpoints(objects)
	default:
		for _, o := range objects {
			t.Rows = append(t.Rows, p.c.showRow(o))
		}
	}
	what := "SHOW " + keyword(catalog.Kind(st.Kind)) + "S"
	if st.Kind == ddl.Any {
		what = "SHOW ALL"
	}
	return Result{Statement: what, Table: t}, nil
}

// showEndpoints lists endpoints; path is fast or store, whichever answers at present.
func (p *planner) showEndpoints(objects []*catalog.Object) *Table {
	t := table(nil, "name", "kind", "parameters", "path", "created")
	for _, o := range objects {
		params := make([]string, len(o.Endpoint.Params))
		for i, a := range o.Endpoint.Params {
			params[i] = types.QuoteIdent(a.Name) + " " + a.Type.String()
		}
		path := ""
		if p.c.Paths != nil {
			// One that can't be told, of a query that no longer runs, is told by EXPLAIN ENDPOINT.
			line, _ := p.c.Paths.EndpointPath(p.ctx, p.who, o)
			path, _, _ = strings.Cut(strings.TrimPrefix(line, "path: "), " ")
		}
		t.Rows = append(t.Rows, []any{o.Name, kindOf(o), text(strings.Join(params, ", ")), text(path), instant(o.CreatedAt)})
	}
	return t
}

func (c *Controller) showRow(o *catalog.Object) []any {
	row := []any{o.Name, kindOf(o), nil, nil, nil, nil, nil, nil, instant(o.CreatedAt)}
	if o.Continuous() {
		row[2] = int64(len(o.View.Materialized.Schema.Columns))
		if s, ok := c.status(o.ID); ok {
			row[5], row[6], row[7] = watermark(s.Watermark), s.Rows, s.StateBytes
		}
	}
	if !hasLog(o) {
		return row
	}
	row[2], row[3] = int64(len(o.Stream.Schema.Columns)), int64(o.Stream.Partitions)
	if d := describe(o); d.EventTime != "" {
		row[4] = d.EventTime
	}
	if c.Figures != nil {
		rows, bytes, mark := c.Figures.Stream(o.ID)
		row[5], row[6], row[7] = watermark(mark), rows, bytes
	}
	return row
}

// text is a cell: nothing if it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// watermark is a cell: nothing if there is none.
func watermark(us int64) any {
	if us == types.NoWatermark {
		return nil
	}
	return instant(time.UnixMicro(us))
}

func (p *planner) describe(st *ddl.Describe) (Result, error) {
	if st.Query != nil {
		return p.columns(st.Query, "DESCRIBE", "")
	}
	if st.Name.Schema != "" {
		if err := p.knownSystem(st.Name); err != nil {
			return Result{}, err
		}
		return p.columns(&ddl.Query{Text: "SELECT * FROM " + st.Name.Schema + "." + types.QuoteIdent(st.Name.Name), Offset: st.Name.Pos}, "DESCRIBE", st.Name.String())
	}
	o, err := p.readable(st.Name, ddl.Any, "DESCRIBE")
	if err != nil {
		return Result{}, err
	}
	switch {
	case o.Continuous():
		t := table(nil, "column", "type", "key")
		for _, c := range describe(o).Columns {
			t.Rows = append(t.Rows, []any{c.Name, c.Type, text(joined(c.Key, c.Note))})
		}
		return Result{Statement: "DESCRIBE", Name: o.Name, Table: t}, nil
	case o.Kind == catalog.ViewKind:
		return p.columns(&ddl.Query{Text: "SELECT * FROM " + types.QuoteIdent(o.Name), Offset: st.Name.Pos}, "DESCRIBE", o.Name)
	case o.Kind == catalog.EndpointKind:
		t := table(nil, "parameter", "type", "default")
		for _, a := range o.Endpoint.Params {
			value := any("required")
			if a.HasDefault {
				value = nil
				if a.Default != nil {
					value = *a.Default
				}
			}
			t.Rows = append(t.Rows, []any{a.Name, a.Type.String(), value})
		}
		return Result{Statement: "DESCRIBE", Name: o.Name, Table: t}, nil
	}
	t := table(nil, "column", "type", "null", "key", "path", "note")
	for _, c := range describe(o).Columns {
		null := "YES"
		if !c.Null {
			null = "NO"
		}
		t.Rows = append(t.Rows, []any{c.Name, c.Type, null, c.Key, strings.Join(c.Path, "."), c.Note})
	}
	return Result{Statement: "DESCRIBE", Name: o.Name, Table: t}, nil
}

// columns lists the columns of a query without running it.
func (p *planner) columns(q *ddl.Query, what, name string) (Result, error) {
	text, err := p.guarded(q, true)
	if err != nil {
		return Result{}, err
	}
	rows, err := p.c.Store.Query(p.ctx, store.Query{SQL: "SELECT * FROM (\n" + text + "\n) LIMIT 0", MaxRows: 1})
	switch {
	case err != nil && text != q.Text:
		return Result{}, p.unplaced(q.Offset, err)
	case err != nil:
		return Result{}, p.shift(q.Offset, 2, err)
	}
	t := table(nil, "column", "type")
	for _, c := range rows.Columns() {
		t.Rows = append(t.Rows, []any{c.Name, c.Type.String()})
	}
	return Result{Statement: what, Name: name, Table: t}, rows.Close()
}

// guarded checks a query, and that the principal may read all that it names. One that is written stands in the script itself.
func (p *planner) guarded(q *ddl.Query, written bool) (string, error) {
	v, err := p.c.Guard.Check(p.ctx, q.Text, p.draft)
	if err != nil && written {
		return "", p.shift(q.Offset, 1, err)
	}
	if err != nil {
		return "", p.unplaced(q.Offset, err)
	}
	for _, r := range v.Relations {
		if !mayRead(p.who, r.Name) {
			return "", p.fail(q.Offset, types.PermissionDenied, "this token may not read %q", r.Name)
		}
	}
	return v.SQL, nil
}
