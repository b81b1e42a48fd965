// Package pgtype says which PostgreSQL type stands for which of ours, on the wire and in pg_catalog.
package pgtype

import "leat/internal/types"

// OIDs of PostgreSQL's built-in types (pg_type.dat).
const (
	Bool        = 16
	Bytea       = 17
	Char        = 18 // "char", one byte
	Name        = 19
	Int8        = 20
	Int2        = 21
	Int4        = 23
	Text        = 25
	OID         = 26
	JSON        = 114
	Float4      = 700
	Float8      = 701
	Unknown     = 705
	BPChar      = 1042
	Varchar     = 1043
	Date        = 1082
	Time        = 1083
	Timestamp   = 1114
	Timestamptz = 1184
	Interval    = 1186
	Numeric     = 1700
	UUID        = 2950
	JSONB       = 3802
)

// arrays are the types of arrays by the type of their elements.
var arrays = map[uint32]uint32{
	Bool: 1000, Bytea: 1001, Name: 1003, Int2: 1005, Int4: 1007, Text: 1009, BPChar: 1014, Varchar: 1015, Int8: 1016, Float4: 1021,
	Float8: 1022, OID: 1028, Timestamp: 1115, Date: 1182, Time: 1183, Timestamptz: 1185, Interval: 1187, Numeric: 1231, JSON: 199,
	UUID: 2951, JSONB: 3807,
}

// elements is the reverse of arrays.
var elements = func() map[uint32]uint32 {
	out := map[uint32]uint32{}
	for element, array := range arrays {
		out[array] = element
	}
	return out
}()

// sizes are the lengths (pg_type.typlen) of the types that have a fixed one.
var sizes = map[uint32]int16{
	Bool: 1, Char: 1, Name: 64, Int8: 8, Int2: 2, Int4: 4, OID: 4, Float4: 4, Float8: 8, Date: 4, Time: 8, Timestamp: 8, Timestamptz: 8,
	Interval: 16, UUID: 16, Unknown: -2,
}

var scalars = map[types.Kind]uint32{
	types.Boolean: Bool, types.TinyInt: Int2, types.SmallInt: Int2, types.Integer: Int4, types.BigInt: Int8, types.HugeInt: Numeric,
	types.UTinyInt: Int2, types.USmallInt: Int4, types.UInteger: Int8, types.UBigInt: Numeric, types.Float: Float4, types.Double: Float8,
	types.Decimal: Numeric, types.Varchar: Text, types.Blob: Bytea, types.Date: Date, types.Time: Time, types.Timestamp: Timestamp,
	types.TimestampTZ: Timestamptz, types.Interval: Interval, types.UUID: UUID, types.JSON: JSON, types.Struct: JSON, types.Map: JSON,
}

// Of is the PostgreSQL type of one of ours: a LIST of scalars is an array, other nested values are json. The zero Type is text.
func Of(t types.Type) uint32 {
	if t.Kind == types.List {
		if t.Elem.Kind.IsNested() || t.Elem.Kind == types.JSON {
			return JSON
		}
		return arrays[scalars[t.Elem.Kind]]
	}
	if oid, ok := scalars[t.Kind]; ok {
		return oid
	}
	return Text
}

// Size is the length of a type's values (pg_type.typlen), -1 where it varies.
func Size(oid uint32) int16 {
	if n, ok := sizes[oid]; ok {
		return n
	}
	return -1
}

// Mod is the type modifier: precision and scale of a DECIMAL, else -1.
func Mod(t types.Type) int32 {
	if t.Kind == types.List {
		t = *t.Elem
	}
	if t.Kind != types.Decimal {
		return -1
	}
	return int32(t.Precision)<<16 | int32(t.Scale) + 4
}

// Element is the type of an array's elements; ok is false for types that are none.
func Element(oid uint32) (element uint32, ok bool) {
	element, ok = elements[oid]
	return element, ok
}

// Array is the type of arrays of a type, 0 where there is none.
func Array(oid uint32) uint32 { return arrays[oid] }

var names = map[uint32]string{
	Bool: "boolean", Bytea: "bytea", Char: `"char"`, Name: "name", Int8: "bigint", Int2: "smallint", Int4: "integer", Text: "text", OID: "oid",
	JSON: "json", Float4: "real", Float8: "double precision", Unknown: "unknown", BPChar: "character", Varchar: "character varying",
	Date: "date", Time: "time without time zone", Timestamp: "timestamp without time zone", Timestamptz: "timestamp with time zone",
	Interval: "interval", Numeric: "numeric", UUID: "uuid", JSONB: "jsonb",
}

// NameOf is the type's name as PostgreSQL's format_type prints it, "" for an unknown one.
func NameOf(oid uint32) string {
	if element, ok := elements[oid]; ok {
		return names[element] + "[]"
	}
	return names[oid]
}

var kinds = map[uint32]types.Kind{
	Bool: types.Boolean, Bytea: types.Blob, Char: types.Varchar, Name: types.Varchar, Int8: types.BigInt, Int2: types.SmallInt,
	Int4: types.Integer, Text: types.Varchar, OID: types.BigInt, JSON: types.JSON, JSONB: types.JSON, Float4: types.Float, Float8: types.Double,
	BPChar: types.Varchar, Varchar: types.Varchar, Date: types.Date, Time: types.Time, Timestamp: types.Timestamp,
	Timestamptz: types.TimestampTZ, Interval: types.Interval, UUID: types.UUID,
}

// TypeOf is our type of values of a PostgreSQL type. ok is false where it says too little: of unknown types, and of numeric, which has no
// scale of its own.
func TypeOf(oid uint32) (t types.Type, ok bool) {
	if element, ok := elements[oid]; ok {
		t, ok = TypeOf(element)
		return types.ListOf(t), ok
	}
	kind, ok := kinds[oid]
	return types.Of(kind), ok
}
