package zset

import (
	"fmt"
	"math"
	"slices"

	"leat/internal/types"
)

// Builder makes a batch row by row: write each column of a row once, in any order, then EndRow. It belongs to one goroutine. A column's
// bytes must stay below 2 GiB in one batch.
type Builder struct {
	cols []column
	n    int
	// room is the number of rows at which to grow, hint how many rows the last batch had.
	room, hint int
	// w is nil while all weights are +1.
	w []int64
}

// NewBuilder returns a builder of rows with columns of these types.
func NewBuilder(ts []types.Type) *Builder {
	b := &Builder{cols: make([]column, len(ts)), room: 1}
	for i, t := range ts {
		b.cols[i] = newColumn(t)
	}
	return b
}

// Append adds row row of src, which has the builder's columns, with weight w.
func (b *Builder) Append(src *Batch, row int, w int64) {
	b.AppendCols(0, src.Cols, row)
	b.EndRow(w)
}

// AppendCols writes row row of cols to columns at.. of the current row.
func (b *Builder) AppendCols(at int, cols []*Vec, row int) {
	to := b.cols[at : at+len(cols)]
	for i, v := range cols {
		to[i].append(v, row)
	}
}

// AppendNulls writes NULL to columns [at, at+n) of the current row.
func (b *Builder) AppendNulls(at, n int) {
	for i := range b.cols[at : at+n] {
		b.cols[at+i].null()
	}
}

// AppendNull writes NULL.
func (b *Builder) AppendNull(at int) { b.cols[at].null() }

// AppendInt64 writes a value of an Int64 column.
func (b *Builder) AppendInt64(at int, v int64) {
	c := &b.cols[at]
	c.i64 = append(c.i64, v)
	c.value()
}

// AppendBool writes a value of a BOOLEAN column.
func (b *Builder) AppendBool(at int, v bool) {
	n := int64(0)
	if v {
		n = 1
	}
	b.AppendInt64(at, n)
}

// AppendFloat64 writes a value of a Float64 column.
func (b *Builder) AppendFloat64(at int, v float64) {
	c := &b.cols[at]
	c.f64 = append(c.f64, v)
	c.value()
}

// AppendWide writes a value of a Wide column.
func (b *Builder) AppendWide(at int, v Int128) {
	c := &b.cols[at]
	c.w = append(c.w, v)
	c.value()
}

// AppendBytes copies a value of a Bytes column.
func (b *Builder) AppendBytes(at int, p []byte) {
	c := &b.cols[at]
	c.data = append(c.data, p...)
	c.endBytes()
}

// EndRow ends the current row. A row of weight 0 is forgotten.
func (b *Builder) EndRow(w int64) {
	if w == 0 {
		for i := range b.cols {
			b.cols[i].truncate(b.n)
		}
		return
	}
	if w != 1 && b.w == nil {
		b.w = ones(b.n)
	}
	if b.w != nil {
		b.w = append(b.w, w)
	}
	b.n++
	if b.n == b.room {
		b.grow()
	}
}

// grow makes room after the first row for as many as the last batch had, and then for twice as many as there are. That is less copying
// than append's own growth by a quarter.
func (b *Builder) grow() {
	n := b.n
	if n == 1 {
		n = b.hint + b.hint/8
	}
	b.Reserve(n)
	b.room = max(64, b.n+n)
}

func ones(n int) []int64 {
	w := make([]int64, n, n+8)
	for i := range w {
		w[i] = 1
	}
	return w
}

// Len is the number of rows ended.
func (b *Builder) Len() int { return b.n }

// Reserve makes room for n more rows.
func (b *Builder) Reserve(n int) {
	for i := range b.cols {
		b.cols[i].reserve(n)
	}
}

