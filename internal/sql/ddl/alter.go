package ddl

import "leat/internal/types"

func (p *parser) alter(start int) Statement {
	p.usage = alterUsage
	s := &Alter{}
	var ok bool
	if s.Kind, ok = p.kind(); !ok {
		p.expected("STREAM, TABLE, VIEW, MATERIALIZED VIEW or ENDPOINT", append(kindWords, "MATERIALIZED")...)
	}
	s.IfExists = p.accept("IF", "EXISTS")
	s.Name = p.object("the name of a " + string(s.Kind))
	for p.err == nil {
		s.Actions = append(s.Actions, p.action(s.Kind))
		if !p.accept(",") {
			break
		}
	}
	s.Span = p.span(start)
	return s
}

var actionWords = []string{"RENAME", "ALTER", "ADD", "DROP", "SET", "RESET"}

func (p *parser) action(k Kind) Action {
	if k == EndpointKind && p.accept("SET") {
		return SetOptions{p.options(endpointOptionNames...)}
	}
	if k == EndpointKind && p.accept("RESET") {
		return p.reset(endpointOptionNames)
	}
	if k == View || k == MaterializedView || k == EndpointKind {
		p.usage = renameUsage
		p.expect("RENAME", "TO")
		return RenameTo{p.newName("the new name")}
	}
	switch {
	case p.accept("RENAME"):
		return p.rename()
	case p.accept("ALTER"):
		return p.alterColumn()
	case p.accept("ADD"):
		return p.addColumn()
	case p.is("DROP"):
		return p.dropPart()
	case p.accept("SET"):
		return p.set()
	case p.accept("RESET"):
		return p.reset(optionNames)
	}
	p.expected("RENAME, ALTER, ADD, DROP, SET or RESET", actionWords...)
	return nil
}

// reset takes (name, ...).
func (p *parser) reset(known []string) Action {
	var a ResetOptions
	p.list(func() { a.Names = append(a.Names, p.optionName(known)) })
	return a
}

// acceptColumn takes the noise word COLUMN.
func (p *parser) acceptColumn() { p.accept("COLUMN") }

// alterColumn takes [COLUMN] c, then [SET DATA] TYPE t or SET|DROP NOT NULL.
func (p *parser) alterColumn() Action {
	p.acceptColumn()
	column := p.ident("a column name")
	switch {
	case p.accept("SET", "NOT"):
		p.expect("NULL")
		return SetNotNull{column, true}
	case p.accept("DROP", "NOT"):
		p.expect("NULL")
		return SetNotNull{column, false}
	case p.accept("SET", "DATA"), p.is("TYPE"):
		p.expect("TYPE")
		a := SetType{Column: column, TypePos: p.tok.start}
		a.Type = p.typ()
		return a
	case p.is("SET"), p.is("DROP"):
		p.advance()
		p.expected("NOT NULL", "NOT")
		return nil
	}
	p.expected("TYPE, SET NOT NULL or DROP NOT NULL", "TYPE", "SET", "DROP")
	return nil
}

func (p *parser) rename() Action {
	if p.is("TO") {
		p.advance()
		return RenameTo{p.newName("the new name")}
	}
	p.acceptColumn()
	a := RenameColumn{From: p.ident("a column name")}
	p.expect("TO")
	a.To = p.ident("the column's new name")
	if err := types.CheckColumnName(a.To.Name); err != nil {
		p.reject(types.InvalidArgument, a.To.Pos, "%s", types.AsError(err).Message).WithHint(columnNameHint)
	}
	return a
}

func (p *parser) addColumn() Action {
	p.acceptColumn()
	var a AddColumn
	if p.accept("IF", "NOT") {
		p.expect("EXISTS")
		a.IfNotExists = true
	}
	var key bool
	pos := p.tok.start
	if a.Column, key = p.column(); key {
		p.reject(types.Unsupported, pos, "the primary key of a table cannot change").WithHint("create another table and INSERT the rows")
	} else if a.Column.NotNull {
		p.reject(types.Unsupported, pos, "a new column cannot be NOT NULL: older rows have no value for it").WithHint("leave NOT NULL out")
	}
	return a
}

func (p *parser) dropPart() Action {
	pos := p.tok.start
	p.advance()
	switch {
	case p.accept("EVENT", "TIME"):
		return DropEventTime{pos}
	case p.is("WATERMARK") && (p.ahead().kind == end || p.same(p.ahead(), ";") || p.same(p.ahead(), ",")):
		p.advance()
		return DropWatermark{pos}
	}
	p.acceptColumn()
	a := DropColumn{IfExists: p.accept("IF", "EXISTS")}
	a.Column = p.ident("COLUMN, EVENT TIME, WATERMARK or a column name")
	return a
}

func (p *parser) set() Action {
	switch {
	case p.accept("EVENT", "TIME"):
		return SetEventTime{p.ident("a column name")}
	case p.accept("WATERMARK", "FOR"):
		return SetWatermark{p.watermark()}
	case p.is("("):
		return SetOptions{p.options()}
	}
	p.expected(`EVENT TIME, WATERMARK FOR or "("`, "EVENT", "WATERMARK")
	return nil
}
