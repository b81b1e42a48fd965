// Package types holds the values that every other package of Leat speaks in:
// Type, Schema, Batch, Position and the coded Error. It imports no other package of ours.
package types

import (
	"fmt"
	"strings"
)

// Kind is the family of a Type. The zero value is Invalid.
type Kind uint8

// The kinds are DuckDB's types (https://duckdb.org/docs/stable/sql/data_types/overview).
// ENUM is carried as Varchar.
const (
	Invalid Kind = iota
	Boolean
	TinyInt
	SmallInt
	Integer
	BigInt
	HugeInt
	UTinyInt
	USmallInt
	UInteger
	UBigInt
	Float
	Double
	Decimal
	Varchar
	Blob
	Date
	Time
	Timestamp
	TimestampTZ
	Interval
	UUID
	JSON
	Struct
	List
	Map
)

// MaxDepth is how deep LIST, STRUCT and MAP may nest in one type.
const MaxDepth = 8

// Type is a SQL type. The zero value is invalid. Types are immutable values and safe to share.
type Type struct {
	Kind Kind
	// Precision and Scale belong to Decimal: 1 <= Precision <= 38, Scale <= Precision.
	Precision, Scale uint8
	// Elem is the element of a List and the value of a Map.
	Elem *Type
	// Key is the key of a Map.
	Key *Type
	// Fields are the members of a Struct, at least one.
	Fields []Field
}

// Field is one member of a Struct.
type Field struct {
	Name string
	// Key is the JSON object key that fills the field; it differs from Name only
	// where keys differ by case alone ("userid" fills userid, "userId" fills userid_2).
	Key  string
	Type Type
}

// Of returns the type of a kind without parameters.
func Of(k Kind) Type { return Type{Kind: k} }

// DecimalOf returns DECIMAL(precision, scale).
func DecimalOf(precision, scale uint8) Type {
	return Type{Kind: Decimal, Precision: precision, Scale: scale}
}

// ListOf returns elem[].
func ListOf(elem Type) Type { return Type{Kind: List, Elem: &elem} }

// MapOf returns MAP(key, value).
func MapOf(key, value Type) Type { return Type{Kind: Map, Key: &key, Elem: &value} }

// StructOf returns STRUCT(fields...).
func StructOf(fields ...Field) Type { return Type{Kind: Struct, Fields: fields} }

// String prints the type as DuckDB spells it; ParseType reads it back, but for the keys of fields.
func (t Type) String() string { return t.print(false) }

// Definition prints the type as a definition spells it: like String, with KEY where a field's key is not its name.
func (t Type) Definition() string { return t.print(true) }

func (t Type) print(keys bool) string {
	switch t.Kind {
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case List:
		return t.Elem.print(keys) + "[]"
	case Map:
		return "MAP(" + t.Key.print(keys) + ", " + t.Elem.print(keys) + ")"
	case Struct:
		var b strings.Builder
		b.WriteString("STRUCT(")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(QuoteIdent(f.Name) + " " + f.Type.print(keys))
			if keys && f.Key != f.Name {
				b.WriteString(" KEY " + QuoteLiteral(f.Key))
			}
		}
		b.WriteByte(')')
		return b.String()
	default:
		return t.Kind.String()
	}
}

// Equal reports whether both are the same type with the same parameters, field names and keys.
func (t Type) Equal(o Type) bool {
	if t.Kind != o.Kind || t.Precision != o.Precision || t.Scale != o.Scale || len(t.Fields) != len(o.Fields) {
		return false
	}
	for i, f := range t.Fields {
		if g := o.Fields[i]; f.Name != g.Name || f.Key != g.Key || !f.Type.Equal(g.Type) {
			return false
		}
	}
	return equalPtr(t.Elem, o.Elem) && equalPtr(t.Key, o.Key)
}

func equalPtr(a, b *Type) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// IsInteger reports whether the kind is a whole number of any width.
func (k Kind) IsInteger() bool { return k >= TinyInt && k <= UBigInt }

// IsNumeric reports whether the kind is a number.
func (k Kind) IsNumeric() bool { return k >= TinyInt && k <= Decimal }

// IsTime reports whether the kind can be an event time.
func (k Kind) IsTime() bool { return k == Timestamp || k == TimestampTZ }

// IsNested reports whether the kind has members.
func (k Kind) IsNested() bool { return k == Struct || k == List || k == Map }

var kindNames = [...]string{
	Invalid: "INVALID", Boolean: "BOOLEAN", TinyInt: "TINYINT", SmallInt: "SMALLINT", Integer: "INTEGER",
	BigInt: "BIGINT", HugeInt: "HUGEINT", UTinyInt: "UTINYINT", USmallInt: "USMALLINT", UInteger: "UINTEGER",
	UBigInt: "UBIGINT", Float: "FLOAT", Double: "DOUBLE", Decimal: "DECIMAL", Varchar: "VARCHAR", Blob: "BLOB",
	Date: "DATE", Time: "TIME", Timestamp: "TIMESTAMP", TimestampTZ: "TIMESTAMP WITH TIME ZONE",
	Interval: "INTERVAL", UUID: "UUID", JSON: "JSON", Struct: "STRUCT", List: "LIST", Map: "MAP",
}

// String is the kind's SQL name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "INVALID"
}

// QuoteIdent prints a name so that SQL reads it back as it is: bare where it is a plain
// lower-case word, else in double quotes.
func QuoteIdent(s string) string {
	if plainIdent(s) && !reserved[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// QuoteLiteral prints s as a SQL string.
func QuoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func plainIdent(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// reserved are the words that DuckDB 1.5.5 refuses as a bare column, table or type name
// (duckdb_keywords() with category reserved or type_function).
var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`all analyse analyze and anti any array as asc asof asymmetric at authorization
		binary both by case cast check collate collation column concurrently constraint create cross default
		deferrable desc describe distinct do else end except false fetch for foreign freeze from full generated glob
		grant group having ilike in initially inner intersect into is isnull join lambda lateral leading left like
		limit map natural not notnull null offset on only or order outer overlaps pivot pivot_longer pivot_wider placing
		positional primary qualify references returning right select semi show similar some struct summarize symmetric table
		tablesample then to trailing true try_cast union unique unpivot using variadic verbose when where window with`) {
		m[w] = true
	}
	return m
}()
