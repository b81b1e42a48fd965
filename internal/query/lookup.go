package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/store"
	"leat/internal/types"
)

// Bounds of the rows of one look-up.
const (
	DefaultPage = 1000
	MaxPage     = 100_000
)

// KeyValue is the value of a key column as text; nil is NULL.
type KeyValue struct {
	Column string
	Text   *string
}

// Lookup asks for rows by the values of key columns: of all of them, or of the first ones in the key's order.
type Lookup struct {
	// Key is the text of a key of one column. Where it is nil, Columns has the values, in any order; none is all rows.
	Key     *string
	Columns []KeyValue
	// Where keeps the rows that fulfil all conditions; others are as if they weren't there.
	Where []Condition
	// Limit is the most rows to answer; 0 is DefaultPage.
	Limit int
	// Cursor is Found.Cursor of the page before.
	Cursor string
}

// Found is the answer to a Lookup.
type Found struct {
	Rows store.Rows
	// One says that the whole key was given: there is one row at most.
	One bool
	// Position is up to where the rows saw the log, Watermark the view's in µs, or types.NoWatermark.
	Position  types.Position
	Watermark int64
	// Lag is as in Result.
	Lag time.Duration
	// Cursor goes on after the last row, "" where there are no more.
	Cursor string
}

// LookupRequest is a Lookup in a materialized view, or in a table.
type LookupRequest struct {
	Principal auth.Principal
	// View is the name; Table says that it is a table's.
	View  string
	Table bool
	Lookup
	Freshness
}

// Lookup finds rows of a materialized view or table, straight from the engine's state.
func (s *Service) Lookup(ctx context.Context, r LookupRequest) (*Found, error) {
	o := s.Catalog().ByName(r.View)
	if !r.Principal.May(auth.Read, r.View) {
		return nil, denied(r.View)
	}
	switch {
	case r.Table && (o == nil || o.Kind != catalog.TableKind):
		return nil, types.Errorf(types.NotFound, "there is no table %.80q", r.View).WithHint("SHOW TABLES lists them")
	case r.Table && !s.Live.Serves(o.ID):
		return s.lookupStored(ctx, o, r)
	case r.Table:
	case o == nil || o.Kind == catalog.EndpointKind:
		return nil, types.Errorf(types.NotFound, "there is no materialized view %.80q", r.View).WithHint("SHOW VIEWS lists them")
	case o.Kind == catalog.TableKind:
		return nil, types.Errorf(types.NotFound, "%q is a table", r.View).WithHint("its rows are at /v1/tables/%s/rows", r.View)
	case !o.Continuous():
		return nil, types.Errorf(types.InvalidArgument, "%q is no materialized view: its rows are not kept by key", r.View).
			WithHint("query it: SELECT ... FROM %s", types.QuoteIdent(r.View))
	}
	if r.Limit < 0 || r.Limit > MaxPage {
		return nil, types.Errorf(types.InvalidArgument, "limit %d: at least 1, at most %d", r.Limit, MaxPage)
	}
	var err error
	if r.Where, err = Conditions(r.Principal, o); err != nil {
		return nil, err
	}
	return s.lookup(ctx, o, r.Lookup, r.Freshness)
}

// lookupStored finds the row of a whole key of a table whose rows the engine does not keep.
func (s *Service) lookupStored(ctx context.Context, o *catalog.Object, r LookupRequest) (*Found, error) {
	var key []string
	for _, name := range o.PrimaryKey() {
		i := slices.IndexFunc(r.Columns, func(c KeyValue) bool { return c.Column == name && c.Text != nil })
		if i < 0 || len(r.Columns) != len(o.PrimaryKey()) {
			return nil, types.Errorf(types.InvalidArgument, "rows of table %q, which has a ttl, are found by its whole key alone: %s", o.Name, strings.Join(o.PrimaryKey(), ", ")).
				WithHint("query it: SELECT * FROM %s WHERE ...", types.QuoteIdent(o.Name))
		}
		key = append(key, *r.Columns[i].Text)
	}
	res, err := s.Row(ctx, RowRequest{Principal: r.Principal, Table: o.Name, Key: key, Freshness: r.Freshness})
	if err != nil {
		return nil, err
	}
	return &Found{Rows: res.Rows, One: true, Position: res.Position, Watermark: res.Watermark, Lag: res.Lag}, nil
}

func (s *Service) lookup(ctx context.Context, o *catalog.Object, l Lookup, f Freshness) (*Found, error) {
	if err := s.wait(ctx, f, reads{live: []types.ObjectID{o.ID}}); err != nil {
		return nil, err
	}
	found, err := s.Live.Lookup(ctx, o, l)
	if err == nil {
		found.Lag = s.lag(ctx, found.Position)
	}
	return found, err
}
