package control

import (
	"fmt"
	"slices"
	"strings"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// MaxIndexes is how many indexes a table or view has at most: each is written with every change of the rows.
const MaxIndexes = 16

// IndexStatus tells of an index of a relation that runs.
type IndexStatus struct {
	// Built says that look-ups go by it; until then Progress is from 0 to 1.
	Built    bool
	Progress float64
	Bytes    int64
}

// index returns the object that has an index of that name, and its place among the object's; nil if there is none.
func (d *draft) index(name string) (*catalog.Object, int) {
	for _, o := range d.objects {
		if i := slices.IndexFunc(o.Indexes, func(x catalog.Index) bool { return x.Name == name }); i >= 0 {
			return o, i
		}
	}
	return nil, -1
}

func (p *planner) createIndex(st *ddl.CreateIndex) (Result, error) {
	r := Result{Statement: "CREATE INDEX", Name: st.Name.Name, Status: created}
	if o, _ := p.draft.index(st.Name.Name); o != nil && st.IfNotExists {
		r.Status = unchanged
		return r, nil
	}
	o, err := p.find(st.On, ddl.Any, "CREATE INDEX ON")
	if err != nil {
		return r, err
	}
	if err := indexable(o); err != nil {
		return r, place(p.script, st.On.Pos, err)
	}
	x := catalog.Index{ID: o.LastIndex + 1, Name: st.Name.Name}
	if x.Columns, err = p.indexColumns(o, st.Columns); err != nil {
		return r, err
	}
	if len(o.Indexes) >= MaxIndexes {
		return r, p.fail(st.On.Pos, types.LimitExceeded, "%s %q has %d indexes, which is the limit", kindOf(o), o.Name, MaxIndexes).WithHint("DROP INDEX one that is not used; SHOW INDEXES FROM %s", types.QuoteIdent(o.Name))
	}
	if err := p.nameIndex(&x, o, st); err != nil {
		return r, err
	}
	r.Name = x.Name
	p.withIndexes(o, append(slices.Clone(o.Indexes), x), st.On.Pos)
	return r, nil
}

// indexable refuses indexes on what has no rows in the engine's state.
func indexable(o *catalog.Object) *types.Error {
	name := types.QuoteIdent(o.Name)
	no := types.Errorf(types.Unsupported, "a %s can't have an index", kindOf(o))
	switch {
	case o.Continuous() || ServedByEngine(o):
		return nil
	case o.Kind == catalog.StreamKind:
		return no.WithHint("index a materialized view of it: CREATE MATERIALIZED VIEW v AS SELECT ... FROM %s; CREATE INDEX ON v (...)", name)
	case o.Kind == catalog.TableKind:
		return types.Errorf(types.Unsupported, "a table with a ttl can't have an index").WithHint("index a materialized view of it: CREATE MATERIALIZED VIEW v AS SELECT ... FROM %s", name)
	case o.Kind == catalog.ViewKind:
		return no.WithHint("it keeps no rows: index what it reads, or make it a MATERIALIZED VIEW")
	}
	return no.WithHint("index the tables and materialized views that it reads")
}

// indexColumns finds an index's columns, and refuses those that order by nothing new.
func (p *planner) indexColumns(o *catalog.Object, names []ddl.Ident) ([]int32, error) {
	var ids []int32
	for _, n := range names {
		i, err := p.column(o.Schema(), n)
		if err != nil {
			return nil, err
		}
		c := o.Schema().Columns[i]
		if slices.Contains(ids, c.ID) {
			return nil, p.fail(n.Pos, types.InvalidArgument, "column %q is named twice", c.Name)
		}
		if c.Type.Kind.IsNested() {
			return nil, p.fail(n.Pos, types.TypeMismatch, "column %q of type %s can't be part of an index", c.Name, c.Type).
				WithHint("let a materialized view take the field out, and index its column")
		}
		ids = append(ids, c.ID)
	}
	if key := keyColumns(o); len(ids) <= len(key) && slices.Equal(ids, key[:len(ids)]) {
		return nil, p.fail(names[0].Pos, types.AlreadyExists, "rows of %q are found by these columns without an index: its key begins with them", o.Name)
	}
	for _, x := range o.Indexes {
		if slices.Equal(x.Columns, ids) {
			return nil, p.fail(names[0].Pos, types.AlreadyExists, "index %q of %q has the same columns", x.Name, o.Name)
		}
	}
	return ids, nil
}

// keyColumns are the IDs of the key by which rows are found without an index.
func keyColumns(o *catalog.Object) (ids []int32) {
	if o.Stream != nil {
		return o.Stream.PrimaryKey
	}
	m := o.View.Materialized
	for _, i := range m.Key {
		ids = append(ids, m.Schema.Columns[i].ID)
	}
	return ids
}

// nameIndex gives an index its name: that of the statement, or one made of the object's and the columns'.
func (p *planner) nameIndex(x *catalog.Index, o *catalog.Object, st *ddl.CreateIndex) error {
	taken := func(name string) (*catalog.Object, bool) {
		if of, i := p.draft.index(name); i >= 0 {
			return of, true
		}
		other := p.draft.byName(name)
		return other, other != nil
	}
	if x.Name == "" {
		base := o.Name
		for _, c := range st.Columns {
			base += "_" + c.Name
		}
		x.Name = indexName(base, "_idx")
		for n := 1; ; n++ {
			if _, used := taken(x.Name); !used {
				return nil
			}
			x.Name = indexName(base, fmt.Sprint("_idx", n))
		}
	}
	if err := types.CheckObjectName(x.Name); err != nil {
		return place(p.script, st.Name.Pos, types.AsError(err))
	}
	of, used := taken(x.Name)
	switch {
	case !used:
		return nil
	case of.Name == x.Name:
		return p.fail(st.Name.Pos, types.AlreadyExists, "%s %q already exists", kindOf(of), of.Name).WithHint(oneNameSpace)
	}
	return p.fail(st.Name.Pos, types.AlreadyExists, "index %q already exists, on %q", x.Name, of.Name).WithHint("IF NOT EXISTS leaves it; DROP INDEX %s removes it", types.QuoteIdent(x.Name))
}

const oneNameSpace = "streams, tables, views, endpoints and indexes share one name space; choose another name"

// indexName makes a name of an object of base, cut so that the end has room.
func indexName(base, end string) string {
	const longest = 63
	folded := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, base)
	return folded[:min(len(folded), longest-len(end))] + end
}