// Finish returns the rows, nil if there are none, and begins anew; it expects as many rows as these were.
func (b *Builder) Finish() *Batch {
	if b.n == 0 {
		return nil
	}
	out := &Batch{N: b.n, W: b.w, Cols: make([]*Vec, len(b.cols))}
	vecs := make([]Vec, len(b.cols))
	for i := range b.cols {
		if b.cols[i].n != b.n {
			panic(fmt.Sprintf("BUG: column %d has %d values in %d rows", i, b.cols[i].n, b.n))
		}
		vecs[i] = b.cols[i].finish()
		out.Cols[i] = &vecs[i]
	}
	b.n, b.w, b.hint, b.room = 0, nil, b.n, 1
	return out
}

// column collects the values of one column.
type column struct {
	typ  types.Type
	phys Phys
	n    int
	// valid is nil until the first NULL.
	valid []byte

	i64  []int64
	f64  []float64
	w    []Int128
	off  []int32
	data []byte
}

func newColumn(t types.Type) column {
	c := column{typ: t, phys: PhysOf(t)}
	if c.phys == Bytes {
		c.off = make([]int32, 1, 8)
	}
	return c
}

func (c *column) append(v *Vec, row int) {
	if v.Valid != nil && v.Null(row) {
		c.null()
		return
	}
	switch c.phys {
	case Int64:
		c.i64 = append(c.i64, v.I64[row])
	case Float64:
		c.f64 = append(c.f64, v.F64[row])
	case Wide:
		c.w = append(c.w, v.W[row])
	case Bytes:
		c.data = append(c.data, v.Bytes(row)...)
		c.endBytes()
		return
	}
	c.value()
}

// endBytes ends a value whose bytes were appended to data.
func (c *column) endBytes() {
	if len(c.data) > math.MaxInt32 {
		panic("BUG: more than 2 GiB in one column of a batch")
	}
	c.off = append(c.off, int32(len(c.data)))
	c.value()
}

// value counts a value that was appended.
func (c *column) value() {
	if c.valid != nil {
		c.grow()
		c.valid[c.n>>3] |= 1 << (c.n & 7)
	}
	c.n++
}

// null appends a NULL.
func (c *column) null() {
	if c.valid == nil {
		c.valid = allValid(c.n)
	}
	c.grow()
	c.valid[c.n>>3] &^= 1 << (c.n & 7)
	c.n++
	switch c.phys {
	case Int64:
		c.i64 = append(c.i64, 0)
	case Float64:
		c.f64 = append(c.f64, 0)
	case Wide:
		c.w = append(c.w, Int128{})
	case Bytes:
		c.off = append(c.off, int32(len(c.data)))
	}
}

// grow makes valid reach over row n.
func (c *column) grow() {
	if c.n>>3 == len(c.valid) {
		c.valid = append(c.valid, 0)
	}
}

func (c *column) truncate(n int) {
	if c.n == n {
		return
	}
	c.n = n
	if c.valid != nil {
		c.valid = c.valid[:(n+7)/8]
	}
	switch c.phys {
	case Int64:
		c.i64 = c.i64[:n]
	case Float64:
		c.f64 = c.f64[:n]
	case Wide:
		c.w = c.w[:n]
	case Bytes:
		c.off = c.off[:n+1]
		c.data = c.data[:c.off[n]]
	}
}

func (c *column) reserve(n int) {
	switch c.phys {
	case Int64:
		c.i64 = slices.Grow(c.i64, n)
	case Float64:
		c.f64 = slices.Grow(c.f64, n)
	case Wide:
		c.w = slices.Grow(c.w, n)
	case Bytes:
		c.off = slices.Grow(c.off, n)
		if c.n > 0 {
			c.data = slices.Grow(c.data, len(c.data)/c.n*n)
		}
	}
}

func (c *column) finish() Vec {
	v := Vec{Type: c.typ, Len: c.n, Valid: c.valid, I64: c.i64, F64: c.f64, W: c.w, Off: c.off, Data: c.data}
	*c = newColumn(c.typ)
	return v
}
