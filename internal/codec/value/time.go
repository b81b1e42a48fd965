package value

import "math"

const (
	second = int64(1_000_000)
	day    = 24 * 60 * 60 * second
)

// The first and last microsecond of the years 1 to 9999, the range of every time that we read.
var (
	minMicros = Days(1, 1, 1) * day
	maxMicros = Days(10000, 1, 1)*day - 1
)

// Days counts days from 1970-01-01 to a date of the proleptic Gregorian calendar.
func Days(year, month, dom int) int64 {
	// Howard Hinnant's days_from_civil: years start in March, so the leap day comes last.
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + dom - 1
	return int64(era*146097+yoe*365+yoe/4-yoe/100+doy) - 719468
}

func monthDays(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// two reads two digits, or returns a number below -1000.
func two(s []byte) int {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return -1_000_000
	}
	return int(a)*10 + int(b)
}

// Date reads YYYY-MM-DD, the years 1 to 9999, as days from 1970-01-01.
func Date(s []byte) (int32, bool) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, m, d := two(s)*100+two(s[2:]), two(s[5:]), two(s[8:])
	if y < 1 || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return 0, false
	}
	return int32(Days(y, m, d)), true
}

// clock reads HH:MM[:SS[.fraction]] from the start of s as microseconds, and returns what follows. Digits of the fraction beyond
// the sixth are dropped: microseconds are the resolution of every time type.
func clock(s []byte) (micros int64, rest []byte, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, nil, false
	}
	h, m := two(s), two(s[3:])
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, nil, false
	}
	micros, s = int64(h*60+m)*60*second, s[5:]
	if len(s) < 3 || s[0] != ':' {
		return micros, s, true
	}
	sec := two(s[1:])
	if sec < 0 || sec > 59 {
		return 0, nil, false
	}
	micros, s = micros+int64(sec)*second, s[3:]
	if len(s) < 2 || s[0] != '.' || s[1]-'0' > 9 {
		return micros, s, true
	}
	unit := second
	for s = s[1:]; len(s) > 0 && s[0]-'0' <= 9; s = s[1:] {
		unit /= 10
		micros += int64(s[0]-'0') * unit
	}
	return micros, s, true
}

// Time reads HH:MM[:SS[.ffffff]] as microseconds from midnight.
func Time(s []byte) (int64, bool) {
	micros, rest, ok := clock(s)
	return micros, ok && len(rest) == 0
}

// zone reads Z, +HH, +HHMM or +HH:MM as microseconds to add to local time to get UTC.
func zone(s []byte) (int64, bool) {
	if len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	switch {
	case len(s) == 1 && s[0]|0x20 == 'z', string(s) == "UTC":
		return 0, true
	case len(s) < 3 || s[0] != '+' && s[0] != '-':
		return 0, false
	}
	h, m := two(s[1:]), 0
	switch {
	case len(s) == 5:
		m = two(s[3:])
	case len(s) == 6 && s[3] == ':':
		m = two(s[4:])
	case len(s) != 3:
		return 0, false
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	offset := int64(h*60+m) * 60 * second
	if s[0] == '+' {
		offset = -offset
	}
	return offset, true
}

// Timestamp reads a date and a time of day, separated by T or a space, as microseconds from
// 1970-01-01 UTC, and whether it names a zone. Without one it is taken as UTC. A date alone is its midnight.
func Timestamp(s []byte) (micros int64, zoned, ok bool) {
	if len(s) < 10 {
		return 0, false, false
	}
	days, ok := Date(s[:10])
	if !ok {
		return 0, false, false
	}
	micros = int64(days) * day
	if s = s[10:]; len(s) == 0 {
		return micros, false, true
	}
	if s[0]|0x20 != 't' && s[0] != ' ' {
		return 0, false, false
	}
	of, rest, ok := clock(s[1:])
	if !ok {
		return 0, false, false
	}
	micros += of
	if len(rest) == 0 {
		return micros, false, true
	}
	offset, ok := zone(rest)
	micros += offset
	return micros, true, ok && micros >= minMicros && micros <= maxMicros
}

// Epoch reads a number as a time since 1970-01-01 UTC in microseconds. Its magnitude tells the unit: below 1e11
// seconds (until the year 5138), below 1e14 milliseconds, below 1e17 microseconds, above nanoseconds. Digits below the
// microsecond are dropped.
func Epoch(s []byte) (int64, bool) {
	var d decimalText
	if !d.parse(s) {
		return 0, false
	}
	var scale int
	switch whole := d.n + d.exp; { // digits before the point
	case whole <= 11:
		scale = 6
	case whole <= 14:
		scale = 3
	case whole <= 17:
		scale = 0
	case whole <= 20:
		scale = -3
	default:
		return 0, false
	}
	num, _ := d.scaled(scale, true)
	micros := int64(num.LowBits())
	return micros, num.HighBits() == micros>>63 && micros >= minMicros && micros <= maxMicros
}

// EpochInt is Epoch of an integer.
func EpochInt(v int64) (int64, bool) {
	switch a := max(v, -v); {
	case v == math.MinInt64: // its own negative
		v /= 1000
	case a < 1e11:
		v *= second
	case a < 1e14:
		v *= 1000
	case a >= 1e17:
		v /= 1000
	}
	return v, v >= minMicros && v <= maxMicros
}
