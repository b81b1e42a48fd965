package control

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"leat/internal/catalog"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// createMaterialized makes a continuous view: createQuery checks what any view must keep to, and bind calls the engine's planner.
func (p *planner) createMaterialized(st *ddl.CreateMaterializedView) (Result, error) {
	if p.c.Views == nil {
		return Result{}, p.fail(st.Name.Pos, types.Unsupported, "materialized views are not available here")
	}
	v := &catalog.View{Query: st.Query.Text, Materialized: &catalog.Materialized{EmitOnClose: st.EmitOnClose}}
	for _, c := range st.Columns {
		v.Columns = append(v.Columns, c.Name)
	}
	return p.createQuery(&st.Head, &catalog.Object{Kind: catalog.ViewKind, View: v}, st.Query)
}

// bindContinuous plans a materialized view and keeps what it was bound to; of one over what changed it finds out whether it may stay as it is.
func (p *planner) bindContinuous(o *catalog.Object, offset int) error {
	m, err := p.planned(o.View)
	switch {
	case err != nil && offset >= 0:
		return p.shift(offset, 1, err)
	case err != nil:
		return err
	case offset < 0:
		return p.stays(o)
	}
	o.View.Materialized = m
	return nil
}

// planned binds a view to what the draft has now.
func (p *planner) planned(v *catalog.View) (*catalog.Materialized, error) {
	fresh := *v
	fresh.Materialized = &catalog.Materialized{EmitOnClose: v.Materialized.EmitOnClose}
	m, err := p.c.Views.Plan(p.ctx, &fresh, p.draft.byName)
	if e := types.AsError(err); e != nil && e.Code == types.UnknownColumn && strings.Contains(e.Message, "_leat_") {
		hidden := *e
		return nil, hidden.WithHint("materialized views can't read the hidden columns yet; a plain view can")
	}
	return m, err
}

// stays refuses a change under a view that would leave it with other columns, or with values that it can't read.
func (p *planner) stays(o *catalog.Object) error {
	old := o.View.Materialized
	for _, in := range old.Inputs {
		if err := stillRead(in, p.draft.objects[in.ID]); err != nil {
			return err
		}
	}
	m, err := p.c.Views.Plan(p.ctx, o.View, p.draft.byName)
	if err != nil {
		return err
	}
	if !sameColumns(m.Schema, old.Schema) {
		return types.Errorf(types.TypeMismatch, "its columns would be others")
	}
	return nil
}

// stillRead refuses the end of columns that a view reads, and values that don't have their types.
func stillRead(in catalog.Input, o *catalog.Object) error {
	if o == nil {
		return nil // the drop is refused elsewhere
	}
	for _, id := range in.Reads {
		was := in.Schema.Columns[in.Schema.IndexID(id)]
		i := o.Stream.Schema.IndexID(id)
		if i < 0 {
			return types.Errorf(types.UnknownColumn, "it reads column %q", was.Name)
		}
		if now := o.Stream.Schema.Columns[i]; !yields(now.Type, was.Type) {
			return types.Errorf(types.TypeMismatch, "it reads column %q as %s", was.Name, was.Type)
		}
	}
	return nil
}

// yields reports whether every value of a type can be read as one of another: fields may be left out, and nothing else.
func yields(have, want types.Type) bool {
	if have.Kind != want.Kind || !have.Kind.IsNested() {
		return have.Equal(want)
	}
	if have.Elem != nil && !yields(*have.Elem, *want.Elem) || have.Key != nil && !have.Key.Equal(*want.Key) {
		return false
	}
	for _, f := range want.Fields {
		i := slices.IndexFunc(have.Fields, func(h types.Field) bool { return h.Name == f.Name })
		if i < 0 || !yields(have.Fields[i].Type, f.Type) {
			return false
		}
	}
	return true
}

func sameColumns(a, b *types.Schema) bool {
	return slices.EqualFunc(a.Columns, b.Columns, func(x, y types.Column) bool { return x.Name == y.Name && x.Type.Equal(y.Type) })
}

// sameBinding reports whether a view that is written again as it was would still be what it is: it has the same columns, of inputs of the same types.
func sameBinding(old, now *catalog.Materialized) bool {
	if !sameColumns(old.Schema, now.Schema) || len(old.Inputs) != len(now.Inputs) {
		return false
	}
	for _, in := range old.Inputs {
		i := slices.IndexFunc(now.Inputs, func(n catalog.Input) bool { return n.ID == in.ID })
		if i < 0 || slices.ContainsFunc(in.Reads, func(id int32) bool {
			was, is := in.Schema.IndexID(id), now.Inputs[i].Schema.IndexID(id)
			return is < 0 || !in.Schema.Columns[was].Type.Equal(now.Inputs[i].Schema.Columns[is].Type)
		}) {
			return false
		}
	}
	return true
}

