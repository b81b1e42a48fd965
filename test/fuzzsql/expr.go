package fuzzsql

import (
	"fmt"
	"strings"
)

// ref is a column in scope, as SQL names it.
type ref struct {
	sql  string
	kind kind
}

// of draws an expression of kind k over the columns in scope.
func (g *gen) of(k kind, scope []ref, depth int) string {
	if depth <= 0 || g.one(3) {
		return g.leaf(k, scope)
	}
	d := depth - 1
	switch g.r.IntN(12) {
	case 0:
		return fmt.Sprintf("coalesce(%s, %s)", g.of(k, scope, d), g.of(k, scope, d))
	case 1:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.of(boolean, scope, d), g.of(k, scope, d), g.of(k, scope, d))
	case 2:
		if k == double {
			break // nullif tells 0 from -0 in what it keeps
		}
		return fmt.Sprintf("nullif(%s, %s)", g.of(k, scope, d), g.leaf(k, scope))
	case 3:
		if k != boolean {
			return fmt.Sprintf("%s(%s, %s)", g.word("greatest", "least"), g.of(k, scope, d), g.of(k, scope, d))
		}
	}
	switch k {
	case key, integer, bigint:
		return g.number(k, scope, d)
	case double:
		return g.float(scope, d)
	case decimal:
		return fmt.Sprintf("CAST(%s %s %s AS DECIMAL(10,2))", g.leaf(k, scope), g.word("+", "-"), g.leaf(k, scope))
	case text:
		return g.text(scope, d)
	case boolean:
		return g.boolean(scope, d)
	case date:
		return g.word("CAST("+g.of(timestamp, scope, d)+" AS DATE)", g.leaf(date, scope))
	default:
		return g.word(g.leaf(timestamp, scope)+" + INTERVAL 3 SECOND", "date_trunc('minute', "+g.of(timestamp, scope, d)+")",
			"CAST("+g.of(date, scope, d)+" AS TIMESTAMP)", "time_bucket(INTERVAL 5 SECOND, "+g.leaf(timestamp, scope)+")")
	}
}

// leaf is a column or a constant.
func (g *gen) leaf(k kind, scope []ref) string {
	var fit []string
	for _, c := range scope {
		switch {
		case c.kind == k, k == bigint && c.kind == key, k == key && c.kind == bigint && g.one(3):
			fit = append(fit, c.sql)
		case k == timestamp && c.kind == eventTime:
			fit = append(fit, "date_trunc('second', "+c.sql+")")
		}
	}
	if len(fit) > 0 && !g.one(5) {
		return g.word(fit...)
	}
	if g.one(15) {
		return "CAST(NULL AS " + typeOf[k].String() + ")"
	}
	switch k {
	case integer:
		return "CAST(" + g.word("-2", "0", "1", "2", "3", "7") + " AS INTEGER)"
	case key, bigint:
		return "CAST(" + g.word("-1", "0", "1", "2", "3", "4") + " AS BIGINT)"
	case double:
		return "CAST(" + g.word("0", "1.5", "-2.25", "0.5", "'nan'", "3") + " AS DOUBLE)"
	case decimal:
		return "CAST(" + g.word("0", "1.50", "-2.25", "0.01") + " AS DECIMAL(10,2))"
	case text:
		return g.word("''", "'a'", "'b'", "'x%'", "'ab'")
	case boolean:
		return g.word("true", "false")
	case date:
		return "DATE '2020-08-2" + g.word("6", "7", "8") + "'"
	default:
		return "TIMESTAMP '2020-09-13 12:2" + g.word("6:40", "6:52.5", "7:01", "7:30") + "'"
	}
}

