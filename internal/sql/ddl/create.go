package ddl

import (
	"strings"

	"leat/internal/types"
)

func (p *parser) create(start int) Statement {
	p.usage = createUsage
	h := Head{OrReplace: p.accept("OR", "REPLACE")}
	h.Start = start
	switch {
	case p.accept("STREAM"):
		return p.createStream(h)
	case p.accept("TABLE"):
		return p.createTable(h)
	case p.accept("VIEW"):
		return p.createView(h)
	case p.accept("ENDPOINT"):
		return p.createEndpoint(h)
	case p.accept("MATERIALIZED", "VIEW"):
		return p.createMaterialized(h)
	case p.accept("INDEX"):
		return p.createIndex(h)
	case p.is("UNIQUE") && p.same(p.ahead(), "INDEX"):
		p.unique()
		return nil
	}
	p.expected("STREAM, TABLE, VIEW, MATERIALIZED VIEW, ENDPOINT or INDEX", append(kindWords, "MATERIALIZED", "INDEX")...)
	return nil
}

// name takes [IF NOT EXISTS] name.
func (p *parser) name(h *Head, kind string) {
	pos := p.tok.start
	if p.accept("IF", "NOT") {
		p.expect("EXISTS")
		h.IfNotExists = true
		if h.OrReplace {
			p.fail(pos, "OR REPLACE and IF NOT EXISTS exclude each other").WithHint("leave one of them out")
		}
	}
	h.Name = p.newName("the name of the " + kind)
}

func (p *parser) createStream(h Head) Statement {
	p.usage = streamUsage
	s := &CreateStream{Head: h}
	p.name(&s.Head, "stream")
	b := p.body("stream")
	s.Columns, s.Watermark = b.columns, b.watermark
	if p.accept("PARTITION", "BY") {
		s.PartitionBy = p.idents("a column name")
		b.known(p, s.PartitionBy...)
	}
	if p.accept("WITH") {
		s.Options = p.options()
	}
	b.checkTime(p, s.Options)
	s.End = p.last
	return s
}

func (p *parser) createTable(h Head) Statement {
	p.usage = tableUsage
	s := &CreateTable{Head: h}
	p.name(&s.Head, "table")
	if p.is("AS") {
		p.reject(types.Unsupported, p.tok.start, "CREATE TABLE AS is not supported").
			WithHint("create the table with its columns and PRIMARY KEY, then INSERT INTO it; or use CREATE VIEW")
	}
	b := p.body("table")
	s.Columns, s.PrimaryKey, s.Version, s.Watermark = b.columns, b.key, b.version, b.watermark
	if p.err == nil && len(s.PrimaryKey) == 0 {
		p.fail(s.Name.Pos, "table %s has no primary key", types.QuoteIdent(s.Name.Name)).
			WithHint("add PRIMARY KEY (columns), or use CREATE STREAM for events that are only appended")
	}
	b.known(p, s.PrimaryKey...)
	for _, k := range s.PrimaryKey {
		if c := b.column(k.Name); c != nil {
			c.NotNull = true
		}
	}
	if s.Version != nil {
		b.known(p, *s.Version)
	}
	if p.accept("WITH") {
		s.Options = p.options()
	}
	b.checkTime(p, s.Options)
	s.End = p.last
	return s
}

// body is what stands in the brackets of CREATE STREAM and CREATE TABLE.
type body struct {
	kind      string
	columns   []Column
	watermark *Watermark
	key       []Ident
	version   *Ident
}

func (p *parser) body(kind string) *body {
	b := &body{kind: kind}
	p.list(func() { b.item(p) })
	if p.err == nil && len(b.columns) == 0 {
		p.fail(p.last-1, "a %s needs at least one column", kind).WithHint("add one, such as id BIGINT")
	}
	return b
}

// item takes one column or clause.
func (b *body) item(p *parser) {
	t := p.tok
	switch {
	case p.accept("WATERMARK", "FOR"):
		if b.watermark != nil {
			p.fail(t.start, "a %s has one WATERMARK", b.kind).WithHint("leave the others out")
		}
		w := p.watermark()
		b.watermark = &w
	case p.accept("PRIMARY", "KEY"):
		b.setKey(p, t.start, p.idents("a column name"))
	case b.isVersion(p):
		p.advance()
		if b.kind != "table" || b.version != nil {
			p.fail(t.start, "VERSION belongs to a table, once").WithHint(`for a column of that name write "version"`)
		}
		id := p.ident("a column name")
		b.version = &id
	case p.is("CONSTRAINT"), p.is("UNIQUE"), p.is("CHECK"), p.is("FOREIGN"):
		p.reject(types.Unsupported, t.start, "%s is not supported", strings.ToUpper(p.src(t))).
			WithHint("a table has PRIMARY KEY and NOT NULL; filter rows with a VIEW")
	default:
		c, key := p.column()
		if b.column(c.Name.Name) != nil {
			p.reject(types.InvalidArgument, c.Name.Pos, "two columns are called %q (names are compared without case)", c.Name.Name).
				WithHint("rename one; PATH says from which JSON field it is read")
		}
		if len(b.columns) == types.MaxColumns {
			p.reject(types.InvalidArgument, c.Name.Pos, "more than %d columns", types.MaxColumns).WithHint("keep rarely used fields together in one JSON column")
		}
		b.columns = append(b.columns, c)
		if key {
			b.setKey(p, c.Name.Pos, []Ident{c.Name})
		}
	}
}

