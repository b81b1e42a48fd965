package bind

import (
	"strings"

	"leat/internal/types"
)

// skipToken returns the offset behind the token at i: a quoted text or name, a comment, a word or number, or one character.
func skipToken(text string, i int) int {
	rest := text[i:]
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		return i + quoted(rest, c, i > 0 && c == '\'' && (text[i-1] == 'e' || text[i-1] == 'E'))
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return i + n + 1
		}
		return len(text)
	case strings.HasPrefix(rest, "/*"):
		return i + comment(rest)
	case c == '$':
		return i + dollar(rest)
	case isWord(c):
		return i + wordEnd(rest, 0)
	}
	return i + 1
}

// quoted is the length of a text in quotes; a doubled quote stands for one, and with escapes a backslash hides one.
func quoted(s string, quote byte, escapes bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] != quote:
		case i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(s)
}

// dollar is the length of a text between $tag$ and $tag$, or 1 where none starts.
func dollar(s string) int {
	n := 1
	for n < len(s) && isWord(s[n]) {
		n++
	}
	if n == len(s) || s[n] != '$' || isDigit(s[1]) {
		return 1
	}
	tag := s[:n+1]
	if end := strings.Index(s[len(tag):], tag); end >= 0 {
		return 2*len(tag) + end
	}
	return 1
}

// comment is the length of a block comment; they nest.
func comment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z' || isDigit(c)
}

func wordEnd(s string, i int) int {
	for i < len(s) && (isWord(s[i]) || s[i] == '$' && i > 0) {
		i++
	}
	return i
}

// skipSpace skips white space and comments.
func skipSpace(text string, i int) int {
	for i < len(text) {
		switch {
		case strings.IndexByte(" \t\r\n\f\v", text[i]) >= 0:
			i++
		case strings.HasPrefix(text[i:], "--"), strings.HasPrefix(text[i:], "/*"):
			i = skipToken(text, i)
		default:
			return i
		}
	}
	return i
}

// nameEnd is the offset behind a qualified name of so many parts that starts at i; -1 if there is none.
func nameEnd(text string, i, parts int) int {
	for n := 0; ; n++ {
		if i >= len(text) || !isWord(text[i]) && text[i] != '"' {
			return -1
		}
		i = skipToken(text, i)
		if n == parts-1 {
			return i
		}
		if i = skipSpace(text, i); i >= len(text) || text[i] != '.' {
			return -1
		}
		i = skipSpace(text, i+1)
	}
}

// statementEnd is the offset behind the last token of a statement that is no semicolon.
func statementEnd(text string) int {
	end := 0
	for i := skipSpace(text, 0); i < len(text); i = skipSpace(text, i) {
		next := skipToken(text, i)
		if text[i] != ';' {
			end = next
		}
		i = next
	}
	return end
}

// span is a piece of a text.
type span struct{ start, end int }

// arguments cuts what stands in the brackets that open at i at its commas, without white space around, and returns the offset
// behind the closing bracket.
func arguments(text string, i int) ([]span, int, error) {
	var out []span
	depth, start := 0, i+1
	for i < len(text) {
		next := skipToken(text, i)
		switch text[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				if last := trim(text, start, i); last.end > last.start || len(out) > 0 {
					out = append(out, last)
				}
				return out, next, nil
			}
		case ',':
			if depth == 1 {
				out = append(out, trim(text, start, i))
				start = next
			}
		}
		i = next
	}
	return nil, 0, types.Errorf(types.SyntaxError, "a bracket is not closed")
}

func trim(text string, start, end int) span {
	start = skipSpace(text, start)
	for end > start && strings.IndexByte(" \t\r\n\f\v", text[end-1]) >= 0 {
		end--
	}
	return span{min(start, end), end}
}
