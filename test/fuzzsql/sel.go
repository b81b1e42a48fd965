package fuzzsql

import (
	"regexp"
	"slices"
	"strings"
)

// sel is a query whose clauses can be taken off.
type sel struct {
	ctes     []cte
	distinct bool
	on       string // of DISTINCT ON
	items    []string
	from     []from
	where    []string
	group    []string
	having   []string
	qualify  []string
	order    []string
	limit    string
	// op is a set operation with right.
	op    string
	right *sel
	out   []column
}

type cte struct {
	name string
	body *sel
}

// from is an element of FROM: a name or a query, in a window function, joined to what stands before it.
type from struct {
	join   string
	name   string
	sub    *sel
	window string // with %s for the source
	alias  string
	on     []string
	mark   string // for the batch
}

func (f from) text() string {
	out := f.name
	if f.sub != nil {
		out = "(" + f.sub.text() + ")"
	}
	if f.window != "" {
		out = strings.Replace(f.window, "%s", out, 1)
	}
	out = f.join + " " + out + " AS " + f.alias + f.mark
	if len(f.on) > 0 {
		out += " ON " + strings.Join(f.on, " AND ")
	}
	return out
}

func (s *sel) text() string {
	var b strings.Builder
	for i, c := range s.ctes {
		b.WriteString([]string{"WITH ", ", "}[min(i, 1)] + c.name + " AS (" + c.body.text() + ") ")
	}
	b.WriteString("SELECT ")
	if s.distinct {
		b.WriteString("DISTINCT ")
	}
	if s.on != "" {
		b.WriteString("DISTINCT ON (" + s.on + ") ")
	}
	b.WriteString(strings.Join(s.items, ", ") + " FROM")
	for _, f := range s.from {
		b.WriteString(f.text())
	}
	clause := func(word string, parts []string, sep string) {
		if len(parts) > 0 {
			b.WriteString(" " + word + " " + strings.Join(parts, sep))
		}
	}
	clause("WHERE", s.where, " AND ")
	clause("GROUP BY", s.group, ", ")
	clause("HAVING", s.having, " AND ")
	clause("QUALIFY", s.qualify, " AND ")
	if s.right != nil {
		b.WriteString(" " + s.op + " " + s.right.text())
	}
	clause("ORDER BY", s.order, ", ")
	b.WriteString(s.limit)
	return b.String()
}

// shrinks are queries with something taken off. Not all of them are sound.
func (s *sel) shrinks() []*sel {
	var out []*sel
	add := func(f func(c *sel)) {
		c := *s
		f(&c)
		out = append(out, &c)
	}
	for _, f := range s.from {
		if f.sub != nil {
			out = append(out, f.sub)
		}
	}
	if s.right != nil {
		out = append(out, s.right)
		add(func(c *sel) { c.right = nil })
	}
	if s.limit != "" {
		add(func(c *sel) { c.order, c.limit = nil, "" })
	}
	for _, list := range []func(c *sel) *[]string{
		func(c *sel) *[]string { return &c.where }, func(c *sel) *[]string { return &c.having }, func(c *sel) *[]string { return &c.qualify },
		func(c *sel) *[]string { return &c.items }, func(c *sel) *[]string { return &c.group },
	} {
		for i := range *list(s) {
			add(func(c *sel) { *list(c) = slices.Delete(slices.Clone(*list(c)), i, i+1) })
		}
	}
	if s.distinct {
		add(func(c *sel) { c.distinct = false })
	}
	return append(out, s.shrinkFrom()...)
}

func (s *sel) shrinkFrom() []*sel {
	var out []*sel
	with := func(i int, f from) {
		c := *s
		c.from = slices.Clone(s.from)
		c.from[i] = f
		out = append(out, &c)
	}
	for i, f := range s.from {
		if i > 0 && i == len(s.from)-1 {
			c := *s
			c.from = s.from[:i]
			out = append(out, &c)
		}
		for j := range f.on {
			if len(f.on) > 1 {
				g := f
				g.on = slices.Delete(slices.Clone(f.on), j, j+1)
				with(i, g)
			}
		}
		if f.sub != nil {
			for _, sub := range f.sub.shrinks() {
				g := f
				g.sub = sub
				with(i, g)
			}
		}
	}
	for i, c := range s.ctes {
		for _, body := range c.body.shrinks() {
			x := *s
			x.ctes = slices.Clone(s.ctes)
			x.ctes[i].body = body
			out = append(out, &x)
		}
	}
	return out
}

// What a query's marks stand for in the batch: the rows that are late are left out by hand (DESIGN of watermarks).
var (
	lateWindow = regexp.MustCompile(`(TUMBLE|HOP|CUMULATE)\((\w+), ([^()]*)\) AS (\w+) /\*late\*/`)
	inTime     = regexp.MustCompile(`(\w+) AS (\w+) /\*in time\*/`)
	withMark   = regexp.MustCompile(`(\w+) AS (\w+) /\*marked\*/`)
	fallible   = regexp.MustCompile(`/\*<\*/(.*?)/\*>\*/`)
	tested     = regexp.MustCompile(`/\*test (\w+)\*/`)
)

func forBatch(query string) string {
	query = lateWindow.ReplaceAllString(query, "(SELECT * EXCLUDE (_wm) FROM $1(${2}_wm, $3) AS $4 WHERE _wm IS NULL OR window_end > _wm) AS $4")
	query = fallible.ReplaceAllString(query, "TRY($1)")
	query = inTime.ReplaceAllString(query, "(SELECT * EXCLUDE (_wm) FROM ${1}_wm WHERE _wm IS NULL OR ts >= _wm) AS $2")
	query = withMark.ReplaceAllString(query, "${1}_wm AS $2")
	return tested.ReplaceAllString(query, "AND ($1._wm IS NULL OR $1.ts >= $1._wm)")
}
