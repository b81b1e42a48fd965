package op

import (
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// sum adds whole numbers and decimals: sum, or avg where average is set.
type sum struct {
	fixed
	arg    int
	result types.Type
	deltas []intSum
	cur    intSum
	// average: the result is the sum / (count * 10^scale), rounded as DuckDB does; narrow is its way for SMALLINT.
	average, narrow bool
	scale           uint8
}

type intSum struct {
	sum int192
	n   int64
}

func (s *sum) reset(groups int) { s.deltas = resize(s.deltas, groups) }

func (s *sum) add(in *rows) {
	v := in.cols[s.arg]
	switch {
	case v.I64 != nil && in.plain():
		src, d := v.I64[:in.n], s.deltas
		for i, g := range in.gid[:in.n] {
			e := &d[g]
			e.sum.addInt(src[i])
			e.n++
		}
	case v.I64 != nil:
		for k := range in.count() {
			i, w := in.at(k)
			e, x := &s.deltas[in.gid[i]], v.I64[i]
			e.n += w
			switch w {
			case 1:
				e.sum.addInt(x)
			default:
				e.sum.addTimes(wide(x>>63, uint64(x)), w)
			}
		}
	default:
		s.addWide(v.W, in)
	}
}

func (s *sum) addWide(src []zset.Int128, in *rows) {
	for k := range in.count() {
		i, w := in.at(k)
		e := &s.deltas[in.gid[i]]
		e.n += w
		if w == 1 {
			e.sum.addWide(src[i])
		} else {
			e.sum.addTimes(src[i], w)
		}
	}
}

func (s *sum) zero() { s.cur = intSum{} }

func (s *sum) load(src []byte) []byte {
	s.cur.n, src = readVarint(src)
	s.cur.sum, src = readInt192(src)
	return src
}

func (s *sum) merge(g int, _ []byte) {
	s.cur.n += s.deltas[g].n
	s.cur.sum.add(s.deltas[g].sum)
}

func (s *sum) store(dst []byte) []byte { return s.cur.sum.append(binary.AppendVarint(dst, s.cur.n)) }

func (s *sum) value(dst []byte) ([]byte, *types.Error) {
	if s.cur.n == 0 {
		return append(dst, nullCell), nil
	}
	v, ok := s.cur.sum.int128()
	switch {
	case !ok || s.result.Kind == types.Decimal && !v.FitsInPrecision(int32(s.result.Precision)):
		name := "sum"
		if s.average {
			name = "avg"
		}
		return dst, types.Errorf(types.DataError, "%s: the sum is out of the range of %s", name, s.sumType())
	case s.average:
		return appendFloatCell(dst, s.quotient(v)), nil
	}
	switch zset.PhysOf(s.result) {
	case zset.Int64:
		n := int64(v.LowBits())
		if n>>63 != v.HighBits() {
			return dst, types.Errorf(types.DataError, "sum: the sum is out of the range of %s", s.result)
		}
		return appendIntCell(dst, n), nil
	case zset.Float64:
		return appendFloatCell(dst, quotient(v, 1, 0)), nil
	}
	return appendWideCell(dst, v), nil
}

// sumType is the type that DuckDB keeps the sum in.
func (s *sum) sumType() types.Type {
	if s.average {
		return types.Of(types.HugeInt)
	}
	return s.result
}

func (s *sum) quotient(v zset.Int128) float64 {
	if n := int64(v.LowBits()); s.narrow && n>>63 == v.HighBits() {
		return float64(n) / float64(s.cur.n)
	}
	return quotient(v, s.cur.n, s.scale)
}

func (s *sum) tables() []state.Table { return nil }
