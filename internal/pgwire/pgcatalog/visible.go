package pgcatalog

import (
	"context"
	"strings"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/types"
)

// image returns what a principal sees now.
func (c *Catalog) image(ctx context.Context, p auth.Principal) *image {
	snapshot := c.Definitions()
	key, visible := c.visible(snapshot, p)
	if im, ok := c.images.Get(key); ok {
		return im
	}
	var relations []*relation
	for _, o := range visible {
		columns, err := c.columns(ctx, o)
		if err != nil {
			c.Log.Warn("pg_catalog: the columns of a view", "view", o.Name, "error", err)
		}
		r := relationOf(o, columns)
		r.indexes = indexesOf(o, r)
		if p.Filtered() {
			r.definition = "" // it names what the principal may not read
		}
		r.writable = o.Stream != nil && p.May(auth.Append, o.Name)
		relations = append(relations, r)
	}
	im := newImage(append(relations, c.systemRelations(p)...))
	c.images.Add(key, im)
	return im
}

// visible are the objects that a principal may read, and a key of what it sees of this version.
func (c *Catalog) visible(s *catalog.Snapshot, p auth.Principal) (string, []*catalog.Object) {
	var key strings.Builder
	key.WriteString(itoa(int64(s.Version())))
	if p.Filtered() {
		key.WriteString("f")
	}
	var out []*catalog.Object
	for _, o := range s.All() {
		if o.Kind == catalog.EndpointKind || !readable(p, o.Name) {
			continue
		}
		key.WriteString(" " + itoa(int64(o.ID)))
		if p.May(auth.Append, o.Name) {
			key.WriteString("w")
		}
		out = append(out, o)
	}
	for _, r := range c.systemRelations(p) {
		key.WriteString(" " + r.name)
	}
	return key.String(), out
}

func readable(p auth.Principal, name string) bool {
	_, ok := p.FilterOf(name)
	return ok && p.May(auth.Read, name)
}

func (c *Catalog) columns(ctx context.Context, o *catalog.Object) ([]types.Column, error) {
	switch {
	case o.Stream != nil:
		return o.Stream.Schema.Columns, nil
	case o.Continuous():
		return o.View.Materialized.Schema.Columns, nil
	case c.Columns != nil:
		return c.Columns(ctx, o)
	}
	return nil, nil
}

// systemRelations are those of schema leat_system that a principal sees.
func (c *Catalog) systemRelations(p auth.Principal) []*relation {
	if c.System == nil || p.Filtered() {
		return nil
	}
	var out []*relation
	for i, s := range c.System() {
		if !readable(p, systemSchema+"."+s.Name) {
			continue
		}
		r := &relation{oid: oidSystemNamespace + 1 + int64(i), namespace: oidSystemNamespace, schema: systemSchema, name: s.Name, kind: "r", comment: s.Comment}
		if r.oid > maxSystemOID {
			break
		}
		for _, col := range s.Columns {
			r.columns = append(r.columns, columnFor(col))
		}
		out = append(out, r)
	}
	return out
}
