package fast

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"leat/internal/engine/op"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// choice is the order by which a plan reads a relation that has these orders.
type choice struct {
	orders []op.ViewOrder
	types  []types.Type
	// stale says that the relation no longer has the columns that the plan was made for.
	stale bool

	order int
	// prefix are the values of the order's first columns; one of them may stand for several (IN).
	prefix []key
	// lower and upper bound the column behind them, nil for no bound.
	lower, upper *bound
	// one says that each prefix has one row at most.
	one bool
	// sorted says that rows come in the query's order; desc, that they are read backwards.
	sorted, desc bool
	// last are the columns that must not be NULL in rows read backwards for that to be so: the query has their NULLs last.
	last []int
	// residual are the conditions that this leaves.
	residual []*plan.Expr

	machines sync.Pool // of *machine
}

// key is what one column of an order equals.
type key struct {
	column int
	// values are without columns; more than one are those of an IN.
	values []*plan.Expr
	// nulls says that NULL is a value as any other (IS NULL, IS NOT DISTINCT FROM); else it equals nothing.
	nulls bool
	// narrows says that the values have a wider integer type than the column.
	narrows bool
	cond    int
}

type bound struct {
	value              *plan.Expr
	inclusive, narrows bool
	cond               int
}

// useful reports whether the order finds rows rather than reads all.
func (c *choice) useful() bool { return len(c.prefix) > 0 || c.lower != nil || c.upper != nil }

// choose finds the best order of a relation.
func (p *Plan) choose(orders []op.ViewOrder, ts []types.Type) *choice {
	best, most := (*choice)(nil), -1
	for i := range orders {
		c := p.try(orders, i)
		if n := c.score(); n > most {
			best, most = c, n
		}
	}
	best.orders, best.types = orders, ts
	best.stale = len(ts) != len(p.columns)
	for i := 0; i < len(ts) && !best.stale; i++ {
		best.stale = !ts[i].Equal(p.columns[i].Type)
	}
	best.machines.New = func() any { return p.machine(best) }
	return best
}

func (c *choice) score() int {
	n := 8 * len(c.prefix)
	if c.one {
		n += 1000
	}
	if c.lower != nil {
		n += 2
	}
	if c.upper != nil {
		n += 2
	}
	if c.sorted {
		n++
	}
	return n
}

// try makes what it can of the conditions with one of the orders.
func (p *Plan) try(orders []op.ViewOrder, i int) *choice {
	o := orders[i]
	c := &choice{order: i}
	used := map[int]bool{}
	many := false
	columns := o.Columns
	for len(columns) > 0 && !p.columns[columns[0]].Type.Kind.IsNested() {
		k, ok := p.equals(columns[0], !many)
		if !ok {
			break
		}
		many = many || len(k.values) > 1
		c.prefix, columns = append(c.prefix, k), columns[1:]
		used[k.cond] = true
	}
	c.one = o.Unique && len(columns) == 0
	if len(columns) > 0 && !p.columns[columns[0]].Type.Kind.IsNested() {
		if c.lower = p.bound(columns[0], ">", ">="); c.lower != nil {
			used[c.lower.cond] = true
		}
		if c.upper = p.bound(columns[0], "<", "<="); c.upper != nil {
			used[c.upper.cond] = true
		}
	}
	if !many {
		c.sort(p, columns)
	}
	c.sorted = c.sorted || len(p.order) == 0
	for i, e := range p.conds {
		if !used[i] {
			c.residual = append(c.residual, e)
		}
	}
	return c
}

// equals finds the condition that gives a column its value; many says that it may be one of several.
func (p *Plan) equals(column int, many bool) (key, bool) {
	for i, e := range p.conds {
		k := key{column: column, cond: i}
		switch {
		case e.Kind == plan.IsNull && e.Args[0].Kind == plan.Column && e.Args[0].Index == column:
			k.nulls, k.values = true, []*plan.Expr{plan.Lit(nil, p.columns[column].Type)}
			return k, true
		case e.Kind == plan.Compare && (e.Name == "=" || e.Name == "is not distinct from"):
			if v, narrows, _, ok := p.sides(e, column); ok {
				k.nulls, k.values, k.narrows = e.Name != "=", []*plan.Expr{v}, narrows
				return k, true
			}
		case e.Kind == plan.In && many && len(e.Args) <= maxValues+1:
			if narrows, ok := p.is(e.Args[0], column); ok && !slices.ContainsFunc(e.Args[1:], func(v *plan.Expr) bool { return !free(v) || !v.Type.Equal(e.Args[0].Type) }) {
				k.values, k.narrows = e.Args[1:], narrows
				return k, true
			}
		}
	}
	return key{}, false
}

// maxValues is how many values of an IN are looked up one by one.
const maxValues = 1000

// bound finds the condition that bounds a column by one of two comparisons.
func (p *Plan) bound(column int, strict, inclusive string) *bound {
	for i, e := range p.conds {
		if e.Kind != plan.Compare {
			continue
		}
		v, narrows, flipped, ok := p.sides(e, column)
		name := e.Name
		if flipped {
			name = mirrored[name]
		}
		if ok && (name == strict || name == inclusive) {
			return &bound{v, name == inclusive, narrows, i}
		}
	}
	return nil
}

var mirrored = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}

