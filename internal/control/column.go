package control

import (
	"slices"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// role says what a column is for beyond its values; such columns can't change like others. Empty is none.
func role(s *catalog.Stream, id int32) string {
	switch {
	case slices.Contains(s.PrimaryKey, id):
		return "part of the primary key"
	case slices.Contains(s.PartitionBy, id):
		return "part of PARTITION BY"
	case s.VersionColumn == id:
		return "the version column"
	case s.Time.Column == id:
		return eventTime
	}
	return ""
}

// eventTime is the one role that a column can be relieved of.
const eventTime = "the event time"

const copyHint = "create another %s as it shall be and INSERT INTO it from this one"

func alterText(o *catalog.Object) string {
	return "ALTER " + keyword(o.Kind) + " " + types.QuoteIdent(o.Name)
}

// retypeHint is how a column gets another type.
func retypeHint(e *types.Error, o *catalog.Object, c types.Column, to types.Type) *types.Error {
	action := "ALTER COLUMN " + types.QuoteIdent(c.Name) + " TYPE " + to.Definition()
	switch r := role(o.Stream, c.ID); {
	case r == eventTime && !to.Kind.IsTime():
		return e.WithHint("%s DROP EVENT TIME, %s", alterText(o), action)
	case r != "" && r != eventTime:
		return e.WithHint(copyHint, o.Kind)
	}
	return e.WithHint("%s %s", alterText(o), action)
}

// dropHint is how a column goes.
func dropHint(e *types.Error, o *catalog.Object, c types.Column) *types.Error {
	action := "DROP COLUMN " + types.QuoteIdent(c.Name)
	switch r := role(o.Stream, c.ID); {
	case r == eventTime:
		return e.WithHint("%s DROP EVENT TIME, %s", alterText(o), action)
	case r != "":
		return e.WithHint(copyHint, o.Kind)
	}
	return e.WithHint("%s %s", alterText(o), action)
}

// setType changes a type. Whether the stored values convert without change, the store finds out.
func (p *planner) setType(o *catalog.Object, a ddl.SetType) error {
	s := o.Stream
	i, err := p.column(s.Schema, a.Column)
	if err != nil {
		return err
	}
	c := &s.Schema.Columns[i]
	r := role(s, c.ID)
	switch {
	case c.Type.Equal(a.Type):
		return nil
	case r == eventTime && !a.Type.Kind.IsTime():
		return retypeHint(p.fail(a.TypePos, types.TypeMismatch, "column %q is the event time; it must stay a TIMESTAMP or TIMESTAMP WITH TIME ZONE", c.Name), o, *c, a.Type)
	case r != "" && r != eventTime:
		return p.fail(a.Column.Pos, types.Unsupported, "column %q is %s; its type can't change", c.Name, r).WithHint(copyHint, o.Kind)
	case c.Wide && (a.Type.Kind == types.Double || a.Type.Kind == types.Float):
		return p.fail(a.TypePos, types.DataError, "column %q holds integers beyond 2^53, which %s can't hold exactly", c.Name, a.Type).
			WithHint("use HUGEINT or a DECIMAL, which keep every digit")
	}
	c.Type = a.Type
	return nil
}

// setNotNull says whether records must have a value from now on. Whether the stored rows all have one, convert finds out.
func (p *planner) setNotNull(s *catalog.Stream, a ddl.SetNotNull) error {
	i, err := p.column(s.Schema, a.Column)
	if err != nil {
		return err
	}
	c := &s.Schema.Columns[i]
	if !a.NotNull && slices.Contains(s.PrimaryKey, c.ID) {
		return p.fail(a.Column.Pos, types.Conflict, "column %q is part of the primary key, which is never NULL", c.Name).WithHint("send every column of the key")
	}
	c.NotNull = a.NotNull
	return nil
}

func (p *planner) dropColumn(o *catalog.Object, a ddl.DropColumn) error {
	s := o.Stream
	if a.IfExists && s.Schema.Index(a.Column.Name) < 0 {
		return nil
	}
	i, err := p.column(s.Schema, a.Column)
	if err != nil {
		return err
	}
	c := s.Schema.Columns[i]
	if r := role(s, c.ID); r != "" {
		return dropHint(p.fail(a.Column.Pos, types.Conflict, "column %q is %s; it can't be dropped", c.Name, r), o, c)
	}
	if i := slices.IndexFunc(o.Indexes, func(x catalog.Index) bool { return slices.Contains(x.Columns, c.ID) }); i >= 0 {
		x := types.QuoteIdent(o.Indexes[i].Name)
		return p.fail(a.Column.Pos, types.DependentObjects, "column %q can't be dropped: index %q has it", c.Name, o.Indexes[i].Name).
			WithHint("in one script: DROP INDEX %s; %s DROP COLUMN %s", x, alterText(o), types.QuoteIdent(c.Name))
	}
	if len(s.Schema.Columns) == 1 {
		return p.fail(a.Column.Pos, types.Conflict, "column %q is the last one", c.Name).WithHint("DROP %s %s", keyword(o.Kind), types.QuoteIdent(o.Name))
	}
	s.Schema.Columns = slices.Delete(s.Schema.Columns, i, i+1)
	return nil
}
