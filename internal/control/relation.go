package control

import (
	"context"
	"fmt"
	"strings"

	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

// rowsRelation is what the store must know of a stream or table.
func rowsRelation(o *catalog.Object) store.Relation {
	s := o.Stream
	return store.Relation{ID: o.ID, Name: o.Name, Schema: s.Schema, Key: s.PrimaryKey, Version: s.VersionColumn, TTL: s.TTL}
}

// relations are those of the objects that the store knows: all but endpoints. Names in views are looked up in cat.
func (c *Controller) relations(ctx context.Context, objects []*catalog.Object, cat guard.Catalog) ([]store.Relation, error) {
	var out []store.Relation
	for _, o := range objects {
		switch {
		case o.Kind == catalog.EndpointKind:
		case o.Continuous():
			out = append(out, store.Relation{ID: o.ID, Name: o.Name, Live: o.View.Materialized.Schema})
		case o.Kind == catalog.ViewKind:
			text, err := c.storeText(ctx, o.View.Query, cat)
			if err != nil {
				return nil, fmt.Errorf("view %s: %w", o.Name, err)
			}
			out = append(out, store.Relation{ID: o.ID, Name: o.Name, Query: viewQuery(o, text)})
		default:
			r := rowsRelation(o)
			if c.Views != nil && ServedByEngine(o) {
				r.Live = o.Stream.Schema
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// viewQuery is a view's SELECT, whose text is given, with the columns named as CREATE VIEW v (a, b) says.
func viewQuery(o *catalog.Object, text string) string {
	if len(o.View.Columns) == 0 {
		return text
	}
	return "SELECT * FROM (\n" + text + "\n) AS " + types.QuoteIdent(o.Name) + "(" + identList(o.View.Columns) + ")"
}

func identList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = types.QuoteIdent(n)
	}
	return strings.Join(quoted, ", ")
}

// hasLog reports whether the object has partitions in the log.
func hasLog(o *catalog.Object) bool { return o.Stream != nil }

// logConfig is what the log must know of a stream or table.
func logConfig(o *catalog.Object) bus.StreamConfig {
	return bus.StreamConfig{ID: o.ID, Partitions: o.Stream.Partitions, Time: o.Stream.Time}
}

// cloneStream copies an object deep enough to change its stream and schema.
func cloneStream(o *catalog.Object) *catalog.Object {
	c, s := *o, *o.Stream
	s.Schema = s.Schema.Clone()
	c.Stream = &s
	return &c
}
