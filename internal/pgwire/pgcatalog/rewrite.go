package pgcatalog

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"

	"leat/internal/types"
)

// rewriter turns the AST of one statement about the catalog into one that the engine runs: names of relations and functions become the
// engine's, what the session knows becomes constants.
type rewriter struct {
	catalog *Catalog
	session *Session
	text    string
	ctes    map[string]bool
	// system are the relations of PostgreSQL's schemas that it reads, users the others, by their names as written.
	system, users map[string]bool
	// aliases are the relations in FROM by their alias.
	aliases map[string]*builtin
	// placed says that text is as it was sent.
	placed bool
	// known are functions of ours and of the session that it calls.
	known bool
	// personal is set where it says something of one connection only.
	personal bool
	// checks are names that were cast to regclass: they must exist when the statement runs.
	checks []string
	// settings are what set_config sets.
	settings map[string]string
	err      *types.Error
}

func newRewriter(c *Catalog, s *Session, text string) *rewriter {
	return &rewriter{catalog: c, session: s, text: text, ctes: map[string]bool{}, system: map[string]bool{}, users: map[string]bool{},
		aliases: map[string]*builtin{}}
}

// fail keeps the first fault, with its place where the text is that which was sent.
func (r *rewriter) fail(n node, e *types.Error) {
	if r.err != nil {
		return
	}
	if at, ok := r.place(n); ok && r.placed {
		e = e.At(types.Place(r.text, at))
	}
	r.err = e
}

// place is where a node stands in the text.
func (r *rewriter) place(n node) (int, bool) {
	at, ok := n["query_location"].(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(at.String())
	return i, err == nil && i < len(r.text)
}

// statement rewrites a statement in place.
func (r *rewriter) statement(n node) error {
	r.collect(n)
	n["node"] = r.walk(n["node"])
	clean(n)
	if r.err != nil {
		return r.err
	}
	r.tableOIDs(n)
	if r.system["pg_class"] && (r.system["information_schema.columns"] || r.system["information_schema.tables"]) {
		r.strict(n)
	}
	return nil
}

// collect finds the names of CTEs.
func (r *rewriter) collect(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.collect(e)
		}
	case node:
		for _, entry := range items(child(v, "cte_map"), "map") {
			r.ctes[strings.ToLower(str(entry, "key"))] = true
		}
		for _, e := range v {
			r.collect(e)
		}
	}
}

// walk rewrites v and all below it, those below first.
func (r *rewriter) walk(v any) any {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			v[i] = r.walk(e)
		}
	case node:
		if str(v, "type") == "TABLE_FUNCTION" {
			return r.tableFunction(v)
		}
		for key, e := range v {
			if key != "cast_type" {
				v[key] = r.walk(e)
			}
		}
		return r.visit(v)
	}
	return v
}

func (r *rewriter) visit(n node) node {
	out := n
	switch str(n, "class") {
	case "COLUMN_REF":
		out = r.column(n)
	case "FUNCTION":
		out = r.function(n)
	case "CAST":
		out = r.castNode(n)
	case "SUBQUERY":
		out = r.any(n)
	case "OPERATOR":
		if str(n, "type") == "ARRAY_EXTRACT" {
			r.subscript(n)
		}
	}
	switch str(n, "type") {
	case "BASE_TABLE":
		r.relation(n)
	case "SELECT_NODE":
		nameColumns(n)
	}
	if alias := str(n, "alias"); alias != "" && str(n, "class") != "" {
		out["alias"] = alias
	}
	return out
}

// relation resolves a name in FROM.
func (r *rewriter) relation(n node) {
	schema, name := strings.ToLower(str(n, "schema_name")), strings.ToLower(str(n, "table_name"))
	if schema == "" && str(n, "catalog_name") == "" && r.ctes[name] {
		return
	}
	full := name
	if schema == informationSchema {
		full = informationSchema + "." + name
	}
	b := builtins[full]
	switch {
	case b != nil && b.schema == schema, b != nil && schema == "" && b.schema == pgCatalog:
	case schema == pgCatalog || schema == informationSchema:
		r.fail(n, types.Errorf(types.UnknownRelation, "relation %q does not exist", schema+"."+name))
		return
	default:
		r.users[strings.TrimPrefix(schema+"."+name, ".")] = true
		return
	}
	r.system[full] = true
	if str(n, "alias") == "" {
		n["alias"] = str(n, "table_name")
	}
	r.aliases[strings.ToLower(str(n, "alias"))] = b
	n["schema_name"], n["table_name"], n["catalog_name"] = systemSchema, full, ""
}

// tableOIDs makes constants of the hidden columns tableoid, once the aliases of all relations are known.
func (r *rewriter) tableOIDs(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.tableOIDs(e)
		}
	case node:
		if parts := columnName(v); str(v, "class") == "COLUMN_REF" && len(parts) == 2 && strings.EqualFold(parts[1], "tableoid") {
			if b := r.aliases[strings.ToLower(parts[0])]; b != nil {
				alias := str(v, "alias")
				clear(v)
				maps.Copy(v, cast(integerNode(b.oid), "pgoid"))
				v["alias"] = alias
			}
		}
		for _, e := range v {
			r.tableOIDs(e)
		}
	}
}

