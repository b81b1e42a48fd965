package opt

import (
	"fmt"
	"slices"
	"strings"

	"leat/internal/sql/plan"
)

// Facts infers the properties of nodes, each once. It belongs to one goroutine.
type Facts struct {
	known map[plan.Node]*fact
	// windows are the windows of fixed bounds, by the origin of their times.
	windows map[string]*plan.Window
}

// fact is what is known of a node's output.
type fact struct {
	plan.Props
	// origins say, per time column, where it is from: a window_start and a window_end of one window have the same.
	origins []string
}

// NewFacts returns Facts that know nothing yet.
func NewFacts() *Facts {
	return &Facts{known: map[plan.Node]*fact{}, windows: map[string]*plan.Window{}}
}

// Infer returns the properties of a node's output. Of many nodes of one plan, ask one Facts.
func Infer(n plan.Node) *plan.Props { return NewFacts().Of(n) }

// Of returns the properties of a node's output; don't change them.
func (f *Facts) Of(n plan.Node) *plan.Props { return &f.of(n).Props }

func (f *Facts) of(n plan.Node) *fact {
	if k, ok := f.known[n]; ok {
		return k
	}
	k := f.infer(n)
	f.known[n] = k
	return k
}

func (f *Facts) infer(n plan.Node) *fact {
	switch n := n.(type) {
	case *plan.Scan:
		return scanFact(n)
	case *plan.Values:
		k := &fact{Props: plan.Props{AppendOnly: true}}
		if len(n.Rows) == 1 {
			k.Key = []int{}
		}
		return k
	case *plan.Filter:
		return f.of(n.Input)
	case *plan.Project:
		return f.project(n)
	case *plan.Join:
		return f.join(n)
	case *plan.Aggregate:
		return f.aggregate(n)
	case *plan.Union:
		return f.union(n)
	case *plan.TopN:
		return f.topN(n)
	case *plan.Window:
		return f.window(n)
	case *plan.EmitOnClose:
		return f.emitOnClose(n)
	}
	return &fact{}
}

func (k *fact) add(t plan.TimeColumn, origin string) {
	k.Times, k.origins = append(k.Times, t), append(k.origins, origin)
}

// originOf returns the origin of the time in a column.
func (k *fact) originOf(column int) string {
	for i, t := range k.Times {
		if t.Column == column {
			return k.origins[i]
		}
	}
	return ""
}

// copies returns, per input column, the output columns that are copies of it.
func copies(columns []int) map[int][]int {
	m := map[int][]int{}
	for out, in := range columns {
		if in >= 0 {
			m[in] = append(m[in], out)
		}
	}
	return m
}

// moved returns k for an output whose column i is column columns[i] of the input, -1 for a computed one.
func (k *fact) moved(columns []int) *fact {
	to := copies(columns)
	out := &fact{Props: plan.Props{AppendOnly: k.AppendOnly}}
	for i, t := range k.Times {
		for _, c := range to[t.Column] {
			t.Column = c
			out.add(t, k.origins[i])
		}
	}
	out.Key = movedKey(k.keyWithout(to), to)
	return out
}

// keyWithout is the key without the start or end of a window of fixed size that an output leaves out, if it has the other one: each tells the other.
func (k *fact) keyWithout(to map[int][]int) []int {
	left := func(c int) bool {
		t := k.TimeOf(c)
		return len(to[c]) == 0 && t != nil && slices.ContainsFunc(k.Key, func(other int) bool { return len(to[other]) > 0 && k.oneWindow(c, other) })
	}
	if !slices.ContainsFunc(k.Key, left) {
		return k.Key
	}
	return slices.DeleteFunc(slices.Clone(k.Key), left)
}

// oneWindow reports whether two columns are start and end of windows of one fixed size.
func (k *fact) oneWindow(a, b int) bool {
	s, e := k.TimeOf(a), k.TimeOf(b)
	if s == nil || e == nil || k.originOf(a) != k.originOf(b) {
		return false
	}
	if s.Kind == plan.WindowEnd {
		s, e = e, s
	}
	return s.Kind == plan.WindowStart && e.Kind == plan.WindowEnd && s.Size > 0
}

