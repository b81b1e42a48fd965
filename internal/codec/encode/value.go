package encode

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// appender appends the text of one non-NULL value. Writers for columns are made once per record, so no value costs a type switch.
type appender func(b []byte, row int) []byte

// scalar makes the bare text of a scalar column: what CSV writes, and JSON after quoting if quoted. ok is false for nested columns.
func scalar(a arrow.Array, t types.Type) (text appender, quoted, ok bool) {
	if f, ok := number(a); ok {
		return f, false, true
	}
	switch a := a.(type) {
	case *array.Boolean:
		return func(b []byte, i int) []byte { return strconv.AppendBool(b, a.Value(i)) }, false, true
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return func(b []byte, i int) []byte { return appendDecimal(b, a.Value(i), scale) }, true, true
	case *array.Date32:
		return func(b []byte, i int) []byte { return appendDate(b, int64(a.Value(i))) }, true, true
	case *array.Time64:
		perMicro := a.DataType().(*arrow.Time64Type).Unit
		return func(b []byte, i int) []byte { return appendClock(b, micros(int64(a.Value(i)), perMicro)) }, true, true
	case *array.Timestamp:
		dt := a.DataType().(*arrow.TimestampType)
		if dt.Unit == arrow.Microsecond {
			return timestamps(a.TimestampValues(), dt.TimeZone != ""), true, true
		}
		return func(b []byte, i int) []byte {
			return appendTimestamp(b, micros(int64(a.Value(i)), dt.Unit), dt.TimeZone != "")
		}, true, true
	case *array.MonthDayNanoInterval:
		return func(b []byte, i int) []byte { return appendInterval(b, a.Value(i)) }, true, true
	case *array.FixedSizeBinary:
		if a.DataType().(*arrow.FixedSizeBinaryType).ByteWidth == 16 && t.Kind == types.UUID {
			return func(b []byte, i int) []byte { return appendUUID(b, a.Value(i)) }, true, true
		}
		return func(b []byte, i int) []byte { return base64.StdEncoding.AppendEncode(b, a.Value(i)) }, true, true
	case *array.Binary:
		return func(b []byte, i int) []byte { return base64.StdEncoding.AppendEncode(b, a.Value(i)) }, true, true
	case *array.Null:
		return func(b []byte, _ int) []byte { return b }, false, true
	}
	return nil, false, false
}

// number makes the text of numbers.
func number(a arrow.Array) (appender, bool) {
	switch a := a.(type) {
	case *array.Int8:
		return signed(a.Int8Values()), true
	case *array.Int16:
		return signed(a.Int16Values()), true
	case *array.Int32:
		return signed(a.Int32Values()), true
	case *array.Int64:
		return signed(a.Int64Values()), true
	case *array.Uint8:
		return unsigned(a.Uint8Values()), true
	case *array.Uint16:
		return unsigned(a.Uint16Values()), true
	case *array.Uint32:
		return unsigned(a.Uint32Values()), true
	case *array.Uint64:
		return unsigned(a.Uint64Values()), true
	case *array.Float32:
		v := a.Float32Values()
		return func(b []byte, i int) []byte { return appendFloat(b, float64(v[i]), 32) }, true
	case *array.Float64:
		v := a.Float64Values()
		return func(b []byte, i int) []byte { return appendFloat(b, v[i], 64) }, true
	}
	return nil, false
}

func signed[T int8 | int16 | int32 | int64](v []T) appender {
	return func(b []byte, i int) []byte { return appendInt(b, int64(v[i])) }
}

func unsigned[T uint8 | uint16 | uint32 | uint64](v []T) appender {
	return func(b []byte, i int) []byte { return appendUint(b, uint64(v[i])) }
}

// appendFloat writes the shortest number that reads back the same; a whole number has no point.
func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	case f != 0 && (math.Abs(f) < 1e-6 || math.Abs(f) >= 1e21):
		return strconv.AppendFloat(b, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits)
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

// Infinite dates and timestamps as DuckDB stores them.
const (
	infiniteDate = math.MaxInt32
	infiniteTime = math.MaxInt64
)

