package bind

import (
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// DuckDB plans an uncorrelated scalar subquery as a cross product with
//
//	Project case when count > 1 then error(...) else first end
//	  Aggregate first(x), count_star()
//	    the subquery
//
// which is one row: NULL of an empty subquery, an error of more than one row.

// scalarSubquery finds the subquery below that shape.
func scalarSubquery(n *tree) (*tree, bool) {
	if n.Type != "LOGICAL_PROJECTION" {
		return nil, false
	}
	list, err := n.list()
	if err != nil {
		return nil, false
	}
	return scalarCheck(n, list)
}

func scalarCheck(n *tree, list []*expression) (*tree, bool) {
	if len(list) != 1 || list[0].Class != "BOUND_CASE" || len(list[0].Checks) != 1 || len(n.Children) != 1 {
		return nil, false
	}
	then := list[0].Checks[0].Then
	for then != nil && then.Class == "BOUND_CAST" {
		then = then.Child
	}
	a := n.Children[0]
	if then == nil || then.Name != "error" || a.Type != "LOGICAL_AGGREGATE_AND_GROUP_BY" || len(a.Groups) > 0 || len(a.Children) != 1 {
		return nil, false
	}
	aggs, err := a.list()
	if err != nil || len(aggs) != 2 || aggs[0].Name != "first" || aggs[1].Name != "count_star" ||
		len(aggs[0].Children) != 1 || aggs[0].Children[0].Class != "BOUND_REF" || aggs[0].Children[0].Index != 0 {
		return nil, false
	}
	return a.Children[0], true
}

// single adds a scalar subquery's value to each row of left.
func (s *session) single(left, subquery *tree) (plan.Node, error) {
	l, err := s.node(left)
	if err != nil {
		return nil, err
	}
	r, err := s.node(subquery)
	if err != nil {
		return nil, err
	}
	if len(r.Fields()) > 1 {
		r = pick(r, []int{0})
	}
	if oneRow(r) {
		return join(plan.Inner, l, r), nil
	}
	return join(plan.Single, l, r), nil
}

// scalar is such a subquery where no rows stand beside it.
func (s *session) scalar(subquery *tree) (plan.Node, error) {
	r, err := s.node(subquery)
	if err != nil {
		return nil, err
	}
	if len(r.Fields()) > 1 {
		r = pick(r, []int{0})
	}
	if oneRow(r) {
		return r, nil
	}
	j := join(plan.Single, dummy(), r)
	return j, nil
}

// oneRow reports whether a plan always has exactly one row.
func oneRow(n plan.Node) bool {
	switch n := n.(type) {
	case *plan.Aggregate:
		return n.Global
	case *plan.Project:
		return oneRow(n.Input)
	case *plan.Values:
		return len(n.Rows) == 1
	case *plan.Join:
		return n.Kind == plan.Inner && len(n.Keys) == 0 && n.Residual == nil && oneRow(n.L) && oneRow(n.R)
	}
	return false
}

// existence recognises EXISTS over an uncorrelated subquery, count_star() = 1 over its rows cut to one, and counts all of them
// instead: a count is kept more cheaply than a first row.
func (s *session) existence(n *tree, list []*expression) (plan.Node, bool, error) {
	if len(list) != 1 || list[0].Type != "COMPARE_EQUAL" || len(n.Children) != 1 {
		return nil, false, nil
	}
	a := n.Children[0]
	if a.Type != "LOGICAL_AGGREGATE_AND_GROUP_BY" || len(a.Groups) > 0 || len(a.Children) != 1 {
		return nil, false, nil
	}
	l := a.Children[0]
	aggs, err := a.list()
	if err != nil {
		return nil, true, err
	}
	if len(aggs) != 1 || aggs[0].Name != "count_star" || aggs[0].Filter != nil || l.Type != "LOGICAL_LIMIT" || len(l.Children) != 1 ||
		!l.Limit.is(1) || l.Offset.Type != "UNSET" {
		return nil, false, nil
	}
	right := list[0].Right
	if list[0].Left.Class != "BOUND_REF" || right.Value == nil || string(right.Value.Raw) != "1" {
		return nil, false, nil
	}
	in, err := s.node(l.Children[0])
	if err != nil {
		return nil, true, err
	}
	bigint := types.Of(types.BigInt)
	count := &plan.Aggregate{Input: in, Global: true, Aggs: []plan.Agg{{Name: "count_star", Type: bigint}}, Out: []plan.Field{{Name: "count_star()", Type: bigint}}}
	some := &plan.Expr{Kind: plan.Compare, Name: ">", Type: types.Of(types.Boolean), Args: []*plan.Expr{plan.Col(0, bigint), plan.Lit(int64(0), bigint)}, Place: -1}
	return &plan.Project{Input: count, Exprs: []*plan.Expr{some}, Out: []plan.Field{{Name: list[0].Alias, Type: some.Type}}}, true, nil
}

func (l limit) is(n int64) bool { return l.Type == "CONSTANT_VALUE" && l.Constant == n }
