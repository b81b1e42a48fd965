package opt

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Explain prints an optimised plan as a tree for people: one line per node with its expressions, whether its output is append-only, and
// below what keeps state a line that says what and until when, with the mend where that is for ever. Expressions for which native is false
// are evaluated by DuckDB, and marked; nil takes all to be native.
func Explain(n plan.Node, native func(*plan.Expr) bool) string {
	e := explainer{facts: NewFacts(), native: native, labels: map[plan.Node]int{}, uses: map[plan.Node]int{}}
	if native == nil {
		e.native = func(*plan.Expr) bool { return true }
	}
	e.count(n)
	e.node(n, 0)
	if k := e.facts.Of(n).Key; k != nil {
		names := make([]string, len(k))
		for i, c := range k {
			names[i] = types.QuoteIdent(n.Fields()[c].Name)
		}
		fmt.Fprintf(&e.b, "key: (%s)\n", strings.Join(names, ", "))
	}
	return e.b.String()
}

type explainer struct {
	b      strings.Builder
	facts  *Facts
	native func(*plan.Expr) bool
	labels map[plan.Node]int
	uses   map[plan.Node]int
}

func (e *explainer) count(n plan.Node) {
	if e.uses[n]++; e.uses[n] > 1 {
		return
	}
	for _, in := range n.Inputs() {
		e.count(in)
	}
}

func (e *explainer) node(n plan.Node, depth int) {
	indent := strings.Repeat("  ", depth)
	if label, ok := e.labels[n]; ok {
		fmt.Fprintf(&e.b, "%s@%d (as above)\n", indent, label)
		return
	}
	e.b.WriteString(indent + plan.Line(n))
	if e.uses[n] > 1 {
		e.labels[n] = len(e.labels) + 1
		fmt.Fprintf(&e.b, " @%d", e.labels[n])
	}
	if e.facts.Of(n).AppendOnly {
		e.b.WriteString(" [append-only]")
	}
	e.b.WriteByte('\n')
	in := fieldsBelow(n)
	for _, x := range expressionsOf(n) {
		if !e.native(x) {
			fmt.Fprintf(&e.b, "%s  evaluated by DuckDB: %s\n", indent, x.Print(in))
		}
	}
	for _, s := range e.state(n) {
		fmt.Fprintf(&e.b, "%s  state: %s\n", indent, s)
	}
	for _, in := range n.Inputs() {
		e.node(in, depth+1)
	}
}

// fieldsBelow are the columns that a node's expressions are over.
func fieldsBelow(n plan.Node) []plan.Field {
	var out []plan.Field
	if _, ok := n.(*plan.Union); ok {
		return nil
	}
	for _, in := range n.Inputs() {
		out = append(out, in.Fields()...)
	}
	return out
}

// expressionsOf are the expressions that a node evaluates, over the columns of all its inputs in a row.
func expressionsOf(n plan.Node) []*plan.Expr {
	var out []*plan.Expr
	switch n := n.(type) {
	case *plan.Filter:
		out = append(out, n.Cond)
	case *plan.Project:
		out = append(out, n.Exprs...)
	case *plan.Join:
		for _, k := range n.Keys {
			out = append(out, k.Left, shift(k.Right, len(n.L.Fields())))
		}
		if n.Residual != nil {
			out = append(out, n.Residual)
		}
	case *plan.Aggregate:
		out = append(out, n.Groups...)
		for _, a := range n.Aggs {
			out = append(out, a.Args...)
			if a.Filter != nil {
				out = append(out, a.Filter)
			}
		}
	case *plan.TopN:
		out = append(out, n.Partition...)
		for _, k := range n.Order {
			out = append(out, k.Expr)
		}
	case *plan.Values:
		for _, r := range n.Rows {
			out = append(out, r...)
		}
	}
	return out
}

// state says what a node keeps and until when.
func (e *explainer) state(n plan.Node) []string {
	switch n := n.(type) {
	case *plan.Scan:
		if n.Relation.Kind == plan.TableRelation {
			return []string{"the current rows of " + n.Relation.Name + ", as many as it has"}
		}
	case *plan.Aggregate:
		what := "one row per group"
		if n.Global {
			return []string{"one row"}
		}
		return []string{what + ", " + e.bound(n, n.Input)}
	case *plan.TopN:
		what := "all rows, in order"
		if n.Limit >= 0 && e.facts.Of(n.Input).AppendOnly {
			what = fmt.Sprintf("at most %d rows per partition", n.Offset+n.Limit)
		}
		return []string{what + ", " + e.bound(n, n.Input)}
	case *plan.Join:
		return e.joinState(n)
	case *plan.Window:
		switch {
		case n.Kind == plan.CountWindow:
			return []string{"one number per key, for ever"}
		case n.Kind == plan.Session && e.facts.sessionTime(n) != nil && len(unmarked(n)) == 0:
			return []string{"rows of open sessions, until " + e.watermark(n) + " is " + micros(n.Gap) + " beyond them"}
		case n.Kind == plan.Session:
			return []string{"all rows, " + e.unbounded(n)}
		}
	case *plan.EmitOnClose:
		t := e.facts.Of(n.Input).TimeOf(n.Time)
		return []string{"rows of open windows, " + e.until(n.Input, t)}
	}
	return nil
}

