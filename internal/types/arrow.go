package types

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Arrow returns the Arrow type that holds a column of this type:
// HUGEINT is decimal128(38,0) using all 128 bits, UUID fixed-size binary of 16 bytes in RFC 9562 order,
// DATE date32, TIME and timestamps microseconds (TIMESTAMPTZ with zone "UTC"), INTERVAL month-day-nano, JSON utf8.
func (t Type) Arrow() arrow.DataType {
	switch t.Kind {
	case Decimal:
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	case List:
		return arrow.ListOf(t.Elem.Arrow())
	case Map:
		return arrow.MapOf(t.Key.Arrow(), t.Elem.Arrow())
	case Struct:
		fields := make([]arrow.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: f.Type.Arrow(), Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	if a, ok := arrowTypes[t.Kind]; ok {
		return a
	}
	panic(fmt.Sprintf("BUG: no Arrow type for %s", t))
}

var arrowTypes = map[Kind]arrow.DataType{
	Boolean: arrow.FixedWidthTypes.Boolean, TinyInt: arrow.PrimitiveTypes.Int8, SmallInt: arrow.PrimitiveTypes.Int16,
	Integer: arrow.PrimitiveTypes.Int32, BigInt: arrow.PrimitiveTypes.Int64, UTinyInt: arrow.PrimitiveTypes.Uint8,
	USmallInt: arrow.PrimitiveTypes.Uint16, UInteger: arrow.PrimitiveTypes.Uint32, UBigInt: arrow.PrimitiveTypes.Uint64,
	HugeInt: &arrow.Decimal128Type{Precision: 38}, Float: arrow.PrimitiveTypes.Float32, Double: arrow.PrimitiveTypes.Float64,
	Varchar: arrow.BinaryTypes.String, JSON: arrow.BinaryTypes.String, Blob: arrow.BinaryTypes.Binary,
	Date: arrow.FixedWidthTypes.Date32, Time: arrow.FixedWidthTypes.Time64us,
	Timestamp: &arrow.TimestampType{Unit: arrow.Microsecond}, TimestampTZ: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	Interval: arrow.FixedWidthTypes.MonthDayNanoInterval, UUID: &arrow.FixedSizeBinaryType{ByteWidth: 16},
}

// The metadata keys by which an Arrow schema carries ours (docs/formats/batch.md).
const (
	metaColumn  = "leat.column"
	metaVersion = "leat.version"
	metaNext    = "leat.next_id"
)

// columnMeta is a column's own facts in an Arrow field's metadata.
type columnMeta struct {
	ID      int32    `json:"id"`
	Type    wireType `json:"type"`
	Path    []string `json:"path,omitempty"`
	NotNull bool     `json:"not_null,omitempty"`
	Wide    bool     `json:"wide,omitempty"`
}

// Arrow returns the Arrow schema; SchemaFromArrow reads it back without loss.
func (s *Schema) Arrow() *arrow.Schema {
	fields := make([]arrow.Field, len(s.Columns))
	for i, c := range s.Columns {
		meta, err := json.Marshal(columnMeta{c.ID, wireType{c.Type}, c.Path, c.NotNull, c.Wide})
		if err != nil {
			panic("BUG: column metadata: " + err.Error())
		}
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true, Metadata: arrow.NewMetadata([]string{metaColumn}, []string{string(meta)})}
	}
	meta := arrow.NewMetadata([]string{metaVersion, metaNext}, []string{strconv.Itoa(s.Version), strconv.Itoa(int(s.NextID))})
	return arrow.NewSchema(fields, &meta)
}

// SchemaFromArrow reads back what Schema.Arrow made. It refuses a schema without Leat's metadata
// or whose Arrow types are not the ones that the metadata names.
func SchemaFromArrow(a *arrow.Schema) (*Schema, error) {
	s := &Schema{Columns: make([]Column, a.NumFields())}
	md := a.Metadata()
	for key, to := range map[string]func(int){metaVersion: func(n int) { s.Version = n }, metaNext: func(n int) { s.NextID = int32(n) }} {
		v, ok := md.GetValue(key)
		n, err := strconv.ParseInt(v, 10, 32)
		if !ok || err != nil {
			return nil, Errorf(Corrupt, "schema metadata %s is %q", key, v)
		}
		to(int(n))
	}
	for i, f := range a.Fields() {
		v, _ := f.Metadata.GetValue(metaColumn)
		var m columnMeta
		if err := json.Unmarshal([]byte(v), &m); err != nil {
			return nil, Errorf(Corrupt, "metadata of column %q: %w", f.Name, err)
		}
		if !arrow.TypeEqual(f.Type, m.Type.Arrow()) {
			return nil, Errorf(Corrupt, "column %q is %s as data and %s in its metadata", f.Name, f.Type, m.Type)
		}
		s.Columns[i] = Column{ID: m.ID, Name: f.Name, Type: m.Type.Type, Path: m.Path, NotNull: m.NotNull, Wide: m.Wide}
	}
	return s, nil
}

// wireType is a Type as JSON: its SQL text, or an object where a struct's keys differ from its names.
type wireType struct{ Type }

// MarshalJSON writes a Type as its SQL text plus, for structs, the JSON keys that differ from names.
func (t wireType) MarshalJSON() ([]byte, error) { return t.Type.MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *wireType) UnmarshalJSON(b []byte) error { return t.Type.UnmarshalJSON(b) }

type typeJSON struct {
	SQL string `json:"sql"`
	// Keys are the JSON keys of all struct fields, in the order in which the SQL text names them.
	Keys []string `json:"keys,omitempty"`
}

// MarshalJSON prints the type as its SQL text, or as an object that adds the JSON keys of struct fields.
func (t Type) MarshalJSON() ([]byte, error) {
	var keys []string
	differs := false
	t.walkFields(func(f *Field) {
		keys = append(keys, f.Key)
		differs = differs || f.Key != f.Name
	})
	if !differs {
		return json.Marshal(t.String())
	}
	return json.Marshal(typeJSON{t.String(), keys})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Type) UnmarshalJSON(b []byte) error {
	var w typeJSON
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &w.SQL); err != nil {
			return err
		}
	} else if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	parsed, err := ParseType(w.SQL)
	if err != nil {
		return err
	}
	i := 0
	parsed.walkFields(func(f *Field) {
		if i < len(w.Keys) {
			f.Key = w.Keys[i]
		}
		i++
	})
	*t = parsed
	return nil
}

// walkFields visits every struct field in the order of the SQL text.
func (t Type) walkFields(visit func(*Field)) {
	for i := range t.Fields {
		visit(&t.Fields[i])
		t.Fields[i].Type.walkFields(visit)
	}
	if t.Key != nil {
		t.Key.walkFields(visit)
	}
	if t.Elem != nil {
		t.Elem.walkFields(visit)
	}
}

func sliceArray(a arrow.Array, from, to int) arrow.Array {
	return array.NewSlice(a, int64(from), int64(to))
}
