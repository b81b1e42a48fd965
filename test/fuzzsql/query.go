package fuzzsql

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// gen draws queries over relations.
type gen struct {
	r       *rand.Rand
	rels    []*relation
	ctes    []cte
	aliases int
}

func (g *gen) one(in int) bool { return g.r.IntN(in) == 0 }

func (g *gen) word(ws ...string) string { return ws[g.r.IntN(len(ws))] }

func (g *gen) alias() string {
	g.aliases++
	return "a" + strconv.Itoa(g.aliases)
}

// opaque are columns that expressions don't name.
const opaque = kinds

// top draws a whole query.
func (g *gen) top() *sel {
	if g.one(5) {
		g.ctes = append(g.ctes, cte{"c", g.query(1)})
	}
	q := g.query(2)
	q.ctes = g.ctes
	return q
}

func (g *gen) query(depth int) *sel {
	switch g.r.IntN(17) {
	case 14:
		return g.windowJoin()
	case 15:
		return g.windowTop()
	case 16:
		return g.distinctOn(depth)
	case 0, 1, 2, 3:
		return g.grouped(depth)
	case 4:
		return g.setOperation(depth)
	case 5:
		return g.limited(depth)
	case 6:
		return g.ranked(depth)
	case 7, 8:
		return g.windowed()
	case 9:
		if g.rels[0].watermarked() {
			return g.inInterval()
		}
	}
	return g.plain(depth)
}

// source draws an element of FROM and the columns it has.
func (g *gen) source(depth int) (from, []ref) {
	f := from{alias: g.alias()}
	var cols []column
	switch {
	case len(g.ctes) > 0 && g.one(2):
		f.name, cols = "c", g.ctes[0].body.out
	case depth > 0 && g.one(4):
		f.sub = g.query(depth - 1)
		cols = f.sub.out
	default:
		rel := g.rels[g.r.IntN(len(g.rels))]
		f.name, cols = rel.name, rel.columns
		if rel.keyed == 0 && !rel.watermarked() && g.one(8) {
			f.window = g.window()
			if g.one(3) && !strings.HasPrefix(f.window, "COUNT") {
				f.name, f.sub = "", g.passing(rel)
			}
			times := timestamp
			if strings.HasPrefix(f.window, "COUNT") {
				times = bigint
			}
			cols = append(cols[:len(cols):len(cols)], column{"window_start", times}, column{"window_end", times})
		}
	}
	return f, scopeOf(f.alias, cols)
}

func scopeOf(alias string, cols []column) []ref {
	var out []ref
	for _, c := range cols {
		out = append(out, ref{alias + "." + c.name, c.kind})
	}
	return out
}

func (g *gen) window() string {
	switch g.r.IntN(6) {
	case 0:
		return "SESSION(%s, ts, INTERVAL " + g.word("1", "3", "10") + " SECOND" + g.word("", ", [k]") + ")"
	case 1:
		return "COUNT_WINDOW(%s, " + g.word("1", "2", "5") + g.word("", ", [k]") + ")"
	}
	return g.timeWindow()
}

func (g *gen) timeWindow() string {
	switch g.r.IntN(4) {
	case 0:
		return "HOP(%s, ts, INTERVAL 2 SECOND, INTERVAL " + g.word("4", "5", "10") + " SECOND)"
	case 1:
		return "CUMULATE(%s, ts, INTERVAL 2 SECOND, INTERVAL 6 SECOND)"
	}
	return "TUMBLE(%s, ts, INTERVAL " + g.word("1", "5", "60") + " SECOND" + g.word("", ", INTERVAL 2 SECOND") + ")"
}

