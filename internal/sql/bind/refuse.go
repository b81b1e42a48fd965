package bind

import (
	"strings"

	"leat/internal/types"
)

// refuse says what can't be translated, with its place: DuckDB's plan tells that of few nodes, so it is looked for in the AST.
func (s *session) refuse(n *tree) error {
	what, hint := "this form of query ("+strings.TrimPrefix(n.Type, "LOGICAL_")+")", ""
	var is func(object) bool
	switch n.Type {
	case "LOGICAL_UNNEST":
		what, is = "unnest", func(o object) bool { return str(o, "function_name") == "unnest" }
	case "LOGICAL_RECURSIVE_CTE":
		what = "WITH RECURSIVE"
		is = func(o object) bool { return str(o, "type") == "RECURSIVE_CTE_NODE" }
	case "LOGICAL_ASOF_JOIN":
		what, hint = "an ASOF join", "join on equality, and keep the last row by row_number() OVER (PARTITION BY ... ORDER BY ... DESC)"
		is = func(o object) bool { return str(o, "ref_type") == "ASOF" }
	case "LOGICAL_POSITIONAL_JOIN":
		what, is = "a positional join", func(o object) bool { return str(o, "ref_type") == "POSITIONAL" }
	case "LOGICAL_SAMPLE":
		what, hint = "TABLESAMPLE", "filter by the hash of a column: WHERE hash(id) % 100 < 10"
		is = func(o object) bool { return o["sample"] != nil }
	case "LOGICAL_PIVOT":
		what, hint = "PIVOT", "write each column as an aggregate with FILTER"
	}
	e := s.at(s.locate(is), types.Errorf(types.Unsupported, "%s is not supported in views", what))
	e.Hint = hint
	return e
}

// locate finds the first place in the user's text of what a refusal is about, -1 if it isn't there or has none.
func (s *session) locate(is func(object) bool) int {
	found := -1
	if is == nil {
		return found
	}
	each(s.ast, func(o object) bool {
		if is(o) {
			if at := first(o); at >= 0 && (found < 0 || at < found) {
				found = at
			}
		}
		return true
	})
	return found
}

// first is the place of a node, or the first below it.
func first(o object) int {
	if at := location(o); at >= 0 {
		return at
	}
	found := -1
	each(o, func(c object) bool {
		if at := location(c); at >= 0 && (found < 0 || at < found) {
			found = at
		}
		return true
	})
	return found
}

// place is the first known place in an expression.
func (e *expression) place() uint64 {
	if e == nil {
		return noLocation
	}
	at := min(e.Location, e.Child.place(), e.Left.place(), e.Right.place())
	for _, c := range e.Children {
		at = min(at, c.place())
	}
	return at
}
