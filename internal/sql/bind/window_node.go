package bind

import (
	"fmt"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// marker is the role of a projected column that stands for a window's.
type marker struct {
	use  int
	role string
}

// markerOf recognises one; false for any other expression.
func (s *session) markerOf(e *expression) (marker, bool) {
	if e.Class != "BOUND_CASE" || len(e.Checks) == 0 {
		return marker{}, false
	}
	when := e.Checks[0].When
	if when == nil || when.Type != "OPERATOR_IS_NULL" || len(when.Children) != 1 {
		return marker{}, false
	}
	f := when.Children[0]
	for f.Class == "BOUND_CAST" && f.Child != nil {
		f = f.Child
	}
	if f.Name != "error" || len(f.Children) != 1 || f.Children[0].Value == nil {
		return marker{}, false
	}
	v, _, _ := f.Children[0].Value.constant()
	text, _ := v.(string)
	var m marker
	if n, _ := fmt.Sscanf(text, "leat window %d %s", &m.use, &m.role); n != 2 || m.use < 0 || m.use >= len(s.windows) {
		return marker{}, false
	}
	return m, true
}

// window translates a projection that has markers: a Window over its input, and the projection over that.
func (s *session) window(list []*expression, in plan.Node) (plan.Node, error) {
	var w *plan.Window
	var use int
	for _, e := range list {
		if m, ok := s.markerOf(e); ok && m.role == "start" {
			var err error
			if w, err = s.windowNode(s.windows[m.use], e, in); err != nil {
				return nil, err
			}
			use = m.use
			break
		}
	}
	if w == nil {
		return nil, types.Errorf(types.Internal, "a window function lost its start")
	}
	width := len(in.Fields())
	sc := scope{s, in.Fields()}
	p := &plan.Project{Input: w}
	for _, e := range list {
		x, name, err := sc.windowColumn(e, use, w, width)
		if err != nil {
			return nil, err
		}
		p.Exprs = append(p.Exprs, x)
		p.Out = append(p.Out, plan.Field{Name: name, Type: x.Type})
	}
	if straight(p) {
		return w, nil
	}
	return p, nil
}

func (s scope) windowColumn(e *expression, use int, w *plan.Window, width int) (*plan.Expr, string, error) {
	m, ok := s.markerOf(e)
	if !ok {
		x, err := s.expr(e)
		if err != nil {
			return nil, "", err
		}
		name := s.nameOf(e, x, s.fields)
		switch strings.ToLower(name) {
		case "window_start", "window_end", "window_time":
			s.shadow(use)
		}
		return x, name, nil
	}
	t := w.Out[width].Type
	switch m.role {
	case "start":
		return plan.Col(width, t), "window_start", nil
	case "end":
		return plan.Col(width+1, t), "window_end", nil
	}
	millisecond := plan.Lit(plan.Interval{Micros: 1000}, types.Of(types.Interval))
	return &plan.Expr{Kind: plan.Call, Name: "-", Type: t, Args: []*plan.Expr{plan.Col(width+1, t), millisecond}, Place: -1}, "window_time", nil
}

// windowNode reads the marker's time, sizes and keys.
func (s *session) windowNode(use *windowUse, e *expression, in plan.Node) (*plan.Window, error) {
	sc := scope{s, in.Fields()}
	w := &plan.Window{Kind: use.form.kind, Input: in, Time: -1}
	t := types.Of(types.BigInt)
	if use.form.timed {
		col, err := sc.column(e.Checks[0].Then, use.timePlace, "the time of "+strings.ToUpper(use.form.name))
		if err != nil {
			return nil, err
		}
		if !col.Type.Kind.IsTime() {
			return nil, s.at(use.timePlace, types.Errorf(types.TypeMismatch, "%s goes by a TIMESTAMP column; %s is %s",
				strings.ToUpper(use.form.name), in.Fields()[col.Index].Name, col.Type)).WithHint(timeHint(in.Fields()))
		}
		w.Time, t = col.Index, col.Type
	}
	checks := e.Checks[1:]
	if len(checks) != use.sizes+use.keys {
		return nil, types.Errorf(types.Internal, "a window function lost its arguments")
	}
	sizes := make([]int64, use.sizes)
	for i := range sizes {
		var err error
		if sizes[i], err = sc.size(use, i, checks[i].When); err != nil {
			return nil, err
		}
	}
	if err := s.setSizes(w, use, sizes); err != nil {
		return nil, err
	}
	for i, c := range checks[use.sizes:] {
		col, err := sc.column(c.When.Children[0], use.keyPlaces[i], "a key of "+strings.ToUpper(use.form.name))
		if err != nil {
			return nil, err
		}
		w.Keys = append(w.Keys, col.Index)
	}
	w.Out = append(append(w.Out, in.Fields()...), plan.Field{Name: "window_start", Type: t}, plan.Field{Name: "window_end", Type: t})
	return w, nil
}

func timeHint(fields []plan.Field) string {
	var names []string
	for _, f := range fields {
		if f.Type.Kind.IsTime() {
			names = append(names, types.QuoteIdent(f.Name))
		}
	}
	if len(names) == 0 {
		return "cast a column to TIMESTAMP in a subquery: it has none of that type"
	}
	return "did you mean " + strings.Join(names, ", ") + "?"
}

// column is an argument that must be a column of the input.
func (s scope) column(e *expression, place int, what string) (*plan.Expr, error) {
	x, err := s.expr(e)
	if err != nil {
		return nil, err
	}
	if x.Kind != plan.Column {
		return nil, s.at(place, types.Errorf(types.InvalidArgument, "%s must be a column, not an expression", what)).
			WithHint("compute it in a subquery, and name that as the first argument")
	}
	return x, nil
}

// size is an argument that must be a constant: an interval in µs, or a number.
func (s scope) size(use *windowUse, i int, isNull *expression) (int64, error) {
	x, err := s.expr(isNull.Children[0])
	if err != nil {
		return 0, err
	}
	place := use.sizePlaces[i]
	name, kind := strings.ToUpper(use.form.name), "number"
	if use.form.timed {
		kind = "INTERVAL"
	}
	switch v := x.Value.(type) {
	case int64:
		return v, nil
	case plan.Interval:
		if v.Months != 0 {
			return 0, s.at(place, types.Errorf(types.Unsupported, "%s takes no months: they have no fixed length", name)).WithHint("say it in days, hours, minutes or seconds")
		}
		return int64(v.Days)*dayMicros + v.Micros, nil
	}
	return 0, s.at(place, types.Errorf(types.InvalidArgument, "this argument of %s must be a constant %s", name, kind)).WithHint("write %s; an interval is INTERVAL '10 seconds'", use.form.usage)
}

func (s *session) setSizes(w *plan.Window, use *windowUse, sizes []int64) error {
	for i, v := range sizes[:use.form.sizes] {
		if v <= 0 {
			return s.at(use.sizePlaces[i], types.Errorf(types.InvalidArgument, "this argument of %s must be greater than zero", strings.ToUpper(use.form.name)))
		}
	}
	switch w.Kind {
	case plan.Tumble:
		w.Size = sizes[0]
	case plan.Hop, plan.Cumulate:
		w.Slide, w.Size = sizes[0], sizes[1]
		if w.Kind == plan.Cumulate && (w.Size%w.Slide != 0) {
			return s.at(use.sizePlaces[1], types.Errorf(types.InvalidArgument, "the size of CUMULATE must be a multiple of its step"))
		}
	case plan.Session:
		w.Gap = sizes[0]
	case plan.CountWindow:
		w.Rows = sizes[0]
	}
	if len(sizes) > use.form.sizes {
		w.Origin = sizes[use.form.sizes]
	}
	return nil
}