func movedKey(key []int, to map[int][]int) []int {
	if key == nil {
		return nil
	}
	out := make([]int, 0, len(key))
	for _, c := range key {
		if len(to[c]) == 0 {
			return nil
		}
		out = append(out, to[c][0])
	}
	slices.Sort(out)
	return out
}

func scanFact(n *plan.Scan) *fact {
	r := n.Relation
	all := &fact{}
	switch r.Kind {
	case plan.StreamRelation:
		all.AppendOnly = true
		if r.Time.Watermarked {
			all.add(plan.TimeColumn{Column: r.Schema.IndexID(r.Time.Column), Kind: plan.EventTime, Settled: true}, fmt.Sprintf("%p", n))
		}
	case plan.TableRelation:
		for _, id := range r.Key {
			all.Key = append(all.Key, r.Schema.IndexID(id))
		}
	case plan.ViewRelation:
		if r.View != nil {
			all.Props = *r.View
			all.Times = slices.Clone(all.Times)
			for i := range all.Times {
				// Rows of a view don't say when they came: late ones can't be told from others.
				all.Times[i].Settled = all.Times[i].Settled && all.Times[i].Final
				// Nor which of its times are of one window.
				all.origins = append(all.origins, fmt.Sprintf("%p.%d", n, i))
			}
		}
	}
	return all.moved(n.Columns)
}

// columnsOf returns the columns that expressions copy, -1 for what they compute.
func columnsOf(es []*plan.Expr) []int {
	out := make([]int, len(es))
	for i, e := range es {
		out[i] = -1
		if e.Kind == plan.Column {
			out[i] = e.Index
		}
	}
	return out
}

func (f *Facts) project(n *plan.Project) *fact {
	in := f.of(n.Input)
	out := in.moved(columnsOf(n.Exprs))
	for i, e := range n.Exprs {
		if t, origin := in.windowTime(e); t.Timed() {
			t.Column = i
			out.add(t, origin)
		}
	}
	return out
}

// windowsOf returns which of the expressions are the time of a window that rows are told apart by, with its column.
func (k *fact) windowsOf(es []*plan.Expr) map[int]*plan.TimeColumn {
	out := map[int]*plan.TimeColumn{}
	for i, e := range es {
		if e.Kind != plan.Column {
			continue
		}
		if t := k.TimeOf(e.Index); t.Timed() && t.Kind != plan.EventTime {
			out[i] = t
		}
	}
	return out
}

func (f *Facts) aggregate(n *plan.Aggregate) *fact {
	in := f.of(n.Input)
	out := &fact{Props: plan.Props{AppendOnly: in.AppendOnly && len(n.Aggs) == 0 && !n.Global, Key: []int{}}}
	windows := in.windowsOf(n.Groups)
	for i := range n.Groups {
		out.Key = append(out.Key, i)
		if t, ok := windows[i]; ok {
			c := *t
			c.Column, c.Final = i, true
			out.add(c, in.originOf(t.Column))
		}
	}
	return out
}

// settle returns t as it is behind an operator keyed by windows of these origins: final, or, of other times, neither.
func settle(t plan.TimeColumn, origin string, keyed []string) plan.TimeColumn {
	if t.Timed() && t.Kind != plan.EventTime && slices.Contains(keyed, origin) {
		t.Final = true
	} else {
		t.Final, t.Settled = false, false
	}
	return t
}

