package expr

import (
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// kernelOf returns the kernel of e over operands of e.Args' types; nil if there is none.
func kernelOf(e *plan.Expr) kernel {
	switch e.Kind {
	case plan.Call:
		return callKernel(e)
	case plan.Compare:
		return compareKernel(e)
	case plan.And:
		return junction(0)
	case plan.Or:
		return junction(1)
	case plan.Not:
		return eager(not)
	case plan.IsNull:
		return eager(isNull(1))
	case plan.IsNotNull:
		return eager(isNull(0))
	case plan.In:
		return inKernel(e)
	case plan.Case:
		if len(e.Args) < 2*maxBranches-1 {
			return choose(e.Type)
		}
	case plan.Coalesce:
		if len(e.Args) < maxBranches {
			return coalesce(e.Type)
		}
	case plan.Cast:
		return castKernel(e)
	}
	return nil
}

func callKernel(e *plan.Expr) kernel {
	switch e.Name {
	case "+", "-", "*", "/", "//", "%", "mod", "abs", "@", "floor", "ceil", "ceiling":
		if k := arithKernel(e); k != nil {
			return k
		}
		return timeArithKernel(e)
	case "greatest", "least":
		return extremeKernel(e)
	case "date_trunc", "datetrunc":
		return truncKernel(e)
	case "time_bucket":
		return bucketKernel(e)
	case "strftime":
		return strftimeKernel(e)
	case "struct_extract", "struct_extract_at", "array_extract":
		return structKernel(e)
	case "concat":
		return concatKernel(e)
	case "make_timestamp", "epoch_ms", "to_timestamp", "last_day":
		if k := makeTimeKernel(e); k != nil {
			return k
		}
	}
	if k := partKernel(e); k != nil {
		return k
	}
	return textKernel(e)
}

// makeTimeKernel is that of functions that give a time.
func makeTimeKernel(e *plan.Expr) kernel {
	if len(e.Args) != 1 {
		return nil
	}
	switch t := e.Args[0].Type; {
	case e.Name == "make_timestamp" && t.Kind == types.BigInt:
		return eager(timeFromInt(e.Type, 1))
	case e.Name == "epoch_ms" && t.Kind == types.BigInt:
		return eager(timeFromInt(e.Type, 1000))
	case e.Name == "to_timestamp" && t.Kind == types.Double:
		return eager(timeFromSeconds(e.Type))
	case e.Name == "last_day" && (t.Kind == types.Date || t.Kind == types.Timestamp):
		return eager(lastDay(t))
	}
	return nil
}

func extremeKernel(e *plan.Expr) kernel {
	// DuckDB's greatest and least of INTERVALs don't follow its own comparison; left to it.
	if !sameArgs(e, e.Type) || len(e.Args) >= maxBranches || e.Type.Kind.IsNested() || e.Type.Kind == types.Interval {
		return nil
	}
	sign := 1
	if e.Name == "least" {
		sign = -1
	}
	return eager(extreme(e.Type, sign))
}

func native(e *plan.Expr) bool {
	switch {
	case e.Kind == plan.Column || e.Kind == plan.Param || isNow(e):
		return true
	case e.Kind == plan.Const:
		_, ok := literal(e)
		return ok
	case kernelOf(e) == nil:
		return false
	}
	for _, a := range e.Args {
		if !native(a) {
			return false
		}
	}
	return true
}

func easy(e *plan.Expr) bool {
	switch {
	case native(e):
		return true
	case e.Kind == plan.Const || e.Kind == plan.Column || kernelOf(e) == nil && (hybridOf(e) == nil || !varies(e)):
		return false
	}
	for _, a := range e.Args {
		if !easy(a) {
			return false
		}
	}
	return true
}

func fallible(e *plan.Expr) bool {
	for _, a := range e.Args {
		if fallible(a) {
			return true
		}
	}
	switch e.Kind {
	case plan.Call:
		return !isNow(e) && !total(e)
	case plan.Cast:
		if e.Try {
			return failsInTry(e.Args[0].Type.Kind, e.Type.Kind)
		}
		return !widens(e.Args[0].Type, e.Type)
	}
	return false
}

// total reports whether a call has a value for all operands. Conservative: what isn't listed may fail.
func total(e *plan.Expr) bool {
	switch e.Name {
	case "+", "-", "*", "/", "%", "abs", "@", "floor", "ceil", "ceiling":
		return floating(e.Type) && sameArgs(e, e.Type)
	case "//", "mod":
		return false
	case "struct_extract", "struct_extract_at":
		return true
	}
	return totalFunctions[e.Name] || len(e.Args) > 0 && temporal(e.Args[len(e.Args)-1].Type) && partKernel(e) != nil
}

// totalFunctions have a value for all operands.
var totalFunctions = map[string]bool{
	"greatest": true, "least": true, "lower": true, "upper": true, "lcase": true, "ucase": true, "length": true, "len": true, "strlen": true,
	"char_length": true, "||": true, "concat": true, "concat_ws": true, "replace": true, "prefix": true, "suffix": true, "starts_with": true,
	"ends_with": true, "contains": true, "^@": true, "position": true, "strpos": true, "instr": true, "trim": true, "ltrim": true, "rtrim": true,
	"reverse": true, "md5": true, "sha256": true, "hash": true, "split_part": true, "~~": true, "!~~": true, "~~*": true, "!~~*": true,
	"list_value": true, "struct_pack": true, "row": true, "list_contains": true, "isnan": true, "isinf": true, "isfinite": true,
	"json_extract_string": true, "->>": true, "dayname": true, "monthname": true,
}

// widens reports whether every value of from has one in to.
func widens(from, to types.Type) bool {
	f, t := from.Kind, to.Kind
	switch {
	case from.Equal(to):
		return true
	case f.IsNested() || t.IsNested():
		return false
	case t == types.Varchar:
		return f != types.Blob
	case t == types.Boolean:
		return f.IsNumeric()
	case f == types.Boolean:
		return t.IsInteger() || t == types.Double || t == types.Float
	case f.IsTime():
		return t.IsTime() || t == types.Date
	case t == types.Double:
		return f.IsNumeric()
	case t == types.Float:
		return f.IsInteger()
	case f.IsInteger() && t.IsInteger():
		a, b := boundsOf(from), boundsOf(to)
		return b.has(a.lo) && b.has(a.hi)
	}
	return false
}
