package pgwire

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// serverVersion is the release whose catalog and behaviour clients may expect.
const serverVersion = "15.8"

// Bounds of a session's settings.
const (
	maxSettings     = 200
	maxSettingBytes = 4 << 10
)

// setting is one that SET knows.
type setting struct {
	// value is the default, shown the name as ParameterStatus spells it.
	value, shown string
	// report sends the client each new value.
	report bool
	// check returns the value as it is kept.
	check func(string) (string, error)
	// fixed can't be set.
	fixed bool
}

func only(what string, accepted ...string) func(string) (string, error) {
	return func(v string) (string, error) {
		for _, a := range accepted {
			if strings.EqualFold(strings.ReplaceAll(v, " ", ""), strings.ReplaceAll(a, " ", "")) {
				return accepted[0], nil
			}
		}
		return "", failure("22023", "%s can only be %s here, not %.60q", what, accepted[0], v)
	}
}

func duration(v string) (string, error) {
	d, ok := parseDuration(v)
	if !ok || d < 0 {
		return "", hinted(failure("22023", "invalid value for a time: %.60q", v), `write milliseconds, or a number with a unit: us, ms, s, min, h, d`)
	}
	if d == 0 {
		return "0", nil
	}
	return printDuration(d), nil
}

func boolean(v string) (string, error) {
	b, ok := parseBool([]byte(v))
	if !ok {
		return "", failure("22023", "parameter requires a Boolean value")
	}
	if b {
		return "on", nil
	}
	return "off", nil
}

// settings are those with a meaning, or whose value is checked. A Catalog may know more, which have none.
func settings() map[string]setting {
	zone := func(v string) (string, error) {
		switch strings.ToUpper(v) {
		case "UTC", "GMT", "ETC/UTC", "ETC/GMT", "Z", "ZULU", "DEFAULT", "LOCAL", "0", "+00", "00:00", "+00:00":
			return "UTC", nil
		}
		return "", hinted(failure("22023", "the time zone of a session is always UTC, not %.60q", v),
			"convert in the query: ts AT TIME ZONE 'Europe/Berlin'")
	}
	encoding := func(v string) (string, error) {
		switch strings.ToUpper(strings.NewReplacer("-", "", "_", "", "'", "").Replace(v)) {
		case "UTF8", "UNICODE":
			return "UTF8", nil
		case "SQLASCII":
			return "SQL_ASCII", nil
		}
		return "", failure("22023", "invalid value for parameter \"client_encoding\": %.60q; it is UTF8", v)
	}
	dates := func(v string) (string, error) {
		for part := range strings.SplitSeq(strings.ToUpper(v), ",") {
			switch strings.TrimSpace(part) {
			case "ISO", "YMD", "MDY", "DMY", "US", "EURO", "EUROPEAN", "NONEURO", "DEFAULT":
			default:
				return "", failure("22023", "DateStyle can only be ISO here, not %.60q", v)
			}
		}
		return "ISO, MDY", nil
	}
	return map[string]setting{
		"server_version":                      {value: serverVersion, report: true, fixed: true},
		"server_version_num":                  {value: "150008", fixed: true},
		"server_encoding":                     {value: "UTF8", report: true, fixed: true},
		"integer_datetimes":                   {value: "on", report: true, fixed: true},
		"in_hot_standby":                      {value: "off", report: true, fixed: true},
		"is_superuser":                        {value: "off", report: true, fixed: true},
		"session_authorization":               {value: "leat", report: true, fixed: true},
		"client_encoding":                     {value: "UTF8", report: true, check: encoding},
		"application_name":                    {report: true},
		"datestyle":                           {value: "ISO, MDY", shown: "DateStyle", report: true, check: dates},
		"intervalstyle":                       {value: "postgres", shown: "IntervalStyle", report: true, check: only("IntervalStyle", "postgres")},
		"timezone":                            {value: "UTC", shown: "TimeZone", report: true, check: zone},
		"standard_conforming_strings":         {value: "on", report: true, check: only("standard_conforming_strings", "on", "true", "1", "yes")},
		"default_transaction_read_only":       {value: "off", report: true, check: boolean},
		"bytea_output":                        {value: "hex", check: only("bytea_output", "hex")},
		"search_path":                         {value: `"$user", public`},
		"extra_float_digits":                  {value: "1"},
		"statement_timeout":                   {value: "0", check: duration},
		"idle_in_transaction_session_timeout": {value: "0", check: duration},
		"transaction_isolation":               {value: "read committed", check: isolation},
		"default_transaction_isolation":       {value: "read committed", check: isolation},
		"transaction_read_only":               {value: "off", check: boolean},
	}
}