func (g *gen) number(k kind, scope []ref, d int) string {
	a, b := g.of(k, scope, d), g.leaf(k, scope)
	var out string
	switch g.r.IntN(9) {
	case 0:
		out = fmt.Sprintf("%s + %s", a, b)
	case 1:
		out = fmt.Sprintf("%s - %s", a, b)
	case 2:
		out = fmt.Sprintf("%s * %s", g.leaf(k, scope), b)
	case 3:
		out = fmt.Sprintf("%s // %s", a, b)
	case 4:
		out = fmt.Sprintf("%s %% %s", a, b)
	case 5:
		out = fmt.Sprintf("abs(%s)", a)
	case 6:
		out = fmt.Sprintf("length(%s)", g.of(text, scope, d))
	case 7:
		out = fmt.Sprintf("extract(%s FROM %s)", g.word("second", "minute", "day", "dow"), g.of(timestamp, scope, d))
	default:
		return fmt.Sprintf("CAST(%s AS %s)", g.of([]kind{integer, bigint, boolean}[g.r.IntN(3)], scope, d), typeOf[k])
	}
	return "CAST(" + out + " AS " + typeOf[k].String() + ")"
}

func (g *gen) float(scope []ref, d int) string {
	a, b := g.of(double, scope, d), g.leaf(double, scope)
	return g.word("("+a+" + "+b+")", "("+a+" - "+b+")", "(2 * "+b+")", "(-"+b+")", "abs("+a+")", "floor("+a+")", "("+b+" / 2)",
		"CAST("+g.of(integer, scope, d)+" AS DOUBLE)", "round("+a+")", "("+g.leaf(bigint, scope)+" / 4)")
}

func (g *gen) text(scope []ref, d int) string {
	a, b := g.of(text, scope, d), g.leaf(text, scope)
	return g.word("("+a+" || "+b+")", "upper("+a+")", "lower("+a+")", "concat("+a+", "+b+")", "substr("+a+", 1, 2)", "left("+a+", 1)",
		"replace("+a+", 'a', "+b+")", "trim("+a+")", "CAST("+g.of(bigint, scope, d)+" AS VARCHAR)", "CAST("+g.leaf(date, scope)+" AS VARCHAR)",
		"reverse("+a+")", "CAST("+g.leaf(decimal, scope)+" AS VARCHAR)")
}

// comparable are the kinds that conditions compare.
var comparable = []kind{key, integer, bigint, double, decimal, text, boolean, date, timestamp}

func (g *gen) boolean(scope []ref, d int) string {
	k := comparable[g.r.IntN(len(comparable))]
	a, b := g.of(k, scope, d), g.of(k, scope, d)
	switch g.r.IntN(11) {
	case 0:
		return fmt.Sprintf("(%s AND %s)", g.of(boolean, scope, d), g.of(boolean, scope, d))
	case 1:
		return fmt.Sprintf("(%s OR %s)", g.of(boolean, scope, d), g.of(boolean, scope, d))
	case 2:
		return "(NOT " + g.of(boolean, scope, d) + ")"
	case 3:
		return fmt.Sprintf("(%s IS %sNULL)", a, g.word("", "NOT "))
	case 4:
		return fmt.Sprintf("(%s IS %sDISTINCT FROM %s)", a, g.word("", "NOT "), b)
	case 5:
		return fmt.Sprintf("(%s %sBETWEEN %s AND %s)", a, g.word("", "NOT "), g.leaf(k, scope), b)
	case 6:
		list := []string{g.leaf(k, scope), g.leaf(k, scope), g.leaf(k, scope)}
		return fmt.Sprintf("(%s %sIN (%s))", a, g.word("", "NOT "), strings.Join(list[:1+g.r.IntN(3)], ", "))
	case 7:
		return fmt.Sprintf("(%s %sLIKE %s)", g.of(text, scope, d), g.word("", "NOT "), g.word("'a%'", "'%b'", "'_'", "'%x%'", "'A'"))
	case 8:
		return fmt.Sprintf("(%s IS %sTRUE)", g.of(boolean, scope, d), g.word("", "NOT "))
	default:
		return fmt.Sprintf("(%s %s %s)", a, g.word("=", "<>", "<", "<=", ">", ">="), b)
	}
}
