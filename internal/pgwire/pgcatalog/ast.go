package pgcatalog

import (
	"encoding/json"
	"maps"
	"strings"

	"leat/internal/types"
)

// node is one object of DuckDB's AST (json_serialize_sql). Numbers are json.Number, so that what is written back is what was read.
type node = map[string]any

func decode(ast string) (root, statement node, err error) {
	d := json.NewDecoder(strings.NewReader(ast))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return nil, nil, types.Errorf(types.QueryTooComplex, "the statement nests too deeply: %w", err)
	}
	statements := items(root, "statements")
	if len(statements) != 1 {
		return nil, nil, types.Errorf(types.NotAllowed, "expected one SELECT, found %d statements", len(statements))
	}
	return root, statements[0], nil
}

func str(n node, key string) string {
	s, _ := n[key].(string)
	return s
}

func child(n node, key string) node {
	c, _ := n[key].(node)
	return c
}

func items(n node, key string) []node {
	l, _ := n[key].([]any)
	out := make([]node, 0, len(l))
	for _, v := range l {
		if c, ok := v.(node); ok {
			out = append(out, c)
		}
	}
	return out
}

// columnName returns the parts of a column reference.
func columnName(n node) []string {
	l, _ := n["column_names"].([]any)
	out := make([]string, len(l))
	for i, v := range l {
		out[i], _ = v.(string)
	}
	return out
}

func list(nodes ...node) []any {
	out := make([]any, len(nodes))
	for i, n := range nodes {
		out[i] = n
	}
	return out
}

// nowhere is the place of nodes that the text doesn't have.
const nowhere = json.Number("18446744073709551615")

func constant(id string, value any) node {
	return node{"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "query_location": nowhere,
		"value": node{"type": node{"id": id, "type_info": nil}, "is_null": value == nil, "value": value}}
}

func text(s string) node { return constant("VARCHAR", s) }

func integerNode(n int64) node { return constant("BIGINT", json.Number(itoa(n))) }

func null() node {
	n := constant("NULL", nil)
	delete(child(n, "value"), "value")
	return n
}

func call(schema, name string, args ...node) node {
	return node{"class": "FUNCTION", "type": "FUNCTION", "alias": "", "query_location": nowhere, "function_name": name, "schema": schema, "children": list(args...),
		"filter": nil, "order_bys": node{"type": "ORDER_MODIFIER", "orders": []any{}}, "distinct": false, "is_operator": false, "export_state": false, "catalog": ""}
}

// own is a call of a macro of the engine.
func own(name string, args ...node) node { return call(systemSchema, name, args...) }

func cast(n node, typ string) node {
	return node{"class": "CAST", "type": "OPERATOR_CAST", "alias": "", "query_location": nowhere, "child": n, "cast_type": typeNode(typ), "try_cast": false}
}

// typeNode is a type made with CREATE TYPE, or one of DuckDB's.
func typeNode(name string) node {
	switch name {
	case "VARCHAR", "BIGINT", "INTEGER", "BOOLEAN":
		return node{"id": name, "type_info": nil}
	}
	return node{"id": "UNBOUND", "type_info": node{"type": "UNBOUND_TYPE_INFO", "alias": "", "extension_info": nil,
		"expr": node{"class": "TYPE", "type": "TYPE", "alias": "", "query_location": nowhere, "catalog": "", "schema": "", "type_name": name, "children": []any{}}}}
}

// typeName is the name of a cast's type: one made with CREATE TYPE in lower case, or one of DuckDB's in upper case. Of a list it is LIST.
func typeName(n node) string {
	name := str(n, "id")
	if name == "UNBOUND" {
		name = str(child(child(n, "type_info"), "expr"), "type_name")
		if _, ours := named[strings.ToLower(name)]; ours || regTypes[strings.ToLower(name)] != "" {
			return strings.ToLower(name)
		}
	}
	return strings.ToUpper(name)
}

// constantText returns the value of a string constant.
func constantText(n node) (string, bool) {
	v := child(n, "value")
	if str(n, "class") != "CONSTANT" || str(child(v, "type"), "id") != "VARCHAR" {
		return "", false
	}
	s, ok := v["value"].(string)
	return s, ok
}

// constantBool reports whether a node is true, or its cast from text.
func constantBool(n node) bool {
	if str(n, "class") == "CAST" {
		n = child(n, "child")
	}
	switch v := child(n, "value")["value"].(type) {
	case bool:
		return v
	case string:
		return v == "t" || strings.EqualFold(v, "true")
	}
	return false
}

// selectNode is SELECT exprs, without FROM.
func selectNode(exprs ...node) node {
	return node{"node": node{"type": "SELECT_NODE", "modifiers": []any{}, "cte_map": node{"map": []any{}}, "select_list": list(exprs...),
		"from_table":   node{"type": "EMPTY", "alias": "", "sample": nil, "query_location": nowhere},
		"where_clause": nil, "group_expressions": []any{}, "group_sets": []any{}, "aggregate_handling": "STANDARD_HANDLING", "having": nil,
		"sample": nil, "qualify": nil}, "named_param_map": []any{}}
}

// copied is a deep copy.
func copied(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copied(e)
		}
		return out
	case node:
		out := maps.Clone(v)
		for k, e := range out {
			out[k] = copied(e)
		}
		return out
	}
	return v
}

// encode writes the AST back.
func encode(root node) (string, error) {
	b, err := json.Marshal(root)
	if err != nil {
		return "", types.Errorf(types.Internal, "writing the AST: %w", err)
	}
	return string(b), nil
}
