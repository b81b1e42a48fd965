package bind

import (
	"encoding/json"
	"strconv"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// node translates one node of DuckDB's plan and those below it.
func (s *session) node(n *tree) (plan.Node, error) {
	if n == nil {
		return nil, types.Errorf(types.Internal, "DuckDB's plan lacks a node")
	}
	if err := s.ctx.Err(); err != nil {
		return nil, types.Errorf(types.Canceled, "binding was canceled: %w", err)
	}
	if inputs := inputsOf[n.Type]; len(n.Children) < inputs {
		return nil, types.Errorf(types.Internal, "DuckDB's %s has %d inputs", n.Type, len(n.Children))
	}
	switch n.Type {
	case "LOGICAL_GET":
		return s.get(n)
	case "LOGICAL_PROJECTION":
		return s.projection(n)
	case "LOGICAL_FILTER":
		return s.filter(n)
	case "LOGICAL_CROSS_PRODUCT":
		return s.cross(n)
	case "LOGICAL_COMPARISON_JOIN":
		return s.comparisonJoin(n)
	case "LOGICAL_DELIM_JOIN":
		return s.delimJoin(n)
	case "LOGICAL_DELIM_GET":
		return s.delimGet(n)
	case "LOGICAL_ANY_JOIN":
		return s.anyJoin(n)
	case "LOGICAL_AGGREGATE_AND_GROUP_BY":
		return s.aggregate(n)
	case "LOGICAL_DISTINCT":
		return s.distinct(n)
	case "LOGICAL_ORDER_BY":
		return s.orderBy(n)
	case "LOGICAL_LIMIT":
		return s.limit(n)
	case "LOGICAL_WINDOW":
		return s.over(n)
	case "LOGICAL_UNION":
		return s.union(n)
	case "LOGICAL_EXCEPT":
		return s.difference(n, plan.Anti)
	case "LOGICAL_INTERSECT":
		return s.difference(n, plan.Semi)
	case "LOGICAL_MATERIALIZED_CTE":
		return s.cte(n)
	case "LOGICAL_CTE_REF":
		return s.cteRef(n)
	case "LOGICAL_DUMMY_SCAN":
		return dummy(), nil
	case "LOGICAL_EMPTY_RESULT":
		return s.empty(n)
	case "LOGICAL_EXPRESSION_GET":
		return s.values(n)
	}
	return nil, s.refuse(n)
}

// inputsOf is how many inputs a node needs.
var inputsOf = map[string]int{
	"LOGICAL_PROJECTION": 1, "LOGICAL_FILTER": 1, "LOGICAL_CROSS_PRODUCT": 2, "LOGICAL_COMPARISON_JOIN": 2, "LOGICAL_DELIM_JOIN": 2,
	"LOGICAL_ANY_JOIN": 2, "LOGICAL_AGGREGATE_AND_GROUP_BY": 1, "LOGICAL_DISTINCT": 1, "LOGICAL_ORDER_BY": 1, "LOGICAL_LIMIT": 1,
	"LOGICAL_WINDOW": 1, "LOGICAL_UNION": 1, "LOGICAL_EXCEPT": 2, "LOGICAL_INTERSECT": 2, "LOGICAL_MATERIALIZED_CTE": 2,
}

// refuse says what can't be translated, with its place: DuckDB's plan tells that of few nodes, so it is looked for in the AST.
func (s *session) refuse(n *tree) error {
	what, hint := "this form of query ("+strings.TrimPrefix(n.Type, "LOGICAL_")+")", ""
	var is func(object) bool
	switch n.Type {
	case "LOGICAL_UNNEST":
		what, is = "unnest", func(o object) bool { return str(o, "function_name") == "unnest" }
	case "LOGICAL_RECURSIVE_CTE":
		what, is = "WITH RECURSIVE", nil
	case "LOGICAL_ASOF_JOIN":
		what, hint = "an ASOF join", "join on equality, and keep the last row by row_number() OVER (PARTITION BY ... ORDER BY ... DESC)"
		is = func(o object) bool { return str(o, "ref_type") == "ASOF" }
	case "LOGICAL_POSITIONAL_JOIN":
		what, is = "a positional join", func(o object) bool { return str(o, "ref_type") == "POSITIONAL" }
	case "LOGICAL_SAMPLE":
		what, hint = "TABLESAMPLE", "filter by the hash of a column: WHERE hash(id) % 100 < 10"
		is = func(o object) bool { return o["sample"] != nil }
	case "LOGICAL_PIVOT":
		what, hint = "PIVOT", "write each column as an aggregate with FILTER"
	}
	e := s.at(s.locate(is), types.Errorf(types.Unsupported, "%s is not supported in views", what))
	e.Hint = hint
	return e
}

// locate finds the first place in the user's text of what a refusal is about, -1 if it isn't there or has none.
func (s *session) locate(is func(object) bool) int {
	found := -1
	if is == nil {
		return found
	}
	each(s.ast, func(o object) bool {
		if is(o) {
			if at := first(o); at >= 0 && (found < 0 || at < found) {
				found = at
			}
		}
		return true
	})
	return found
}

// first is the place of a node, or the first below it.
func first(o object) int {
	if at := location(o); at >= 0 {
		return at
	}
	found := -1
	each(o, func(c object) bool {
		if at := location(c); at >= 0 && (found < 0 || at < found) {
			found = at
		}
		return true
	})
	return found
}

// place is the first known place in an expression.
func (e *expression) place() uint64 {
	if e == nil {
		return noLocation
	}
	at := min(e.Location, e.Child.place(), e.Left.place(), e.Right.place())
	for _, c := range e.Children {
		at = min(at, c.place())
	}
	return at
}

// get reads a relation.
func (s *session) get(n *tree) (plan.Node, error) {
	var data struct {
		Schema string `json:"schema"`
		Table  string `json:"table"`
	}
	if n.Name != "seq_scan" || json.Unmarshal(n.FunctionData, &data) != nil {
		at := s.locate(func(o object) bool {
			return str(o, "type") == "TABLE_FUNCTION" && str(child(o, "function"), "function_name") == n.Name
		})
		return nil, s.at(at, types.Errorf(types.Unsupported, "the table function %s is not supported in views", n.Name))
	}
	r := s.relations[data.Schema+"."+data.Table]
	if r == nil {
		return nil, types.Errorf(types.Internal, "DuckDB's plan reads %s.%s, which nobody defined", data.Schema, data.Table)
	}
	return scan(r, n), nil
}

// scan reads the columns that DuckDB asks for, in its order.
func scan(r *plan.Relation, n *tree) plan.Node {
	out := &plan.Scan{Relation: r}
	columns := r.Schema.Columns
	hidden := make([]int, len(n.ColumnIndexes))
	var system []plan.Field
	for i, c := range n.ColumnIndexes {
		hidden[i] = -1
		switch {
		case c.Index < uint64(len(columns)):
			out.Columns = append(out.Columns, int(c.Index))
			out.Out = append(out.Out, plan.Field{Name: columns[c.Index].Name, Type: columns[c.Index].Type})
		case c.Index < uint64(len(columns)+len(hiddenColumns)):
			h := int(c.Index) - len(columns)
			hidden[i] = len(out.System)
			out.System = append(out.System, hiddenSystem[h])
			system = append(system, plan.Field{Name: hiddenColumns[h].Name, Type: hiddenColumns[h].Type})
		default:
			// Only the number of rows matters: any column will do.
			out.Columns = append(out.Columns, 0)
			out.Out = append(out.Out, plan.Field{Name: rowID, Type: columns[0].Type})
		}
	}
	out.Out = append(out.Out, system...)
	if len(system) == 0 {
		return out
	}
	p := &plan.Project{Input: out}
	at := 0
	for _, h := range hidden {
		from := at
		if h >= 0 {
			from = len(out.Columns) + h
		} else {
			at++
		}
		p.Exprs = append(p.Exprs, plan.Col(from, out.Out[from].Type))
		p.Out = append(p.Out, out.Out[from])
	}
	return p
}

// projection computes columns. One that passes its input on is left out; DuckDB has many.
func (s *session) projection(n *tree) (plan.Node, error) {
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	if subquery, ok := scalarCheck(n, list); ok {
		return s.scalar(subquery)
	}
	if in, ok, err := s.existence(n, list); ok || err != nil {
		return in, err
	}
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if _, ok := s.markerOf(e); ok {
			return s.window(list, in)
		}
	}
	sc := scope{s, in.Fields()}
	p := &plan.Project{Input: in}
	if p.Exprs, err = sc.exprs(list); err != nil {
		return nil, err
	}
	for i, x := range p.Exprs {
		p.Out = append(p.Out, plan.Field{Name: s.nameOf(list[i], x, in.Fields()), Type: x.Type})
	}
	if straight(p) {
		return in, nil
	}
	return merge(p), nil
}