// strict gives a statement that reads pg_class beside information_schema what PostgreSQL's information_schema has: no materialized views.
// Its author knows that they are in pg_class.
func (r *rewriter) strict(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.strict(e)
		}
	case node:
		if name := str(v, "table_name"); str(v, "type") == "BASE_TABLE" && (name == "information_schema.columns" || name == "information_schema.tables") {
			v["table_name"] = "leat_strict_" + strings.TrimPrefix(name, "information_schema.")
		}
		for _, e := range v {
			r.strict(e)
		}
	}
}

// keywords are functions that are called without brackets.
var keywords = map[string]bool{"current_user": true, "session_user": true, "user": true, "current_role": true, "current_schema": true, "current_catalog": true}

func (r *rewriter) column(n node) node {
	parts := columnName(n)
	switch {
	case len(parts) == 1 && keywords[strings.ToLower(parts[0])] && !r.quotedAt(n):
		if out := r.sessionFunction(strings.ToLower(parts[0]), nil, n); out != nil {
			r.known = true
			return out
		}
	case len(parts) == 3 && (parts[0] == pgCatalog || parts[0] == informationSchema):
		n["column_names"] = []any{parts[1], parts[2]}
	}
	return n
}

// quotedAt reports whether a quoted name stands where a node is.
func (r *rewriter) quotedAt(n node) bool {
	at, ok := r.place(n)
	return ok && r.text[at] == '"'
}

// zeroBased are the columns of types int2vector and oidvector, whose first element has the number 0.
var zeroBased = map[string]bool{"indkey": true, "indclass": true, "indoption": true, "indcollation": true, "proargtypes": true, "partattrs": true, "tgattr": true}

func isVector(n node) bool {
	parts := columnName(n)
	return str(n, "class") == "COLUMN_REF" && zeroBased[strings.ToLower(parts[len(parts)-1])]
}

func (r *rewriter) subscript(n node) {
	args := items(n, "children")
	if len(args) == 2 && isVector(args[0]) {
		n["children"] = list(args[0], call("", "+", args[1], integerNode(1)))
		child(node{"x": n["children"].([]any)[1]}, "x")["is_operator"] = true
	}
}

// any makes x = ANY(list) a call: as the subquery that DuckDB's parser makes of it, it can't stand in every condition of a join.
func (r *rewriter) any(n node) node {
	inner := child(child(n, "subquery"), "node")
	exprs := items(inner, "select_list")
	if str(n, "subquery_type") != "ANY" || str(n, "comparison_type") != "COMPARE_EQUAL" || str(child(inner, "from_table"), "type") != "EMPTY" || len(exprs) != 1 ||
		str(exprs[0], "function_name") != "unnest" {
		return n
	}
	lists := items(exprs[0], "children")
	if len(lists) != 1 {
		return n
	}
	return call("", "list_contains", arrayLiteral(lists[0]), child(n, "child"))
}

// arrayLiteral reads the text of an array, as in '{a,b}', where a list is wanted.
func arrayLiteral(n node) node {
	s, ok := constantText(n)
	if !ok || !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		return n
	}
	var elements []node
	if s != "{}" {
		for _, e := range strings.Split(s[1:len(s)-1], ",") {
			elements = append(elements, text(strings.Trim(e, `"`)))
		}
	}
	return call("", "list_value", elements...)
}

// regTypes are the types that show an OID as a name.
var regTypes = map[string]string{"regclass": "regclass", "regtype": "regtype", "regproc": "regproc", "regprocedure": "regproc", "regnamespace": "regnamespace",
	"regrole": "regrole", "regoper": "regproc", "regoperator": "regproc"}

func (r *rewriter) castNode(n node) node {
	inner, to := child(n, "child"), child(n, "cast_type")
	name := typeName(to)
	if kind, ok := regTypes[name]; ok {
		r.known = true
		if given, ok := constantText(inner); ok && kind == "regclass" {
			if oid, ok := builtinOID(given); ok {
				return cast(integerNode(oid), kind)
			}
			r.checks = append(r.checks, given)
		}
		return cast(own(kind+"_oid", inner), kind)
	}
	if kind := regKind(inner); name == "VARCHAR" && kind != "" {
		return own(kind+"_text", inner)
	}
	if name == "LIST" || name == "ARRAY" {
		n["child"] = arrayLiteral(inner)
	}
	return n
}

// regKind is the type of a cast to a type that shows an OID as a name, or of a call of its function; empty of others.
func regKind(n node) string {
	if kind, ok := strings.CutPrefix(str(n, "function_name"), "to_"); ok && str(n, "schema") == systemSchema {
		return regTypes[kind]
	}
	return regTypes[typeName(child(n, "cast_type"))]
}

// builtinOID finds a relation of PostgreSQL's by its name as regclass reads it.
func builtinOID(name string) (int64, bool) {
	name = strings.TrimPrefix(strings.ReplaceAll(name, `"`, ""), pgCatalog+".")
	if b := builtins[name]; b != nil {
		return b.oid, true
	}
	return 0, false
}
