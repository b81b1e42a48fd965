package ingest

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/types"
)

// The tags of canonical values (docs/formats/partitioning.md). They never change.
const (
	tagNull     = 0
	tagBoolean  = 1
	tagInteger  = 2
	tagDouble   = 3
	tagDecimal  = 4
	tagText     = 5
	tagBlob     = 6
	tagDate     = 7
	tagTime     = 8
	tagInstant  = 9
	tagInterval = 10
	tagUUID     = 11
	tagList     = 12
	tagMap      = 13
	tagStruct   = 14
)

// appendCanon appends the canonical bytes of one value. Values that are equal in SQL have equal bytes, whatever the width of
// their type: a column that widens from INTEGER to BIGINT or DOUBLE keeps the partition of every value.
func appendCanon(b []byte, t types.Type, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(b, tagNull)
	}
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(i) {
			return append(b, tagBoolean, 1)
		}
		return append(b, tagBoolean, 0)
	case *array.Int8:
		return appendCanonInt(b, int64(a.Value(i)))
	case *array.Int16:
		return appendCanonInt(b, int64(a.Value(i)))
	case *array.Int32:
		return appendCanonInt(b, int64(a.Value(i)))
	case *array.Int64:
		return appendCanonInt(b, a.Value(i))
	case *array.Uint8:
		return appendCanonInt(b, int64(a.Value(i)))
	case *array.Uint16:
		return appendCanonInt(b, int64(a.Value(i)))
	case *array.Uint32:
		return appendCanonInt(b, int64(a.Value(i)))
	case *array.Uint64:
		return appendCanon128(b, decimal128.FromU64(a.Value(i)))
	case *array.Float32:
		return appendCanonFloat(b, float64(a.Value(i)))
	case *array.Float64:
		return appendCanonFloat(b, a.Value(i))
	case *array.Decimal128:
		return appendCanonDecimal(b, a.Value(i), int(t.Scale))
	case *array.String:
		return appendCanonBytes(append(b, tagText), a.Value(i))
	case *array.Binary:
		return appendCanonBytes(append(b, tagBlob), a.Value(i))
	case *array.FixedSizeBinary:
		return append(append(b, tagUUID), a.Value(i)...)
	case *array.Date32:
		return binary.BigEndian.AppendUint64(append(b, tagDate), uint64(a.Value(i)))
	case *array.Time64:
		return binary.BigEndian.AppendUint64(append(b, tagTime), uint64(a.Value(i)))
	case *array.Timestamp:
		return binary.BigEndian.AppendUint64(append(b, tagInstant), uint64(a.Value(i)))
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		b = binary.BigEndian.AppendUint32(append(b, tagInterval), uint32(v.Months))
		b = binary.BigEndian.AppendUint32(b, uint32(v.Days))
		return binary.BigEndian.AppendUint64(b, uint64(v.Nanoseconds))
	}
	return appendCanonNested(b, t, a, i)
}

func appendCanonNested(b []byte, t types.Type, a arrow.Array, i int) []byte {
	switch a := a.(type) {
	case *array.Struct:
		b = binary.AppendUvarint(append(b, tagStruct), uint64(len(t.Fields)))
		for f := range t.Fields {
			b = appendCanon(b, t.Fields[f].Type, a.Field(f), i)
		}
		return b
	case *array.Map:
		from, to := a.ValueOffsets(i)
		b = binary.AppendUvarint(append(b, tagMap), uint64(to-from))
		for j := int(from); j < int(to); j++ {
			b = appendCanon(b, *t.Key, a.Keys(), j)
			b = appendCanon(b, *t.Elem, a.Items(), j)
		}
		return b
	case *array.List:
		from, to := a.ValueOffsets(i)
		b = binary.AppendUvarint(append(b, tagList), uint64(to-from))
		for j := int(from); j < int(to); j++ {
			b = appendCanon(b, *t.Elem, a.ListValues(), j)
		}
		return b
	}
	panic("BUG: no canonical bytes for " + t.String())
}

func appendCanonBytes[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendCanonInt(b []byte, v int64) []byte {
	b = binary.BigEndian.AppendUint64(append(b, tagInteger), uint64(v>>63))
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

func appendCanon128(b []byte, v decimal128.Num) []byte {
	b = binary.BigEndian.AppendUint64(append(b, tagInteger), uint64(v.HighBits()))
	return binary.BigEndian.AppendUint64(b, v.LowBits())
}

// appendCanonFloat writes whole numbers within 2^53 as integers (so -0 is 0), all NaNs alike, the rest as IEEE 754 bits.
func appendCanonFloat(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
		return appendCanonInt(b, int64(v))
	}
	if v != v {
		v = math.NaN()
	}
	return binary.BigEndian.AppendUint64(append(b, tagDouble), math.Float64bits(v))
}

// appendCanonDecimal drops trailing zeros of the fraction; a whole number is written as an integer.
func appendCanonDecimal(b []byte, v decimal128.Num, scale int) []byte {
	if scale > 0 {
		n, ten, rest := v.BigInt(), big.NewInt(10), new(big.Int)
		for scale > 0 {
			q, r := new(big.Int).QuoRem(n, ten, rest)
			if r.Sign() != 0 {
				break
			}
			n = q
			scale--
		}
		v = decimal128.FromBigInt(n)
	}
	if scale == 0 {
		return appendCanon128(b, v)
	}
	b = binary.BigEndian.AppendUint64(append(b, tagDecimal, byte(scale)), uint64(v.HighBits()))
	return binary.BigEndian.AppendUint64(b, v.LowBits())
}
