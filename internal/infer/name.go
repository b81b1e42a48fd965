package infer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// freeName returns key, or key with the first of _2, _3, ... that makes it free.
func freeName(key string, taken func(string) bool) string {
	name := key
	for i := 2; taken(name); i++ {
		suffix := fmt.Sprintf("_%d", i)
		base := key
		for len(base)+len(suffix) > 255 {
			_, n := utf8.DecodeLastRuneInString(base)
			base = base[:len(base)-n]
		}
		name = base + suffix
	}
	return name
}

// snake returns a name in lower case with its words set apart by underscores: dateTime is date_time.
func snake(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		if unicode.IsUpper(r) && lower {
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r) || unicode.IsDigit(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.TrimLeft(b.String(), "@_$")
}

// eventTimes are the names of event-time columns, the likeliest first.
var eventTimes = []string{
	"event_time", "event_timestamp", "event_ts", "timestamp", "ts", "time", "date_time", "datetime", "occurred_at", "happened_at",
	"event_date", "created_at", "created", "time_stamp",
}

var timeSuffixes = []string{"_at", "_time", "_ts", "_timestamp", "_date", "_datetime"}

// timeLike reports whether a field's name says that its numbers are times.
func timeLike(name string) bool {
	name = snake(name)
	for _, unit := range []string{"_ms", "_us", "_micros", "_millis"} {
		name = strings.TrimSuffix(name, unit)
	}
	for _, n := range eventTimes {
		if name == n {
			return true
		}
	}
	for _, s := range timeSuffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return name == "date" || name == "updated"
}
