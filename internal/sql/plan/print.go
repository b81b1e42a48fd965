package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// String prints a plan as an indented tree, one node a line, for golden files and EXPLAIN. Columns are name#position. A node that
// stands in several places is printed once, marked @n, and is later just @n.
func String(n Node) string {
	p := printer{uses: map[Node]int{}, labels: map[Node]int{}}
	p.count(n)
	p.node(n, 0)
	return p.b.String()
}

type printer struct {
	b      strings.Builder
	uses   map[Node]int
	labels map[Node]int
}

func (p *printer) count(n Node) {
	if p.uses[n]++; p.uses[n] > 1 {
		return
	}
	for _, in := range n.Inputs() {
		p.count(in)
	}
}

func (p *printer) node(n Node, depth int) {
	p.b.WriteString(strings.Repeat("  ", depth))
	if label, ok := p.labels[n]; ok {
		fmt.Fprintf(&p.b, "@%d\n", label)
		return
	}
	p.b.WriteString(Line(n))
	if p.uses[n] > 1 {
		p.labels[n] = len(p.labels) + 1
		fmt.Fprintf(&p.b, " @%d", p.labels[n])
	}
	p.b.WriteByte('\n')
	for _, in := range n.Inputs() {
		p.node(in, depth+1)
	}
}

// Line prints one node without its inputs.
func Line(n Node) string {
	switch n := n.(type) {
	case *Scan:
		return n.line()
	case *Values:
		rows := make([]string, len(n.Rows))
		for i, r := range n.Rows {
			rows[i] = "(" + exprs(r, nil) + ")"
		}
		return "Values " + strings.Join(rows, ", ")
	case *Filter:
		if n.Late {
			return "Filter late " + n.Cond.Print(n.Input.Fields())
		}
		return "Filter " + n.Cond.Print(n.Input.Fields())
	case *Project:
		return "Project " + named(n.Exprs, n.Out, n.Input.Fields())
	case *Join:
		return n.line()
	case *Aggregate:
		return n.line()
	case *Union:
		return "Union"
	case *TopN:
		return n.line()
	case *Window:
		return n.line()
	case *EmitOnClose:
		return "EmitOnClose " + column(n.Time, n.Input.Fields())
	}
	return fmt.Sprintf("%T", n)
}

var systemNames = [...]string{Watermark: "_wm", ReceivedAt: "_at", Partition: "_partition", Offset: "_offset"}

func (n *Scan) line() string {
	names := make([]string, 0, len(n.Columns)+len(n.System))
	for _, c := range n.Columns {
		names = append(names, n.Relation.Schema.Columns[c].Name)
	}
	for _, s := range n.System {
		names = append(names, systemNames[s])
	}
	return "Scan " + n.Relation.Name + " [" + strings.Join(names, ", ") + "]"
}

var joinNames = [...]string{Inner: "inner", Left: "left", Right: "right", Full: "full", Semi: "semi", Anti: "anti", Mark: "mark", Single: "single"}

func (n *Join) line() string {
	l, r := n.L.Fields(), n.R.Fields()
	var on []string
	for _, k := range n.Keys {
		op := " = "
		if k.NullSafe {
			op = " is not distinct from "
		}
		on = append(on, k.Left.Print(l)+op+k.Right.Print(r))
	}
	line := "Join " + joinNames[n.Kind]
	if len(on) > 0 {
		line += " on " + strings.Join(on, " and ")
	}
	if n.Residual != nil {
		line += " where " + n.Residual.Print(append(append([]Field(nil), l...), r...))
	}
	if n.Band != nil {
		line += fmt.Sprintf(" band %d <= %s - %s <= %d", n.Band.Lower, column(n.Band.RightTime, r), column(n.Band.LeftTime, l), n.Band.Upper)
	}
	return line
}

func (n *Aggregate) line() string {
	in := n.Input.Fields()
	line := "Aggregate"
	switch {
	case len(n.Groups) > 0:
		line += " by " + named(n.Groups, n.Out, in)
	case n.Global:
		line += " global"
	}
	for i, a := range n.Aggs {
		if line += ", "; i == 0 {
			line = strings.TrimSuffix(line, ", ") + ": "
		}
		line += a.Print(in)
		if out := n.Out[len(n.Groups)+i]; out.Name != "" {
			line += " AS " + out.Name
		}
	}
	return line
}

// Print prints the aggregate over an input of these fields.
func (a Agg) Print(in []Field) string {
	s := a.Name + "("
	if a.Distinct {
		s += "distinct "
	}
	s += exprs(a.Args, in)
	if len(a.Order) > 0 {
		s += " order by " + order(a.Order, in)
	}
	s += ")"
	if a.Filter != nil {
		s += " filter " + a.Filter.Print(in)
	}
	return s
}

var rankingNames = [...]string{RowNumber: "row_number", Rank: "rank", DenseRank: "dense_rank"}

func (n *TopN) line() string {
	in := n.Input.Fields()
	line := "TopN " + rankingNames[n.Ranking]
	if len(n.Partition) > 0 {
		line += " by " + exprs(n.Partition, in)
	}
	if len(n.Order) > 0 {
		line += " order " + order(n.Order, in)
	}
	if n.Limit >= 0 {
		line += " limit " + strconv.FormatInt(n.Limit, 10)
	}
	if n.Offset > 0 {
		line += " offset " + strconv.FormatInt(n.Offset, 10)
	}
	if n.Number {
		line += " AS " + n.Out[len(n.Out)-1].Name
	}
	return line
}

var windowNames = [...]string{Tumble: "tumble", Hop: "hop", Cumulate: "cumulate", Session: "session", CountWindow: "count"}

func (n *Window) line() string {
	in := n.Input.Fields()
	line := "Window " + windowNames[n.Kind]
	if n.Time >= 0 {
		line += " " + column(n.Time, in)
	}
	for _, v := range []struct {
		name  string
		value int64
	}{{"slide", n.Slide}, {"size", n.Size}, {"gap", n.Gap}, {"origin", n.Origin}, {"rows", n.Rows}} {
		if v.value != 0 {
			line += fmt.Sprintf(" %s %d", v.name, v.value)
		}
	}
	for i, k := range n.Keys {
		if line += ", "; i == 0 {
			line = strings.TrimSuffix(line, ", ") + " by "
		}
		line += column(k, in)
	}
	return line
}

func order(keys []SortKey, in []Field) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.Expr.Print(in)
		if k.Desc {
			out[i] += " desc"
		}
		if k.NullsFirst {
			out[i] += " nulls first"
		}
	}
	return strings.Join(out, ", ")
}

// named prints expressions with their output names where those say more.
func named(es []*Expr, out, in []Field) string {
	s := make([]string, len(es))
	for i, e := range es {
		s[i] = e.Print(in)
		if name := out[i].Name; name != "" && !(e.Kind == Column && e.Index < len(in) && in[e.Index].Name == name) {
			s[i] += " AS " + name
		}
	}
	return strings.Join(s, ", ")
}
