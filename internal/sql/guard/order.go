package guard

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"

	"leat/internal/types"
)

// Order is one key of the order of a query's rows.
type Order struct {
	// Column is the 1-based output column, 0 where Name names it or All is set: every column, in their order.
	Column                 int
	Name                   string
	All                    bool
	Descending, NullsFirst bool
}

// Ordering are the keys of the ORDER BY at the top of a SELECT that Check let pass, none where it has none. One that is no output column is
// types.InvalidArgument.
func (g *Guard) Ordering(ctx context.Context, text string) ([]Order, error) {
	statement, err := g.parse(ctx, text)
	if err != nil {
		return nil, err
	}
	query := child(statement, "node")
	for str(query, "type") == "CTE_NODE" {
		query = child(query, "child")
	}
	var out []Order
	for _, m := range items(query, "modifiers") {
		if str(m, "type") != "ORDER_MODIFIER" {
			continue
		}
		for _, o := range items(m, "orders") {
			key, ok := outputColumn(child(o, "expression"), items(query, "select_list"))
			if !ok {
				return nil, at(text, location(child(o, "expression")), types.Errorf(types.InvalidArgument, "the query is ordered by something that is none of its columns"))
			}
			key.Descending = str(o, "type") == "DESCENDING"
			key.NullsFirst = str(o, "null_order") == "NULLS FIRST"
			out = append(out, key)
		}
	}
	return out, nil
}

// outputColumn finds the column of the result that an expression of ORDER BY is, as DuckDB does: by place, by a name, or by being one of the
// select list's expressions.
func outputColumn(e node, selected []node) (Order, bool) {
	switch str(e, "class") {
	case "CONSTANT":
		n, ok := child(e, "value")["value"].(json.Number)
		i, err := n.Int64()
		return Order{Column: int(i)}, ok && err == nil && i > 0
	case "STAR":
		return Order{All: true}, str(e, "relation_name") == "" && len(list(e, "exclude_list")) == 0 && e["expr"] == nil
	}
	parts := names(e)
	star := false
	for i, item := range selected {
		switch {
		case str(item, "class") == "STAR":
			star = true
		case len(parts) == 1 && outputName(item) == parts[0], reflect.DeepEqual(bare(item), bare(e)):
			if star {
				return Order{Name: outputName(item)}, outputName(item) != ""
			}
			return Order{Column: i + 1}, true
		}
	}
	// A column of what is read stands under its own name only in a star; the union of SELECTs is ordered by their names.
	if len(parts) > 0 && (star || len(selected) == 0) {
		return Order{Name: parts[len(parts)-1]}, true
	}
	return Order{}, false
}

// outputName is the name that an element of the select list gives its column, "" where DuckDB makes one up.
func outputName(item node) string {
	if alias := str(item, "alias"); alias != "" {
		return alias
	}
	if parts := names(item); len(parts) > 0 {
		return parts[len(parts)-1]
	}
	return ""
}

// bare is an expression without its alias and the places in the text.
func bare(v any) any {
	switch v := v.(type) {
	case node:
		out := maps.Clone(v)
		delete(out, "query_location")
		delete(out, "alias")
		for k, c := range out {
			out[k] = bare(c)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, c := range v {
			out[i] = bare(c)
		}
		return out
	}
	return v
}
