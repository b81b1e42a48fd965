package guard

import (
	"math"
	"strings"

	"leat/internal/types"
)

// What is not known before the query runs counts like this, in characters or elements.
const (
	columnSize    = 32
	parameterSize = 1000
)

// MaxRowWork is MaxWork for an expression that runs once a row: DuckDB evaluates it for 2,048 rows before it looks for an
// interrupt or at its memory.
const MaxRowWork = 1 << 19

// load is an upper estimate of an expression: how many characters or elements its value has, and how many are gone through to
// make it.
type load struct{ size, effort float64 }

func (l load) total() float64 { return l.size + l.effort }

var (
	// single are functions whose value is one number or truth however large their arguments are.
	single = set(`+ - * / // % ** ^ ! & << >> len length strlen cardinality array_length abs round floor ceil ceiling sqrt
		hash contains prefix suffix starts_with ends_with instr position strpos list_contains list_has array_contains array_has
		list_position list_indexof list_sum list_avg list_min list_max list_count list_first list_last count sum min max avg
		year month day hour minute second epoch epoch_ms date_part date_trunc`)
	// search are functions that go through one argument for each element of another.
	search = set(`levenshtein editdist3 damerau_levenshtein jaccard jaro_similarity jaro_winkler_similarity hamming mismatches
		regexp_matches regexp_full_match regexp_extract regexp_extract_all regexp_split_to_array str_split_regex`)
	// grow are functions that put their last argument in many places of their first.
	grow = set("replace regexp_replace translate array_to_string list_aggregate")
	// mapped are functions that run a lambda for each element of a list.
	mapped = set("list_transform array_transform list_apply array_apply apply list_filter array_filter filter")
	// widen are functions that write one character as several.
	widen = weigh(map[int]string{3: "hex to_hex base64 to_base64 url_encode to_json json_quote", 8: "bin to_binary"})
	// weights are functions that need much more than a few nanoseconds and bytes an element (measured with DuckDB 1.5.5).
	weights = weigh(map[int]string{
		100: `list_sort array_sort list_reverse_sort array_reverse_sort list_grade_up array_grade_up grade_up list_distinct array_distinct
			list_unique array_unique list_cosine_similarity list_cosine_distance list_distance list_inner_product list_dot_product`,
		1000: `map map_from_entries map_concat list_aggregate array_aggregate aggregate list_aggr array_aggr list_histogram list_zip array_zip
			list_intersect array_intersect list_has_any array_has_any list_has_all array_has_all && @> <@`,
	})
)

func weigh(lists map[int]string) map[string]float64 {
	m := map[string]float64{}
	for weight, words := range lists {
		for name := range set(words) {
			m[name] = float64(weight)
		}
	}
	return m
}

// root is an expression to be judged once all names are known.
type root struct {
	n    node
	text string
	// rows is set where the expression may run for each row of a relation.
	rows bool
}

// judge compares the work of all expressions, of the statement and its views, with the limits.
func (c *checker) judge() *types.Error {
	c.names.settle(c)
	constants, rows := 0.0, 0.0
	for _, r := range c.names.roots {
		sum, limit := &constants, float64(MaxWork)
		if r.rows {
			sum, limit = &rows, MaxRowWork
		}
		if *sum += c.load(r.n).total(); *sum > limit && c.args == nil {
			return at(r.text, location(r.n), tooMuchWork(r))
		}
	}
	c.work = [2]float64{constants, rows}
	return nil
}

func tooMuchWork(r root) *types.Error {
	name := strings.ToLower(str(r.n, "function_name"))
	if name == "" {
		name = "this expression"
	}
	if !r.rows {
		return types.Errorf(types.QueryTooComplex, "%s works on more than %d elements of constants", name, MaxWork)
	}
	return types.Errorf(types.QueryTooComplex, "%s could work on more than %d elements for one row", name, MaxRowWork).
		WithHint("bound sizes, for example by least(n, 100) or left(s, 100), or generate rows in FROM instead of a list")
}

// load estimates n.
func (c *checker) load(n node) load {
	if n == nil {
		return load{}
	}
	if text, ok := constantText(n); ok {
		return load{size: float64(max(1, len(text)))}
	}
	switch str(n, "class") {
	case "CONSTANT", "SUBQUERY":
		return load{size: 1}
	case "COLUMN_REF":
		return load{size: c.names.size(names(n))}
	case "STAR":
		return load{size: c.names.largest}
	case "PARAMETER":
		return load{size: c.sizeOf(n)}
	case "FUNCTION":
		return c.loadOfCall(n)
	}
	var sum load
	for _, e := range operands(n) {
		l := c.load(e)
		sum.size += l.size
		sum.effort += l.effort
	}
	if class := str(n, "class"); class == "COMPARISON" || class == "CONJUNCTION" || class == "BETWEEN" {
		sum = load{size: 1, effort: sum.total()}
	}
	sum.size = max(1, sum.size)
	return sum
}

// operands are the expressions that n, which is no function, is made of.
func operands(n node) []node {
	out := items(n, "children")
	for _, key := range []string{"child", "expr", "left", "right", "input", "lower", "upper", "else_expr"} {
		if e := child(n, key); e != nil {
			out = append(out, e)
		}
	}
	for _, k := range items(n, "case_checks") {
		out = append(out, child(k, "when_expr"), child(k, "then_expr"))
	}
	return out
}

func (c *checker) loadOfCall(n node) load {
	name, args := strings.ToLower(str(n, "function_name")), items(n, "children")
	loads := make([]load, len(args))
	sum, times, effort := 0.0, 1.0, 0.0
	for i, a := range args {
		if str(a, "class") == "LAMBDA" {
			continue
		}
		loads[i] = c.load(a)
		sum += loads[i].size
		times *= max(1, loads[i].size)
		effort += loads[i].effort
	}
	made := c.own(name, args, loads, sum, times)
	if w, heavy := weights[name]; heavy {
		made.effort += sum * w
	}
	return load{size: max(1, made.size), effort: effort + max(1, made.effort)}
}

// own is what the call itself makes and does, without what its arguments cost.
func (c *checker) own(name string, args []node, loads []load, sum, times float64) load {
	switch sizes := sizeArgs(name, len(args), false); {
	case name == "repeat" && len(args) == 2:
		made := loads[0].size * max(1, c.made(name, args, false))
		return load{made, made}
	case len(sizes) > 0:
		made := max(1, c.made(name, args, false))
		if name == "range" || name == "generate_series" {
			return load{made, 8 * made} // 8 bytes an element
		}
		return load{sum + made, sum + made}
	case mapped[name] && len(args) > 1 && str(args[1], "class") == "LAMBDA":
		body := c.load(child(args[1], "expr"))
		return load{loads[0].size * body.size, loads[0].size * body.total()}
	case likes[name] && len(args) > 1:
		return load{1, c.matching(name, args[1], loads[0].size, loads[1].size)}
	case jsonPaths[name] && len(args) > 1:
		return load{sum, math.Pow(sum, float64(c.jsonWildcards(args[1])))}
	case grow[name] && len(args) > 1:
		size := loads[0].size * max(1, loads[len(loads)-1].size)
		return load{size, loads[0].size*loads[1].size + size}
	case widen[name] > 0:
		return load{sum * widen[name], sum * widen[name]}
	case name == "concat_ws" && len(args) > 0:
		size := sum + loads[0].size*float64(len(args))
		return load{size, size}
	case search[name]:
		return load{sum, times}
	case single[name]:
		return load{1, sum}
	}
	return load{sum, sum}
}
