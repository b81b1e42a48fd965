package pgcatalog

import (
	"regexp"
	"slices"
	"strings"

	"leat/internal/types"
)

// macros are the functions of static/macros.sql, and format_type's.
var macros = func() map[string]bool {
	out := map[string]bool{"format_type": true, "pg_get_userbyid": true}
	for _, m := range regexp.MustCompile(`CREATE MACRO (\w+)\(`).FindAllStringSubmatch(macrosText, -1) {
		out[m[1]] = true
	}
	return out
}()

// shared are macros whose names DuckDB has too: calling them says nothing of the catalog.
var shared = map[string]bool{"array_length": true, "array_to_string": true, "cardinality": true, "quote_literal": true}

// least are how many arguments the functions have at least that the rewriter looks into.
var least = map[string]int{"~*": 2, "!~*": 2, "pg_table_is_visible": 1, "lower": 1, "upper": 1, "/": 2, "||": 2}

func (r *rewriter) function(n node) node {
	schema, name := strings.ToLower(str(n, "schema")), strings.ToLower(str(n, "function_name"))
	if schema == systemSchema { // the engine's own, which only the rewriter calls
		r.fail(n, types.Errorf(types.UnknownFunction, "function %s.%s does not exist", schema, name))
		return n
	}
	if schema == pgCatalog || schema == informationSchema {
		n["schema"] = ""
	}
	args := items(n, "children")
	if out := r.sessionFunction(name, args, n); out != nil {
		r.known = true
		return out
	}
	if len(args) < least[name] {
		return n // refused by the engine
	}
	switch name {
	case "regexp_full_match":
		if !strings.Contains(strings.ToLower(r.text), "similar") {
			n["function_name"] = "regexp_matches"
		}
	case "~*", "!~*":
		match := call("", "regexp_matches", args[0], args[1], text("i"))
		if name == "~*" {
			return match
		}
		return node{"class": "OPERATOR", "type": "OPERATOR_NOT", "alias": "", "query_location": nowhere, "children": list(match)}
	case "pg_table_is_visible":
		r.known = true
		path := r.session.path()
		return own("leat_visible", args[0], boolean(slices.Contains(path, publicSchema)), boolean(slices.Contains(path, systemSchema)),
			boolean(slices.Contains(path, informationSchema)))
	case "generate_subscripts":
		if len(args) > 0 && isVector(args[0]) {
			return own("leat_subscripts", args...)
		}
		return own(name, args...)
	case "lower", "upper": // so that LIKE lower('x%') has a constant pattern
		if s, ok := constantText(args[0]); ok && name == "lower" {
			return text(strings.ToLower(s))
		} else if ok {
			return text(strings.ToUpper(s))
		}
	case "/": // whole numbers divide to a whole number
		if integral(args[0]) && integral(args[1]) {
			n["function_name"] = "//"
		}
	case "||":
		if a, ok := constantText(args[0]); ok {
			if b, ok := constantText(args[1]); ok {
				return text(a + b)
			}
		}
	case "array_upper", "array_lower", "string_to_array":
		if out := folded(name, args); out != nil {
			return out
		}
		if name != "string_to_array" {
			n["schema"] = systemSchema
		}
	case "format":
		return formatCall(n, args)
	case "json_build_object", "jsonb_build_object":
		n["function_name"] = "json_object"
	case "substring":
		if len(args) == 2 {
			if pattern, ok := constantText(args[1]); ok {
				return substringMatch(args[0], pattern)
			}
		}
	default:
		if macros[name] {
			r.known = r.known || !shared[name]
			n["schema"] = systemSchema
		}
	}
	return n
}

// folded is a function of constants, where it is the bound of a series: the guard wants to know how long that is.
func folded(name string, args []node) node {
	if name == "string_to_array" && len(args) == 2 {
		list, ok := constantText(args[0])
		separator, ok2 := constantText(args[1])
		if !ok || !ok2 || separator == "" {
			return nil
		}
		var elements []node
		for _, e := range strings.Split(list, separator) {
			elements = append(elements, text(e))
		}
		return call("", "list_value", elements...)
	}
	if len(args) == 0 || str(args[0], "function_name") != "list_value" {
		return nil
	}
	if n := len(items(args[0], "children")); name == "array_upper" && n > 0 {
		return cast(integerNode(int64(n)), "INTEGER")
	}
	return cast(integerNode(1), "INTEGER")
}

// integral reports whether a node is a whole number by its looks.
func integral(n node) bool {
	t := child(n, "cast_type")
	if str(n, "class") == "CONSTANT" {
		t = child(child(n, "value"), "type")
	}
	switch typeName(t) {
	case "INTEGER", "BIGINT", "SMALLINT":
		return true
	}
	return false
}

func boolean(b bool) node { return constant("BOOLEAN", b) }

