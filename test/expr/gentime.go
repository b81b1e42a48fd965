package expr

import (
	"leat/internal/sql/plan"
	"leat/internal/types"
)

var (
	varchar   = types.Of(types.Varchar)
	bigint    = types.Of(types.BigInt)
	integer32 = types.Of(types.Integer)
	double64  = types.Of(types.Double)
	date      = types.Of(types.Date)
	timestamp = types.Of(types.Timestamp)
	zoned     = types.Of(types.TimestampTZ)
	span      = types.Of(types.Interval)
)

func word(s string) *plan.Expr { return plan.Lit(s, varchar) }

// castable are pairs that DuckDB casts.
func castable(from, to types.Type) bool {
	f, t := from.Kind, to.Kind
	number := func(k types.Kind) bool { return k.IsNumeric() || k == types.Boolean }
	switch {
	case f == t && f != types.Decimal || f == types.Blob || t == types.Blob:
		return false
	case number(f) && number(t), f == types.Varchar, t == types.Varchar:
		return true
	case f == types.Date && (t == types.Timestamp || t == types.TimestampTZ), f.IsTime() && (t.IsTime() || t == types.Date || t == types.Time && f == types.Timestamp):
		return true
	}
	return false
}

func (g *generator) cast(t types.Type, d int) *plan.Expr {
	for range 10 {
		from := g.any()
		if !castable(from, t) {
			continue
		}
		e := of(plan.Cast, t, g.expr(from, d))
		e.Try = g.safe > 0 || g.r.IntN(3) == 0
		return e
	}
	return nil
}

func (g *generator) text(d int) *plan.Expr {
	s := func() *plan.Expr { return g.expr(varchar, d) }
	n := func() *plan.Expr { return plan.Lit(int64(g.r.IntN(9)-3), bigint) }
	switch g.r.IntN(14) {
	case 0, 1:
		return call([]string{"lower", "upper"}[g.r.IntN(2)], varchar, s())
	case 2:
		return call("||", varchar, s(), s())
	case 3:
		return call("concat", varchar, s(), s(), s())
	case 4:
		return call("substring", varchar, s(), n())
	case 5, 6:
		return call("substring", varchar, s(), n(), n())
	case 7:
		return call([]string{"left", "right"}[g.r.IntN(2)], varchar, s(), n())
	case 8:
		return call("replace", varchar, s(), g.leaf(varchar), g.leaf(varchar))
	case 9:
		return call("split_part", varchar, s(), word([]string{",", "X", "", "/", "ab"}[g.r.IntN(5)]), n())
	case 10:
		return call([]string{"trim", "ltrim", "rtrim"}[g.r.IntN(3)], varchar, s())
	case 11:
		formats := []string{"%Y-%m-%d", "%H:%M:%S", "%Y%m%dT%H%M%S.%f", "%g %j %y %-d", "%b %a", "%Y-%m-%d %H:%M", "%%", "%d.%m.%Y %I %p"}
		return call("strftime", varchar, g.expr(g.pick(timestamp, date), d), word(formats[g.r.IntN(len(formats))]))
	case 12:
		return call("regexp_extract", varchar, s(), word("([a-z]+)"))
	}
	return call([]string{"reverse", "md5"}[g.r.IntN(2)], varchar, s())
}

func (g *generator) textTest(d int) *plan.Expr {
	s := g.expr(varchar, d)
	switch g.r.IntN(4) {
	case 0:
		names := []string{"prefix", "suffix", "contains", "starts_with", "ends_with"}
		return call(names[g.r.IntN(len(names))], boolean, s, g.leaf(varchar))
	case 1:
		patterns := []string{"%", "a%", "%a", "%a%", "a_c", "_", "a%c", "%é%", "", "ab", "__", "%a%b%", "日%", `a\%c`, "a%b%c"}
		return call([]string{"~~", "!~~"}[g.r.IntN(2)], boolean, s, word(patterns[g.r.IntN(len(patterns))]))
	case 2:
		return call("~~", boolean, s, g.leaf(varchar))
	}
	return call("regexp_matches", boolean, s, word("^[a-z]"))
}

