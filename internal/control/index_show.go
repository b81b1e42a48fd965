package control

import (
	"slices"
	"strings"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// indexColumnNames are the names of an index's columns.
func indexColumnNames(o *catalog.Object, x catalog.Index) []string {
	names := make([]string, len(x.Columns))
	for i, id := range x.Columns {
		names[i] = o.Schema().Columns[o.Schema().IndexID(id)].Name
	}
	return names
}

func indexStatement(o *catalog.Object, x catalog.Index) *ddl.CreateIndex {
	return &ddl.CreateIndex{Name: ddl.ObjectName{Name: x.Name}, On: ddl.ObjectName{Name: o.Name}, Columns: idents(indexColumnNames(o, x))}
}

// indexNames lists the indexes that a column is part of.
func indexNames(o *catalog.Object, id int32) string {
	var names []string
	for _, x := range o.Indexes {
		if slices.Contains(x.Columns, id) {
			names = append(names, "index "+x.Name)
		}
	}
	return strings.Join(names, ", ")
}

// joined puts the parts that are not empty side by side.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// indexesColumns are those of SHOW INDEXES.
var indexesColumns = []string{"name", "object", "ordered_by", "state", "progress", "bytes"}

func (p *planner) showIndexes(st *ddl.Show) (Result, error) {
	t := table(nil, indexesColumns...)
	objects := make([]*catalog.Object, 0, len(p.draft.objects))
	if st.Of.Name != "" {
		o, err := p.readable(st.Of, ddl.Any, "SHOW INDEXES FROM")
		if err != nil {
			return Result{}, err
		}
		objects = append(objects, o)
	} else {
		for _, o := range p.draft.objects {
			if mayRead(p.who, o.Name) {
				objects = append(objects, o)
			}
		}
		slices.SortFunc(objects, byName)
	}
	for _, o := range objects {
		t.Rows = append(t.Rows, p.c.indexRows(o)...)
	}
	return Result{Statement: "SHOW INDEXES", Table: t}, nil
}

func (c *Controller) indexRows(o *catalog.Object) (rows [][]any) {
	if len(o.Indexes) == 0 {
		return nil
	}
	s, running := c.status(o.ID)
	for _, x := range o.Indexes {
		row := []any{x.Name, o.Name, identList(indexColumnNames(o, x)), nil, nil, nil}
		is, known := s.Indexes[x.ID]
		switch {
		case !running || !known:
		case is.Built:
			row[3], row[5] = "ready", is.Bytes
		default:
			row[3], row[4], row[5] = "building", percent(is.Progress), is.Bytes
		}
		rows = append(rows, row)
	}
	return rows
}

// showCreateIndex prints the statement that makes an index.
func (p *planner) showCreateIndex(name ddl.ObjectName) (Result, error) {
	if err := p.public(name); err != nil {
		return Result{}, err
	}
	o, i := p.draft.index(name.Name)
	if o == nil {
		return Result{}, p.fail(name.Pos, types.UnknownRelation, "there is no index %q", name.Name).WithHint("SHOW INDEXES")
	}
	if !mayRead(p.who, o.Name) {
		return Result{}, p.fail(name.Pos, types.PermissionDenied, "this token may not read %q", o.Name)
	}
	return Result{Statement: "SHOW CREATE", Name: name.Name, Table: table([]any{name.Name, ddl.Print(indexStatement(o, o.Indexes[i]))}, "name", "statement")}, nil
}
