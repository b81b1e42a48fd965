package app

import (
	"context"
	"time"

	"leat/internal/api"
	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/pipeline"
	"leat/internal/types"
)

// described shows the catalog over HTTP.
type described struct{ *server }

func (d described) Relations(context.Context) ([]api.Relation, error) {
	var out []api.Relation
	for _, o := range d.catalog.Snapshot().All() {
		if o.Kind != catalog.EndpointKind {
			out = append(out, d.relation(o))
		}
	}
	return sortByName(out, func(r api.Relation) string { return r.Name }), nil
}

func (d described) Relation(_ context.Context, name string) (api.Relation, error) {
	o := d.catalog.Snapshot().ByName(name)
	if o == nil || o.Kind == catalog.EndpointKind {
		return api.Relation{}, types.Errorf(types.NotFound, "there is no stream, table or view %q", name).WithHint("`leat streams` lists them")
	}
	return d.relation(o), nil
}

// maxDescribed is for how long the results of endpoints are described that nobody has called yet: half a millisecond each. The others come without.
const maxDescribed = 2 * time.Second

func (d described) Endpoints(ctx context.Context) ([]api.Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, maxDescribed)
	defer cancel()
	var out []api.Endpoint
	for _, o := range d.catalog.Snapshot().List(catalog.EndpointKind) {
		e := api.Endpoint{Name: o.Name, Description: o.Endpoint.Description, Statement: d.statement(o.Name)}
		for _, p := range o.Endpoint.Params {
			e.Params = append(e.Params, api.Param{Name: p.Name, Type: p.Type, Required: !p.HasDefault, Default: p.Default, HasDefault: p.HasDefault})
		}
		e.Columns = d.resultColumns(ctx, o)
		out = append(out, e)
	}
	return sortByName(out, func(e api.Endpoint) string { return e.Name }), nil
}

// resultColumns are the columns of an endpoint's result, nil where they can't be told.
func (s *server) resultColumns(ctx context.Context, o *catalog.Object) []api.Column {
	if ctx.Err() != nil {
		return nil
	}
	st, err := s.query.Endpoint(ctx, auth.Local, o)
	if err != nil {
		return nil
	}
	columns, _, err := s.query.Describe(ctx, st)
	if err != nil || columns == nil {
		return nil
	}
	out := make([]api.Column, len(columns))
	for i, c := range columns {
		out[i] = api.Column{Name: c.Name, Type: c.Type}
	}
	return out
}

func (s *server) relation(o *catalog.Object) api.Relation {
	r := api.Relation{Name: o.Name, Kind: string(o.Kind), Version: o.Version, CreatedAt: o.CreatedAt, Auto: o.Auto}
	d, err := s.control.Describe(auth.Local, o.Name)
	if err != nil {
		return r // dropped since
	}
	r.Statement = d.Create
	for _, x := range d.Indexes {
		r.Indexes = append(r.Indexes, api.RelationIndex(x))
	}
	if o.Continuous() {
		s.describeView(&r, o)
		return r
	}
	r.Key = o.PrimaryKey()
	if o.Stream == nil || len(d.Columns) != len(o.Stream.Schema.Columns) {
		return r
	}
	for i, c := range o.Stream.Schema.Columns {
		col := api.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, PrimaryKey: d.Columns[i].Key == "primary"}
		if len(c.Path) != 1 || c.Path[0] != c.Name {
			col.Path = c.Path
		}
		r.Columns = append(r.Columns, col)
	}
	r.EventTime, r.TTL = d.EventTime, d.TTL
	if d.Watermark != nil {
		r.Watermark = *d.Watermark
	}
	r.Rows, r.Bytes, _ = figures{s}.Stream(o.ID)
	return r
}

// describeView adds what a materialized view has and does.
func (s *server) describeView(r *api.Relation, o *catalog.Object) {
	m := o.View.Materialized
	r.Kind = "materialized view"
	for _, c := range m.Schema.Columns {
		r.Columns = append(r.Columns, api.Column{Name: c.Name, Type: c.Type})
	}
	for _, i := range m.Key {
		r.Key = append(r.Key, m.Schema.Columns[i].Name)
	}
	if v, ok := s.views.Status(o.ID); ok {
		r.State, r.Rows, r.Bytes, r.Lag, r.Error = v.State, v.Rows, v.StateBytes, v.Lag, v.Error
	}
}

// statement is the CREATE of an object, "" if it was dropped since.
func (s *server) statement(name string) string {
	d, err := s.control.Describe(auth.Local, name)
	if err != nil {
		return ""
	}
	return d.Create
}

// figures counts what streams hold.
type figures struct{ *server }

// Stream returns the rows that SQL sees (0 where counting takes too long), the bytes that the log keeps and the least watermark.
func (f figures) Stream(id types.ObjectID) (rows, bytes, watermark int64) {
	watermark = types.NoWatermark
	for i, c := range f.bus.Position(id).Cursors {
		b, err := f.bus.Bounds(c.Partition)
		if err != nil {
			continue
		}
		bytes += b.Bytes
		if i == 0 || b.Watermark < watermark {
			watermark = b.Watermark
		}
	}
	if v, ok := f.views.Status(id); ok && v.State == string(pipeline.Live) {
		return v.Rows, bytes, watermark
	}
	rows, err := f.store.Rows(context.Background(), id)
	if err != nil {
		rows = 0 // counting is bounded in time; the figure is shown, not relied on
	}
	return rows, bytes, watermark
}
