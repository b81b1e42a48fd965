package pebblelog

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// decodeBlock makes a batch whose columns point into raw, which must not change afterwards. It checks every
// length and offset, so that damaged bytes give an error and never a panic later.
func decodeBlock(raw []byte, info *schemaInfo, rows int, weights bool) (*types.Batch, error) {
	d := decoder{b: raw}
	out := &types.Batch{Schema: info.schema, Columns: make([]arrow.Array, len(info.arrow)), Rows: rows}
	for i, dt := range info.arrow {
		data := d.node(dt, rows)
		if d.err != nil {
			return nil, d.err
		}
		out.Columns[i] = array.MakeFromData(data)
	}
	if weights {
		if b := d.take(8 * rows); d.err == nil {
			out.Weights = arrow.Int64Traits.CastFromBytes(b)
		}
	}
	if d.err == nil && len(d.b) != d.pos {
		d.fail("%d bytes are left over", len(d.b)-d.pos)
	}
	return out, d.err
}

type decoder struct {
	b   []byte
	pos int
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = types.Errorf(types.Corrupt, "block: "+format, args...)
	}
}

// take returns the next n bytes and skips their padding.
func (d *decoder) take(n int) []byte {
	end := d.pos + n + (-n & 7)
	if d.err != nil || n < 0 || end > len(d.b) {
		d.fail("%d bytes wanted at %d of %d", n, d.pos, len(d.b))
		return nil
	}
	b := d.b[d.pos : d.pos+n : d.pos+n]
	d.pos = end
	return b
}

func (d *decoder) buffer(n int) *memory.Buffer { return memory.NewBufferBytes(d.take(n)) }

// node reads an array of n values.
func (d *decoder) node(dt arrow.DataType, n int) arrow.ArrayData {
	count := d.take(8)
	if d.err != nil {
		return nil
	}
	nulls := binary.LittleEndian.Uint64(count)
	if nulls > uint64(n) {
		d.fail("%d nulls in %d values", nulls, n)
		return nil
	}
	var valid *memory.Buffer
	if nulls > 0 {
		valid = d.buffer((n + 7) / 8)
	}
	var buffers []*memory.Buffer
	var kids []arrow.ArrayData
	switch dt := dt.(type) {
	case *arrow.StructType:
		buffers = []*memory.Buffer{valid}
		for _, f := range dt.Fields() {
			kids = append(kids, d.child(f.Type, n))
		}
	case arrow.ListLikeType:
		offsets, total := d.offsets(n)
		buffers = []*memory.Buffer{valid, offsets}
		kids = []arrow.ArrayData{d.child(dt.Elem(), total)}
		if _, ok := dt.(*arrow.MapType); ok && d.err == nil && (kids[0].NullN() > 0 || kids[0].Children()[0].NullN() > 0) {
			d.fail("a map with NULL keys")
		}
	case arrow.BinaryDataType:
		offsets, total := d.offsets(n)
		buffers = []*memory.Buffer{valid, offsets, d.buffer(total)}
	case *arrow.BooleanType:
		buffers = []*memory.Buffer{valid, d.buffer((n + 7) / 8)}
	default:
		buffers = []*memory.Buffer{valid, d.buffer(n * dt.(arrow.FixedWidthDataType).BitWidth() / 8)}
	}
	if d.err != nil {
		return nil
	}
	return array.NewData(dt, n, buffers, kids, int(nulls), 0)
}

// child reads a nested array, if nothing failed so far.
func (d *decoder) child(dt arrow.DataType, n int) arrow.ArrayData {
	if d.err != nil {
		return nil
	}
	return d.node(dt, n)
}

// offsets reads n+1 offsets and returns them with the last one.
func (d *decoder) offsets(n int) (*memory.Buffer, int) {
	b := d.take(4 * (n + 1))
	if d.err != nil {
		return nil, 0
	}
	o := arrow.Int32Traits.CastFromBytes(b)
	if o[0] != 0 {
		d.fail("offsets start at %d", o[0])
	}
	for i := 1; i < len(o); i++ {
		if o[i] < o[i-1] {
			d.fail("offsets go back from %d to %d", o[i-1], o[i])
			break
		}
	}
	return memory.NewBufferBytes(b), int(o[n])
}
