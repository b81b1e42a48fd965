package ddl

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// Bounds of options.
const (
	MaxPartitions  = 256
	MaxDescription = 4096 // bytes
)

var optionNames = []string{"ttl", "max_future", "idle", "partitions", "event_time", "closed", "description"}

// endpointOptionNames are the options of CREATE ENDPOINT.
var endpointOptionNames = []string{"description", "rate", "burst", "concurrent", "timeout", "max_rows", "max_bytes", "stale_if_overloaded", "cache"}

// Bounds of the options of endpoints.
const (
	maxRate    = 1_000_000
	maxRows    = 10_000_000
	maxBytes   = 1 << 40
	maxTimeout = 5 * time.Minute
	maxStale   = 7 * 24 * time.Hour
)

// options takes "(name = value, ...)"; known limits the names.
func (p *parser) options(known ...string) Options {
	if len(known) == 0 {
		known = optionNames
	}
	var o Options
	var seen []string
	p.list(func() {
		name := p.optionName(known)
		if slices.Contains(seen, name.Name) {
			p.fail(name.Pos, "option %s is given twice", name.Name).WithHint("leave one out")
		}
		seen = append(seen, name.Name)
		p.expect("=")
		p.option(&o, name.Name)
	})
	return o
}

func (p *parser) optionName(known []string) Ident {
	name := p.ident("the name of an option")
	if p.err == nil && !slices.Contains(known, name.Name) {
		e := p.fail(name.Pos, "unknown option %s", types.QuoteIdent(name.Name))
		if near := nearest(name.Name, known); near != "" {
			e.WithHint("did you mean %s? The options are %s", near, strings.Join(known, ", "))
		} else {
			e.WithHint("the options are " + strings.Join(known, ", "))
		}
	}
	return name
}

func (p *parser) option(o *Options, name string) {
	t := p.tok
	switch name {
	case "ttl":
		d := p.duration()
		o.TTL = &d
	case "max_future":
		d := p.duration()
		if d == 0 {
			p.fail(t.start, "max_future must be more than 0").WithHint("the default is '1 hour'")
		}
		o.MaxFuture = &d
	case "idle":
		d := p.duration()
		o.Idle = &d
	case "partitions":
		n, err := strconv.ParseUint(p.src(t), 10, 32)
		if t.kind != number || err != nil || n < 1 || n > MaxPartitions {
			p.expected("a number of partitions from 1 to " + strconv.Itoa(MaxPartitions))
		}
		v := uint32(n)
		o.Partitions = &v
		p.advance()
	case "event_time":
		id := Ident{Pos: t.start}
		if t.kind == text {
			id.Name = t.value(p.lex.src)
			p.advance()
		} else {
			id = p.ident("a column name")
		}
		o.EventTime = &id
	case "closed":
		o.Closed = p.boolean()
	case "description":
		if t.kind != text {
			p.expected("a text in quotes")
			return
		}
		v := t.value(p.lex.src)
		if len(v) > MaxDescription {
			p.fail(t.start, "the description has %d bytes; the limit is %d", len(v), MaxDescription).WithHint("shorten it")
		}
		o.Description = &v
		p.advance()
	default:
		p.endpointOption(o, name)
	}
}

// endpointOption takes the value of an option that only endpoints have.
func (p *parser) endpointOption(o *Options, name string) {
	switch name {
	case "rate":
		v, err := strconv.ParseFloat(p.src(p.tok), 64)
		if p.tok.kind != number || err != nil || v < 1.0/3600 || v > maxRate {
			p.expected("a number of calls a second, from 0.0003 (one an hour) to " + strconv.Itoa(maxRate))
		}
		o.Rate = &v
		p.advance()
	case "burst":
		o.Burst = p.count(maxRate)
	case "concurrent":
		o.Concurrent = p.count(maxRate)
	case "max_rows":
		o.MaxRows = p.count(maxRows)
	case "max_bytes":
		n := int64(*p.count(maxBytes))
		o.MaxBytes = &n
	case "timeout":
		o.Timeout = p.between(time.Millisecond, maxTimeout)
	case "stale_if_overloaded":
		o.StaleIfOverloaded = p.between(0, maxStale)
	case "cache":
		o.Cache = p.boolean()
	}
}

// boolean takes true or false.
func (p *parser) boolean() *bool {
	v := p.is("TRUE")
	if !v && !p.is("FALSE") {
		p.expected("true or false", "true", "false")
	}
	p.advance()
	return &v
}

