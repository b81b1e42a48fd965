package op

import (
	"encoding/binary"
	"math"

	"leat/internal/state"
	"leat/internal/types"
)

// floatSum adds doubles exactly: sum, or avg where average is set.
type floatSum struct {
	fixed
	arg     int
	average bool
	deltas  []floatState
	cur     floatState
}

type floatState struct {
	sum exact
	// n counts all values, the special ones included.
	n       int64
	special *special
}

// special counts what has no place in an exact sum.
type special struct{ nan, inf, negInf int64 }

func (f *floatState) count(x float64, w int64) {
	if f.special == nil {
		f.special = new(special)
	}
	switch {
	case x != x:
		f.special.nan += w
	case x > 0:
		f.special.inf += w
	default:
		f.special.negInf += w
	}
}

func (s *floatSum) reset(groups int) { s.deltas = resize(s.deltas, groups) }

func (s *floatSum) add(in *rows) {
	src, d := in.cols[s.arg].F64, s.deltas
	if in.plain() {
		for i, g := range in.gid[:in.n] {
			e, x := &d[g], src[i]
			e.n++
			if x-x != 0 {
				e.count(x, 1)
				continue
			}
			e.sum.add(x, false)
		}
		return
	}
	for k := range in.count() {
		i, w := in.at(k)
		e, x := &d[in.gid[i]], src[i]
		e.n += w
		if x-x != 0 {
			e.count(x, w)
			continue
		}
		e.sum.addTimes(x, w)
	}
}

func (s *floatSum) zero() { s.cur = floatState{} }

// load reads n*2, odd if special counts follow.
func (s *floatSum) load(src []byte) []byte {
	s.cur = floatState{}
	head, src := readVarint(src)
	s.cur.n = head >> 1
	if head&1 == 1 {
		p := new(special)
		p.nan, src = readVarint(src)
		p.inf, src = readVarint(src)
		p.negInf, src = readVarint(src)
		s.cur.special = p
	}
	s.cur.sum, src = readExact(src)
	return src
}

func (s *floatSum) merge(g int, _ []byte) {
	d := &s.deltas[g]
	s.cur.n += d.n
	s.cur.sum.merge(&d.sum)
	s.cur.sum.settle()
	if d.special == nil {
		return
	}
	if s.cur.special == nil {
		s.cur.special = new(special)
	}
	p := s.cur.special
	p.nan, p.inf, p.negInf = p.nan+d.special.nan, p.inf+d.special.inf, p.negInf+d.special.negInf
	if *p == (special{}) {
		s.cur.special = nil
	}
}

func (s *floatSum) store(dst []byte) []byte {
	if p := s.cur.special; p != nil {
		dst = binary.AppendVarint(dst, s.cur.n<<1|1)
		dst = binary.AppendVarint(binary.AppendVarint(binary.AppendVarint(dst, p.nan), p.inf), p.negInf)
	} else {
		dst = binary.AppendVarint(dst, s.cur.n<<1)
	}
	return s.cur.sum.append(dst)
}

func (s *floatSum) value(dst []byte) ([]byte, *types.Error) {
	if s.cur.n == 0 {
		return append(dst, nullCell), nil
	}
	x := s.total()
	if s.average {
		x /= float64(s.cur.n)
	}
	return appendFloatCell(dst, x), nil
}

func (s *floatSum) total() float64 {
	if p := s.cur.special; p != nil {
		switch {
		case p.nan != 0 || p.inf != 0 && p.negInf != 0:
			return math.NaN()
		case p.inf != 0:
			return math.Inf(1)
		case p.negInf != 0:
			return math.Inf(-1)
		}
	}
	return s.cur.sum.float()
}

func (s *floatSum) tables() []state.Table { return nil }
