package pgcatalog

import (
	"slices"
	"strings"

	"leat/internal/sql/guard"
)

// token is a piece of SQL as PostgreSQL reads it. kind is 'w' a word, 'q' a quoted name, 's' a string, 'n' a number, 'p' a parameter, 'o' an
// operator, or the character itself of punctuation.
type token struct {
	kind       byte
	start, end int
}

const operatorChars = "+-*/<>=~!@#%^&|`?:"

// lex cuts text into tokens, without white space and comments. What doesn't end is one token to the end.
func lex(text string) []token {
	var out []token
	for i := 0; i < len(text); {
		n, kind := next(text[i:])
		if kind != 0 {
			out = append(out, token{kind, i, i + n})
		}
		i += max(n, 1)
	}
	return out
}

// next measures the token at the beginning of s; kind 0 is white space or a comment.
func next(s string) (n int, kind byte) {
	c := s[0]
	switch {
	case c <= ' ':
		return 1, 0
	case strings.HasPrefix(s, "--"):
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return end, 0
		}
		return len(s), 0
	case strings.HasPrefix(s, "/*"):
		return comment(s), 0
	case c == '\'':
		return quoted(s, '\'', false), 's'
	case (c == 'e' || c == 'E') && len(s) > 1 && s[1] == '\'':
		return 1 + quoted(s[1:], '\'', true), 's'
	case c == '"':
		return quoted(s, '"', false), 'q'
	case c == '$':
		return dollar(s)
	case letter(c):
		n = 1
		for n < len(s) && (letter(s[n]) || digit(s[n]) || s[n] == '$') {
			n++
		}
		return n, 'w'
	case digit(c):
		n = 1
		for n < len(s) && (digit(s[n]) || s[n] == '.' && !strings.HasPrefix(s[n:], "..") || letter(s[n])) {
			n++
		}
		return n, 'n'
	case strings.IndexByte(operatorChars, c) >= 0:
		return operator(s), 'o'
	}
	return 1, c
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
func digit(c byte) bool { return c >= '0' && c <= '9' }

func operator(s string) int {
	if strings.HasPrefix(s, "::") {
		return 2
	}
	n := 1
	for n < len(s) && strings.IndexByte(operatorChars, s[n]) >= 0 && s[n] != ':' && !strings.HasPrefix(s[n:], "--") && !strings.HasPrefix(s[n:], "/*") {
		n++
	}
	// A sign belongs to the number after it, unless the operator has a character that no arithmetic has.
	for n > 1 && (s[n-1] == '-' || s[n-1] == '+') && !strings.ContainsAny(s[:n], "~!@#%^&|`?") {
		n--
	}
	return n
}

func comment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth, i = depth+1, i+1
		case "*/":
			if depth, i = depth-1, i+1; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

