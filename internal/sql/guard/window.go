package guard

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"leat/internal/types"
)

// windows are the table functions of the dialect that assign rows to windows, with the least and most arguments that each takes. The
// engine runs them in continuous views; here they become the SELECT that means the same.
var windows = map[string][2]int{"tumble": {3, 4}, "hop": {4, 5}, "cumulate": {4, 5}, "session": {3, 4}, "count_window": {2, 3}}

// MaxWindows is how many windows a row may be in.
const MaxWindows = 10_000

// The SELECT of each function over leat_source, in which names that begin with leat_ stand for arguments. Windows align to
// 1970-01-01, which is written as the time minus its distance from it, so that it has the time's own type.
const (
	epoch          = "(leat_ts - to_microseconds(epoch_us(leat_ts)) + leat_offset)"
	tumbleSelect   = "SELECT *, time_bucket(leat_size, leat_ts, " + epoch + ") AS window_start, time_bucket(leat_size, leat_ts, " + epoch + ") + leat_size AS window_end FROM leat_source WHERE leat_ts IS NOT NULL"
	hopSelect      = "SELECT *, window_start + leat_size AS window_end FROM (SELECT *, unnest(generate_series(time_bucket(leat_slide, leat_ts - leat_size, " + epoch + ") + leat_slide, time_bucket(leat_slide, leat_ts, " + epoch + "), leat_slide)) AS window_start FROM leat_source WHERE leat_ts IS NOT NULL) AS leat_alias"
	cumulateSelect = "SELECT *, unnest(generate_series(time_bucket(leat_slide, leat_ts, window_start) + leat_slide, window_start + leat_size, leat_slide)) AS window_end FROM (SELECT *, time_bucket(leat_size, leat_ts, " + epoch + ") AS window_start FROM leat_source WHERE leat_ts IS NOT NULL) AS leat_alias"
	sessionSelect  = "SELECT * EXCLUDE (leat_session), min(leat_ts) OVER (PARTITION BY leat_keys, leat_session) AS window_start, max(leat_ts) OVER (PARTITION BY leat_keys, leat_session) + leat_size AS window_end FROM " +
		"(SELECT * EXCLUDE (leat_new), sum(leat_new) OVER (PARTITION BY leat_keys ORDER BY leat_ts) AS leat_session FROM " +
		"(SELECT *, CASE WHEN leat_ts <= lag(leat_ts) OVER (PARTITION BY leat_keys ORDER BY leat_ts) + leat_size THEN 0 ELSE 1 END AS leat_new FROM leat_source WHERE leat_ts IS NOT NULL) AS leat_alias) AS leat_alias"
	countSelect = "SELECT * EXCLUDE (leat_row), leat_row // leat_size * leat_size AS window_start, leat_row // leat_size * leat_size + leat_size AS window_end FROM " +
		"(SELECT *, row_number() OVER (PARTITION BY leat_keys ORDER BY _leat_partition, _leat_offset) - 1 AS leat_row FROM leat_source) AS leat_alias"
)

// windowCall is a window function in FROM and the parts of its SELECT.
type windowCall struct {
	kind   string
	source node
	alias  string
	args   map[string]node
	keys   []any
}

// windowNode is a window function where it stands.
type windowNode struct {
	n    node
	call *windowCall
}

// window checks a window function and remembers it for expandWindows.
func (c *checker) window(n, f node, sc *scope) {
	call, e := parseWindow(n, f)
	if e != nil {
		c.fail(f, e)
		return
	}
	if str(call.source, "type") == "BASE_TABLE" {
		c.baseTable(call.source, sc)
	} else {
		c.relation(call.source, sc)
	}
	for _, a := range call.args {
		c.visit(a, sc)
	}
	c.visit(call.keys, sc)
	c.windows = append(c.windows, windowNode{n, call})
}

// parseWindow reads the arguments.
func parseWindow(n, f node) (*windowCall, *types.Error) {
	w := &windowCall{kind: strings.ToLower(str(f, "function_name")), alias: str(n, "alias"), args: map[string]node{}}
	args, bounds := items(f, "children"), windows[w.kind]
	if len(args) < bounds[0] || len(args) > bounds[1] {
		return nil, types.Errorf(types.InvalidArgument, "%s takes %s", strings.ToUpper(w.kind), windowUsage[w.kind])
	}
	if e := w.from(args[0]); e != nil {
		return nil, e
	}
	rest := args[1:]
	if w.kind != "count_window" {
		if len(names(rest[0])) == 0 {
			return nil, types.Errorf(types.InvalidArgument, "%s: the second argument is a column with the time", strings.ToUpper(w.kind))
		}
		w.args["leat_ts"], rest = rest[0], rest[1:]
	}
	switch w.kind {
	case "hop", "cumulate":
		w.args["leat_slide"], w.args["leat_size"], rest = rest[0], rest[1], rest[2:]
	default:
		w.args["leat_size"], rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		if e := w.last(rest[0]); e != nil {
			return nil, e
		}
	}
	return w, w.sizes()
}

