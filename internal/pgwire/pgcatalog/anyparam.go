package pgcatalog

import (
	"strings"

	"leat/internal/types"
)

// elementTypes are the kinds of columns that a list without a type can be compared with.
var elementTypes = map[types.Kind]bool{types.Boolean: true, types.TinyInt: true, types.SmallInt: true, types.Integer: true, types.BigInt: true, types.Double: true,
	types.Varchar: true, types.Date: true, types.UUID: true}

// anyParameter gives the parameter of column = ANY($1) the type of a list of the column's: drivers leave it to the server, and DuckDB can't
// infer it. nil is anything else.
func (r *translator) anyParameter(n node) node {
	inner := child(child(n, "subquery"), "node")
	exprs := items(inner, "select_list")
	if str(n, "subquery_type") != "ANY" || str(n, "comparison_type") != "COMPARE_EQUAL" || str(child(inner, "from_table"), "type") != "EMPTY" || len(exprs) != 1 {
		return nil
	}
	lists := items(exprs[0], "children")
	if str(exprs[0], "function_name") != "unnest" || len(lists) != 1 || str(lists[0], "class") != "PARAMETER" {
		return nil
	}
	element := r.columnType(child(n, "child"))
	if element == "" {
		return nil
	}
	return call("", "list_contains", listCast(lists[0], element), child(n, "child"))
}

// columnType is the type of a column of the statement's relations, empty where they don't agree on one.
func (r *translator) columnType(n node) string {
	parts := columnName(n)
	if str(n, "class") != "COLUMN_REF" || len(parts) == 0 {
		return ""
	}
	definitions, found := r.catalog.Definitions(), ""
	for name := range r.users {
		o := definitions.ByName(strings.TrimPrefix(name, publicSchema+"."))
		if o == nil || o.Schema() == nil {
			continue
		}
		at := o.Schema().Index(parts[len(parts)-1])
		if at < 0 {
			continue
		}
		t := o.Schema().Columns[at].Type
		if !elementTypes[t.Kind] || found != "" && found != t.String() {
			return ""
		}
		found = t.String()
	}
	return found
}

// relations notes the names in FROM.
func (r *translator) relations(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.relations(e)
		}
	case node:
		if str(v, "type") == "BASE_TABLE" {
			r.users[strings.ToLower(strings.TrimPrefix(str(v, "schema_name")+"."+str(v, "table_name"), "."))] = true
		}
		for _, e := range v {
			r.relations(e)
		}
	}
}
