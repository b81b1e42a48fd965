package opt

import (
	"fmt"
	"strings"

	"leat/internal/sql/plan"
)

// share makes structurally equal sub-plans the same pointer, so that they are run once. Names of columns don't count.
func (z *optimizer) share(n plan.Node) plan.Node {
	ids := map[plan.Node]int{}
	known := map[string]plan.Node{}
	return plan.Rewrite(n, func(n plan.Node) plan.Node {
		k := shape(n, ids)
		if same, ok := known[k]; ok {
			return same
		}
		known[k] = n
		ids[n] = len(ids) + 1
		return n
	})
}

// Fingerprint is a text that two plans share only if they compute the same from the same relations: state made by one fits the other.
func Fingerprint(n plan.Node) string {
	var b strings.Builder
	ids := map[plan.Node]int{}
	plan.Rewrite(n, func(n plan.Node) plan.Node {
		if ids[n] == 0 {
			b.WriteString(shape(n, ids) + "\n")
			ids[n] = len(ids) + 1
		}
		return n
	})
	return b.String()
}

// shape is a text that determines a node but for the names of its columns; its inputs are named by their ids.
func shape(n plan.Node, ids map[plan.Node]int) string {
	var b strings.Builder
	switch n := n.(type) {
	case *plan.Scan:
		fmt.Fprintf(&b, "scan %d v%d %v %v", n.Relation.ID, n.Relation.Schema.Version, n.Columns, n.System)
	case *plan.Values:
		b.WriteString("values")
		for _, r := range n.Rows {
			b.WriteString(" (" + keys(r) + ")")
		}
	case *plan.Filter:
		fmt.Fprintf(&b, "filter %t %s", n.Late, key(n.Cond))
	case *plan.Project:
		b.WriteString("project " + keys(n.Exprs))
	case *plan.Join:
		fmt.Fprintf(&b, "join %d", n.Kind)
		for _, k := range n.Keys {
			fmt.Fprintf(&b, " %s=%s %t", key(k.Left), key(k.Right), k.NullSafe)
		}
		fmt.Fprintf(&b, " on %s", key(n.Residual))
		if n.Band != nil {
			fmt.Fprintf(&b, " band %v", *n.Band)
		}
	case *plan.Aggregate:
		fmt.Fprintf(&b, "aggregate %t %s", n.Global, keys(n.Groups))
		for _, a := range n.Aggs {
			b.WriteString(" " + aggKey(a))
		}
	case *plan.Union:
		b.WriteString("union")
	case *plan.TopN:
		fmt.Fprintf(&b, "top %d %d %d %t by %s order %s", n.Ranking, n.Limit, n.Offset, n.Number, keys(n.Partition), sortKeys(n.Order))
	case *plan.Window:
		fmt.Fprintf(&b, "window %d %d %d %d %d %d %d %v", n.Kind, n.Time, n.Size, n.Slide, n.Gap, n.Origin, n.Rows, n.Keys)
	case *plan.EmitOnClose:
		fmt.Fprintf(&b, "emit %d", n.Time)
	default:
		fmt.Fprintf(&b, "%p", n)
	}
	for _, in := range n.Inputs() {
		fmt.Fprintf(&b, " <%d", ids[in])
	}
	return b.String()
}

func aggKey(a plan.Agg) string {
	return fmt.Sprintf("%s(%t %s) %s order %s -> %s", a.Name, a.Distinct, keys(a.Args), key(a.Filter), sortKeys(a.Order), a.Type)
}

func keys(es []*plan.Expr) string {
	s := make([]string, len(es))
	for i, e := range es {
		s[i] = key(e)
	}
	return strings.Join(s, ", ")
}

func sortKeys(ks []plan.SortKey) string {
	s := make([]string, len(ks))
	for i, k := range ks {
		s[i] = fmt.Sprintf("%s %t %t", key(k.Expr), k.Desc, k.NullsFirst)
	}
	return strings.Join(s, ", ")
}
