package ddl

import (
	"strings"

	"leat/internal/types"
)

// CreateIndex makes a second order of the rows of a table or materialized view.
type CreateIndex struct {
	Span
	IfNotExists bool
	// Name.Name is empty where the statement gives none.
	Name    ObjectName
	On      ObjectName
	Columns []Ident
}

// MaxIndexColumns is how many columns an index has at most.
const MaxIndexColumns = 8

// createIndex takes what follows CREATE [UNIQUE] INDEX: [IF NOT EXISTS] [name] ON v [USING btree] (column [ASC], ...).
func (p *parser) createIndex(h Head) Statement {
	p.usage = indexUsage
	s := &CreateIndex{Span: h.Span}
	if h.OrReplace {
		p.reject(types.Unsupported, p.last-len("INDEX"), "an index can't be replaced").WithHint("DROP INDEX IF EXISTS name in the same script, then CREATE INDEX")
	}
	p.accept("CONCURRENTLY") // readers never wait for an index
	if p.accept("IF", "NOT") {
		p.expect("EXISTS")
		s.IfNotExists = true
	}
	if !p.is("ON") {
		s.Name = p.newName("the name of the index or ON")
	} else if s.IfNotExists {
		p.fail(p.tok.start, "IF NOT EXISTS needs the name of the index").WithHint("give it one: CREATE INDEX IF NOT EXISTS name ON ...")
	}
	p.expect("ON")
	s.On = p.object("the name of a table or materialized view")
	if p.accept("USING") {
		if method := p.ident("BTREE"); !strings.EqualFold(method.Name, "btree") {
			p.reject(types.Unsupported, method.Pos, "there are no indexes of the kind %s", types.QuoteIdent(method.Name)).WithHint("leave USING out: indexes are ordered")
		}
	}
	p.list(func() { p.indexColumn(s) })
	if p.is("WHERE") || p.is("INCLUDE") {
		p.reject(types.Unsupported, p.tok.start, "%s is not supported in an index", strings.ToUpper(p.src(p.tok))).
			WithHint("an index has all rows, and gives whole ones; filter with a materialized view")
	}
	s.End = p.last
	return s
}

func (p *parser) indexColumn(s *CreateIndex) {
	const hint = "let a materialized view compute the value, and index its column"
	if p.is("(") {
		p.reject(types.Unsupported, p.tok.start, "an index orders by columns, not by expressions").WithHint(hint)
	}
	c := p.ident("a column name")
	switch {
	case p.is("("):
		p.reject(types.Unsupported, c.Pos, "an index orders by columns, not by expressions").WithHint(hint)
	case p.is("DESC"), p.is("NULLS"):
		p.reject(types.Unsupported, p.tok.start, "%s is not supported in an index", strings.ToUpper(p.src(p.tok))).
			WithHint("leave it out: an index is read in both directions")
	}
	p.accept("ASC")
	for _, o := range s.Columns {
		if strings.EqualFold(o.Name, c.Name) {
			p.reject(types.InvalidArgument, c.Pos, "%s is named twice", types.QuoteIdent(c.Name)).WithHint("leave one out")
		}
	}
	if s.Columns = append(s.Columns, c); len(s.Columns) > MaxIndexColumns {
		p.reject(types.InvalidArgument, c.Pos, "more than %d columns in an index", MaxIndexColumns).WithHint("look-ups go by the first ones: leave the others out")
	}
}

// unique refuses CREATE UNIQUE INDEX.
func (p *parser) unique() {
	p.reject(types.Unsupported, p.tok.start, "unique indexes are not supported").
		WithHint("CREATE INDEX makes one to look up by; what is unique is a table's PRIMARY KEY, and the key of a materialized view")
}

func (s *CreateIndex) print(b *strings.Builder) {
	b.WriteString("CREATE INDEX ")
	if s.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	switch name := s.Name.Name; name {
	case "":
	case "concurrently":
		b.WriteString(`"concurrently" `) // bare, it is the noise word
	default:
		b.WriteString(types.QuoteIdent(name) + " ")
	}
	b.WriteString("ON " + types.QuoteIdent(s.On.Name) + " (" + names(s.Columns) + ")")
}
