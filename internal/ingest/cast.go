package ingest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/codec/value"
	"leat/internal/types"
)

// cast converts a column of a query's result to a stream's type, exactly: a value that the type cannot hold without loss is
// a types.DataError that names its row, counted from base+1. What has the right Arrow type already is not copied.
// Scalars go through their text, so that INSERT and JSON accept the same values.
func cast(a arrow.Array, t types.Type, base int) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), t.Arrow()) && t.Kind != types.JSON && t.Kind != types.HugeInt {
		return a, nil
	}
	switch a := a.(type) {
	case array.ExtensionArray:
		return cast(a.Storage(), t, base)
	case array.ListLike:
		if t.Kind == types.List || t.Kind == types.Map {
			return castList(a, t, base)
		}
	case *array.Struct:
		if t.Kind == types.Struct {
			return castStruct(a, t, base)
		}
	}
	if t.Kind.IsNested() && a.NullN() < a.Len() {
		return nil, types.Errorf(types.TypeMismatch, "%s cannot be stored as %s", a.DataType(), t)
	}
	out := array.NewBuilder(allocator, t.Arrow())
	out.Reserve(a.Len())
	for i := range a.Len() {
		if a.IsNull(i) {
			out.AppendNull()
			continue
		}
		text, ok := textOf(a, i)
		if !ok {
			return nil, types.Errorf(types.TypeMismatch, "%s cannot be stored as %s", a.DataType(), t).WithHint("cast it in the SELECT")
		}
		if !appendText(out, t, text) {
			return nil, types.Errorf(types.DataError, "row %d: %.60q cannot be stored as %s without loss", base+i+1, text, t)
		}
	}
	return out.NewArray(), nil
}

// textOf prints a value as package value reads it.
func textOf(a arrow.Array, i int) (string, bool) {
	switch a := a.(type) {
	case array.StringLike:
		return a.Value(i), true
	case *array.Dictionary:
		return textOf(a.Dictionary(), a.GetValueIndex(i))
	case *array.Float64:
		return strconv.FormatFloat(a.Value(i), 'g', -1, 64), true
	case *array.Float32:
		return strconv.FormatFloat(float64(a.Value(i)), 'g', -1, 64), true
	case *array.Decimal128:
		return a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale), true
	case *array.Timestamp:
		return timestampText(a, i)
	case *array.Date32:
		return a.Value(i).ToTime().Format(time.DateOnly), true
	case *array.Time64:
		return a.Value(i).ToTime(a.DataType().(*arrow.Time64Type).Unit).Format("15:04:05.999999999"), true
	case *array.FixedSizeBinary:
		u := a.Value(i)
		if len(u) != 16 {
			return "", false
		}
		h := hex.EncodeToString(u)
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
	case *array.Boolean, *array.Int8, *array.Int16, *array.Int32, *array.Int64, *array.Uint8, *array.Uint16, *array.Uint32, *array.Uint64:
		return a.ValueStr(i), true
	}
	return "", false
}

func timestampText(a *array.Timestamp, i int) (string, bool) {
	t := a.DataType().(*arrow.TimestampType)
	at := a.Value(i).ToTime(t.Unit).UTC()
	if at.Nanosecond()%1000 != 0 || at.Year() < 1 || at.Year() > 9999 {
		return "", false
	}
	if t.TimeZone != "" {
		return at.Format("2006-01-02T15:04:05.999999Z"), true
	}
	return at.Format("2006-01-02T15:04:05.999999"), true
}

// appendText appends the value that a text spells, or reports that the type cannot hold it.
func appendText(out array.Builder, t types.Type, text string) bool {
	s := []byte(text)
	switch b := out.(type) {
	case *array.StringBuilder:
		if t.Kind == types.JSON && !json.Valid(s) {
			return false
		}
		b.Append(text)
		return true
	case *array.BooleanBuilder:
		v, ok := value.Bool(s)
		b.Append(v)
		return ok
	case *array.Float32Builder:
		v, st := value.Float(s, 32)
		b.Append(float32(v))
		return st == value.Exact
	case *array.Float64Builder:
		v, st := value.Float(s, 64)
		b.Append(v)
		return st == value.Exact
	case *array.Date32Builder:
		v, ok := value.Date(s)
		b.Append(arrow.Date32(v))
		return ok
	case *array.Time64Builder:
		v, ok := value.Time(s)
		b.Append(arrow.Time64(v))
		return ok
	case *array.TimestampBuilder:
		v, _, ok := value.Timestamp(s)
		b.Append(arrow.Timestamp(v))
		return ok
	case *array.MonthDayNanoIntervalBuilder:
		v, ok := value.Interval(s)
		b.Append(v)
		return ok
	case *array.FixedSizeBinaryBuilder:
		v, ok := value.UUID(s)
		b.Append(v[:])
		return ok
	case *array.Decimal128Builder:
		v, st := value.HugeInt(s)
		if t.Kind == types.Decimal {
			v, st = value.Decimal(s, int(t.Precision), int(t.Scale))
		}
		b.Append(v)
		return st == value.Exact
	}
	return appendInteger(out, s)
}

