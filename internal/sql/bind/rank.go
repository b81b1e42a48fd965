package bind

import (
	"reflect"
	"slices"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// orderBy passes its input on: a view is a set.
func (s *session) orderBy(n *tree) (plan.Node, error) {
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	if n != s.outermost {
		return pick(in, n.ProjectionMap), nil
	}
	top := &plan.TopN{Input: in, Limit: -1, Out: in.Fields()}
	if top.Order, err = (scope{s, in.Fields()}).order(n.Orders); err != nil {
		return nil, err
	}
	return pick(top, n.ProjectionMap), nil
}

// outermostOrder finds the ORDER BY of the whole query, nil if it has none.
func outermostOrder(n *tree) *tree {
	for n != nil {
		switch n.Type {
		case "LOGICAL_ORDER_BY":
			return n
		case "LOGICAL_PROJECTION", "LOGICAL_LIMIT":
			if len(n.Children) == 0 {
				return nil
			}
			n = n.Children[0]
		case "LOGICAL_MATERIALIZED_CTE":
			if len(n.Children) < 2 {
				return nil
			}
			n = n.Children[1]
		default:
			return nil
		}
	}
	return nil
}

// limit keeps the first rows of an order.
func (s *session) limit(n *tree) (plan.Node, error) {
	below := n.Children[0]
	// A projection between the two computes row by row.
	if below.Type == "LOGICAL_PROJECTION" && len(below.Children) == 1 && below.Children[0].Type == "LOGICAL_ORDER_BY" {
		inner := *n
		inner.Children = below.Children
		outer := *below
		outer.Children = []*tree{&inner}
		return s.projection(&outer)
	}
	if below.Type != "LOGICAL_ORDER_BY" {
		return s.unorderedLimit(n)
	}
	in, err := s.node(below.Children[0])
	if err != nil {
		return nil, err
	}
	top := &plan.TopN{Input: in, Limit: -1, Out: in.Fields()}
	if err := s.limits(n, top); err != nil {
		return nil, err
	}
	if top.Order, err = (scope{s, in.Fields()}).order(below.Orders); err != nil {
		return nil, err
	}
	return pick(top, below.ProjectionMap), nil
}

// limits sets the bounds of a TopN.
func (s *session) limits(n *tree, top *plan.TopN) (err error) {
	if s.mode == once {
		if top.LimitBy, err = s.variable(&n.Limit); err == nil {
			top.OffsetBy, err = s.variable(&n.Offset)
		}
		if err != nil {
			return err
		}
	}
	top.Limit, top.Offset, err = s.bounds(n)
	return err
}

// variable takes the expression out of a limit that is not constant; nil if it is.
func (s *session) variable(l *limit) (*plan.Expr, error) {
	if l.Type != "EXPRESSION_VALUE" || l.Expression == nil {
		return nil, nil
	}
	e, err := scope{s, nil}.expr(l.Expression)
	if err == nil && e.Type.Kind != types.BigInt {
		return nil, types.Errorf(types.Unsupported, "a limit of type %s", e.Type)
	}
	l.Type = ""
	return e, err
}

func (s *session) bounds(n *tree) (first, skip int64, err error) {
	if first, err = n.Limit.constant("LIMIT", -1); err == nil {
		skip, err = n.Offset.constant("OFFSET", 0)
	}
	if err != nil {
		at := s.locate(func(o object) bool { return limits[str(o, "type")] && str(child(o, "limit"), "class") != "CONSTANT" })
		err = s.at(at, types.AsError(err))
	}
	return first, skip, err
}

var limits = set("LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER")

// unordered is the place of the first LIMIT without ORDER BY.
func (s *session) unordered() int {
	found := -1
	each(s.ast, func(n object) bool {
		modifiers := objects(n, "modifiers")
		ordered := slices.ContainsFunc(modifiers, func(m object) bool { return str(m, "type") == "ORDER_MODIFIER" })
		for _, m := range modifiers {
			if at := first(m); limits[str(m, "type")] && !ordered && (found < 0 || at < found) {
				found = at
			}
		}
		return true
	})
	return found
}

func (l limit) constant(clause string, unset int64) (int64, error) {
	switch l.Type {
	case "CONSTANT_VALUE":
		return l.Constant, nil
	case "UNSET", "":
		return unset, nil
	}
	return 0, types.Errorf(types.Unsupported, "%s in a view must be a constant number of rows", clause)
}

// unorderedLimit is allowed where it has no choice.
func (s *session) unorderedLimit(n *tree) (plan.Node, error) {
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	if s.mode == once {
		top := &plan.TopN{Input: in, Limit: -1, Out: in.Fields()}
		return top, s.limits(n, top)
	}
	first, skip, err := s.bounds(n)
	switch {
	case err != nil:
		return nil, err
	case skip == 0 && (first < 0 || first >= 1 && oneRow(in)):
		return in, nil
	case first == 0:
		return &plan.Values{Out: in.Fields()}, nil
	}
	return nil, s.at(s.unordered(), types.Errorf(types.NotAllowed, "LIMIT without ORDER BY has no place in a view: which rows it keeps would be left to chance")).
		WithHint("add ORDER BY, or leave the LIMIT to the queries that read the view")
}

var rankings = map[string]plan.Ranking{"WINDOW_ROW_NUMBER": plan.RowNumber, "WINDOW_RANK": plan.Rank, "WINDOW_RANK_DENSE": plan.DenseRank}

var rankingNames = [...]string{plan.RowNumber: "row_number", plan.Rank: "rank", plan.DenseRank: "dense_rank"}

// over translates OVER: one TopN without end for each ranking, each adding its number. Equal ones are computed once.
func (s *session) over(n *tree) (plan.Node, error) {
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	width := len(in.Fields())
	top := in
	var done []*plan.TopN
	at := make([]int, len(list))
	for i, e := range list {
		t, err := s.ranking(e, in)
		if err != nil {
			return nil, err
		}
		at[i] = slices.IndexFunc(done, func(d *plan.TopN) bool { return sameRanking(t, d) })
		if at[i] < 0 {
			at[i] = len(done)
			t.Input = top
			t.Out = append(slices.Clone(top.Fields()), plan.Field{Name: rankingNames[t.Ranking], Type: types.Of(types.BigInt)})
			done = append(done, t)
			top = t
		}
	}
	if len(done) == len(list) {
		return top, nil
	}
	columns := make([]int, width, width+len(list))
	for i := range columns {
		columns[i] = i
	}
	for _, d := range at {
		columns = append(columns, width+d)
	}
	return pick(top, columns), nil
}

func (s *session) ranking(e *expression, in plan.Node) (*plan.TopN, error) {
	r, ok := rankings[e.Type]
	if !ok {
		name := e.Name
		if name == "" {
			name = strings.ToLower(strings.TrimPrefix(e.Type, "WINDOW_"))
		}
		at := s.locate(func(o object) bool {
			return str(o, "class") == "WINDOW" && strings.EqualFold(str(o, "function_name"), name)
		})
		return nil, s.at(at, types.Errorf(types.Unsupported, "%s() OVER is not supported in views yet", name)).
			WithHint("row_number(), rank() and dense_rank() are; group and join instead")
	}
	sc := scope{s, in.Fields()}
	t := &plan.TopN{Ranking: r, Limit: -1, Number: true}
	var err error
	if t.Partition, err = sc.exprs(e.Partitions); err != nil {
		return nil, err
	}
	t.Order, err = sc.order(e.Orders)
	return t, err
}

func sameRanking(a, b *plan.TopN) bool {
	return a.Ranking == b.Ranking && reflect.DeepEqual(a.Partition, b.Partition) && reflect.DeepEqual(a.Order, b.Order)
}
