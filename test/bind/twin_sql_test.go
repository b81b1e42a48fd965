package bind

import (
	"fmt"
	"strconv"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/sql/print"
)

// twin prints a plan as SQL: each node a SELECT whose columns are c0, c1, ...
type twin struct{ err error }

func (p *twin) expr(e *plan.Expr, col func(int) string) string {
	s, err := print.Expr(e, col)
	if err != nil && p.err == nil {
		p.err = err
	}
	return s
}

func plain(i int) string { return "c" + strconv.Itoa(i) }

// sided names the columns of a join's inputs, the left's width wide.
func sided(width int) func(int) string {
	return func(i int) string {
		if i < width {
			return "l.c" + strconv.Itoa(i)
		}
		return "r.c" + strconv.Itoa(i-width)
	}
}

func (p *twin) exprs(es []*plan.Expr, col func(int) string) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = p.expr(e, col)
	}
	return out
}

func columnsAs(es []string) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = e + " AS c" + strconv.Itoa(i)
	}
	if len(out) == 0 {
		return "1 AS nothing"
	}
	return strings.Join(out, ", ")
}

func all(n plan.Node, col func(int) string) []string {
	out := make([]string, len(n.Fields()))
	for i := range out {
		out[i] = col(i)
	}
	return out
}

func (p *twin) node(n plan.Node) string {
	switch n := n.(type) {
	case *plan.Scan:
		return p.scan(n)
	case *plan.Values:
		return p.values(n)
	case *plan.Filter:
		return "SELECT * FROM (" + p.node(n.Input) + ") WHERE " + p.expr(n.Cond, plain)
	case *plan.Project:
		return "SELECT " + columnsAs(p.exprs(n.Exprs, plain)) + " FROM (" + p.node(n.Input) + ")"
	case *plan.Join:
		return p.join(n)
	case *plan.Aggregate:
		return p.aggregate(n)
	case *plan.Union:
		parts := make([]string, len(n.Sources))
		for i, s := range n.Sources {
			parts[i] = "(" + p.node(s) + ")"
		}
		return strings.Join(parts, " UNION ALL ")
	case *plan.TopN:
		return p.topN(n)
	}
	p.err = fmt.Errorf("no SQL of %T", n)
	return ""
}

func (p *twin) scan(n *plan.Scan) string {
	if len(n.System) > 0 {
		p.err = fmt.Errorf("system columns")
	}
	var names []string
	for _, c := range n.Columns {
		names = append(names, `"`+n.Relation.Schema.Columns[c].Name+`"`)
	}
	return "SELECT " + columnsAs(names) + " FROM public." + n.Relation.Name
}

func (p *twin) values(n *plan.Values) string {
	if len(n.Rows) == 0 {
		var nulls []string
		for _, f := range n.Out {
			nulls = append(nulls, "NULL::"+f.Type.String())
		}
		return "SELECT " + columnsAs(nulls) + " WHERE false"
	}
	var rows []string
	for _, r := range n.Rows {
		rows = append(rows, "SELECT "+columnsAs(p.exprs(r, plain)))
	}
	return strings.Join(rows, " UNION ALL ")
}

func (p *twin) join(n *plan.Join) string {
	width := len(n.L.Fields())
	col := sided(width)
	right := func(i int) string { return col(width + i) }
	on := []string{"true"}
	for _, k := range n.Keys {
		op := " = "
		if k.NullSafe {
			op = " IS NOT DISTINCT FROM "
		}
		on = append(on, p.expr(k.Left, col)+op+p.expr(k.Right, right))
	}
	if n.Residual != nil {
		on = append(on, p.expr(n.Residual, col))
	}
	cond := strings.Join(on, " AND ")
	l, r := "("+p.node(n.L)+") AS l", "("+p.node(n.R)+") AS r"
	match := func(test string) string { return "EXISTS (SELECT 1 FROM " + r + " WHERE (" + cond + ") " + test + ")" }
	left := columnsAs(all(n.L, col))
	switch n.Kind {
	case plan.Semi:
		return "SELECT " + left + " FROM " + l + " WHERE " + match("IS TRUE")
	case plan.Anti:
		return "SELECT " + left + " FROM " + l + " WHERE NOT " + match("IS TRUE")
	case plan.Mark:
		mark := "CASE WHEN " + match("IS TRUE") + " THEN true WHEN " + match("IS NULL") + " THEN NULL ELSE false END"
		return "SELECT " + columnsAs(append(all(n.L, col), mark)) + " FROM " + l
	}
	kind := map[plan.JoinKind]string{plan.Inner: "JOIN", plan.Left: "LEFT JOIN", plan.Right: "RIGHT JOIN", plan.Full: "FULL JOIN", plan.Single: "LEFT JOIN"}[n.Kind]
	return "SELECT " + columnsAs(append(all(n.L, col), all(n.R, right)...)) + " FROM " + l + " " + kind + " " + r + " ON " + cond
}

func (p *twin) order(keys []plan.SortKey) []string {
	var out []string
	for _, k := range keys {
		s := p.expr(k.Expr, plain)
		if k.Desc {
			s += " DESC"
		}
		if k.NullsFirst {
			s += " NULLS FIRST"
		} else {
			s += " NULLS LAST"
		}
		out = append(out, s)
	}
	return out
}

func (p *twin) aggregate(n *plan.Aggregate) string {
	groups := p.exprs(n.Groups, plain)
	columns := append([]string(nil), groups...)
	for _, a := range n.Aggs {
		name, args := a.Name, p.exprs(a.Args, plain)
		switch name {
		case "count_star":
			name, args = "count", []string{"*"}
		case "median":
			args = args[:1]
		}
		s := name + "("
		if a.Distinct {
			s += "DISTINCT "
		}
		s += strings.Join(args, ", ")
		if len(a.Order) > 0 {
			s += " ORDER BY " + strings.Join(p.order(a.Order), ", ")
		}
		s += ")"
		if a.Filter != nil {
			s += " FILTER (WHERE " + p.expr(a.Filter, plain) + ")"
		}
		columns = append(columns, s)
	}
	out := "SELECT " + columnsAs(columns) + " FROM (" + p.node(n.Input) + ")"
	if len(groups) > 0 {
		out += " GROUP BY " + strings.Join(groups, ", ")
	}
	return out
}

func (p *twin) topN(n *plan.TopN) string {
	over := ""
	if len(n.Partition) > 0 {
		over = "PARTITION BY " + strings.Join(p.exprs(n.Partition, plain), ", ")
	}
	order := p.order(n.Order)
	if n.Ranking == plan.RowNumber {
		order = append(order, all(n.Input, plain)...)
	}
	if len(order) > 0 {
		over += " ORDER BY " + strings.Join(order, ", ")
	}
	rank := map[plan.Ranking]string{plan.RowNumber: "row_number", plan.Rank: "rank", plan.DenseRank: "dense_rank"}[n.Ranking]
	inner := "SELECT *, " + rank + "() OVER (" + over + ") AS rank FROM (" + p.node(n.Input) + ")"
	columns := all(n.Input, plain)
	if n.Number {
		columns = append(columns, "rank")
	}
	out := "SELECT " + columnsAs(columns) + " FROM (" + inner + ") WHERE rank > " + strconv.FormatInt(n.Offset, 10)
	if n.Limit >= 0 {
		out += " AND rank <= " + strconv.FormatInt(n.Offset+n.Limit, 10)
	}
	return out
}
