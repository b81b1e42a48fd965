package codec

import (
	"encoding/binary"
	"math/bits"

	"leat/internal/codec/value"
)

// The commonest forms of values, a machine word at a time. What these functions don't take goes to general, and what they take general
// reads to the same value.

var powers = [9]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// shortInt reads an integer of up to 16 digits at b[i] that is followed by something that ends it; else end is 0.
func shortInt(b []byte, i int) (v int64, end int) {
	negative := b[i] == '-'
	if negative {
		i++
	}
	if len(b)-i < 17 {
		return lastInt(b, i, negative)
	}
	p := b[i : i+17]
	v, n := digits8(p)
	if n == 0 || n > 1 && p[0] == '0' {
		return 0, 0
	}
	if n == 8 {
		w, m := digits8(p[8:])
		v = v*powers[m] + w
		n += m
	}
	if c := p[n]; c-'0' <= 9 || c == '.' || c|0x20 == 'e' {
		return 0, 0
	}
	if negative {
		v = -v
	}
	return v, i + n
}

// digits8 reads the digits that p begins with, at most 8, and counts them. p has 8 bytes or more.
func digits8(p []byte) (v int64, n int) {
	w := binary.LittleEndian.Uint64(p) ^ 0x3030303030303030
	// A byte is a digit if it is now below 10. Carries go up only: the lowest byte that is none is found rightly.
	n = bits.TrailingZeros64((w+0x7676767676767676|w)&0x8080808080808080) >> 3
	w <<= uint(64-8*n) & 127 // zeros in front; all are shifted out where n is 0
	w = w*10 + w>>8          // pairs of digits, in every second byte
	const mask = 0x000000ff000000ff
	w = (w&mask*(100+1_000_000<<32) + w>>16&mask*(1+10_000<<32)) >> 32
	return int64(w), n
}

// lastInt is shortInt near the end of the text.
func lastInt(b []byte, i int, negative bool) (v int64, end int) {
	start := i
	for i < len(b) && b[i]-'0' <= 9 && i-start < 17 {
		v = v*10 + int64(b[i]-'0')
		i++
	}
	if n := i - start; n == 0 || n > 16 || i == len(b) || n > 1 && b[start] == '0' || b[i] == '.' || b[i]|0x20 == 'e' {
		return 0, 0
	}
	if negative {
		v = -v
	}
	return v, i
}

// shortFloat reads a number of up to 8 digits before the point and 7 after it, without exponent; else end is 0. Its digits are an
// integer below 2^53 and the power of ten is exact, so that their quotient is the nearest double.
func shortFloat(b []byte, i int) (v float64, end int) {
	negative := b[i] == '-'
	if negative {
		i++
	}
	if len(b)-i < 18 {
		return 0, 0
	}
	p := b[i : i+18]
	whole, n := digits8(p)
	if n == 0 || n > 1 && p[0] == '0' {
		return 0, 0
	}
	v = float64(whole)
	if p[n] == '.' {
		part, m := digits8(p[n+1:])
		if m == 0 || m == 8 {
			return 0, 0
		}
		v = float64(whole*powers[m]+part) / float64(powers[m])
		n += 1 + m
	}
	if c := p[n]; c-'0' <= 9 || c == '.' || c|0x20 == 'e' {
		return 0, 0
	}
	if negative {
		v = -v
	}
	return v, i + n
}

// putShort appends the text b[from:to]. Short ones are copied as 16 bytes, of which the rest is overwritten by what comes next.
func (c *column) putShort(b []byte, from, to int) {
	n := len(c.data)
	if to-from <= 16 && len(b)-from >= 16 && cap(c.data)-n >= 16 {
		*(*[16]byte)(c.data[n : n+16]) = *(*[16]byte)(b[from:])
		c.data = c.data[:n+to-from]
	} else {
		c.data = append(c.data, b[from:to]...)
	}
	c.ends = append(c.ends, int32(len(c.data)))
	c.n++
}

// dayMicros are the microseconds of a day.
const dayMicros = 24 * 60 * 60 * 1_000_000

// timestamp is value.Timestamp, which for the form 2006-01-02T15:04:05[.000[000]][Z] remembers the last date: the next record mostly has
// the same. Where it is not ok, general knows.
func (c *column) timestamp(p []byte) (micros int64, ok bool) {
	utc := len(p) > 19 && p[len(p)-1] == 'Z'
	if utc {
		p = p[:len(p)-1]
	}
	if len(p) < 19 || len(p) > 26 || string(p[:10]) != string(c.date[:]) || p[10] != 'T' && p[10] != ' ' || p[13] != ':' || p[16] != ':' {
		micros, zoned, ok := value.Timestamp(p)
		if ok && !zoned {
			c.date = [10]byte(p)
			c.midnight = micros - (micros%dayMicros+dayMicros)%dayMicros
		}
		return micros, ok && !(zoned && utc)
	}
	h, hOK := pair(p[11:])
	m, mOK := pair(p[14:])
	s, sOK := pair(p[17:])
	if !hOK || !mOK || !sOK || h > 23 || m > 59 || s > 59 {
		return 0, false
	}
	micros = c.midnight + ((h*60+m)*60+s)*1_000_000
	unit := int64(100_000)
	for i, d := range p[19:] {
		if i == 0 {
			if d != '.' || len(p) == 20 {
				return 0, false
			}
			continue
		}
		if d -= '0'; d > 9 {
			return 0, false
		}
		micros += int64(d) * unit
		unit /= 10
	}
	return micros, true
}

// pair reads two digits.
func pair(p []byte) (v int64, ok bool) {
	a, b := p[0]-'0', p[1]-'0'
	return int64(a)*10 + int64(b), a <= 9 && b <= 9
}
