package expr

import (
	"bytes"
	"math"
	"strconv"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// castToText prints values; nil where DuckDB must do it.
func castToText(from types.Type) castMaker {
	print := printerOf(from)
	if print == nil {
		return nil
	}
	return func(c caster) apply {
		return func(x *exec, args []operand) operand {
			v := c.result(x, args[0])
			for i := range x.n {
				if isSet(v.Valid, i) {
					v.Data = print(v.Data, args[0].Vec, i)
				}
				v.Off[i+1] = int32(len(v.Data))
			}
			return operand{v, false}
		}
	}
}

// printerOf returns how a type's values are appended as text.
func printerOf(t types.Type) func(dst []byte, v *zset.Vec, i int) []byte {
	switch {
	case t.Kind == types.Boolean:
		return func(dst []byte, v *zset.Vec, i int) []byte { return strconv.AppendBool(dst, v.I64[i] != 0) }
	case smallInt(t):
		return func(dst []byte, v *zset.Vec, i int) []byte { return strconv.AppendInt(dst, v.I64[i], 10) }
	case t.Kind == types.Double:
		return func(dst []byte, v *zset.Vec, i int) []byte { return appendDouble(dst, v.F64[i]) }
	case zset.PhysOf(t) == zset.Wide:
		scale := int(t.Scale)
		return func(dst []byte, v *zset.Vec, i int) []byte { return appendScaled(dst, v.W[i], scale) }
	case t.Kind == types.Date:
		return func(dst []byte, v *zset.Vec, i int) []byte { return appendDate(dst, v.I64[i]) }
	case t.Kind == types.Time:
		return func(dst []byte, v *zset.Vec, i int) []byte { return appendClock(dst, v.I64[i]) }
	case t.Kind == types.Timestamp:
		return func(dst []byte, v *zset.Vec, i int) []byte { return appendTimestamp(dst, v.I64[i], "") }
	case t.Kind == types.TimestampTZ:
		return func(dst []byte, v *zset.Vec, i int) []byte { return appendTimestamp(dst, v.I64[i], "+00") }
	}
	return nil
}

// appendDouble prints the shortest digits that read back the same, as the fmt library prints them for DuckDB: with an exponent below 1e-4
// and from 1e16 on, else with at least one digit behind the point. (Of FLOAT it prints more than the shortest; that is left to DuckDB.)
func appendDouble(dst []byte, f float64) []byte {
	switch {
	case f != f:
		if math.Signbit(f) {
			return append(dst, "-nan"...)
		}
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	mark := at + bytes.IndexByte(dst[at:], 'e')
	if exponent, err := strconv.Atoi(string(dst[mark+1:])); err != nil || exponent < -4 || exponent >= 16 {
		return dst
	}
	dst = strconv.AppendFloat(dst[:at], f, 'f', -1, 64)
	if bytes.IndexByte(dst[at:], '.') >= 0 {
		return dst
	}
	return append(dst, '.', '0')
}

func appendScaled(dst []byte, p zset.Int128, scale int) []byte {
	if small(p) && scale == 0 {
		return strconv.AppendInt(dst, int64(p.LowBits()), 10)
	}
	n := p.BigInt()
	if n.Sign() < 0 {
		dst = append(dst, '-')
		n.Neg(n)
	}
	digits := n.Append(nil, 10)
	if scale == 0 {
		return append(dst, digits...)
	}
	for len(digits) <= scale {
		digits = append([]byte{'0'}, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	return append(append(dst, '.'), digits[len(digits)-scale:]...)
}

const (
	infiniteDay    = math.MaxInt32
	infiniteMicros = math.MaxInt64
)

func appendDate(dst []byte, day int64) []byte {
	switch day {
	case infiniteDay:
		return append(dst, "infinity"...)
	case -infiniteDay:
		return append(dst, "-infinity"...)
	}
	y, m, d := civil(day)
	dst = appendYear(dst, y)
	dst = append(dst, '-')
	dst = append2(dst, m)
	dst = append(dst, '-')
	dst = append2(dst, d)
	if y <= 0 {
		dst = append(dst, " (BC)"...)
	}
	return dst
}

// appendYear prints at least four digits; the year 0 is 1 BC.
func appendYear(dst []byte, y int64) []byte {
	if y <= 0 {
		y = 1 - y
	}
	for least := int64(1000); least > y && least > 1; least /= 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, y, 10)
}

func append2(dst []byte, n int64) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// appendClock prints a time of day, with microseconds if there are some, cut of trailing zeros.
func appendClock(dst []byte, micros int64) []byte {
	s := micros / 1_000_000
	dst = append(append2(dst, s/3600), ':')
	dst = append(append2(dst, s/60%60), ':')
	dst = append2(dst, s%60)
	f := micros % 1_000_000
	if f == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); f > 0; unit /= 10 {
		dst = append(dst, byte('0'+f/unit))
		f %= unit
	}
	return dst
}

func appendTimestamp(dst []byte, micros int64, zone string) []byte {
	switch micros {
	case infiniteMicros:
		return append(dst, "infinity"...)
	case -infiniteMicros:
		return append(dst, "-infinity"...)
	}
	day := floorDiv(micros, microsPerDay)
	dst = append(appendDate(dst, day), ' ')
	return append(appendClock(dst, micros-day*microsPerDay), zone...)
}

func appendInt(dst []byte, n int64) []byte { return strconv.AppendInt(dst, n, 10) }
