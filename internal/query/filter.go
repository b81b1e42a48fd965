package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/endpoint"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// Condition is one column that must have a value: a filter's match with the column's type. Its Value is nil, which no row has, or what endpoint.Value
// makes of the filter's; Text spells it as a look-up does.
type Condition struct {
	Column types.Column
	Value  any
	Text   string
}

// Conditions are what the rows of a stream, table or materialized view must fulfil for a principal to see them; none where it sees all. A relation
// without a filter, a column that it doesn't have and a value that is none of the column's type are types.PermissionDenied.
func Conditions(p auth.Principal, o *catalog.Object) ([]Condition, error) {
	f, schema, err := filterOf(p, o)
	if err != nil || len(f) == 0 {
		return nil, err
	}
	out := make([]Condition, len(f))
	for i, m := range f {
		if out[i].Column, err = filterColumn(o.Name, schema, m.Column); err != nil {
			return nil, err
		}
		if out[i].Value, err = filterValue(o.Name, out[i].Column, m.Value); err != nil {
			return nil, err
		}
		out[i].Text = spelt(out[i].Value, m.Value)
	}
	return out, nil
}

// spelt is the text of a value: as it was given, where the type keeps more than one spelling.
func spelt(v, given any) string {
	switch v.(type) {
	case nil:
		return ""
	case bool, int64, uint64:
		return fmt.Sprint(v)
	}
	return fmt.Sprint(given)
}

// filterOf is a principal's filter of an object with rows, and the columns of these.
func filterOf(p auth.Principal, o *catalog.Object) (auth.Filter, *types.Schema, error) {
	if !p.Filtered() {
		return nil, nil, nil
	}
	schema := schemaOf(o)
	if schema == nil {
		return nil, nil, unfiltered(o.Name)
	}
	f, ok := p.FilterOf(o.Name)
	if !ok {
		return nil, nil, unfiltered(o.Name)
	}
	return f, schema, nil
}

func unfiltered(relation string) error {
	return types.Errorf(types.PermissionDenied, "this token sees some rows only, and has no filter for %q", relation).
		WithHint("whoever made the token can give it one; an empty one lets it see all rows of a relation")
}

// schemaOf are the columns of an object whose rows can be filtered; nil for views that are only text, endpoints and the system's own.
func schemaOf(o *catalog.Object) *types.Schema {
	switch {
	case o.ID < catalog.FirstUserID:
		return nil
	case o.Stream != nil:
		return o.Stream.Schema
	case o.Continuous():
		return o.View.Materialized.Schema
	}
	return nil
}

// filterable are the types whose values can be given exactly as text and whose equality is the same wherever rows are compared.
var filterable = map[types.Kind]bool{
	types.Boolean: true, types.TinyInt: true, types.SmallInt: true, types.Integer: true, types.BigInt: true, types.HugeInt: true,
	types.UTinyInt: true, types.USmallInt: true, types.UInteger: true, types.UBigInt: true, types.Float: true, types.Double: true,
	types.Decimal: true, types.Varchar: true, types.Date: true, types.Time: true, types.Timestamp: true, types.TimestampTZ: true, types.UUID: true,
}

func filterColumn(relation string, s *types.Schema, name string) (types.Column, error) {
	i := s.Index(name)
	if i < 0 {
		return types.Column{}, types.Errorf(types.PermissionDenied, "this token sees the rows of %q by their column %q, which it does not have", relation, name).
			WithHint("whoever made the token can give it another filter for %s", types.QuoteIdent(relation))
	}
	if c := s.Columns[i]; !filterable[c.Type.Kind] {
		return types.Column{}, types.Errorf(types.PermissionDenied, "this token sees the rows of %q by their column %q, and %s values can't be compared with a claim",
			relation, name, c.Type)
	}
	return s.Columns[i], nil
}

// filterValue refuses a value that can't be the column's: an empty answer would look like a right one.
func filterValue(relation string, c types.Column, value any) (any, error) {
	v, err := endpoint.Value(c.Type, value)
	if err != nil {
		return nil, types.Errorf(types.PermissionDenied, "this token sees the rows of %q by their column %q, and its value for that is no %s", relation, c.Name, c.Type)
	}
	return v, nil
}

