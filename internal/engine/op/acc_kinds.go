package op

import (
	"encoding/binary"
	"math"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// accumulator computes one aggregate. It holds a delta per group of the running step, and the state of one group at a time:
//
//	reset; add; then for each group: load or zero, value (the old one), merge, value (the new one), store
type accumulator interface {
	// reset forgets the deltas and makes room for groups.
	reset(groups int)
	// add adds rows to the deltas of their groups.
	add(in *rows)
	// zero makes the current state that of a group without rows.
	zero()
	// load reads the current state from the front of src, which store wrote, and returns what follows. It may keep src.
	load(src []byte) []byte
	// merge adds the delta of group g, whose state key is key, to the current state.
	merge(g int, key []byte)
	// store appends the current state to dst.
	store(dst []byte) []byte
	// value appends the current result as a cell.
	value(dst []byte) ([]byte, *types.Error)
	// write writes the cell at the front of src to column at of b's current row and returns what follows.
	write(b *zset.Builder, at int, src []byte) []byte
	// release forgets the input of the step.
	release()
	// tables are those whose keys begin with the group's, for freeing.
	tables() []state.Table
}

// rows are the input rows that one aggregate takes in a step.
type rows struct {
	cols []*zset.Vec
	n    int
	// sel are the rows taken, nil for all. w (nil: +1 each) and gid go by row, not by position in sel.
	sel []int32
	w   []int64
	gid []int32
	// groups is the number of groups and key their state keys.
	groups int
	key    func(g int) []byte
}

// plain reports whether all rows are taken with weight +1.
func (r *rows) plain() bool { return r.sel == nil && r.w == nil }

// count is the number of rows taken.
func (r *rows) count() int {
	if r.sel != nil {
		return len(r.sel)
	}
	return r.n
}

// at returns the k-th row taken and its weight.
func (r *rows) at(k int) (row int, w int64) {
	row, w = k, 1
	if r.sel != nil {
		row = int(r.sel[k])
	}
	if r.w != nil {
		w = r.w[row]
	}
	return row, w
}

// Cells are values on their way from an accumulator to a builder: a byte that is 0 for NULL, then 8 bytes (Int64, Float64), 16 (Wide), or
// what the accumulator likes. Equal values have equal cells.
const (
	nullCell  = 0
	valueCell = 1
)

func appendIntCell(dst []byte, v int64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, valueCell), uint64(v))
}

func appendBoolCell(dst []byte, v bool) []byte {
	n := int64(0)
	if v {
		n = 1
	}
	return appendIntCell(dst, n)
}

func appendFloatCell(dst []byte, v float64) []byte {
	if v != v {
		v = math.NaN()
	}
	return appendIntCell(dst, int64(math.Float64bits(v)))
}

func appendWideCell(dst []byte, v zset.Int128) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, valueCell), v.LowBits())
	return binary.LittleEndian.AppendUint64(dst, uint64(v.HighBits()))
}

// fixed writes cells of fixed size, and holds no input.
type fixed struct{ phys zset.Phys }

func (fixed) release() {}

func (f fixed) write(b *zset.Builder, at int, src []byte) []byte {
	if src[0] == nullCell {
		b.AppendNull(at)
		return src[1:]
	}
	src = src[1:]
	v := binary.LittleEndian.Uint64(src)
	switch f.phys {
	case zset.Int64:
		b.AppendInt64(at, int64(v))
	case zset.Float64:
		b.AppendFloat64(at, math.Float64frombits(v))
	default:
		b.AppendWide(at, wide(int64(binary.LittleEndian.Uint64(src[8:])), v))
		return src[16:]
	}
	return src[8:]
}

// readVarint and readUvarint read a number that this package wrote. Damaged state is the store's to find.
func readVarint(src []byte) (int64, []byte) {
	v, n := binary.Varint(src)
	return v, src[max(n, 0):]
}

func readUvarint(src []byte) (uint64, []byte) {
	v, n := binary.Uvarint(src)
	return v, src[max(n, 0):]
}

// roomy is a capacity that an idle operator may keep.
const roomy = 1 << 11

// resize returns s with n zero elements. It does not keep room that is many times too large: idle views have to be small.
func resize[T any](s []T, n int) []T {
	if cap(s) < n || cap(s) > roomy && n < cap(s)>>5 {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}
