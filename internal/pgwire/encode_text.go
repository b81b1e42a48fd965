package pgwire

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

var textWriters = map[types.Kind]func(*cell, []byte, int) []byte{
	types.Boolean: func(c *cell, b []byte, row int) []byte {
		if c.arr.(*array.Boolean).Value(row) {
			return append(b, 't')
		}
		return append(b, 'f')
	},
	types.TinyInt: textInt, types.SmallInt: textInt, types.Integer: textInt, types.BigInt: textInt, types.UTinyInt: textInt,
	types.USmallInt: textInt, types.UInteger: textInt, types.HugeInt: textNumeric, types.UBigInt: textNumeric, types.Decimal: textNumeric,
	types.Float: func(c *cell, b []byte, row int) []byte {
		return appendFloat(b, float64(c.arr.(*array.Float32).Value(row)), 32)
	},
	types.Double: func(c *cell, b []byte, row int) []byte {
		return appendFloat(b, c.arr.(*array.Float64).Value(row), 64)
	},
	types.Varchar: stringBytes, types.JSON: stringBytes,
	types.Blob: func(c *cell, b []byte, row int) []byte {
		return hex.AppendEncode(append(b, '\\', 'x'), blob(c.arr, row))
	},
	types.UUID: func(c *cell, b []byte, row int) []byte { return appendUUID(b, blob(c.arr, row)) },
	types.Date: func(c *cell, b []byte, row int) []byte { return appendDate(b, integer(c.arr, row)) },
	types.Time: func(c *cell, b []byte, row int) []byte { return appendClock(b, integer(c.arr, row)) },
	types.Timestamp: func(c *cell, b []byte, row int) []byte {
		return appendTimestamp(b, integer(c.arr, row), false)
	},
	types.TimestampTZ: func(c *cell, b []byte, row int) []byte {
		return appendTimestamp(b, integer(c.arr, row), true)
	},
	types.Interval: func(c *cell, b []byte, row int) []byte {
		v := c.arr.(*array.MonthDayNanoInterval).Value(row)
		return appendInterval(b, v.Months, v.Days, v.Nanoseconds/1000)
	},
}

func textInt(c *cell, b []byte, row int) []byte {
	return strconv.AppendInt(b, integer(c.arr, row), 10)
}

// appendFloat writes the shortest number that reads back the same, with an exponent where PostgreSQL has one: below 1e-4, and from 15 digits
// before the point on (6 of a real).
func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	most := 1e15
	if bits == 32 {
		most = 1e6
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= most) {
		return strconv.AppendFloat(b, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'f', -1, bits)
}

func appendUUID(b, v []byte) []byte {
	if len(v) != 16 {
		return b
	}
	for i, from := range [...]int{0, 4, 6, 8, 10} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, v[from:[...]int{4, 6, 8, 10, 16}[i]])
	}
	return b
}

func appendInfinity(b []byte, v, limit int64) ([]byte, bool) {
	switch v {
	case limit:
		return append(b, "infinity"...), true
	case -limit:
		return append(b, "-infinity"...), true
	}
	return b, false
}

func appendDate(b []byte, days int64) []byte {
	if b, ok := appendInfinity(b, days, infiniteDate); ok {
		return b
	}
	b, year := appendDay(b, days)
	if year <= 0 {
		b = append(b, " BC"...)
	}
	return b
}

// appendDay writes yyyy-mm-dd and returns the year as astronomers count it: 0 is 1 BC.
func appendDay(b []byte, days int64) ([]byte, int) {
	y, m, d := time.Unix(days*86400, 0).UTC().Date()
	shown := y
	if y <= 0 {
		shown = 1 - y
	}
	for limit := 1000; limit > shown && limit > 1; limit /= 10 {
		b = append(b, '0')
	}
	b = strconv.AppendInt(b, int64(shown), 10)
	b = append(b, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10))
	return b, y
}

func two(b []byte, v int64) []byte {
	if v > 99 {
		return strconv.AppendInt(b, v, 10)
	}
	return append(b, byte('0'+v/10), byte('0'+v%10))
}

// appendClock writes hh:mm:ss and the microseconds without zeros at their end.
func appendClock(b []byte, us int64) []byte {
	s, f := us/1_000_000, us%1_000_000
	b = two(b, s/3600)
	b = two(append(b, ':'), s/60%60)
	b = two(append(b, ':'), s%60)
	if f == 0 {
		return b
	}
	b = append(b, '.')
	for d := int64(100_000); f > 0; d /= 10 {
		b = append(b, byte('0'+f/d))
		f %= d
	}
	return b
}

func appendTimestamp(b []byte, us int64, zone bool) []byte {
	if b, ok := appendInfinity(b, us, infiniteTime); ok {
		return b
	}
	days := floorDiv(us, microsPerDay)
	b, year := appendDay(b, days)
	b = appendClock(append(b, ' '), us-days*microsPerDay)
	if zone {
		b = append(b, "+00"...)
	}
	if year <= 0 {
		b = append(b, " BC"...)
	}
	return b
}

// appendInterval writes an interval in the style postgres: 1 year 2 mons -3 days +04:05:06.7.
func appendInterval(b []byte, months, days int32, us int64) []byte {
	start, negative := len(b), false
	unit := func(n int32, name string) {
		if n == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		if negative && n > 0 {
			b = append(b, '+')
		}
		b = append(append(strconv.AppendInt(b, int64(n), 10), ' '), name...)
		if n != 1 {
			b = append(b, 's')
		}
		negative = n < 0
	}
	unit(months/12, "year")
	unit(months%12, "mon")
	unit(days, "day")
	if us == 0 && len(b) > start {
		return b
	}
	if len(b) > start {
		b = append(b, ' ')
	}
	switch {
	case us < 0:
		b, us = append(b, '-'), -us
	case negative:
		b = append(b, '+')
	}
	return appendClock(b, us)
}
