package app

import (
	"fmt"
	"slices"
	"strings"

	"leat/internal/catalog"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/query"
	"leat/internal/types"
)

// looked is what a look-up found: rows is nil for none, one says that there can't be more.
type looked struct {
	rows   *zset.Batch
	one    bool
	cursor string
}

// look finds rows in a version of the relation.
func (k *keyed) look(snap *op.ViewSnapshot, l query.Lookup, s seals) (looked, error) {
	given, err := k.given(l)
	if err != nil {
		return looked{}, err
	}
	where, err := k.sieve(l.Where)
	if err != nil {
		return looked{}, err
	}
	orders := k.orders(snap)
	if k.whole(given) {
		values, _, err := k.prefix(orders[0], given, nil)
		if err != nil {
			return looked{}, err
		}
		return looked{rows: where.one(snap.Get(values, 0)), one: true}, nil
	}
	p := page{id: k.object.ID, sum: k.sum(l), limit: l.Limit, seals: s}
	if p.limit == 0 {
		p.limit = query.DefaultPage
	}
	if l.Cursor == "" {
		p.order, err = k.choose(orders, given, where)
	} else {
		err = p.resume(l.Cursor, orders)
	}
	if err != nil {
		return looked{}, err
	}
	if p.prefix, p.where, err = k.prefix(orders[p.order], given, where); err != nil {
		return looked{}, err
	}
	if l.Cursor != "" && p.sealed != (len(p.where) > 0) {
		return looked{}, badCursor()
	}
	p.index = orders[p.order].Index
	rows := p.read(snap)
	return looked{rows: rows, cursor: p.cursor()}, nil
}

// given reads the columns that a look-up names, by their positions; nil is NULL.
func (k *keyed) given(l query.Lookup) (map[int]*string, error) {
	if l.Key != nil {
		switch {
		case len(k.key) == 0 && !k.unique:
			return nil, k.keyless(nil)
		case !k.unique || len(k.key) != 1:
			return nil, k.refuse(nil, "the path has one value, and the key of %q is %s", k.object.Name, k.names())
		}
		return map[int]*string{k.key[0]: l.Key}, nil
	}
	given := map[int]*string{}
	for _, c := range l.Columns {
		i, text, err := k.column(c)
		if err != nil {
			return nil, err
		}
		if _, twice := given[i]; twice {
			return nil, misfit(c.Column, "is given twice")
		}
		given[i] = text
	}
	return given, nil
}

// whole reports whether the columns that are given are those of a key: then there is one row at most.
func (k *keyed) whole(given map[int]*string) bool {
	return k.unique && len(given) > 0 && len(given) == len(k.key) &&
		!slices.ContainsFunc(k.key, func(c int) bool { _, ok := given[c]; return !ok })
}

// orders are those that a look-up may go by. A view without a key has its rows in the order of all columns.
func (k *keyed) orders(snap *op.ViewSnapshot) []op.ViewOrder {
	orders := slices.Clone(snap.Orders())
	orders[0].Columns = k.key
	return orders
}

// leads is how many of an order's first columns are given or are in a condition, and how many of them are in a condition alone; ok is false
// where a column that is given is not among them.
func leads(o op.ViewOrder, given map[int]*string, where sieve) (n, conditions int, ok bool) {
	for _, c := range o.Columns {
		if _, is := given[c]; !is {
			if where.find(c) < 0 {
				break
			}
			conditions++
		}
		n++
	}
	return n, conditions, n-conditions == len(given)
}

