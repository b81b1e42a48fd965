package pgcatalog

import (
	"strings"

	"leat/internal/pgwire/pgtype"
)

// DuckDB knows no types such as oid, name and regclass: a column of one is a number or a text to it. So the types of a result's columns that
// come from columns and casts of such types are found on the AST, and 0 stands for those that DuckDB's own type tells.

// output is one column of a query.
type output struct {
	name string
	oid  uint32
}

// scope is what names mean in a SELECT: its relations by alias, those around it, and the CTEs.
type scope struct {
	outer     *scope
	relations []visible
	ctes      map[string][]output
}

// visible is a relation in FROM.
type visible struct {
	alias   string
	columns []output
}

// inferQuery finds the columns of a query node; ok is false where their number isn't known.
func inferQuery(n node, outer *scope) (columns []output, ok bool) {
	sc := &scope{outer: outer, ctes: map[string][]output{}}
	for _, entry := range items(child(n, "cte_map"), "map") {
		value := child(entry, "value")
		body, _ := inferQuery(child(child(value, "query"), "node"), sc)
		sc.ctes[strings.ToLower(str(entry, "key"))] = renamed(body, value["aliases"])
	}
	switch str(n, "type") {
	case "SELECT_NODE":
		sc.from(child(n, "from_table"))
		return inferList(items(n, "select_list"), sc)
	case "SET_OPERATION_NODE":
		if children := items(n, "children"); len(children) > 0 {
			return inferQuery(children[0], sc)
		}
		return inferQuery(child(n, "left"), sc)
	case "RECURSIVE_CTE_NODE":
		return inferQuery(child(n, "left"), sc)
	}
	return nil, false
}

func inferList(exprs []node, sc *scope) (columns []output, ok bool) {
	ok = true
	for _, e := range exprs {
		if str(e, "class") != "STAR" {
			columns = append(columns, output{outputName(e), inferExpr(e, sc)})
			continue
		}
		of := strings.ToLower(str(e, "relation_name"))
		for _, r := range sc.relations {
			if of == "" || r.alias == of {
				columns = append(columns, r.columns...)
				ok = ok && r.columns != nil
			}
		}
	}
	return columns, ok
}

func outputName(e node) string {
	if alias := str(e, "alias"); alias != "" {
		return strings.ToLower(alias)
	}
	if parts := columnName(e); len(parts) > 0 {
		return strings.ToLower(parts[len(parts)-1])
	}
	return ""
}

// from adds the relations of a FROM.
func (sc *scope) from(n node) {
	alias := strings.ToLower(str(n, "alias"))
	switch str(n, "type") {
	case "BASE_TABLE":
		name := strings.ToLower(str(n, "table_name"))
		var columns []output
		if b := builtins[strings.Replace(name, "leat_strict_", "information_schema.", 1)]; b != nil && str(n, "schema_name") == systemSchema {
			for _, c := range b.columns {
				columns = append(columns, output{c.name, c.typ.oid})
			}
		} else {
			columns = sc.cte(name)
		}
		if alias == "" {
			alias = name
		}
		sc.relations = append(sc.relations, visible{alias, renamed(columns, n["column_name_alias"])})
	case "SUBQUERY":
		columns, _ := inferQuery(child(child(n, "subquery"), "node"), sc)
		sc.relations = append(sc.relations, visible{alias, renamed(columns, n["column_name_alias"])})
	case "JOIN":
		sc.from(child(n, "left"))
		sc.from(child(n, "right"))
	case "EMPTY", "":
	default:
		sc.relations = append(sc.relations, visible{alias, nil})
	}
}

func (sc *scope) cte(name string) []output {
	for ; sc != nil; sc = sc.outer {
		if c, ok := sc.ctes[name]; ok {
			return c
		}
	}
	return nil
}

func renamed(columns []output, names any) []output {
	list, _ := names.([]any)
	out := append([]output(nil), columns...)
	for i, n := range list {
		name, _ := n.(string)
		if i < len(out) {
			out[i].name = strings.ToLower(name)
		}
	}
	return out
}

// column finds a column by its qualifier, which may be empty, and name.
func (sc *scope) column(qualifier, name string) uint32 {
	for ; sc != nil; sc = sc.outer {
		for _, r := range sc.relations {
			if qualifier != "" && r.alias != qualifier {
				continue
			}
			for _, c := range r.columns {
				if c.name == name {
					return c.oid
				}
			}
		}
	}
	return 0
}

