package control

import (
	"fmt"
	"reflect"
	"slices"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// maxPartitions bounds WITH (partitions = n): each costs the log memory and a store cursor.
const maxPartitions = 256

func (p *planner) createStream(st *ddl.CreateStream) (Result, error) {
	return p.createRows(&st.Head, catalog.StreamKind, st.Columns, func(s *catalog.Stream) error {
		ids, err := p.columnIDs(s.Schema, st.PartitionBy)
		if err != nil {
			return err
		}
		s.PartitionBy = ids
		if err := p.setOptions(s, &st.Options); err != nil {
			return err
		}
		return p.setWatermark(s, st.Watermark)
	})
}

func (p *planner) createTable(st *ddl.CreateTable) (Result, error) {
	return p.createRows(&st.Head, catalog.TableKind, st.Columns, func(s *catalog.Stream) error {
		ids, err := p.columnIDs(s.Schema, st.PrimaryKey)
		if err != nil {
			return err
		}
		for _, id := range ids {
			s.Schema.Columns[s.Schema.IndexID(id)].NotNull = true
		}
		s.PrimaryKey = ids
		if st.Version != nil {
			i, err := p.column(s.Schema, *st.Version)
			if err != nil {
				return err
			}
			if slices.Contains(ids, s.Schema.Columns[i].ID) {
				return p.fail(st.Version.Pos, types.InvalidArgument, "VERSION %q can't be a key column", st.Version.Name)
			}
			s.VersionColumn = s.Schema.Columns[i].ID
		}
		if err := p.setOptions(s, &st.Options); err != nil {
			return err
		}
		return p.setWatermark(s, st.Watermark)
	})
}

// createRows makes a stream or table; rest fills in what only one of them has.
func (p *planner) createRows(h *ddl.Head, kind catalog.Kind, columns []ddl.Column, rest func(*catalog.Stream) error) (Result, error) {
	old, r, done, err := p.head(h, kind, keyword(kind))
	if err != nil || done {
		return r, err
	}
	s := &catalog.Stream{Schema: &types.Schema{Version: 1}, Partitions: 1}
	for i := range columns {
		if err := p.addColumn(s.Schema, &columns[i]); err != nil {
			return r, err
		}
	}
	if err := s.Schema.Validate(); err != nil {
		return r, place(p.script, h.Name.Pos, types.AsError(err))
	}
	if err := rest(s); err != nil {
		return r, err
	}
	if old != nil {
		return p.replaceRows(h, old, s)
	}
	p.draft.create(&catalog.Object{Kind: kind, Name: h.Name.Name, Stream: s})
	return r, nil
}

// replaceRows is CREATE OR REPLACE of a stream or table that exists: it keeps the rows. It may add columns and change rules; what would
// lose or change rows is refused with the ALTER that does it knowingly.
func (p *planner) replaceRows(h *ddl.Head, old *catalog.Object, s *catalog.Stream) (Result, error) {
	r := Result{Statement: "CREATE " + keyword(old.Kind), Name: old.Name, Status: replaced}
	was := old.Stream
	ids := map[int32]int32{}
	next := was.Schema.Clone()
	next.Columns = nil
	for _, col := range s.Schema.Columns {
		fresh := col.ID
		if i := was.Schema.Index(col.Name); i >= 0 {
			before := was.Schema.Columns[i]
			if !before.Type.Equal(col.Type) {
				return r, retypeHint(p.fail(h.Name.Pos, types.Conflict, "OR REPLACE would change column %q from %s to %s", col.Name, before.Type, col.Type), old, before, col.Type)
			}
			col.ID, col.Wide = before.ID, before.Wide
		} else {
			col.ID = next.NextID
			next.NextID++
		}
		ids[fresh] = col.ID
		next.Columns = append(next.Columns, col)
	}
	for _, col := range was.Schema.Columns {
		if next.IndexID(col.ID) < 0 {
			return r, dropHint(p.fail(h.Name.Pos, types.Conflict, "OR REPLACE would lose column %q and its values", col.Name), old, col)
		}
	}
	s.Time.Column, s.VersionColumn = ids[s.Time.Column], ids[s.VersionColumn]
	s.PartitionBy, s.PrimaryKey = renumber(s.PartitionBy, ids), renumber(s.PrimaryKey, ids)
	if !slices.Equal(s.PartitionBy, was.PartitionBy) || !slices.Equal(s.PrimaryKey, was.PrimaryKey) || s.Partitions != was.Partitions || s.VersionColumn != was.VersionColumn {
		return r, p.fail(h.Name.Pos, types.Conflict, "OR REPLACE would change the key, version column or partitions of %q, by which its rows are placed", old.Name).
			WithHint("drop it and create it anew, or " + fmt.Sprintf(copyHint, old.Kind))
	}
	s.Schema = next
	if !reflect.DeepEqual(next.Columns, was.Schema.Columns) {
		next.Version++
	}
	if reflect.DeepEqual(s, was) {
		r.Status = unchanged
		return r, nil
	}
	p.places[old.ID] = h.Name.Pos
	o := *old
	o.Stream, o.Auto = s, false
	p.draft.replace(&o)
	return r, nil
}

func renumber(ids []int32, to map[int32]int32) []int32 {
	var out []int32
	for _, id := range ids {
		out = append(out, to[id])
	}
	return out
}

func (p *planner) createView(st *ddl.CreateView) (Result, error) {
	v := &catalog.View{Query: st.Query.Text}
	for _, c := range st.Columns {
		if err := types.CheckColumnName(c.Name); err != nil {
			return Result{}, place(p.script, c.Pos, types.AsError(err))
		}
		v.Columns = append(v.Columns, c.Name)
	}
	return p.createQuery(&st.Head, &catalog.Object{Kind: catalog.ViewKind, View: v}, st.Query)
}

func (p *planner) createEndpoint(st *ddl.CreateEndpoint) (Result, error) {
	e := &catalog.Endpoint{Query: st.Query.Text}
	if err := setEndpointOptions(e, &st.Options); err != nil {
		return Result{}, place(p.script, st.Name.Pos, types.AsError(err))
	}
	for _, a := range st.Params {
		e.Params = append(e.Params, catalog.Param{Name: a.Name.Name, Type: a.Type, Default: a.Default, HasDefault: a.HasDefault})
	}
	return p.createQuery(&st.Head, &catalog.Object{Kind: catalog.EndpointKind, Endpoint: e}, st.Query)
}

// createQuery makes a view or an endpoint.
func (p *planner) createQuery(h *ddl.Head, o *catalog.Object, q ddl.Query) (Result, error) {
	old, r, done, err := p.head(h, o.Kind, words(o))
	if err != nil || done {
		return r, err
	}
	o.Name = h.Name.Name
	var params []string
	if o.DependsOn, params, err = p.references(q, old); err != nil {
		return r, err
	}
	if err := p.checkParams(o, params, h.Name.Pos); err != nil {
		return r, err
	}
	if old == nil {
		p.draft.create(o)
		return r, p.bind(o, q.Offset)
	}
	r.Status = replaced
	same, err := p.sameQuery(o, old)
	if err != nil {
		return r, p.shift(q.Offset, 1, err)
	}
	if same {
		r.Status = unchanged
		return r, nil
	}
	p.places[old.ID] = h.Name.Pos
	o.ID, o.CreatedAt = old.ID, old.CreatedAt
	p.draft.replace(o)
	if err := p.bind(o, q.Offset); err != nil {
		return r, err
	}
	return r, p.keepIndexes(o, old, h.Name.Pos)
}

// sameQuery reports whether a view or endpoint that is written again would change nothing.
func (p *planner) sameQuery(o, old *catalog.Object) (bool, error) {
	if !reflect.DeepEqual(o.Endpoint, old.Endpoint) || !slices.Equal(o.DependsOn, old.DependsOn) {
		return false, nil
	}
	if !sameView(o.View, old.View) {
		return reflect.DeepEqual(o.View, old.View), nil
	}
	m, err := p.planned(o.View)
	return err == nil && sameBinding(old.View.Materialized, m), err
}

// checkParams refuses a view with parameters, and an endpoint whose query and parameters don't fit each other.
func (p *planner) checkParams(o *catalog.Object, used []string, pos int) error {
	if o.View != nil && len(used) > 0 {
		return p.fail(pos, types.InvalidArgument, "a view can't have parameters such as $%s", used[0]).WithHint("an ENDPOINT can")
	}
	if o.View != nil || p.c.CheckEndpoint == nil {
		return nil
	}
	if err := p.c.CheckEndpoint(o.Endpoint, used); err != nil {
		return place(p.script, pos, types.AsError(err))
	}
	return nil
}

// head checks the name of a CREATE of a kind, which what says in the words of the statement. It returns the object to replace, if any; done says that there is nothing to do.
func (p *planner) head(h *ddl.Head, kind catalog.Kind, what string) (old *catalog.Object, r Result, done bool, err error) {
	r = Result{Statement: "CREATE " + what, Name: h.Name.Name, Status: created}
	if err := p.public(h.Name); err != nil {
		return nil, r, false, err
	}
	if err := types.CheckObjectName(h.Name.Name); err != nil {
		return nil, r, false, place(p.script, h.Name.Pos, types.AsError(err))
	}
	old = p.draft.byName(h.Name.Name)
	of, _ := p.draft.index(h.Name.Name)
	switch {
	case old == nil && of != nil:
		return nil, r, false, p.fail(h.Name.Pos, types.AlreadyExists, "%q is an index of %q", h.Name.Name, of.Name).WithHint(oneNameSpace)
	case old == nil:
		return nil, r, false, nil
	case old.Kind == kind && h.IfNotExists:
		r.Status = unchanged
		return old, r, true, nil
	case old.Kind == kind && h.OrReplace:
		return old, r, false, nil
	}
	e := p.fail(h.Name.Pos, types.AlreadyExists, "%s %q already exists", kindOf(old), old.Name)
	if old.Kind == kind {
		return nil, r, false, e.WithHint("CREATE OR REPLACE %s changes it, IF NOT EXISTS leaves it", what)
	}
	return nil, r, false, e.WithHint(oneNameSpace)
}

// addColumn appends a column of a CREATE or ADD COLUMN.
func (p *planner) addColumn(s *types.Schema, c *ddl.Column) error {
	if err := types.CheckColumnName(c.Name.Name); err != nil {
		return place(p.script, c.Name.Pos, types.AsError(err))
	}
	if s.Index(c.Name.Name) >= 0 {
		return p.fail(c.Name.Pos, types.AlreadyExists, "there are two columns %q (names are compared without case)", c.Name.Name)
	}
	path := c.Path
	if len(path) == 0 {
		path = []string{c.Name.Name}
	}
	i := s.Add(c.Name.Name, c.Type, path...)
	s.Columns[i].NotNull = c.NotNull
	return nil
}

// column returns the position of a named column.
func (p *planner) column(s *types.Schema, name ddl.Ident) (int, error) {
	if i := s.Index(name.Name); i >= 0 {
		return i, nil
	}
	return 0, p.fail(name.Pos, types.UnknownColumn, "there is no column %q", name.Name).WithHint("the columns are %s", columnNames(s))
}

func columnNames(s *types.Schema) string {
	names := make([]string, 0, 20)
	for _, c := range s.Columns {
		if len(names) == cap(names) {
			return identList(names) + ", ..."
		}
		names = append(names, c.Name)
	}
	return identList(names)
}

func (p *planner) columnIDs(s *types.Schema, names []ddl.Ident) ([]int32, error) {
	var ids []int32
	for _, n := range names {
		i, err := p.column(s, n)
		if err != nil {
			return nil, err
		}
		c := s.Columns[i]
		switch {
		case slices.Contains(ids, c.ID):
			return nil, p.fail(n.Pos, types.InvalidArgument, "column %q is named twice", n.Name)
		case c.Type.Kind.IsNested() || c.Type.Kind == types.JSON:
			return nil, p.fail(n.Pos, types.TypeMismatch, "column %q of type %s can't be part of a key", n.Name, c.Type)
		}
		ids = append(ids, c.ID)
	}
	return ids, nil
}