// choose finds the order that a look-up goes by: one whose first columns are those that are given, and of these the one in which conditions
// leave the fewest rows.
func (k *keyed) choose(orders []op.ViewOrder, given map[int]*string, where sieve) (int, error) {
	best, most := -1, -1
	for i, o := range orders {
		if _, n, ok := leads(o, given, where); ok && n > most {
			best, most = i, n
		}
	}
	if best >= 0 {
		return best, nil
	}
	if x := k.building(orders, given, where); x != "" {
		return 0, types.Errorf(types.Unavailable, "index %q, which finds these rows, is being built", x).WithHint("ask again; SHOW INDEXES shows the progress")
	}
	if len(k.key) == 0 && !k.unique {
		return 0, k.keyless(given)
	}
	return 0, k.refuse(given, "rows of %q are found by all or the first ones of its key, %s, or of the columns of an index, and not by %s", k.object.Name, k.names(), k.list(given))
}

// building names an index of the definition that would do, and is not there yet.
func (k *keyed) building(orders []op.ViewOrder, given map[int]*string, where sieve) string {
	for _, x := range k.object.Indexes {
		if slices.ContainsFunc(orders, func(o op.ViewOrder) bool { return o.Index == x.ID }) {
			continue
		}
		if _, _, ok := leads(op.ViewOrder{Columns: positions(k.schema, x)}, given, where); ok {
			return x.Name
		}
	}
	return ""
}

// positions are those of an index's columns.
func positions(s *types.Schema, x catalog.Index) []int {
	out := make([]int, len(x.Columns))
	for i, id := range x.Columns {
		out[i] = s.IndexID(id)
	}
	return out
}

// prefix makes the values of an order's first columns: those that are given, and those of conditions, which the rest of the sieve lacks.
func (k *keyed) prefix(o op.ViewOrder, given map[int]*string, where sieve) ([]*zset.Vec, sieve, error) {
	n, _, _ := leads(o, given, where)
	rest := slices.Clone(where)
	out := make([]*zset.Vec, n)
	for i, c := range o.Columns[:n] {
		if _, ok := given[c]; !ok {
			at := rest.find(c)
			out[i] = rest[at].of
			rest = slices.Delete(rest, at, at+1)
			continue
		}
		v, err := k.value(c, given[c])
		if err != nil {
			return nil, nil, err
		}
		out[i] = v
	}
	return out, rest, nil
}

// value makes a column of one value; nil is NULL.
func (k *keyed) value(column int, text *string) (*zset.Vec, error) {
	c := k.schema.Columns[column]
	if text == nil {
		return zset.Nulls(c.Type, 1), nil
	}
	v := parseValue(c.Type, *text)
	if v == nil {
		return nil, misfit(c.Name, "is %s, which %.60q is not", c.Type, *text)
	}
	return v, nil
}

// list names columns.
func (k *keyed) list(given map[int]*string) string {
	var names []string
	for i, c := range k.schema.Columns {
		if _, ok := given[i]; ok {
			names = append(names, types.QuoteIdent(c.Name))
		}
	}
	return strings.Join(names, ", ")
}

func (k *keyed) keyless(given map[int]*string) error {
	return k.refuse(given, "rows of %q have no key: they can be read here in the order in which they came, and are found by the columns of an index alone", k.object.Name)
}

// refuse is an error about columns, with the ways that lead there; given are those that an index could have.
func (k *keyed) refuse(given map[int]*string, format string, args ...any) error {
	name := types.QuoteIdent(k.object.Name)
	where := "/v1/views/" + k.object.Name
	if k.object.Stream != nil {
		where = "/v1/tables/" + k.object.Name
	}
	ways := where + "/rows"
	for i, c := range k.key {
		ways += fmt.Sprintf("%c%s=...", "?&"[min(i, 1)], k.schema.Columns[c].Name)
	}
	index := ""
	if k.indexable(given) {
		index = fmt.Sprintf("CREATE INDEX ON %s (%s), or ", name, k.list(given))
	}
	return types.Errorf(types.InvalidArgument, format, args...).WithHint("%sask for %s, or query it: SELECT * FROM %s WHERE ...", index, ways, name)
}

func (k *keyed) indexable(given map[int]*string) bool {
	for c := range given {
		if k.schema.Columns[c].Type.Kind.IsNested() {
			return false
		}
	}
	return len(given) > 0
}
