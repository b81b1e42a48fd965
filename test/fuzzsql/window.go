package fuzzsql

import (
	"fmt"
	"strings"
)

// windowed draws a grouping by windows. Over a stream with a watermark the batch leaves late rows out.
func (g *gen) windowed() *sel {
	rel := g.rels[g.r.IntN(2)]
	f := from{name: rel.name, alias: g.alias(), window: g.timeWindow()}
	if rel.watermarked() {
		f.mark = " /*late*/"
	} else {
		f.window = g.window()
	}
	scope := scopeOf(f.alias, rel.columns)
	s := &sel{from: []from{f}}
	s.where = g.filters(scope)
	times := ends(rel)
	if strings.HasPrefix(f.window, "COUNT") {
		times = bigint
	}
	s.add(f.alias+".window_start", times)
	s.add(f.alias+".window_end", times)
	s.group = []string{"1", "2"}
	if g.one(2) {
		k := g.kind()
		s.add(g.leaf(k, scope), k)
		s.group = append(s.group, "3")
	}
	g.aggregates(s, scope)
	return s
}

// inInterval draws a join of two streams by key and time, in which late rows have no match.
func (g *gen) inInterval() *sel {
	l, r := from{name: "s", alias: g.alias()}, from{name: "u", alias: g.alias()}
	ls, rs := scopeOf(l.alias, g.rels[0].columns), scopeOf(r.alias, g.rels[1].columns)
	both := append(ls[:len(ls):len(ls)], rs...)
	r.join = " " + g.word("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
	r.on = []string{
		l.alias + ".k = " + r.alias + ".k",
		fmt.Sprintf("%s.ts BETWEEN %s.ts - INTERVAL %s SECOND AND %s.ts + INTERVAL %s SECOND", r.alias, l.alias, g.word("0", "3"), l.alias, g.word("0", "2", "5")),
	}
	if g.one(3) {
		r.on = append(r.on, g.of(boolean, both, 1))
	}
	l.mark, r.mark = " /*in time*/", " /*in time*/"
	const last = 1 // with the interval, which is what makes rows late
	if r.join == " LEFT JOIN" || r.join == " FULL JOIN" || r.join == " ANTI JOIN" {
		l.mark = " /*marked*/"
		r.on[last] += " /*test " + l.alias + "*/"
	}
	if r.join == " RIGHT JOIN" || r.join == " FULL JOIN" {
		r.mark = " /*marked*/"
		r.on[last] += " /*test " + r.alias + "*/"
	}
	s := &sel{from: []from{l, r}}
	scope := both
	if r.join == " SEMI JOIN" || r.join == " ANTI JOIN" {
		scope = ls
	}
	for range 2 + g.r.IntN(3) {
		k := g.kind()
		s.add(g.leaf(k, scope), k)
	}
	return s
}

// ends is what the times of a stream's windows are to queries above: behind an unbounded join rows can be late for them again.
func ends(rel *relation) kind {
	if rel.watermarked() {
		return eventTime
	}
	return timestamp
}

// passing draws a query with the columns of a relation, some rows of it.
func (g *gen) passing(rel *relation) *sel {
	f := from{name: rel.name, alias: g.alias()}
	s := &sel{from: []from{f}, where: []string{g.of(boolean, scopeOf(f.alias, rel.columns), 1)}, out: rel.columns}
	for _, c := range rel.columns {
		s.items = append(s.items, f.alias+"."+c.name)
	}
	return s
}

// inWindow draws a relation in time windows, without its late rows in the batch.
func (g *gen) inWindow(rel *relation) (from, []ref) {
	f := from{name: rel.name, alias: g.alias(), window: g.timeWindow()}
	if rel.watermarked() {
		f.mark = " /*late*/"
	}
	return f, scopeOf(f.alias, rel.columns)
}

// windowJoin draws a join of two streams within their windows.
func (g *gen) windowJoin() *sel {
	l, ls := g.inWindow(g.rels[0])
	r, rs := g.inWindow(g.rels[1])
	if g.one(2) {
		r.window = l.window
	}
	r.join = " " + g.word("JOIN", "SEMI JOIN")
	if !g.rels[0].watermarked() {
		r.join = " " + g.word("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "SEMI JOIN", "ANTI JOIN")
	}
	r.on = []string{fmt.Sprintf("%s.window_end = %s.window_end", l.alias, r.alias), fmt.Sprintf("%s.window_start = %s.window_start", l.alias, r.alias)}
	if g.one(2) {
		r.on = append(r.on, l.alias+".k = "+r.alias+".k")
	}
	scope := append(ls[:len(ls):len(ls)], rs...)
	if r.join == " SEMI JOIN" || r.join == " ANTI JOIN" {
		scope = ls
	}
	s := &sel{from: []from{l, r}}
	s.add(l.alias+".window_end", ends(g.rels[0]))
	for range 1 + g.r.IntN(3) {
		k := g.kind()
		s.add(g.leaf(k, scope), k)
	}
	return s
}

// windowTop draws a ranking within windows.
func (g *gen) windowTop() *sel {
	rel := g.rels[g.r.IntN(2)]
	f, scope := g.inWindow(rel)
	s := &sel{from: []from{f}}
	s.add(f.alias+".window_start", ends(rel))
	s.add(f.alias+".window_end", ends(rel))
	var all []string
	for _, c := range scope {
		s.add(c.sql, c.kind)
		all = append(all, c.sql)
	}
	by := g.word(all...) + g.direction() + ", " + strings.Join(all, ", ")
	partition := fmt.Sprintf("%s.window_start, %s.window_end", f.alias, f.alias)
	if g.one(2) {
		partition += ", " + f.alias + ".k"
	}
	s.qualify = []string{fmt.Sprintf("%s() OVER (PARTITION BY %s ORDER BY %s) %s", g.word("row_number", "rank", "dense_rank"), partition, by, g.word("<= 2", "= 1", "<= 5"))}
	return s
}

// distinctOn draws the first row of each group, by all columns.
func (g *gen) distinctOn(depth int) *sel {
	s := g.plain(depth)
	s.distinct, s.on = false, "1"
	for i := range s.items {
		d := ""
		if i > 0 {
			d = g.direction()
		}
		s.order = append(s.order, fmt.Sprint(i+1)+d)
	}
	return s
}