// hold takes back what a schema that grew by itself would change under materialized views: their columns keep their types, and what doesn't fit them
// is a dead letter. It reports whether anything is left of the growth.
func (d *draft) hold(o *catalog.Object, next *types.Schema) bool {
	for i := range next.Columns {
		col := &next.Columns[i]
		was := o.Stream.Schema.IndexID(col.ID)
		if was < 0 || o.Stream.Schema.Columns[was].Type.Equal(col.Type) || !d.bound(o.ID, *col) {
			continue
		}
		*col = o.Stream.Schema.Columns[was]
	}
	return !reflect.DeepEqual(next.Columns, o.Stream.Schema.Columns)
}

// bound reports whether a materialized view reads a column in a type that the column would not yield any more.
func (d *draft) bound(stream types.ObjectID, col types.Column) bool {
	for _, v := range d.objects {
		if !v.Continuous() {
			continue
		}
		for _, in := range v.View.Materialized.Inputs {
			if in.ID == stream && slices.Contains(in.Reads, col.ID) && !yields(col.Type, in.Schema.Columns[in.Schema.IndexID(col.ID)].Type) {
				return true
			}
		}
	}
	return false
}

// sameView reports whether two definitions are of one view, whatever they are bound to.
func sameView(a, b *catalog.View) bool {
	if a == nil || b == nil || a.Materialized == nil || b.Materialized == nil {
		return false
	}
	return a.Query == b.Query && slices.Equal(a.Columns, b.Columns) && a.Materialized.EmitOnClose == b.Materialized.EmitOnClose
}

// setViews makes the materialized views of the present catalog run.
func (c *Controller) setViews(ctx context.Context) error {
	if c.Views == nil {
		return nil
	}
	return c.Views.Set(ctx, ordered(slices.Clone(c.Catalog.Snapshot().All())))
}

// viewColumns are those of SHOW VIEWS.
var viewColumns = []string{"name", "kind", "state", "progress", "rows", "lag", "watermark", "state_bytes", "failed", "late", "error", "created"}

// showViews lists plain and materialized views, those with what they are doing.
func (p *planner) showViews(objects []*catalog.Object) *Table {
	t := table(nil, viewColumns...)
	for _, o := range objects {
		t.Rows = append(t.Rows, p.c.viewRow(o))
	}
	return t
}

func (c *Controller) viewRow(o *catalog.Object) []any {
	row := make([]any, len(viewColumns))
	row[0], row[1], row[len(row)-1] = o.Name, kindOf(o), instant(o.CreatedAt)
	if o.Continuous() {
		c.fillStatus(row, o.ID)
	}
	return row
}

// status tells of a view, if it runs.
func (c *Controller) status(id types.ObjectID) (ViewStatus, bool) {
	if c.Views == nil {
		return ViewStatus{}, false
	}
	return c.Views.Status(id)
}

func (c *Controller) fillStatus(row []any, id types.ObjectID) {
	s, ok := c.status(id)
	if !ok {
		return
	}
	row[2], row[4], row[5], row[6], row[7], row[8], row[9] = s.State, s.Rows, s.Lag, watermark(s.Watermark), s.StateBytes, s.Failed, s.Late
	if s.State != "live" {
		row[3] = percent(s.Progress)
	}
	if s.Error != "" {
		row[10] = s.Error
	}
}

func percent(f float64) string { return fmt.Sprintf("%.0f %%", 100*min(max(f, 0), 1)) }

// describeMaterialized lists a view's columns; those of its key find rows.
func describeMaterialized(o *catalog.Object) []ColumnDescription {
	m := o.View.Materialized
	out := make([]ColumnDescription, len(m.Schema.Columns))
	for i, c := range m.Schema.Columns {
		out[i] = ColumnDescription{Name: c.Name, Type: c.Type.String(), Null: true, Note: indexNames(o, c.ID)}
		if slices.Contains(m.Key, i) {
			out[i].Key = "key"
		}
	}
	return out
}

// ServedByEngine reports whether the engine keeps the current rows of a table: all but those that hide rows by their age, which no change of the
// log tells.
func ServedByEngine(o *catalog.Object) bool {
	return o.Kind == catalog.TableKind && o.Stream.TTL == 0
}
