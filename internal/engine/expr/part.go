package expr

import (
	"math"
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// part takes a number out of a day counted from 1970 and the microseconds of that day.
type part func(day, micros int64) int64

// parts are the functions of that name over DATE, TIMESTAMP and TIMESTAMPTZ (in UTC), and the specifiers of date_part.
var parts = map[string]part{
	"year":        func(day, _ int64) int64 { y, _, _ := civil(day); return y },
	"month":       func(day, _ int64) int64 { _, m, _ := civil(day); return m },
	"day":         func(day, _ int64) int64 { _, _, d := civil(day); return d },
	"quarter":     func(day, _ int64) int64 { _, m, _ := civil(day); return (m + 2) / 3 },
	"dayofweek":   func(day, _ int64) int64 { return weekday(day) % 7 },
	"isodow":      func(day, _ int64) int64 { return weekday(day) },
	"dayofyear":   func(day, _ int64) int64 { y, _, _ := civil(day); return day - dayOf(y, 1, 1) + 1 },
	"week":        func(day, _ int64) int64 { _, w := isoWeek(day); return w },
	"isoyear":     func(day, _ int64) int64 { y, _ := isoWeek(day); return y },
	"hour":        func(_, us int64) int64 { return us / 3_600_000_000 },
	"minute":      func(_, us int64) int64 { return us / 60_000_000 % 60 },
	"second":      func(_, us int64) int64 { return us / 1_000_000 % 60 },
	"millisecond": func(_, us int64) int64 { return us % 60_000_000 / 1000 },
	"microsecond": func(_, us int64) int64 { return us % 60_000_000 },
}

// partNames maps other spellings to those of parts.
var partNames = map[string]string{
	"dow": "dayofweek", "weekday": "dayofweek", "doy": "dayofyear", "weekofyear": "week", "dayofmonth": "day",
	"milliseconds": "millisecond", "microseconds": "microsecond", "seconds": "second", "minutes": "minute", "hours": "hour",
	"days": "day", "months": "month", "years": "year", "weeks": "week", "quarters": "quarter",
}

func partOf(name string) part {
	if p, ok := parts[name]; ok {
		return p
	}
	return parts[partNames[name]]
}

func temporal(t types.Type) bool { return t.Kind == types.Date || t.Kind.IsTime() }

// partKernel is that of year(x), date_part('year', x) and the like; an infinite time has none: NULL.
func partKernel(e *plan.Expr) kernel {
	name, at := e.Name, 0
	if name == "date_part" || name == "datepart" {
		text, ok := constText(e.Args[0])
		if !ok || len(e.Args) != 2 {
			return nil
		}
		name, at = text, 1
	}
	if len(e.Args) != at+1 || !temporal(e.Args[at].Type) {
		return nil
	}
	t := e.Args[at].Type
	var k apply
	switch p := partOf(name); {
	case p != nil && e.Type.Kind == types.BigInt:
		k = splitParts(t, p)
	case name == "epoch" && e.Type.Kind == types.Double && t.Kind != types.TimestampTZ: // ICU adds up parts, and rounds otherwise
		k = epoch(t)
	case t.Kind == types.Date:
		return nil
	case name == "epoch_ms" && e.Type.Kind == types.BigInt:
		k = scaleParts(func(us int64) int64 { return us / 1000 })
	case name == "epoch_us" && e.Type.Kind == types.BigInt:
		k = scaleParts(func(us int64) int64 { return us })
	default:
		return nil
	}
	return eager(func(x *exec, args []operand) operand { return k(x, args[at:]) })
}

// infinite reports whether a DATE or timestamp is one.
func infinite(t types.Type, v int64) bool {
	if t.Kind == types.Date {
		return v == infiniteDay || v == -infiniteDay
	}
	return v == infiniteMicros || v == -infiniteMicros
}

func splitParts(t types.Type, p part) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(types.Of(types.BigInt), x.n)
		v.Valid = slices.Clone(args[0].Valid)
		for i, n := range args[0].I64[:x.n] {
			switch {
			case infinite(t, n):
				x.setNull(v, i)
			case t.Kind == types.Date:
				v.I64[i] = p(n, 0)
			default:
				day := floorDiv(n, microsPerDay)
				v.I64[i] = p(day, n-day*microsPerDay)
			}
		}
		return operand{v, false}
	}
}

