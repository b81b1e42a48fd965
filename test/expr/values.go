// Package expr tests the kernels of internal/engine/expr against DuckDB itself, over random typed expressions and edge values.
package expr

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// scalars are the types of columns.
var scalars = []types.Type{
	types.Of(types.Boolean), types.Of(types.TinyInt), types.Of(types.SmallInt), types.Of(types.Integer), types.Of(types.BigInt),
	types.Of(types.UTinyInt), types.Of(types.USmallInt), types.Of(types.UInteger), types.Of(types.UBigInt), types.Of(types.HugeInt),
	types.Of(types.Float), types.Of(types.Double), types.DecimalOf(4, 1), types.DecimalOf(9, 2), types.DecimalOf(18, 3), types.DecimalOf(38, 10),
	types.Of(types.Varchar), types.Of(types.Blob), types.Of(types.Date), types.Of(types.Time), types.Of(types.Timestamp),
	types.Of(types.TimestampTZ), types.Of(types.Interval), types.Of(types.UUID),
}

// value draws a value in plan.Expr's form; nil is NULL.
func value(r *rand.Rand, t types.Type) any {
	if r.IntN(8) == 0 {
		return nil
	}
	switch t.Kind {
	case types.Boolean:
		return r.IntN(2) == 0
	case types.TinyInt:
		return integer(r, math.MinInt8, math.MaxInt8)
	case types.SmallInt:
		return integer(r, math.MinInt16, math.MaxInt16)
	case types.Integer:
		return integer(r, math.MinInt32, math.MaxInt32)
	case types.BigInt:
		return integer(r, math.MinInt64, math.MaxInt64)
	case types.UTinyInt:
		return integer(r, 0, math.MaxUint8)
	case types.USmallInt:
		return integer(r, 0, math.MaxUint16)
	case types.UInteger:
		return integer(r, 0, math.MaxUint32)
	case types.UBigInt, types.HugeInt, types.Decimal:
		return wide(r, t)
	case types.Float:
		return float64(float32(double(r)))
	case types.Double:
		return double(r)
	case types.Varchar:
		return text(r)
	case types.Blob:
		return []byte(text(r))
	case types.Date:
		return day(r)
	case types.Time:
		return r.Int64N(86_400_000_000)
	case types.Timestamp, types.TimestampTZ:
		return instant(r)
	case types.Interval:
		return interval(r)
	case types.UUID:
		b := make([]byte, 16)
		for i := range b {
			b[i] = byte(r.IntN(2) * r.IntN(256))
		}
		return b
	}
	panic("BUG: no values of " + t.String())
}

func integer(r *rand.Rand, lo, hi int64) int64 {
	switch r.IntN(12) {
	case 0:
		if r.IntN(2) == 0 {
			return lo
		}
		return hi
	case 2:
		u := r.Uint64()
		if hi-lo > 0 {
			return lo + int64(u%uint64(hi-lo))
		}
		return int64(u)
	case 3:
		return max(lo, -1-r.Int64N(5))
	}
	return r.Int64N(12)
}

func double(r *rand.Rand) float64 {
	edges := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
		127.4, -128, 255, 32767.25, 2147483648, 9223372036854775807, -9223372036854775808, 1e15, 1e16, 1e17, 123456789.125, 1e-5, 1e-4}
	switch r.IntN(5) {
	case 0:
		return edges[r.IntN(len(edges))]
	case 1:
		return math.Float64frombits(r.Uint64())
	case 2:
		return r.NormFloat64() * math.Pow(10, float64(r.IntN(24)-6))
	}
	return float64(r.IntN(30)-15) / 4
}

func wide(r *rand.Rand, t types.Type) *big.Int {
	lo, hi := new(big.Int), new(big.Int).Lsh(big.NewInt(1), 64)
	switch t.Kind {
	case types.HugeInt:
		hi.Lsh(big.NewInt(1), 127)
		lo.Neg(hi)
	case types.Decimal:
		hi.Exp(big.NewInt(10), big.NewInt(int64(t.Precision)), nil)
		lo.Add(new(big.Int).Neg(hi), big.NewInt(1))
	}
	hi.Sub(hi, big.NewInt(1))
	switch r.IntN(6) {
	case 0:
		return lo
	case 1:
		return hi
	case 2:
		n := new(big.Int)
		for range 3 {
			n.Lsh(n, 64).Add(n, new(big.Int).SetUint64(r.Uint64()))
		}
		n.Mod(n, new(big.Int).Sub(hi, lo))
		return n.Add(n, lo)
	case 3:
		n := big.NewInt(int64(r.Uint64() >> r.IntN(64)))
		if n.Cmp(lo) >= 0 && n.Cmp(hi) <= 0 {
			return n
		}
	}
	n := big.NewInt(r.Int64N(300) - 150)
	if n.Cmp(lo) < 0 {
		return big.NewInt(3)
	}
	return n
}