// nameOf is the name that DuckDB gave an expression, or that of the column it is.
func (s *session) nameOf(e *expression, x *plan.Expr, in []plan.Field) string {
	switch {
	case x.Kind == plan.Column && strings.Trim(e.Alias, "0123456789") == "":
		// DuckDB calls a column that GROUP BY 1 names by its number.
		return in[x.Index].Name
	case e.Alias == "" && e.Class == "BOUND_CAST" && e.Child.Class == "BOUND_REF":
		// The cast that gives a NULL its type.
		return e.Child.Alias
	}
	return e.Alias
}

// named gives the whole plan's columns the names of the outermost projection, which is what users see.
func (s *session) named(root *tree, n plan.Node) (plan.Node, error) {
	for root.Type == "LOGICAL_MATERIALIZED_CTE" {
		root = root.Children[1]
	}
	list, err := root.list()
	if err != nil {
		return nil, err
	}
	in := n.Fields()
	if root.Type != "LOGICAL_PROJECTION" || len(list) != len(in) {
		return nil, types.Errorf(types.Internal, "DuckDB's plan does not start with its columns")
	}
	p := &plan.Project{Input: n}
	for i, e := range list {
		name := e.Alias
		if name == "" && e.Class == "BOUND_CAST" {
			name = e.Child.Alias
		}
		p.Exprs = append(p.Exprs, plan.Col(i, in[i].Type))
		p.Out = append(p.Out, plan.Field{Name: name, Type: in[i].Type})
	}
	if straight(p) {
		return n, nil
	}
	return merge(p), nil
}

