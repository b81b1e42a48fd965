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
		star = "COLUMNS(lambda c: lower(c) NOT IN ('window_start', 'window_end', 'window_time'))"
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
