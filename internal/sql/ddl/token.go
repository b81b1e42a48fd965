package ddl

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind uint8

const (
	end      kind = iota // end of the script
	word                 // unquoted identifier or keyword
	quoted               // "identifier"
	text                 // 'string', E'string' or $$string$$
	number               // 1, 1.5, .5, 1e9, 0x1F, 1_000
	param                // $name, $1, ?, ?1
	operator             // everything else, including punctuation
	broken               // an unterminated string, identifier or comment; lexer.problem says which
)

const (
	stringHint = "close it with '; a ' inside is written twice: 'it''s'"
	escapeHint = `close it with '; a ' inside is written \' or twice, a \ is written \\`
)

// token is a piece of the script: its bytes are src[start:end].
type token struct {
	kind       kind
	start, end int
}

// lexer reads tokens by the lexical rules of PostgreSQL and DuckDB. It is a value: a copy looks ahead.
type lexer struct {
	src     string
	pos     int
	problem string // why the last token is broken
	mend    string // how to mend it
}

// next returns the next token. After the end it returns end for ever; after broken it is at the end.
func (l *lexer) next() token {
	if !l.space() {
		return l.broken(l.pos, "comment /* is never closed", "close it with */, once for each /* inside it")
	}
	start := l.pos
	if start >= len(l.src) {
		return token{end, start, start}
	}
	switch c := l.src[start]; {
	case c == '\'':
		return l.closed(start, start, text, '\'', false, "string is never closed", stringHint)
	case c == '"':
		return l.closed(start, start, quoted, '"', false, "quoted name is never closed", `close it with "; a " inside is written twice; text stands in '...'`)
	case (c == 'e' || c == 'E') && l.at(start+1) == '\'':
		return l.closed(start, start+1, text, '\'', true, "string is never closed", escapeHint)
	case isDigit(c) || c == '.' && isDigit(l.at(start+1)):
		return l.number(start)
	case c == '$':
		return l.dollar(start)
	case c == '?':
		l.pos++
		for isDigit(l.at(l.pos)) {
			l.pos++
		}
		return token{param, start, l.pos}
	case isWordStart(c):
		l.pos = l.wordEnd(start)
		return token{word, start, l.pos}
	case isOperator(c):
		return l.operator(start)
	}
	l.pos++
	return token{operator, start, l.pos}
}

func (l *lexer) at(i int) byte {
	if i < len(l.src) {
		return l.src[i]
	}
	return 0
}

// space skips white space and comments; it reports false for a comment without its end.
func (l *lexer) space() bool {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.pos++
		case c == '-' && l.at(l.pos+1) == '-':
			i := strings.IndexAny(l.src[l.pos:], "\r\n")
			if i < 0 {
				i = len(l.src) - l.pos
			}
			l.pos += i
		case c == '/' && l.at(l.pos+1) == '*':
			if !l.comment() {
				return false
			}
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.src[l.pos:])
			if !isSpace(r) {
				return true
			}
			l.pos += n
		default:
			return true
		}
	}
	return true
}

// comment skips a /* comment */, which may contain others.
func (l *lexer) comment() bool {
	depth := 0
	for i := l.pos; i+1 < len(l.src); i++ {
		switch {
		case l.src[i] == '/' && l.src[i+1] == '*':
			depth++
			i++
		case l.src[i] == '*' && l.src[i+1] == '/':
			depth--
			i++
			if depth == 0 {
				l.pos = i + 1
				return true
			}
		}
	}
	return false
}

// closed reads from the opening quote at open to the closing one; a doubled quote stands for itself.
func (l *lexer) closed(start, open int, k kind, quote byte, backslash bool, problem, mend string) token {
	for i := open + 1; i < len(l.src); i++ {
		switch {
		case backslash && l.src[i] == '\\':
			i++
		case l.src[i] != quote:
		case l.at(i+1) == quote:
			i++
		default:
			l.pos = i + 1
			return token{k, start, l.pos}
		}
	}
	return l.broken(start, problem, mend)
}

func (l *lexer) broken(start int, problem, mend string) token {
	l.pos, l.problem, l.mend = len(l.src), problem, mend
	return token{broken, start, start}
}

func (l *lexer) number(start int) token {
	i := start
	if l.src[i] == '0' && (l.at(i+1)|0x20 == 'x' || l.at(i+1)|0x20 == 'b' || l.at(i+1)|0x20 == 'o') {
		l.pos = l.wordEnd(start + 1)
		return token{number, start, l.pos}
	}
	digits := func() {
		for isDigit(l.at(i)) || l.at(i) == '_' && isDigit(l.at(i+1)) {
			i++
		}
	}
	digits()
	if l.at(i) == '.' && l.at(i+1) != '.' {
		i++
		digits()
	}
	if l.at(i)|0x20 == 'e' {
		j := i + 1
		if l.at(j) == '+' || l.at(j) == '-' {
			j++
		}
		if isDigit(l.at(j)) {
			i = j
			digits()
		}
	}
	l.pos = i
	return token{number, start, i}
}

// dollar reads $1, $name or a dollar-quoted string: $$...$$ or $tag$...$tag$.
func (l *lexer) dollar(start int) token {
	i := start + 1
	if isDigit(l.at(i)) {
		for isDigit(l.at(i)) {
			i++
		}
		l.pos = i
		return token{param, start, i}
	}
	for i < len(l.src) && l.src[i] != '$' && (isWordStart(l.src[i]) || isDigit(l.src[i])) {
		i++
	}
	if l.at(i) != '$' {
		l.pos = i
		if i == start+1 {
			return token{operator, start, i}
		}
		return token{param, start, i}
	}
	tag := l.src[start : i+1]
	n := strings.Index(l.src[i+1:], tag)
	if n < 0 {
		return l.broken(start, "string "+tag+" is never closed", "close it with "+tag)
	}
	l.pos = i + 1 + n + len(tag)
	return token{text, start, l.pos}
}

// operator reads one operator; it ends before a comment. Only what our grammar compares is kept whole.
func (l *lexer) operator(start int) token {
	i := start + 1
	for i < len(l.src) && isOperator(l.src[i]) && !strings.HasPrefix(l.src[i:], "--") && !strings.HasPrefix(l.src[i:], "/*") {
		// A sign after an operator belongs to the number that follows it.
		if (l.src[i] == '-' || l.src[i] == '+') && (isDigit(l.at(i+1)) || l.at(i+1) == ' ') {
			break
		}
		i++
	}
	l.pos = i
	return token{operator, start, i}
}

func (l *lexer) wordEnd(i int) int {
	for i < len(l.src) {
		c := l.src[i]
		switch {
		case c < utf8.RuneSelf:
			if !isWordStart(c) && !isDigit(c) && c != '$' {
				return i
			}
			i++
		default:
			r, n := utf8.DecodeRuneInString(l.src[i:])
			if isSpace(r) {
				return i
			}
			i += n
		}
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWordStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= utf8.RuneSelf
}

func isOperator(c byte) bool { return strings.IndexByte("+-*/<>=~!@#%^&|`", c) >= 0 }

// isSpace reports what DuckDB reads as white space outside ASCII.
func isSpace(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff')
}
