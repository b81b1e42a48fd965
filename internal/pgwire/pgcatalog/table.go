package pgcatalog

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// row is one row of a table of the catalog, by column. Values are int, string, bool, int64 (also microseconds of a time), []int64, []string;
// a column that it lacks is NULL, or the zero value where the column is NOT NULL.
type row map[string]any

// record makes a record of rows.
func record(columns []builtinColumn, rows []row) arrow.RecordBatch {
	fields, arrays := make([]arrow.Field, len(columns)), make([]arrow.Array, len(columns))
	for i, c := range columns {
		b := array.NewBuilder(memory.DefaultAllocator, c.typ.base.Arrow())
		b.Reserve(len(rows))
		for _, r := range rows {
			v, ok := r[c.name]
			switch {
			case ok && v != nil:
				appendValue(b, c.typ.base, v)
			case c.notNull:
				appendZero(b)
			default:
				b.AppendNull()
			}
		}
		fields[i], arrays[i] = arrow.Field{Name: c.name, Type: c.typ.base.Arrow(), Nullable: true}, b.NewArray()
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, int64(len(rows)))
}

func appendZero(b array.Builder) {
	if l, ok := b.(*array.ListBuilder); ok {
		l.Append(true)
		return
	}
	b.AppendEmptyValue()
}

func appendValue(b array.Builder, t types.Type, v any) {
	switch b := b.(type) {
	case *array.ListBuilder:
		b.Append(true)
		switch v := v.(type) {
		case []int64:
			for _, e := range v {
				appendValue(b.ValueBuilder(), *t.Elem, e)
			}
		case []string:
			for _, e := range v {
				appendValue(b.ValueBuilder(), *t.Elem, e)
			}
		default:
			panic(fmt.Sprintf("BUG: a list of the catalog from %T", v))
		}
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Int64Builder:
		b.Append(integer(v))
	case *array.Int32Builder:
		b.Append(int32(integer(v)))
	case *array.Int16Builder:
		b.Append(int16(integer(v)))
	case *array.Float32Builder:
		b.Append(float32(integer(v)))
	case *array.Float64Builder:
		b.Append(float64(integer(v)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(integer(v)))
	default:
		panic(fmt.Sprintf("BUG: a column of the catalog of type %s", t))
	}
}

func integer(v any) int64 {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint32:
		return int64(v)
	case int64:
		return v
	}
	panic(fmt.Sprintf("BUG: a number of the catalog from %T", v))
}