var texts = []string{"", "a", "A", "ab", "abc", "aXbXc", "äöü", "ÀÉß", "naïve ≠ 日本語", "😀 smile", "  padded ", "a,b,,c", "%", "_", "a_c", "a%c", "\\",
	"0", "12", "-7", "+5", " 42 ", "1.5", "2.5", "1e3", "99999999999999999999", "nan", "inf", "-Infinity", "0x1F", "1_000", "true", "FALSE", "t", "yes",
	"2024-02-29", "2023-02-29", "1969-12-31", "2024-1-5", "2024-02-29 12:34:56", "2024-02-29T12:34:56.789Z", "1900-02-28 23:59:59.999999", "infinity",
	"https://example.com/a/b?x=1", "k42", "item-000123", "a much longer text than sixteen bytes", "x\x00y", "12:34:56"}

func text(r *rand.Rand) string {
	if r.IntN(3) == 0 {
		return []string{"7", "12", "-3", "0.5", "true", "2024-02-29", "2001-01-01 01:02:03"}[r.IntN(7)]
	}
	if r.IntN(4) > 0 {
		return texts[r.IntN(len(texts))]
	}
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString([]string{"a", "b", "X", ",", " ", "é", "日", "1", "%", "_", "-", "😀"}[r.IntN(12)])
	}
	return b.String()
}

func day(r *rand.Rand) int64 {
	switch r.IntN(8) {
	case 0:
		return []int64{0, -1, 11016, 19782, -719162, -719163, 2932896, 2932897, math.MaxInt32, -math.MaxInt32}[r.IntN(10)]
	case 1:
		return r.Int64N(4_000_000) - 1_500_000
	}
	return r.Int64N(40_000) - 10_000
}

func instant(r *rand.Rand) int64 {
	switch r.IntN(8) {
	case 0:
		return []int64{0, -1, 1, 951782400000000, 4102444799999999, math.MaxInt64, -math.MaxInt64, -2208988800000000}[r.IntN(8)]
	case 1:
		return r.Int64N(200_000_000_000_000_000) - 65_000_000_000_000_000
	}
	micros := r.Int64N(4_000_000_000_000_000) - 1_000_000_000_000_000
	unit := []int64{1, 1000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000}[r.IntN(6)]
	return micros / unit * unit
}

func interval(r *rand.Rand) plan.Interval {
	switch r.IntN(6) {
	case 0:
		return plan.Interval{Months: int32(r.IntN(100) - 50)}
	case 1:
		return plan.Interval{Days: int32(r.IntN(1000) - 500)}
	case 2:
		return plan.Interval{Months: int32(r.IntN(60) - 30), Days: int32(r.IntN(90) - 45), Micros: r.Int64N(1e12) - 5e11}
	}
	return plan.Interval{Micros: []int64{1, 1000, 1_000_000, 10_000_000, 60_000_000, 3_600_000_000, 86_400_000_000}[r.IntN(7)] * (r.Int64N(20) - 4)}
}

// put appends a value to a builder.
func put(b *zset.Builder, at int, t types.Type, v any) {
	switch v := v.(type) {
	case nil:
		b.AppendNull(at)
	case bool:
		b.AppendBool(at, v)
	case int64:
		b.AppendInt64(at, v)
	case float64:
		b.AppendFloat64(at, v)
	case *big.Int:
		low := new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
		b.AppendWide(at, decimal128.New(new(big.Int).Rsh(v, 64).Int64(), low))
	case string:
		b.AppendBytes(at, []byte(v))
	case []byte:
		b.AppendBytes(at, v)
	case plan.Interval:
		b.AppendBytes(at, zset.Interval{Months: v.Months, Days: v.Days, Micros: v.Micros}.Append(nil))
	default:
		panic("BUG: " + t.String())
	}
}