func scaleParts(f func(micros int64) int64) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(types.Of(types.BigInt), x.n)
		v.Valid = slices.Clone(args[0].Valid)
		for i, n := range args[0].I64[:x.n] {
			v.I64[i] = f(n)
			if n == infiniteMicros || n == -infiniteMicros {
				x.setNull(v, i)
			}
		}
		return operand{v, false}
	}
}

func epoch(t types.Type) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(types.Of(types.Double), x.n)
		v.Valid = slices.Clone(args[0].Valid)
		for i, n := range args[0].I64[:x.n] {
			if t.Kind == types.Date {
				v.F64[i] = float64(n) * 86400
			} else {
				v.F64[i] = float64(n) / 1e6
			}
			if infinite(t, n) {
				x.setNull(v, i)
			}
		}
		return operand{v, false}
	}
}

// timeFromInt is make_timestamp (factor 1) and epoch_ms (1000) of a BIGINT.
func timeFromInt(t types.Type, factor int64) apply {
	beyond := types.Errorf(types.DataError, "a number is out of the range of timestamps")
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = args[0].Valid
		for i, n := range args[0].I64[:x.n] {
			r, over := mul64(n, factor)
			if (over != 0 || r == infiniteMicros || r == -infiniteMicros) && isSet(v.Valid, i) {
				x.fail(i, beyond)
			}
			v.I64[i] = r
		}
		return operand{v, false}
	}
}

// firstMicros is DuckDB's earliest timestamp, 290309-12-22 (BC) 00:00.
const firstMicros = -9223372022400000000

func finiteMicros(n int64) bool { return n >= firstMicros && n < math.MaxInt64 }

// timeFromSeconds is to_timestamp of a DOUBLE.
func timeFromSeconds(t types.Type) apply {
	beyond := types.Errorf(types.DataError, "a number of seconds is out of the range of timestamps")
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = args[0].Valid
		for i, s := range args[0].F64[:x.n] {
			r := math.RoundToEven(s * 1e6)
			if r >= firstMicros && r < 1<<63 {
				v.I64[i] = int64(r)
				continue
			}
			v.I64[i] = 0
			if isSet(v.Valid, i) {
				x.fail(i, beyond)
			}
		}
		return operand{v, false}
	}
}

// lastDay is the last day of the month.
func lastDay(t types.Type) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(types.Of(types.Date), x.n)
		v.Valid = slices.Clone(args[0].Valid)
		for i, n := range args[0].I64[:x.n] {
			if infinite(t, n) {
				x.setNull(v, i)
				continue
			}
			if t.Kind != types.Date {
				n = floorDiv(n, microsPerDay)
			}
			y, m, _ := civil(n)
			v.I64[i] = dayOf(y, m, monthDays(y, m))
		}
		return operand{v, false}
	}
}

// structKernel is struct_extract(x, 'field').
func structKernel(e *plan.Expr) kernel {
	if len(e.Args) != 2 || e.Args[0].Type.Kind != types.Struct || e.Args[1].Kind != plan.Const {
		return nil
	}
	field := -1
	switch v := e.Args[1].Value.(type) {
	case string:
		field = fieldOf(e.Args[0].Type, v)
	case int64:
		field = int(v) - 1
	}
	if field < 0 || field >= len(e.Args[0].Type.Fields) {
		return nil
	}
	return eager(func(_ *exec, args []operand) operand {
		fields, _ := zset.Unpack(args[0].Vec)
		return operand{fields[field], false}
	})
}
