package fuzzsql

import "slices"

// reduce takes off events and clauses while the sides still differ, for at most tries runs.
func (k *checker) reduce(c *Case, tries int) *Case {
	fails := func(x *Case) bool {
		tries--
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