func quoted(s string, quote byte, backslash bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// dollar is a parameter $1 or $name, or a string $tag$...$tag$.
func dollar(s string) (int, byte) {
	n := 1
	for n < len(s) && (letter(s[n]) || digit(s[n])) {
		n++
	}
	if n < len(s) && s[n] == '$' && (n == 1 || !digit(s[1])) {
		tag := s[:n+1]
		if end := strings.Index(s[n+1:], tag); end >= 0 {
			return n + 1 + end + len(tag), 's'
		}
		return len(s), 's'
	}
	if n == 1 {
		return 1, '$'
	}
	return n, 'p'
}

// source is a text with its tokens.
type source struct {
	text   string
	tokens []token
}

func (s source) at(i int) string {
	if i < 0 || i >= len(s.tokens) {
		return ""
	}
	return s.text[s.tokens[i].start:s.tokens[i].end]
}

// is reports whether token i is the word or operator w, without case.
func (s source) is(i int, w string) bool { return strings.EqualFold(s.at(i), w) }

// plain rewrites on tokens what DuckDB's parser doesn't read: OPERATOR(schema.op), COLLATE, pg_catalog before the name of a type, types that
// DuckDB would take for others of its own.
func plain(text string) (string, bool) {
	return plainOnly(source{text, lex(text)}, castNames, true)
}

// plainOnly is plain with other names of types; collations are kept unless the statement is about the catalog.
func plainOnly(s source, types map[string]string, about bool) (string, bool) {
	text := s.text
	var b strings.Builder
	last := 0
	replace := func(from, to int, by string) {
		b.WriteString(text[last:s.tokens[from].start] + by)
		last = s.tokens[to].end
	}
	casts := s.castTypes()
	for i := 0; i < len(s.tokens); i++ {
		switch {
		case s.is(i, "OPERATOR") && s.at(i+1) == "(":
			end := i + 2
			for end < len(s.tokens) && s.at(end) != ")" {
				end++
			}
			if end < len(s.tokens) && end > i+2 {
				replace(i, end, " "+s.at(end-1)+" ")
				i = end
			}
		case about && s.is(i, "COLLATE") && !s.is(i-1, "AS") && s.at(i-1) != "." && i+1 < len(s.tokens) && (s.tokens[i+1].kind == 'w' || s.tokens[i+1].kind == 'q'):
			end := i + 1
			if s.at(i+2) == "." {
				end = i + 3
			}
			replace(i, min(end, len(s.tokens)-1), "")
			i = end
		case casts[i]:
			end := i
			if (s.is(i, pgCatalog) || s.is(i, informationSchema)) && s.at(i+1) == "." && i+2 < len(s.tokens) {
				end = i + 2
			}
			name := strings.ToLower(s.at(end))
			if w, ok := types[name]; ok {
				replace(i, end, w)
			} else if end > i {
				replace(i, end, s.at(end))
			}
			i = end
		}
	}
	if last == 0 {
		return text, false
	}
	b.WriteString(text[last:])
	return b.String(), true
}

// castNames are types whose names DuckDB gives to others, or that it has none of.
var castNames = map[string]string{"oid": "pgoid", `"char"`: "pgchar", "xid": "pgxid", "cid": "pgxid", "sql_identifier": "VARCHAR", "character_data": "VARCHAR",
	"yes_or_no": "VARCHAR", "cardinal_number": "INTEGER", "unknown": "VARCHAR", "jsonb": "JSON", `"name"`: "name"}

// castTypes marks the tokens at which the type of a cast begins: after ::, and after AS in CAST(... AS type).
func (s source) castTypes() map[int]bool {
	out := map[int]bool{}
	var open []bool // of each bracket, whether it is that of a CAST
	for i := range s.tokens {
		switch {
		case s.at(i) == "::":
			out[i+1] = true
		case s.at(i) == "(":
			open = append(open, i > 0 && (s.is(i-1, "CAST") || s.is(i-1, "TRY_CAST")))
		case s.at(i) == ")" && len(open) > 0:
			open = open[:len(open)-1]
		case s.is(i, "AS") && len(open) > 0 && open[len(open)-1]:
			out[i+1] = true
		}
	}
	return out
}

// words are the lower-case words and quoted names of a text.
func (s source) words() func(func(string) bool) {
	return func(yield func(string) bool) {
		for i, t := range s.tokens {
			w := s.at(i)
			if t.kind == 'q' {
				w = strings.ReplaceAll(strings.Trim(w, `"`), `""`, `"`)
			} else if t.kind != 'w' {
				continue
			}
			if !yield(strings.ToLower(w)) {
				return
			}
		}
	}
}

// selects reports whether the text begins as a query does.
func (s source) selects() bool {
	i := 0
	for s.at(i) == "(" {
		i++
	}
	return slices.ContainsFunc([]string{"SELECT", "WITH", "VALUES", "TABLE", "FROM"}, func(w string) bool { return s.is(i, w) })
}

// deep reports whether brackets nest deeper than the guard lets them, or a NUL is in the text: neither may reach the parser.
func (s source) deep() bool {
	depth := 0
	for _, t := range s.tokens {
		switch t.kind {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		if depth > guard.MaxDepth {
			return true
		}
	}
	return strings.IndexByte(s.text, 0) >= 0
}
