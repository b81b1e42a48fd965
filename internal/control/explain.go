package control

import (
	"strings"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// explain shows the store's plan of a query or the engine's of a materialized view, one row for each line.
func (p *planner) explain(st *ddl.Explain) (Result, error) {
	if st.Create != nil {
		return p.explainCreate(st.Create)
	}
	r := Result{Statement: "EXPLAIN", Name: st.Name.Name}
	if p.c.Explain == nil {
		return r, p.fail(st.Start, types.Unsupported, "EXPLAIN is not available with this store")
	}
	q, written := st.Query, true
	path := ""
	if q.Text == "" {
		o, err := p.readable(st.Name, st.Kind, "EXPLAIN")
		if err != nil {
			return r, err
		}
		if o.Continuous() {
			return p.explainMaterialized(r, o, st.Name.Pos)
		}
		if o.Endpoint != nil && p.c.Paths != nil {
			if path, err = p.c.Paths.EndpointPath(p.ctx, p.who, o); err != nil {
				return r, p.unplaced(st.Name.Pos, err)
			}
		}
		q, written = ddl.Query{Text: explained(o), Offset: st.Name.Pos}, false
	}
	text, err := p.guarded(&q, written)
	if err != nil {
		return r, err
	}
	if written && p.c.Paths != nil {
		if path, err = p.c.Paths.SelectPath(p.ctx, p.who, q.Text); err != nil {
			return r, p.shift(q.Offset, 1, err)
		}
	}
	plan, err := p.c.Explain(p.ctx, text)
	if err != nil {
		if written && text == q.Text {
			return r, p.shift(q.Offset, 1, err)
		}
		return r, p.unplaced(q.Offset, err)
	}
	switch {
	case strings.HasPrefix(path, "path: fast"):
		plan = path + "\notherwise in the store:\n" + plan
	case path != "":
		plan = path + "\n" + plan
	}
	r.Table = planLines(plan)
	return r, nil
}

// explainCreate shows the plan of a materialized view that need not exist: it is made in the draft, which nobody commits.
func (p *planner) explainCreate(st *ddl.CreateMaterializedView) (Result, error) {
	create := *st
	create.OrReplace, create.IfNotExists = true, false
	r := Result{Statement: "EXPLAIN", Name: st.Name.Name}
	if _, err := p.createMaterialized(&create); err != nil {
		return r, err
	}
	return p.explainMaterialized(r, p.draft.byName(st.Name.Name), st.Query.Offset)
}

// explainMaterialized shows the engine's plan: what it keeps, and whether that is bounded.
func (p *planner) explainMaterialized(r Result, o *catalog.Object, pos int) (Result, error) {
	text, err := p.c.Views.Explain(p.ctx, o.View, p.draft.byName)
	if err != nil {
		return r, p.unplaced(pos, err)
	}
	r.Table = planLines(text)
	for _, x := range o.Indexes {
		r.Table.Rows = append(r.Table.Rows, []any{"Index " + types.QuoteIdent(x.Name) + " (" + identList(indexColumnNames(o, x)) + ")"})
	}
	return r, nil
}

// planLines is a plan with one row for each line.
func planLines(plan string) *Table {
	t := table(nil, "plan")
	for line := range strings.Lines(plan) {
		t.Rows = append(t.Rows, []any{strings.TrimRight(line, "\n")})
	}
	return t
}

// explained is the query of a view, or of an endpoint with its defaults in the place of parameters; a required one is a small value of
// its type. A plan hardly depends on them.
func explained(o *catalog.Object) string {
	if o.View != nil {
		return "SELECT * FROM " + types.QuoteIdent(o.Name)
	}
	return ddl.ReplaceParams(o.Endpoint.Query, func(name string) string {
		for _, a := range o.Endpoint.Params {
			if a.Name == name {
				return "CAST(" + literal(a) + " AS " + a.Type.String() + ")"
			}
		}
		return "$" + name
	})
}

func literal(a catalog.Param) string {
	if a.HasDefault && a.Default != nil {
		return types.QuoteLiteral(*a.Default)
	}
	switch k := a.Type.Kind; {
	case k == types.Varchar || k == types.Blob:
		return "''"
	case k == types.Boolean || k.IsNumeric():
		return "'0'"
	case k == types.Date || k.IsTime():
		return "'1970-01-01'"
	}
	return "NULL"
}
