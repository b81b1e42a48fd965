package bind

import (
	"fmt"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// TUMBLE(s, ts, size) in FROM is planned as
//
//	(SELECT * RENAME ("leat window 0 start" AS window_start, ...) FROM
//	  (SELECT *, CASE WHEN error('leat window 0 start') IS NULL THEN ts WHEN size IS NULL THEN NULL END AS "leat window 0 start", ... FROM s))
//
// so that DuckDB resolves s, ts and the keys where they stand, with its own errors, and gives the new columns ts's type. In the bound
// plan such a projection is a plan.Window.

// windowForm is how one window function is called.
type windowForm struct {
	name  string
	kind  plan.WindowKind
	usage string
	// timed have a time column and intervals first sizes of which are required; offset and keys say what may follow.
	timed        bool
	sizes        int
	offset, keys bool
}

var windowForms = []windowForm{
	{"tumble", plan.Tumble, "TUMBLE(stream, time, size [, offset])", true, 1, true, false},
	{"hop", plan.Hop, "HOP(stream, time, slide, size [, offset])", true, 2, true, false},
	{"cumulate", plan.Cumulate, "CUMULATE(stream, time, step, size [, offset])", true, 2, true, false},
	{"session", plan.Session, "SESSION(stream, time, gap [, [keys]])", true, 1, false, true},
	{"count_window", plan.CountWindow, "COUNT_WINDOW(stream, rows [, [keys]])", false, 1, false, true},
}

// formOf finds the window function that a TABLE_FUNCTION calls, or nil.
func formOf(ref object) *windowForm {
	f := child(ref, "function")
	for i := range windowForms {
		if strings.EqualFold(str(f, "function_name"), windowForms[i].name) && str(f, "schema") == "" {
			return &windowForms[i]
		}
	}
	return nil
}

// windowUse is one call of a window function in the planned text.
type windowUse struct {
	form *windowForm
	// sizes and keys count the arguments that follow the time column in the marker.
	sizes, keys int
	// Places in the user's text.
	place, timePlace int
	sizePlaces       []int
	keyPlaces        []int
}

// windowCall notes the site of a call and of the relation that it names.
func (t *text) windowCall(ref object, form *windowForm, ctes *names) error {
	start := location(ref)
	usage := types.Errorf(types.InvalidArgument, "this is no call of %s that can be read", strings.ToUpper(form.name)).WithHint("write %s", form.usage)
	if start < 0 || start >= len(t.sql) {
		return t.fault(start, usage)
	}
	open := nameEnd(t.sql, start, 1)
	if open >= 0 {
		open = skipSpace(t.sql, open)
	}
	if open < 0 || open >= len(t.sql) || t.sql[open] != '(' {
		return t.fault(start, usage)
	}
	args, end, err := arguments(t.sql, open)
	if err != nil {
		return t.fault(start, types.AsError(err))
	}
	least := 1 + form.sizes
	if form.timed {
		least++
	}
	most := least
	if form.offset || form.keys {
		most++
	}
	children := objects(child(ref, "function"), "children")
	if len(args) < least || len(args) > most || len(children) != len(args) {
		return t.fault(start, types.Errorf(types.InvalidArgument, "%s has %d arguments", strings.ToUpper(form.name), len(args)).WithHint("write %s", form.usage))
	}
	s := site{start: start, end: end, alias: str(ref, "alias") != "", form: form, args: args}
	if s.name, err = t.windowInput(children[0], ctes); err != nil {
		return err
	}
	t.sites = append(t.sites, s)
	return nil
}

// windowInput returns the name of what a window function is over, empty for a subquery, and notes a relation's site.
func (t *text) windowInput(arg object, ctes *names) (string, error) {
	switch str(arg, "class") {
	case "SUBQUERY":
		return "", nil
	case "COLUMN_REF":
		parts, _ := arg["column_names"].([]any)
		name, _ := parts[len(parts)-1].(string)
		full := strings.ToLower(name)
		if len(parts) == 1 && ctes.has(full) {
			return name, nil
		}
		if len(parts) > 1 {
			if schema, _ := parts[0].(string); !strings.EqualFold(schema, "public") {
				full = strings.ToLower(schema) + "." + full
			}
		}
		return name, t.addSite(site{start: location(arg), name: full}, len(parts))
	}
	return "", t.fault(location(arg), types.Errorf(types.InvalidArgument, "a window function's first argument is a stream, a table, a view or a subquery in brackets"))
}

// renderWindow writes the subquery that stands for a call.
func (t *text) renderWindow(s site) (segments, error) {
	anchor := t.origin(s.start)
	input, err := t.render(s.args[0].start, s.args[0].end)
	if err != nil {
		return nil, err
	}
	id := len(t.windows)
	use := &windowUse{form: s.form, place: anchor, timePlace: anchor}
	t.windows = append(t.windows, use)
	rest := s.args[1:]
	kind, time := "INTERVAL", segments{made("0::BIGINT", anchor)}
	if s.form.timed {
		use.timePlace = t.origin(rest[0].start)
		if time, err = t.render(rest[0].start, rest[0].end); err != nil {
			return nil, err
		}
		rest = rest[1:]
	} else {
		kind = "BIGINT"
	}
	var parameters segments
	for i, a := range rest {
		if s.form.keys && i == s.form.sizes {
			break
		}
		use.sizes++
		use.sizePlaces = append(use.sizePlaces, t.origin(a.start))
		parameters = append(parameters, made(" WHEN CAST((", anchor), t.copied(a.start, a.end), made("\n) AS "+kind+") IS NULL THEN NULL", anchor))
	}
	if s.form.keys && len(rest) > s.form.sizes {
		for _, k := range keySpans(t.sql, rest[s.form.sizes]) {
			use.keys++
			use.keyPlaces = append(use.keyPlaces, t.origin(k.start))
			parameters = append(parameters, made(" WHEN (", anchor), t.copied(k.start, k.end), made("\n) IS NULL THEN NULL", anchor))
		}
	}
	star := "*"
	if t.shadowed[id] {
		star = "COLUMNS(lambda c: c NOT IN ('window_start', 'window_end', 'window_time'))"
	}
	// The names come from outside, so that the arguments can't see them.
	out := segments{made("(SELECT * RENAME (", anchor)}
	var columns segments
	column := func(role string, more segments) {
		if role != "start" {
			out = append(out, made(", ", anchor))
		}
		mark := fmt.Sprintf("leat window %d %s", id, role)
		out = append(out, made(types.QuoteIdent(mark)+" AS window_"+role, anchor))
		columns = append(columns, made(", CASE WHEN error("+types.QuoteLiteral(mark)+") IS NULL THEN ", anchor))
		columns = append(append(columns, time...), more...)
		columns = append(columns, made("\n END AS "+types.QuoteIdent(mark), anchor))
	}

	column("start", parameters)
	column("end", nil)
	if t.windowTime && s.form.timed {
		column("time", nil)
	}
	out = append(append(out, made(") FROM (SELECT "+star, anchor)), columns...)
	out = append(append(append(out, made(" FROM ", anchor)), input...), made("\n))", anchor))
	if !s.alias && s.name != "" {
		out = append(out, made(" AS "+types.QuoteIdent(s.name), anchor))
	}
	return out, nil
}

// keySpans cuts [a, b] or ARRAY[a, b]; one bare column is a list of one.
func keySpans(sql string, list span) []span {
	open := list.start
	if word := wordEnd(sql[:list.end], open); strings.EqualFold(sql[open:word], "array") {
		open = skipSpace(sql, word)
	}
	if sql[open] == '[' {
		if keys, end, err := arguments(sql, open); err == nil && end == list.end {
			return keys
		}
	}
	return []span{list}
}

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
	name := strings.ToUpper(use.form.name)
	switch v := x.Value.(type) {
	case int64:
		return v, nil
	case plan.Interval:
		if v.Months != 0 {
			return 0, s.at(place, types.Errorf(types.Unsupported, "%s takes no months: they have no fixed length", name)).WithHint("say it in days, hours, minutes or seconds")
		}
		return int64(v.Days)*dayMicros + v.Micros, nil
	}
	return 0, s.at(place, types.Errorf(types.InvalidArgument, "this argument of %s must be a constant", name)).WithHint("write %s, an interval as INTERVAL '10 seconds'", use.form.usage)
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
