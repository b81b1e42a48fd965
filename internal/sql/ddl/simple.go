package ddl

import (
	"strconv"

	"leat/internal/types"
)

// statement reads one statement.
func (p *parser) statement() Statement {
	start := p.tok.start
	p.positional = 0
	p.usage = anyUsage
	switch {
	case p.startsQuery():
		q := p.query("a query", nil)
		return &Select{p.span(start), q}
	case p.accept("CREATE"):
		return p.create(start)
	case p.accept("ALTER"):
		return p.alter(start)
	case p.accept("DROP"):
		return p.drop(start)
	case p.accept("SHOW"):
		return p.show(start)
	case p.accept("DESCRIBE"), p.accept("DESC"):
		return p.describe(start)
	case p.accept("EXPLAIN"):
		p.usage = explainUsage
		if p.is("ANALYZE") {
			p.reject(types.Unsupported, p.tok.start, "EXPLAIN ANALYZE is not supported").WithHint("use EXPLAIN")
		}
		return p.explain(start)
	case p.accept("INSERT"):
		return p.insert(start)
	case p.accept("DELETE"):
		return p.delete(start)
	}
	p.notOurs()
	return nil
}

func (p *parser) explain(start int) Statement {
	s := &Explain{}
	switch create := p.tok.start; {
	case p.is("VIEW"), p.is("MATERIALIZED"), p.is("ENDPOINT"):
		s.Kind, _ = p.kind()
		s.Name = p.object("the name of a " + string(s.Kind))
	case p.accept("CREATE"):
		h := Head{Span: Span{Start: create}, OrReplace: p.accept("OR", "REPLACE")}
		p.expect("MATERIALIZED", "VIEW")
		if p.err == nil {
			s.Create, _ = p.createMaterialized(h).(*CreateMaterializedView)
		}
	default:
		s.Query = p.query("a SELECT, VIEW, ENDPOINT or CREATE MATERIALIZED VIEW", nil)
	}
	s.Span = p.span(start)
	return s
}

func (p *parser) span(start int) Span { return Span{start, p.last} }

var kindWords = []string{"STREAM", "TABLE", "VIEW", "ENDPOINT"}

// kind takes STREAM, TABLE, [MATERIALIZED] VIEW or ENDPOINT if one of them is next.
func (p *parser) kind() (Kind, bool) {
	if p.accept("MATERIALIZED", "VIEW") {
		return MaterializedView, true
	}
	for i, k := range []Kind{Stream, Table, View, EndpointKind} {
		if p.accept(kindWords[i]) {
			return k, true
		}
	}
	return Any, false
}

func (p *parser) drop(start int) Statement {
	p.usage = dropUsage
	s := &Drop{}
	var ok bool
	if s.Kind, ok = p.kind(); !ok && p.accept("INDEX") {
		s.Kind, ok = Index, true
		p.accept("CONCURRENTLY")
	}
	if !ok {
		p.expected("STREAM, TABLE, VIEW, MATERIALIZED VIEW, ENDPOINT or INDEX", append(kindWords, "MATERIALIZED", "INDEX")...)
	}
	s.IfExists = p.accept("IF", "EXISTS")
	for p.err == nil {
		s.Names = append(s.Names, p.object("the name of a "+string(s.Kind)))
		if !p.accept(",") {
			break
		}
	}
	if p.is("CASCADE") {
		p.reject(types.Unsupported, p.tok.start, "CASCADE is not supported: it would drop what others may still use").
			WithHint("leave it out; the answer names the objects to drop, which may go in the same script")
	}
	p.accept("RESTRICT")
	s.Span = p.span(start)
	return s
}

func (p *parser) show(start int) Statement {
	p.usage = showUsage
	if p.accept("MATERIALIZED", "VIEWS") {
		return &Show{Span: p.span(start), Kind: MaterializedView}
	}
	for i, k := range []Kind{Stream, Table, View, EndpointKind} {
		if p.accept(kindWords[i] + "S") {
			return &Show{Span: p.span(start), Kind: k}
		}
	}
	switch {
	case p.accept("ALL"):
		p.accept("TABLES")
		return &Show{Span: p.span(start), Kind: Any}
	case p.accept("INDEXES"), p.accept("INDEX"):
		s := &Show{Kind: Index}
		if p.accept("FROM") || p.accept("ON") || p.accept("IN") {
			s.Of = p.object("the name of a table or materialized view")
		}
		s.Span = p.span(start)
		return s
	case p.accept("CREATE"):
		s := &ShowCreate{}
		if next := p.ahead(); p.is("INDEX") && (next.kind == word || next.kind == quoted) {
			p.advance()
			s.Kind = Index
		} else {
			s.Kind, _ = p.kind()
		}
		s.Name = p.object("a name")
		s.Span = p.span(start)
		return s
	}
	p.expected("STREAMS, TABLES, VIEWS, MATERIALIZED VIEWS, ENDPOINTS, INDEXES, ALL or CREATE", "STREAMS", "TABLES", "VIEWS", "MATERIALIZED", "ENDPOINTS", "INDEXES", "ALL", "CREATE")
	return nil
}

