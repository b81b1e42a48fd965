package pgwire

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/codec/encode"
	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// The formats of values.
const (
	textFormat   = 0
	binaryFormat = 1
)

// cell writes the values of one column of a record. Cells are kept and set again for each record, so that a row costs no allocation.
type cell struct {
	typ types.Type
	// write appends the value of a row that is not NULL.
	write func(c *cell, b []byte, row int) []byte
	arr   arrow.Array
	nulls bool
	// elem writes the elements of an array, format is theirs.
	elem   *cell
	format int16
	json   func(b []byte, row int) []byte
}

// of makes the cell one for a type and format.
func (c *cell) of(t types.Type, format int16) {
	*c = cell{typ: t, format: format}
	oid := pgtype.Of(t)
	switch {
	case oid == pgtype.JSON && t.Kind != types.JSON:
		c.write = nestedJSON
	case t.Kind == types.List:
		c.write = textArray
		if format == binaryFormat {
			c.write = binaryArray
		}
		c.elem = &cell{}
		c.elem.of(*t.Elem, format)
	case format == binaryFormat:
		c.write = binaryWriters[t.Kind]
	default:
		c.write = textWriters[t.Kind]
	}
	if c.write == nil {
		c.write = shown
	}
}

// set points the cell at a column.
func (c *cell) set(a arrow.Array) {
	c.arr, c.nulls = a, a.NullN() > 0 || a.DataType().ID() == arrow.NULL
	if list, ok := a.(array.ListLike); ok && c.elem != nil {
		c.elem.set(list.ListValues())
	}
	if _, ok := a.(*array.Dictionary); ok {
		c.write = shown
	}
	if c.typ.Kind == types.Struct || c.typ.Kind == types.Map || c.typ.Kind == types.List && c.elem == nil {
		c.json = encode.Value(a, c.typ)
	}
}

// value appends the length and the value of a row.
func (c *cell) value(b []byte, row int) []byte {
	if c.nulls && c.arr.IsNull(row) {
		return append(b, 0xff, 0xff, 0xff, 0xff)
	}
	at := len(b)
	b = c.write(c, append(b, 0, 0, 0, 0), row)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// integer reads a whole number of up to 64 bits.
func integer(a arrow.Array, row int) int64 {
	switch a := a.(type) {
	case *array.Int64:
		return a.Value(row)
	case *array.Int32:
		return int64(a.Value(row))
	case *array.Int16:
		return int64(a.Value(row))
	case *array.Int8:
		return int64(a.Value(row))
	case *array.Uint8:
		return int64(a.Value(row))
	case *array.Uint16:
		return int64(a.Value(row))
	case *array.Uint32:
		return int64(a.Value(row))
	case *array.Date32:
		return int64(a.Value(row))
	case *array.Time64:
		return micros(int64(a.Value(row)), a.DataType().(*arrow.Time64Type).Unit)
	case *array.Timestamp:
		return micros(int64(a.Value(row)), a.DataType().(*arrow.TimestampType).Unit)
	}
	return 0
}

func micros(v int64, unit arrow.TimeUnit) int64 {
	switch unit {
	case arrow.Second:
		return v * 1_000_000
	case arrow.Millisecond:
		return v * 1000
	case arrow.Nanosecond:
		return floorDiv(v, 1000)
	}
	return v
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func shown(c *cell, b []byte, row int) []byte { return append(b, c.arr.ValueStr(row)...) }

func nestedJSON(c *cell, b []byte, row int) []byte { return c.json(b, row) }

func stringBytes(c *cell, b []byte, row int) []byte {
	if a, ok := c.arr.(array.StringLike); ok {
		return append(b, a.Value(row)...)
	}
	return shown(c, b, row)
}

func blob(a arrow.Array, row int) []byte {
	switch a := a.(type) {
	case *array.Binary:
		return a.Value(row)
	case *array.FixedSizeBinary:
		return a.Value(row)
	case *array.LargeBinary:
		return a.Value(row)
	}
	return nil
}

var binaryWriters = map[types.Kind]func(*cell, []byte, int) []byte{
	types.Boolean: func(c *cell, b []byte, row int) []byte {
		if c.arr.(*array.Boolean).Value(row) {
			return append(b, 1)
		}
		return append(b, 0)
	},
	types.TinyInt: binary2, types.SmallInt: binary2, types.UTinyInt: binary2, types.Integer: binary4, types.USmallInt: binary4,
	types.BigInt: binary8, types.UInteger: binary8, types.HugeInt: binaryNumeric, types.UBigInt: binaryNumeric, types.Decimal: binaryNumeric,
	types.Float: func(c *cell, b []byte, row int) []byte {
		return binary.BigEndian.AppendUint32(b, math.Float32bits(c.arr.(*array.Float32).Value(row)))
	},
	types.Double: func(c *cell, b []byte, row int) []byte {
		return binary.BigEndian.AppendUint64(b, math.Float64bits(c.arr.(*array.Float64).Value(row)))
	},
	types.Varchar: stringBytes, types.JSON: stringBytes,
	types.Blob: func(c *cell, b []byte, row int) []byte { return append(b, blob(c.arr, row)...) },
	types.UUID: func(c *cell, b []byte, row int) []byte { return append(b, blob(c.arr, row)...) },
	types.Date: func(c *cell, b []byte, row int) []byte {
		days := integer(c.arr, row)
		switch days {
		case infiniteDate:
		case -infiniteDate:
			days = math.MinInt32
		default:
			days -= epochDays
		}
		return binary.BigEndian.AppendUint32(b, uint32(days))
	},
	types.Time: binary8, types.Timestamp: binaryTimestamp, types.TimestampTZ: binaryTimestamp,
	types.Interval: func(c *cell, b []byte, row int) []byte {
		v := c.arr.(*array.MonthDayNanoInterval).Value(row)
		b = binary.BigEndian.AppendUint64(b, uint64(v.Nanoseconds/1000))
		b = binary.BigEndian.AppendUint32(b, uint32(v.Days))
		return binary.BigEndian.AppendUint32(b, uint32(v.Months))
	},
}

// PostgreSQL counts days and microseconds from 2000-01-01.
const (
	epochDays    = 10957
	epochMicros  = epochDays * microsPerDay
	microsPerDay = 86_400_000_000
	infiniteDate = math.MaxInt32
	infiniteTime = math.MaxInt64
)

func binary2(c *cell, b []byte, row int) []byte {
	return binary.BigEndian.AppendUint16(b, uint16(integer(c.arr, row)))
}

func binary4(c *cell, b []byte, row int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(integer(c.arr, row)))
}

func binary8(c *cell, b []byte, row int) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(integer(c.arr, row)))
}

