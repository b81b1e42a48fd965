package pgcatalog

import "strings"

// nameColumns gives the columns of a SELECT the names that PostgreSQL gives them, where the text doesn't.
func nameColumns(n node) {
	for _, e := range items(n, "select_list") {
		if str(e, "alias") != "" {
			continue
		}
		if name := columnTitle(e); name != "" {
			e["alias"] = name
		}
	}
}

// columnTitle is the name of a column of a result as PostgreSQL makes it, empty for a column's own.
func columnTitle(e node) string {
	switch str(e, "class") {
	case "COLUMN_REF", "STAR", "POSITIONAL_REFERENCE":
		return ""
	}
	if title := strongTitle(e); title != "" {
		return title
	}
	switch str(e, "class") {
	case "CAST":
		return castTitle(child(e, "cast_type"))
	case "CASE":
		return "case"
	case "FUNCTION":
		if kind := regCall(e); kind != "" {
			return kind
		}
	}
	return "?column?"
}

// strongTitle is a name that an expression lends to casts around it: that of a column or function, not that of a type.
func strongTitle(e node) string {
	if title := str(e, titleKey); title != "" {
		return title
	}
	switch str(e, "class") {
	case "COLUMN_REF":
		parts := columnName(e)
		return parts[len(parts)-1]
	case "CAST":
		return strongTitle(child(e, "child"))
	case "CASE":
		return strongTitle(child(e, "else_expr"))
	case "FUNCTION", "WINDOW":
		switch {
		case e["is_operator"] == true:
			return ""
		case regCall(e) != "":
			return strongTitle(items(e, "children")[0])
		}
		return functionTitle(strings.ToLower(str(e, "function_name")))
	case "SUBQUERY":
		return subqueryTitle(e)
	case "OPERATOR":
		return operatorTitle(e)
	}
	return ""
}

// regCall is the type whose function a call is, such as regclass of regclass_text.
func regCall(e node) string {
	name := strings.ToLower(str(e, "function_name"))
	for _, end := range []string{"_oid", "_text"} {
		if kind, ok := strings.CutSuffix(name, end); ok && regTypes[kind] != "" {
			return kind
		}
	}
	return ""
}

// titles are functions that DuckDB's parser or the rewriting gave another name.
var titles = map[string]string{"count_star": "count", "list_value": "array", "list_contains": "", "regexp_matches": "", "leat_visible": "pg_table_is_visible",
	"regexp_full_match": "", "concat": "format", "leat_subscripts": "generate_subscripts", "json_object": "json_build_object",
	"struct_pack": "row", "date_part": "extract"}

func functionTitle(name string) string {
	if t, ok := titles[name]; ok {
		return t
	}
	return name
}

var castTitles = map[string]string{"VARCHAR": "text", "BIGINT": "int8", "INTEGER": "int4", "SMALLINT": "int2", "BOOLEAN": "bool", "DOUBLE": "float8", "FLOAT": "float4",
	"TIMESTAMP WITH TIME ZONE": "timestamptz", "TIMESTAMP": "timestamp", "DATE": "date", "DECIMAL": "numeric", "pgoid": "oid", "pgchar": "char", "pgxid": "xid", "INTERVAL": "interval"}

func castTitle(t node) string {
	name := typeName(t)
	if title, ok := castTitles[name]; ok {
		return title
	}
	return strings.ToLower(name)
}

func subqueryTitle(e node) string {
	switch str(e, "subquery_type") {
	case "EXISTS", "NOT_EXISTS":
		return "exists"
	case "SCALAR":
		exprs := items(child(child(e, "subquery"), "node"), "select_list")
		if len(exprs) != 1 {
			return ""
		}
		if alias := str(exprs[0], "alias"); alias != "" {
			return alias
		}
		if str(exprs[0], "class") == "CASE" {
			return "array" // what the parser makes of ARRAY(SELECT ...)
		}
		return strongTitle(exprs[0])
	}
	return ""
}

func operatorTitle(e node) string {
	args := items(e, "children")
	switch str(e, "type") {
	case "OPERATOR_COALESCE":
		return "coalesce"
	case "OPERATOR_NULLIF":
		return "nullif"
	case "ARRAY_EXTRACT":
		return strongTitle(args[0])
	case "STRUCT_EXTRACT":
		if name, ok := constantText(args[1]); ok {
			return name
		}
	}
	return ""
}
