package control

import (
	"strings"

	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/store"
	"leat/internal/types"
)

// relation is what the store must know of a stream, table or view.
func relation(o *catalog.Object) store.Relation {
	if o.Kind == catalog.ViewKind {
		return store.Relation{ID: o.ID, Name: o.Name, Query: viewQuery(o)}
	}
	s := o.Stream
	return store.Relation{ID: o.ID, Name: o.Name, Schema: s.Schema, Key: s.PrimaryKey, Version: s.VersionColumn, TTL: s.TTL}
}

// relations are those of the objects that the store knows: all but endpoints.
func relations(objects []*catalog.Object) []store.Relation {
	var out []store.Relation
	for _, o := range objects {
		if o.Kind != catalog.EndpointKind {
			out = append(out, relation(o))
		}
	}
	return out
}

// viewQuery is a view's SELECT with the columns named as CREATE VIEW v (a, b) says.
func viewQuery(o *catalog.Object) string {
	if len(o.View.Columns) == 0 {
		return o.View.Query
	}
	return "SELECT * FROM (\n" + o.View.Query + "\n) AS " + types.QuoteIdent(o.Name) + "(" + identList(o.View.Columns) + ")"
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