func appendInfinity(b []byte, v, limit int64) ([]byte, bool) {
	switch v {
	case limit:
		return append(b, "infinity"...), true
	case -limit:
		return append(b, "-infinity"...), true
	}
	return b, false
}

const microsPerDay = 86_400_000_000

func appendDate(b []byte, days int64) []byte {
	if b, ok := appendInfinity(b, days, infiniteDate); ok {
		return b
	}
	y, m, d := time.Unix(days*86400, 0).UTC().Date()
	b = appendYear(b, y)
	b = append(b, '-', byte('0'+m/10), byte('0'+m%10), '-')
	return append(b, byte('0'+d/10), byte('0'+d%10))
}

// appendYear pads to four digits; a year before 1 has a sign as in ISO 8601 (0000 is 1 BC).
func appendYear(b []byte, y int) []byte {
	if y < 0 {
		b, y = append(b, '-'), -y
	}
	for limit := 1000; limit > y && limit > 1; limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(y), 10)
}

// appendClock writes a time of day in microseconds as hh:mm:ss.ffffff.
func appendClock(b []byte, us int64) []byte {
	if 0 <= us && us < microsPerDay {
		return appendMicros(b, us)
	}
	s, f := us/1_000_000, us%1_000_000
	b = two(b, s/3600)
	b = two(append(b, ':'), s/60%60)
	b = two(append(b, ':'), s%60)
	b = append(b, '.')
	for d := int64(100_000); d > 0; d /= 10 {
		b = append(b, byte('0'+f/d%10))
	}
	return b
}

func two(b []byte, v int64) []byte {
	if v > 99 {
		return strconv.AppendInt(b, v, 10)
	}
	return append(b, byte('0'+v/10), byte('0'+v%10))
}

func appendTimestamp(b []byte, us int64, zone bool) []byte {
	if b, ok := appendInfinity(b, us, infiniteTime); ok {
		return b
	}
	days := floorDiv(us, microsPerDay)
	b = appendClock(append(appendDate(b, days), 'T'), us-days*microsPerDay)
	if zone {
		b = append(b, 'Z')
	}
	return b
}

// timestamps makes the text of µs; the date is made once for the rows of one day.
func timestamps(v []arrow.Timestamp, zone bool) appender {
	var date []byte
	day, next := int64(0), int64(0) // none
	return func(b []byte, i int) []byte {
		us := int64(v[i])
		if us < day || us >= next {
			if us < math.MinInt64/2 || us > math.MaxInt64/2 {
				return appendTimestamp(b, us, zone)
			}
			day = floorDiv(us, microsPerDay)
			date = append(appendDate(date[:0], day), 'T')
			day *= microsPerDay
			next = day + microsPerDay
		}
		b = appendMicros(append(b, date...), us-day)
		if zone {
			b = append(b, 'Z')
		}
		return b
	}
}

// appendInterval writes what DuckDB's cast to VARCHAR does, with microseconds always present when there are any.
func appendInterval(b []byte, v arrow.MonthDayNanoInterval) []byte {
	start := len(b)
	unit := func(n int32, name string) {
		if n == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(append(strconv.AppendInt(b, int64(n), 10), ' '), name...)
		if n != 1 && n != -1 {
			b = append(b, 's')
		}
	}
	unit(v.Months/12, "year")
	unit(v.Months%12, "month")
	unit(v.Days, "day")
	us := v.Nanoseconds / 1000
	if us == 0 && len(b) > start {
		return b
	}
	if len(b) > start {
		b = append(b, ' ')
	}
	if us < 0 {
		b, us = append(b, '-'), -us
	}
	b = appendClock(b, us)
	if us%1_000_000 == 0 {
		return b[:len(b)-len(".000000")]
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

func appendUUID(b, v []byte) []byte {
	for i, from := range [...]int{0, 4, 6, 8, 10} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, v[from:[...]int{4, 6, 8, 10, 16}[i]])
	}
	return b
}
