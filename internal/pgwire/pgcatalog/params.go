package pgcatalog

import (
	"strconv"

	"leat/internal/pgwire/pgtype"
)

// inferParams finds the types of parameters as PostgreSQL does, from where they stand: in a cast, or beside a column.
func inferParams(root node) map[int]uint32 {
	found := paramTypes{}
	for _, st := range items(root, "statements") {
		found.query(child(st, "node"), nil)
	}
	return found
}

type paramTypes map[int]uint32

// query visits a query node and all below it.
func (p paramTypes) query(n node, outer *scope) {
	sc := &scope{outer: outer, ctes: map[string][]output{}}
	for _, entry := range items(child(n, "cte_map"), "map") {
		body := child(child(child(entry, "value"), "query"), "node")
		p.query(body, sc)
	}
	if str(n, "type") == "SELECT_NODE" {
		sc.from(child(n, "from_table"))
	}
	for key, v := range n {
		if key != "cte_map" {
			p.visit(v, sc)
		}
	}
}

func (p paramTypes) visit(v any, sc *scope) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			p.visit(e, sc)
		}
	case node:
		switch str(v, "type") {
		case "SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE":
			p.query(v, sc)
			return
		}
		p.expression(v, sc)
		for _, e := range v {
			p.visit(e, sc)
		}
	}
}

func (p paramTypes) expression(n node, sc *scope) {
	switch class := str(n, "class"); class {
	case "CAST":
		p.set(child(n, "child"), castType(child(n, "cast_type")))
	case "COMPARISON":
		left, right := child(n, "left"), child(n, "right")
		p.set(left, inferExpr(right, sc))
		p.set(right, inferExpr(left, sc))
	case "OPERATOR":
		args := items(n, "children")
		if t := str(n, "type"); t == "COMPARE_IN" || t == "COMPARE_NOT_IN" || t == "OPERATOR_COALESCE" {
			of := inferExpr(args[0], sc)
			for _, a := range args[1:] {
				p.set(a, of)
			}
		}
	case "FUNCTION":
		args := items(n, "children")
		if str(n, "function_name") == "list_contains" && len(args) == 2 {
			if of := inferExpr(args[1], sc); of != 0 {
				p.set(args[0], arrayOf(of))
			}
		}
	}
	if str(n, "type") == "LIMIT_MODIFIER" {
		p.set(child(n, "limit"), pgtype.Int8)
		p.set(child(n, "offset"), pgtype.Int8)
	}
}

// set notes the type of a parameter, unless it has one.
func (p paramTypes) set(n node, oid uint32) {
	if str(n, "class") != "PARAMETER" || oid == 0 {
		return
	}
	i, err := strconv.Atoi(str(n, "identifier"))
	if _, known := p[i]; err == nil && !known {
		p[i] = oid
	}
}

// castType is the type of any cast.
func castType(t node) uint32 {
	if oid := castOID(t); oid != 0 {
		return oid
	}
	switch name := typeName(t); name {
	case "LIST":
		for _, e := range items(child(child(t, "type_info"), "expr"), "children") {
			return arrayOf(resultType(str(e, "type_name")))
		}
	case "VARCHAR":
		return pgtype.Text
	default:
		return resultType(name)
	}
	return 0
}
