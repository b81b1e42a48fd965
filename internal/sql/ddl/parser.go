package ddl

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"leat/internal/types"
)

// Bounds of what Parse accepts.
const (
	MaxScript     = 1 << 20   // bytes of a script
	MaxQuery      = 128 << 10 // bytes of one query
	MaxStatements = 1000      // statements of a script
	MaxNesting    = 500       // brackets inside brackets
)

// Parse splits a script at its semicolons and reads each statement. An empty script has none.
// Errors are *types.Error with a place: SyntaxError, Unsupported for statements of SQL that Leat does not have,
// QueryTooComplex beyond the bounds, UnknownColumn and InvalidArgument for names that contradict each other.
func Parse(script string) ([]Statement, error) {
	if len(script) > MaxScript {
		return nil, types.Errorf(types.QueryTooComplex, "the script has %d bytes; the limit is %d", len(script), MaxScript).
			WithHint("send it in parts, or send data to /v1/events")
	}
	p := &parser{lex: lexer{src: script}}
	if i := badText(script); i >= 0 {
		p.fail(i, "the script is not UTF-8 text").WithHint("save it as UTF-8, without NUL bytes")
		return nil, p.err
	}
	p.advance()
	var out []Statement
	for p.err == nil && p.tok.kind != end {
		if p.accept(";") {
			continue
		}
		if len(out) == MaxStatements {
			p.reject(types.QueryTooComplex, p.tok.start, "the script has more than %d statements", MaxStatements).WithHint("send it in parts")
			break
		}
		out = append(out, p.statement())
		if p.tok.kind != end && !p.is(";") {
			p.expected("the end of the statement or \";\"")
		}
	}
	if p.err != nil {
		if p.err.Hint == "" && p.usage != "" {
			p.err.Hint = "write " + p.usage
		}
		return nil, p.err
	}
	return out, nil
}

func badText(s string) int {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return i
	}
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if _, n := utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && n == 1 {
			return i
		}
	}
	return -1
}

// parser reads one script. The first error sticks in err: from then on tok is the end, so every loop ends.
type parser struct {
	lex  lexer
	tok  token
	last int // end of the token before tok
	err  *types.Error
	// positional counts the "?" of the statement.
	positional int
	// usage is the form of the statement, the hint of an error that has none of its own.
	usage string
}

func (p *parser) advance() {
	p.last = p.tok.end
	if p.err != nil {
		return
	}
	if p.tok = p.lex.next(); p.tok.kind == broken {
		p.fail(p.tok.start, "%s", p.lex.problem).WithHint(p.lex.mend)
	}
}

// ahead returns the token after tok.
func (p *parser) ahead() token {
	l := p.lex
	return l.next()
}

func (p *parser) src(t token) string { return p.lex.src[t.start:t.end] }

// fail records a syntax error unless there is one already, and returns the one that it made.
func (p *parser) fail(pos int, format string, args ...any) *types.Error {
	return p.reject(types.SyntaxError, pos, format, args...)
}

func (p *parser) reject(code types.Code, pos int, format string, args ...any) *types.Error {
	e := types.Errorf(code, format, args...).At(types.Place(p.lex.src, pos))
	if p.err == nil {
		p.err = e
		p.tok = token{end, len(p.lex.src), len(p.lex.src)}
	}
	return e
}

// expected fails with what was found and what should stand there; words are candidates for "did you mean".
func (p *parser) expected(what string, words ...string) {
	t := p.tok
	e := p.fail(t.start, "found %s, expected %s", p.found(t), what)
	if p.curly(t) {
		e.WithHint(`these quotes are not SQL's: write 'text' and "name"`)
		return
	}
	if t.kind == word {
		if w := nearest(p.src(t), words); w != "" {
			e.WithHint("did you mean " + w + "?")
		}
	}
}

// curly reports whether a word has quotes in it that word processors make.
func (p *parser) curly(t token) bool {
	return t.kind == word && strings.ContainsAny(p.src(t), "‘’“”„«»")
}

