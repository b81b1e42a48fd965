package pgcatalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// operatorClasses are btree's default operator classes by type (pg_opclass.dat); operatorNames are their names and families.
var operatorClasses = map[uint32]int64{
	pgtype.Bool: 10003, pgtype.Bytea: 10006, pgtype.Name: 10028, pgtype.Int8: 3124, pgtype.Int2: 1979, pgtype.Int4: 1978, pgtype.Text: 3126,
	pgtype.OID: 1981, pgtype.Float4: 10012, pgtype.Float8: 3123, pgtype.Date: 3122, pgtype.Time: 10038, pgtype.Timestamp: 3128,
	pgtype.Timestamptz: 3127, pgtype.Interval: 10022, pgtype.Numeric: 3125, pgtype.UUID: 10065,
}

var operatorNames = map[int64]string{
	10003: "bool_ops 424", 10006: "bytea_ops 428", 10028: "name_ops 1994", 3124: "int8_ops 1976", 1979: "int2_ops 1976", 1978: "int4_ops 1976",
	3126: "text_ops 1994", 1981: "oid_ops 1989", 10012: "float4_ops 1970", 3123: "float8_ops 1970", 3122: "date_ops 434", 10038: "time_ops 1996",
	3128: "timestamp_ops 434", 3127: "timestamptz_ops 434", 10022: "interval_ops 1982", 3125: "numeric_ops 1988", 10065: "uuid_ops 2968",
}

func collationOf(typ uint32) int64 {
	switch typ {
	case pgtype.Text, pgtype.Varchar, pgtype.BPChar, 1009:
		return oidCollation
	}
	return 0
}

func classRow(oid, namespace, rowType int64, name, kind string, columns int, indexed bool) row {
	am := int64(0)
	if kind == "r" || kind == "m" {
		am = oidHeap
	}
	return row{"oid": oid, "relname": name, "relnamespace": namespace, "reltype": rowType, "relowner": oidOwner, "relam": am, "relfilenode": oid,
		"reltuples": -1, "relhasindex": indexed, "relpersistence": "p", "relkind": kind, "relnatts": columns, "relispopulated": true, "relreplident": "d",
		"relhasrules": kind == "v" || kind == "m"}
}

func indexClassRow(r *relation, x index) row {
	return merged(classRow(x.oid, r.namespace, 0, x.name, "i", len(x.columns), false), row{"relam": oidBtree, "relreplident": "n", "reltuples": 0})
}

func attributeRow(relation int64, number int, c column) row {
	size, byValue, align, storage := layout(c.typ)
	dims := 0
	if _, list := pgtype.Element(c.typ); list {
		dims = 1
	}
	return row{"attrelid": relation, "attname": c.name, "atttypid": c.typ, "attstattarget": -1, "attlen": size, "attnum": number, "attndims": dims,
		"attcacheoff": -1, "atttypmod": c.mod, "attbyval": byValue, "attalign": align, "attstorage": storage, "attnotnull": c.notNull,
		"attislocal": true, "attcollation": collationOf(c.typ)}
}

// layout is a type's length, whether it is passed by value, its alignment and storage.
func layout(typ uint32) (size int64, byValue bool, align, storage string) {
	if t, ok := typeRows()[int64(typ)]; ok {
		return integer(t["typlen"]), t["typbyval"].(bool), t["typalign"].(string), t["typstorage"].(string)
	}
	return -1, false, "i", "x"
}

// The functions by which values of rows and of their arrays are read and written (pg_proc.dat).
const (
	procRecordIn, procRecordOut, procRecordRecv, procRecordSend             = 2290, 2291, 2402, 2403
	procArrayIn, procArrayOut, procArrayRecv, procArraySend, procArrayScrpt = 750, 751, 2400, 2401, 6179
)

func rowTypeRow(r *relation) row {
	return row{"oid": r.rowType, "typname": r.name, "typnamespace": r.namespace, "typowner": oidOwner, "typlen": -1, "typtype": "c", "typcategory": "C",
		"typisdefined": true, "typdelim": ",", "typrelid": r.oid, "typarray": r.arrayType, "typinput": procRecordIn, "typoutput": procRecordOut,
		"typreceive": procRecordRecv, "typsend": procRecordSend, "typalign": "d", "typstorage": "x", "typtypmod": -1}
}

