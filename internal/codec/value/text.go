package value

import (
	"bytes"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

// UUID reads the 36 characters of RFC 9562, in either case.
func UUID(s []byte) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	n := 0
	for i := 0; i < 36; i += 2 {
		if s[i] == '-' {
			i++
		}
		hi, lo := hexDigit(s[i]), hexDigit(s[i+1])
		if hi > 15 || lo > 15 {
			return u, false
		}
		u[n] = hi<<4 | lo
		n++
	}
	return u, true
}

func hexDigit(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// Interval reads an interval as DuckDB prints it ("1 year 2 months 3 days -04:05:06.7") or as ISO 8601 ("P1Y2M3DT4H5M6.7S").
func Interval(s []byte) (arrow.MonthDayNanoInterval, bool) {
	if len(s) > 1 && s[0] == 'P' {
		return isoInterval(s[1:])
	}
	var v intervalSum
	words := bytes.Fields(s)
	for i := 0; i < len(words); i++ {
		if bytes.IndexByte(words[i], ':') >= 0 {
			if !v.clock(words[i]) || i != len(words)-1 {
				return arrow.MonthDayNanoInterval{}, false
			}
			break
		}
		if i++; i == len(words) || !v.add(words[i-1], string(bytes.TrimSuffix(words[i], []byte("s")))) {
			return arrow.MonthDayNanoInterval{}, false
		}
	}
	out, ok := v.interval()
	return out, ok && len(words) > 0
}

func isoInterval(s []byte) (arrow.MonthDayNanoInterval, bool) {
	var v intervalSum
	units := map[byte]string{'Y': "year", 'M': "month", 'W': "week", 'D': "day"}
	parts := 0
	for len(s) > 0 {
		if s[0] == 'T' {
			s, units = s[1:], map[byte]string{'H': "hour", 'M': "minute", 'S': "second"}
			continue
		}
		i := bytes.IndexFunc(s, func(r rune) bool { return r >= 'A' })
		if i <= 0 || !v.add(s[:i], units[s[i]]) {
			return arrow.MonthDayNanoInterval{}, false
		}
		s = s[i+1:]
		parts++
	}
	out, ok := v.interval()
	return out, ok && parts > 0
}

// intervalSum adds up the parts of an interval; months and days are whole, the rest is microseconds.
type intervalSum struct {
	months, days, micros int64
	overflow             bool
}

func (v *intervalSum) add(number []byte, unit string) bool {
	var d decimalText
	if !d.parse(number) {
		return false
	}
	num, status := d.scaled(6, false)
	n := int64(num.LowBits()) // in millionths
	if status != Exact || num.HighBits() != n>>63 || max(n, -n) > math.MaxInt64/3600 {
		return false
	}
	whole := n / second
	switch unit {
	case "year":
		v.months += whole * 12
	case "month", "mon":
		v.months += whole
	case "week":
		v.days += whole * 7
	case "day":
		v.days += whole
	case "hour":
		v.time(n * 3600)
		return true
	case "minute", "min":
		v.time(n * 60)
		return true
	case "second", "sec":
		v.time(n)
		return true
	default:
		return false
	}
	return n%second == 0
}

func (v *intervalSum) time(micros int64) {
	sum := v.micros + micros
	v.overflow = v.overflow || (sum > v.micros) != (micros > 0) && micros != 0
	v.micros = sum
}

// clock adds [-]H+:MM[:SS[.ffffff]].
func (v *intervalSum) clock(s []byte) bool {
	negative := s[0] == '-'
	if negative || s[0] == '+' {
		s = s[1:]
	}
	i := bytes.IndexByte(s, ':')
	if i <= 0 {
		return false
	}
	hours, status := Int(s[:i])
	if status != Exact || hours < 0 || hours > math.MaxInt64/3600/second {
		return false
	}
	var buf [32]byte
	micros, rest, ok := clock(append(append(buf[:0], '0', '0'), s[i:]...))
	if !ok || len(rest) > 0 {
		return false
	}
	micros += hours * 3600 * second
	if negative {
		micros = -micros
	}
	v.time(micros)
	return true
}

func (v *intervalSum) interval() (arrow.MonthDayNanoInterval, bool) {
	out := arrow.MonthDayNanoInterval{Months: int32(v.months), Days: int32(v.days), Nanoseconds: v.micros * 1000}
	ok := !v.overflow && int64(out.Months) == v.months && int64(out.Days) == v.days && out.Nanoseconds/1000 == v.micros
	return out, ok
}
