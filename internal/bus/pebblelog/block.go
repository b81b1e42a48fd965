package pebblelog

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"leat/internal/types"
)

// A block is the rows of an entry as columns: the buffers of Arrow's format without its envelope
// (docs/formats/batch.md). Buffers start at multiples of 8, so a block is decoded without copying.
// Against Arrow IPC it saves the flatbuffers of each batch (1.1 KiB for seven columns) and joins the
// rows of many small appends while it encodes.

// Bounds of one entry.
const (
	maxRows   = 1 << 20
	maxRawLen = 1<<31 - 1
)

// span is n values of an array from its logical position off.
type span struct {
	data   arrow.ArrayData
	off, n int
}

// abs is where the span starts in the buffers of its array.
func (s span) abs() int { return s.data.Offset() + s.off }

// buffer returns a buffer's bytes, nil where the array has none.
func (s span) buffer(i int) []byte {
	b := s.data.Buffers()
	if i >= len(b) || b[i] == nil {
		return nil
	}
	return b[i].Bytes()
}

// encodeBlock appends the rows of all batches, which have the same schema, to dst.
func encodeBlock(dst []byte, info *schemaInfo, batches []*types.Batch) ([]byte, error) {
	spans := make([]span, len(batches))
	for c, dt := range info.arrow {
		for i, b := range batches {
			spans[i] = span{b.Columns[c].Data(), 0, b.Rows}
		}
		dst = encodeNode(dst, dt, spans)
		if len(dst) > maxRawLen/2 {
			return nil, types.Errorf(types.PayloadTooLarge, "a row or batch of more than %d MiB", maxRawLen/2>>20)
		}
	}
	if hasWeights(batches) {
		for _, b := range batches {
			for i := range b.Rows {
				dst = binary.LittleEndian.AppendUint64(dst, uint64(b.Weight(i)))
			}
		}
	}
	return dst, nil
}

func hasWeights(batches []*types.Batch) bool {
	for _, b := range batches {
		if b.Weights != nil {
			return true
		}
	}
	return false
}

// encodeNode appends an array: its number of nulls, its validity bits where there are nulls, its buffers, its children.
func encodeNode(dst []byte, dt arrow.DataType, spans []span) []byte {
	rows, nulls := 0, 0
	for _, s := range spans {
		rows += s.n
		if valid := s.buffer(0); valid != nil && s.data.NullN() != 0 {
			nulls += s.n - bitutil.CountSetBits(valid, s.abs(), s.n)
		}
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(nulls))
	if nulls > 0 {
		dst = encodeBits(dst, spans, rows, 0)
	}
	switch dt := dt.(type) {
	case *arrow.StructType:
		for i, f := range dt.Fields() {
			dst = encodeNode(dst, f.Type, children(spans, i, func(s span) (int, int) { return s.abs(), s.n }))
		}
	case arrow.ListLikeType: // LIST and MAP: a map is a list of structs of key and value
		dst = encodeOffsets(dst, spans, rows)
		dst = encodeNode(dst, dt.Elem(), children(spans, 0, offsetRange))
	case arrow.BinaryDataType:
		dst = encodeOffsets(dst, spans, rows)
		for _, s := range spans {
			from, n := offsetRange(s)
			dst = append(dst, s.buffer(2)[from:from+n]...)
		}
		dst = pad(dst)
	case *arrow.BooleanType:
		dst = encodeBits(dst, spans, rows, 1)
	default:
		width := dt.(arrow.FixedWidthDataType).BitWidth() / 8
		for _, s := range spans {
			if s.n > 0 {
				dst = append(dst, s.buffer(1)[s.abs()*width:(s.abs()+s.n)*width]...)
			}
		}
		dst = pad(dst)
	}
	return dst
}

func children(spans []span, i int, part func(span) (off, n int)) []span {
	out := make([]span, 0, len(spans))
	for _, s := range spans {
		if off, n := part(s); n > 0 {
			out = append(out, span{s.data.Children()[i], off, n})
		}
	}
	return out
}

// offsets returns the n+1 offsets of a span of a variable-length array, nil where it has no values.
func offsets(s span) []int32 {
	if s.n == 0 {
		return nil
	}
	return arrow.Int32Traits.CastFromBytes(s.buffer(1))[s.abs() : s.abs()+s.n+1]
}

// offsetRange is where the values of a span lie in its data or child.
func offsetRange(s span) (from, n int) {
	o := offsets(s)
	if o == nil {
		return 0, 0
	}
	return int(o[0]), int(o[s.n] - o[0])
}

// encodeOffsets appends rows+1 offsets that start at 0.
func encodeOffsets(dst []byte, spans []span, rows int) []byte {
	at := len(dst)
	dst = grow(dst, 4*(rows+1))
	out := arrow.Int32Traits.CastFromBytes(dst[at : at+4*(rows+1)])
	i, base := 0, int32(0)
	for _, s := range spans {
		o := offsets(s)
		if o == nil {
			continue
		}
		shift := base - o[0]
		for k, v := range o[1:] {
			out[i+k+1] = v + shift
		}
		i += s.n
		base = out[i]
	}
	return pad(dst)
}

// encodeBits appends the bits of buffer i of all spans; a missing buffer is all ones.
func encodeBits(dst []byte, spans []span, rows, i int) []byte {
	at := len(dst)
	dst = grow(dst, (rows+7)/8)
	out, pos := dst[at:], 0
	for _, s := range spans {
		if src := s.buffer(i); src != nil {
			bitutil.CopyBitmap(src, s.abs(), s.n, out, pos)
		} else {
			bitutil.SetBitsTo(out, int64(pos), int64(s.n), true)
		}
		pos += s.n
	}
	return pad(dst)
}

// grow appends n zero bytes.
func grow(dst []byte, n int) []byte {
	at := len(dst)
	if cap(dst)-at < n {
		dst = append(dst, make([]byte, n)...)
	} else {
		dst = dst[:at+n]
		clear(dst[at:])
	}
	return dst
}

// pad appends zeros up to the next multiple of 8.
func pad(dst []byte) []byte {
	var zero [8]byte
	return append(dst, zero[:-len(dst)&7]...)
}

// blockSize estimates the encoded size of a batch, so that encoding allocates once.
func blockSize(b *types.Batch) int {
	n := 8 * len(b.Weights)
	for _, c := range b.Columns {
		n += nodeSize(span{c.Data(), 0, b.Rows})
	}
	return n
}

func nodeSize(s span) int {
	n := 8 + s.n/8 + 8
	switch dt := s.data.DataType().(type) {
	case *arrow.StructType:
		for _, c := range s.data.Children() {
			n += nodeSize(span{c, s.abs(), s.n})
		}
	case arrow.ListLikeType:
		from, k := offsetRange(s)
		n += 4*s.n + 16 + nodeSize(span{s.data.Children()[0], from, k})
	case arrow.BinaryDataType:
		_, k := offsetRange(s)
		n += 4*s.n + 24 + k
	case arrow.FixedWidthDataType:
		n += dt.BitWidth()*s.n/8 + 8
	}
	return min(n, math.MaxInt32)
}
