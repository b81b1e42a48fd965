package ddl

import "leat/internal/types"

// query takes the text of a query up to the semicolon, or to stop if it returns true for a token outside brackets.
func (p *parser) query(what string, stop func() bool) Query {
	start := p.tok.start
	if !p.startsQuery() {
		p.expected(what, queryWords...)
		return Query{Offset: start}
	}
	var open [MaxNesting]int
	depth := 0
	for p.tok.kind != end && !(p.is(";") && depth == 0) {
		if p.tok.kind == operator && p.tok.end-p.tok.start == 1 {
			switch p.lex.src[p.tok.start] {
			case '(', '[', '{':
				if depth == MaxNesting {
					p.reject(types.QueryTooComplex, p.tok.start, "brackets nest deeper than %d", MaxNesting).WithHint("move inner queries into WITH or views")
					return Query{}
				}
				open[depth] = p.tok.start
				depth++
			case ')', ']', '}':
				if depth--; depth < 0 {
					p.fail(p.tok.start, "found %s without its opening bracket", p.found(p.tok)).WithHint("leave it out, or open it before")
					return Query{}
				}
			case ';':
				p.unclosed(open[depth-1])
				return Query{}
			}
		}
		if stop != nil && depth == 0 && stop() {
			break
		}
		p.advance()
	}
	if depth > 0 {
		p.unclosed(open[depth-1])
	}
	if p.err != nil {
		return Query{}
	}
	q := Query{Text: p.lex.src[start:p.last], Offset: start}
	if len(q.Text) > MaxQuery {
		p.reject(types.QueryTooComplex, start, "the query has %d bytes; the limit is %d", len(q.Text), MaxQuery).WithHint("move parts into views; send data to /v1/events")
	}
	return q
}

func (p *parser) unclosed(pos int) {
	p.fail(pos, "%q is never closed", p.lex.src[pos:pos+1]).WithHint("close it before the end of the statement")
}

var queryWords = []string{"SELECT", "WITH", "FROM", "VALUES", "TABLE", "PIVOT", "UNPIVOT"}

func (p *parser) startsQuery() bool {
	if p.is("(") {
		return true
	}
	for _, w := range queryWords {
		if p.is(w) {
			return true
		}
	}
	return false
}
