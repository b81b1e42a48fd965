package encode

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// twoDigits holds 00 to 99 side by side.
const twoDigits = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263" +
	"646566676869707172737475767778798081828384858687888990919293949596979899"

// appendInt appends v in decimal. It is strconv.AppendInt without the copy of the digits.
func appendInt(b []byte, v int64) []byte {
	if v < 0 {
		return appendUint(append(b, '-'), -uint64(v))
	}
	return appendUint(b, uint64(v))
}

func appendUint(b []byte, v uint64) []byte {
	if v < 10 {
		return append(b, '0'+byte(v))
	}
	return appendPadded(b, v, width(v))
}

// appendPadded appends the last n digits of v, with zeros before them if it has fewer.
func appendPadded(b []byte, v uint64, n int) []byte {
	b = append(b, "00000000000000000000"[:n]...)
	i := len(b)
	for ; v >= 100; i -= 2 {
		q := v / 100
		copy(b[i-2:i], twoDigits[2*(v-100*q):])
		v = q
	}
	if v >= 10 {
		copy(b[i-2:i], twoDigits[2*v:])
	} else if v > 0 {
		b[i-1] = '0' + byte(v)
	}
	return b
}

// tens are the powers of ten.
func tens(n int) uint64 {
	return [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}[n]
}

// width is the number of digits of v.
func width(v uint64) int {
	n := bits.Len64(v) * 1233 >> 12 // log10(2) is 1233/4096; at most one too few
	if n < 20 && v >= tens(n) {
		n++
	}
	return max(n, 1)
}

// appendDecimal appends n with a point before the last scale digits.
func appendDecimal(b []byte, n decimal128.Num, scale int32) []byte {
	hi, lo := uint64(n.HighBits()), n.LowBits()
	if n.HighBits() < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
		b = append(b, '-')
	}
	from := len(b)
	if hi == 0 {
		if s := int(scale); 0 < s && s < 20 {
			whole := lo / tens(s)
			b = append(appendUint(b, whole), '.')
			return appendPadded(b, lo-whole*tens(s), s)
		}
		b = appendUint(b, lo)
	} else {
		// An Int128 is below 2^127, so its quotient by 10^19 is below 2^64.
		q, r := bits.Div64(hi, lo, 1e19)
		b = appendPadded(appendUint(b, q), r, 19)
	}
	return point(b, from, int(scale))
}

// point puts a point before the last scale of the digits at b[from:], and zeros in front where they are too few.
func point(b []byte, from, scale int) []byte {
	if scale <= 0 {
		return b
	}
	if missing := scale + 1 - (len(b) - from); missing > 0 {
		b = append(b, "0000000000000000000000000000000000000000"[:missing]...)
		copy(b[from+missing:], b[from:])
		for i := range missing {
			b[from+i] = '0'
		}
	}
	b = append(b, 0)
	at := len(b) - 1 - scale
	copy(b[at+1:], b[at:])
	b[at] = '.'
	return b
}

// appendMicros writes hh:mm:ss.ffffff of a time below a day.
func appendMicros(b []byte, us int64) []byte {
	s, f := uint32(us/1_000_000), uint32(us%1_000_000)
	m := s / 60
	h := m / 60
	b = append(b, "00:00:00.000000"...)
	to := b[len(b)-15:]
	put2(to, 0, h)
	put2(to, 3, m-60*h)
	put2(to, 6, s-60*m)
	put2(to, 9, f/10_000)
	put2(to, 11, f/100%100)
	put2(to, 13, f%100)
	return b
}

func put2(to []byte, at int, v uint32) {
	to[at], to[at+1] = twoDigits[2*v], twoDigits[2*v+1]
}

// plain returns how many of the first bytes of s JSON takes as they are, or a few less.
func plain(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		const ones, highs = 0x0101010101010101, 0x8080808080808080
		x := binary.LittleEndian.Uint64([]byte(s[i : i+8]))
		quote, slash := x^ones*'"', x^ones*'\\'
		// The high bit of a byte is set where it is below a space, a quote, a backslash or not ASCII.
		if ((x-ones*' ')|(quote-ones)&^quote|(slash-ones)&^slash|x)&highs != 0 {
			return i
		}
	}
	return i
}
