package pgcatalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// pin is what one query sees: an image, and the session that asks.
type pin struct {
	image   *image
	session *Session
	catalog *Catalog
}

// helpers are the engine's own relations beside PostgreSQL's.
var helpers = map[string][]builtinColumn{
	"leat_relation":   columnsOf("oid pgoid!,nspname VARCHAR!,relname VARCHAR!,readable BOOLEAN!,writable BOOLEAN!,deletable BOOLEAN!,definition VARCHAR"),
	"leat_constraint": columnsOf("oid pgoid!,definition VARCHAR!"),
	"leat_index":      columnsOf("oid pgoid!,part INTEGER!,definition VARCHAR!"),
	"leat_type":       columnsOf("oid pgoid!,name VARCHAR!,display VARCHAR!"),
	"leat_session":    columnsOf("session_user VARCHAR!"),
}

func columnsOf(list string) []builtinColumn {
	var out []builtinColumn
	for _, c := range strings.Split(list, ",") {
		name, typ, _ := strings.Cut(c, " ")
		typ, notNull := strings.CutSuffix(typ, "!")
		out = append(out, builtinColumn{name, named[typ], notNull})
	}
	return out
}

// sources are the relations of PostgreSQL whose rows come from Go: those of an image, and those of a session. The others are views over
// them (static/views.sql), or empty.
var sources = map[string]func(*pin) []row{
	"pg_namespace": nil, "pg_class": nil, "pg_attribute": nil, "pg_type": nil, "pg_index": nil, "pg_constraint": nil, "pg_description": nil,
	"pg_stat_user_tables": nil, "pg_rewrite": nil, "pg_am": nil, "pg_opclass": nil, "pg_collation": nil, "pg_language": nil, "pg_tablespace": nil,
	"pg_range": nil, "pg_proc": nil,
	"pg_authid": roleRows, "pg_database": databaseRows, "pg_settings": settingRows, "pg_stat_activity": activityRows,
}

// define makes the engine's types, relations and macros.
func define(ctx context.Context, e Engine) error {
	var b strings.Builder
	for _, a := range aliases {
		fmt.Fprintf(&b, "CREATE TYPE %s AS %s;\n", a.name, a.base)
	}
	if err := e.Exec(ctx, b.String()); err != nil {
		return fmt.Errorf("defining the types of pg_catalog: %w", err)
	}
	for name, columns := range helpers {
		var rows func(*pin) []row
		if name == "leat_session" {
			rows = func(p *pin) []row { return []row{{"session_user": p.session.User}} }
		}
		if err := defineSource(e, name, name, columns, rows); err != nil {
			return err
		}
	}
	if err := defineTables(ctx, e); err != nil {
		return err
	}
	for _, macro := range strings.SplitAfter(formatTypeMacro()+macrosText, ";\n") {
		if err := e.Exec(ctx, macro); err != nil {
			return fmt.Errorf("defining the functions of pg_catalog: %.60s: %w", macro, err)
		}
	}
	return defineViews(ctx, e)
}

// viewTexts are the views of static/views.sql, by name and in order.
func viewTexts() (views map[string]string, order []string) {
	views = map[string]string{}
	for _, part := range strings.Split("\n"+viewsText, "\n-- ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		views[name] = text
		order = append(order, name)
	}
	return views, order
}

// defineTables makes the relations that are no views over others.
func defineTables(ctx context.Context, e Engine) error {
	views, _ := viewTexts()
	var empty strings.Builder
	for name, b := range builtins {
		rows, given := sources[name]
		switch {
		case given:
			if err := defineSource(e, name, "leat_"+name, b.columns, rows); err != nil {
				return err
			}
			fmt.Fprintf(&empty, "CREATE VIEW %s AS SELECT %s FROM leat_%s();\n", quoteAlways(name), casts(b.columns, nil), name)
		case views[name] == "":
			var columns []string
			for _, col := range b.columns {
				columns = append(columns, quoteAlways(col.name)+" "+col.typ.name)
			}
			fmt.Fprintf(&empty, "CREATE TABLE %s (%s);\n", quoteAlways(name), strings.Join(columns, ", "))
		}
	}
	if err := e.Exec(ctx, empty.String()); err != nil {
		return fmt.Errorf("defining the relations of pg_catalog: %w", err)
	}
	return nil
}

