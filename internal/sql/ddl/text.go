package ddl

import "strings"

// name is the identifier that a word or quoted token stands for.
func (t token) name(src string) string {
	s := src[t.start:t.end]
	if t.kind == quoted {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return foldASCII(s)
}

func foldASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}

// value is what a text token stands for.
func (t token) value(src string) string {
	s := src[t.start:t.end]
	switch s[0] {
	case '\'':
		return strings.ReplaceAll(s[1:len(s)-1], "''", "'")
	case '$':
		n := strings.IndexByte(s[1:], '$') + 2
		return s[n : len(s)-n]
	}
	return unescape(s[2 : len(s)-1])
}

var escapes = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape reads the body of an E string. Escapes that would make invalid UTF-8 become U+FFFD.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			i++
			b.WriteByte('\'')
		case c != '\\' || i+1 == len(s):
			b.WriteByte(c)
		default:
			i++
			base, limit := digitsOf(s[i])
			j, v := i, 0
			if base == 16 {
				j++
			}
			for n := 0; n < limit && j < len(s) && hexDigit(s[j]) < base; n++ {
				v = v*base + hexDigit(s[j])
				j++
			}
			switch e, ok := escapes[s[i]]; {
			case base > 0 && j > i+base/16:
				b.WriteString(codePoint(v, limit))
				i = j - 1
			case ok:
				b.WriteByte(e)
			default:
				b.WriteByte(s[i])
			}
		}
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

// digitsOf says which digits follow a backslash and c, and how many at most; base 0 is none.
func digitsOf(c byte) (base, limit int) {
	switch {
	case c == 'x':
		return 16, 2
	case c == 'u':
		return 16, 4
	case c == 'U':
		return 16, 8
	case c >= '0' && c <= '7':
		return 8, 3
	}
	return 0, 0
}

func codePoint(v, limit int) string {
	if limit <= 3 {
		return string([]byte{byte(v)})
	}
	return string(rune(v))
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 99
}
