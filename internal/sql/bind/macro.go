package bind

import (
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// splitPart gives split_part(text, separator, n) its name back: in DuckDB it is a macro,
//
//	case when text, separator and n are not null then coalesce(string_split(text, separator)[n], '') end
//
// which would make a list of each row's text.
func splitPart(e *plan.Expr) *plan.Expr {
	if e.Kind != plan.Case || len(e.Args) != 3 || !isNull(e.Args[2]) || e.Args[1].Kind != plan.Coalesce || len(e.Args[1].Args) != 2 {
		return e
	}
	get, none := e.Args[1].Args[0], e.Args[1].Args[1]
	if none.Value != "" || get.Kind != plan.Call || get.Name != "array_extract" || len(get.Args) != 2 {
		return e
	}
	split, n := get.Args[0], get.Args[1]
	if split.Kind != plan.Call || split.Name != "string_split" || len(split.Args) != 2 || n.Type.Kind != types.BigInt || !guards(e.Args[0]) {
		return e
	}
	return &plan.Expr{Kind: plan.Call, Name: "split_part", Type: e.Type, Args: []*plan.Expr{split.Args[0], split.Args[1], n}, Place: e.Place}
}

func isNull(e *plan.Expr) bool { return e.Kind == plan.Const && e.Value == nil }

// guards reports whether a condition tests three values for NULL, as the macro does.
func guards(e *plan.Expr) bool {
	if e.Kind != plan.And || len(e.Args) != 3 {
		return false
	}
	for _, a := range e.Args {
		if a.Kind != plan.IsNotNull {
			return false
		}
	}
	return true
}