// part draws a BIGINT out of a text or a time.
func (g *generator) part(d int) *plan.Expr {
	names := []string{"year", "month", "day", "hour", "minute", "second", "millisecond", "microsecond", "quarter", "dayofweek", "isodow", "dayofyear", "week",
		"epoch_ms", "epoch_us", "epoch_ns", "weekday", "yearweek", "decade", "century", "isoyear"}
	switch g.r.IntN(5) {
	case 0:
		return call([]string{"length", "strlen", "len", "position"}[g.r.IntN(3)], bigint, g.expr(varchar, d))
	case 1:
		parts := []string{"year", "month", "day", "hour", "minute", "second", "milliseconds", "dow", "doy", "week", "quarter", "microsecond"}
		return call("date_part", bigint, word(parts[g.r.IntN(len(parts))]), g.expr(g.pick(timestamp, date, zoned), d))
	case 2:
		parts := []string{"day", "hour", "minute", "month", "year", "second", "week", "quarter", "millisecond"}
		t := g.pick(timestamp, date)
		return call([]string{"date_diff", "date_sub"}[g.r.IntN(2)], bigint, word(parts[g.r.IntN(len(parts))]), g.expr(t, d), g.expr(t, d))
	}
	name := names[g.r.IntN(len(names))]
	t := g.pick(timestamp, date, zoned)
	if len(name) > 5 && name[:5] == "epoch" && g.safe > 0 {
		return nil
	}
	return call(name, bigint, g.expr(t, d))
}

var truncParts = []string{"microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade"}

func (g *generator) time(t types.Type, d int) *plan.Expr {
	if g.safe > 0 {
		return nil
	}
	sign := []string{"+", "-"}[g.r.IntN(2)]
	switch t.Kind {
	case types.Timestamp:
		switch g.r.IntN(8) {
		case 0, 1:
			return call("date_trunc", t, word(truncParts[g.r.IntN(len(truncParts))]), g.expr(g.pick(timestamp, date), d))
		case 2, 3:
			return call(sign, t, g.expr(g.pick(timestamp, date), d), g.expr(span, d))
		case 4:
			return call("make_timestamp", t, castTo(bigint, g.expr(integer32, d)))
		case 5:
			return call("time_bucket", t, g.leaf(span), g.expr(t, d), g.leaf(g.pick(t, span)))
		}
		return call("time_bucket", t, plan.Lit(interval(g.r), span), g.expr(t, d))
	case types.TimestampTZ:
		switch g.r.IntN(6) {
		case 0:
			return call("date_trunc", t, word(truncParts[g.r.IntN(len(truncParts))]), g.expr(t, d))
		case 1:
			return call(sign, t, g.expr(t, d), g.leaf(span))
		case 2:
			return call("to_timestamp", t, g.expr(double64, d))
		case 3:
			return call("epoch_ms", timestamp, g.expr(bigint, d))
		}
		return call("time_bucket", t, plan.Lit(interval(g.r), span), g.expr(t, d))
	case types.Date:
		if g.r.IntN(4) == 0 {
			return call("last_day", t, g.expr(g.pick(date, timestamp), d))
		}
		return call(sign, t, g.expr(t, d), g.expr(integer32, d))
	case types.Interval:
		switch g.r.IntN(4) {
		case 0:
			return call("-", t, g.expr(timestamp, d), g.expr(timestamp, d))
		case 1:
			return call(sign, t, g.expr(t, d), g.expr(t, d))
		case 2:
			return call("-", t, g.expr(t, d))
		}
		return call("to_hours", t, castTo(bigint, g.expr(types.Of(types.SmallInt), d)))
	}
	return nil
}
