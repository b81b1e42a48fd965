package app

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/api"
	"leat/internal/catalog"
	"leat/internal/query"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// ViewPlan implements query.Tracer: the plan that a view's pipeline runs.
func (v *views) ViewPlan(id types.ObjectID) plan.Node { return v.planned.get(id).node }

// Why implements api.Explainer.
func (q queries) Why(ctx context.Context, r api.WhyRequest) (*api.Why, error) {
	ask := query.WhyRequest{Principal: r.Principal, View: r.View, Key: r.Key, Endpoint: r.Endpoint, Args: r.Args, Freshness: query.Freshness(r.Freshness)}
	for name, text := range r.Columns {
		ask.Columns = append(ask.Columns, query.KeyValue{Column: name, Text: &text})
	}
	why, err := q.query.Why(ctx, ask)
	if err != nil {
		return nil, err
	}
	out := &api.Why{View: why.View.Name, Version: why.View.Version, Rows: whyRows(why.Rows), Inputs: whyInputs(why.Inputs), Exact: why.Exact, Notes: why.Notes}
	out.Seen = api.Seen{Position: why.Position, Known: true, Watermark: why.Watermark, Lag: why.Lag}
	return out, nil
}

func whyInputs(inputs []query.WhyInput) []api.WhyInput {
	var out []api.WhyInput
	for _, in := range inputs {
		kind := string(in.Object.Kind)
		if in.Object.Kind == catalog.ViewKind {
			kind = "materialized view"
		}
		out = append(out, api.WhyInput{Relation: in.Object.Name, Kind: kind, Predicate: in.Predicate, Rows: whyRows(in.Rows), Inputs: whyInputs(in.Inputs)})
	}
	return out
}

func whyRows(r query.Records) api.WhyRows {
	return api.WhyRows{Rows: &recordRows{columns: r.Columns, records: r.Records}, Truncated: r.Truncated}
}

// recordRows are records that are there already.
type recordRows struct {
	columns []types.Column
	records []arrow.RecordBatch
}

// Columns is part of api.Rows.
func (r *recordRows) Columns() []types.Column { return r.columns }

// Next is part of api.Rows.
func (r *recordRows) Next(context.Context) (arrow.RecordBatch, error) {
	if len(r.records) == 0 {
		return nil, nil
	}
	next := r.records[0]
	r.records = r.records[1:]
	return next, nil
}

// Truncated is part of api.Rows.
func (r *recordRows) Truncated() bool { return false }

// Close is part of api.Rows.
func (r *recordRows) Close() error { return nil }
