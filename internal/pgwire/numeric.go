package pgwire

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// number reads a DECIMAL, HUGEINT or UBIGINT: its sign, the digits of its absolute value appended to b, and its scale.
func number(b []byte, a arrow.Array, row int) (digits []byte, negative bool, scale int) {
	switch a := a.(type) {
	case *array.Decimal128:
		digits, negative = appendDigits(b, a.Value(row))
		return digits, negative, int(a.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Uint64:
		return strconv.AppendUint(b, a.Value(row), 10), false, 0
	}
	return append(b, a.ValueStr(row)...), false, 0
}

// appendDigits appends the digits of |n|.
func appendDigits(b []byte, n decimal128.Num) (digits []byte, negative bool) {
	hi, lo := uint64(n.HighBits()), n.LowBits()
	if negative = n.HighBits() < 0; negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	if hi == 0 {
		return strconv.AppendUint(b, lo, 10), negative
	}
	// |n| is at most 2^127, so its quotient by 10^19 is below 2^64.
	q, r := bits.Div64(hi, lo, 1e19)
	b = strconv.AppendUint(b, q, 10)
	for limit := uint64(1e18); limit > r && limit > 1; limit /= 10 {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, r, 10), negative
}

func textNumeric(c *cell, b []byte, row int) []byte {
	var room [40]byte
	digits, negative, scale := number(room[:0], c.arr, row)
	if negative {
		b = append(b, '-')
	}
	if scale <= 0 {
		return append(b, digits...)
	}
	if len(digits) <= scale {
		b = append(b, '0', '.')
		for range scale - len(digits) {
			b = append(b, '0')
		}
		return append(b, digits...)
	}
	b = append(b, digits[:len(digits)-scale]...)
	return append(append(b, '.'), digits[len(digits)-scale:]...)
}

// binaryNumeric writes groups of four digits, the first of them worth 10000^weight.
func binaryNumeric(c *cell, b []byte, row int) []byte {
	var room [40]byte
	digits, negative, scale := number(room[:0], c.arr, row)
	return appendNumeric(b, digits, negative, scale)
}

func appendNumeric(b, digits []byte, negative bool, scale int) []byte {
	// at is the place of digits[0]: 10^at.
	at := len(digits) - 1 - scale
	weight := floorDiv(int64(at), 4)
	head := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	count, last, group, started := 0, 0, 0, false
	lowest := floorDiv(int64(-scale), 4)
	for g := weight; g >= lowest; g-- {
		group = 0
		for place := 4*g + 3; place >= 4*g; place-- {
			group *= 10
			if i := at - int(place); i >= 0 && i < len(digits) {
				group += int(digits[i] - '0')
			}
		}
		if group == 0 && !started {
			weight = g - 1
			continue
		}
		started = true
		b = binary.BigEndian.AppendUint16(b, uint16(group))
		if count++; group != 0 {
			last = count
		}
	}
	b = b[:head+8+2*last]
	if last == 0 {
		weight, negative = 0, false
	}
	sign := uint16(0)
	if negative {
		sign = 0x4000
	}
	binary.BigEndian.PutUint16(b[head:], uint16(last))
	binary.BigEndian.PutUint16(b[head+2:], uint16(weight))
	binary.BigEndian.PutUint16(b[head+4:], sign)
	binary.BigEndian.PutUint16(b[head+6:], uint16(max(scale, 0)))
	return b
}