func appendInteger(out array.Builder, s []byte) bool {
	if b, ok := out.(*array.Uint64Builder); ok {
		v, st := value.Uint(s)
		b.Append(v)
		return st == value.Exact
	}
	v, st := value.Int(s)
	within := func(lo, hi int64) bool { return st == value.Exact && v >= lo && v <= hi }
	switch b := out.(type) {
	case *array.Int64Builder:
		b.Append(v)
		return st == value.Exact
	case *array.Int32Builder:
		b.Append(int32(v))
		return within(math.MinInt32, math.MaxInt32)
	case *array.Int16Builder:
		b.Append(int16(v))
		return within(math.MinInt16, math.MaxInt16)
	case *array.Int8Builder:
		b.Append(int8(v))
		return within(math.MinInt8, math.MaxInt8)
	case *array.Uint32Builder:
		b.Append(uint32(v))
		return within(0, math.MaxUint32)
	case *array.Uint16Builder:
		b.Append(uint16(v))
		return within(0, math.MaxUint16)
	case *array.Uint8Builder:
		b.Append(uint8(v))
		return within(0, math.MaxUint8)
	}
	return false // BLOB, which has no text form
}

// castList converts the elements of lists and the entries of maps; a value of an element is named by its list's row.
func castList(a array.ListLike, t types.Type, base int) (arrow.Array, error) {
	offsets := make([]int32, 1, a.Len()+1)
	var pieces []arrow.Array
	for i := range a.Len() {
		from, to := a.ValueOffsets(i)
		if a.IsNull(i) {
			to = from
		}
		if from < to {
			pieces = append(pieces, array.NewSlice(a.ListValues(), from, to))
		}
		offsets = append(offsets, offsets[i]+int32(to-from))
	}
	want := t.Elem
	if t.Kind == types.Map {
		entry := types.StructOf(types.Field{Name: "key", Type: *t.Key}, types.Field{Name: "value", Type: *t.Elem})
		want = &entry
	}
	var values arrow.Array = array.NewBuilder(allocator, want.Arrow()).NewArray()
	if len(pieces) > 0 {
		all, err := array.Concatenate(pieces, allocator)
		if err != nil {
			return nil, types.Errorf(types.Internal, "joining lists: %w", err)
		}
		if values, err = cast(all, *want, base); err != nil {
			return nil, types.Errorf(types.AsError(err).Code, "element %w", err)
		}
	}
	buffers := []*memory.Buffer{validity(a), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}
	child := values.Data()
	if t.Kind == types.Map { // the entries carry the field names of the map's type
		child = array.NewData(t.Arrow().(*arrow.MapType).Elem(), child.Len(), child.Buffers(), child.Children(), child.NullN(), child.Offset())
	}
	return array.MakeFromData(array.NewData(t.Arrow(), a.Len(), buffers, []arrow.ArrayData{child}, a.NullN(), 0)), nil
}

// castStruct converts fields by name, or by place where both have the same number and the names differ; a missing one is NULL.
func castStruct(a *array.Struct, t types.Type, base int) (arrow.Array, error) {
	from := a.DataType().(*arrow.StructType)
	children := make([]arrow.ArrayData, len(t.Fields))
	used := 0
	for f, want := range t.Fields {
		i, ok := from.FieldIdx(want.Name)
		if from.Field(min(f, from.NumFields()-1)).Name == "" || t.Fields[0].Name == "key" && from.NumFields() == 2 {
			i, ok = f, f < from.NumFields()
		}
		if !ok {
			children[f] = array.MakeArrayOfNull(allocator, want.Type.Arrow(), a.Len()).Data()
			continue
		}
		used++
		c, err := cast(a.Field(i), want.Type, base)
		if err != nil {
			e := types.AsError(err)
			return nil, types.Errorf(e.Code, "field %q: %w", want.Name, err)
		}
		children[f] = c.Data()
	}
	if used < from.NumFields() {
		return nil, types.Errorf(types.TypeMismatch, "%s has fields that %s does not", from, t)
	}
	return array.MakeFromData(array.NewData(t.Arrow(), a.Len(), []*memory.Buffer{validity(a)}, children, a.NullN(), 0)), nil
}

// validity copies the validity bits of an array, from offset 0.
func validity(a arrow.Array) *memory.Buffer {
	if a.NullN() == 0 {
		return nil
	}
	bits := make([]byte, bitutil.BytesForBits(int64(a.Len())))
	for i := range a.Len() {
		if a.IsValid(i) {
			bitutil.SetBit(bits, i)
		}
	}
	return memory.NewBufferBytes(bits)
}

// beyond reports whether a BIGINT column has an integer that DOUBLE cannot hold exactly.
func beyond(a arrow.Array) bool {
	ints, ok := a.(*array.Int64)
	if !ok {
		return false
	}
	for i := range ints.Len() {
		if v := ints.Value(i); ints.IsValid(i) && (v > 1<<53 || v < -(1<<53)) {
			return true
		}
	}
	return false
}

// inColumn says which column a value was for.
func inColumn(name string, err error) error {
	e := *types.AsError(err)
	e.Message = fmt.Sprintf("column %s: %s", types.QuoteIdent(name), e.Message)
	return &e
}
