package pgcatalog

import (
	_ "embed"
	"strconv"
	"strings"
)

// What PostgreSQL 15 has by itself, as its own catalog lists it: relations of pg_catalog and information_schema with their columns, types,
// the functions that types name, and settings. One row a line, fields split by tabs.
var (
	//go:embed static/relations.tsv
	relationsText string
	//go:embed static/types.tsv
	typesText string
	//go:embed static/procs.tsv
	procsText string
	//go:embed static/settings.tsv
	settingsText string
	//go:embed static/views.sql
	viewsText string
	//go:embed static/macros.sql
	macrosText string
)

// builtin is a relation of pg_catalog or information_schema.
type builtin struct {
	oid, rowType int64
	schema, name string
	kind         string
	columns      []builtinColumn
}

type builtinColumn struct {
	name    string
	typ     pgType
	notNull bool
}

// engineName is the relation's name in the engine's schema: no two relations share one.
func (b *builtin) engineName() string {
	if b.schema == informationSchema {
		return informationSchema + "." + b.name
	}
	return b.name
}

const (
	pgCatalog         = "pg_catalog"
	informationSchema = "information_schema"
	systemSchema      = "leat_system"
	publicSchema      = "public"
)

func lines(text string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		out = append(out, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return out
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic("BUG: static tables: " + err.Error())
	}
	return n
}

// builtins are the relations by engineName.
var builtins = func() map[string]*builtin {
	out := map[string]*builtin{}
	for _, f := range lines(relationsText) {
		b := &builtin{oid: number(f[0]), schema: f[1], name: f[2], kind: f[3], rowType: number(f[4])}
		for _, c := range strings.Split(f[5], ",") {
			name, typ, _ := strings.Cut(c, " ")
			typ, notNull := strings.CutSuffix(typ, "!")
			b.columns = append(b.columns, builtinColumn{strings.Trim(name, `"`), typeNamed(typ), notNull})
		}
		out[b.engineName()] = b
	}
	return out
}()

// baseType is one row of pg_type.
type baseType struct {
	oid, array, element int64
	name                string
	fields              []string
}

var baseTypes = func() []baseType {
	var out []baseType
	for _, f := range lines(typesText) {
		out = append(out, baseType{oid: number(f[0]), name: f[1], element: number(f[9]), array: number(f[10]), fields: f})
	}
	return out
}()