// substringMatch is substring(s FROM pattern): the first group, or else the match; no match is NULL.
func substringMatch(s node, pattern string) node {
	group := integerNode(0)
	if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(pattern, `\(`, ""), "(?:", ""), "(") {
		group = integerNode(1)
	}
	return call("", "nullif", call("", "regexp_extract", s, text(pattern), cast(group, "INTEGER")), text(""))
}

// formatCall writes out format('%I.%I', a, b).
func formatCall(n node, args []node) node {
	if len(args) == 0 {
		return n
	}
	pattern, ok := constantText(args[0])
	if !ok || strings.Contains(pattern, "{") {
		return n
	}
	parts, rest := []node{}, args[1:]
	for pattern != "" {
		i := strings.IndexByte(pattern, '%')
		if i < 0 || i+1 >= len(pattern) {
			parts = append(parts, text(pattern))
			break
		}
		if i > 0 {
			parts = append(parts, text(pattern[:i]))
		}
		verb := pattern[i+1]
		pattern = pattern[i+2:]
		if verb == '%' {
			parts = append(parts, text("%"))
			continue
		}
		if len(rest) == 0 {
			return n
		}
		arg := cast(rest[0], "VARCHAR")
		rest = rest[1:]
		switch verb {
		case 'I':
			arg = own("quote_ident", arg)
		case 'L':
			arg = own("quote_nullable", arg)
		}
		parts = append(parts, arg)
	}
	return call("", "concat", parts...)
}

// tables are the functions in FROM that are relations of the engine.
var tables = map[string]string{"pg_show_all_settings": "pg_settings", "pg_timezone_names": "pg_timezone_names", "pg_timezone_abbrevs": "pg_timezone_abbrevs",
	"pg_available_extensions": "pg_available_extensions", "pg_get_keywords": "leat_keywords", "aclexplode": "leat_grants", "pg_options_to_table": "leat_options",
	"pg_get_publication_tables": "leat_options", "pg_listening_channels": "leat_options", "pg_stat_get_activity": "pg_stat_activity", "pg_lock_status": "pg_locks",
	"pg_partition_tree": "leat_options", "pg_partition_ancestors": "leat_options"}

// tableFunction rewrites a function in FROM: PostgreSQL takes any there, DuckDB only some.
func (r *rewriter) tableFunction(n node) any {
	f := child(n, "function")
	for _, key := range []string{"children", "filter", "order_bys"} {
		f[key] = r.walk(f[key])
	}
	n["function"] = f
	name := strings.ToLower(str(f, "function_name"))
	if schema := str(f, "schema"); schema == pgCatalog || schema == informationSchema {
		f["schema"] = ""
	}
	alias, columns := str(n, "alias"), n["column_name_alias"]
	if table, ok := tables[name]; ok {
		r.known = true
		if alias == "" {
			alias = name
		}
		return node{"type": "BASE_TABLE", "alias": alias, "sample": nil, "query_location": nowhere, "schema_name": systemSchema, "table_name": table,
			"column_name_alias": columns, "catalog_name": "", "at_clause": nil}
	}
	listed, _ := columns.([]any)
	args := items(f, "children")
	switch {
	case name == "generate_series" || name == "unnest" && len(args) == 1:
		if alias != "" && len(listed) == 0 && str(args[0], "class") != "SUBQUERY" {
			n["column_name_alias"] = []any{alias}
		}
		return n
	case name == "unnest":
		var exprs []node
		for _, a := range args {
			exprs = append(exprs, call("", "unnest", a))
		}
		if str(n, "with_ordinality") == "WITH_ORDINALITY" && len(args) > 0 {
			exprs = append(exprs, call("", "unnest", call("", "generate_series", integerNode(1), call("", "len", args[0]))))
		}
		return fromSubquery(alias, listed, exprs)
	case name == "generate_subscripts" || name == "_pg_expandarray" || macros[name] || scalarInFrom[name]:
		f["class"], f["type"] = "FUNCTION", "FUNCTION"
		if alias == "" {
			alias = name
		}
		if len(listed) == 0 {
			listed = []any{alias}
		}
		return fromSubquery(alias, listed, []node{r.function(f)})
	case r.sessionFunction(name, args, f) != nil:
		r.known = true
		if alias == "" {
			alias = name
		}
		return fromSubquery(alias, []any{alias}, []node{r.sessionFunction(name, args, f)})
	}
	return n
}

// scalarInFrom are DuckDB's scalar functions that clients call in FROM.
var scalarInFrom = map[string]bool{"string_to_array": true, "coalesce": true, "array_to_string": true, "regexp_split_to_array": true}

func fromSubquery(alias string, columns []any, exprs []node) node {
	if columns == nil {
		columns = []any{}
	}
	return node{"type": "SUBQUERY", "alias": alias, "sample": nil, "query_location": nowhere, "subquery": selectNode(exprs...), "column_name_alias": columns}
}
