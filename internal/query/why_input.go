package query

import (
	"errors"
	"fmt"
	"strings"

	"leat/internal/catalog"
	"leat/internal/engine/expr"
	"leat/internal/query/fast"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/sql/print"
	"leat/internal/store"
	"leat/internal/types"
)

// below shows what a trace needs of each relation.
func (e *explaining) below(found opt.Trace, m *moment, depth int) ([]WhyInput, error) {
	for _, reason := range found.Loose {
		e.note("%s", reason)
	}
	var out []WhyInput
	for _, need := range found.Needs {
		if e.inputs++; e.inputs > maxWhyInputs || depth > maxWhyDepth {
			return nil, types.Errorf(types.QueryTooComplex, "the rows come from more than %d relations", maxWhyInputs)
		}
		in, err := e.input(need, m, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// input shows the rows of one relation.
func (e *explaining) input(need opt.Need, m *moment, depth int) (WhyInput, error) {
	in := WhyInput{Object: e.snapshot.ByID(need.Relation.ID)}
	if in.Object == nil {
		return in, types.Errorf(types.Unsupported, "where these rows come from can't be told: %q was dropped", need.Relation.Name)
	}
	text, err := predicate(need, in.Object)
	if err != nil {
		return in, err
	}
	if !e.principal.Filtered() { // the texts of definitions are not for who sees some rows only: they may name values of others
		in.Predicate = text
	}
	// A look-up's own row is shown already, and may be seen.
	if depth > 0 || e.object.Endpoint != nil {
		where, args, err := e.visible(in.Object, text)
		if err != nil {
			return in, err
		}
		if need.Relation.Kind != plan.ViewRelation {
			return in, e.logged(&in, where, args)
		}
		in.Rows, err = e.query(store.Query{SQL: "SELECT * FROM public." + types.QuoteIdent(in.Object.Name) + " WHERE " + where, Args: args, MaxRows: MaxWhyRows, Live: m.pinned})
		if err != nil {
			return in, err
		}
	}
	node := e.tracer.ViewPlan(need.Relation.ID)
	if node == nil {
		return in, types.Errorf(types.Unsupported, "where rows of %q come from can't be told: it has no plan", in.Object.Name)
	}
	in.Inputs, err = e.below(opt.TraceRows(node, need.Any), m, depth+1)
	return in, err
}

// logged reads rows of a stream or table as they were at the position.
func (e *explaining) logged(in *WhyInput, where string, args map[string]any) (err error) {
	o := in.Object
	rows, err := e.finder.Find(e.ctx, store.Search{ID: o.ID, Below: e.out.Position.Cursors, Where: where, Args: args, MaxRows: MaxWhyRows})
	if err != nil {
		return e.hide(err)
	}
	if in.Rows, err = e.collect(rows); err != nil {
		return err
	}
	if in.Rows.Truncated {
		e.note("not all rows of %s are shown: there are more than %d, or they are large", types.QuoteIdent(o.Name), MaxWhyRows)
	}
	if o.Stream != nil && o.Stream.TTL > 0 {
		return e.gone(o)
	}
	return nil
}

// gone notes that a stream has lost rows which the view may have read.
func (e *explaining) gone(o *catalog.Object) error {
	first, err := e.query(store.Query{SQL: "SELECT coalesce(max(first), 1)::BIGINT AS first FROM (SELECT min(_leat_offset) AS first FROM public." +
		`"` + o.Name + `$leat" GROUP BY _leat_partition)`, MaxRows: 1})
	if err != nil {
		return err
	}
	if first.count() != 1 || first.Records[0].Column(0).ValueStr(0) != "0" {
		e.note("rows of %s that are older than %s are gone", types.QuoteIdent(o.Name), o.Stream.TTL)
	}
	return nil
}

// visible adds the principal's filter to a condition.
func (e *explaining) visible(o *catalog.Object, where string) (string, map[string]any, error) {
	conditions, err := Conditions(e.principal, o)
	if err != nil || len(conditions) == 0 {
		return where, nil, err
	}
	args := map[string]any{}
	for i, c := range conditions {
		name := fmt.Sprintf("where%d", i)
		where += fmt.Sprintf(" AND %s = CAST($%s AS %s)", types.QuoteIdent(c.Column.Name), name, c.Column.Type)
		args[name] = c.Value
	}
	e.note("this token sees some rows of %s only", types.QuoteIdent(o.Name))
	return where, args, nil
}

// systemNames are the names of system columns in the store's rows.
var systemNames = map[plan.System]string{
	plan.Watermark: "_leat_wm", plan.ReceivedAt: "_leat_received_at", plan.Partition: "_leat_partition", plan.Offset: "_leat_offset",
}

// predicate is the condition on a relation's needed rows as SQL, in the present names of its columns. What can fail is NULL for the row in question,
// as the engine leaves that row out.
func predicate(need opt.Need, o *catalog.Object) (string, error) {
	var missing error
	present := schemaOf(o)
	column := func(i int) string {
		if i >= opt.SystemColumn {
			return systemNames[plan.System(i-opt.SystemColumn)]
		}
		c := need.Relation.Schema.Columns[i]
		if present == nil || present.IndexID(c.ID) < 0 {
			missing = types.Errorf(types.Unsupported, "where these rows come from can't be told: column %q of %q was dropped", c.Name, o.Name)
			return "NULL"
		}
		return types.QuoteIdent(present.Columns[present.IndexID(c.ID)].Name)
	}
	var any []string
	for _, c := range need.Any {
		if c == nil {
			return "true", nil
		}
		var all []string
		for _, e := range opt.Conjuncts(c) {
			text, err := print.Expr(e, column)
			if err = errors.Join(err, missing); err != nil {
				return "", err
			}
			if expr.Fallible(e) {
				text = "TRY(" + text + ")"
			}
			all = append(all, text)
		}
		any = append(any, strings.Join(all, " AND "))
	}
	if len(any) == 1 {
		return "(" + any[0] + ")", nil
	}
	return "((" + strings.Join(any, ") OR (") + "))", nil
}

// withValues puts the values of parameters into a plan.
func withValues(n plan.Node, args map[string]any) (plan.Node, error) {
	var failed error
	value := func(p *plan.Expr) *plan.Expr {
		v, ok := fast.Read(p.Type, args[p.Name])
		if ok {
			if c, ok := expr.Constant(v, 0); ok {
				return c
			}
		}
		failed = types.Errorf(types.Unsupported, "where these rows come from can't be told: the store converts the parameter $%s to %s", p.Name, p.Type)
		return p
	}
	out := plan.Rewrite(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Filter:
			c := *n
			c.Cond = replaced(n.Cond, value)
			return &c
		case *plan.Project:
			c := *n
			c.Exprs = make([]*plan.Expr, len(n.Exprs))
			for i, e := range n.Exprs {
				c.Exprs[i] = replaced(e, value)
			}
			return &c
		}
		return n
	})
	return out, failed
}

// replaced is e with what value returns for its parameters.
func replaced(e *plan.Expr, value func(*plan.Expr) *plan.Expr) *plan.Expr {
	if e.Kind == plan.Param {
		return value(e)
	}
	if len(e.Args) == 0 {
		return e
	}
	c := *e
	c.Args = make([]*plan.Expr, len(e.Args))
	for i, a := range e.Args {
		c.Args[i] = replaced(a, value)
	}
	return &c
}