func binaryTimestamp(c *cell, b []byte, row int) []byte {
	us := integer(c.arr, row)
	switch {
	case us == infiniteTime:
	case us == -infiniteTime, us < math.MinInt64+epochMicros:
		us = math.MinInt64
	default:
		us -= epochMicros
	}
	return binary.BigEndian.AppendUint64(b, uint64(us))
}

// binaryArray writes an array of one dimension.
func binaryArray(c *cell, b []byte, row int) []byte {
	from, to := c.arr.(array.ListLike).ValueOffsets(row)
	dimensions, nulls := uint32(1), uint32(0)
	if from == to {
		dimensions = 0
	}
	if c.elem.nulls {
		nulls = 1
	}
	b = binary.BigEndian.AppendUint32(b, dimensions)
	b = binary.BigEndian.AppendUint32(b, nulls)
	b = binary.BigEndian.AppendUint32(b, pgtype.Of(*c.typ.Elem))
	if from == to {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(to-from))
	b = binary.BigEndian.AppendUint32(b, 1) // the index of the first element
	for i := from; i < to; i++ {
		b = c.elem.value(b, int(i))
	}
	return b
}

// textArray writes {1,NULL,"a b"}.
func textArray(c *cell, b []byte, row int) []byte {
	from, to := c.arr.(array.ListLike).ValueOffsets(row)
	b = append(b, '{')
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		if c.elem.nulls && c.elem.arr.IsNull(int(i)) {
			b = append(b, "NULL"...)
			continue
		}
		at := len(b)
		b = quoteElement(c.elem.write(c.elem, b, int(i)), at)
	}
	return append(b, '}')
}

// quoteElement puts b[at:] in quotes where an array needs them.
func quoteElement(b []byte, at int) []byte {
	needs, escapes := len(b) == at || equalFold(b[at:], "null"), 0
	for _, c := range b[at:] {
		switch c {
		case '"', '\\':
			escapes++
			needs = true
		case '{', '}', ',', ' ', '\t', '\n', '\r', '\v', '\f':
			needs = true
		}
	}
	if !needs {
		return b
	}
	plain := append([]byte(nil), b[at:]...)
	b = append(b[:at], '"')
	for _, c := range plain {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}