// straight reports whether a projection is its input.
func straight(p *plan.Project) bool {
	in := p.Input.Fields()
	if len(in) != len(p.Exprs) {
		return false
	}
	for i, x := range p.Exprs {
		if x.Kind != plan.Column || x.Index != i || p.Out[i].Name != in[i].Name {
			return false
		}
	}
	return true
}

// merge makes one projection of one that only picks and names columns and the one below it.
func merge(p *plan.Project) plan.Node {
	below, ok := p.Input.(*plan.Project)
	if !ok {
		return p
	}
	for _, x := range p.Exprs {
		if x.Kind != plan.Column {
			return p
		}
	}
	out := &plan.Project{Input: below.Input, Out: p.Out}
	for _, x := range p.Exprs {
		out.Exprs = append(out.Exprs, below.Exprs[x.Index])
	}
	return out
}

func (s *session) filter(n *tree) (plan.Node, error) {
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	conds, err := scope{s, in.Fields()}.exprs(list)
	if err != nil {
		return nil, err
	}
	var out plan.Node = in
	if cond := and(conds); cond != nil {
		out = &plan.Filter{Input: in, Cond: cond}
	}
	return pick(out, n.ProjectionMap), nil
}

// and joins conditions; nil is true.
func and(conds []*plan.Expr) *plan.Expr {
	switch len(conds) {
	case 0:
		return nil
	case 1:
		return conds[0]
	}
	return &plan.Expr{Kind: plan.And, Type: types.Of(types.Boolean), Args: conds, Place: -1}
}

// pick passes some columns on; an empty list is all.
func pick(in plan.Node, columns []int) plan.Node {
	if len(columns) == 0 {
		return in
	}
	p := &plan.Project{Input: in}
	for _, c := range columns {
		f := in.Fields()[c]
		p.Exprs = append(p.Exprs, plan.Col(c, f.Type))
		p.Out = append(p.Out, f)
	}
	if straight(p) {
		return in
	}
	return p
}

// dummy is one row without columns.
func dummy() *plan.Values { return &plan.Values{Rows: [][]*plan.Expr{{}}, Out: []plan.Field{}} }

func (s *session) empty(n *tree) (plan.Node, error) {
	out := &plan.Values{}
	for _, t := range n.Returned {
		ft, ok := t.typeOf()
		if !ok {
			return nil, types.Errorf(types.Unsupported, "a value of type %s is not supported in views", t.ID)
		}
		out.Out = append(out.Out, plan.Field{Type: ft})
	}
	return out, nil
}

// values are the rows of VALUES.
func (s *session) values(n *tree) (plan.Node, error) {
	var rows [][]*expression
	if err := json.Unmarshal(n.Expressions, &rows); err != nil {
		return nil, types.Errorf(types.Internal, "DuckDB's VALUES cannot be read: %w", err)
	}
	if c := n.Children; len(c) > 0 && c[0].Type != "LOGICAL_DUMMY_SCAN" {
		return nil, types.Errorf(types.Unsupported, "VALUES over columns of other relations is not supported in views")
	}
	out := &plan.Values{}
	for _, r := range rows {
		row, err := scope{s, nil}.exprs(r)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, row)
	}
	for i, t := range n.RowTypes {
		ft, ok := t.typeOf()
		if !ok {
			return nil, types.Errorf(types.Unsupported, "a value of type %s is not supported in views", t.ID)
		}
		out.Out = append(out.Out, plan.Field{Name: "col" + strconv.Itoa(i), Type: ft})
	}
	return out, nil
}

// cte plans a CTE once; its references share the plan.
func (s *session) cte(n *tree) (plan.Node, error) {
	body, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	s.ctes[n.TableIndex] = body
	return s.node(n.Children[1])
}

func (s *session) cteRef(n *tree) (plan.Node, error) {
	body := s.ctes[n.CTE]
	if body == nil || len(n.Chunk) != len(body.Fields()) {
		return nil, types.Errorf(types.Internal, "DuckDB's plan refers to a CTE that it doesn't define")
	}
	// The reference has names of its own.
	p := &plan.Project{Input: body}
	for i, f := range body.Fields() {
		p.Exprs = append(p.Exprs, plan.Col(i, f.Type))
		if i < len(n.Bound) {
			f.Name = n.Bound[i]
		}
		p.Out = append(p.Out, f)
	}
	if straight(p) {
		return body, nil
	}
	return p, nil
}