// filterShape is what of a principal's filters decides on the text that runs: relations and columns, not values.
func filterShape(p auth.Principal) string {
	if !p.Filtered() {
		return ""
	}
	b := []byte("filtered;")
	for _, relation := range slices.Sorted(maps.Keys(p.Filters)) {
		b = fmt.Appendf(b, "%q", relation)
		for _, m := range p.Filters[relation] {
			b = fmt.Appendf(b, ",%q", m.Column)
		}
		b = append(b, ';')
	}
	return string(b)
}

// check has the guard judge a text, and put the principal's filters into it.
func (s *Service) check(ctx context.Context, t Text, snapshot *catalog.Snapshot) (*guard.Verdict, error) {
	cat := relations{snapshot, s.System}
	if !t.Principal.Filtered() {
		return s.Guard.Check(ctx, t.SQL, cat)
	}
	return s.Guard.CheckFiltered(ctx, t.SQL, cat, func(r guard.Relation) ([]types.Column, error) {
		return filterColumns(t.Principal, snapshot, r)
	})
}

// filterColumns are the columns by which a principal sees a relation's rows. A plain view is seen through what it reads.
func filterColumns(p auth.Principal, snapshot *catalog.Snapshot, r guard.Relation) ([]types.Column, error) {
	o := snapshot.ByID(r.ID)
	switch {
	case o == nil || o.Name != r.Name:
		return nil, unfiltered(r.Name)
	case r.Query != "":
		if _, named := p.Filters[r.Name]; named {
			return nil, types.Errorf(types.PermissionDenied, "this token has a filter for %q, which is a plain view: its rows are those of what it reads", r.Name).
				WithHint("whoever made the token can give it filters for the streams, tables and materialized views that the view reads")
		}
		return nil, nil
	}
	f, schema, err := filterOf(p, o)
	if err != nil {
		return nil, err
	}
	var out []types.Column
	for _, m := range f {
		c, err := filterColumn(o.Name, schema, m.Column)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// bindFilters adds the values of a statement's filters to the arguments of a run.
func (st *Statement) bindFilters(args map[string]any) error {
	for _, f := range st.verdict.Filters {
		matches, ok := st.text.Principal.FilterOf(f.Relation.Name)
		if !ok || f.Index >= len(matches) || !strings.EqualFold(matches[f.Index].Column, f.Column.Name) {
			return types.Errorf(types.Internal, "BUG: a statement was prepared with other filters")
		}
		v, err := filterValue(f.Relation.Name, f.Column, matches[f.Index].Value)
		if err != nil {
			return err
		}
		args[f.Param] = v
	}
	return nil
}

// told are the codes whose messages tell of the server and the request only; others may quote values of rows.
var told = map[types.Code]bool{
	types.Timeout: true, types.Canceled: true, types.TooManyRequests: true, types.Unavailable: true, types.OutOfMemory: true, types.DiskFull: true,
	types.PositionGone: true, types.LimitExceeded: true, types.PermissionDenied: true, types.NotFound: true,
	types.QueryTooComplex: true,
}

// scrub leaves the code of an error that may quote rows.
func scrub(err error) error {
	e := types.AsError(err)
	if e == nil || told[e.Code] {
		return err
	}
	return &types.Error{Code: e.Code, Message: "the query failed", Cause: err,
		Hint: "this token sees some rows only, so it is not told why; the endpoint's maker can call it with another token"}
}

// scrubbedRows scrubs the errors of a result.
type scrubbedRows struct{ store.Rows }

// Next is part of store.Rows.
func (r scrubbedRows) Next(ctx context.Context) (arrow.RecordBatch, error) {
	rec, err := r.Rows.Next(ctx)
	if err != nil {
		return nil, scrub(err)
	}
	return rec, nil
}

// scrubbed makes what a run of the statement gave fit for its principal.
func (st *Statement) scrubbed(res *Result, err error) (*Result, error) {
	switch {
	case !st.text.Principal.Filtered():
		return res, err
	case err != nil:
		return nil, scrub(err)
	case res.Rows != nil:
		res.Rows = scrubbedRows{res.Rows}
	}
	return res, nil
}
