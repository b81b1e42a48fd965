// Package zsettest makes random rows, batches and streams of changes for tests of the engine, and has a naive model of what they add up to.
// Everything is drawn from the given source, so that a printed seed repeats a failure.
package zsettest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Rand returns a source with a seed of the time, or with seed where it is not 0, and logs the seed where the test fails.
func Rand(t testing.TB, seed uint64) *rand.Rand {
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, seed))
}

var scalars = []types.Kind{types.Boolean, types.TinyInt, types.SmallInt, types.Integer, types.BigInt, types.HugeInt, types.UTinyInt,
	types.USmallInt, types.UInteger, types.UBigInt, types.Float, types.Double, types.Decimal, types.Varchar, types.Blob, types.Date,
	types.Time, types.Timestamp, types.TimestampTZ, types.Interval, types.UUID, types.JSON}

// Schema returns 1 to 6 column types, common ones more often.
func Schema(r *rand.Rand) []types.Type {
	ts := make([]types.Type, 1+r.IntN(6))
	for i := range ts {
		ts[i] = Type(r)
	}
	return ts
}

// Type returns a type, half the time BIGINT, VARCHAR, DOUBLE or TIMESTAMP.
func Type(r *rand.Rand) types.Type {
	if r.IntN(2) == 0 {
		return types.Of([]types.Kind{types.BigInt, types.Varchar, types.Double, types.Timestamp}[r.IntN(4)])
	}
	return anyType(r, 2)
}

func anyType(r *rand.Rand, depth int) types.Type {
	if depth > 0 && r.IntN(6) == 0 {
		elem := anyType(r, depth-1)
		switch r.IntN(3) {
		case 0:
			return types.ListOf(elem)
		case 1:
			return types.MapOf(anyType(r, 0), elem)
		}
		return types.StructOf(types.Field{Name: "a", Key: "a", Type: elem}, types.Field{Name: "b", Key: "b", Type: anyType(r, 0)})
	}
	k := scalars[r.IntN(len(scalars))]
	if k == types.Decimal {
		p := 1 + r.IntN(38)
		return types.DecimalOf(uint8(p), uint8(r.IntN(p+1)))
	}
	return types.Of(k)
}

// Value appends a random value to column at of b's current row: NULL, an edge of the type, one of few common values, or any.
func Value(r *rand.Rand, b *zset.Builder, at int, t types.Type) {
	if r.IntN(8) == 0 {
		b.AppendNull(at)
		return
	}
	switch zset.PhysOf(t) {
	case zset.Int64:
		b.AppendInt64(at, intValue(r, t.Kind))
	case zset.Float64:
		x := floatValue(r)
		if t.Kind == types.Float {
			x = float64(float32(x))
		}
		b.AppendFloat64(at, x)
	case zset.Wide:
		b.AppendWide(at, wideValue(r, t))
	default:
		b.AppendBytes(at, bytesValue(r, t))
	}
}

func intValue(r *rand.Rand, k types.Kind) int64 {
	lo, hi := bounds(k)
	switch r.IntN(8) {
	case 0:
		return lo
	case 1:
		return hi
	case 2:
		u := r.Uint64()
		if hi-lo > 0 {
			return lo + int64(u%uint64(hi-lo))
		}
		return int64(u)
	}
	return min(hi, int64(r.IntN(5)))
}

func bounds(k types.Kind) (lo, hi int64) {
	switch k {
	case types.Boolean:
		return 0, 1
	case types.TinyInt:
		return math.MinInt8, math.MaxInt8
	case types.SmallInt:
		return math.MinInt16, math.MaxInt16
	case types.Integer, types.Date:
		return math.MinInt32, math.MaxInt32
	case types.UTinyInt:
		return 0, math.MaxUint8
	case types.USmallInt:
		return 0, math.MaxUint16
	case types.UInteger:
		return 0, math.MaxUint32
	case types.Time:
		return 0, 86_400_000_000 - 1
	}
	return math.MinInt64, math.MaxInt64
}

func floatValue(r *rand.Rand) float64 {
	edges := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, -1.5}
	switch r.IntN(4) {
	case 0:
		return edges[r.IntN(len(edges))]
	case 1:
		return math.Float64frombits(r.Uint64())
	}
	return float64(r.IntN(5)) / 2
}

