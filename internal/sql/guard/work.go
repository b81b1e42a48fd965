package guard

import (
	"reflect"
	"strings"
)

// parameterWork is what a parameter's value counts in work.
const parameterWork = 1000

// product are functions whose result or effort grows with the product of their arguments' sizes.
var product = set(`replace regexp_replace translate levenshtein editdist3 damerau_levenshtein jaccard jaro_similarity
	jaro_winkler_similarity hamming mismatches ~~ !~~ ~~* !~~* ~~~ like_escape ilike_escape not_like_escape not_ilike_escape
	string_split str_split string_to_array regexp_extract_all regexp_split_to_array str_split_regex list_transform array_transform
	list_apply array_apply apply list_filter array_filter filter array_to_string list_aggregate`)

// work estimates how many elements or characters an expression makes or goes through if all of it is constant; a column counts 1,
// a string literal its length, so nested calls multiply where DuckDB's do.
func (c *checker) work(n node) float64 {
	if n == nil {
		return 0
	}
	if text, ok := constantText(n); ok {
		return float64(max(1, len(text)))
	}
	switch str(n, "class") {
	case "COLUMN_REF", "CONSTANT", "SUBQUERY":
		return 1
	case "PARAMETER":
		return parameterWork
	case "FUNCTION":
		return c.workOfCall(n)
	}
	total := 0.0
	for _, key := range []string{"child", "expr", "left", "right", "input", "lower", "upper"} {
		if e := child(n, key); e != nil {
			total += c.work(e)
		}
	}
	for _, e := range items(n, "children") {
		total += c.work(e)
	}
	for _, k := range items(n, "case_checks") {
		total += c.work(child(k, "when_expr")) + c.work(child(k, "then_expr"))
	}
	return max(1, total+c.work(child(n, "else_expr")))
}

func (c *checker) workOfCall(n node) float64 {
	id := reflect.ValueOf(n).Pointer()
	if known, ok := c.works[id]; ok {
		return known
	}
	name, args := strings.ToLower(str(n, "function_name")), items(n, "children")
	sum, times := 0.0, 1.0
	for _, a := range args {
		w := max(1, c.work(a))
		sum += w
		times *= w
	}
	made := 1.0
	if at := sizeArgs(name, len(args), false); len(at) > 0 && !c.fromColumn(args[at[0]]) {
		made = max(1, c.made(name, args, false))
	}
	switch {
	case product[name]:
		sum = times
	case name == "repeat":
		sum = max(1, c.work(args[0])) * made
	case made > 1:
		sum = max(sum, made)
	}
	if c.works == nil {
		c.works = map[uintptr]float64{}
	}
	c.works[id] = max(1, sum)
	return c.works[id]
}