func (b *body) setKey(p *parser, pos int, key []Ident) {
	if b.kind != "table" {
		p.fail(pos, "a stream has no PRIMARY KEY").WithHint("use CREATE TABLE for rows that replace each other by key")
	} else if b.key != nil {
		p.fail(pos, "a table has one PRIMARY KEY").WithHint("for a key of several columns write PRIMARY KEY (a, b)")
	}
	b.key = key
}

// isVersion tells the clause "VERSION col" from a column called version: col is a column named before.
func (b *body) isVersion(p *parser) bool {
	next := p.ahead()
	return p.is("VERSION") && (next.kind == word || next.kind == quoted) &&
		(b.column(next.name(p.lex.src)) != nil || next.kind == quoted)
}

func (b *body) column(name string) *Column {
	for i := range b.columns {
		if strings.EqualFold(b.columns[i].Name.Name, name) {
			return &b.columns[i]
		}
	}
	return nil
}

func (b *body) known(p *parser, names ...Ident) {
	for _, n := range names {
		if p.err != nil || b.column(n.Name) != nil {
			continue
		}
		e := p.reject(types.UnknownColumn, n.Pos, "there is no column %s", types.QuoteIdent(n.Name))
		var all []string
		for _, c := range b.columns {
			all = append(all, types.QuoteIdent(c.Name.Name))
		}
		if near := nearest(n.Name, all); near != "" {
			e.WithHint("did you mean " + near + "?")
		} else {
			e.WithHint("%s", "the columns are "+strings.Join(all[:min(len(all), 10)], ", "))
		}
	}
}

// checkTime checks that the event time is one column, that exists and is a timestamp.
func (b *body) checkTime(p *parser, o Options) {
	at := o.EventTime
	if w := b.watermark; w != nil {
		if at != nil && !strings.EqualFold(at.Name, w.Column.Name) {
			p.fail(at.Pos, "event_time is %s but the watermark is for %s", at.Name, w.Column.Name).WithHint("leave event_time out")
		}
		at = &w.Column
	}
	if at == nil {
		return
	}
	b.known(p, *at)
	if c := b.column(at.Name); c != nil && !c.Type.Kind.IsTime() {
		p.reject(types.TypeMismatch, at.Pos, "the event time %s is %s", types.QuoteIdent(at.Name), c.Type).
			WithHint("it must be TIMESTAMP or TIMESTAMP WITH TIME ZONE")
	}
}

func (p *parser) createView(h Head) Statement {
	p.usage = viewUsage
	s := &CreateView{Head: h}
	p.name(&s.Head, "view")
	if p.is("(") {
		s.Columns = p.idents("a column name")
	}
	p.expect("AS")
	s.Query = p.query("a SELECT", func() bool {
		if p.is("EMIT") && p.same(p.ahead(), "ON") {
			p.fail(p.tok.start, "EMIT ON WINDOW CLOSE belongs to a MATERIALIZED VIEW").WithHint("leave it out, or write CREATE MATERIALIZED VIEW")
		}
		return false
	})
	s.End = p.last
	return s
}

func (p *parser) createMaterialized(h Head) Statement {
	p.usage = materialUsage
	s := &CreateMaterializedView{Head: h}
	p.name(&s.Head, "view")
	if p.is("(") {
		s.Columns = p.idents("a column name")
	}
	p.expect("AS")
	s.Query = p.query("a SELECT", func() bool { return p.is("EMIT") && p.same(p.ahead(), "ON") })
	if p.accept("EMIT") {
		p.expect("ON", "WINDOW", "CLOSE")
		s.EmitOnClose = true
	}
	s.End = p.last
	return s
}

func (p *parser) createEndpoint(h Head) Statement {
	p.usage = endpointUsage
	s := &CreateEndpoint{Head: h}
	p.name(&s.Head, "endpoint")
	if p.accept("(", ")") {
		s.Params = nil
	} else if p.is("(") {
		p.list(func() { s.Params = append(s.Params, p.param(s.Params)) })
	}
	if p.accept("WITH") {
		s.Options = p.options(endpointOptionNames...)
	}
	p.expect("AS")
	s.Query = p.query("a SELECT", nil)
	s.End = p.last
	return s
}

// param takes name TYPE [DEFAULT literal].
func (p *parser) param(before []Param) Param {
	a := Param{Name: p.ident("the name of a parameter")}
	if types.CheckObjectName(a.Name.Name) != nil || strings.HasPrefix(a.Name.Name, "_") || a.Name.Name == "format" {
		p.reject(types.InvalidArgument, a.Name.Pos, "parameter %.80q must match [a-z][a-z0-9_]{0,62} and not be format", a.Name.Name).
			WithHint("format and names that start with _ belong to the API")
	}
	for _, o := range before {
		if o.Name.Name == a.Name.Name {
			p.reject(types.InvalidArgument, a.Name.Pos, "two parameters are called %q", a.Name.Name).WithHint("rename one")
		}
	}
	a.Type = p.typ()
	if p.accept("DEFAULT") {
		v := p.literal()
		a.HasDefault, a.DefaultPos = true, v.Pos
		if !v.Null {
			a.Default = &v.Text
		}
	}
	return a
}
