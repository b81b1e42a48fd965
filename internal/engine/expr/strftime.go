package expr

import (
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// moment is what strftime prints.
type moment struct{ day, y, m, d, clock int64 }

var (
	monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayNames   = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
)

// specifiers are those of strftime that kernels print.
var specifiers = map[byte]func(dst []byte, t *moment) []byte{
	'Y': func(dst []byte, t *moment) []byte { return appendPlainYear(dst, t.y) },
	'm': func(dst []byte, t *moment) []byte { return append2(dst, t.m) },
	'd': func(dst []byte, t *moment) []byte { return append2(dst, t.d) },
	'H': func(dst []byte, t *moment) []byte { return append2(dst, t.clock/3_600_000_000) },
	'M': func(dst []byte, t *moment) []byte { return append2(dst, t.clock/60_000_000%60) },
	'S': func(dst []byte, t *moment) []byte { return append2(dst, t.clock/1_000_000%60) },
	'f': func(dst []byte, t *moment) []byte {
		us := t.clock % 1_000_000
		return append2(append2(append2(dst, us/10_000), us/100%100), us%100)
	},
	'j': func(dst []byte, t *moment) []byte {
		n := t.day - dayOf(t.y, 1, 1) + 1
		return append2(append(dst, byte('0'+n/100)), n%100)
	},
	'I': func(dst []byte, t *moment) []byte { return append2(dst, (t.clock/3_600_000_000+11)%12+1) },
	'p': func(dst []byte, t *moment) []byte {
		if t.clock < microsPerDay/2 {
			return append(dst, "AM"...)
		}
		return append(dst, "PM"...)
	},
	'b': func(dst []byte, t *moment) []byte { return append(dst, monthNames[t.m-1][:3]...) },
	'B': func(dst []byte, t *moment) []byte { return append(dst, monthNames[t.m-1]...) },
	'a': func(dst []byte, t *moment) []byte { return append(dst, dayNames[weekday(t.day)-1][:3]...) },
	'A': func(dst []byte, t *moment) []byte { return append(dst, dayNames[weekday(t.day)-1]...) },
	'%': func(dst []byte, _ *moment) []byte { return append(dst, '%') },
}

func appendPlainYear(dst []byte, y int64) []byte {
	if y >= 0 && y <= 9999 {
		return append2(append2(dst, y/100), y%100)
	}
	return appendInt(dst, y)
}

// strftimeKernel is strftime(x, 'format') of DATE and TIMESTAMP.
func strftimeKernel(e *plan.Expr) kernel {
	if len(e.Args) != 2 || e.Args[0].Type.Kind != types.Date && e.Args[0].Type.Kind != types.Timestamp {
		return nil
	}
	format, ok := constText(e.Args[1])
	if !ok {
		return nil
	}
	for i := 0; i < len(format); i++ {
		if format[i] == '%' {
			if i++; i == len(format) || specifiers[format[i]] == nil {
				return nil
			}
		}
	}
	t := e.Args[0].Type
	return eager(textOp(e.Type, func(dst []byte, a []operand, i int) []byte {
		n := a[0].int(i)
		if infinite(t, n) {
			return appendDate(dst, sign(n)*infiniteDay)
		}
		return appendFormat(dst, format, momentOf(t, n))
	}))
}

func sign(n int64) int64 { return n>>63 | 1 }

func momentOf(t types.Type, n int64) moment {
	var at moment
	if at.day = n; t.Kind != types.Date {
		at.day = floorDiv(n, microsPerDay)
		at.clock = n - at.day*microsPerDay
	}
	at.y, at.m, at.d = civil(at.day)
	return at
}

func appendFormat(dst []byte, format string, at moment) []byte {
	for i := 0; i < len(format); i++ {
		if format[i] == '%' {
			i++
			dst = specifiers[format[i]](dst, &at)
		} else {
			dst = append(dst, format[i])
		}
	}
	return dst
}
