package zset

import (
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/types"
)

// FromBatch returns columns cols (nil: all) of b as a batch, nil if it has no rows.
func FromBatch(b *types.Batch, cols []int) *Batch {
	if b == nil || b.Rows == 0 {
		return nil
	}
	if cols == nil {
		cols = make([]int, len(b.Columns))
		for i := range cols {
			cols[i] = i
		}
	}
	out := &Batch{Cols: make([]*Vec, len(cols)), N: b.Rows, W: b.Weights}
	for i, c := range cols {
		v, err := FromArrow(b.Schema.Columns[c].Type, b.Columns[c])
		if err != nil {
			panic("BUG: a batch whose column is not of its schema's type: " + err.Error())
		}
		out.Cols[i] = v
	}
	return out
}

// FromArrow returns a as a column of type t, whose Arrow type it must have. Values of BIGINT, DOUBLE, TIME, TIMESTAMP, DECIMAL, HUGEINT,
// VARCHAR, JSON, BLOB and UUID are shared with a, others copied.
func FromArrow(t types.Type, a arrow.Array) (*Vec, error) {
	if want := t.Arrow(); a.DataType().ID() != want.ID() {
		return nil, types.Errorf(types.Internal, "column of type %s is %s in Arrow, not %s", t, a.DataType(), want)
	}
	v := &Vec{Type: t, Len: a.Len()}
	if a.NullN() > 0 {
		v.Valid = validRange(a.NullBitmapBytes(), a.Data().Offset(), a.Len())
	}
	switch PhysOf(t) {
	case Int64:
		v.I64 = arrowInts(a)
	case Float64:
		v.F64 = arrowFloats(a)
	case Wide:
		v.W = arrowWides(a)
	case Bytes:
		return v, v.arrowBytes(a)
	}
	return v, nil
}

// fixed returns the values of an array of fixed width, as Arrow holds them.
func fixed[T any](a arrow.Array) []T {
	d := a.Data()
	if d.Len() == 0 || d.Buffers()[1] == nil {
		return make([]T, d.Len())
	}
	p := d.Buffers()[1].Bytes()
	all := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(p))), len(p)/int(unsafe.Sizeof(*new(T))))
	return all[d.Offset() : d.Offset()+d.Len() : d.Offset()+d.Len()]
}

func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32 | float32, W int64 | float64](src []T) []W {
	out := make([]W, len(src))
	for i, x := range src {
		out[i] = W(x)
	}
	return out
}

func arrowInts(a arrow.Array) []int64 {
	switch a.DataType().ID() {
	case arrow.BOOL:
		b, out := a.(*array.Boolean), make([]int64, a.Len())
		for i := range out {
			if b.Value(i) {
				out[i] = 1
			}
		}
		return out
	case arrow.INT8:
		return widen[int8, int64](fixed[int8](a))
	case arrow.INT16:
		return widen[int16, int64](fixed[int16](a))
	case arrow.INT32, arrow.DATE32:
		return widen[int32, int64](fixed[int32](a))
	case arrow.UINT8:
		return widen[uint8, int64](fixed[uint8](a))
	case arrow.UINT16:
		return widen[uint16, int64](fixed[uint16](a))
	case arrow.UINT32:
		return widen[uint32, int64](fixed[uint32](a))
	}
	return fixed[int64](a)
}

func arrowFloats(a arrow.Array) []float64 {
	if a.DataType().ID() == arrow.FLOAT32 {
		return widen[float32, float64](fixed[float32](a))
	}
	return fixed[float64](a)
}

func arrowWides(a arrow.Array) []Int128 {
	if a.DataType().ID() != arrow.UINT64 {
		return fixed[Int128](a)
	}
	src := fixed[uint64](a)
	out := make([]Int128, len(src))
	for i, x := range src {
		out[i] = decimal128.FromU64(x)
	}
	return out
}

func (v *Vec) arrowBytes(a arrow.Array) error {
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		v.Data, v.Off = fixed16(a), make([]int32, v.Len+1)
		for i := range v.Off {
			v.Off[i] = int32(16 * i)
		}
	case *array.MonthDayNanoInterval:
		v.Off, v.Data = make([]int32, 1, v.Len+1), make([]byte, 0, 16*v.Len)
		for _, x := range fixed[arrow.MonthDayNanoInterval](a) {
			v.Data = Interval{x.Months, x.Days, x.Nanoseconds / 1000}.Append(v.Data)
			v.Off = append(v.Off, int32(len(v.Data)))
		}
	case *array.List:
		elem, err := FromArrow(*v.Type.Elem, a.ListValues())
		if err != nil {
			return err
		}
		v.pack(func(dst []byte, i int) []byte {
			from, to := a.ValueOffsets(i)
			return PackList(dst, elem, int(from), int(to))
		})
	case *array.Map:
		keys, err := FromArrow(*v.Type.Key, a.Keys())
		if err != nil {
			return err
		}
		items, err := FromArrow(*v.Type.Elem, a.Items())
		if err != nil {
			return err
		}
		v.pack(func(dst []byte, i int) []byte {
			from, to := a.ValueOffsets(i)
			return PackMap(dst, keys, items, int(from), int(to))
		})
	case *array.Struct:
		return v.packStruct(a)
	default:
		v.Off, v.Data = arrowText(a)
	}
	return nil
}

func (v *Vec) packStruct(a *array.Struct) error {
	if a.NumField() != len(v.Type.Fields) {
		return types.Errorf(types.Internal, "column of type %s has %d fields in Arrow", v.Type, a.NumField())
	}
	fields := make([]*Vec, a.NumField())
	for i := range fields {
		f, err := FromArrow(v.Type.Fields[i].Type, a.Field(i))
		if err != nil {
			return err
		}
		fields[i] = f
	}
	v.pack(func(dst []byte, i int) []byte { return PackStruct(dst, fields, i) })
	return nil
}

// pack fills Off and Data with what value appends for each row that is not NULL.
func (v *Vec) pack(value func(dst []byte, i int) []byte) {
	v.Off = make([]int32, 1, v.Len+1)
	for i := range v.Len {
		if !v.Null(i) {
			v.Data = value(v.Data, i)
		}
		v.Off = append(v.Off, int32(len(v.Data)))
	}
}

func fixed16(a *array.FixedSizeBinary) []byte {
	d := a.Data()
	if d.Len() == 0 || d.Buffers()[1] == nil {
		return make([]byte, 16*d.Len())
	}
	return d.Buffers()[1].Bytes()[16*d.Offset() : 16*(d.Offset()+d.Len())]
}

// arrowText returns offsets and bytes of a String or Binary array.
func arrowText(a arrow.Array) ([]int32, []byte) {
	d := a.Data()
	bufs := d.Buffers()
	if d.Len() == 0 || bufs[1] == nil || bufs[1].Len() == 0 {
		return make([]int32, d.Len()+1), nil
	}
	p := bufs[1].Bytes()
	off := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(p))), len(p)/4)[d.Offset() : d.Offset()+d.Len()+1]
	if bufs[2] == nil {
		return off, nil
	}
	return off, bufs[2].Bytes()
}
