package bind

import (
	"encoding/json"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// aggregate groups. DuckDB's output is the groups, the aggregates, then the values of GROUPING().
func (s *session) aggregate(n *tree) (plan.Node, error) {
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	list, err := n.list()
	if err != nil {
		return nil, err
	}
	sc := scope{s, in.Fields()}
	out := &plan.Aggregate{Input: in, Global: len(n.Groups) == 0}
	if out.Groups, err = sc.exprs(n.Groups); err != nil {
		return nil, err
	}
	for i, g := range out.Groups {
		out.Out = append(out.Out, plan.Field{Name: s.nameOf(n.Groups[i], g, in.Fields()), Type: g.Type})
	}
	for _, e := range list {
		a, err := sc.aggregateOf(e)
		if err != nil {
			return nil, err
		}
		out.Aggs = append(out.Aggs, a)
		out.Out = append(out.Out, plan.Field{Name: e.Alias, Type: a.Type})
	}
	if len(n.GroupingSets) <= 1 && len(n.GroupingFunctions) == 0 && (len(n.GroupingSets) == 0 || len(n.GroupingSets[0]) == len(n.Groups)) {
		return out, nil
	}
	return groupingSets(out, n.GroupingSets, n.GroupingFunctions), nil
}

// groupingSets is a union with one aggregation for each set; columns that are not in a set are NULL there.
func groupingSets(all *plan.Aggregate, sets, functions [][]int) plan.Node {
	bigint := types.Of(types.BigInt)
	out := append([]plan.Field(nil), all.Out...)
	for range functions {
		out = append(out, plan.Field{Name: "grouping", Type: bigint})
	}
	if len(sets) == 0 {
		sets = [][]int{nil}
		for i := range all.Groups {
			sets[0] = append(sets[0], i)
		}
	}
	u := &plan.Union{Out: out}
	for _, set := range sets {
		part := &plan.Aggregate{Input: all.Input, Aggs: all.Aggs, Global: len(set) == 0}
		at := make([]int, len(all.Groups))
		for i := range at {
			at[i] = -1
		}
		for _, g := range set {
			at[g] = len(part.Groups)
			part.Groups = append(part.Groups, all.Groups[g])
			part.Out = append(part.Out, all.Out[g])
		}
		part.Out = append(part.Out, all.Out[len(all.Groups):]...)
		p := &plan.Project{Input: part, Out: out}
		for g, f := range all.Out[:len(all.Groups)] {
			if at[g] < 0 {
				p.Exprs = append(p.Exprs, plan.Lit(nil, f.Type))
			} else {
				p.Exprs = append(p.Exprs, plan.Col(at[g], f.Type))
			}
		}
		for i, f := range all.Out[len(all.Groups):] {
			p.Exprs = append(p.Exprs, plan.Col(len(part.Groups)+i, f.Type))
		}
		for _, f := range functions {
			p.Exprs = append(p.Exprs, plan.Lit(groupingValue(f, at), bigint))
		}
		u.Sources = append(u.Sources, p)
	}
	if len(u.Sources) == 1 {
		return u.Sources[0]
	}
	return u
}

// groupingValue has a bit for each argument of GROUPING, the last one lowest: 1 where it is not in the set.
func groupingValue(arguments, at []int) int64 {
	var v int64
	for _, g := range arguments {
		v <<= 1
		if at[g] < 0 {
			v |= 1
		}
	}
	return v
}

// indifferent are aggregates for which the order of the rows is of no account.
var indifferent = set(`count count_star sum sum_no_overflow avg mean min max bool_and bool_or bit_and bit_or bit_xor stddev stddev_samp stddev_pop variance
	var_samp var_pop median quantile_cont quantile_disc mode approx_count_distinct product corr covar_pop covar_samp regr_slope entropy skewness kurtosis`)

func (s scope) aggregateOf(e *expression) (plan.Agg, error) {
	if e.Class != "BOUND_AGGREGATE" {
		return plan.Agg{}, s.fail(e.place(), types.Unsupported, "this form of aggregate (%s) is not supported in views", e.Class)
	}
	out := plan.Agg{Name: strings.ToLower(e.Name), Distinct: e.AggregateType == "DISTINCT"}
	var err error
	if out.Args, err = s.exprs(e.Children); err != nil {
		return out, err
	}
	if out.Type, err = s.typeOf(e); err != nil {
		return out, err
	}
	if e.Filter != nil {
		if out.Filter, err = s.expr(e.Filter); err != nil {
			return out, err
		}
	}
	if e.OrderBys != nil && !indifferent[out.Name] {
		if out.Order, err = s.order(e.OrderBys.Orders); err != nil {
			return out, err
		}
	}
	more, err := s.boundArguments(e)
	out.Args = append(out.Args, more...)
	if err == nil && len(e.Original) > len(out.Args) {
		err = s.fail(e.place(), types.Unsupported, "%s with these arguments is not supported in views", out.Name)
	}
	return out, err
}

// boundArguments are the constant arguments that DuckDB took out of the list when it bound the aggregate.
func (s scope) boundArguments(e *expression) ([]*plan.Expr, error) {
	if len(e.Data) == 0 || string(e.Data) == "null" {
		return nil, nil
	}
	var data struct {
		Separator *string `json:"separator"`
		Quantiles []value `json:"quantiles"`
		Desc      bool    `json:"desc"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return nil, types.Errorf(types.Internal, "what DuckDB bound to %s cannot be read: %w", e.Name, err)
	}
	switch {
	case data.Separator != nil:
		return []*plan.Expr{plan.Lit(*data.Separator, types.Of(types.Varchar))}, nil
	case len(data.Quantiles) == 1 && !data.Desc:
		v, t, err := data.Quantiles[0].constant()
		if err != nil {
			return nil, err
		}
		return []*plan.Expr{plan.Lit(v, t)}, nil
	case len(data.Quantiles) > 0:
		at := s.locate(func(o object) bool {
			return str(o, "class") == "FUNCTION" && strings.EqualFold(str(o, "function_name"), e.Name)
		})
		return nil, s.at(at, types.Errorf(types.Unsupported, "%s with several or descending fractions is not supported in views", e.Name)).
			WithHint("ask for one fraction at a time")
	}
	return nil, nil
}

// order translates ORDER BY.
func (s scope) order(items []orderItem) ([]plan.SortKey, error) {
	out := make([]plan.SortKey, 0, len(items))
	for _, o := range items {
		e, err := s.expr(o.Expression)
		if err != nil {
			return nil, err
		}
		if e.Kind == plan.Const {
			continue
		}
		out = append(out, plan.SortKey{Expr: e, Desc: o.Type == "DESCENDING", NullsFirst: strings.Contains(o.NullOrder, "FIRST")})
	}
	return out, nil
}

// distinct is a grouping by all columns, or the first row of each group of DISTINCT ON.
func (s *session) distinct(n *tree) (plan.Node, error) {
	in, err := s.node(n.Children[0])
	if err != nil {
		return nil, err
	}
	sc := scope{s, in.Fields()}
	if n.DistinctType == "DISTINCT_ON" {
		top := &plan.TopN{Input: in, Limit: 1, Out: in.Fields()}
		if top.Partition, err = sc.exprs(n.Targets); err != nil {
			return nil, err
		}
		if n.OrderBy != nil {
			top.Order, err = sc.order(n.OrderBy.Orders)
		}
		return top, err
	}
	return distinctRows(in), nil
}

func distinctRows(in plan.Node) plan.Node {
	out := &plan.Aggregate{Input: in, Out: in.Fields()}
	for i, f := range in.Fields() {
		out.Groups = append(out.Groups, plan.Col(i, f.Type))
	}
	return out
}
