package zset

import (
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// ToArrow returns v as an array of its type's Arrow type; values are shared where FromArrow shares them. An INTERVAL whose micros
// do not fit Arrow's nanoseconds gives whole days of them to its days.
func ToArrow(v *Vec) arrow.Array {
	switch PhysOf(v.Type) {
	case Int64:
		return v.makeArray(v.intBuffer())
	case Float64:
		if v.Type.Kind == types.Float {
			return v.makeArray(buffer(narrowTo[float32](v.F64)))
		}
		return v.makeArray(buffer(v.F64))
	case Wide:
		if v.Type.Kind != types.UBigInt {
			return v.makeArray(buffer(v.W))
		}
		out := make([]uint64, v.Len)
		for i := range out {
			out[i] = v.W[i].LowBits()
		}
		return v.makeArray(buffer(out))
	}
	switch v.Type.Kind {
	case types.UUID:
		return v.makeArray(memory.NewBufferBytes(v.sixteen()))
	case types.Interval:
		return v.makeArray(buffer(v.intervals()))
	case types.List, types.Struct, types.Map:
		return v.nestedArray()
	}
	return v.makeArray(buffer(v.Off[:v.Len+1]), memory.NewBufferBytes(v.Data))
}

// buffer shares a slice with Arrow.
func buffer[T any](s []T) *memory.Buffer {
	n := len(s) * int(unsafe.Sizeof(*new(T)))
	return memory.NewBufferBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), n))
}

func (v *Vec) makeArray(buffers ...*memory.Buffer) arrow.Array {
	return v.makeData(v.Type.Arrow(), buffers, nil)
}

func (v *Vec) makeData(t arrow.DataType, buffers []*memory.Buffer, children []arrow.ArrayData) arrow.Array {
	nulls := v.nulls()
	all := append(make([]*memory.Buffer, 1, 3), buffers...)
	if nulls > 0 {
		all[0] = memory.NewBufferBytes(v.Valid)
	}
	return array.MakeFromData(array.NewData(t, v.Len, all, children, nulls, 0))
}

func narrowTo[T int8 | int16 | int32 | uint8 | uint16 | uint32 | float32, W int64 | float64](src []W) []T {
	out := make([]T, len(src))
	for i, x := range src {
		out[i] = T(x)
	}
	return out
}

func (v *Vec) intBuffer() *memory.Buffer {
	switch v.Type.Kind {
	case types.Boolean:
		m := make([]byte, (v.Len+7)/8)
		for i, x := range v.I64[:v.Len] {
			m[i>>3] |= byte(x&1) << (i & 7)
		}
		return memory.NewBufferBytes(m)
	case types.TinyInt:
		return buffer(narrowTo[int8](v.I64))
	case types.SmallInt:
		return buffer(narrowTo[int16](v.I64))
	case types.Integer, types.Date:
		return buffer(narrowTo[int32](v.I64))
	case types.UTinyInt:
		return buffer(narrowTo[uint8](v.I64))
	case types.USmallInt:
		return buffer(narrowTo[uint16](v.I64))
	case types.UInteger:
		return buffer(narrowTo[uint32](v.I64))
	}
	return buffer(v.I64)
}

// sixteen returns the values of a UUID column, 16 bytes each also where they are NULL.
func (v *Vec) sixteen() []byte {
	if from := v.Off[0]; int(v.Off[v.Len]-from) == 16*v.Len {
		return v.Data[from:v.Off[v.Len]]
	}
	out := make([]byte, 16*v.Len)
	for i := range v.Len {
		if !v.Null(i) {
			copy(out[16*i:], v.Bytes(i))
		}
	}
	return out
}

func (v *Vec) intervals() []arrow.MonthDayNanoInterval {
	out := make([]arrow.MonthDayNanoInterval, v.Len)
	for i := range out {
		if v.Null(i) {
			continue
		}
		x := v.Interval(i)
		const limit = math.MaxInt64 / 1000
		if x.Micros > limit || x.Micros < -limit {
			days := clampInt32(int64(x.Days) + x.Micros/microsPerDay)
			x.Micros -= int64(days-x.Days) * microsPerDay
			x.Days = days
		}
		out[i] = arrow.MonthDayNanoInterval{Months: x.Months, Days: x.Days, Nanoseconds: x.Micros * 1000}
	}
	return out
}

func (v *Vec) nestedArray() arrow.Array {
	t := v.Type.Arrow()
	parts, off := Unpack(v)
	children := make([]arrow.ArrayData, len(parts))
	for i, p := range parts {
		children[i] = ToArrow(p).Data()
	}
	switch v.Type.Kind {
	case types.Struct:
		return v.makeData(t, nil, children)
	case types.Map:
		entries := array.NewData(t.(*arrow.MapType).Elem(), int(off[v.Len]), []*memory.Buffer{nil}, children, 0, 0)
		children = []arrow.ArrayData{entries}
	}
	return v.makeData(t, []*memory.Buffer{buffer(off)}, children)
}
