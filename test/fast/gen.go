// Package fast tests internal/query/fast against DuckDB itself: random SELECTs over random rows, with keys and indexes of all sorts, answered both
// ways from the same rows.
package fast

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"leat/internal/types"
)

// columns are those of the relation v.
var columns = []types.Column{
	{ID: 1, Name: "id", Type: types.Of(types.BigInt)}, {ID: 2, Name: "n", Type: types.Of(types.Integer)}, {ID: 3, Name: "s", Type: types.Of(types.SmallInt)},
	{ID: 4, Name: "u", Type: types.Of(types.UBigInt)}, {ID: 5, Name: "h", Type: types.Of(types.HugeInt)}, {ID: 6, Name: "name", Type: types.Of(types.Varchar)},
	{ID: 7, Name: "f", Type: types.Of(types.Double)}, {ID: 8, Name: "price", Type: types.DecimalOf(9, 2)}, {ID: 9, Name: "day", Type: types.Of(types.Date)},
	{ID: 10, Name: "at", Type: types.Of(types.Timestamp)}, {ID: 11, Name: "z", Type: types.Of(types.TimestampTZ)}, {ID: 12, Name: "ok", Type: types.Of(types.Boolean)},
	{ID: 13, Name: "g", Type: types.Of(types.UUID)}, {ID: 14, Name: "x", Type: types.Of(types.Float)}, {ID: 15, Name: "tags", Type: types.ListOf(types.Of(types.Varchar))},
	{ID: 16, Name: "at time", Type: types.Of(types.Time)},
}

// spellings are texts of values that a type may have; the first ones are frequent. -0.0 is not among them: DuckDB answers 0 for it where it sorts by
// the column, and -0 where it doesn't.
var spellings = map[types.Kind][]string{
	types.BigInt:   {"1", "2", "3", "4", "5", "0", "-1", "9223372036854775807", "-9223372036854775808"},
	types.Integer:  {"1", "2", "3", "0", "-1", "2147483647", "-2147483648"},
	types.SmallInt: {"1", "2", "3", "0", "-1", "32767", "-32768"},
	types.UBigInt:  {"1", "2", "3", "0", "18446744073709551615"},
	types.HugeInt:  {"1", "2", "3", "0", "-1", "170141183460469231731687303715884105727", "-170141183460469231731687303715884105727"},
	types.Varchar:  {"a", "b", "ab", "A", "", "ä", "z'z", "5"}, types.Boolean: {"true", "false"},
	types.Double:  {"0", "0.5", "1", "2", "NaN", "Infinity", "-Infinity", "1e300"},
	types.Float:   {"0", "0.5", "1", "2", "0.1", "16777216", "NaN"},
	types.Decimal: {"0.00", "0.50", "1.00", "2", "-1.25", "9999999.99"},
	types.Date:    {"2024-01-01", "2024-01-02", "2024-02-29", "1969-12-31", "0001-01-01"},
	types.Timestamp: {"2024-01-01 00:00:00", "2024-01-01 00:00:00.5", "2024-01-02 03:04:05.678901", "1969-12-31 23:59:59",
		"2024-01-02", "2024-01-02T03:04"},
	types.TimestampTZ: {"2024-01-01 00:00:00+00", "2024-01-01T00:00:00.5Z", "2024-01-02 03:04:05.678901+00:00", "1969-12-31 23:59:59Z", "2024-01-02"},
	types.Time:        {"00:00:00", "23:59:59.999999", "12:30:00", "12:30"},
	types.UUID: {"00000000-0000-0000-0000-000000000000", "11111111-2222-3333-4444-555555555555", "FFFFFFFF-2222-3333-4444-555555555555",
		"80000000-0000-0000-0000-000000000000"},
}

// generator writes queries over v.
type generator struct {
	r *rand.Rand
	// params are the declared types of parameters, args their texts; nil is NULL.
	params map[string]types.Type
	args   map[string]*string
}

func (g *generator) one(list ...string) string { return list[g.r.IntN(len(list))] }

// spelling draws a value of a type; the first are drawn more often.
func (g *generator) spelling(t types.Type) string {
	all := spellings[t.Kind]
	return all[min(g.r.IntN(len(all)), g.r.IntN(len(all)))]
}

// value is a constant or a parameter of a type.
func (g *generator) value(t types.Type) string {
	text := g.spelling(t)
	declared := t
	switch { // what fits in another type as well
	case t.Kind.IsInteger() && g.r.IntN(4) == 0:
		declared = types.Of([]types.Kind{types.BigInt, types.Integer, types.HugeInt}[g.r.IntN(3)])
		text = g.spelling(declared)
	case g.r.IntN(12) == 0 && t.Kind != types.Boolean:
		declared = types.Of(types.Varchar)
	case t.Kind == types.Timestamp && g.r.IntN(4) == 0:
		declared = types.Of(types.Date)
		text = g.spelling(declared)
	}
	if g.r.IntN(2) == 0 {
		if t.Kind == types.Boolean || t.Kind.IsInteger() && declared.Equal(t) && g.r.IntN(2) == 0 {
			return text
		}
		return "CAST(" + types.QuoteLiteral(text) + " AS " + declared.String() + ")"
	}
	name := fmt.Sprintf("p%d", len(g.params))
	g.params[name], g.args[name] = declared, &text
	if g.r.IntN(20) == 0 {
		g.args[name] = nil
	}
	return "$" + name
}