var windowUsage = map[string]string{
	"tumble": "TUMBLE(source, time, size [, offset])", "hop": "HOP(source, time, slide, size [, offset])",
	"cumulate": "CUMULATE(source, time, step, size [, offset])", "session": "SESSION(source, time, gap [, [keys]])",
	"count_window": "COUNT_WINDOW(source, rows [, [keys]])",
}

// from turns the first argument into an element of FROM.
func (w *windowCall) from(arg node) *types.Error {
	parts := names(arg)
	switch {
	case len(parts) == 1 || len(parts) == 2:
		w.source = node{"type": "BASE_TABLE", "alias": "", "sample": nil, "query_location": arg["query_location"], "schema_name": "", "table_name": parts[len(parts)-1], "column_name_alias": []any{}, "catalog_name": "", "at_clause": nil}
		if len(parts) == 2 {
			w.source["schema_name"] = parts[0]
		}
		if w.alias == "" {
			w.alias = parts[len(parts)-1]
		}
	case str(arg, "class") == "SUBQUERY" && str(arg, "subquery_type") == "SCALAR":
		w.source = node{"type": "SUBQUERY", "alias": "", "sample": nil, "query_location": arg["query_location"], "subquery": arg["subquery"], "column_name_alias": []any{}}
		if w.alias == "" {
			w.alias = "leat_window"
		}
	default:
		return types.Errorf(types.InvalidArgument, "%s: the first argument is a stream, view or (SELECT ...)", strings.ToUpper(w.kind))
	}
	w.source["alias"] = w.alias
	return nil
}

// last reads the offset or the keys.
func (w *windowCall) last(arg node) *types.Error {
	if w.kind != "session" && w.kind != "count_window" {
		if _, ok := micros(arg); !ok {
			return types.Errorf(types.InvalidArgument, "%s: the offset is a constant interval", strings.ToUpper(w.kind))
		}
		w.args["leat_offset"] = arg
		return nil
	}
	if str(arg, "function_name") != "list_value" {
		return types.Errorf(types.InvalidArgument, "%s: the keys are a list of columns, such as [user_id]", strings.ToUpper(w.kind))
	}
	w.keys = list(arg, "children")
	return nil
}

// sizes refuses sizes that aren't constant and positive, and too many windows for one row.
func (w *windowCall) sizes() *types.Error {
	if w.kind == "count_window" {
		return nil
	}
	size, ok := micros(w.args["leat_size"])
	slide := size
	if w.args["leat_slide"] != nil && ok {
		slide, ok = micros(w.args["leat_slide"])
	}
	if !ok || size <= 0 || slide <= 0 {
		return types.Errorf(types.InvalidArgument, "%s: sizes are constant, positive intervals without months, such as INTERVAL '10 seconds'", strings.ToUpper(w.kind))
	}
	if size/slide > MaxWindows {
		return types.Errorf(types.QueryTooComplex, "%s puts each row into %d windows; the limit is %d", strings.ToUpper(w.kind), size/slide, MaxWindows).
			WithHint("make the slide larger or the size smaller")
	}
	return nil
}

// expandWindows replaces each window function by its SELECT.
func (c *checker) expandWindows() error {
	for _, found := range c.windows {
		n, w := found.n, found.call
		sub, err := w.expand(c.ctx, c.guard)
		if err != nil {
			return err
		}
		location := n["query_location"]
		columns := n["column_name_alias"]
		clear(n)
		n["type"], n["alias"], n["sample"], n["query_location"], n["subquery"], n["column_name_alias"] = "SUBQUERY", w.alias, nil, location, sub, columns
	}
	return nil
}

// expand parses the function's SELECT and puts the arguments into it.
func (w *windowCall) expand(ctx context.Context, g *Guard) (node, error) {
	text := map[string]string{"tumble": tumbleSelect, "hop": hopSelect, "cumulate": cumulateSelect, "session": sessionSelect, "count_window": countSelect}[w.kind]
	if w.args["leat_offset"] == nil {
		text = strings.ReplaceAll(text, " + leat_offset", "")
	}
	if len(w.keys) == 0 {
		text = strings.NewReplacer("PARTITION BY leat_keys, ", "PARTITION BY ", "PARTITION BY leat_keys ", "").Replace(text)
	}
	ast, err := g.ser.SerializeSQL(ctx, text)
	if err != nil {
		return nil, err
	}
	statements, err := decode(ast)
	if err != nil {
		return nil, err
	}
	return w.fill(statements[0]).(node), nil
}