// count takes a whole number from 1 to most.
func (p *parser) count(most int) *int {
	n, err := strconv.Atoi(p.src(p.tok))
	if p.tok.kind != number || err != nil || n < 1 || n > most {
		p.expected("a number from 1 to " + strconv.Itoa(most))
	}
	p.advance()
	return &n
}

// between takes a span of time within bounds.
func (p *parser) between(least, most time.Duration) *time.Duration {
	start := p.tok.start
	d := p.duration()
	if p.err == nil && (d < least || d > most) {
		p.fail(start, "the span of time must be %s to %s", least, most).WithHint("choose one between them")
	}
	return &d
}

// duration takes a span of time: INTERVAL '5' SECOND, INTERVAL (5) SECOND, INTERVAL '5 seconds', '5s' or 0.
func (p *parser) duration() time.Duration {
	start := p.tok.start
	interval := p.accept("INTERVAL")
	bracket := interval && p.accept("(")
	t := p.tok
	var s string
	switch {
	case t.kind == text:
		s = t.value(p.lex.src)
	case t.kind == number && (interval || p.src(t) == "0"):
		s = p.src(t)
	default:
		p.expected("a span of time such as '10 seconds' or INTERVAL '7 days'")
		return 0
	}
	p.advance()
	if bracket {
		p.expect(")")
	}
	if _, bad := unitOf(p.src(p.tok)); interval && p.tok.kind == word && (t.kind == number || bad == "") {
		s += " " + p.src(p.tok)
		p.advance()
	}
	d, problem := parseDuration(s)
	if problem != "" {
		p.fail(start, "%q is not a span of time: %s", s, problem).
			WithHint("write '500 ms', '10 seconds', '5 minutes', '1 hour', '7 days' or '2 weeks'")
	}
	return d
}

var units = map[string]int64{ // in microseconds
	"us": 1, "microsecond": 1, "ms": 1e3, "msec": 1e3, "millisecond": 1e3, "s": 1e6, "sec": 1e6, "second": 1e6,
	"m": 60e6, "min": 60e6, "minute": 60e6, "h": 3600e6, "hr": 3600e6, "hour": 3600e6, "d": 86400e6, "day": 86400e6,
	"w": 7 * 86400e6, "week": 7 * 86400e6,
}

var calendar = []string{"mon", "month", "y", "yr", "year", "quarter", "decade", "century", "centurie", "millennium"}

func unitOf(s string) (micros int64, problem string) {
	s = strings.ToLower(s)
	one := strings.TrimSuffix(s, "s")
	if u, ok := units[s]; ok {
		return u, ""
	}
	if u, ok := units[one]; ok {
		return u, ""
	}
	if slices.Contains(calendar, one) || s == "century" {
		return 0, s + " has no fixed length; use days"
	}
	return 0, "unknown unit " + strconv.Quote(s)
}

// parseDuration reads "1 day 2.5 hours", "10s", "1h30m" or "0". It keeps microseconds.
func parseDuration(s string) (time.Duration, string) {
	rest := strings.TrimSpace(s)
	if rest == "0" {
		return 0, ""
	}
	if rest == "" {
		return 0, "it is empty"
	}
	var sum int64
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			return 0, "the unit is missing"
		}
		if n == 0 {
			if rest[0] == '-' {
				return 0, "it is negative"
			}
			return 0, "a number is missing"
		}
		amount := rest[:n]
		rest = strings.TrimLeft(rest[n:], " \t\r\n")
		n = strings.IndexFunc(rest, func(r rune) bool { return r < 'A' || r > 'z' })
		if n < 0 {
			n = len(rest)
		}
		unit, problem := unitOf(rest[:n])
		if problem != "" {
			return 0, problem
		}
		micros, ok := times(amount, unit)
		if !ok || sum > math.MaxInt64/1000-micros {
			return 0, "it is too long or too precise"
		}
		sum += micros
		rest = strings.TrimLeft(rest[n:], " \t\r\n")
	}
	return time.Duration(sum) * time.Microsecond, ""
}

// times multiplies a decimal number by a unit, exactly.
func times(amount string, unit int64) (int64, bool) {
	whole, fraction, _ := strings.Cut(amount, ".")
	if whole == "" {
		whole = "0"
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 6 || n > math.MaxInt64/1000/unit {
		return 0, false
	}
	scale := int64(1)
	for range fraction {
		scale *= 10
	}
	f := int64(0)
	if fraction != "" {
		if f, err = strconv.ParseInt(fraction, 10, 64); err != nil {
			return 0, false
		}
	}
	return n*unit + f*unit/scale, f*unit%scale == 0
}
