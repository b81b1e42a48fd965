package duck

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	ddb "github.com/duckdb/duckdb-go-bindings"

	"leat/internal/types"
)

var kinds = map[ddb.Type]types.Kind{
	ddb.TypeBoolean: types.Boolean, ddb.TypeTinyInt: types.TinyInt, ddb.TypeSmallInt: types.SmallInt, ddb.TypeInteger: types.Integer,
	ddb.TypeBigInt: types.BigInt, ddb.TypeHugeInt: types.HugeInt, ddb.TypeUTinyInt: types.UTinyInt, ddb.TypeUSmallInt: types.USmallInt,
	ddb.TypeUInteger: types.UInteger, ddb.TypeUBigInt: types.UBigInt, ddb.TypeFloat: types.Float, ddb.TypeDouble: types.Double,
	ddb.TypeBlob: types.Blob, ddb.TypeDate: types.Date, ddb.TypeTime: types.Time,
	ddb.TypeTimestamp: types.Timestamp, ddb.TypeTimestampTZ: types.TimestampTZ, ddb.TypeInterval: types.Interval, ddb.TypeUUID: types.UUID,
}

// typeOf translates a DuckDB type; false if no stream can hold it.
func typeOf(lt ddb.LogicalType) (types.Type, bool) {
	id := ddb.GetTypeId(lt)
	if k, ok := kinds[id]; ok {
		return types.Of(k), true
	}
	switch id {
	case ddb.TypeVarchar:
		if ddb.LogicalTypeGetAlias(lt) == "JSON" {
			return types.Of(types.JSON), true
		}
		return types.Of(types.Varchar), true
	case ddb.TypeDecimal:
		return types.DecimalOf(ddb.DecimalWidth(lt), ddb.DecimalScale(lt)), true
	case ddb.TypeList:
		e, ok := member(ddb.ListTypeChildType(lt))
		return types.ListOf(e), ok
	case ddb.TypeMap:
		k, ok := member(ddb.MapTypeKeyType(lt))
		v, ok2 := member(ddb.MapTypeValueType(lt))
		return types.MapOf(k, v), ok && ok2
	case ddb.TypeStruct:
		out, all := types.Type{Kind: types.Struct}, true
		for i := range ddb.StructTypeChildCount(lt) {
			t, ok := member(ddb.StructTypeChildType(lt, i))
			name := ddb.StructTypeChildName(lt, i)
			out.Fields = append(out.Fields, types.Field{Name: name, Key: name, Type: t})
			all = all && ok && name != ""
		}
		return out, all
	}
	return types.Type{}, false
}

func member(lt ddb.LogicalType) (types.Type, bool) {
	defer ddb.DestroyLogicalType(&lt)
	return typeOf(lt)
}

// conform gives a record the Arrow types of types.Type.Arrow: DuckDB sends UUIDs as text.
func conform(rec arrow.RecordBatch, columns []types.Column) arrow.RecordBatch {
	fields := make([]arrow.Field, len(columns))
	arrays := make([]arrow.Array, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
		arrays[i] = rec.Column(i)
		if hasUUID(c.Type) || c.Type.Kind.IsNested() {
			arrays[i] = array.MakeFromData(conformData(rec.Column(i).Data(), c.Type, fields[i].Type))
		} else if !arrow.TypeEqual(arrays[i].DataType(), fields[i].Type) {
			d := rec.Column(i).Data()
			arrays[i] = array.MakeFromData(array.NewData(fields[i].Type, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset()))
		}
	}
	out := array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, rec.NumRows())
	return &owned{out, rec}
}

// owned is a record whose buffers belong to another.
type owned struct {
	arrow.RecordBatch
	owner arrow.RecordBatch
}

// Retain keeps the owner's memory too.
func (o *owned) Retain() {
	o.RecordBatch.Retain()
	o.owner.Retain()
}

// Release frees the owner's memory too.
func (o *owned) Release() {
	o.RecordBatch.Release()
	o.owner.Release()
}

func hasUUID(t types.Type) bool { return t.Kind == types.UUID }

func conformData(d arrow.ArrayData, t types.Type, want arrow.DataType) arrow.ArrayData {
	if t.Kind == types.UUID {
		return uuidData(d, want)
	}
	var children []arrow.ArrayData
	switch t.Kind {
	case types.List:
		children = []arrow.ArrayData{conformData(d.Children()[0], *t.Elem, childType(want, 0))}
	case types.Map:
		entries := childType(want, 0)
		pair := types.StructOf(types.Field{Name: "key", Type: *t.Key}, types.Field{Name: "value", Type: *t.Elem})
		children = []arrow.ArrayData{conformData(d.Children()[0], pair, entries)}
	case types.Struct:
		for i, f := range t.Fields {
			children = append(children, conformData(d.Children()[i], f.Type, childType(want, i)))
		}
	}
	return array.NewData(want, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
}

// uuidData parses the text that DuckDB prints, 8-4-4-4-12 hexadecimal digits, into 16 bytes each.
func uuidData(d arrow.ArrayData, want arrow.DataType) arrow.ArrayData {
	text := array.NewStringData(d)
	defer text.Release()
	bits := make([]byte, 16*text.Len())
	valid := make([]byte, (text.Len()+7)/8)
	for i := range text.Len() {
		if text.IsNull(i) {
			continue
		}
		valid[i/8] |= 1 << (i % 8)
		n := 0
		for _, c := range []byte(text.Value(i)) {
			if c == '-' {
				continue
			}
			v := c - '0'
			if c >= 'a' {
				v = c - 'a' + 10
			}
			bits[16*i+n/2] |= v << (4 * (1 - n%2))
			n++
		}
	}
	buffers := []*memory.Buffer{memory.NewBufferBytes(valid), memory.NewBufferBytes(bits)}
	return array.NewData(want, text.Len(), buffers, nil, text.NullN(), 0)
}