func (g *generator) column() types.Column {
	for {
		// The first ones, which keys have, more often.
		if c := columns[min(g.r.IntN(len(columns)), g.r.IntN(len(columns)))]; !c.Type.Kind.IsNested() {
			return c
		}
	}
}

// condition is one part of a WHERE.
func (g *generator) condition(depth int) string {
	c := g.column()
	name := types.QuoteIdent(c.Name)
	switch g.r.IntN(14) {
	case 0:
		return name + " IS NULL"
	case 1:
		return name + " IS NOT NULL"
	case 2:
		return name + " IS NOT DISTINCT FROM " + g.value(c.Type)
	case 3:
		list := make([]string, 1+g.r.IntN(6))
		for i := range list {
			list[i] = g.value(c.Type)
		}
		return name + g.one(" IN (", " NOT IN (") + strings.Join(list, ", ") + ")"
	case 4:
		return name + " BETWEEN " + g.value(c.Type) + " AND " + g.value(c.Type)
	case 5:
		if depth > 0 {
			return "(" + g.condition(depth-1) + g.one(" OR ", " AND ") + g.condition(depth-1) + ")"
		}
	case 6:
		if depth > 0 {
			return "NOT (" + g.condition(depth-1) + ")"
		}
	case 7:
		return g.value(c.Type) + g.one(" < ", " <= ", " > ", " >= ", " = ") + name
	case 8:
		return g.one("n + 1 = id", "name || 'x' = 'ax'", "ok", "s = n", "n * 2 > 3", "length(name) = 1", "coalesce(n, 7) = 7", "f <> 1")
	}
	return name + g.one(" = ", " = ", " = ", " = ", " < ", " <= ", " > ", " >= ", " <> ") + g.value(c.Type)
}

func (g *generator) output(i int) string {
	c := g.column()
	name := types.QuoteIdent(c.Name)
	switch g.r.IntN(10) {
	case 0:
		return g.one("id + n", "n + 1", "name || '!'", "CASE WHEN ok THEN n ELSE s END", "coalesce(name, 'none')", "f / 2", "price * 2", "-n", "tags", "n // 2", "upper(name)")
	case 1:
		return g.value(c.Type) + fmt.Sprintf(" AS v%d", i)
	case 2:
		return name + fmt.Sprintf(" AS o%d", i)
	}
	return name
}

// query writes a SELECT; total says that its order leaves nothing to chance.
func (g *generator) query() (text string, total bool) {
	g.params, g.args = map[string]types.Type{}, map[string]*string{}
	var b strings.Builder
	b.WriteString("SELECT ")
	if g.r.IntN(4) == 0 {
		b.WriteString("*")
	} else {
		for i := range 1 + g.r.IntN(4) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(g.output(i))
		}
	}
	from := g.one("v", "v", "v", "v AS w", "(SELECT * FROM v) AS w", "plain")
	if g.r.IntN(8) == 0 {
		from = "(SELECT * FROM v WHERE " + g.condition(0) + ") AS w"
	}
	b.WriteString(" FROM " + from)
	for i := range g.r.IntN(4) {
		b.WriteString([]string{" WHERE ", " AND "}[min(i, 1)] + g.condition(1))
	}
	limited := g.r.IntN(3) == 0
	if limited || g.r.IntN(2) == 0 {
		total = g.order(&b, limited || g.r.IntN(3) == 0)
	}
	if limited {
		b.WriteString(" LIMIT " + g.count())
		if g.r.IntN(3) == 0 {
			b.WriteString(" OFFSET " + g.count())
		}
	}
	return b.String(), total
}

func (g *generator) count() string {
	text := g.one("0", "1", "2", "3", "10", "1000")
	if g.r.IntN(2) == 0 {
		return text
	}
	name := fmt.Sprintf("p%d", len(g.params))
	g.params[name], g.args[name] = types.Of([]types.Kind{types.BigInt, types.Integer}[g.r.IntN(2)]), &text
	return "$" + name
}

// order writes an ORDER BY, of all columns where it has to be total.
func (g *generator) order(b *strings.Builder, total bool) bool {
	same := g.one("", " DESC")
	var keys []string
	for range 1 + g.r.IntN(3) {
		direction := same
		if g.r.IntN(6) == 0 {
			direction = g.one("", " DESC")
		}
		keys = append(keys, types.QuoteIdent(g.column().Name)+direction+g.one("", "", " NULLS FIRST", " NULLS LAST"))
	}
	if total {
		for _, c := range columns {
			keys = append(keys, types.QuoteIdent(c.Name)+same)
		}
		// Lists are no order of the engine's own.
		keys = keys[:len(keys)-2]
		keys = append(keys, types.QuoteIdent("at time")+same)
	}
	b.WriteString(" ORDER BY " + strings.Join(keys, ", "))
	return total
}
