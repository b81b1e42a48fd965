package guard

import (
	"strings"
	"unicode/utf8"

	"leat/internal/types"
)

// token is one word, number, symbol, string or parameter of SQL text; comments are no tokens.
type token struct {
	start, end int
	kind       byte // 'w' word, 'p' parameter, 's' string or quoted name, else the symbol itself
}

// lex splits text as DuckDB's scanner does, closely enough to know words from strings and comments.
// What is left open ends with the text; DuckDB's parser reports it.
func lex(text string) []token {
	var out []token
	for i := 0; i < len(text); {
		c := text[i]
		start := i
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			i++
			continue
		case strings.HasPrefix(text[i:], "--"):
			i = lineEnd(text, i)
			continue
		case strings.HasPrefix(text[i:], "/*"):
			i = commentEnd(text, i)
			continue
		case c == '\'' || c == '"':
			i = quoteEnd(text, i, false)
			out = append(out, token{start, i, 's'})
		case (c == 'e' || c == 'E') && i+1 < len(text) && text[i+1] == '\'':
			i = quoteEnd(text, i+1, true)
			out = append(out, token{start, i, 's'})
		case c == '$':
			var kind byte
			i, kind = dollarEnd(text, i)
			out = append(out, token{start, i, kind})
		case wordByte(c):
			for i < len(text) && (wordByte(text[i]) || text[i] == '$') {
				i++
			}
			out = append(out, token{start, i, 'w'})
		case c == '?':
			i++
			out = append(out, token{start, i, 'p'})
		default:
			_, n := utf8.DecodeRuneInString(text[i:])
			i += n
			out = append(out, token{start, i, c})
		}
	}
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}

func lineEnd(text string, i int) int {
	if n := strings.IndexAny(text[i:], "\r\n"); n >= 0 {
		return i + n
	}
	return len(text)
}

// commentEnd skips a comment; they nest.
func commentEnd(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return i
}

// quoteEnd skips a string or quoted name whose quote is at i; a doubled quote is part of it.
func quoteEnd(text string, i int, backslash bool) int {
	q := text[i]
	for i++; i < len(text); i++ {
		switch {
		case backslash && text[i] == '\\':
			i++
		case text[i] == q && i+1 < len(text) && text[i+1] == q:
			i++
		case text[i] == q:
			return i + 1
		}
	}
	return len(text)
}

// dollarEnd skips $name, $1 or a dollar-quoted string $tag$...$tag$.
func dollarEnd(text string, i int) (end int, kind byte) {
	j := i + 1
	for j < len(text) && wordByte(text[j]) {
		j++
	}
	number := j > i+1 && text[i+1] >= '0' && text[i+1] <= '9'
	if !number && j < len(text) && text[j] == '$' {
		tag := text[i : j+1]
		if n := strings.Index(text[j+1:], tag); n >= 0 {
			return j + 1 + n + len(tag), 's'
		}
		return len(text), 's'
	}
	if j == i+1 {
		return j, '$'
	}
	return j, 'p'
}

// scan refuses what must be refused before the parser sees it, and what the AST no longer shows.
func scan(text string) error {
	depth, setops := 0, 0
	tokens := lex(text)
	for i, t := range tokens {
		switch t.kind {
		case '(', '[', '{':
			if depth++; depth > MaxDepth {
				return at(text, t.start, types.Errorf(types.QueryTooComplex, "brackets nest deeper than %d", MaxDepth))
			}
		case ')', ']', '}':
			depth--
		case 'w':
			switch word := strings.ToLower(text[t.start:t.end]); word {
			case "union", "except", "intersect":
				if setops++; setops > MaxSetOps+maxWords {
					return at(text, t.start, tooManySetOps())
				}
			case "materialized":
				if i > 0 && strings.EqualFold(text[tokens[i-1].start:tokens[i-1].end], "not") {
					return at(text, tokens[i-1].start, types.Errorf(types.NotAllowed, "NOT MATERIALIZED is not allowed").
						WithHint("leave NOT MATERIALIZED out: a query that is copied at each use can outgrow memory while it is planned"))
				}
			}
		}
	}
	return nil
}

// maxWords allows for names that merely look like set operations.
const maxWords = 100

func at(text string, offset int, e *types.Error) *types.Error {
	if offset >= 0 && offset <= len(text) {
		return e.At(types.Place(text, offset))
	}
	return e
}

// WithCasts returns text with each $name replaced by CAST($name AS type), so that any value can be bound as text; lists, structs
// and maps are bound as JSON text.
// Parameters that casts doesn't name stay as they are.
func WithCasts(text string, casts map[string]types.Type) string {
	var b strings.Builder
	last := 0
	for _, t := range lex(text) {
		if t.kind != 'p' {
			continue
		}
		name := strings.TrimPrefix(text[t.start:t.end], "$")
		typ, ok := casts[strings.ToLower(name)]
		if !ok {
			continue
		}
		value := "$" + name
		if typ.Kind.IsNested() {
			value = "CAST(" + value + " AS JSON)"
		}
		b.WriteString(text[last:t.start] + "CAST(" + value + " AS " + typ.String() + ")")
		last = t.end
	}
	b.WriteString(text[last:])
	return b.String()
}