func rowArrayRow(r *relation) row {
	return row{"oid": r.arrayType, "typname": "_" + r.name, "typnamespace": r.namespace, "typowner": oidOwner, "typlen": -1, "typtype": "b",
		"typcategory": "A", "typisdefined": true, "typdelim": ",", "typelem": r.rowType, "typsubscript": procArrayScrpt, "typinput": procArrayIn,
		"typoutput": procArrayOut, "typreceive": procArrayRecv, "typsend": procArraySend, "typalign": "d", "typstorage": "x", "typtypmod": -1}
}

// typeRows are the rows of pg_type of PostgreSQL's own types, by OID.
var typeRows = sync.OnceValue(func() map[int64]row {
	out := map[int64]row{}
	for _, t := range baseTypes {
		f := t.fields
		out[t.oid] = row{"oid": t.oid, "typname": t.name, "typnamespace": oidCatalogNamespace, "typowner": oidOwner, "typlen": number(f[2]),
			"typbyval": f[3] == "1", "typtype": f[4], "typcategory": f[5], "typispreferred": f[6] == "1", "typisdefined": true, "typdelim": f[7],
			"typsubscript": number(f[8]), "typelem": t.element, "typarray": t.array, "typinput": number(f[11]), "typoutput": number(f[12]),
			"typreceive": number(f[13]), "typsend": number(f[14]), "typmodin": number(f[15]), "typmodout": number(f[16]), "typalign": f[17],
			"typstorage": f[18], "typbasetype": number(f[19]), "typtypmod": number(f[20]), "typcollation": number(f[21])}
	}
	return out
})

// fixedTables are the rows that every image has; callers don't change them.
var fixed = sync.OnceValue(func() map[string][]row {
	t := map[string][]row{}
	add := func(table string, r row) { t[table] = append(t[table], r) }
	for _, n := range []row{{"oid": oidCatalogNamespace, "nspname": pgCatalog}, {"oid": oidPublic, "nspname": publicSchema},
		{"oid": oidInformationNamespace, "nspname": informationSchema}, {"oid": oidSystemNamespace, "nspname": systemSchema}} {
		add("pg_namespace", merged(n, row{"nspowner": oidOwner}))
	}
	add("pg_description", row{"objoid": oidPublic, "classoid": oidPgNamespace, "objsubid": 0, "description": "streams, tables and views"})
	add("pg_description", row{"objoid": oidSystemNamespace, "classoid": oidPgNamespace, "objsubid": 0, "description": "what Leat knows of itself"})
	types := typeRows()
	for _, b := range baseTypes {
		add("pg_type", types[b.oid])
		display := displayName(b)
		add("leat_type", row{"oid": b.oid, "name": b.name, "display": display})
	}
	for alias, name := range typeSynonyms {
		add("leat_type", row{"oid": typeOIDs()[name], "name": alias, "display": ""})
	}
	addBuiltins(add)
	for _, f := range lines(procsText) {
		var args []int64
		for _, a := range strings.Fields(f[3]) {
			args = append(args, number(a))
		}
		add("pg_proc", row{"oid": number(f[0]), "proname": f[1], "pronamespace": oidCatalogNamespace, "proowner": oidOwner, "prolang": 12, "procost": 1,
			"prorettype": number(f[2]), "pronargs": len(args), "proargtypes": args, "prokind": f[4], "provolatile": f[5], "proretset": f[6] == "1",
			"prosrc": f[1], "proisstrict": true, "proparallel": "s"})
	}
	addAccess(add)
	return t
})

func fixedTables() map[string][]row {
	out := make(map[string][]row, len(fixed()))
	for name, rows := range fixed() {
		out[name] = slices.Clip(rows)
	}
	return out
}

