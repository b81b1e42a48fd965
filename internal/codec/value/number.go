// Package value reads single values from text exactly: what a type cannot hold without loss is
// refused, never rounded. It is shared by the JSON and CSV decoders and by schema inference. The functions are
// pure and safe for concurrent use.
package value

import (
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Status says how well a text fits a type.
type Status uint8

// The outcomes. Malformed is the zero value: the text is no such value at all.
const (
	Malformed Status = iota
	Exact
	// Inexact is a value whose digits the type would have to drop.
	Inexact
	// OutOfRange is a value too large for the type.
	OutOfRange
)

// MaxDigits bounds the length of a number's text; longer ones are Malformed.
const MaxDigits = 400

// decimalText is a number taken apart: digits (without leading or trailing zeros) times ten to the power of exp.
type decimalText struct {
	negative bool
	digits   [MaxDigits]byte
	n        int
	exp      int
}

// parse takes [+-]digits[.digits][e[+-]digits] apart.
func (d *decimalText) parse(s []byte) bool {
	if len(s) == 0 || len(s) > MaxDigits {
		return false
	}
	i := 0
	if s[0] == '-' || s[0] == '+' {
		d.negative = s[0] == '-'
		i++
	}
	seen, point := 0, false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c-'0' <= 9:
			seen++
			if point {
				d.exp--
			}
			if c != '0' || d.n > 0 {
				d.digits[d.n] = c - '0'
				d.n++
			}
			continue
		case c == '.' && !point:
			point = true
			continue
		}
		break
	}
	if seen == 0 {
		return false
	}
	if i < len(s) && !d.exponent(s[i:]) {
		return false
	}
	for d.n > 0 && d.digits[d.n-1] == 0 {
		d.n--
		d.exp++
	}
	return true
}

// exponent reads e[+-]digits, clamping what no type can hold anyway.
func (d *decimalText) exponent(s []byte) bool {
	if s[0]|0x20 != 'e' || len(s) < 2 {
		return false
	}
	negative := s[1] == '-'
	s = s[1:]
	if negative || s[0] == '+' {
		s = s[1:]
	}
	e := 0
	for _, c := range s {
		if c -= '0'; c > 9 {
			return false
		}
		e = min(e*10+int(c), 100_000)
	}
	if negative {
		e = -e
	}
	d.exp += e
	return len(s) > 0
}

// scaled returns the number times ten to the power of scale as a 128-bit integer.
func (d *decimalText) scaled(scale int, truncate bool) (decimal128.Num, Status) {
	zeros := d.exp + scale
	n, status := d.n, Exact
	if d.n == 0 {
		return decimal128.Num{}, Exact
	}
	if zeros < 0 {
		status = Inexact
		if !truncate {
			return decimal128.Num{}, Inexact
		}
		n, zeros = max(0, n+zeros), 0
	}
	if n+zeros > 39 {
		return decimal128.Num{}, OutOfRange
	}
	var hi, lo uint64
	for i := range n + zeros {
		var digit uint64
		if i < n {
			digit = uint64(d.digits[i])
		}
		var over, carry uint64
		if over, hi = bits.Mul64(hi, 10); over != 0 {
			return decimal128.Num{}, OutOfRange
		}
		over, lo = bits.Mul64(lo, 10)
		if hi, carry = bits.Add64(hi, over, 0); carry != 0 {
			return decimal128.Num{}, OutOfRange
		}
		lo, carry = bits.Add64(lo, digit, 0)
		if hi, carry = bits.Add64(hi, 0, carry); carry != 0 {
			return decimal128.Num{}, OutOfRange
		}
	}
	if hi>>63 != 0 && (!d.negative || hi != 1<<63 || lo != 0) {
		return decimal128.Num{}, OutOfRange
	}
	num := decimal128.New(int64(hi), lo)
	if d.negative {
		num = num.Negate()
	}
	return num, status
}

// Decimal reads a number as an integer of units of ten to the power of -scale, with at most precision digits.
func Decimal(s []byte, precision, scale int) (decimal128.Num, Status) {
	var d decimalText
	if !d.parse(s) {
		return decimal128.Num{}, Malformed
	}
	num, status := d.scaled(scale, false)
	if status == Exact && !num.FitsInPrecision(int32(precision)) {
		return num, OutOfRange
	}
	return num, status
}

// HugeInt reads a whole number of 128 bits. Exponent and fraction are fine as long as the value is whole.
func HugeInt(s []byte) (decimal128.Num, Status) {
	var d decimalText
	if !d.parse(s) {
		return decimal128.Num{}, Malformed
	}
	return d.scaled(0, false)
}

// Int reads a whole number of 64 bits, signed.
func Int(s []byte) (int64, Status) {
	num, status := HugeInt(s)
	v := int64(num.LowBits())
	if status == Exact && num.HighBits() != v>>63 {
		return 0, OutOfRange
	}
	return v, status
}

// Uint reads a whole number of 64 bits, unsigned.
func Uint(s []byte) (uint64, Status) {
	num, status := HugeInt(s)
	if status == Exact && num.HighBits() != 0 {
		return 0, OutOfRange
	}
	return num.LowBits(), status
}

// Float reads a floating-point number of 32 or 64 bits: the nearest one, except that an integer (no fraction,
// no exponent) must be held exactly. NaN, Infinity, inf and their signed forms are numbers too.
func Float(s []byte, size int) (float64, Status) {
	if f, ok := special(s); ok {
		return f, Exact
	}
	integer := true
	for i, c := range s {
		switch {
		case c-'0' <= 9 || i == 0 && (c == '-' || c == '+'):
		case c == '.' || c|0x20 == 'e' || c == '-' || c == '+':
			integer = false
		default:
			return 0, Malformed
		}
	}
	if len(s) == 0 || len(s) > MaxDigits {
		return 0, Malformed
	}
	f, err := strconv.ParseFloat(unsafe.String(&s[0], len(s)), size)
	switch {
	case err != nil && math.IsInf(f, 0):
		return 0, OutOfRange
	case err != nil:
		return 0, Malformed
	case integer && !sameInteger(s, f):
		return 0, Inexact
	}
	return f, Exact
}

func special(s []byte) (float64, bool) {
	switch string(s) {
	case "NaN", "nan":
		return math.NaN(), true
	case "Infinity", "+Infinity", "inf", "Inf", "+inf", "+Inf":
		return math.Inf(1), true
	case "-Infinity", "-inf", "-Inf":
		return math.Inf(-1), true
	}
	return 0, false
}

// sameInteger reports whether f is the integer that s spells.
func sameInteger(s []byte, f float64) bool {
	if s[0] == '-' || s[0] == '+' {
		s, f = s[1:], math.Abs(f)
	}
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	if len(s) <= 7 {
		return true
	}
	var buf [MaxDigits]byte
	return string(strconv.AppendFloat(buf[:0], f, 'f', 0, 64)) == string(s)
}

// Bool reads true or false.
func Bool(s []byte) (v, ok bool) {
	switch string(s) {
	case "true", "TRUE", "True":
		return true, true
	case "false", "FALSE", "False":
		return false, true
	}
	return false, false
}
