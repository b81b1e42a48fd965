package opt

import (
	"slices"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Close returns the plan of a view with EMIT ON WINDOW CLOSE: n's rows once their window, or the interval of the join that they are from,
// has closed. It refuses plans without such a time, and those in which a stream without a watermark would keep all windows open, with the
// statement that mends it as the hint. n may be optimised already or not.
func Close(n plan.Node) (plan.Node, error) {
	if open := unmarked(n); len(open) > 0 {
		names := make([]string, len(open))
		mends := make([]string, len(open))
		for i, r := range open {
			names[i], mends[i] = types.QuoteIdent(r.Name), mend(r, timeOf(n, r))
		}
		return nil, types.Errorf(types.InvalidArgument, "EMIT ON WINDOW CLOSE: no window closes, as %s has no watermark", strings.Join(names, ", ")).
			WithHint("%s", strings.Join(mends, ";\n"))
	}
	t := closing(NewFacts().Of(n))
	if t == nil {
		better, err := Optimize(n, Options{})
		if err != nil {
			return nil, err
		}
		t = closing(NewFacts().Of(better))
	}
	if t == nil {
		return nil, types.Errorf(types.InvalidArgument, "EMIT ON WINDOW CLOSE: no column of the SELECT says when a row's window closes").
			WithHint("Group by window_end, or join by window_end or within an interval of two event times, and select that column as it is.")
	}
	return &plan.EmitOnClose{Input: n, Time: t.Column}, nil
}

// closing returns the time after which a row is final: the end of a window, its start, or a time behind a join that it bounds.
func closing(p *plan.Props) *plan.TimeColumn {
	for _, kind := range []plan.TimeKind{plan.WindowEnd, plan.WindowStart, plan.EventTime} {
		i := slices.IndexFunc(p.Times, func(t plan.TimeColumn) bool {
			return t.Kind == kind && t.Timed() && (kind != plan.EventTime || t.Final || t.Settled && !p.AppendOnly)
		})
		if i >= 0 {
			return &p.Times[i]
		}
	}
	return nil
}

// unmarked returns the streams below n that have no watermark.
func unmarked(n plan.Node) []*plan.Relation {
	var out []*plan.Relation
	for _, n := range parentsFirst(n) {
		s, ok := n.(*plan.Scan)
		if ok && s.Relation.Kind == plan.StreamRelation && !s.Relation.Time.Watermarked &&
			!slices.ContainsFunc(out, func(r *plan.Relation) bool { return r.ID == s.Relation.ID }) {
			out = append(out, s.Relation)
		}
	}
	return out
}

// mend is the statement that gives a stream a watermark on the column called name.
func mend(r *plan.Relation, name string) string {
	ts := types.QuoteIdent(name)
	return "ALTER STREAM " + types.QuoteIdent(r.Name) + " SET WATERMARK FOR " + ts + " AS " + ts + " - INTERVAL '5 seconds'"
}

// timeOf returns the name of r's column that is its event time: the one that the plan's windows go by, that it was given, or its first.
func timeOf(root plan.Node, r *plan.Relation) string {
	for _, n := range parentsFirst(root) {
		if w, ok := n.(*plan.Window); ok && w.Time >= 0 {
			if s, column := origin(w.Input, w.Time); s != nil && s.Relation.ID == r.ID {
				return r.Schema.Columns[s.Columns[column]].Name
			}
		}
	}
	if i := r.Schema.IndexID(r.Time.Column); r.Time.Column != 0 && i >= 0 {
		return r.Schema.Columns[i].Name
	}
	for _, c := range r.Schema.Columns {
		if c.Type.Kind.IsTime() {
			return c.Name
		}
	}
	return "ts"
}

// origin follows copies of a column down to the scan that it is from, nil where it is computed.
func origin(n plan.Node, column int) (*plan.Scan, int) {
	switch n := n.(type) {
	case *plan.Scan:
		if column < len(n.Columns) {
			return n, column
		}
	case *plan.Filter:
		return origin(n.Input, column)
	case *plan.Project:
		if e := n.Exprs[column]; e.Kind == plan.Column {
			return origin(n.Input, e.Index)
		}
	case *plan.Window:
		if column < len(n.Input.Fields()) {
			return origin(n.Input, column)
		}
	case *plan.TopN:
		if column < len(n.Input.Fields()) {
			return origin(n.Input, column)
		}
	case *plan.Join:
		width := len(n.L.Fields())
		switch {
		case column < width:
			return origin(n.L, column)
		case keepsRight(n.Kind):
			return origin(n.R, column-width)
		}
	}
	return nil, 0
}
