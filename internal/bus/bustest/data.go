package bustest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// AllTypes is a schema with a column of every kind, nested ones included.
func AllTypes() *types.Schema {
	s := &types.Schema{Version: 3}
	for k := types.Boolean; k <= types.JSON; k++ {
		t := types.Of(k)
		if k == types.Decimal {
			t = types.DecimalOf(20, 4)
		}
		s.Add(fmt.Sprintf("c%d", k), t, fmt.Sprintf("c%d", k))
	}
	point := types.StructOf(types.Field{Name: "x", Key: "x", Type: types.Of(types.Double)}, types.Field{Name: "y_2", Key: "Y", Type: types.Of(types.Varchar)})
	s.Add("point", point, "point")
	s.Add("flags", types.ListOf(types.Of(types.Boolean)), "flags")
	s.Add("deep", types.ListOf(types.ListOf(point)), "a", "deep")
	s.Add("attrs", types.MapOf(types.Of(types.Varchar), types.ListOf(types.Of(types.BigInt))), "attrs")
	s.Columns[0].NotNull, s.Columns[1].Wide = true, true
	return s
}

// Events is a schema with an event-time column (ID 1) and a number (ID 2).
func Events() *types.Schema {
	s := &types.Schema{Version: 1}
	s.Add("ts", types.Of(types.Timestamp), "ts")
	s.Add("n", types.Of(types.BigInt), "n")
	return s
}

// Random returns a batch of n random rows: NULLs, empty strings, extreme values.
func Random(rng *rand.Rand, s *types.Schema, n int) *types.Batch {
	out := &types.Batch{Schema: s, Rows: n}
	for _, c := range s.Columns {
		b := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
		for range n {
			appendRandom(rng, b, !c.NotNull)
		}
		out.Columns = append(out.Columns, b.NewArray())
	}
	return out
}

func appendRandom(rng *rand.Rand, b array.Builder, nullable bool) {
	if nullable && rng.IntN(4) == 0 {
		b.AppendNull()
		return
	}
	n := rng.Int64() >> rng.IntN(64)
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(n&1 == 1)
	case *array.Decimal128Builder:
		b.Append(decimal128.New(-n, uint64(n)))
	case *array.Float32Builder:
		b.Append([]float32{float32(n), float32(math.NaN()), float32(math.Inf(-1)), 0}[rng.IntN(4)])
	case *array.Float64Builder:
		b.Append([]float64{float64(n), math.NaN(), math.Inf(1), math.Copysign(0, -1)}[rng.IntN(4)])
	case *array.StringBuilder:
		b.Append([]string{"", "ü", fmt.Sprint(n), string(make([]byte, rng.IntN(40)))}[rng.IntN(4)])
	case *array.BinaryBuilder:
		b.Append(make([]byte, rng.IntN(9)))
	case *array.FixedSizeBinaryBuilder:
		v := make([]byte, 16)
		v[rng.IntN(16)] = byte(n)
		b.Append(v)
	case *array.MonthDayNanoIntervalBuilder:
		b.Append(arrow.MonthDayNanoInterval{Months: int32(n), Days: -int32(n), Nanoseconds: n})
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			appendRandom(rng, b.FieldBuilder(i), true)
		}
	case *array.MapBuilder:
		b.Append(true)
		for range rng.IntN(3) {
			appendRandom(rng, b.KeyBuilder(), false)
			appendRandom(rng, b.ItemBuilder(), true)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range rng.IntN(4) {
			appendRandom(rng, b.ValueBuilder(), true)
		}
	default:
		appendNumber(b, n)
	}
}

func appendNumber(b array.Builder, n int64) {
	switch b := b.(type) {
	case *array.Int8Builder:
		b.Append(int8(n))
	case *array.Int16Builder:
		b.Append(int16(n))
	case *array.Int32Builder:
		b.Append(int32(n))
	case *array.Int64Builder:
		b.Append(n)
	case *array.Uint8Builder:
		b.Append(uint8(n))
	case *array.Uint16Builder:
		b.Append(uint16(n))
	case *array.Uint32Builder:
		b.Append(uint32(n))
	case *array.Uint64Builder:
		b.Append(uint64(n))
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
	case *array.Time64Builder:
		b.Append(arrow.Time64(n & 0xfffffff))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
	default:
		panic(fmt.Sprintf("BUG: no random values for %T", b))
	}
}

// Timed returns a batch of Events: one row per time, in microseconds; n counts from first.
func Timed(first int64, ts ...int64) *types.Batch {
	return timed(events, first, ts)
}

var events = Events()

func timed(s *types.Schema, first int64, ts []int64) *types.Batch {
	t := array.NewTimestampBuilder(memory.DefaultAllocator, s.Columns[0].Type.Arrow().(*arrow.TimestampType))
	n := array.NewInt64Builder(memory.DefaultAllocator)
	for i, v := range ts {
		if v == NullTime {
			t.AppendNull()
		} else {
			t.Append(arrow.Timestamp(v))
		}
		n.Append(first + int64(i))
	}
	return &types.Batch{Schema: s, Columns: []arrow.Array{t.NewArray(), n.NewArray()}, Rows: len(ts)}
}

// NullTime stands for a NULL event time in Timed.
const NullTime = math.MinInt64 + 7

// Numbers returns a batch of Events without times, numbered from first.
func Numbers(first int64, rows int) *types.Batch {
	ts := make([]int64, rows)
	for i := range ts {
		ts[i] = NullTime
	}
	return timed(events, first, ts)
}