// sources draws FROM with joins.
func (g *gen) sources(depth int) ([]from, []ref) {
	f, scope := g.source(depth)
	out := []from{f}
	for len(out) < 3 && g.one(2+len(out)) {
		f, more := g.source(depth - 1)
		both := append(scope[:len(scope):len(scope)], more...)
		f.join = " " + g.word("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
		if g.one(12) {
			f.join = " CROSS JOIN"
		} else {
			f.on = g.conditions(scope, more, both)
		}
		out = append(out, f)
		if f.join != " SEMI JOIN" && f.join != " ANTI JOIN" {
			scope = both
		}
	}
	return out, scope
}

// conditions draws those of a join.
func (g *gen) conditions(l, r, both []ref) []string {
	var on []string
	k := []kind{key, key, key, text, integer, double, bigint, date}[g.r.IntN(8)]
	if !g.one(10) {
		on = append(on, fmt.Sprintf("%s %s %s", g.leaf(k, l), g.word("=", "=", "=", "IS NOT DISTINCT FROM"), g.leaf(k, r)))
	}
	if len(on) == 0 || g.one(3) {
		on = append(on, g.of(boolean, both, 1))
	}
	return on
}

// filters draws conditions for WHERE.
func (g *gen) filters(scope []ref) []string {
	var out []string
	for g.one(2) && len(out) < 2 {
		switch {
		case g.one(3):
			out = append(out, g.subquery(scope))
		case g.one(6):
			out = append(out, g.fallible(scope))
		default:
			out = append(out, g.of(boolean, scope, 2))
		}
	}
	return out
}

// fallible draws a condition that fails for some rows, which are then left out; in the batch it is NULL for them.
func (g *gen) fallible(scope []ref) string {
	cond := g.word("CAST("+g.leaf(text, scope)+" AS INTEGER) > "+g.leaf(integer, scope), "CAST("+g.leaf(double, scope)+" AS INTEGER) = "+g.leaf(integer, scope),
		"CAST("+g.leaf(integer, scope)+" * 30 AS TINYINT) < 100", "sqrt("+g.leaf(double, scope)+") < 1.5", "CAST("+g.leaf(text, scope)+" || '1' AS DOUBLE) IS NULL",
		"ln("+g.leaf(bigint, scope)+") > 0", "CAST("+g.leaf(text, scope)+" AS DATE) IS NULL")
	return "/*<*/" + cond + "/*>*/"
}

// subquery draws a condition with one.
func (g *gen) subquery(scope []ref) string {
	rel := g.rels[g.r.IntN(len(g.rels))]
	alias := g.alias()
	inner := scopeOf(alias, rel.columns)
	where := ""
	if g.one(2) {
		where = " WHERE " + g.of(boolean, inner, 1)
	}
	correlated := fmt.Sprintf(" WHERE %s = %s", g.leaf(key, inner), g.leaf(key, scope))
	if g.one(3) {
		correlated += " AND " + g.of(boolean, append(inner[:len(inner):len(inner)], scope...), 1)
	}
	k := []kind{key, integer, text, bigint}[g.r.IntN(4)]
	outer, of := g.of(k, scope, 1), " FROM "+rel.name+" AS "+alias
	switch g.r.IntN(7) {
	case 0, 1:
		return fmt.Sprintf("%s %sIN (SELECT %s%s%s)", outer, g.word("", "NOT "), g.leaf(k, inner), of, where)
	case 2:
		return fmt.Sprintf("%sEXISTS (SELECT 1%s%s)", g.word("", "NOT "), of, correlated)
	case 3:
		return fmt.Sprintf("%s %s (SELECT %s(%s)%s%s)", outer, g.word("=", "<", ">=", "<>"), g.word("max", "min"), g.leaf(k, inner), of, g.word(where, correlated))
	case 4:
		return fmt.Sprintf("(SELECT count(*)%s%s) %s 2", of, g.word(where, correlated), g.word(">", "<=", "="))
	case 5:
		return fmt.Sprintf("%s %s %s (SELECT %s%s%s)", outer, g.word("=", "<", ">", "<>"), g.word("ANY", "ALL"), g.leaf(k, inner), of, where)
	default:
		return fmt.Sprintf("%s %sIN (SELECT %s%s%s)", outer, g.word("", "NOT "), g.leaf(k, inner), of, correlated)
	}
}

// add appends an output column.
func (s *sel) add(sql string, k kind) {
	name := "c" + strconv.Itoa(len(s.items))
	s.items = append(s.items, sql+" AS "+name)
	s.out = append(s.out, column{name, k})
}

func (g *gen) kind() kind { return comparable[g.r.IntN(len(comparable))] }

// plain draws a SELECT of expressions.
func (g *gen) plain(depth int) *sel {
	s := &sel{distinct: g.one(5)}
	var scope []ref
	s.from, scope = g.sources(depth)
	s.where = g.filters(scope)
	for range 1 + g.r.IntN(4) {
		k := g.kind()
		switch {
		case g.one(12) && !s.distinct:
			rel, alias := g.rels[g.r.IntN(len(g.rels))], g.alias()
			inner := scopeOf(alias, rel.columns)
			s.add(fmt.Sprintf("(SELECT %s FROM %s AS %s WHERE %s = %s)", g.aggregate(inner), rel.name, alias, g.leaf(key, inner), g.leaf(key, scope)), opaque)
		case g.one(3):
			s.add(g.leaf(k, scope), k)
		default:
			s.add(g.of(k, scope, 2), k)
		}
	}
	return s
}
