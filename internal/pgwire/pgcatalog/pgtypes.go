package pgcatalog

import (
	"strings"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// pgType is a type of PostgreSQL as the engine carries it: name is the engine's type, made with CREATE TYPE where DuckDB has none of that
// meaning, and base is what it is made of.
type pgType struct {
	name string
	base types.Type
	oid  uint32
}

// OIDs beside those of package pgtype.
const (
	oidRegproc      = 24
	oidInt2vector   = 22
	oidXID          = 28
	oidOidvector    = 30
	oidNodeTree     = 194
	oidInet         = 869
	oidACLItem      = 1033
	oidRegprocedure = 2202
	oidRegclass     = 2205
	oidRegtype      = 2206
	oidRecord       = 2249
	oidAnyarray     = 2277
	oidLSN          = 3220
	oidRegnamespace = 4089
	oidRegrole      = 4096
)

// aliases are the engine's own types: DuckDB carries their names through a query, so that a result knows them. The base of each
// is part of CREATE TYPE.
var aliases = []pgType{
	{"pgoid", types.Of(types.BigInt), pgtype.OID}, {"name", types.Of(types.Varchar), pgtype.Name}, {"pgchar", types.Of(types.Varchar), pgtype.Char},
	{"pgvarchar", types.Of(types.Varchar), pgtype.Varchar}, {"regproc", types.Of(types.BigInt), oidRegproc},
	{"regprocedure", types.Of(types.BigInt), oidRegprocedure}, {"regclass", types.Of(types.BigInt), oidRegclass},
	{"regtype", types.Of(types.BigInt), oidRegtype}, {"regnamespace", types.Of(types.BigInt), oidRegnamespace},
	{"regrole", types.Of(types.BigInt), oidRegrole}, {"pgxid", types.Of(types.BigInt), oidXID}, {"pg_node_tree", types.Of(types.Varchar), oidNodeTree},
	{"aclitem", types.Of(types.Varchar), oidACLItem}, {"pg_lsn", types.Of(types.Varchar), oidLSN}, {"inet", types.Of(types.Varchar), oidInet},
	{"anyarray", types.Of(types.Varchar), oidAnyarray},
	{"int2vector", types.ListOf(types.Of(types.SmallInt)), oidInt2vector}, {"oidvector", types.ListOf(types.Of(types.BigInt)), oidOidvector},
}

// written are the names that PostgreSQL's texts use for types of the engine.
var written = map[string]string{
	"oid": "pgoid", `"char"`: "pgchar", "character varying": "pgvarchar", "xid": "pgxid", "bigint": "BIGINT", "integer": "INTEGER", "text": "VARCHAR",
	"boolean": "BOOLEAN", "smallint": "SMALLINT", "timestamp with time zone": "TIMESTAMP WITH TIME ZONE", "double precision": "DOUBLE", "real": "FLOAT",
	"interval": "INTERVAL", "numeric": "DECIMAL", "bytea": "BLOB", "pg_ndistinct": "VARCHAR", "pg_dependencies": "VARCHAR", "pg_mcv_list": "VARCHAR",
	"pg_statistic": "VARCHAR",
}

// named are the engine's types by their names.
var named = func() map[string]pgType {
	out := map[string]pgType{"DECIMAL": {"DOUBLE", types.Of(types.Double), pgtype.Float8}}
	for _, k := range []types.Kind{types.Boolean, types.TinyInt, types.SmallInt, types.Integer, types.BigInt, types.HugeInt, types.UTinyInt, types.USmallInt,
		types.UInteger, types.UBigInt, types.Float, types.Double, types.Varchar, types.Blob, types.Date, types.Time, types.Timestamp, types.TimestampTZ,
		types.Interval, types.UUID, types.JSON} {
		out[k.String()] = pgType{k.String(), types.Of(k), pgtype.Of(types.Of(k))}
	}
	for _, a := range aliases {
		out[a.name] = a
	}
	return out
}()

// typeNamed reads a type as the static tables write it: the length of a varchar doesn't matter.
func typeNamed(text string) pgType {
	text, list := strings.CutSuffix(text, "[]")
	if i := strings.IndexByte(text, '('); i >= 0 {
		text = text[:i] + text[strings.IndexByte(text, ')')+1:]
	}
	name := text
	if w, ok := written[text]; ok {
		name = w
	}
	t, ok := named[name]
	if !ok {
		panic("BUG: static tables: type " + text)
	}
	if list {
		return pgType{t.name + "[]", types.ListOf(t.base), arrayOf(t.oid)}
	}
	return t
}

// resultType is the PostgreSQL type of a column that the engine describes.
func resultType(name string) uint32 {
	if element, ok := strings.CutSuffix(name, "[]"); ok {
		return arrayOf(resultType(element))
	}
	if t, ok := named[name]; ok && name != "DECIMAL" {
		return t.oid
	}
	switch name {
	case "DECIMAL":
		return pgtype.Numeric
	case "STRUCT":
		return oidRecord
	}
	return pgtype.Text
}

// arraysOf are the types of arrays by element.
var arraysOf = func() map[uint32]uint32 {
	out := map[uint32]uint32{}
	for _, t := range baseTypes {
		if t.array != 0 {
			out[uint32(t.oid)] = uint32(t.array)
		}
	}
	return out
}()

func arrayOf(element uint32) uint32 {
	if a, ok := arraysOf[element]; ok {
		return a
	}
	return 1009 // text[]
}
