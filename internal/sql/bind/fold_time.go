package bind

import (
	"strconv"
	"strings"
	"time"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// parseTime reads ISO dates and times as DuckDB does with TimeZone UTC.
func parseTime(s string, k types.Kind) (any, bool) {
	if k == types.Date {
		t, err := time.Parse("2006-01-02", s)
		return t.Unix() / 86400, err == nil && t.Year() >= 1
	}
	s = strings.Replace(s, "T", " ", 1)
	layouts := []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05"}
	if k == types.TimestampTZ {
		layouts = append(layouts, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05-07")
	}
	for _, l := range layouts {
		t, err := time.Parse(l, s)
		// Finer parts than µs are left to DuckDB's rounding.
		if err == nil && t.Year() >= 1 && t.Nanosecond()%1000 == 0 {
			return t.UnixMicro(), true
		}
	}
	return nil, false
}

// unitNames are the words of intervals as text, and the functions that make the same.
var unitNames = map[string]string{
	"microsecond": "to_microseconds", "us": "to_microseconds", "millisecond": "to_milliseconds", "ms": "to_milliseconds",
	"second": "to_seconds", "sec": "to_seconds", "s": "to_seconds", "minute": "to_minutes", "min": "to_minutes", "hour": "to_hours", "h": "to_hours",
	"day": "to_days", "d": "to_days", "week": "to_weeks", "month": "to_months", "quarter": "to_quarters", "year": "to_years",
}

// parseInterval reads pairs of a whole number and a unit, and hh:mm:ss.
func parseInterval(s string) (any, bool) {
	words := strings.Fields(s)
	var sum any = plan.Interval{}
	for len(words) > 0 {
		var part any
		ok := false
		if strings.Contains(words[0], ":") {
			part, ok = parseClock(words[0])
			words = words[1:]
		} else if len(words) > 1 {
			part, ok = parseUnit(words[0], words[1])
			words = words[2:]
		}
		if !ok {
			return nil, false
		}
		if sum, ok = foldIntervals("+", sum, part); !ok {
			return nil, false
		}
	}
	return sum, strings.TrimSpace(s) != ""
}

func parseUnit(number, unit string) (any, bool) {
	unit = strings.ToLower(unit)
	name, ok := unitNames[unit]
	if !ok {
		if name, ok = unitNames[strings.TrimSuffix(unit, "s")]; !ok {
			return nil, false
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return nil, false
	}
	return foldInteger(name, n, types.Of(types.Interval))
}

func parseClock(s string) (any, bool) {
	t, err := time.Parse("15:04:05", s)
	if err != nil || t.Nanosecond()%1000 != 0 {
		return nil, false
	}
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return plan.Interval{Micros: t.Sub(midnight).Microseconds()}, true
}
