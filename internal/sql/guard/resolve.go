package guard

import (
	"slices"
	"strings"

	"leat/internal/types"
)

// systemSchema holds Leat's own relations.
const systemSchema = "leat_system"

// baseTable resolves a name in FROM: a CTE in scope, or a relation of the catalog.
func (c *checker) baseTable(n node, sc *scope) {
	schema, name := strings.ToLower(str(n, "schema_name")), strings.ToLower(str(n, "table_name"))
	if n["at_clause"] != nil {
		c.fail(n, types.Errorf(types.Unsupported, "AT (VERSION or TIMESTAMP) is not supported"))
		return
	}
	if str(n, "catalog_name") == "" && schema == "" {
		if cte := sc.find(name); cte != nil {
			if cte.used {
				c.add(n, cost{max(1, cte.cost.relations), cte.cost.setOps})
			}
			cte.used = true
			c.shadows = append(c.shadows, n)
			return
		}
	}
	rel, err := c.resolve(n, schema, name)
	if err != nil {
		c.fail(n, err)
		return
	}
	c.tables = append(c.tables, table{n, rel})
	c.add(n, cost{relations: 1})
	if len(c.open) == 0 && !slices.ContainsFunc(c.direct, func(r Relation) bool { return r.ID == rel.ID && r.Name == rel.Name }) {
		c.direct = append(c.direct, rel)
	}
	if rel.Query != "" {
		c.add(n, c.view(n, rel))
	}
}

func (sc *scope) find(name string) *scope {
	for ; sc != nil; sc = sc.outer {
		if sc.name == name {
			return sc
		}
	}
	return nil
}

func (c *checker) resolve(n node, schema, name string) (Relation, *types.Error) {
	written := str(n, "table_name")
	if schema != "" {
		written = str(n, "schema_name") + "." + written
	}
	unknown := types.Errorf(types.UnknownRelation, "there is no stream, table or view %s", types.QuoteIdent(written))
	unknown.Message = strings.ReplaceAll(unknown.Message, types.QuoteIdent(written), `"`+written+`"`)
	switch {
	case str(n, "catalog_name") != "":
		return Relation{}, unknown.WithHint("name it as schema.name; there are no databases to name before the schema")
	case schema == systemSchema:
		name = systemSchema + "." + name
	case schema == "pg_catalog" || schema == "information_schema":
		return Relation{}, unknown.WithHint("use SHOW and DESCRIBE, or the relations of schema %s, to see what exists", systemSchema)
	case schema != "" && schema != "public":
		return Relation{}, unknown.WithHint("the schemas are public and %s", systemSchema)
	}
	rel, ok := c.cat.Relation(name)
	if ok {
		return rel, nil
	}
	if c := similar(name, c.cat.Names()); len(c) > 0 {
		unknown.WithHint("did you mean %s?", strings.Join(c, " or "))
	} else if strings.ContainsAny(name, "./*:\\") {
		unknown.WithHint("queries can't read files; send the file with: leat send STREAM FILE")
	} else {
		unknown.WithHint("SHOW STREAMS lists what exists; sending events to a new name creates a stream")
	}
	return Relation{}, unknown
}

// maxViews is how deep views may stand on views.
const maxViews = 32

// view returns what a view adds where it is used; its own faults are reported with its name.
func (c *checker) view(n node, rel Relation) cost {
	if known, ok := c.views[rel.Name]; ok {
		return known
	}
	if slices.Contains(c.open, rel.Name) || len(c.open) >= maxViews {
		c.fail(n, types.Errorf(types.QueryTooComplex, "view %s stands on itself or on more than %d views", rel.Name, maxViews))
		return cost{}
	}
	statement, err := c.guard.parse(c.ctx, rel.Query)
	inner := &checker{ctx: c.ctx, guard: c.guard, cat: c.cat, text: rel.Query, now: c.now, views: c.views, names: c.names, open: append(c.open, rel.Name)}
	if err == nil {
		err = inner.statement(statement)
	}
	if err != nil {
		e := *types.AsError(err)
		e.Message = "in view " + rel.Name + ": " + e.Error()
		e.Line, e.Column = 0, 0
		c.fail(n, &e)
		return cost{}
	}
	c.views[rel.Name] = inner.total
	return inner.total
}