func (f *Facts) topN(n *plan.TopN) *fact {
	in := f.of(n.Input)
	out := &fact{}
	var keyed []string
	for _, t := range in.windowsOf(n.Partition) {
		keyed = append(keyed, in.originOf(t.Column))
	}
	for i, t := range in.Times {
		out.add(settle(t, in.origins[i], keyed), in.origins[i])
	}
	partition := columnsOf(n.Partition)
	switch {
	case slices.Contains(partition, -1) || n.Ranking != plan.RowNumber:
		out.Key = in.Key
	case n.Limit == 1:
		out.Key = unique(partition)
	case n.Number && in.Key == nil:
		out.Key = append(unique(partition), len(n.Out)-1)
	default:
		out.Key = in.Key
	}
	return out
}

// unique sorts columns and drops the repeated; it is not nil.
func unique(columns []int) []int {
	out := append([]int{}, columns...)
	slices.Sort(out)
	return slices.Compact(out)
}

func (f *Facts) union(n *plan.Union) *fact {
	first := f.of(n.Sources[0])
	out := &fact{Props: plan.Props{AppendOnly: true}}
	for _, s := range n.Sources {
		out.AppendOnly = out.AppendOnly && f.of(s).AppendOnly
	}
	for _, t := range first.Times {
		origins := make([]string, 0, len(n.Sources))
		for _, s := range n.Sources {
			k := f.of(s)
			i := slices.IndexFunc(k.Times, func(o plan.TimeColumn) bool { return o.Column == t.Column && o.Kind == t.Kind && o.Size == t.Size })
			if i < 0 {
				break
			}
			o := k.Times[i]
			t.Slack, t.Final, t.Settled = max(t.Slack, o.Slack), t.Final && o.Final, t.Settled && o.Settled
			origins = append(origins, k.origins[i])
		}
		if len(origins) == len(n.Sources) {
			out.add(t, strings.Join(origins, "|"))
		}
	}
	return out
}

func (f *Facts) window(n *plan.Window) *fact {
	in := f.of(n.Input)
	width := len(n.Input.Fields())
	out := &fact{Props: plan.Props{AppendOnly: in.AppendOnly && n.Kind != plan.Session, Key: in.Key}}
	for i, t := range in.Times {
		if n.Kind == plan.Session { // a session's rows come anew when it grows, as old as they are
			t.Final, t.Settled = false, false
		}
		out.add(t, in.origins[i])
	}
	if in.Key != nil && (n.Kind == plan.Hop || n.Kind == plan.Cumulate) {
		out.Key = append(append([]int{}, in.Key...), width, width+1)
	}
	t := in.TimeOf(n.Time)
	if n.Kind == plan.Session {
		t = f.sessionTime(n)
	}
	if n.Kind == plan.CountWindow || !t.Timed() {
		return out
	}
	start := plan.TimeColumn{Column: width, Kind: plan.WindowStart, Slack: t.Slack, Final: t.Final || n.Kind == plan.Session, Settled: t.Settled}
	if t.Kind == plan.WindowStart {
		start.Slack += f.behind(n, t.Size, in.originOf(t.Column))
	}
	end := start
	end.Column, end.Kind = width+1, plan.WindowEnd
	if n.Kind == plan.Tumble || n.Kind == plan.Hop {
		start.Size = n.Size
	}
	origin := fmt.Sprintf("%p", n)
	if n.Kind != plan.Session {
		f.windows[origin] = n
	}
	out.add(start, origin)
	out.add(end, origin)
	return out
}

// sessionTime returns the time that a session goes by where that carries a watermark as the operator needs it: rows come once, and not
// below it. Else, nil, nothing is late and sessions never end.
func (f *Facts) sessionTime(n *plan.Window) *plan.TimeColumn {
	in := f.of(n.Input)
	t := in.TimeOf(n.Time)
	if !t.Timed() || t.Kind == plan.WindowStart || t.Slack > 0 || !t.Settled || !in.AppendOnly {
		return nil
	}
	return t
}

func (f *Facts) emitOnClose(n *plan.EmitOnClose) *fact {
	out := *f.of(n.Input)
	if t := out.TimeOf(n.Time); t != nil && t.Settled {
		out.AppendOnly = true
	}
	return &out
}