// returns are the types of functions of ours that DuckDB's types don't tell.
var returns = map[string]uint32{"pg_get_userbyid": pgtype.Name, "pg_encoding_to_char": pgtype.Name, "getdatabaseencoding": pgtype.Name,
	"pg_client_encoding": pgtype.Name, "to_regclass": oidRegclass, "to_regtype": oidRegtype, "to_regproc": oidRegproc, "to_regnamespace": oidRegnamespace,
	"to_regrole": oidRegrole, "pg_my_temp_schema": pgtype.OID, "pg_current_xact_id": oidXID, "pg_typeof": pgtype.Text}

// same are functions whose result has the type of their first argument.
var same = map[string]bool{"min": true, "max": true, "first": true, "any_value": true, "array_remove": true, "coalesce": true, "lag": true, "lead": true,
	"first_value": true, "last_value": true}

func inferExpr(n node, sc *scope) uint32 {
	switch str(n, "class") {
	case "CONSTANT":
		if str(child(child(n, "value"), "type"), "id") == "NULL" {
			return pgtype.Text
		}
	case "COLUMN_REF":
		parts := columnName(n)
		switch len(parts) {
		case 1:
			return sc.column("", strings.ToLower(parts[0]))
		case 2:
			return sc.column(strings.ToLower(parts[0]), strings.ToLower(parts[1]))
		}
	case "CAST":
		return castOID(child(n, "cast_type"))
	case "FUNCTION", "WINDOW":
		return inferCall(n, sc)
	case "CASE":
		return inferCase(n, sc)
	case "SUBQUERY":
		if str(n, "subquery_type") == "SCALAR" {
			if columns, ok := inferQuery(child(child(n, "subquery"), "node"), sc); ok && len(columns) == 1 {
				return columns[0].oid
			}
		}
	case "OPERATOR":
		args := items(n, "children")
		switch str(n, "type") {
		case "OPERATOR_COALESCE", "OPERATOR_NULLIF":
			return inferExpr(args[0], sc)
		case "ARRAY_EXTRACT":
			if of := inferExpr(args[0], sc); of != 0 {
				return elementOf(of)
			}
		}
	}
	return 0
}

// castOID is the type of a cast, 0 for one that DuckDB knows.
func castOID(t node) uint32 {
	if p, ok := named[typeName(t)]; ok && p.name == strings.ToLower(p.name) {
		return p.oid
	}
	if typeName(t) == "LIST" {
		for _, e := range items(child(child(t, "type_info"), "expr"), "children") {
			if p, ok := named[strings.ToLower(str(e, "type_name"))]; ok {
				return arrayOf(p.oid)
			}
		}
	}
	return 0
}

func inferCall(n node, sc *scope) uint32 {
	name, args := strings.ToLower(str(n, "function_name")), items(n, "children")
	if oid, ok := returns[name]; ok && str(n, "schema") == systemSchema {
		return oid
	}
	if len(args) == 0 {
		return 0
	}
	switch {
	case same[name]:
		return inferExpr(args[0], sc)
	case name == "unnest":
		if of := inferExpr(args[0], sc); of != 0 {
			return elementOf(of)
		}
	case name == "array_agg" || name == "list" || name == "list_value":
		if of := inferExpr(args[0], sc); of != 0 {
			return arrayOf(of)
		}
	}
	return 0
}

// inferCase is the type of the branches, where they agree: a text beside a name is a text.
func inferCase(n node, sc *scope) uint32 {
	found := uint32(0)
	if str(child(n, "else_expr"), "class") != "CONSTANT" {
		found = inferExpr(child(n, "else_expr"), sc)
	}
	for _, c := range items(n, "case_checks") {
		then := child(c, "then_expr")
		if str(then, "class") == "CONSTANT" || str(then, "function_name") == "list_value" && len(items(then, "children")) == 0 {
			continue
		}
		oid := inferExpr(then, sc)
		if found != 0 && oid != found {
			return 0
		}
		found = oid
	}
	if str(child(n, "else_expr"), "class") == "CONSTANT" && found == pgtype.Name {
		return 0
	}
	return found
}
