package op

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
)

// int192 is a signed whole number in two's complement: sums of 128-bit values that may pass the range of their type on the way and come
// back by a retraction.
type int192 struct {
	lo, mid uint64
	hi      int64
}

func wide(hi int64, lo uint64) zset.Int128 { return decimal128.New(hi, lo) }

// addInt adds v.
func (s *int192) addInt(v int64) {
	var c uint64
	sign := uint64(v >> 63)
	s.lo, c = bits.Add64(s.lo, uint64(v), 0)
	s.mid, c = bits.Add64(s.mid, sign, c)
	s.hi += int64(sign + c)
}

// addWide adds v.
func (s *int192) addWide(v zset.Int128) {
	var c uint64
	s.lo, c = bits.Add64(s.lo, v.LowBits(), 0)
	s.mid, c = bits.Add64(s.mid, uint64(v.HighBits()), c)
	s.hi += v.HighBits()>>63 + int64(c)
}

// addTimes adds v * w.
func (s *int192) addTimes(v zset.Int128, w int64) {
	neg := (v.HighBits() < 0) != (w < 0)
	lo, hi := v.LowBits(), uint64(v.HighBits())
	if v.HighBits() < 0 {
		var c uint64
		lo, c = bits.Add64(^lo, 1, 0)
		hi = ^hi + c
	}
	u := uint64(w)
	if w < 0 {
		u = -u
	}
	h0, l0 := bits.Mul64(lo, u)
	h1, l1 := bits.Mul64(hi, u)
	mid, c := bits.Add64(h0, l1, 0)
	p := int192{lo: l0, mid: mid, hi: int64(h1 + c)}
	if neg {
		p = p.negate()
	}
	s.add(p)
}

func (s *int192) add(o int192) {
	var c uint64
	s.lo, c = bits.Add64(s.lo, o.lo, 0)
	s.mid, c = bits.Add64(s.mid, o.mid, c)
	s.hi += o.hi + int64(c)
}

func (s int192) negate() int192 {
	lo, c := bits.Add64(^s.lo, 1, 0)
	mid, c := bits.Add64(^s.mid, 0, c)
	return int192{lo, mid, ^s.hi + int64(c)}
}

// int128 returns the sum where it fits 128 bits.
func (s int192) int128() (zset.Int128, bool) {
	return wide(int64(s.mid), s.lo), s.hi == int64(s.mid)>>63
}

// append writes s: a zig-zag varint times two where it fits 63 bits, else an odd byte and 24 bytes.
func (s int192) append(dst []byte) []byte {
	v := int64(s.lo)
	if v>>63 == s.hi && uint64(s.hi) == s.mid && v<<2>>2 == v {
		return binary.AppendUvarint(dst, (uint64(v)<<1^uint64(v>>63))<<1)
	}
	dst = append(dst, 1)
	dst = binary.LittleEndian.AppendUint64(dst, s.lo)
	dst = binary.LittleEndian.AppendUint64(dst, s.mid)
	return binary.LittleEndian.AppendUint64(dst, uint64(s.hi))
}

func readInt192(src []byte) (int192, []byte) {
	if src[0] == 1 {
		return int192{binary.LittleEndian.Uint64(src[1:]), binary.LittleEndian.Uint64(src[9:]), int64(binary.LittleEndian.Uint64(src[17:]))}, src[25:]
	}
	u, src := readUvarint(src)
	u >>= 1
	v := int64(u>>1) ^ -int64(u&1)
	return int192{uint64(v), uint64(v >> 63), v >> 63}, src
}
