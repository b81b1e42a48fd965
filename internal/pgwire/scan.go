package pgwire

import "strings"

// tokenKind is the kind of a token of SQL.
type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // identifier or keyword without quotes
	tokenName             // "identifier"
	tokenString           // 'text', E'text', $$text$$
	tokenNumber
	tokenOther // one byte of anything else
)

// token is a piece of a text: src[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

// scanner reads tokens as PostgreSQL does. What is not closed goes to the end of the text: the real parser complains.
type scanner struct {
	src string
	pos int
}

func (s *scanner) at(i int) byte {
	if i < len(s.src) {
		return s.src[i]
	}
	return 0
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '$'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// next returns the next token, at the end tokenEnd for ever.
func (s *scanner) next() token {
	s.space()
	start := s.pos
	if start >= len(s.src) {
		return token{tokenEnd, len(s.src), len(s.src)}
	}
	c := s.src[start]
	kind := tokenOther
	switch {
	case c == '\'':
		kind = tokenString
		s.pos = s.quoted(start+1, '\'', false)
	case (c == 'e' || c == 'E') && s.at(start+1) == '\'':
		kind = tokenString
		s.pos = s.quoted(start+2, '\'', true)
	case c == '"':
		kind = tokenName
		s.pos = s.quoted(start+1, '"', false)
	case c == '$' && !digit(s.at(start+1)):
		if end := s.dollar(start); end > 0 {
			kind, s.pos = tokenString, end
			break
		}
		s.pos++
	case digit(c):
		kind = tokenNumber
		for s.pos < len(s.src) && (wordByte(s.src[s.pos]) || s.src[s.pos] == '.') {
			s.pos++
		}
	case c != '$' && wordByte(c):
		kind = tokenWord
		for s.pos < len(s.src) && wordByte(s.src[s.pos]) {
			s.pos++
		}
	default:
		s.pos++
	}
	return token{kind, start, s.pos}
}

// space skips blanks and comments, which nest.
func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			s.pos++
		case c == '-' && s.at(s.pos+1) == '-':
			n := strings.IndexByte(s.src[s.pos:], '\n')
			if n < 0 {
				s.pos = len(s.src)
				return
			}
			s.pos += n + 1
		case c == '/' && s.at(s.pos+1) == '*':
			s.comment()
		default:
			return
		}
	}
}

func (s *scanner) comment() {
	depth := 0
	for s.pos < len(s.src) {
		switch {
		case s.src[s.pos] == '/' && s.at(s.pos+1) == '*':
			depth++
			s.pos += 2
		case s.src[s.pos] == '*' && s.at(s.pos+1) == '/':
			depth--
			s.pos += 2
			if depth == 0 {
				return
			}
		default:
			s.pos++
		}
	}
}

// quoted returns the end of what opened before from.
func (s *scanner) quoted(from int, quote byte, escapes bool) int {
	for i := from; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case escapes && c == '\\':
			i++
		case c == quote && s.at(i+1) == quote:
			i++
		case c == quote:
			return i + 1
		}
	}
	return len(s.src)
}

// dollar returns the end of $tag$...$tag$, 0 where none begins.
func (s *scanner) dollar(start int) int {
	i := start + 1
	for i < len(s.src) && s.src[i] != '$' && wordByte(s.src[i]) {
		i++
	}
	if s.at(i) != '$' {
		return 0
	}
	tag := s.src[start : i+1]
	n := strings.Index(s.src[i+1:], tag)
	if n < 0 {
		return len(s.src)
	}
	return i + 1 + n + len(tag)
}

// piece is one statement of a script, without the semicolon.
type piece struct {
	text   string
	offset int
}

// split cuts a script at its semicolons. Pieces without a token are left out.
func split(script string) []piece {
	s := scanner{src: script}
	var out []piece
	start, end := -1, 0
	for {
		t := s.next()
		if t.kind == tokenEnd || t.kind == tokenOther && script[t.start] == ';' {
			if start >= 0 {
				out = append(out, piece{script[start:end], start})
			}
			if t.kind == tokenEnd {
				return out
			}
			start = -1
			continue
		}
		if start < 0 {
			start = t.start
		}
		end = t.end
	}
}

// reader reads the words of one of the session's own statements.
type reader struct {
	scanner
	tok token
}

func read(text string) *reader {
	r := &reader{scanner: scanner{src: text}}
	r.advance()
	return r
}

func (r *reader) advance() { r.tok = r.next() }

func (r *reader) src() string { return r.scanner.src[r.tok.start:r.tok.end] }

// is reports whether the next token is that word or character.
func (r *reader) is(word string) bool {
	return (r.tok.kind == tokenWord || r.tok.kind == tokenOther) && strings.EqualFold(r.src(), word)
}

// accept takes the words if they come next, all or none.
func (r *reader) accept(words ...string) bool {
	saved := *r
	for _, w := range words {
		if !r.is(w) {
			*r = saved
			return false
		}
		r.advance()
	}
	return true
}

func (r *reader) end() bool { return r.tok.kind == tokenEnd }

// rest is the text from the next token on.
func (r *reader) rest() string { return r.scanner.src[r.tok.start:] }

// ident takes a name; "" if none comes next.
func (r *reader) ident() string {
	var out string
	switch r.tok.kind {
	case tokenWord:
		out = strings.ToLower(r.src())
	case tokenName:
		out = unquote(r.src(), '"')
	default:
		return ""
	}
	r.advance()
	return out
}

// value takes a name, a string or a number with its sign, as SET takes them. ok is false if none comes next.
func (r *reader) value() (text string, ok bool) {
	sign := ""
	if r.is("-") || r.is("+") {
		sign = strings.TrimPrefix(r.src(), "+")
		r.advance()
	}
	switch r.tok.kind {
	case tokenWord, tokenNumber:
		text = sign + r.src()
	case tokenName:
		text = unquote(r.src(), '"')
	case tokenString:
		text = stringValue(r.src())
	default:
		return "", false
	}
	r.advance()
	return text, true
}

func unquote(s string, quote byte) string {
	q := string(quote)
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(s, q), q), q+q, q)
}

// stringValue is what a string literal stands for.
func stringValue(s string) string {
	switch s[0] {
	case '$':
		tag := strings.IndexByte(s[1:], '$') + 2
		if len(s) < 2*tag {
			return ""
		}
		return s[tag : len(s)-tag]
	case 'e', 'E':
		return unescape(unquote(s[1:], '\''))
	}
	return unquote(s, '\'')
}

// unescape resolves the backslashes of E'...'.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if k := strings.IndexByte("bfnrt", s[i]); k >= 0 {
			b.WriteByte("\b\f\n\r\t"[k])
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