func (p *parser) describe(start int) Statement {
	p.usage = describeUsage
	s := &Describe{}
	switch next := p.ahead(); {
	case p.startsQuery() && !(p.is("TABLE") && next.kind == end):
		q := p.query("a query", nil)
		s.Query = &q
	default:
		p.kind()
		s.Name = p.object("a name or a SELECT")
	}
	s.Span = p.span(start)
	return s
}

func (p *parser) insert(start int) Statement {
	p.usage = insertUsage
	s := &Insert{}
	if p.is("OR") {
		p.upsert("INSERT OR REPLACE")
	}
	p.expect("INTO")
	s.Target = p.object("the name of a stream or table")
	if p.is("(") && p.ahead().kind != operator && !p.queryAhead() {
		s.Columns = p.idents("a column name")
	}
	s.Source = p.query("VALUES or a SELECT", func() bool {
		switch {
		case p.is("ON") && p.same(p.ahead(), "CONFLICT"):
			p.upsert("ON CONFLICT")
		case p.is("RETURNING"):
			p.reject(types.Unsupported, p.tok.start, "RETURNING is not supported").WithHint("leave it out; the answer says how many rows were accepted")
		}
		return false
	})
	s.Span = p.span(start)
	return s
}

func (p *parser) queryAhead() bool {
	for _, w := range queryWords {
		if p.same(p.ahead(), w) {
			return true
		}
	}
	return false
}

func (p *parser) upsert(what string) {
	p.reject(types.Unsupported, p.tok.start, "%s is not supported", what).
		WithHint("INSERT into a table replaces the row with the same key anyway; a stream is append-only and keeps every row")
}

func (p *parser) delete(start int) Statement {
	p.usage = deleteUsage
	s := &Delete{}
	p.expect("FROM")
	s.Target = p.object("the name of a table")
	p.expect("WHERE")
	if p.is("(") {
		s.Columns = p.idents("a key column")
		p.expect("IN")
		p.list(func() { s.Keys = append(s.Keys, p.values(len(s.Columns))) })
	} else {
		p.equalities(s)
	}
	s.Span = p.span(start)
	return s
}

// equalities reads "k = v AND k2 = v2" or "k IN (v, ...)".
func (p *parser) equalities(s *Delete) {
	var row []Value
	for p.err == nil {
		col := p.ident("a key column")
		for _, o := range s.Columns {
			if o.Name == col.Name {
				_ = p.reject(types.InvalidArgument, col.Pos, "column %s is compared twice", types.QuoteIdent(col.Name))
			}
		}
		s.Columns = append(s.Columns, col)
		if len(row) == 0 && p.accept("IN") {
			p.list(func() { s.Keys = append(s.Keys, []Value{p.keyValue()}) })
			return
		}
		p.expect("=")
		row = append(row, p.keyValue())
		if !p.accept("AND") {
			break
		}
	}
	s.Keys = [][]Value{row}
}

func (p *parser) values(n int) []Value {
	start := p.tok.start
	var row []Value
	p.list(func() { row = append(row, p.keyValue()) })
	if len(row) != n {
		_ = p.reject(types.InvalidArgument, start, "found %d values for %d columns", len(row), n)
	}
	return row
}

func (p *parser) keyValue() Value {
	v := p.value()
	if v.Null {
		p.reject(types.InvalidArgument, v.Pos, "a key is never NULL").WithHint("name the rows by their whole key")
	}
	return v
}

// value takes a literal or a parameter.
func (p *parser) value() Value {
	v := Value{Pos: p.tok.start}
	t := p.tok
	if t.kind == param {
		v.Param = p.src(t)[1:]
		if v.Param == "" {
			p.positional++
			v.Param = strconv.Itoa(p.positional)
		}
		v.Param = foldASCII(v.Param)
		p.advance()
		return v
	}
	return p.literal()
}

// typed are the types that may stand before a string: DATE '2024-01-01'.
var typed = []string{"DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "UUID", "INTERVAL"}

// literal takes a string, a number, TRUE, FALSE, NULL or a typed string.
func (p *parser) literal() Value {
	v := Value{Pos: p.tok.start}
	for _, w := range typed {
		if p.is(w) && p.ahead().kind == text {
			p.advance()
			break
		}
	}
	sign := ""
	if p.is("-") && p.ahead().kind == number {
		sign = "-"
		p.advance()
	}
	switch {
	case p.tok.kind == text:
		v.Text = p.tok.value(p.lex.src)
	case p.tok.kind == number:
		v.Text = sign + p.src(p.tok)
	case p.is("TRUE"), p.is("FALSE"):
		v.Text = foldASCII(p.src(p.tok))
	case p.is("NULL"):
		v.Null = true
	default:
		p.expected("a literal value")
		return v
	}
	p.advance()
	return v
}
