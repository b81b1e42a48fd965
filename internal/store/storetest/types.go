package storetest

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/store"
	"leat/internal/types"
)

// allTypes stores extremes of every type and NULL, bare and nested, and reads the same arrays back.
func allTypes(t *testing.T, env Env) {
	s := env.Open(t, t.TempDir())
	schema := &types.Schema{Version: 1}
	var columns []arrow.Array
	add := func(name string, typ types.Type, a arrow.Array) {
		schema.Add(name, typ, name)
		columns = append(columns, a)
	}
	for name, values := range extremes() {
		typ := mustType(name)
		a := values(typ)
		add("c_"+name, typ, a)
		add("l_"+name, types.ListOf(typ), lists(a))
		add("m_"+name, types.MapOf(types.Of(types.Varchar), typ), maps(a))
		add("s_"+name, types.StructOf(types.Field{Name: "Größe", Key: "g", Type: typ}, types.Field{Name: "l", Key: "l", Type: types.ListOf(typ)}), structs(a))
	}
	define(t, s, store.Relation{ID: 7, Name: "everything", Schema: schema})
	load(t, s, Load(7, 0, Entry(0, now, &types.Batch{Schema: schema, Columns: columns, Rows: rowsEach})))
	rows, err := s.Query(t.Context(), store.Query{SQL: `SELECT * EXCLUDE (_leat_offset, _leat_partition, _leat_received_at) FROM "everything$leat" ORDER BY _leat_offset`})
	must(t, err)
	defer rows.Close()
	rec, err := rows.Next(t.Context())
	must(t, err)
	for i, c := range schema.Columns {
		if got := rows.Columns()[i].Type; got.String() != c.Type.String() {
			t.Errorf("%s: type %s, want %s", c.Name, got, c.Type)
		}
		if !array.ApproxEqual(rec.Column(i), columns[i], array.WithNaNsEqual(true)) {
			t.Errorf("%s:\n got %v %s\nwant %v %s", c.Name, rec.Column(i), rec.Column(i).DataType(), columns[i], columns[i].DataType())
		}
	}
}

const rowsEach = 3

func mustType(s string) types.Type {
	t, err := types.ParseType(s)
	if err != nil {
		panic(err)
	}
	return t
}

// extremes are, by type, arrays of the least value, the greatest and NULL.
func extremes() map[string]func(types.Type) arrow.Array {
	text := func(values ...string) func(types.Type) arrow.Array {
		return func(t types.Type) arrow.Array {
			b := array.NewBuilder(memory.DefaultAllocator, t.Arrow())
			for _, v := range values {
				if err := b.AppendValueFromString(v); err != nil {
					panic(err)
				}
			}
			b.AppendNull()
			return b.NewArray()
		}
	}
	raw128 := func(values ...decimal128.Num) func(types.Type) arrow.Array {
		return func(t types.Type) arrow.Array {
			b := array.NewDecimal128Builder(memory.DefaultAllocator, t.Arrow().(*arrow.Decimal128Type))
			b.AppendValues(values, nil)
			b.AppendNull()
			return b.NewArray()
		}
	}
	const greatest = "99999999999999999999999999999999999999"
	return map[string]func(types.Type) arrow.Array{
		"BOOLEAN": text("false", "true"), "TINYINT": text("-128", "127"), "SMALLINT": text("-32768", "32767"),
		"INTEGER": text("-2147483648", "2147483647"), "BIGINT": text("-9223372036854775808", "9223372036854775807"),
		"UTINYINT": text("0", "255"), "USMALLINT": text("0", "65535"), "UINTEGER": text("0", "4294967295"), "UBIGINT": text("0", "18446744073709551615"),
		"HUGEINT": raw128(decimal128.New(-1<<63, 0), decimal128.New(1<<63-1, 1<<64-1)),
		"FLOAT":   text("-3.4028235e38", "NaN"), "DOUBLE": text("-1.7976931348623157e308", "+Inf"),
		"DECIMAL(4,2)": text("-99.99", "99.99"), "DECIMAL(9,0)": text("-999999999", "999999999"), "DECIMAL(18,3)": text("-999999999999999.999", "1.001"),
		"DECIMAL(38,0)": text("-"+greatest, greatest), "DECIMAL(38,38)": text("-0."+greatest, "0."+greatest),
		"VARCHAR": text("", "a\x00ä🎉 longer than twelve bytes"), "JSON": text(`{"b": [1, null], "a": "x"}`, "[]"),
		"BLOB": text("", "AP8="), "DATE": text("0001-01-01", "9999-12-31"), "TIME": text("00:00:00", "23:59:59.999999"),
		"TIMESTAMP": text("1700-01-01 00:00:00.000001", "2200-12-31 23:59:59.999999"), "TIMESTAMPTZ": text("1700-01-01 00:00:00.000001Z", "2200-12-31 23:59:59.999999Z"),
		"INTERVAL": func(t types.Type) arrow.Array {
			b := array.NewMonthDayNanoIntervalBuilder(memory.DefaultAllocator)
			b.Append(arrow.MonthDayNanoInterval{Months: -1, Days: 40, Nanoseconds: -1000})
			b.Append(arrow.MonthDayNanoInterval{Months: 1 << 30, Days: -1 << 30, Nanoseconds: 1 << 50 / 1000 * 1000})
			b.AppendNull()
			return b.NewArray()
		},
		"UUID": func(t types.Type) arrow.Array {
			b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, t.Arrow().(*arrow.FixedSizeBinaryType))
			b.Append([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
			b.Append([]byte("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0"))
			b.AppendNull()
			return b.NewArray()
		},
	}
}

// nested wraps a into arrays of offsets: the first row has all of it, the second is NULL, the third is empty.
func nested(a arrow.ArrayData, t arrow.DataType) arrow.Array {
	offsets := arrow.Int32Traits.CastToBytes([]int32{0, rowsEach, rowsEach, rowsEach})
	valid := []byte{0b101}
	return array.MakeFromData(array.NewData(t, rowsEach, []*memory.Buffer{memory.NewBufferBytes(valid), memory.NewBufferBytes(offsets)}, []arrow.ArrayData{a}, 1, 0))
}

func lists(a arrow.Array) arrow.Array { return nested(a.Data(), arrow.ListOf(a.DataType())) }

func maps(a arrow.Array) arrow.Array {
	keys := array.NewStringBuilder(memory.DefaultAllocator)
	keys.AppendValues([]string{"a", "b", "c"}, nil)
	t := arrow.MapOf(arrow.BinaryTypes.String, a.DataType())
	entries := array.NewData(t.Elem(), rowsEach, []*memory.Buffer{nil}, []arrow.ArrayData{keys.NewArray().Data(), a.Data()}, 0, 0)
	return nested(entries, t)
}

func structs(a arrow.Array) arrow.Array {
	t := arrow.StructOf(arrow.Field{Name: "Größe", Type: a.DataType(), Nullable: true}, arrow.Field{Name: "l", Type: arrow.ListOf(a.DataType()), Nullable: true})
	return array.MakeFromData(array.NewData(t, rowsEach, []*memory.Buffer{nil}, []arrow.ArrayData{a.Data(), lists(a).Data()}, 0, 0))
}
