package ddl

import (
	"encoding/json"
	"strings"

	"leat/internal/types"
)

// columnNameHint says which names columns take.
const columnNameHint = "choose a name of 1 to 255 bytes that does not start with _leat_; PATH says from which JSON field it is read"

// column takes name TYPE [NOT NULL] [PATH '...'] [PRIMARY KEY].
func (p *parser) column() (c Column, key bool) {
	c.Name = p.ident("a column name")
	if err := types.CheckColumnName(c.Name.Name); err != nil {
		p.reject(types.InvalidArgument, c.Name.Pos, "%s", types.AsError(err).Message).WithHint(columnNameHint)
	}
	c.Path = []string{c.Name.Name}
	c.TypePos = p.tok.start
	c.Type = p.typ()
	for {
		switch t := p.tok; {
		case p.accept("NOT", "NULL"):
			c.NotNull = true
		case p.accept("PRIMARY", "KEY"):
			key = true
		case p.accept("NULL"):
		case p.accept("PATH"):
			c.Path = p.path()
		case p.is("DEFAULT"), p.is("CHECK"), p.is("UNIQUE"), p.is("REFERENCES"), p.is("GENERATED"), p.is("COLLATE"):
			p.reject(types.Unsupported, t.start, "%s is not supported for a column", strings.ToUpper(p.src(t))).
				WithHint("compute it in a VIEW, for example with coalesce()")
		default:
			return c, key
		}
	}
}

// typ takes a type: words, brackets with parameters, [] for lists.
func (p *parser) typ() types.Type {
	start := p.tok.start
	if p.tok.kind != word {
		p.expected("a type such as BIGINT, VARCHAR or TIMESTAMP")
		return types.Type{}
	}
	var b strings.Builder
	b.WriteString(p.src(p.tok))
	p.advance()
	if p.is("PRECISION") {
		p.advance()
	}
	p.brackets(&b)
	if p.is("WITH") || p.is("WITHOUT") {
		b.WriteString(" " + p.src(p.tok) + " time zone")
		p.advance()
		p.expect("TIME", "ZONE")
	}
	p.brackets(&b)
	if p.err != nil {
		return types.Type{}
	}
	t, err := types.ParseType(b.String())
	if err != nil {
		p.fail(start, "%v", err).WithHint("types are DuckDB's: BIGINT, DOUBLE, DECIMAL(p,s), VARCHAR, BOOLEAN, TIMESTAMP, TIMESTAMPTZ, DATE, UUID, JSON, STRUCT(a INT), INT[], MAP(k, v), ...")
	}
	return t
}

// brackets copies what stands in (...) and [...] without comments, with one space between words.
func (p *parser) brackets(b *strings.Builder) {
	for depth := 0; depth > 0 || p.is("(") || p.is("["); p.advance() {
		t := p.tok
		switch {
		case t.kind == end:
			p.expected(`")" at the end of the type`)
			return
		case p.is("("), p.is("["):
			depth++
		case p.is(")"), p.is("]"):
			depth--
		}
		if wordy(t.kind) && b.Len() > 0 && wordyByte(b.String()[b.Len()-1]) {
			b.WriteByte(' ')
		}
		b.WriteString(p.src(t))
	}
}

func wordy(k kind) bool { return k == word || k == quoted || k == number || k == text }

func wordyByte(c byte) bool {
	return isWordStart(c) || isDigit(c) || c == '"' || c == '\'' || c == ')' || c == ']'
}

// path takes the text of a JSON path: '$.a.b' or '$."odd key"'.
func (p *parser) path() []string {
	t := p.tok
	if t.kind != text {
		p.expected("a JSON path such as '$.user.id'")
		return nil
	}
	keys, ok := parsePath(t.value(p.lex.src))
	if !ok || len(keys) > types.MaxDepth {
		p.fail(t.start, "%s is not a JSON path of keys", p.found(t)).
			WithHint(`write '$.user.id', with odd keys in quotes: '$."user id".name'; at most %d keys, no indexes or wildcards`, types.MaxDepth)
	}
	p.advance()
	return keys
}

func parsePath(s string) (keys []string, ok bool) {
	rest, ok := strings.CutPrefix(s, "$")
	if !ok || rest == "" {
		return nil, false
	}
	for rest != "" {
		if rest, ok = strings.CutPrefix(rest, "."); !ok {
			return nil, false
		}
		n := 0
		if strings.HasPrefix(rest, `"`) {
			for n = 1; n < len(rest) && rest[n] != '"'; n++ {
				if rest[n] == '\\' {
					n++
				}
			}
			var key string
			if n >= len(rest) || json.Unmarshal([]byte(rest[:n+1]), &key) != nil {
				return nil, false
			}
			keys, rest = append(keys, key), rest[n+1:]
			continue
		}
		if n = strings.IndexAny(rest, `.[]*"'`); n < 0 {
			n = len(rest)
		}
		if n == 0 {
			return nil, false
		}
		keys, rest = append(keys, rest[:n]), rest[n:]
	}
	return keys, true
}

// watermark takes ts [AS ts [- INTERVAL ...]] after WATERMARK FOR.
func (p *parser) watermark() Watermark {
	w := Watermark{Column: p.ident("the event-time column")}
	if !p.accept("AS") {
		return w
	}
	if id := p.ident("the event-time column"); id.Name != w.Column.Name {
		p.fail(id.Pos, "the watermark of %s is computed from %s", w.Column.Name, id.Name).
			WithHint("write WATERMARK FOR %[1]s AS %[1]s - INTERVAL '5 seconds'", types.QuoteIdent(w.Column.Name))
	}
	if p.accept("-") {
		if !p.is("INTERVAL") {
			p.expected("INTERVAL", "INTERVAL")
		}
		w.Delay = p.duration()
	}
	return w
}
