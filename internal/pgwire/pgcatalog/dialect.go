package pgcatalog

import (
	"context"
	"strings"
)

// spoken are words of PostgreSQL's that a statement about users' data may have to be rewritten for.
var spoken = map[string]bool{"to_char": true, "to_date": true, "to_timestamp": true, "substring": true, "generate_series": true, "jsonb": true, "any": true, "all": true,
	"pg_typeof": true, "current_user": true, "session_user": true, "current_setting": true, "current_database": true, "current_catalog": true,
	"current_schema": true, "pg_backend_pid": true, "operator": true, "version": true}

// dialect rewrites PostgreSQL's forms that DuckDB doesn't have in a statement about users' data. What it doesn't know goes as it is: the
// places in its errors are then those of the text as it was sent.
func (c *Catalog) dialect(ctx context.Context, s *Session, t source) Verdict {
	as := Verdict{SQL: t.text}
	found := false
	for w := range t.words() {
		found = found || spoken[w]
	}
	if !found {
		return as
	}
	sql, _ := userPlain(t)
	ast, err := c.Parser.SerializeSQL(ctx, sql)
	if err != nil {
		return as
	}
	root, statement, err := decode(ast)
	if err != nil {
		return as
	}
	r := &translator{rewriter: newRewriter(c, s, sql)}
	r.relations(statement)
	statement["node"] = r.walk(statement["node"])
	clean(statement)
	if r.err != nil || !r.changed && sql == t.text {
		return as
	}
	if !r.changed {
		return Verdict{SQL: sql, Rewritten: true}
	}
	if sql, err = c.deparse(ctx, root); err != nil {
		return as
	}
	return Verdict{SQL: sql, Rewritten: true}
}

// userPlain replaces on tokens what DuckDB's parser doesn't read: OPERATOR(schema.op) and the type jsonb.
func userPlain(t source) (string, bool) {
	casts := t.castTypes()
	for i := range t.tokens {
		if t.is(i, "OPERATOR") && t.at(i+1) == "(" || casts[i] && t.is(i, "jsonb") {
			return plainOnly(t, map[string]string{"jsonb": "JSON"}, false)
		}
	}
	return t.text, false
}

// translator rewrites users' statements: only what DuckDB would refuse.
type translator struct {
	*rewriter
	changed bool
}

func (r *translator) walk(v any) any {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			v[i] = r.walk(e)
		}
	case node:
		for key, e := range v {
			if key != "cast_type" {
				v[key] = r.walk(e)
			}
		}
		alias := str(v, "alias")
		out := r.visit(v)
		if out == nil {
			return v
		}
		r.changed = true
		if str(out, "class") != "" {
			out["alias"] = alias
		}
		return out
	}
	return v
}

// visit returns what a node becomes, nil for one that stays.
func (r *translator) visit(n node) node {
	switch str(n, "class") {
	case "FUNCTION":
		return r.call(n)
	case "SUBQUERY":
		return r.anyParameter(n)
	case "COLUMN_REF":
		// A column may well be called user.
		if name := strings.ToLower(columnName(n)[0]); len(columnName(n)) == 1 && keywords[name] && name != "user" && !r.quotedAt(n) {
			return common(r.sessionFunction(name, nil, n))
		}
	case "CAST":
		inner := child(n, "child")
		if literal := arrayLiteral(inner); typeName(child(n, "cast_type")) == "LIST" && str(literal, "class") != str(inner, "class") {
			n["child"] = literal
			return n
		}
	}
	if listed, _ := n["column_name_alias"].([]any); str(n, "type") == "TABLE_FUNCTION" && len(listed) == 0 && str(n, "alias") != "" &&
		strings.EqualFold(str(child(n, "function"), "function_name"), "generate_series") {
		n["column_name_alias"] = []any{str(n, "alias")}
		return n
	}
	return nil
}

func (r *translator) call(n node) node {
	name, args := strings.ToLower(str(n, "function_name")), items(n, "children")
	if len(args) == 2 {
		if pattern, ok := constantText(args[1]); ok {
			switch name {
			case "substring":
				return substringMatch(args[0], pattern)
			case "to_char":
				return toChar(args[0], pattern)
			case "to_timestamp":
				return parsed(args[0], pattern, "TIMESTAMPTZ")
			case "to_date":
				return parsed(args[0], pattern, "DATE")
			}
		}
	}
	if name == "pg_typeof" && len(args) == 1 {
		return call("", "typeof", args[0])
	}
	if spoken[name] {
		if out := r.sessionFunction(name, args, n); out != nil && str(out, "schema") != systemSchema {
			return common(out)
		}
	}
	return nil
}

// common takes away types that only the engine of catalog statements has.
func common(n node) node {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case node:
			if t := child(v, "cast_type"); castOID(t) != 0 {
				v["cast_type"] = typeNode("VARCHAR")
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(n)
	return n
}

// patterns are PostgreSQL's template patterns of dates beside strftime's, longest first; an empty one has no match there.
var patterns = [][2]string{{"HH24", "%H"}, {"HH12", "%I"}, {"YYYY", "%Y"}, {"MONTH", ""}, {"Month", "%B"}, {"month", ""}, {"DDD", "%j"}, {"Day", "%A"}, {"Mon", "%b"},
	{"DY", ""}, {"Dy", "%a"}, {"YY", "%y"}, {"MM", "%m"}, {"DD", "%d"}, {"HH", "%I"}, {"MI", "%M"}, {"SS", "%S"}, {"MS", "%g"}, {"US", "%f"}, {"AM", "%p"},
	{"PM", "%p"}, {"IYYY", "%G"}, {"IW", "%V"}, {"TZ", "%Z"}, {"ID", "%u"}}

// strftime translates a template of dates; false where it has patterns without a match.
func strftime(pattern string) (string, bool) {
	var b strings.Builder
	for pattern != "" {
		if strings.HasPrefix(pattern, "FM") {
			return "", false
		}
		if pattern[0] == '"' {
			end := strings.IndexByte(pattern[1:], '"')
			if end < 0 {
				return "", false
			}
			b.WriteString(strings.ReplaceAll(pattern[1:end+1], "%", "%%"))
			pattern = pattern[end+2:]
			continue
		}
		match, by := longest(pattern)
		if match == "" {
			if letter(pattern[0]) && pattern[0] != 'T' && pattern[0] != 'Z' || digit(pattern[0]) || pattern[0] == '%' {
				return "", false
			}
			b.WriteByte(pattern[0])
			pattern = pattern[1:]
			continue
		}
		if by == "" {
			return "", false
		}
		b.WriteString(by)
		pattern = pattern[len(match):]
	}
	return b.String(), true
}

func longest(s string) (match, by string) {
	for _, p := range patterns {
		if len(p[0]) > len(match) && strings.HasPrefix(s, p[0]) {
			match, by = p[0], p[1]
		}
	}
	return match, by
}

func toChar(value node, pattern string) node {
	format, ok := strftime(pattern)
	if !ok {
		return nil
	}
	return call("", "strftime", value, text(format))
}

// parsed reads a date from text by a template; without a zone in it the time is UTC, as on every connection.
func parsed(value node, pattern, to string) node {
	format, ok := strftime(pattern)
	if !ok {
		return nil
	}
	return cast(call("", "strptime", value, text(format)), to)
}
