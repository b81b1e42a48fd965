package codec

import (
	"encoding/binary"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

// column collects the values of one column, or of one member of a nested one, in memory that is
// reused from body to body; finish copies it out. Every row appends exactly one value, or NULL.
type column struct {
	typ   types.Type
	arrow arrow.DataType
	width int // bytes of a value in data; 0 where data is text, or unused
	n     int // values so far
	data  []byte
	ends  []int32 // by value: where it ends in data, or in kids[0] (of a map: in both kids)
	nulls []int32 // the values that are NULL, rising
	kids  []*column

	members *object       // of a struct
	meta    *types.Column // of a top-level column
	wide    bool

	// date is the last date that timestamp read, midnight its beginning in µs; zeros before.
	date     [10]byte
	midnight int64
}

func newColumn(t types.Type) *column {
	c := &column{typ: t, arrow: t.Arrow()}
	switch t.Kind {
	case types.Boolean:
		c.width = 1 // packed into bits by finish
	case types.Struct:
		c.members = &object{}
		for _, f := range t.Fields {
			kid := newColumn(f.Type)
			c.kids = append(c.kids, kid)
			c.members.add(f.Key, &field{col: kid})
		}
	case types.List:
		c.kids = []*column{newColumn(*t.Elem)}
	case types.Map:
		c.kids = []*column{newColumn(*t.Key), newColumn(*t.Elem)}
	default:
		if f, ok := c.arrow.(arrow.FixedWidthDataType); ok {
			c.width = f.Bytes()
		}
	}
	return c
}

func (c *column) put8(v uint64) {
	c.data = binary.LittleEndian.AppendUint64(c.data, v)
	c.n++
}

// put appends the low bytes of v that the column's width takes.
func (c *column) put(v uint64) {
	var buf [8]byte
	binary.LittleEndian.PutUint64(buf[:], v)
	c.data = append(c.data, buf[:c.width]...)
	c.n++
}

// putBytes appends text, or a fixed-width value in its Arrow form.
func (c *column) putBytes(v []byte) {
	c.data = append(c.data, v...)
	c.end()
}

// end ends a value of variable width whose bytes were appended to data.
func (c *column) end() {
	if c.width == 0 {
		c.ends = append(c.ends, int32(len(c.data)))
	}
	c.n++
}

// endList ends a list or map whose elements were appended to kids.
func (c *column) endList() {
	c.ends = append(c.ends, int32(c.kids[0].n))
	c.n++
}

var zeros [16]byte

// null appends NULL.
func (c *column) null() {
	c.nulls = append(c.nulls, int32(c.n))
	switch {
	case c.width > 0:
		c.data = append(c.data, zeros[:c.width]...)
		c.n++
	case c.members != nil:
		for _, k := range c.kids {
			k.null()
		}
		c.n++
	case c.kids != nil:
		c.endList()
	default:
		c.end()
	}
}

func (c *column) isNull(i int) bool {
	return len(c.nulls) > 0 && c.nulls[len(c.nulls)-1] == int32(i)
}

// truncate drops all values from the n-th on, also those of an unfinished one.
func (c *column) truncate(n int) {
	for len(c.nulls) > 0 && int(c.nulls[len(c.nulls)-1]) >= n {
		c.nulls = c.nulls[:len(c.nulls)-1]
	}
	switch {
	case c.width > 0:
		c.data = c.data[:n*c.width]
	case c.members != nil:
		for _, k := range c.kids {
			k.truncate(n)
		}
	default:
		c.ends = c.ends[:n]
		end := 0
		if n > 0 {
			end = int(c.ends[n-1])
		}
		for _, k := range c.kids {
			k.truncate(end)
		}
		if c.kids == nil {
			c.data = c.data[:end]
		}
	}
	c.n = n
}

// from returns where the n-th value of variable width starts.
func (c *column) from(n int) int {
	if n == 0 {
		return 0
	}
	return int(c.ends[n-1])
}

// cell returns the bytes of a value that is not nested.
func (c *column) cell(i int) []byte {
	if c.width > 0 {
		return c.data[i*c.width : (i+1)*c.width]
	}
	return c.data[c.from(i):c.ends[i]]
}

// arena hands out pieces of one allocation, each aligned to 64 bytes as Arrow recommends.
type arena struct{ rest []byte }

func aligned(n int) int { return (n + 63) &^ 63 }

func (a *arena) take(n int) []byte {
	p := a.rest[:n:n]
	a.rest = a.rest[aligned(n):]
	return p
}

// size is how much of an arena build takes.
func (c *column) size() int {
	n := 0
	if len(c.nulls) > 0 {
		n += aligned((c.n + 7) / 8)
	}
	if c.width == 0 && c.members == nil {
		n += aligned(4 * (c.n + 1))
	}
	if c.typ.Kind == types.Boolean {
		n += aligned((c.n + 7) / 8)
	} else {
		n += aligned(len(c.data))
	}
	for _, k := range c.kids {
		n += k.size()
	}
	return n
}

// finish copies columns into Arrow arrays that share one allocation.
func finish(columns []*column) []arrow.Array {
	n := 0
	for _, c := range columns {
		n += c.size()
	}
	a := &arena{rest: make([]byte, n)}
	out := make([]arrow.Array, len(columns))
	for i, c := range columns {
		out[i] = array.MakeFromData(c.build(a))
	}
	return out
}

func (c *column) build(a *arena) arrow.ArrayData {
	buffers := []*memory.Buffer{c.validity(a)}
	if c.width == 0 && c.members == nil {
		ends := a.take(4 * (c.n + 1))
		if c.n > 0 {
			copy(ends[4:], unsafe.Slice((*byte)(unsafe.Pointer(&c.ends[0])), 4*c.n))
		}
		buffers = append(buffers, memory.NewBufferBytes(ends))
	}
	switch {
	case c.typ.Kind == types.Boolean:
		buffers = append(buffers, memory.NewBufferBytes(c.bits(a)))
	case c.kids == nil:
		data := a.take(len(c.data))
		copy(data, c.data)
		buffers = append(buffers, memory.NewBufferBytes(data))
	}
	var children []arrow.ArrayData
	for _, k := range c.kids {
		children = append(children, k.build(a))
	}
	if c.typ.Kind == types.Map {
		entry := c.arrow.(*arrow.MapType).Elem()
		children = []arrow.ArrayData{array.NewData(entry, c.kids[0].n, []*memory.Buffer{nil}, children, 0, 0)}
	}
	return array.NewData(c.arrow, c.n, buffers, children, len(c.nulls), 0)
}

func (c *column) validity(a *arena) *memory.Buffer {
	if len(c.nulls) == 0 {
		return nil
	}
	valid := a.take((c.n + 7) / 8)
	for i := range valid {
		valid[i] = 0xFF
	}
	for _, i := range c.nulls {
		valid[i>>3] &^= 1 << (i & 7)
	}
	return memory.NewBufferBytes(valid)
}

func (c *column) bits(a *arena) []byte {
	packed := a.take((c.n + 7) / 8)
	for i, v := range c.data {
		packed[i>>3] |= v << (i & 7)
	}
	return packed
}