func defineViews(ctx context.Context, e Engine) error {
	views, order := viewTexts()
	for _, name := range order {
		text := "CREATE VIEW " + quoteAlways(name) + " AS " + views[name]
		if b := builtins[name]; b != nil {
			inner := make([]string, len(b.columns))
			for i := range inner {
				inner[i] = fmt.Sprintf("c%d", i)
			}
			text = fmt.Sprintf("CREATE VIEW %s AS SELECT %s FROM (%s) v(%s)", quoteAlways(name), casts(b.columns, inner), views[name], strings.Join(inner, ", "))
		}
		if err := e.Exec(ctx, text); err != nil {
			return fmt.Errorf("defining %s: %w", name, err)
		}
	}
	return nil
}

// casts selects columns with the types that PostgreSQL gives them; from are their names where they differ.
func casts(columns []builtinColumn, from []string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		name := quoteAlways(c.name)
		out[i] = name
		if from != nil {
			out[i] = from[i]
		}
		out[i] = "CAST(" + out[i] + " AS " + c.typ.name + ") AS " + name
	}
	return strings.Join(out, ", ")
}

func quoteAlways(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// source registers a table function; rows nil is a table of the image.
func defineSource(e Engine, table, function string, columns []builtinColumn, rows func(*pin) []row) error {
	var plain []types.Column
	for _, col := range columns {
		plain = append(plain, types.Column{Name: col.name, Type: col.typ.base})
	}
	return e.Define(function, plain, func(given any) (arrow.RecordBatch, error) {
		p, ok := given.(*pin)
		switch {
		case !ok:
			return nil, types.Errorf(types.Internal, "BUG: %s is read without a session", function)
		case rows == nil:
			return p.image.record(table, columns), nil
		}
		return record(columns, rows(p)), nil
	})
}

// formatTypeMacro makes format_type and the other functions that know all types by constants: DuckDB can't look them up in every place
// where clients call them.
func formatTypeMacro() string {
	var keys, values []string
	for _, t := range baseTypes {
		keys, values = append(keys, itoa(t.oid)), append(values, types.QuoteLiteral(displayName(t)))
	}
	name := "coalesce(map_extract_value(MAP {" + pairs(keys, values) + "}, p0::BIGINT), CASE WHEN p0::BIGINT = 0 THEN '-' ELSE '???' END)"
	reserved := slices.Sorted(reservedWords())
	return "CREATE MACRO leat_reserved() AS " + types.QuoteLiteral(" "+strings.Join(reserved, " ")+" ") + ";\n" +
		`CREATE MACRO format_type(p0, p1) AS CASE WHEN p0 IS NULL THEN NULL
WHEN p0::BIGINT IN (1700, 1231) AND p1 >= 4 THEN 'numeric(' || ((p1 - 4) >> 16)::VARCHAR || ',' || ((p1 - 4) & 65535)::VARCHAR || ')' || CASE WHEN p0::BIGINT = 1231 THEN '[]' ELSE '' END
WHEN p0::BIGINT = 1043 AND p1 >= 4 THEN 'character varying(' || (p1 - 4)::VARCHAR || ')'
WHEN p0::BIGINT = 1042 AND p1 >= 4 THEN 'character(' || (p1 - 4)::VARCHAR || ')'
ELSE ` + name + " END;\n" +
		"CREATE MACRO pg_get_userbyid(p0) AS (CASE WHEN p0 = 10 THEN 'leat' ELSE coalesce((SELECT min(leat_s.session_user) FROM leat_session() leat_s WHERE p0 = 16384), 'unknown (OID=' || p0::VARCHAR || ')') END)::name;\n"
}

func pairs(keys, values []string) string {
	out := make([]string, len(keys))
	for i := range keys {
		out[i] = keys[i] + ": " + values[i]
	}
	return strings.Join(out, ", ")
}
