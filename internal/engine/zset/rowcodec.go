package zset

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/types"
)

// RowCodec turns columns of a row into few bytes and back without loss (docs/formats/engine-rows.md). Rows that Equal calls equal give the
// same bytes; their order means nothing. It is immutable and safe to share.
//
// A row is a bitmap of its NULLs, then the values of the others one after the other.
type RowCodec struct {
	forms []rowForm
	types []types.Type
	phys  []Phys
	room  room
}

// rowForm is how the values of a type are written.
type rowForm uint8

const (
	row1 rowForm = iota
	row2
	row4
	row8
	rowVarint
	rowFloat32
	rowFloat64
	rowWide
	row16
	rowBytes
)

func rowFormOf(t types.Type) rowForm {
	switch t.Kind {
	case types.Boolean, types.TinyInt, types.UTinyInt:
		return row1
	case types.SmallInt, types.USmallInt:
		return row2
	case types.Integer, types.UInteger, types.Date:
		return row4
	case types.BigInt:
		return rowVarint
	case types.Float:
		return rowFloat32
	case types.Double:
		return rowFloat64
	case types.UUID, types.Interval:
		return row16
	}
	switch PhysOf(t) {
	case Wide:
		return rowWide
	case Bytes:
		return rowBytes
	}
	return row8
}

// NewRowCodec returns the codec of columns of these types.
func NewRowCodec(ts []types.Type) *RowCodec {
	k := &RowCodec{forms: make([]rowForm, len(ts)), types: ts, phys: make([]Phys, len(ts))}
	for i, t := range ts {
		k.forms[i], k.phys[i] = rowFormOf(t), PhysOf(t)
		k.room.add(k.phys[i])
	}
	return k
}

// Append appends row row of cols, one column per type.
func (k *RowCodec) Append(dst []byte, cols []*Vec, row int) []byte {
	bitmap := len(dst)
	for range (len(cols) + 7) / 8 {
		dst = append(dst, 0)
	}
	for i, v := range cols {
		if v.Valid != nil && v.Null(row) {
			dst[bitmap+i>>3] |= 1 << (i & 7)
			continue
		}
		switch k.forms[i] {
		case row1:
			dst = append(dst, byte(v.I64[row]))
		case row2:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(v.I64[row]))
		case row4:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v.I64[row]))
		case row8:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v.I64[row]))
		case rowVarint:
			dst = binary.AppendVarint(dst, v.I64[row])
		case rowFloat32:
			dst = binary.LittleEndian.AppendUint32(dst, float32Bits(v.F64[row]))
		case rowFloat64:
			dst = binary.LittleEndian.AppendUint64(dst, floatBits(v.F64[row]))
		case rowWide:
			dst = appendWide(dst, v.W[row])
		case row16:
			dst = append(dst, v.Bytes(row)...)
		case rowBytes:
			p := v.Bytes(row)
			dst = append(binary.AppendUvarint(dst, uint64(len(p))), p...)
		}
	}
	return dst
}

// Decode writes a row that Append made to columns at.. of b's current row, and returns what follows it.
func (k *RowCodec) Decode(src []byte, b *Builder, at int) []byte {
	n := (len(k.forms) + 7) / 8
	nulls, src := src[:n], src[n:]
	for i, form := range k.forms {
		c := &b.cols[at+i]
		if nulls[i>>3]&(1<<(i&7)) != 0 {
			c.null()
			continue
		}
		src = form.decode(src, c)
	}
	return src
}

func (f rowForm) decode(src []byte, c *column) []byte {
	switch c.phys {
	case Float64:
		x, rest := f.float64(src)
		c.f64 = append(c.f64, x)
		c.value()
		return rest
	case Wide:
		w, rest := readWide(src)
		c.w = append(c.w, w)
		c.value()
		return rest
	case Bytes:
		n, rest := f.size(src)
		c.data = append(c.data, rest[:n]...)
		c.endBytes()
		return rest[n:]
	}
	x, rest := f.int64(c.typ.Kind, src)
	return c.int64(x, rest)
}

func (c *column) int64(x int64, rest []byte) []byte {
	c.i64 = append(c.i64, x)
	c.value()
	return rest
}

// narrow reads the low bytes of an integer of that kind back.
func narrow(k types.Kind, u uint64) int64 {
	switch k {
	case types.TinyInt:
		return int64(int8(u))
	case types.SmallInt:
		return int64(int16(u))
	case types.Integer, types.Date:
		return int64(int32(u))
	}
	return int64(u)
}

func float32Bits(x float64) uint32 {
	if x != x {
		return 0x7fc00000
	}
	return math.Float32bits(float32(x))
}

// appendWide appends w in zigzag form, 7 bits a byte, the lowest first.
func appendWide(dst []byte, w Int128) []byte {
	hi, lo := uint64(w.HighBits()), w.LowBits()
	sign := uint64(w.HighBits() >> 63)
	hi, lo = (hi<<1|lo>>63)^sign, lo<<1^sign
	for hi != 0 {
		dst = append(dst, byte(lo)|0x80)
		hi, lo = hi>>7, hi<<57|lo>>7
	}
	return binary.AppendUvarint(dst, lo)
}

func readWide(src []byte) (w Int128, rest []byte) {
	var hi, lo uint64
	for i, c := range src {
		x, shift := uint64(c&0x7f), 7*i
		lo |= x << shift
		if shift >= 64 {
			hi |= x << (shift - 64)
		} else {
			hi |= x >> (64 - shift)
		}
		if c < 0x80 {
			src = src[i+1:]
			break
		}
	}
	sign := -(lo & 1)
	return decimal128.New(int64(hi>>1^sign), (lo>>1|hi<<63)^sign), src
}
