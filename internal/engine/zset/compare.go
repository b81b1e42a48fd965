package zset

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"leat/internal/types"
)

// Equal reports whether row i of a and row j of b are the same row: NULL is the same as NULL, and NaN as NaN. It is the identity that the
// codecs keep, finer than SQL's equality in two places: -0.0 is not 0.0, and 30 days are not a month. Where SQL's is meant (grouping, join
// keys) give it columns that went through Normalize.
func Equal(a []*Vec, i int, b []*Vec, j int) bool {
	for c, v := range a {
		if !same(v, i, b[c], j) {
			return false
		}
	}
	return true
}

func same(v *Vec, i int, o *Vec, j int) bool {
	if n := v.Null(i); n || o.Null(j) {
		return n && o.Null(j)
	}
	switch {
	case v.I64 != nil:
		return v.I64[i] == o.I64[j]
	case v.Off != nil:
		return string(v.Bytes(i)) == string(o.Bytes(j))
	case v.F64 != nil:
		return floatBits(v.F64[i]) == floatBits(o.F64[j])
	}
	return v.W[i] == o.W[j]
}

// Compare orders value i of a and value j of b, columns of the same type, as DuckDB does: NULL is greatest, NaN the greatest number,
// -0.0 equals 0.0, intervals count a month as 30 days, lists and structs go by their first difference.
func Compare(a *Vec, i int, b *Vec, j int) int {
	if n, m := a.Null(i), b.Null(j); n || m {
		return boolInt(n) - boolInt(m)
	}
	switch {
	case a.I64 != nil:
		return cmp.Compare(a.I64[i], b.I64[j])
	case a.F64 != nil:
		return CompareFloat(a.F64[i], b.F64[j])
	case a.W != nil:
		return a.W[i].Cmp(b.W[j])
	}
	p, q := a.Bytes(i), b.Bytes(j)
	switch {
	case a.Type.Kind == types.Interval:
		return compareInterval(readInterval(p), readInterval(q))
	case a.Type.Kind.IsNested() && !Canonical(a.Type):
		return bytes.Compare(normalizePacked(nil, a.Type, p), normalizePacked(nil, a.Type, q))
	}
	return bytes.Compare(p, q)
}

// CompareFloat orders as DuckDB: NaN is greatest and equal to itself, -0.0 equals 0.0.
func CompareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return boolInt(x != x) - boolInt(y != y)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Interval is an INTERVAL's three parts.
type Interval struct {
	Months, Days int32
	Micros       int64
}

const (
	microsPerDay = 86_400_000_000
	daysPerMonth = 30
)

func readInterval(p []byte) Interval {
	return Interval{int32(binary.LittleEndian.Uint32(p)), int32(binary.LittleEndian.Uint32(p[4:])), int64(binary.LittleEndian.Uint64(p[8:]))}
}

// Interval returns value i of an INTERVAL column.
func (v *Vec) Interval(i int) Interval { return readInterval(v.Bytes(i)) }

// Append appends the interval's 16 bytes as a Bytes column holds them.
func (x Interval) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(x.Months))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(x.Days))
	return binary.LittleEndian.AppendUint64(dst, uint64(x.Micros))
}

// normal carries whole days and months of 30 days to the left, as DuckDB does to compare.
func (x Interval) normal() (months, days, micros int64) {
	carry := x.Micros / microsPerDay
	days = int64(x.Days) + carry
	months = int64(x.Months) + days/daysPerMonth
	return months, days % daysPerMonth, x.Micros - carry*microsPerDay
}

func compareInterval(x, y Interval) int {
	m, d, u := x.normal()
	n, e, v := y.normal()
	return cmp.Or(cmp.Compare(m, n), cmp.Compare(d, e), cmp.Compare(u, v))
}
