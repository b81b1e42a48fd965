package run

import (
	"strings"
	"testing"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// scanned is a scan of two columns.
func scanned() *plan.Scan {
	big := types.Of(types.BigInt)
	s := &types.Schema{Version: 1}
	s.Add("a", big)
	s.Add("b", big)
	return &plan.Scan{Relation: &plan.Relation{Name: "s", Schema: s}, Columns: []int{0, 1}, Out: []plan.Field{{Name: "a", Type: big}, {Name: "b", Type: big}}}
}

func TestLift(t *testing.T) {
	in := scanned()
	b := plan.Col(1, in.Out[1].Type)
	order := func(limit int64, below plan.Node) *plan.TopN {
		return &plan.TopN{Input: below, Limit: limit, Order: []plan.SortKey{{Expr: b, Desc: true}}, Out: in.Out}
	}
	first := func(below plan.Node) plan.Node {
		return &plan.Project{Input: below, Exprs: []*plan.Expr{plan.Col(0, in.Out[0].Type)}, Out: in.Out[:1]}
	}
	for _, c := range []struct {
		name   string
		node   plan.Node
		ok     bool
		orders int
		want   string
	}{
		{"no order", first(in), true, 0, "Project a#0\n  Scan s [a, b]\n"},
		{"without end", first(order(-1, in)), true, 1, "Project order 0#0, a#1\n  Project b#1 AS order 0, a#0, b#1\n    Scan s [a, b]\n"},
		{"with a limit", first(order(3, in)), true, 1, "Project order 0#0, a#1\n  Project b#1 AS order 0, a#0, b#1\n    TopN"},
		{"below a filter", &plan.Filter{Input: order(-1, in), Cond: plan.Lit(true, types.Of(types.Boolean))}, false, 0, "Filter"},
		{"held back", &plan.EmitOnClose{Input: order(-1, in), Time: 0}, true, 1, "EmitOnClose a#1\n  Project b#1 AS order 0, a#0, b#1\n    Scan s [a, b]\n"},
	} {
		o, ok := lift(c.node)
		if got := plan.String(o.node); ok != c.ok || len(o.orders) != c.orders || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %v, %d orders\n%s", c.name, ok, len(o.orders), got)
		}
	}
}
