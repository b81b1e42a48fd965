package guard

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// span is what is known of a number before the query runs. Times count seconds since 1970, intervals seconds.
type span struct{ lo, hi float64 }

var anything = span{math.Inf(-1), math.Inf(1)}

// size refuses calls whose result could be huge. A table function makes its rows batch by batch, so one whose size comes from a
// relation's column is left to the deadline and the watchdog; any other size must be bounded: DuckDB calls a function for 2,048
// rows, or for a constant, without looking for an interrupt or at its memory.
func (c *checker) size(n node, table bool) {
	name, args := strings.ToLower(str(n, "function_name")), items(n, "children")
	for _, i := range sizeArgs(name, len(args), table) {
		if table && c.fromColumn(args[i]) {
			return
		}
	}
	switch made := c.made(name, args, table); {
	case made > MaxSize && math.IsInf(made, 1):
		c.fail(n, types.Errorf(types.QueryTooComplex, "the size of %s must be known before the query runs", name).
			WithHint("bound it, for example with least(x, 100); a series can also be made in FROM, as in FROM s, range(s.n)"))
	case made > MaxSize:
		c.fail(n, types.Errorf(types.QueryTooComplex, "%s would make %.0f elements; the limit is %d", name, made, MaxSize))
	}
}

// sizeArgs are the arguments that say how large the result is.
func sizeArgs(name string, n int, table bool) []int {
	switch name {
	case "range", "generate_series":
		return []int{0, 1, 2}[:min(n, 3)]
	case "repeat", "lpad", "rpad", "list_resize", "array_resize", "bitstring":
		if n >= 2 {
			return []int{1}
		}
	case "bar":
		if n >= 4 {
			return []int{3}
		}
	case "equi_width_bins":
		if n >= 3 {
			return []int{2}
		}
	case "repeat_row":
		if n > 0 && table {
			return []int{n - 1}
		}
	case "format", "printf":
		return []int{0}[:min(n, 1)]
	}
	return nil
}

// made is how many elements one call makes by its size arguments, 1 for a function that has none.
func (c *checker) made(name string, args []node, table bool) float64 {
	at := sizeArgs(name, len(args), table)
	switch {
	case len(at) == 0:
		return 1
	case name == "range" || name == "generate_series":
		return c.series(args)
	case name == "format" || name == "printf":
		return formatWidth(args[0])
	}
	return c.fold(args[at[0]]).hi
}

// series counts the elements of range(stop), range(start, stop) or range(start, stop, step).
func (c *checker) series(args []node) float64 {
	start, stop, step := span{}, c.fold(args[0]), span{1, 1}
	if len(args) > 1 {
		start, stop = stop, c.fold(args[1])
	}
	if len(args) > 2 {
		step = c.fold(args[2])
	}
	switch {
	case step.lo > 0:
		return max(0, (stop.hi-start.lo)/step.lo)
	case step.hi < 0:
		return max(0, (start.hi-stop.lo)/-step.hi)
	case step.lo == 0 && step.hi == 0:
		return 0
	}
	return math.Inf(1)
}

// nestedBraces is a replacement field whose width is an argument.
var nestedBraces = regexp.MustCompile(`\{[^}]*\{`)

// formatWidth is the greatest number in a literal format, infinite where a width is an argument.
func formatWidth(n node) float64 {
	text, ok := constantText(n)
	if !ok || strings.Contains(text, "*") || nestedBraces.MatchString(strings.ReplaceAll(text, "{{", "")) {
		return math.Inf(1)
	}
	widest, run := 0.0, 0.0
	for _, r := range text {
		if r < '0' || r > '9' {
			run = 0
			continue
		}
		run = run*10 + float64(r-'0')
		widest = max(widest, run)
	}
	return widest
}

// fromColumn reports whether an argument takes its value from a relation's column and no constant of the query can stand for it.
func (c *checker) fromColumn(n node) bool {
	found := false
	each(n, func(e node) bool {
		if str(e, "class") == "SUBQUERY" || str(e, "class") == "LAMBDA" {
			return false
		}
		if parts := names(e); parts != nil {
			last := strings.ToLower(parts[len(parts)-1])
			found = found || !c.constants[last] && !strings.HasPrefix(last, "current_") && !strings.HasPrefix(last, "local")
		}
		return !found
	})
	return found
}

// fold finds the values that an expression of constants can have.
func (c *checker) fold(n node) span {
	switch str(n, "class") {
	case "CONSTANT":
		return constantSpan(child(n, "value"))
	case "CAST":
		return c.cast(n)
	case "COLUMN_REF":
		if parts := names(n); strings.HasPrefix(strings.ToLower(parts[len(parts)-1]), "current_") {
			return point(float64(c.now.Unix()))
		}
	case "FUNCTION":
		return c.foldCall(n)
	}
	return anything
}

func point(v float64) span { return span{v, v} }