// addBuiltins adds the relations of pg_catalog and information_schema themselves.
func addBuiltins(add func(string, row)) {
	list := make([]*builtin, 0, len(builtins))
	for _, b := range builtins {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *builtin) int { return cmp.Compare(a.oid, b.oid) })
	for _, b := range list {
		namespace := int64(oidCatalogNamespace)
		if b.schema == informationSchema {
			namespace = oidInformationNamespace
		}
		add("pg_class", classRow(b.oid, namespace, b.rowType, b.name, b.kind, len(b.columns), false))
		add("leat_relation", row{"oid": b.oid, "nspname": b.schema, "relname": b.name, "writable": false, "readable": true})
		for i, c := range b.columns {
			add("pg_attribute", attributeRow(b.oid, i+1, column{c.name, c.typ.oid, -1, c.notNull}))
		}
	}
}

// addAccess adds access methods, operator classes, collations, languages and the like.
func addAccess(add func(string, row)) {
	add("pg_am", row{"oid": oidHeap, "amname": "heap", "amhandler": 3, "amtype": "t"})
	add("pg_am", row{"oid": oidBtree, "amname": "btree", "amhandler": 330, "amtype": "i"})
	for typ, oid := range operatorClasses {
		name, family, _ := strings.Cut(operatorNames[oid], " ")
		add("pg_opclass", row{"oid": oid, "opcmethod": oidBtree, "opcname": name, "opcnamespace": oidCatalogNamespace, "opcowner": oidOwner,
			"opcfamily": number(family), "opcintype": typ, "opcdefault": true})
	}
	add("pg_collation", row{"oid": oidCollation, "collname": "default", "collnamespace": oidCatalogNamespace, "collowner": oidOwner, "collprovider": "d",
		"collisdeterministic": true, "collencoding": -1})
	for oid, name := range map[int]string{950: "C", 951: "POSIX"} {
		add("pg_collation", row{"oid": oid, "collname": name, "collnamespace": oidCatalogNamespace, "collowner": oidOwner, "collprovider": "c",
			"collisdeterministic": true, "collencoding": -1, "collcollate": name, "collctype": name})
	}
	add("pg_language", row{"oid": 12, "lanname": "internal", "lanowner": oidOwner})
	add("pg_tablespace", row{"oid": oidTablespace, "spcname": "pg_default", "spcowner": oidOwner})
	for sub, oid := range map[int]int{23: 3904, 1700: 3906, 1114: 3908, 1184: 3910, 1082: 3912, 20: 3926} {
		multi := map[int]int{3904: 4451, 3906: 4532, 3908: 4533, 3910: 4534, 3912: 4535, 3926: 4536}[oid]
		add("pg_range", row{"rngtypid": oid, "rngsubtype": sub, "rngmultitypid": multi, "rngsubopc": operatorClasses[uint32(sub)]})
	}
}

// typeSynonyms are the names of types beside those of pg_type.
var typeSynonyms = map[string]string{
	"int": "int4", "integer": "int4", "smallint": "int2", "bigint": "int8", "boolean": "bool", "real": "float4", "double precision": "float8", "float": "float8",
	"decimal": "numeric", "character varying": "varchar", "character": "bpchar", "timestamp without time zone": "timestamp",
	"timestamp with time zone": "timestamptz", "time without time zone": "time", "time with time zone": "timetz", "dec": "numeric", "bit varying": "varbit",
}

var typeOIDs = sync.OnceValue(func() map[string]int64 {
	out := map[string]int64{}
	for _, t := range baseTypes {
		out[t.name] = t.oid
	}
	return out
})

// displayName is what format_type prints for a type of PostgreSQL.
func displayName(t baseType) string {
	if t.element != 0 && strings.HasPrefix(t.name, "_") {
		for _, e := range baseTypes {
			if e.oid == t.element {
				return displayName(e) + "[]"
			}
		}
	}
	switch t.name {
	case "char":
		return `"char"`
	case "time", "timestamp":
		return t.name + " without time zone"
	}
	if name := pgtype.NameOf(uint32(t.oid)); name != "" {
		return name
	}
	for long, short := range typeSynonyms {
		if short == t.name && strings.Contains(long, " ") {
			return long
		}
	}
	return t.name
}

// quoteIdent writes a name as PostgreSQL's quote_ident does.
func quoteIdent(s string) string { return types.QuoteIdent(s) }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