func wideValue(r *rand.Rand, t types.Type) zset.Int128 {
	v := decimal128.New(int64(r.Uint64()), r.Uint64())
	switch r.IntN(4) {
	case 0:
		v = decimal128.New(math.MinInt64, 0)
	case 1, 2:
		v = decimal128.FromI64(int64(r.IntN(5)))
	}
	switch {
	case t.Kind == types.UBigInt:
		return decimal128.FromU64(v.LowBits())
	case t.Kind == types.Decimal && !v.FitsInPrecision(int32(t.Precision)):
		return decimal128.FromI64(-int64(r.IntN(10)))
	}
	return v
}

func bytesValue(r *rand.Rand, t types.Type) []byte {
	switch t.Kind {
	case types.UUID:
		p := make([]byte, 16)
		p[r.IntN(16)] = byte(r.Uint32())
		return p
	case types.Interval:
		return intervalValue(r).Append(nil)
	case types.List, types.Map, types.Struct:
		return nestedValue(r, t)
	case types.Blob:
		p := make([]byte, r.IntN(40))
		for i := range p {
			p[i] = []byte{0, 0xff, 1, 'a', byte(r.Uint32())}[r.IntN(5)]
		}
		return p
	case types.JSON:
		return []byte([]string{`null`, `1`, `{"a":1}`, `[true]`, `"x"`}[r.IntN(5)])
	}
	common := []string{"", "a", "ab", "\x00", "a\x00b", "k42", "naïve ≠", "a much longer text than sixteen bytes"}
	s := common[r.IntN(len(common))]
	if r.IntN(4) == 0 {
		for range r.IntN(40) {
			s += string(rune('a' + r.IntN(26)))
		}
	}
	return []byte(s)
}

func intervalValue(r *rand.Rand) zset.Interval {
	if r.IntN(4) == 0 {
		return zset.Interval{Months: int32(r.Uint32()), Days: int32(r.Uint32()), Micros: int64(r.Uint64()) / 2000}
	}
	return zset.Interval{Months: int32(r.IntN(3) - 1), Days: 30 * int32(r.IntN(3)-1), Micros: 86_400_000_000 * int64(r.IntN(61)-30)}
}

func nestedValue(r *rand.Rand, t types.Type) []byte {
	n := r.IntN(4)
	switch t.Kind {
	case types.Struct:
		ts := make([]types.Type, len(t.Fields))
		for i := range ts {
			ts[i] = t.Fields[i].Type
		}
		return zset.PackStruct(nil, Batch(r, ts, 1).Cols, 0)
	case types.List:
		if n == 0 {
			return zset.PackList(nil, zset.Nulls(*t.Elem, 0), 0, 0)
		}
		return zset.PackList(nil, Batch(r, []types.Type{*t.Elem}, n).Cols[0], 0, n)
	}
	entries := Batch(r, []types.Type{*t.Key, *t.Elem}, n)
	if n == 0 {
		return zset.PackMap(nil, zset.Nulls(*t.Key, 0), zset.Nulls(*t.Elem, 0), 0, 0)
	}
	keys := *entries.Cols[0]
	if zset.PhysOf(*t.Key) == zset.Bytes && keys.Valid != nil {
		return zset.PackMap(nil, &keys, entries.Cols[1], 0, 0) // what lies under a NULL is no value of every such type
	}
	keys.Valid = nil
	return zset.PackMap(nil, &keys, entries.Cols[1], 0, n)
}

// Batch returns n random rows of weight +1, nil where n is 0.
func Batch(r *rand.Rand, ts []types.Type, n int) *zset.Batch {
	b := zset.NewBuilder(ts)
	for range n {
		for i, t := range ts {
			Value(r, b, i, t)
		}
		b.EndRow(1)
	}
	return b.Finish()
}

// Weighted returns n random rows with weights from -3 to 3, for what need not be a valid change.
func Weighted(r *rand.Rand, ts []types.Type, n int) *zset.Batch {
	b := zset.NewBuilder(ts)
	for b.Len() < n {
		for i, t := range ts {
			Value(r, b, i, t)
		}
		b.EndRow(int64(r.IntN(7) - 3))
	}
	return b.Finish()
}
