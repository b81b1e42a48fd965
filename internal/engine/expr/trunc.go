package expr

import (
	"math"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// fieldOf is the position of a struct's field, names compared without case as DuckDB does; -1 if there is none.
func fieldOf(t types.Type, name string) int {
	for i, f := range t.Fields {
		if strings.EqualFold(f.Name, name) {
			return i
		}
	}
	return -1
}

// truncUnits are the parts of date_trunc that are a fixed number of µs.
var truncUnits = map[string]int64{
	"microsecond": 1, "microseconds": 1, "millisecond": 1000, "milliseconds": 1000, "second": 1_000_000, "seconds": 1_000_000,
	"minute": 60_000_000, "minutes": 60_000_000, "hour": 3_600_000_000, "hours": 3_600_000_000, "day": microsPerDay, "days": microsPerDay,
}

// truncDays are those that are whole days, as the first day of the period that a day is in.
var truncDays = map[string]func(day int64) int64{
	"week":    func(day int64) int64 { return day - weekday(day) + 1 },
	"month":   func(day int64) int64 { y, m, _ := civil(day); return dayOf(y, m, 1) },
	"quarter": func(day int64) int64 { y, m, _ := civil(day); return dayOf(y, (m-1)/3*3+1, 1) },
	"year":    func(day int64) int64 { y, _, _ := civil(day); return dayOf(y, 1, 1) },
}

// truncKernel is date_trunc('part', x) of DATE and timestamps, giving a timestamp.
func truncKernel(e *plan.Expr) kernel {
	if len(e.Args) != 2 || !temporal(e.Args[1].Type) || !e.Type.Kind.IsTime() {
		return nil
	}
	name, ok := constText(e.Args[0])
	if !ok {
		return nil
	}
	unit := truncUnits[name]
	first := truncDays[strings.TrimSuffix(name, "s")]
	if unit == 0 && first == nil {
		return nil
	}
	return timeKernel(e, 1, func(us int64) (int64, bool) {
		if unit > 0 {
			return floorDiv(us, unit) * unit, true
		}
		return times(first(floorDiv(us, microsPerDay)), microsPerDay)
	})
}

func times(n, factor int64) (int64, bool) {
	r, over := mul64(n, factor)
	return r, over == 0
}

// timeKernel applies f to operand at, a DATE or timestamp, as µs; infinite ones stay what they are. f reports false where it overflows.
func timeKernel(e *plan.Expr, at int, f func(micros int64) (int64, bool)) kernel {
	t := e.Type
	isDate := e.Args[at].Type.Kind == types.Date
	beyond := types.Errorf(types.DataError, "a time is out of the range of %s", t)
	return eager(func(x *exec, args []operand) operand {
		a := args[at]
		v := x.vec(t, x.n)
		v.Valid = x.valid(args...)
		for i := range v.I64 {
			n := a.I64[a.at(i)]
			if infinite(a.Type, n) {
				v.I64[i] = infiniteMicros
				if n < 0 {
					v.I64[i] = -infiniteMicros
				}
				continue
			}
			ok := true
			if isDate {
				n, ok = times(n, microsPerDay)
			}
			if ok {
				n, ok = f(n)
			}
			if !ok || !finiteMicros(n) {
				if isSet(v.Valid, i) {
					x.fail(i, beyond)
				}
				n = 0
			}
			v.I64[i] = n
		}
		return operand{v, false}
	})
}

const (
	bucketOrigin      = 946_857_600_000_000 // 2000-01-03, a Monday, from which time_bucket counts
	bucketOriginMonth = 30 * 12             // 2000-01, for widths in months
)

// bucketKernel is time_bucket(width, x) for a constant, valid width.
func bucketKernel(e *plan.Expr) kernel {
	if len(e.Args) != 2 || !e.Args[1].Type.Kind.IsTime() || e.Args[0].Kind != plan.Const {
		return nil
	}
	w, ok := e.Args[0].Value.(plan.Interval)
	if !ok {
		return nil
	}
	if w.Months > 0 && w.Days == 0 && w.Micros == 0 {
		return timeKernel(e, 1, func(us int64) (int64, bool) {
			y, m, _ := civil(floorDiv(us, microsPerDay))
			n := (y-1970)*12 + m - 1 - bucketOriginMonth
			n = floorDiv(n, int64(w.Months))*int64(w.Months) + bucketOriginMonth
			return times(dayOf(1970+floorDiv(n, 12), n-floorDiv(n, 12)*12+1, 1), microsPerDay)
		})
	}
	days, over := mul64(int64(w.Days), microsPerDay)
	width := days + w.Micros
	if w.Months != 0 || over != 0 || w.Micros < 0 || w.Days < 0 || width <= 0 {
		return nil
	}
	origin := bucketOrigin % width
	return timeKernel(e, 1, func(us int64) (int64, bool) {
		if us < math.MinInt64+origin {
			return 0, false
		}
		bucket, ok := times(floorDiv(us-origin, width), width)
		return bucket + origin, ok
	})
}
