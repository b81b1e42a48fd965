package run

import (
	"slices"
	"strconv"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// ordered is a query and the order in which its rows are printed: by the first len(orders) columns, which are not printed, then by the
// others.
type ordered struct {
	node   plan.Node
	orders []zset.KeyOrder
}

// lift takes the order out of a plan that was bound with it. It reports false where something stands above the order that may not.
func lift(n plan.Node) (o ordered, ok bool) {
	var path []plan.Node
	below := n
	for {
		top, isTop := below.(*plan.TopN)
		if isTop && len(top.Partition) == 0 && !top.Number {
			return above(path, top), true
		}
		switch below.(type) {
		case *plan.Project, *plan.EmitOnClose:
		default:
			return ordered{node: n}, !hasOrder(n)
		}
		path = append(path, below)
		below = below.Inputs()[0]
	}
}

// hasOrder reports whether an order without end is left in a plan.
func hasOrder(n plan.Node) bool {
	if top, ok := n.(*plan.TopN); ok && top.Limit < 0 && top.Offset == 0 && !top.Number {
		return true
	}
	return slices.ContainsFunc(n.Inputs(), hasOrder)
}

// above rebuilds the nodes above an order so that what it goes by comes first in their output.
func above(path []plan.Node, top *plan.TopN) ordered {
	o := ordered{node: top}
	if top.Limit < 0 && top.Offset == 0 {
		o.node = top.Input
	}
	width := len(top.Input.Fields())
	p := &plan.Project{Input: o.node}
	for i, k := range top.Order {
		o.orders = append(o.orders, zset.KeyOrder{Desc: k.Desc, NullsFirst: k.NullsFirst})
		p.Exprs = append(p.Exprs, k.Expr)
		p.Out = append(p.Out, plan.Field{Name: "order " + strconv.Itoa(i), Type: k.Expr.Type})
	}
	keys := len(p.Exprs)
	p.Exprs, p.Out = append(p.Exprs, columns(top.Input.Fields(), 0, width)...), append(p.Out, top.Input.Fields()...)
	o.node = p
	for _, n := range slices.Backward(path) {
		switch n := n.(type) {
		case *plan.Project:
			o.node = widened(n, o.node, keys)
		case *plan.EmitOnClose:
			o.node = &plan.EmitOnClose{Input: o.node, Time: n.Time + keys}
		}
	}
	return o
}

// widened is a projection over an input with keys more columns in front, which it passes on.
func widened(n *plan.Project, in plan.Node, keys int) plan.Node {
	out := &plan.Project{Input: in, Exprs: columns(in.Fields(), 0, keys), Out: append(slices.Clone(in.Fields()[:keys]), n.Out...)}
	for _, e := range n.Exprs {
		out.Exprs = append(out.Exprs, e.Map(func(c *plan.Expr) *plan.Expr { return plan.Col(c.Index+keys, c.Type) }))
	}
	return out
}

func columns(fields []plan.Field, from, to int) []*plan.Expr {
	var out []*plan.Expr
	for i := from; i < to; i++ {
		out = append(out, plan.Col(i, fields[i].Type))
	}
	return out
}

// typesOf are the columns' types.
func typesOf(fields []plan.Field) []types.Type {
	out := make([]types.Type, len(fields))
	for i, f := range fields {
		out[i] = f.Type
	}
	return out
}