// fill returns v with the stand-ins replaced.
func (w *windowCall) fill(v any) any {
	switch v := v.(type) {
	case []any:
		var out []any
		for _, e := range v {
			if parts := names(asNode(e)); len(parts) == 1 && parts[0] == "leat_keys" {
				out = append(out, w.keys...)
				continue
			}
			out = append(out, w.fill(e))
		}
		if out == nil {
			return v
		}
		return out
	case node:
		if str(v, "type") == "BASE_TABLE" && str(v, "table_name") == "leat_source" {
			return w.source
		}
		if parts := names(v); len(parts) == 1 && w.args[parts[0]] != nil {
			return w.args[parts[0]]
		}
		for key, e := range v {
			v[key] = w.fill(e)
		}
		if str(v, "alias") == "leat_alias" {
			v["alias"] = w.alias
		}
	}
	return v
}

func asNode(v any) node {
	n, _ := v.(node)
	return n
}

// intervalUnits are µs by DuckDB's names, without their plural s.
var intervalUnits = map[string]float64{
	"microsecond": 1, "us": 1, "millisecond": 1e3, "ms": 1e3, "second": 1e6, "sec": 1e6, "s": 1e6, "minute": 6e7, "min": 6e7, "m": 6e7,
	"hour": 3.6e9, "hr": 3.6e9, "h": 3.6e9, "day": 8.64e10, "d": 8.64e10, "week": 6.048e11, "w": 6.048e11,
}

// micros evaluates a constant interval in the shapes that the parser gives it: to_seconds(CAST(4 AS DOUBLE)), CAST('1 minute' AS INTERVAL),
// or a constant. An interval with months is none.
func micros(n node) (int64, bool) {
	switch {
	case str(n, "class") == "FUNCTION" && strings.HasPrefix(str(n, "function_name"), "to_") && len(list(n, "children")) == 1:
		unit, ok := intervalUnits[strings.TrimSuffix(strings.TrimPrefix(str(n, "function_name"), "to_"), "s")]
		count, isNumber := constantNumber(asNode(list(n, "children")[0]))
		return whole(count * unit), ok && isNumber
	case str(n, "class") == "CAST" && str(child(n, "cast_type"), "id") == "INTERVAL":
		text, ok := child(child(n, "child"), "value")["value"].(string)
		if !ok {
			return 0, false
		}
		return intervalText(text)
	case str(n, "class") == "CONSTANT" && str(child(child(n, "value"), "type"), "id") == "INTERVAL":
		v := child(child(n, "value"), "value")
		months, ok1 := number(v["months"])
		days, ok2 := number(v["days"])
		us, ok3 := number(v["micros"])
		return whole(days*8.64e10 + us), ok1 && ok2 && ok3 && months == 0
	}
	return 0, false
}

func constantNumber(n node) (float64, bool) {
	switch {
	case str(n, "class") == "CAST":
		return constantNumber(child(n, "child"))
	case str(n, "function_name") == "trunc" && len(list(n, "children")) == 1: // of whole units, such as DAY
		f, ok := constantNumber(asNode(list(n, "children")[0]))
		return math.Trunc(f), ok
	}
	return number(child(n, "value")["value"])
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil
	}
	return 0, false
}

// intervalText reads "1 minute 30 seconds", "10s" or "00:01:30".
func intervalText(text string) (int64, bool) {
	total, fields := 0.0, strings.Fields(strings.ToLower(text))
	for i := 0; i < len(fields); i++ {
		if parts := strings.Split(fields[i], ":"); len(parts) == 3 {
			h, ok1 := number(parts[0])
			m, ok2 := number(parts[1])
			s, ok3 := number(parts[2])
			if !ok1 || !ok2 || !ok3 {
				return 0, false
			}
			total += h*3.6e9 + m*6e7 + s*1e6
			continue
		}
		digits := strings.TrimRight(fields[i], "abcdefghijklmnopqrstuvwxyz")
		unit := fields[i][len(digits):]
		if unit == "" && i+1 < len(fields) {
			i++
			unit = fields[i]
		}
		per, ok := intervalUnits[unit]
		if !ok {
			per, ok = intervalUnits[strings.TrimSuffix(unit, "s")]
		}
		count, isNumber := number(digits)
		if !ok || !isNumber {
			return 0, false
		}
		total += count * per
	}
	return whole(total), len(fields) > 0
}

func whole(us float64) int64 {
	if math.Abs(us) > 1e18 {
		return 0
	}
	return int64(math.Round(us))
}
