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