func constantSpan(value node) span {
	if b, _ := value["is_null"].(bool); b {
		return span{}
	}
	scale := 1.0
	if info := child(child(value, "type"), "type_info"); info != nil {
		if s, ok := info["scale"].(json.Number); ok {
			digits, _ := s.Int64()
			scale = math.Pow10(-int(digits))
		}
	}
	switch v := value["value"].(type) {
	case json.Number:
		f, err := v.Float64()
		if err == nil {
			return point(f * scale)
		}
	case node:
		upper, _ := strconv.ParseFloat(jsonNumber(v["upper"]), 64)
		lower, _ := strconv.ParseFloat(jsonNumber(v["lower"]), 64)
		return point((upper*math.Pow(2, 64) + lower) * scale)
	}
	return anything
}

func jsonNumber(v any) string {
	n, _ := v.(json.Number)
	return n.String()
}

func constantText(n node) (string, bool) {
	if str(n, "class") != "CONSTANT" {
		return "", false
	}
	s, ok := child(n, "value")["value"].(string)
	return s, ok
}

// cast folds a cast of a number, or of text to a number, a time or an interval.
func (c *checker) cast(n node) span {
	inner := child(n, "child")
	text, ok := constantText(inner)
	if !ok {
		return c.fold(inner)
	}
	switch id := typeName(child(n, "cast_type")); {
	case id == "INTERVAL":
		return intervalSpan(text)
	case id == "DATE" || strings.HasPrefix(id, "TIMESTAMP"):
		for _, layout := range []string{time.DateOnly, time.DateTime, time.RFC3339, "2006-01-02 15:04", "2006-01-02T15:04:05"} {
			if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
				return point(float64(t.Unix()))
			}
		}
		return anything
	}
	if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
		return point(f)
	}
	return anything
}

// seconds are the units of intervals.
var seconds = map[string]float64{
	"microsecond": 1e-6, "millisecond": 1e-3, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800,
	"month": 2592000, "quarter": 7776000, "year": 31536000, "decade": 315360000, "century": 3153600000,
}

func intervalSpan(text string) span {
	words := strings.Fields(strings.ToLower(text))
	total := 0.0
	if len(words)%2 != 0 {
		return anything
	}
	for i := 0; i < len(words); i += 2 {
		v, err := strconv.ParseFloat(words[i], 64)
		unit, ok := seconds[strings.TrimSuffix(words[i+1], "s")]
		if err != nil || !ok {
			return anything
		}
		total += v * unit
	}
	return point(total)
}

func (c *checker) foldCall(n node) span {
	name, args := strings.ToLower(str(n, "function_name")), items(n, "children")
	spans := make([]span, len(args))
	for i, a := range args {
		spans[i] = c.fold(a)
	}
	switch {
	case name == "now" || name == "today" || name == "get_current_timestamp" || name == "transaction_timestamp":
		return point(float64(c.now.Unix()))
	case name == "least" && len(spans) > 0:
		return fewest(spans)
	case name == "greatest" && len(spans) > 0:
		s := spans[0]
		for _, o := range spans[1:] {
			s = span{max(s.lo, o.lo), max(s.hi, o.hi)}
		}
		return s
	case name == "len" || name == "length" || name == "strlen" || name == "cardinality" || name == "array_length":
		if len(args) > 0 {
			return span{0, c.load(args[0]).size}
		}
	case len(spans) == 1:
		return foldUnary(name, spans[0])
	case len(spans) == 2:
		return foldBinary(name, spans[0], spans[1])
	}
	return anything
}

func fewest(spans []span) span {
	s := spans[0]
	for _, o := range spans[1:] {
		s = span{min(s.lo, o.lo), min(s.hi, o.hi)}
	}
	return s
}

func foldUnary(name string, s span) span {
	if unit, ok := seconds[strings.TrimSuffix(strings.TrimPrefix(name, "to_"), "s")]; ok && strings.HasPrefix(name, "to_") {
		return span{s.lo * unit, s.hi * unit}
	}
	switch name {
	case "-":
		return span{-s.hi, -s.lo}
	case "+", "trunc":
		return s
	case "floor", "ceil", "ceiling", "round":
		return span{s.lo - 1, s.hi + 1}
	}
	return anything
}

func foldBinary(name string, a, b span) span {
	switch name {
	case "+", "add":
		return known(span{a.lo + b.lo, a.hi + b.hi})
	case "-", "subtract":
		return known(span{a.lo - b.hi, a.hi - b.lo})
	case "*", "multiply":
		return corners(a, b, func(x, y float64) float64 { return x * y })
	case "%", "mod":
		if most := max(math.Abs(b.lo), math.Abs(b.hi)); !math.IsInf(most, 1) {
			return span{-most, most}
		}
	case "/", "//", "divide":
		if b.lo > 0 || b.hi < 0 {
			return corners(a, b, func(x, y float64) float64 { return x / y })
		}
	case "**", "^", "pow", "power":
		if a.lo >= 0 {
			return corners(a, b, math.Pow)
		}
	}
	return anything
}

func corners(a, b span, f func(x, y float64) float64) span {
	w, x, y, z := f(a.lo, b.lo), f(a.lo, b.hi), f(a.hi, b.lo), f(a.hi, b.hi)
	return known(span{min(w, x, y, z), max(w, x, y, z)})
}

func known(s span) span {
	if math.IsNaN(s.lo) || math.IsNaN(s.hi) {
		return anything
	}
	return s
}
