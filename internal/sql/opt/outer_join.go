package opt

import "leat/internal/sql/plan"

// withoutPadding returns the kind of an outer join under conditions on its output: where one of them drops all rows that are padded with
// NULLs on a side, there is no need to make them.
func withoutPadding(k plan.JoinKind, conds []*plan.Expr, width int) plan.JoinKind {
	left, right := false, false // is a row dropped that has only NULLs on that side
	for _, c := range conds {
		left = left || rejectsNull(c, func(col int) bool { return col < width })
		right = right || rejectsNull(c, func(col int) bool { return col >= width })
	}
	if k == plan.Full {
		switch {
		case left && right:
			return plan.Inner
		case left: // rows of the right without a partner go
			return plan.Left
		case right:
			return plan.Right
		}
	}
	if k == plan.Left && right || k == plan.Right && left {
		return plan.Inner
	}
	return k
}

// rejectsNull reports whether e is certainly not true where the columns that null accepts are all NULL.
func rejectsNull(e *plan.Expr, null func(int) bool) bool {
	switch e.Kind {
	case plan.And:
		for _, a := range e.Args {
			if rejectsNull(a, null) {
				return true
			}
		}
	case plan.Or:
		for _, a := range e.Args {
			if !rejectsNull(a, null) {
				return false
			}
		}
		return true
	case plan.IsNotNull:
		return isNull(e.Args[0], null)
	case plan.Not:
		return e.Args[0].Kind == plan.IsNull && isNull(e.Args[0].Args[0], null) || isNull(e.Args[0], null)
	default:
		return isNull(e, null)
	}
	return false
}

// isNull reports whether e is certainly NULL where the columns that null accepts are.
func isNull(e *plan.Expr, null func(int) bool) bool {
	switch e.Kind {
	case plan.Column:
		return null(e.Index)
	case plan.Const:
		return e.Value == nil
	case plan.Compare:
		if e.Name == "is distinct from" || e.Name == "is not distinct from" {
			return false
		}
		return isNull(e.Args[0], null) || isNull(e.Args[1], null)
	case plan.Cast, plan.Not, plan.In:
		return isNull(e.Args[0], null)
	case plan.Call:
		switch e.Name {
		case "+", "-", "*", "/", "//", "%":
			for _, a := range e.Args {
				if isNull(a, null) {
					return true
				}
			}
		}
	}
	return false
}