// withIndexes puts a copy of an object with other indexes into the draft.
func (p *planner) withIndexes(o *catalog.Object, indexes []catalog.Index, pos int) {
	n := *o
	n.Indexes = indexes
	for _, x := range indexes {
		n.LastIndex = max(n.LastIndex, x.ID)
	}
	p.places[o.ID] = pos
	p.draft.replace(&n)
}

func (p *planner) dropIndexes(st *ddl.Drop) (Result, error) {
	r := Result{Statement: "DROP INDEX", Status: unchanged}
	var gone []string
	for _, name := range st.Names {
		if err := p.public(name); err != nil {
			return r, err
		}
		o, i := p.draft.index(name.Name)
		switch other := p.draft.byName(name.Name); {
		case o == nil && other != nil:
			return r, p.fail(name.Pos, types.InvalidArgument, "%q is a %s, not an index", name.Name, kindOf(other)).WithHint("DROP %s %s", words(other), types.QuoteIdent(name.Name))
		case o == nil && st.IfExists:
			continue
		case o == nil:
			return r, p.fail(name.Pos, types.UnknownRelation, "there is no index %q", name.Name).WithHint("SHOW INDEXES")
		}
		p.withIndexes(o, slices.Delete(slices.Clone(o.Indexes), i, i+1), name.Pos)
		gone = append(gone, name.Name)
		r.Status = dropped
	}
	r.Name = strings.Join(gone, ", ")
	return r, nil
}

// keepIndexes gives a view that is written anew the indexes that it had, on the columns of the same names.
func (p *planner) keepIndexes(o, old *catalog.Object, pos int) error {
	o.LastIndex = old.LastIndex
	for _, x := range old.Indexes {
		kept := catalog.Index{ID: x.ID, Name: x.Name}
		for _, id := range x.Columns {
			name, i := old.Schema().Columns[old.Schema().IndexID(id)].Name, -1
			if s := o.Schema(); s != nil {
				i = s.Index(name)
			}
			if i < 0 || o.Schema().Columns[i].Type.Kind.IsNested() {
				return p.fail(pos, types.DependentObjects, "index %q orders %q by column %q, which would be gone or of a type without an order", x.Name, old.Name, name).
					WithHint("in the same script before: DROP INDEX %s;", types.QuoteIdent(x.Name))
			}
			kept.Columns = append(kept.Columns, o.Schema().Columns[i].ID)
		}
		o.Indexes = append(o.Indexes, kept)
	}
	return nil
}

// checkIndexes makes sure that what changed can still have its indexes.
func (p *planner) checkIndexes(o *catalog.Object) error {
	if len(o.Indexes) == 0 {
		return nil
	}
	x := o.Indexes[0]
	if err := indexable(o); err != nil {
		return p.at(o, "%s, and %q has index %q", err.Message, o.Name, x.Name).WithHint("in the same script: DROP INDEX %s;", types.QuoteIdent(x.Name))
	}
	for _, x := range o.Indexes {
		for _, id := range x.Columns {
			i := o.Schema().IndexID(id)
			if i >= 0 && !o.Schema().Columns[i].Type.Kind.IsNested() {
				continue
			}
			return p.at(o, "index %q orders %q by a column that would be gone, or of a type that has no order", x.Name, o.Name).
				WithHint("in the same script: DROP INDEX %s;", types.QuoteIdent(x.Name))
		}
	}
	return nil
}
