package lower

import (
	"slices"

	"leat/internal/engine/expr"
	"leat/internal/engine/op"
	"leat/internal/sql/plan"
)

func (l *lowerer) values(n *plan.Values) (node, error) {
	rows := make([]*expr.Program, len(n.Rows))
	for i, r := range n.Rows {
		p, err := l.compile(r)
		if err != nil {
			return node{}, err
		}
		rows[i] = p
	}
	ts := typesOf(n.Out)
	return l.add("values", op.NewValues(rows, ts, l.table()), ts), nil
}

// filter lowers a filter whose output are the columns out of its input, nil for all.
func (l *lowerer) filter(n *plan.Filter, out []int) (node, error) {
	in, err := l.node(n.Input)
	if err != nil {
		return node{}, err
	}
	cond, err := l.compile([]*plan.Expr{n.Cond})
	if err != nil {
		return node{}, err
	}
	name, ts := "filter", in.types
	if n.Late {
		name = "late rows"
	}
	if out != nil {
		ts = typesAt(in.types, out)
	}
	f := l.add(name, op.NewFilter(cond, out, n.Late), ts, in)
	l.names[f.id] = fieldNames(n.Input.Fields(), nil)
	return f, nil
}

// project lowers a projection; a filter below that nobody else reads then gives only the columns that it needs.
func (l *lowerer) project(n *plan.Project) (node, error) {
	es := n.Exprs
	names := fieldNames(n.Input.Fields(), nil)
	var in node
	var err error
	if f, ok := n.Input.(*plan.Filter); ok && l.uses[f] == 1 {
		cols := columns(es)
		if in, err = l.filter(f, cols); err == nil {
			es = remap(es, cols)
			names = fieldNames(n.Input.Fields(), cols)
		}
	} else {
		in, err = l.node(n.Input)
	}
	if err != nil {
		return node{}, err
	}
	out, err := l.compute(in, es)
	if err == nil && out.id != in.id {
		l.names[out.id] = names
	}
	return out, err
}

// compute appends a projection to expressions over in, or nothing where they are just its columns.
func (l *lowerer) compute(in node, es []*plan.Expr) (node, error) {
	if cols, ok := allColumns(es); ok {
		return l.pick(in, cols), nil
	}
	p, err := l.compile(es)
	if err != nil {
		return node{}, err
	}
	return l.add("expressions", op.NewProject(p), typesOfExprs(es), in), nil
}

// columns are the input columns that expressions read: in their order where they are nothing but columns, else sorted.
func columns(es []*plan.Expr) []int {
	if cols, ok := allColumns(es); ok && len(union(nil, cols)) == len(cols) {
		return cols
	}
	out := []int{}
	for _, e := range es {
		e.Walk(func(e *plan.Expr) bool {
			if e.Kind == plan.Column {
				out = append(out, e.Index)
			}
			return true
		})
	}
	return union(nil, out)
}

// remap returns expressions over the columns cols alone.
func remap(es []*plan.Expr, cols []int) []*plan.Expr {
	out := make([]*plan.Expr, len(es))
	for i, e := range es {
		out[i] = e.Map(func(c *plan.Expr) *plan.Expr { return plan.Col(slices.Index(cols, c.Index), c.Type) })
	}
	return out
}

func allColumns(es []*plan.Expr) ([]int, bool) {
	cols := make([]int, len(es))
	for i, e := range es {
		if e.Kind != plan.Column {
			return nil, false
		}
		cols[i] = e.Index
	}
	return cols, true
}

func (l *lowerer) union(n *plan.Union) (node, error) {
	ins := make([]node, len(n.Sources))
	for i, s := range n.Sources {
		in, err := l.node(s)
		if err != nil {
			return node{}, err
		}
		ins[i] = in
	}
	ts := typesOf(n.Out)
	return l.add("union all", op.NewUnion(ts), ts, ins...), nil
}
