package fuzzsql

import (
	"fmt"
	"strconv"
	"strings"
)

// aggregate draws a call whose result does not depend on the order of rows.
func (g *gen) aggregate(scope []ref) string {
	out, _ := g.aggregateOf(scope)
	return out
}

func (g *gen) aggregateOf(scope []ref) (string, kind) {
	filter := ""
	if g.one(4) {
		filter = " FILTER (WHERE " + g.of(boolean, scope, 1) + ")"
	}
	distinct := ""
	if g.one(5) {
		distinct = "DISTINCT "
	}
	number := []kind{key, integer, bigint, double, decimal}[g.r.IntN(5)]
	k := g.kind()
	switch g.r.IntN(11) {
	case 0, 1:
		return "count(*)" + filter, bigint
	case 2:
		return "count(" + distinct + g.of(k, scope, 1) + ")" + filter, bigint
	case 3, 4:
		return "sum(" + distinct + g.of(number, scope, 1) + ")" + filter, opaque
	case 5:
		return "avg(" + distinct + g.of(number, scope, 1) + ")" + filter, opaque
	case 6, 7:
		return g.word("min", "max") + "(" + g.of(k, scope, 1) + ")" + filter, k
	case 8:
		return g.word("bool_and", "bool_or") + "(" + g.of(boolean, scope, 1) + ")" + filter, boolean
	case 9:
		return g.word("stddev_pop", "var_samp", "stddev") + "(" + g.leaf(integer, scope) + ")" + filter, opaque
	default:
		// By the value itself, so that ties are equal.
		v := g.leaf(k, scope)
		return g.word("arg_max", "arg_min") + "(" + v + ", " + v + ")" + filter, k
	}
}

// grouped draws a SELECT with GROUP BY, or of the whole.
func (g *gen) grouped(depth int) *sel {
	s := &sel{}
	var scope []ref
	s.from, scope = g.sources(depth)
	s.where = g.filters(scope)
	for range g.r.IntN(3) {
		k := g.kind()
		if g.one(2) {
			s.add(g.leaf(k, scope), k)
		} else {
			s.add(g.of(k, scope, 1), k)
		}
		s.group = append(s.group, strconv.Itoa(len(s.items)))
	}
	if len(s.group) == 2 && g.one(6) {
		s.group = []string{g.word("ROLLUP", "CUBE") + " (1, 2)"}
	}
	g.aggregates(s, scope)
	return s
}

func (g *gen) aggregates(s *sel, scope []ref) {
	for range 1 + g.r.IntN(3) {
		s.add(g.aggregateOf(scope))
	}
	if g.one(4) {
		s.having = []string{g.word("count(*) > 1", "count(*) < 3", "max("+g.leaf(key, scope)+") >= 2", "bool_or("+g.leaf(boolean, scope)+")")}
	}
}

// setOperation draws one of two queries with the same columns.
func (g *gen) setOperation(depth int) *sel {
	var ks []kind
	for range 1 + g.r.IntN(3) {
		ks = append(ks, g.kind())
	}
	side := func() *sel {
		s := &sel{}
		var scope []ref
		s.from, scope = g.sources(depth - 1)
		s.where = g.filters(scope)
		for _, k := range ks {
			s.add(g.leaf(k, scope), k)
		}
		return s
	}
	s := side()
	s.right, s.op = side(), g.word("UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL")
	return s
}

func (g *gen) direction() string {
	return g.word("", " DESC") + g.word("", "", " NULLS FIRST", " NULLS LAST")
}

// limited draws ORDER BY LIMIT, by all columns in the end.
func (g *gen) limited(depth int) *sel {
	f := from{alias: g.alias(), sub: g.query(depth - 1)}
	s := &sel{from: []from{f}}
	for _, c := range f.sub.out {
		s.add(f.alias+"."+c.name, c.kind)
	}
	first := g.r.IntN(len(s.items))
	for i := range s.items {
		s.order = append(s.order, strconv.Itoa((first+i)%len(s.items)+1)+g.direction())
	}
	s.limit = " LIMIT " + g.word("0", "1", "2", "5", "20")
	if g.one(3) {
		s.limit += " OFFSET " + g.word("1", "3")
	}
	return s
}

// ranked draws a ranking within partitions.
func (g *gen) ranked(depth int) *sel {
	f, scope := g.source(depth)
	s := &sel{from: []from{f}}
	s.where = g.filters(scope)
	var all []string
	for _, c := range scope {
		s.add(c.sql, c.kind)
		all = append(all, c.sql)
	}
	over := "PARTITION BY " + g.of([]kind{key, text, integer, boolean}[g.r.IntN(4)], scope, 1) + " "
	if g.one(4) {
		over = ""
	}
	fn, by := g.word("row_number", "rank", "dense_rank"), g.word(all...)+g.direction()
	if fn == "row_number" {
		by += ", " + strings.Join(all, ", ")
	}
	call := fmt.Sprintf("%s() OVER (%sORDER BY %s)", fn, over, by)
	if g.one(2) {
		s.add(call, bigint)
	}
	s.qualify = []string{call + " " + g.word("<= 2", "= 1", "< 4", "= 2", "> 1", "<= 10")}
	return s
}
