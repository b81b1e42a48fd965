package control

import (
	"context"
	"fmt"
	"slices"

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

// bindContinuous plans a materialized view and keeps what it was bound to. A view over what changed keeps its columns: it is planned again to
// see that it still can be.
func (p *planner) bindContinuous(o *catalog.Object, offset int) error {
	m, err := p.c.Views.Plan(p.ctx, o.View, p.draft.byName)
	if err != nil && offset >= 0 {
		return p.shift(offset, 1, err)
	}
	if err != nil {
		return err
	}
	if old := o.View.Materialized; old.Schema == nil {
		o.View.Materialized = m
	}
	return nil
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
		row := make([]any, len(viewColumns))
		row[0], row[1], row[len(row)-1] = o.Name, "view", instant(o.CreatedAt)
		if o.Continuous() {
			row[1] = "materialized view"
			p.c.fillStatus(row, o.ID)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
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
func describeMaterialized(m *catalog.Materialized) []ColumnDescription {
	out := make([]ColumnDescription, len(m.Schema.Columns))
	for i, c := range m.Schema.Columns {
		out[i] = ColumnDescription{Name: c.Name, Type: c.Type.String(), Null: true}
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
