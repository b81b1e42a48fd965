package pgwire

import (
	"context"
	"encoding/binary"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// column is one of a RowDescription.
type column struct {
	name  string
	oid   uint32
	size  int16
	mod   int32
	table uint32
	attr  int16
	typ   types.Type
}

func columnOf(c types.Column) column {
	oid := pgtype.Of(c.Type)
	return column{name: c.Name, oid: oid, size: pgtype.Size(oid), mod: pgtype.Mod(c.Type), typ: c.Type}
}

func columnsOf(cs []types.Column) []column {
	if cs == nil {
		return nil
	}
	out := make([]column, len(cs))
	for i, c := range cs {
		out[i] = columnOf(c)
	}
	return out
}

// textColumn is a column of text, for the session's own answers.
func textColumn(name string) column {
	return columnOf(types.Column{Name: name, Type: types.Of(types.Varchar)})
}

// statement is one that was parsed: one of empty, command, catalog and backend is set.
type statement struct {
	text string
	// script and offset are where the text stands, for places in errors.
	script string
	offset int
	empty  bool
	// command is the session's own.
	command  command
	catalog  *pgcatalog.Statement
	backend  Prepared
	params   []uint32
	columns  []column
	describe [2][]byte // RowDescription with all columns as text, and as binary
}

// command is a statement that the session itself carries out.
type command interface {
	// columns are those of the answer, nil for none.
	columns(s *session) []column
	run(ctx context.Context, s *session, args []any) (answer, error)
}

// answer is what a statement gives: rows of a source, or a command tag. tag is completed with the number of rows if it ends with a blank.
type answer struct {
	tag    string
	source source
	// columns are set where the statement could not describe them.
	columns []column
	// empty is an EmptyQueryResponse.
	empty bool
}

// prepareText finds out what a statement is. params are the types that the client named.
func (s *session) prepareText(ctx context.Context, text, script string, offset int, params []uint32) (*statement, error) {
	st := &statement{text: text, script: script, offset: offset}
	if err := s.classify(ctx, st, offset, params); err != nil {
		return nil, err
	}
	return st, nil
}

func (s *session) classify(ctx context.Context, st *statement, offset int, params []uint32) (err error) {
	if (&scanner{src: st.text}).next().kind == tokenEnd {
		st.empty = true
		return nil
	}
	if st.command, err = s.command(st, params); err != nil {
		return err
	}
	if s.tx == failed && !endsTransaction(st.command) {
		return failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	if st.command != nil {
		st.columns = st.command.columns(s)
		if p, ok := st.command.(interface{ parameters() []uint32 }); ok {
			st.params = p.parameters()
		}
		return nil
	}
	sql := st.text
	if s.server.Catalog != nil {
		v, err := s.server.Catalog.Intercept(ctx, s.aboutSession(), st.text, params)
		if err != nil {
			return moved(err, st.script, offset)
		}
		if v.Statement != nil {
			st.catalog, st.params = v.Statement, v.Statement.Params()
			for _, c := range v.Statement.Columns() {
				st.columns = append(st.columns, column{name: c.Name, oid: c.OID, size: c.Size, mod: c.Mod, table: c.Table, attr: c.Attribute})
			}
			return nil
		}
		if sql = v.SQL; v.Rewritten {
			st.script, offset = "", 0
		}
	}
	return s.prepareBackend(ctx, st, sql, offset, params)
}

func (s *session) prepareBackend(ctx context.Context, st *statement, sql string, offset int, params []uint32) (err error) {
	given := make([]types.Type, len(params))
	for i, oid := range params {
		if t, ok := pgtype.TypeOf(oid); ok {
			given[i] = t
		} else if oid == pgtype.Numeric {
			given[i] = types.Of(types.Decimal)
		}
	}
	st.backend, err = s.server.Backend.Prepare(ctx, Text{Principal: s.principal, Remote: s.addr.String(), SQL: sql, Script: st.script, Offset: offset}, given)
	if err != nil {
		return err
	}
	inferred := st.backend.Params()
	st.params = make([]uint32, max(len(inferred), len(params)))
	copy(st.params, params)
	for i, t := range inferred {
		if st.params[i] == 0 || st.params[i] == pgtype.Unknown {
			st.params[i] = pgtype.Of(t)
		}
	}
	for i, oid := range st.params {
		if oid == 0 || oid == pgtype.Unknown {
			st.params[i] = pgtype.Text
		}
	}
	st.columns = columnsOf(st.backend.Columns())
	return nil
}

// rowDescription appends the description of columns in those formats.
func (w *wire) rowDescription(columns []column, formats []int16) {
	at := w.begin('T')
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(columns)))
	for i, c := range columns {
		w.out = append(append(w.out, c.name...), 0)
		w.out = binary.BigEndian.AppendUint32(w.out, c.table)
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(c.attr))
		w.out = binary.BigEndian.AppendUint32(w.out, c.oid)
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(c.size))
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(c.mod))
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(formatOf(formats, i)))
	}
	w.finish(at)
}

// formatOf is the format of column i: none are all text, one is for all.
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return textFormat
	case len(formats) == 1:
		return formats[0]
	}
	return formats[i]
}

// described appends the statement's RowDescription, or NoData; it remembers the two that are asked for mostly.
func (s *session) described(st *statement, columns []column, formats []int16) {
	if columns == nil {
		s.message('n')
		return
	}
	if len(formats) > 1 || st.command != nil {
		s.rowDescription(columns, formats)
		return
	}
	which := formatOf(formats, 0)
	if st.describe[which] == nil {
		at := len(s.out)
		s.rowDescription(columns, formats)
		st.describe[which] = append([]byte(nil), s.out[at:]...)
		return
	}
	s.out = append(s.out, st.describe[which]...)
}

// moved moves an error's place from a statement to the script in which it stands.
func moved(err error, script string, offset int) error {
	e := types.AsError(err)
	if e.Line == 0 || offset == 0 {
		return err
	}
	line, column := types.Place(script, offset)
	shown := *e
	if e.Line == 1 {
		shown.Column += column - 1
	}
	shown.Line += line - 1
	return &shown
}
