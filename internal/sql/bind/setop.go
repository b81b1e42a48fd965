package bind

import (
	"slices"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// union is UNION ALL. DuckDB puts a DISTINCT above a UNION.
func (s *session) union(n *tree) (plan.Node, error) {
	u := &plan.Union{}
	for _, c := range n.Children {
		in, err := s.node(c)
		if err != nil {
			return nil, err
		}
		if err := sameTypes(u.Sources, in); err != nil {
			return nil, err
		}
		// A union of unions is one.
		if below, ok := in.(*plan.Union); ok && c.Type == n.Type {
			u.Sources = append(u.Sources, below.Sources...)
		} else {
			u.Sources = append(u.Sources, in)
		}
	}
	u.Out = u.Sources[0].Fields()
	return u, nil
}

func sameTypes(sources []plan.Node, in plan.Node) error {
	if len(sources) == 0 {
		return nil
	}
	a, b := sources[0].Fields(), in.Fields()
	same := slices.EqualFunc(a, b, func(x, y plan.Field) bool { return x.Type.Kind == y.Type.Kind })
	if !same {
		return types.Errorf(types.Internal, "DuckDB's plan has a set operation over columns of different types")
	}
	return nil
}

// difference is EXCEPT (an anti join) or INTERSECT (a semi join) on all columns; DuckDB puts a DISTINCT above both. With ALL equal rows
// are numbered, so that each has one partner at most.
func (s *session) difference(n *tree, kind plan.JoinKind) (plan.Node, error) {
	l, r, err := s.inputs(n)
	if err != nil {
		return nil, err
	}
	if len(n.Children) > 2 {
		return nil, types.Errorf(types.Internal, "DuckDB's plan has a difference of %d queries", len(n.Children))
	}
	if err := sameTypes([]plan.Node{l}, r); err != nil {
		return nil, err
	}
	width := len(l.Fields())
	if n.All {
		l, r = numbered(l), numbered(r)
	}
	j := join(kind, l, r)
	for i, f := range l.Fields() {
		j.Keys = append(j.Keys, plan.JoinKey{Left: plan.Col(i, f.Type), Right: plan.Col(i, r.Fields()[i].Type), NullSafe: true})
	}
	if !n.All {
		return j, nil
	}
	columns := make([]int, width)
	for i := range columns {
		columns[i] = i
	}
	return pick(j, columns), nil
}

// numbered numbers equal rows.
func numbered(in plan.Node) plan.Node {
	t := &plan.TopN{Input: in, Limit: -1, Number: true}
	for i, f := range in.Fields() {
		t.Partition = append(t.Partition, plan.Col(i, f.Type))
	}
	t.Out = append(slices.Clone(in.Fields()), plan.Field{Name: "copy", Type: types.Of(types.BigInt)})
	return t
}
