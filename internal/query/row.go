package query

import (
	"context"
	"fmt"
	"strings"

	"leat/internal/auth"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// RowRequest names one row of a table.
type RowRequest struct {
	Principal auth.Principal
	Table     string
	// Key is the text of each key column's value, in key order.
	Key []string
	Freshness
}

// Row finds the current row of a table with that key: a result of one row or none.
func (s *Service) Row(ctx context.Context, r RowRequest) (*Result, error) {
	o := s.Catalog().ByName(r.Table)
	if o == nil || o.Stream == nil || len(o.Stream.PrimaryKey) == 0 {
		return nil, types.Errorf(types.NotFound, "there is no table %q", r.Table)
	}
	if !r.Principal.May(auth.Read, o.Name) {
		return nil, denied(o.Name)
	}
	if len(r.Key) != len(o.Stream.PrimaryKey) {
		return nil, types.Errorf(types.InvalidArgument, "the key of %q has %d columns, not %d", o.Name, len(o.Stream.PrimaryKey), len(r.Key))
	}
	conditions, err := Conditions(r.Principal, o)
	if err != nil {
		return nil, err
	}
	if s.Live != nil && s.Live.Serves(o.ID) {
		l := Lookup{Where: conditions}
		for i, id := range o.Stream.PrimaryKey {
			l.Columns = append(l.Columns, KeyValue{o.Stream.Schema.Columns[o.Stream.Schema.IndexID(id)].Name, &r.Key[i]})
		}
		found, err := s.lookup(ctx, o, l, r.Freshness)
		if err != nil {
			return nil, err
		}
		return &Result{Rows: found.Rows, Position: found.Position, Watermark: found.Watermark, Lag: found.Lag}, nil
	}
	var where []string
	args := map[string]any{}
	for i, id := range o.Stream.PrimaryKey {
		c := o.Stream.Schema.Columns[o.Stream.Schema.IndexID(id)]
		name := fmt.Sprintf("key%d", i)
		where = append(where, fmt.Sprintf("%s = CAST($%s AS %s)", types.QuoteIdent(c.Name), name, c.Type))
		args[name] = r.Key[i]
	}
	for i, c := range conditions {
		name := fmt.Sprintf("where%d", i)
		where = append(where, fmt.Sprintf("%s = CAST($%s AS %s)", types.QuoteIdent(c.Column.Name), name, c.Column.Type))
		args[name] = c.Value
	}
	text := fmt.Sprintf("SELECT * FROM public.%s WHERE %s", types.QuoteIdent(o.Name), strings.Join(where, " AND "))
	st := &Statement{verdict: &guard.Verdict{SQL: text}, reads: reads{stored: []types.ObjectID{o.ID}}}
	res, err := s.run(ctx, st, Run{Args: args, Limit: 1, Freshness: r.Freshness})
	if types.HasCode(err, types.DataError) {
		return nil, types.Errorf(types.InvalidArgument, "the key %q does not fit the key columns of %q", r.Key, o.Name).
			WithHint("DESCRIBE %s shows their types", types.QuoteIdent(o.Name))
	}
	return res, err
}