// sides takes a comparison of a column with a value apart; flipped says that the value stands first.
func (p *Plan) sides(e *plan.Expr, column int) (v *plan.Expr, narrows, flipped, ok bool) {
	a, b := e.Args[0], e.Args[1]
	if !a.Type.Equal(b.Type) {
		return nil, false, false, false
	}
	if narrows, ok := p.is(a, column); ok && free(b) {
		return b, narrows, false, true
	}
	if narrows, ok := p.is(b, column); ok && free(a) {
		return a, narrows, true, true
	}
	return nil, false, false, false
}

// is reports whether an expression is a column, or (narrows) a column cast to a wider integer type.
func (p *Plan) is(e *plan.Expr, column int) (narrows, ok bool) {
	if e.Kind == plan.Cast && e.Type.Kind.IsInteger() {
		if low, high, small := span(e.Args[0].Type.Kind); small && e.Args[0].Kind == plan.Column && e.Args[0].Index == column {
			wideLow, wideHigh, ok := span(e.Type.Kind)
			return true, ok && wideLow <= low && wideHigh >= high || e.Type.Kind == types.HugeInt
		}
	}
	return false, e.Kind == plan.Column && e.Index == column
}

// free reports whether an expression is without columns.
func free(e *plan.Expr) bool {
	found := false
	e.Walk(func(e *plan.Expr) bool {
		found = found || e.Kind == plan.Column
		return !found
	})
	return !found
}

// sort finds out whether the order's remaining columns are the query's order, up or down.
func (c *choice) sort(p *Plan, columns []int) {
	if c.one || len(p.order) == 0 {
		c.sorted = true
		return
	}
	at, first := 0, true
	for _, k := range p.order {
		if k.Expr.Kind != plan.Column {
			return
		}
		if slices.ContainsFunc(c.prefix, func(f key) bool { return f.column == k.Expr.Index }) {
			continue // the same for all rows
		}
		if at >= len(columns) || columns[at] != k.Expr.Index || !first && k.Desc != c.desc {
			return
		}
		c.desc, first = k.Desc, false
		bounded := at == 0 && (c.lower != nil || c.upper != nil)
		switch {
		case bounded: // no NULLs
		case !k.Desc && k.NullsFirst:
			return
		case k.Desc && !k.NullsFirst:
			c.last = append(c.last, columns[at])
		}
		at++
	}
	c.sorted = true
}

// describe says how rows are found.
func (p *Plan) describe(c *choice) string {
	var b strings.Builder
	switch {
	case c.one:
		b.WriteString("look-up by key ")
	case c.useful():
		b.WriteString("range ")
	default:
		fmt.Fprintf(&b, "scan of at most %d rows", MaxRows)
	}
	if c.useful() || c.one {
		var names []string
		for _, k := range c.prefix {
			names = append(names, types.QuoteIdent(p.columns[k.column].Name))
		}
		if c.lower != nil || c.upper != nil {
			names = append(names, types.QuoteIdent(p.columns[c.orders[c.order].Columns[len(c.prefix)]].Name))
		}
		b.WriteString("(" + strings.Join(names, ", ") + ")")
		if id := c.orders[c.order].Index; id != 0 {
			b.WriteString(" of an index")
		}
	}
	for i, e := range c.residual {
		b.WriteString([]string{", filter ", " and "}[min(i, 1)] + p.print(e))
	}
	switch {
	case len(p.order) == 0:
	case c.sorted:
		b.WriteString(", in order")
	default:
		b.WriteString(", sorted")
	}
	return b.String()
}

// Path says how a relation with these orders and so many rows is read: how rows are found, or (ok is false) why the store has to, and in hint what
// would change that.
func (p *Plan) Path(orders []op.ViewOrder, rows int64) (text, hint string, ok bool) {
	c := p.choose(orders, nil)
	if c.useful() || c.one || rows <= MaxRows || c.stops(p) {
		return p.describe(c), "", true
	}
	text = fmt.Sprintf("%s has %d rows, and neither its key nor an index begins with a column that the query compares", types.QuoteIdent(p.Name), rows)
	if columns := p.indexable(); len(columns) > 0 {
		hint = "CREATE INDEX ON " + types.QuoteIdent(p.Name) + " (" + strings.Join(columns, ", ") + ")"
	}
	return text, hint, false
}

// stops reports whether a run needs only the first rows of the order.
func (c *choice) stops(p *Plan) bool {
	return c.sorted && len(c.residual) == 0 && (p.limit >= 0 && p.limit+p.offset <= MaxRows || p.limitBy != nil)
}

// indexable are the columns by which an index would find the rows: what they equal, then what bounds or orders them.
func (p *Plan) indexable() []string {
	var out []string
	bounded := ""
	for i, col := range p.columns {
		if col.Type.Kind.IsNested() {
			continue
		}
		if _, ok := p.equals(i, true); ok {
			out = append(out, types.QuoteIdent(col.Name))
		} else if p.bound(i, ">", ">=") != nil || p.bound(i, "<", "<=") != nil {
			bounded = types.QuoteIdent(col.Name)
		}
	}
	if bounded != "" {
		return append(out, bounded)
	}
	for _, k := range p.order {
		if k.Expr.Kind == plan.Column && p.limit >= 0 {
			out = append(out, types.QuoteIdent(p.columns[k.Expr.Index].Name))
		}
	}
	return out
}