func (p *parser) found(t token) string {
	if t.kind == end {
		return "the end of the script"
	}
	s := []rune(p.src(t))
	if len(s) > 40 {
		s = append(s[:40], '…')
	}
	if t.kind == text || t.kind == quoted {
		return string(s)
	}
	return fmt.Sprintf("%q", string(s))
}

// is reports whether the next token is that keyword or punctuation.
func (p *parser) is(s string) bool { return p.same(p.tok, s) }

func (p *parser) same(t token, s string) bool {
	return (t.kind == word || t.kind == operator) && t.end-t.start == len(s) && strings.EqualFold(p.src(t), s)
}

// accept takes these keywords or punctuation if the next tokens are exactly them; at most two.
func (p *parser) accept(words ...string) bool {
	if !p.is(words[0]) || len(words) == 2 && !p.same(p.ahead(), words[1]) {
		return false
	}
	for range words {
		p.advance()
	}
	return true
}

// expect takes these keywords or punctuation one by one, or fails.
func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.is(w) {
			if isWordStart(w[0]) {
				p.expected(w, w)
			} else {
				p.expected(`"` + w + `"`)
			}
			return
		}
		p.advance()
	}
}

// ident takes a name; what says whose, for the error.
func (p *parser) ident(what string) Ident {
	t := p.tok
	id := Ident{Pos: t.start}
	if t.kind != word && t.kind != quoted || p.curly(t) {
		p.expected(what)
		return id
	}
	id.Name = t.name(p.lex.src)
	if t.kind == word && isReserved(id.Name) {
		p.fail(t.start, "found the keyword %s, expected %s", p.src(t), what).WithHint("to use it as a name, quote it: %s", types.QuoteIdent(id.Name))
		return id
	}
	p.advance()
	return id
}

// isReserved reports whether a plain lower-case word must be quoted to be a name.
func isReserved(s string) bool {
	return types.QuoteIdent(s)[0] == '"' && types.QuoteIdent(s + "_")[0] != '"'
}

// idents takes "(a, b, ...)"; the same name twice is refused.
func (p *parser) idents(what string) []Ident {
	var out []Ident
	p.list(func() {
		id := p.ident(what)
		for _, o := range out {
			if strings.EqualFold(o.Name, id.Name) {
				p.reject(types.InvalidArgument, id.Pos, "%s is named twice", types.QuoteIdent(id.Name)).WithHint("leave one out")
			}
		}
		out = append(out, id)
	})
	return out
}

// list takes "(item, item, ...)".
func (p *parser) list(item func()) {
	p.expect("(")
	for p.err == nil {
		item()
		if !p.accept(",") {
			break
		}
	}
	if !p.is(")") {
		p.expected(`"," or ")"`)
		return
	}
	p.advance()
}

// object takes the name of an existing object.
func (p *parser) object(what string) ObjectName {
	id := p.ident(what)
	n := ObjectName{Name: id.Name, Pos: id.Pos}
	if !p.accept(".") {
		return n
	}
	n.Name = p.ident(what).Name
	switch id.Name {
	case "public":
	case "leat_system":
		n.Schema = id.Name
	default:
		p.reject(types.UnknownRelation, id.Pos, "there is no schema %s", types.QuoteIdent(id.Name)).
			WithHint("the schemas are public and leat_system")
	}
	return n
}

// newName takes the name of an object to be made.
func (p *parser) newName(what string) ObjectName {
	n := p.object(what)
	if p.err != nil {
		return n
	}
	if n.Schema != "" {
		p.reject(types.NotAllowed, n.Pos, "schema %s belongs to Leat", n.Schema).WithHint("leave the schema out")
	} else if err := types.CheckObjectName(n.Name); err != nil {
		p.reject(types.InvalidArgument, n.Pos, "%s", types.AsError(err).Message).WithHint("use lower-case letters, digits and _, at most 63, and don't begin with a digit or _leat_")
	}
	return n
}
