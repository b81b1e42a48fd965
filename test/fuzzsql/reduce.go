package fuzzsql

import (
	"slices"
	"strings"
)

// drops reports whether the windows of a query are still such that late rows are dropped, if the batch drops them.
func (s *sel) drops() bool {
	ok := true
	for _, f := range s.from {
		marked := strings.Contains(f.mark, "late") && !(len(s.group) > 0 || len(s.qualify) > 0 || len(s.from) > 1)
		ok = ok && !marked && (f.sub == nil || f.sub.drops())
	}
	for _, c := range s.ctes {
		ok = ok && c.body.drops()
	}
	return ok && (s.right == nil || s.right.drops())
}

// reduce takes off events and clauses while the sides still differ, for at most tries runs.
func (k *checker) reduce(c *Case, tries int) *Case {
	fails := func(x *Case) bool {
		tries--
		if !x.query.drops() {
			return false
		}
		o, err := k.run(x)
		return err == nil && o.Difference != ""
	}
	for smaller := true; smaller && tries > 0; {
		smaller = false
		for _, q := range c.query.shrinks() {
			x := *c
			x.query = q
			if q.ctes == nil {
				withCTEs := *q
				withCTEs.ctes = c.query.ctes
				x.query = &withCTEs
			}
			if len(x.Query()) < len(c.Query()) && fails(&x) {
				c, smaller = &x, true
				break
			}
			if tries <= 0 {
				return c
			}
		}
		for n := max(1, len(c.Events)/2); n > 0 && tries > 0; n /= 2 {
			for at := 0; at+n <= len(c.Events) && tries > 0; {
				x := *c
				x.Events = slices.Delete(slices.Clone(c.Events), at, at+n)
				if fails(&x) {
					c, smaller = &x, true
				} else {
					at += n
				}
			}
		}
	}
	return c
}