func (e *explainer) joinState(n *plan.Join) []string {
	until := ""
	left, right, ok := e.facts.Slacks(n)
	_, delay := e.facts.Clock(n)
	b := e.facts.boundOf(n)
	switch key, _ := e.facts.Clock(n); {
	case len(unmarked(n)) > 0:
	case ok:
		keepLeft, keepRight := max(left, right+n.Band.Upper), max(right, left-n.Band.Lower)
		return []string{
			"rows of the left, until " + e.watermark(n) + " is " + micros(keepLeft) + " beyond their " + name(n.L, b.Left.Column),
			"rows of the right, until " + e.watermark(n) + " is " + micros(keepRight) + " beyond their " + name(n.R, b.Right.Column),
		}
	case key >= 0:
		until = "until " + e.watermark(n) + " is " + micros(delay) + " beyond their " + name(n.L, b.Left.Column)
	}
	if until == "" {
		until = e.unbounded(n)
	}
	return []string{"rows of both sides, " + until}
}

func name(n plan.Node, column int) string { return types.QuoteIdent(n.Fields()[column].Name) }

// bound says until when an operator keyed by a clock keeps what is under a key.
func (e *explainer) bound(n, in plan.Node) string {
	key, _ := e.facts.Clock(n)
	var keys []*plan.Expr
	switch n := n.(type) {
	case *plan.Aggregate:
		keys = n.Groups
	case *plan.TopN:
		keys = n.Partition
	}
	switch {
	case len(unmarked(n)) > 0:
		return e.unbounded(n)
	case key < 0 && len(e.facts.of(in).windowsOf(keys)) > 0:
		return "unbounded: its input may change after a window has closed; group by the window before joining what can change at any time"
	case key < 0:
		return e.unbounded(n)
	}
	by := keys[key]
	return e.until(in, e.facts.Of(in).TimeOf(by.Index))
}

func (e *explainer) until(n plan.Node, t *plan.TimeColumn) string {
	if t == nil || len(unmarked(n)) > 0 {
		return e.unbounded(n)
	}
	return "until " + e.watermark(n) + " is " + micros(t.Delay()) + " beyond their " + name(n, t.Column)
}

// watermark names the watermarks that an operator over n goes by: the least of its streams'.
func (e *explainer) watermark(n plan.Node) string {
	var out []string
	for _, n := range parentsFirst(n) {
		s, ok := n.(*plan.Scan)
		if !ok || !s.Relation.Time.Watermarked {
			continue
		}
		r := s.Relation
		ts := types.QuoteIdent(r.Schema.Columns[r.Schema.IndexID(r.Time.Column)].Name)
		w := types.QuoteIdent(r.Name) + "." + ts + " - " + micros(r.Time.Delay.Microseconds())
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	if len(out) > 1 {
		return "the least watermark (" + strings.Join(out, ", ") + ")"
	}
	return "the watermark (" + strings.Join(out, ", ") + ")"
}

// unbounded says that state lives as long as its input does, and what would change that.
func (e *explainer) unbounded(n plan.Node) string {
	open := unmarked(n)
	if len(open) > 0 {
		return "unbounded: " + mend(open[0], timeOf(n, open[0])) + ", and group or join by a window"
	}
	if !streams(n) {
		return "as many as its input has"
	}
	return "unbounded: group, rank or join by window_end of a window (TUMBLE, HOP, ...), or join within an interval of the event times"
}

// streams reports whether a stream is below n.
func streams(n plan.Node) bool {
	for _, n := range parentsFirst(n) {
		if s, ok := n.(*plan.Scan); ok && s.Relation.Kind != plan.TableRelation {
			return true
		}
	}
	return false
}

// micros prints µs; the last one of a time that is in time at the watermark itself is not worth a word.
func micros(d int64) string {
	return (time.Duration(d/1000) * time.Millisecond).String()
}
