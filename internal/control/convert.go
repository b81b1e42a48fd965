package control

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/catalog"
	"leat/internal/store"
	"leat/internal/types"
)

// convert makes sure that the stored rows fit a change before the catalog hears of it: no NULL in a column that becomes NOT NULL, and
// every value of a column whose type changes is converted, which may fail. It reports whether the store has converted any. The round trip
// of a conversion is exact, so a crash after it is mended by converting back.
func (c *Controller) convert(ctx context.Context, ch *change) (bool, error) {
	var retyped, strict []*catalog.Object
	var streams []types.ObjectID
	for _, o := range ch.put {
		before := ch.before[o.ID]
		if before == nil || !hasLog(o) {
			continue
		}
		differ := typesDiffer(before.Stream.Schema, o.Stream.Schema)
		becomes := len(becomeNotNull(before.Stream.Schema, o.Stream.Schema)) > 0
		if differ {
			retyped = append(retyped, o)
		}
		if becomes {
			strict = append(strict, o)
		}
		if differ || becomes {
			streams = append(streams, o.ID)
		}
	}
	if len(streams) == 0 {
		return false, nil
	}
	if err := c.WaitLoaded(ctx, c.Log.Position(streams...)); err != nil {
		return false, types.Errorf(types.Unavailable, "the store has not loaded all rows of %s yet: %w", nameList(append(retyped, strict...)), err).
			WithHint("send the statement again")
	}
	for _, o := range strict {
		if err := c.refuseNulls(ctx, ch.before[o.ID], o.Stream.Schema); err != nil {
			return false, err
		}
	}
	if len(retyped) == 0 {
		return false, nil
	}
	relations := make([]store.Relation, len(retyped))
	for i, o := range retyped {
		relations[i] = retypedRelation(ch.before[o.ID], o.Stream.Schema)
	}
	return true, c.Store.Define(ctx, relations)
}

// retypedRelation is o with the types of next and nothing else of it: views still have the old names.
func retypedRelation(o *catalog.Object, next *types.Schema) store.Relation {
	r := rowsRelation(o)
	r.Schema = o.Stream.Schema.Clone()
	for i := range r.Schema.Columns {
		if j := next.IndexID(r.Schema.Columns[i].ID); j >= 0 {
			r.Schema.Columns[i].Type = next.Columns[j].Type
		}
	}
	return r
}

func typesDiffer(a, b *types.Schema) bool {
	return slices.ContainsFunc(b.Columns, func(col types.Column) bool {
		i := a.IndexID(col.ID)
		return i >= 0 && !a.Columns[i].Type.Equal(col.Type)
	})
}

// becomeNotNull are the columns of b that may not be NULL, and may be in a or are not there.
func becomeNotNull(a, b *types.Schema) []types.Column {
	return slices.DeleteFunc(slices.Clone(b.Columns), func(col types.Column) bool {
		i := a.IndexID(col.ID)
		return !col.NotNull || i >= 0 && a.Columns[i].NotNull
	})
}

// refuseNulls fails if rows of o that queries see have no value for a column that next makes NOT NULL.
func (c *Controller) refuseNulls(ctx context.Context, o *catalog.Object, next *types.Schema) error {
	for _, col := range becomeNotNull(o.Stream.Schema, next) {
		sql := "SELECT count(*) FROM public." + types.QuoteIdent(o.Name)
		i := o.Stream.Schema.IndexID(col.ID)
		if i >= 0 {
			sql += " WHERE " + types.QuoteIdent(o.Stream.Schema.Columns[i].Name) + " IS NULL"
		}
		n, err := c.count(ctx, sql)
		if err != nil {
			return err
		}
		switch {
		case n > 0 && i < 0:
			return types.Errorf(types.DataError, "column %q can't be NOT NULL: %d rows of %q are older than it", col.Name, n, o.Name).WithHint("leave NOT NULL out")
		case n > 0:
			return types.Errorf(types.DataError, "column %q can't be NOT NULL: it is NULL in %d rows of %q", col.Name, n, o.Name).
				WithHint("SELECT * FROM %s WHERE %s IS NULL", types.QuoteIdent(o.Name), types.QuoteIdent(o.Stream.Schema.Columns[i].Name))
		}
	}
	return nil
}

// count runs a query of one number.
func (c *Controller) count(ctx context.Context, sql string) (n int64, err error) {
	rows, err := c.Store.Query(ctx, store.Query{SQL: sql, MaxRows: 1})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	rec, err := rows.Next(ctx)
	if err != nil || rec == nil {
		return 0, err
	}
	if numbers, ok := rec.Column(0).(*array.Int64); ok && numbers.Len() > 0 {
		n = numbers.Value(0)
	}
	return n, nil
}