// isolation takes every level that PostgreSQL has; each statement sees its own moment, which is read committed.
func isolation(v string) (string, error) {
	switch strings.ToLower(v) {
	case "read committed", "read uncommitted", "repeatable read", "serializable", "default":
		return "read committed", nil
	}
	return "", failure("22023", "invalid value for parameter \"transaction_isolation\": %.60q", v)
}

// parseDuration reads milliseconds or a number with a unit.
func parseDuration(v string) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	i := 0
	for i < len(v) && (digit(v[i]) || v[i] == '.' || i == 0 && v[i] == '-') {
		i++
	}
	n, err := strconv.ParseFloat(v[:i], 64)
	unit, ok := map[string]time.Duration{
		"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[strings.TrimSpace(v[i:])]
	if err != nil || !ok || n*float64(unit) > 1<<62 {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// printDuration writes the largest unit that divides d.
func printDuration(d time.Duration) string {
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(d/time.Microsecond), 10) + "us"
}

// vars are the settings of one session.
type vars struct {
	known map[string]setting
	// extra are further names with their defaults, which SET takes and nothing heeds.
	extra map[string]string
	// start are the values with which the session began, set those that were changed since, by lower-case name.
	start, set map[string]string
	// saved are the values before SET LOCAL; nil is none.
	saved map[string]*string
}

func newVars(known map[string]setting, extra map[string]string) vars {
	return vars{known: known, extra: extra, start: map[string]string{}, set: map[string]string{}}
}

func (v *vars) get(name string) (value string, ok bool) {
	name = strings.ToLower(name)
	if value, ok = v.set[name]; ok {
		return value, true
	}
	if value, ok = v.start[name]; ok {
		return value, true
	}
	if s, ok := v.known[name]; ok {
		return s.value, true
	}
	value, ok = v.extra[name]
	return value, ok
}

// check finds a setting and the form in which its value is kept.
func (v *vars) check(name, value string) (key, kept string, err error) {
	key = strings.ToLower(name)
	s, known := v.known[key]
	_, extra := v.extra[key]
	switch {
	case known && s.fixed:
		return key, "", failure("55P02", "parameter %q cannot be changed", name)
	case !known && !extra && !strings.Contains(key, "."):
		return key, "", failure("42704", "unrecognized configuration parameter %.60q", name)
	case len(value) > maxSettingBytes || len(key) > 200:
		return key, "", failure("22023", "the value of %.60q has more than %d bytes", name, maxSettingBytes)
	}
	if s.check != nil {
		if value, err = s.check(value); err != nil {
			return key, "", err
		}
	}
	if _, there := v.set[key]; !there && len(v.set) >= maxSettings {
		return key, "", withState(types.Errorf(types.LimitExceeded, "a session has at most %d settings", maxSettings), "54000")
	}
	return key, value, nil
}

// all are the present values of all settings by name.
func (v *vars) all() map[string]string {
	out := maps.Clone(v.extra)
	if out == nil {
		out = map[string]string{}
	}
	for name, s := range v.known {
		out[name] = s.value
	}
	maps.Copy(out, v.start)
	maps.Copy(out, v.set)
	return out
}

func (v *vars) names() []string { return slices.Sorted(maps.Keys(v.all())) }

// shownName is the name as PostgreSQL spells it.
func (v *vars) shownName(key string) string {
	if s := v.known[key].shown; s != "" {
		return s
	}
	return key
}

// changed are the values that the session has given, by lower-case name.
func (v *vars) changed() map[string]string {
	out := maps.Clone(v.start)
	maps.Copy(out, v.set)
	return out
}

// save remembers a value that a transaction changes for itself.
func (v *vars) save(key string) {
	if _, there := v.saved[key]; there {
		return
	}
	if v.saved == nil {
		v.saved = map[string]*string{}
	}
	v.saved[key] = nil
	if was, ok := v.set[key]; ok {
		v.saved[key] = &was
	}
}

// restore gives the saved values back and names them.
func (v *vars) restore() []string {
	keys := slices.Sorted(maps.Keys(v.saved))
	for _, key := range keys {
		if was := v.saved[key]; was != nil {
			v.set[key] = *was
		} else {
			delete(v.set, key)
		}
	}
	v.saved = nil
	return keys
}
