package zset

import (
	"encoding/binary"
	"math"

	"leat/internal/types"
)

// DecodeOne returns the row that Append made, alone: what a look-up by key asks for thousands of times a second. It keeps nothing of src, and
// takes few allocations, however many columns there are.
func (k *RowCodec) DecodeOne(src []byte) *Batch {
	n := len(k.forms)
	m := (n + 7) / 8
	// Values of fixed size lie in one slice per layout, texts in one copy of src.
	vecs, cols := make([]Vec, n), make([]*Vec, n)
	room := k.room
	i64, f64, w, off := make([]int64, 0, room.i64), make([]float64, 0, room.f64), make([]Int128, 0, room.w), make([]int32, 0, 2*room.bytes)
	if room.bytes > 0 {
		src = append([]byte(nil), src...)
	}
	nulls, src := src[:m], src[m:]
	for i, form := range k.forms {
		v := &vecs[i]
		v.Type, v.Len, cols[i] = k.types[i], 1, v
		null := nulls[i>>3]&(1<<(i&7)) != 0
		if null {
			v.Valid = []byte{0}
		}
		switch k.phys[i] {
		case Int64:
			var x int64
			if !null {
				x, src = form.int64(k.types[i].Kind, src)
			}
			i64 = append(i64, x)
			v.I64 = i64[len(i64)-1 : len(i64) : len(i64)]
		case Float64:
			var x float64
			if !null {
				x, src = form.float64(src)
			}
			f64 = append(f64, x)
			v.F64 = f64[len(f64)-1 : len(f64) : len(f64)]
		case Wide:
			var x Int128
			if !null {
				x, src = readWide(src)
			}
			w = append(w, x)
			v.W = w[len(w)-1 : len(w) : len(w)]
		case Bytes:
			size := 0
			if !null {
				size, src = form.size(src)
			}
			v.Data, src = src[:size:size], src[size:]
			off = append(off, 0, int32(size))
			v.Off = off[len(off)-2 : len(off) : len(off)]
		}
	}
	return &Batch{N: 1, Cols: cols}
}

// room is how many columns of each layout there are.
type room struct{ i64, f64, w, bytes int }

func (r *room) add(p Phys) {
	switch p {
	case Int64:
		r.i64++
	case Float64:
		r.f64++
	case Wide:
		r.w++
	case Bytes:
		r.bytes++
	}
}

// int64 reads a value of an Int64 column, and returns what follows it.
func (f rowForm) int64(kind types.Kind, src []byte) (int64, []byte) {
	switch f {
	case row1:
		return narrow(kind, uint64(src[0])), src[1:]
	case row2:
		return narrow(kind, uint64(binary.LittleEndian.Uint16(src))), src[2:]
	case row4:
		return narrow(kind, uint64(binary.LittleEndian.Uint32(src))), src[4:]
	case rowVarint:
		x, n := binary.Varint(src)
		return x, src[n:]
	}
	return int64(binary.LittleEndian.Uint64(src)), src[8:]
}

// float64 reads a value of a Float64 column, and returns what follows it.
func (f rowForm) float64(src []byte) (float64, []byte) {
	if f == rowFloat32 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(src))), src[4:]
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(src)), src[8:]
}

// size reads how long a value of a Bytes column is, and returns it and what follows that.
func (f rowForm) size(src []byte) (int, []byte) {
	if f == row16 {
		return 16, src
	}
	n, from := binary.Uvarint(src)
	return int(n), src[from:]
}
