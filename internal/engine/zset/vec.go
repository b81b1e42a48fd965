// Package zset holds the engine's data: batches of rows in columns, each row with a weight (a Z-set, as in DBSP,
// arXiv:2203.16684), their comparison and hashing, and the codecs that turn rows into the bytes of state.
package zset

import (
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/types"
)

// Int128 is a signed 128-bit integer as Arrow lays it out.
type Int128 = decimal128.Num

// Phys is how the values of a column lie in memory.
type Phys uint8

const (
	// Int64 holds BOOLEAN (0, 1), signed integers to 64 bits, unsigned ones to 32 bits, DATE (days), TIME and timestamps (µs).
	Int64 Phys = iota
	// Float64 holds DOUBLE and FLOAT (rounded to float32).
	Float64
	// Wide holds UBIGINT, HUGEINT and DECIMAL (unscaled).
	Wide
	// Bytes holds VARCHAR, JSON and BLOB as they are, UUID as 16 bytes in RFC 9562 order, INTERVAL as 16 bytes (months int32, days int32,
	// µs int64, little endian), and LIST, STRUCT and MAP packed (pack.go).
	Bytes
)

// PhysOf returns the layout of a type.
func PhysOf(t types.Type) Phys {
	switch t.Kind {
	case types.Float, types.Double:
		return Float64
	case types.UBigInt, types.HugeInt, types.Decimal:
		return Wide
	case types.Varchar, types.Blob, types.JSON, types.UUID, types.Interval, types.Struct, types.List, types.Map:
		return Bytes
	default:
		return Int64
	}
}

// Vec is one column. It mirrors Arrow's layout, so that most columns cross over without a copy. Exactly the slice of its Phys is set, Len
// values long (Off has Len+1). A vec is immutable once it was handed on; slices may be shared between vecs.
type Vec struct {
	Type types.Type
	Len  int
	// Valid is a bitmap, bit i (LSB first) set where row i is not NULL; nil means that no row is. What lies under a NULL is undefined.
	Valid []byte

	I64 []int64
	F64 []float64
	W   []Int128
	// Value i of Bytes is Data[Off[i]:Off[i+1]].
	Off  []int32
	Data []byte
}

// Null reports whether row i is NULL.
func (v *Vec) Null(i int) bool { return v.Valid != nil && v.Valid[i>>3]&(1<<(i&7)) == 0 }

// Bytes returns value i of a Bytes column; don't change it.
func (v *Vec) Bytes(i int) []byte { return v.Data[v.Off[i]:v.Off[i+1]] }

// Batch is a Z-set: N rows in columns, with a weight each. It is immutable once handed on. An empty delta is nil.
type Batch struct {
	Cols []*Vec
	// N is the number of rows (Cols may be empty).
	N int
	// W is the weight per row, never 0; nil means +1 for each row.
	W []int64
}

// Weight returns the weight of row i.
func (b *Batch) Weight(i int) int64 {
	if b.W == nil {
		return 1
	}
	return b.W[i]
}

// Rows returns the number of rows; that of a nil batch is 0.
func (b *Batch) Rows() int {
	if b == nil {
		return 0
	}
	return b.N
}
