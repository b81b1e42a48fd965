// Package jsonscan finds the parts of JSON text (RFC 8259) in place: where a string, a number or a whole value ends,
// and whether it is well formed. It keeps no state, does not allocate and never recurses. All functions take the
// text and an index into it, and are safe for concurrent use.
//
// Stricter than the RFC in two points that every consumer of ours needs: text must be valid UTF-8 without lone
// surrogates, and no string may hold U+0000 (PostgreSQL clients cannot carry it).
package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest.
const MaxDepth = 64

// Err says what is wrong with a text; the zero value is no error.
type Err uint8

// The faults.
const (
	OK Err = iota
	Truncated
	Unexpected
	BadNumber
	BadLiteral
	BadEscape
	BadUTF8
	LoneSurrogate
	NUL
	Control
	TooDeep
)

var messages = [...]string{
	OK: "no fault", Truncated: "the record ends in the middle", Unexpected: "unexpected character", BadNumber: "not a JSON number",
	BadLiteral: "expected true, false or null", BadEscape: "unknown escape sequence in a string", BadUTF8: "the text is not valid UTF-8",
	LoneSurrogate: "a \\u escape is half of a surrogate pair", NUL: "NUL characters cannot be stored in text",
	Control: "control character in a string; escape it as \\u00XX", TooDeep: "nested deeper than 64 levels",
}

// String describes the fault.
func (e Err) String() string { return messages[e] }

// Space returns the index of the first byte at or after i that is not white space.
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks, by the high bit of its byte, each byte of w that may end a plain run: a quote, a
// backslash, a control character, or one beyond ASCII. Bytes above a true mark may be marked falsely.
func special(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return (w | (quote - ones) | (slash - ones) | (w - ones*0x20)) & highs
}

// Plain returns the index of the first byte at or after i that is a quote, a backslash, a control
// character or beyond ASCII, or len(b).
func Plain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		if m := special(binary.LittleEndian.Uint64(b[i:])); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i]-0x20 < 0x60 {
		i++
	}
	return i
}

// String scans the string whose first byte after the opening quote is b[i]. It returns the index
// of the closing quote, or of the fault, and whether the string has escapes.
func String(b []byte, i int) (end int, escaped bool, err Err) {
	i = Plain(b, i)
	if i < len(b) && b[i] == '"' {
		return i, false, OK
	}
	return slowString(b, i)
}

func slowString(b []byte, i int) (end int, escaped bool, err Err) {
	for {
		if i = Plain(b, i); i >= len(b) {
			return i, escaped, Truncated
		}
		switch c := b[i]; {
		case c == '"':
			return i, escaped, OK
		case c == '\\':
			n, err := escape(b[i:])
			if err != OK {
				return i, escaped, err
			}
			escaped = true
			i += n
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return i, escaped, BadUTF8
			}
			i += n
		case c == 0:
			return i, escaped, NUL
		default:
			return i, escaped, Control
		}
	}
}

// escape returns the length of the escape sequence that starts b.
func escape(b []byte) (int, Err) {
	if len(b) < 2 {
		return 0, Truncated
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, OK
	case 'u':
		r := hex4(b[2:])
		switch {
		case r < 0:
			return 0, BadEscape
		case r == 0:
			return 0, NUL
		case r < 0xD800 || r > 0xDFFF:
			return 6, OK
		case r < 0xDC00 && len(b) >= 12 && b[6] == '\\' && b[7] == 'u':
			if low := hex4(b[8:]); low >= 0xDC00 && low <= 0xDFFF {
				return 12, OK
			}
		}
		return 0, LoneSurrogate
	}
	return 0, BadEscape
}

// hex4 reads four hexadecimal digits, or returns -1.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// Unescape appends the text of the string body s, which String has accepted, to dst.
func Unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		i += 2
		switch c = s[i-1]; c {
		case 'u':
			r := hex4(s[i:])
			if i += 4; r >= 0xD800 && r <= 0xDFFF {
				r = (r-0xD800)<<10 | (hex4(s[i+2:]) - 0xDC00) + 0x10000
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// Number scans the number that starts at b[i] and returns the index after it, or of the fault,
// and whether it is written as an integer: without fraction and exponent.
func Number(b []byte, i int) (end int, integer bool, err Err) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	i = digits(b, i)
	switch {
	case i == start:
		return i, false, numberErr(b, i)
	case b[start] == '0' && i > start+1:
		return i, false, BadNumber
	}
	integer = true
	if i < len(b) && b[i] == '.' {
		integer = false
		start = i + 1
		if i = digits(b, start); i == start {
			return i, false, numberErr(b, i)
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		integer = false
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = digits(b, start); i == start {
			return i, false, numberErr(b, i)
		}
	}
	return i, integer, OK
}

func numberErr(b []byte, i int) Err {
	if i >= len(b) {
		return Truncated
	}
	return BadNumber
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// Literal scans true, false or null at b[i] and returns the index after it.
func Literal(b []byte, i int) (end int, err Err) {
	for _, word := range [...]string{"null", "true", "false"} {
		if b[i] != word[0] {
			continue
		}
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word), OK
		}
		if len(b)-i < len(word) && string(b[i:]) == word[:len(b)-i] {
			return len(b), Truncated
		}
	}
	return i, BadLiteral
}
