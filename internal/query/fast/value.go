package fast

import (
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/codec/value"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// A value of a parameter, or a text in the query, is read here in its plainest spelling only, which DuckDB reads in the same way. All others, and
// all that are no values of their type, are left to the store.

// usable reports whether values that were declared as one type can be read as the one that DuckDB found for them: as exactly what a cast from the
// first to the second makes of them.
func usable(declared, used types.Type) bool {
	d, u := declared.Kind, used.Kind
	switch {
	case declared.Equal(used):
		return !d.IsNested() && d != types.JSON
	case d == types.Varchar:
		return !u.IsNested() && u != types.JSON && u != types.Interval && u != types.Blob
	case d.IsInteger():
		return u.IsInteger() || u == types.Double
	case d == types.Float:
		return u == types.Double
	case d == types.Date:
		return u.IsTime()
	case d == types.Timestamp:
		return u == types.TimestampTZ
	}
	return false
}

// null makes v, of one value, NULL.
func null(v *zset.Vec) {
	v.Valid = []byte{0}
	switch zset.PhysOf(v.Type) {
	case zset.Int64:
		v.I64 = append(v.I64[:0], 0)
	case zset.Float64:
		v.F64 = append(v.F64[:0], 0)
	case zset.Wide:
		v.W = append(v.W[:0], zset.Int128{})
	case zset.Bytes:
		v.Off = append(v.Off[:0], 0, 0)
	}
}

// set makes a value of a parameter, as store.Query.Args has them, the one value of v. It reuses v's memory.
func set(v *zset.Vec, given any) bool {
	v.Len, v.Valid = 1, nil
	switch g := given.(type) {
	case nil:
		null(v)
		return true
	case string:
		return setText(v, g)
	case int64:
		return setInt(v, g)
	case int32:
		return setInt(v, int64(g))
	case int:
		return setInt(v, int64(g))
	case uint64:
		if g > math.MaxInt64 {
			return setBig(v, new(big.Int).SetUint64(g))
		}
		return setInt(v, int64(g))
	case float64:
		return setFloat(v, g)
	case bool:
		if v.Type.Kind != types.Boolean {
			return false
		}
		n := int64(0)
		if g {
			n = 1
		}
		v.I64 = append(v.I64[:0], n)
		return true
	case []byte:
		return v.Type.Kind == types.Blob && setBytes(v, g)
	case time.Time:
		if v.Type.Kind != types.TimestampTZ {
			return false
		}
		v.I64 = append(v.I64[:0], g.UnixMicro())
		return true
	case *big.Int:
		return setBig(v, g)
	}
	return false
}

func setBytes(v *zset.Vec, b []byte) bool {
	v.Data = append(v.Data[:0], b...)
	v.Off = append(v.Off[:0], 0, int32(len(b)))
	return true
}

// span are the values of the integers that zset keeps in 64 bits.
func span(k types.Kind) (low, high int64, ok bool) {
	switch k {
	case types.TinyInt:
		return math.MinInt8, math.MaxInt8, true
	case types.SmallInt:
		return math.MinInt16, math.MaxInt16, true
	case types.Integer:
		return math.MinInt32, math.MaxInt32, true
	case types.BigInt:
		return math.MinInt64, math.MaxInt64, true
	case types.UTinyInt:
		return 0, math.MaxUint8, true
	case types.USmallInt:
		return 0, math.MaxUint16, true
	case types.UInteger:
		return 0, math.MaxUint32, true
	}
	return 0, 0, false
}

func setInt(v *zset.Vec, n int64) bool {
	switch k := v.Type.Kind; {
	case k == types.Double:
		v.F64 = append(v.F64[:0], float64(n))
		return n < 1<<53 && n > -1<<53
	case k == types.HugeInt, k == types.UBigInt && n >= 0:
		v.W = append(v.W[:0], decimal128.FromI64(n))
		return true
	default:
		low, high, ok := span(k)
		v.I64 = append(v.I64[:0], n)
		return ok && n >= low && n <= high
	}
}

func setBig(v *zset.Vec, n *big.Int) bool {
	if v.Type.Kind != types.HugeInt && (v.Type.Kind != types.UBigInt || n.Sign() < 0 || n.BitLen() > 64) || n.BitLen() > 127 {
		return false
	}
	v.W = append(v.W[:0], decimal128.FromBigInt(n))
	return true
}

func setFloat(v *zset.Vec, f float64) bool {
	v.F64 = append(v.F64[:0], f)
	switch v.Type.Kind {
	case types.Double:
		return true
	case types.Float:
		return float64(float32(f)) == f
	}
	return false
}

// setText reads the plainest spelling of a value.
func setText(v *zset.Vec, text string) bool {
	k := v.Type.Kind
	if k == types.Varchar {
		v.Data = append(v.Data[:0], text...)
		v.Off = append(v.Off[:0], 0, int32(len(text)))
		return true
	}
	if len(text) == 0 || len(text) > 64 {
		return false
	}
	s := []byte(text)
	switch {
	case k == types.Boolean:
		v.I64 = append(v.I64[:0], 0)
		if text == "true" {
			v.I64[0] = 1
		}
		return text == "true" || text == "false"
	case k == types.HugeInt, k == types.UBigInt:
		n, ok := new(big.Int).SetString(text, 10)
		return ok && plainNumber(text, 0) && setBig(v, n)
	case k.IsInteger():
		n, status := value.Int(s)
		return plainNumber(text, 0) && status == value.Exact && setInt(v, n)
	case k == types.Double:
		f, status := value.Float(s, 64)
		v.F64 = append(v.F64[:0], f)
		return plainNumber(text, len(text)) && status == value.Exact
	case k == types.Decimal:
		n, status := value.Decimal(s, int(v.Type.Precision), int(v.Type.Scale))
		v.W = append(v.W[:0], n)
		return plainNumber(text, int(v.Type.Scale)) && status == value.Exact
	case k == types.UUID:
		u, ok := value.UUID(s)
		return ok && shaped(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") && setBytes(v, u[:])
	}
	return setTime(v, text)
}

func setTime(v *zset.Vec, text string) bool {
	date, clock := text, ""
	if len(text) > 10 {
		date, clock = text[:10], strings.TrimSuffix(text[11:], "Z")
	}
	n, ok := int64(0), false
	switch {
	case v.Type.Kind == types.Time:
		n, ok = value.Time([]byte(text))
		ok = ok && plainClock(text)
	case !shaped(date, "0000-00-00") || date < "0001":
		return false
	case v.Type.Kind == types.Date:
		var day int32
		day, ok = value.Date([]byte(text))
		n, ok = int64(day), ok && len(text) == 10
	case v.Type.Kind.IsTime():
		if clock != "" && (text[10] != ' ' && text[10] != 'T' || !plainClock(clock)) || len(text) > 10 && clock == "" {
			return false
		}
		n, _, ok = value.Timestamp([]byte(text))
	}
	v.I64 = append(v.I64[:0], n)
	return ok
}

// plainClock reports whether text is hh:mm:ss with at most six digits of a fraction.
func plainClock(text string) bool {
	whole, fraction, found := strings.Cut(text, ".")
	return shaped(whole, "00:00:00") && (!found || len(fraction) > 0 && len(fraction) <= 6 && shaped(fraction, "000000"[:len(fraction)]))
}

// plainNumber reports whether text is a sign or none, digits and, behind a point, at most so many more.
func plainNumber(text string, scale int) bool {
	text = strings.TrimPrefix(text, "-")
	whole, fraction, found := strings.Cut(text, ".")
	if whole == "" || len(whole) > 39 || found && (fraction == "" || len(fraction) > scale) {
		return false
	}
	for _, c := range []byte(whole + fraction) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// shaped compares text with a pattern: 0 is any digit, x any hexadecimal one, all else itself.
func shaped(text, pattern string) bool {
	if len(text) != len(pattern) {
		return false
	}
	for i := range len(text) {
		c := text[i]
		digit := c >= '0' && c <= '9'
		switch pattern[i] {
		case '0':
			if !digit {
				return false
			}
		case 'x':
			if low := c | 0x20; !digit && (low < 'a' || low > 'f') {
				return false
			}
		default:
			if c != pattern[i] {
				return false
			}
		}
	}
	return true
}

// constant reads a text in a query as a plan.Expr's value; sql/bind reads those of most other types.
func constant(text string, t types.Type) (any, bool) {
	if t.Kind != types.UUID {
		return nil, false
	}
	v := &zset.Vec{Type: t}
	ok := setText(v, text)
	return v.Data, ok
}

// Read makes a value of a parameter one of a type, as a run does; false where only the store can.
func Read(t types.Type, given any) (*zset.Vec, bool) {
	v := &zset.Vec{Type: t}
	ok := set(v, given)
	return v, ok
}
