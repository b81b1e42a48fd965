package expr

import (
	"math"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// timeArithKernel is + and - with DATE, timestamps and INTERVAL.
func timeArithKernel(e *plan.Expr) kernel {
	if len(e.Args) != 2 || e.Name != "+" && e.Name != "-" {
		return nil
	}
	a, b := e.Args[0].Type, e.Args[1].Type
	minus := e.Name == "-"
	if e.Type.Kind == types.TimestampTZ && !oneStep(e.Args[0]) && !oneStep(e.Args[1]) {
		return nil
	}
	switch {
	case temporal(a) && b.Kind == types.Interval && e.Type.Kind.IsTime():
		return shiftKernel(e, 0, 1, minus)
	case a.Kind == types.Interval && temporal(b) && e.Type.Kind.IsTime() && !minus:
		return shiftKernel(e, 1, 0, false)
	case a.Kind == types.Date && b.Kind == types.Integer && e.Type.Kind == types.Date:
		return eager(shiftDate(minus))
	case minus && a.Kind == types.Timestamp && b.Kind == types.Timestamp && e.Type.Kind == types.Interval:
		return eager(timeDifference)
	}
	return nil
}

// oneStep reports whether e is a constant INTERVAL of months alone or without months: in others DuckDB's order of steps for TIMESTAMPTZ is
// ICU's.
func oneStep(e *plan.Expr) bool {
	iv, ok := e.Value.(plan.Interval)
	return ok && e.Kind == plan.Const && (iv.Months == 0 || iv.Days == 0 && iv.Micros == 0)
}

// shiftKernel adds an interval: months first, with the day cut to the month's length, then days, then time.
func shiftKernel(e *plan.Expr, at, by int, minus bool) kernel {
	t := e.Type
	base := e.Args[at].Type
	beyond := types.Errorf(types.DataError, "overflow of %s %s INTERVAL", base, e.Name)
	return eager(func(x *exec, args []operand) operand {
		a, b := args[at], args[by]
		v := x.vec(t, x.n)
		v.Valid = x.valid(a, b)
		var iv plan.Interval
		if b.one {
			iv = readInterval(b.Bytes(0))
		}
		for i := range v.I64 {
			n := a.I64[a.at(i)]
			if infinite(base, n) {
				v.I64[i] = infiniteMicros
				if n < 0 {
					v.I64[i] = -infiniteMicros
				}
				continue
			}
			if !b.one {
				iv = readInterval(b.Bytes(i))
			}
			r, ok := shift(base, n, iv, minus)
			if !ok && isSet(v.Valid, i) {
				x.fail(i, beyond)
			}
			v.I64[i] = r
		}
		return operand{v, false}
	})
}

func shift(t types.Type, n int64, iv plan.Interval, minus bool) (int64, bool) {
	months, days, us := int64(iv.Months), int64(iv.Days), iv.Micros
	if minus {
		if us == math.MinInt64 {
			return 0, false
		}
		months, days, us = -months, -days, -us
	}
	day, clock := n, int64(0)
	if t.Kind != types.Date {
		day = floorDiv(n, microsPerDay)
		clock = n - day*microsPerDay
	}
	if months != 0 {
		y, m, d := civil(day)
		m += months - 1
		y, m = y+floorDiv(m, 12), m-floorDiv(m, 12)*12+1
		day = dayOf(y, m, min(d, monthDays(y, m)))
	}
	base, ok := times(day+days, microsPerDay)
	if !ok {
		return 0, false
	}
	r := base + clock
	s := r + us
	if (s^r)&(s^us) < 0 || r < base {
		return 0, false
	}
	return s, finiteMicros(s)
}

// shiftDate adds days to a DATE.
func shiftDate(minus bool) apply {
	beyond := types.Errorf(types.DataError, "a date is out of range")
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		v := x.vec(types.Of(types.Date), x.n)
		v.Valid = x.valid(a, b)
		for i := range v.I64 {
			n, d := a.I64[a.at(i)], b.I64[b.at(i)]
			if minus {
				d = -d
			}
			v.I64[i] = n
			if infinite(a.Type, n) {
				continue
			}
			if v.I64[i] = n + d; (n+d < math.MinInt32 || n+d == -infiniteDay || n+d >= infiniteDay) && isSet(v.Valid, i) {
				x.fail(i, beyond)
			}
		}
		return operand{v, false}
	}
}

// timeDifference is the INTERVAL of days and time between two timestamps.
func timeDifference(x *exec, args []operand) operand {
	a, b := args[0], args[1]
	beyond := types.Errorf(types.DataError, "overflow in the difference of two timestamps")
	v := x.vec(types.Of(types.Interval), x.n)
	v.Valid = x.valid(a, b)
	v.Data = make([]byte, 0, 16*x.n)
	for i := range x.n {
		p, q := a.I64[a.at(i)], b.I64[b.at(i)]
		d := p - q
		if ((p^q)&(d^p) < 0 || infinite(a.Type, p) || infinite(b.Type, q)) && isSet(v.Valid, i) {
			x.fail(i, beyond)
		}
		v.Data = zset.Interval{Days: int32(d / microsPerDay), Micros: d % microsPerDay}.Append(v.Data)
		v.Off[i+1] = int32(len(v.Data))
	}
	return operand{v, false}
}
