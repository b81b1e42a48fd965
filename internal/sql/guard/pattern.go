package guard

import (
	"math"
	"strings"
)

var (
	likes = set("~~ !~~ ~~* !~~* ~~~ like_escape ilike_escape not_like_escape not_ilike_escape")
	// jsonPaths are functions whose second argument is a JSON path, which may have wildcards.
	jsonPaths = set("json_extract json_extract_path json_extract_string json_extract_path_text json_exists json_value json_array_length json_keys json_type -> ->>")
)

// unknownWildcards is assumed of a pattern that is not known before the query runs.
const unknownWildcards = 2

// matching is what LIKE, ILIKE or GLOB may do. DuckDB's matcher tries every place again for each wildcard, so its effort is the
// text's size to the power of their number; only a constant LIKE pattern without _ has a linear one.
func (c *checker) matching(name string, pattern node, text, patternSize float64) float64 {
	p, known := c.textOf(pattern)
	linear := text * patternSize
	wild := "%"
	if name == "~~~" {
		wild = "*"
	}
	switch {
	case !known && isConstant(pattern):
		return math.Inf(1)
	case !known:
		return max(linear, math.Pow(text, unknownWildcards))
	case (name == "~~" || name == "!~~") && !strings.Contains(p, "_"):
		return linear
	}
	return max(linear, math.Pow(text, float64(runs(p, wild))))
}

// isConstant reports whether an expression is made of constants by functions, as repeat('%a', 50) is.
func isConstant(n node) bool {
	constant := true
	each(n, func(e node) bool {
		switch str(e, "class") {
		case "COLUMN_REF", "PARAMETER", "SUBQUERY":
			constant = false
		}
		return constant
	})
	return constant
}

// runs counts the runs of a wildcard that don't end the pattern: what follows the last one needs no second try.
func runs(pattern, wild string) int {
	pattern = strings.TrimRight(pattern, wild)
	n := 0
	for i := range len(pattern) {
		if pattern[i] == wild[0] && (i == 0 || pattern[i-1] != wild[0]) {
			n++
		}
	}
	return n
}

// jsonWildcards counts those of a JSON path, at least 1.
func (c *checker) jsonWildcards(path node) int {
	n := 0
	each(path, func(e node) bool {
		if p, ok := c.textOf(e); ok {
			n = max(n, strings.Count(p, "*")+strings.Count(p, ".."))
		}
		return true
	})
	return max(1, n)
}
