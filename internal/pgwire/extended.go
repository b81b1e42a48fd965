package pgwire

import (
	"context"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// maxArgs is how many parameters a statement may have; the protocol counts to 65,535.
const maxArgs = 65_535

// portal is a statement with its arguments, maybe under way.
type portal struct {
	name    string
	st      *statement
	args    []any
	raw     []pgcatalog.Param
	formats []int16

	// simple portals send their RowDescription; last is set on the last statement of a query.
	simple, last bool

	started bool
	answer  answer
	sent    int64
	done    bool
	// owner counts bytes, the size of args and raw.
	owner *session
	bytes int64
	// ctx and cancel are of a run that may be suspended.
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// parse is Parse: it makes a prepared statement.
func (s *session) parse(body []byte) error {
	f := fields{b: body}
	name, text := string(f.cstring()), string(f.cstring())
	params := make([]uint32, f.count(4))
	for i := range params {
		params[i] = uint32(f.int32())
	}
	if f.bad || len(f.b) > 0 {
		return failure("08P01", "invalid Parse message")
	}
	if _, there := s.statements[name]; there && name != "" {
		return failure("42P05", "prepared statement %.100q already exists", name)
	}
	if pieces := split(text); len(pieces) > 1 {
		return failure("42601", "cannot insert multiple commands into a prepared statement")
	}
	st, err := s.prepare(text, params)
	if err != nil {
		return s.placed(err, text)
	}
	if err := s.keep(name, st); err != nil {
		return err
	}
	s.message('1')
	return nil
}

// prepare parses one text under the session's deadline.
func (s *session) prepare(text string, params []uint32) (*statement, error) {
	ctx, _ := s.guard.begin(s.timeout(), false)
	defer s.guard.end()
	text = trim(text)
	st, err := s.prepareText(ctx, text, text, 0, params)
	if err != nil {
		return nil, cause(ctx, err)
	}
	return st, nil
}

// trim cuts semicolons and blanks off the end.
func trim(text string) string {
	if p := split(text); len(p) == 1 {
		return text[:p[0].offset+len(p[0].text)]
	}
	return text
}

// keep gives a statement its name.
func (s *session) keep(name string, st *statement) error {
	if name == "" {
		s.prepared = st
		return nil
	}
	if len(s.statements) >= maxStatements || s.statementBytes+len(st.text) > maxStatementBytes {
		return withState(types.Errorf(types.LimitExceeded, "a session keeps at most %d prepared statements of %d MiB", maxStatements, maxStatementBytes>>20).
			WithHint("close some: DEALLOCATE"), "54000")
	}
	s.statements[name] = st
	s.statementBytes += len(st.text)
	return nil
}

// lookup finds a prepared statement.
func (s *session) lookup(name []byte) (*statement, error) {
	if len(name) == 0 {
		if s.prepared == nil {
			return nil, failure("26000", "unnamed prepared statement does not exist")
		}
		return s.prepared, nil
	}
	if st, ok := s.statements[string(name)]; ok {
		return st, nil
	}
	return nil, failure("26000", "prepared statement %.100q does not exist", name)
}

// bind is Bind: it makes a portal.
func (s *session) bind(body []byte) error {
	f := fields{b: body}
	name := f.cstring()
	st, err := s.lookup(f.cstring())
	if err != nil {
		return err
	}
	if s.tx == failed && !endsTransaction(st.command) && !st.empty {
		return failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	p, err := s.newPortal(name)
	if err != nil {
		return err
	}
	p.st = st
	if err := s.bindArgs(p, &f); err != nil {
		return err
	}
	n := f.count(2)
	p.formats = p.formats[:0]
	for range n {
		p.formats = append(p.formats, f.int16())
	}
	if f.bad || len(f.b) > 0 {
		return failure("08P01", "invalid Bind message")
	}
	if n > 1 && n != len(st.columns) && !dynamic(st.command) {
		return failure("08P01", "bind message has %d result formats but query has %d columns", n, len(st.columns))
	}
	for _, format := range p.formats {
		if format != textFormat && format != binaryFormat {
			return failure("22023", "unsupported format code: %d", format)
		}
	}
	s.message('2')
	return nil
}

// newPortal makes room for a portal; the unnamed one is used again and again.
func (s *session) newPortal(name []byte) (*portal, error) {
	if len(name) == 0 {
		s.unnamed.close()
		s.unnamed = portal{args: s.unnamed.args[:0], raw: s.unnamed.raw[:0], formats: s.unnamed.formats[:0], owner: s}
		return &s.unnamed, nil
	}
	if _, there := s.portals[string(name)]; there {
		return nil, failure("42P03", "portal %.100q already exists", name)
	}
	if len(s.portals) >= maxPortals {
		return nil, withState(types.Errorf(types.LimitExceeded, "a session has at most %d portals", maxPortals), "54000")
	}
	p := &portal{name: string(name), owner: s}
	s.portals[p.name] = p
	return p, nil
}

// bindArgs reads the values of the parameters.
func (s *session) bindArgs(p *portal, f *fields) error {
	formats := f.take(2 * f.count(2))
	n := f.count(4)
	if f.bad {
		return failure("08P01", "invalid Bind message")
	}
	if n != len(p.st.params) {
		return failure("08P01", "bind message supplies %d parameters, but prepared statement requires %d", n, len(p.st.params))
	}
	if c := len(formats) / 2; c > 1 && c != n {
		return failure("08P01", "bind message has %d parameter formats but %d parameters", c, n)
	}
	for i := range n {
		var data []byte
		if size := f.int32(); size >= 0 {
			if data = f.take(int(size)); data == nil {
				data = []byte{}
			}
		}
		if f.bad {
			return failure("08P01", "invalid Bind message")
		}
		p.keep(len(data))
		format := int16(textFormat)
		switch {
		case len(formats) == 2:
			format = int16(formats[1])
		case len(formats) > 2:
			format = int16(formats[2*i+1])
		}
		if p.st.catalog != nil {
			if data != nil {
				data = append([]byte{}, data...)
			}
			p.raw = append(p.raw, pgcatalog.Param{Data: data, Format: format})
			continue
		}
		v, err := decode(data, p.st.params[i], format)
		if err != nil {
			return err
		}
		p.args = append(p.args, v)
	}
	return nil
}

// describe is Describe of a statement or a portal.
func (s *session) describe(body []byte) error {
	f := fields{b: body}
	kind, name := f.byte(), f.cstring()
	if f.bad || len(f.b) > 0 {
		return failure("08P01", "invalid Describe message")
	}
	switch kind {
	case 'S':
		st, err := s.lookup(name)
		if err != nil {
			return err
		}
		at := s.begin('t')
		s.out = append(s.out, byte(len(st.params)>>8), byte(len(st.params)))
		for _, oid := range st.params {
			s.out = append(s.out, byte(oid>>24), byte(oid>>16), byte(oid>>8), byte(oid))
		}
		s.finish(at)
		s.described(st, s.columnsNow(st), nil)
		return nil
	case 'P':
		if c := s.cursors[string(name)]; c != nil { // a cursor of DECLARE is a portal too
			s.rowDescription(c.columns, c.formats)
			return nil
		}
		p, err := s.portal(name)
		if err != nil {
			return err
		}
		s.described(p.st, s.columnsNow(p.st), p.formats)
		return nil
	}
	return failure("08P01", "invalid DESCRIBE message subtype %d", kind)
}

// columnsNow are a statement's columns: those of FETCH are its cursor's, which may have come later.
func (s *session) columnsNow(st *statement) []column {
	if dynamic(st.command) {
		return st.command.columns(s)
	}
	return st.columns
}

func (s *session) portal(name []byte) (*portal, error) {
	if len(name) == 0 {
		if s.unnamed.st == nil {
			return nil, failure("34000", "portal \"\" does not exist")
		}
		return &s.unnamed, nil
	}
	if p, ok := s.portals[string(name)]; ok {
		return p, nil
	}
	return nil, failure("34000", "portal %.100q does not exist", name)
}

// closeNamed is Close of a statement or a portal; one that doesn't exist is no error.
func (s *session) closeNamed(body []byte) error {
	f := fields{b: body}
	kind, name := f.byte(), string(f.cstring())
	if f.bad || len(f.b) > 0 || kind != 'S' && kind != 'P' {
		return failure("08P01", "invalid Close message")
	}
	switch {
	case kind == 'S' && name == "":
		s.prepared = nil
	case kind == 'S':
		s.deallocate(name)
	case name == "":
		s.unnamed.close()
		s.unnamed.st = nil
	default:
		if p := s.portals[name]; p != nil {
			p.close()
			delete(s.portals, name)
		}
		if c := s.cursors[name]; c != nil {
			c.close()
			delete(s.cursors, name)
		}
	}
	s.message('3')
	return nil
}

func (s *session) deallocate(name string) bool {
	st, ok := s.statements[name]
	if ok {
		s.statementBytes -= len(st.text)
		delete(s.statements, name)
	}
	return ok
}

// close lets go of what a portal reads.
func (p *portal) close() {
	if p.answer.source != nil {
		p.answer.source.close()
		p.answer.source = nil
	}
	if p.cancel != nil {
		p.cancel(errGone)
		p.cancel = nil
	}
	p.forget()
}

// closePortals ends all portals, as the end of a transaction does.
func (s *session) closePortals() {
	s.unnamed.close()
	s.unnamed.st = nil
	for name, p := range s.portals {
		p.close()
		delete(s.portals, name)
	}
}

// execute is Execute: it runs a portal, or goes on with it.
func (s *session) execute(body []byte) error {
	f := fields{b: body}
	name := f.cstring()
	limit := int(f.int32())
	if f.bad || len(f.b) > 0 {
		return failure("08P01", "invalid Execute message")
	}
	p, err := s.portal(name)
	if err != nil {
		return err
	}
	if s.tx == failed && !endsTransaction(p.st.command) && !p.st.empty {
		return failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
	}
	if err := s.runPortal(p, max(limit, 0)); err != nil {
		p.close()
		p.done = true
		return s.placed(err, p.st.script)
	}
	return nil
}

// runPortal runs or goes on with a portal and sends up to limit rows, all for 0.
func (s *session) runPortal(p *portal, limit int) (err error) {
	switch {
	case !p.started:
		p.ctx, p.cancel = s.guard.begin(s.timeout(), limit > 0)
		if limit == 0 {
			defer func() { p.cancel = nil }() // it is the session's
		}
	case p.cancel != nil:
		s.guard.again(p.cancel, s.timeout())
	}
	defer s.guard.end()
	if !p.started {
		p.started = true
		s.server.meters.statements.Add(1)
		s.settle = p.last || !p.simple && s.syncNext()
		if p.answer, err = s.run(p.ctx, p.st, p.args, p.raw); err != nil {
			return cause(p.ctx, err)
		}
		if p.simple && p.answer.source != nil {
			columns := p.answer.columns
			if columns == nil {
				columns = s.columnsNow(p.st)
			}
			s.rowDescription(columns, nil)
		}
	}
	if p.done || p.answer.source == nil {
		return s.finished(p, 0)
	}
	n, more, err := s.send(p.ctx, p.answer.source, p.formats, limit)
	p.sent += n
	if err != nil {
		return cause(p.ctx, err)
	}
	if more {
		s.message('s')
		return nil
	}
	return s.finished(p, n)
}

// finished tells how a portal ended. Of one that was read in parts the last number of rows is told, as PostgreSQL does.
func (s *session) finished(p *portal, n int64) error {
	a := p.answer
	if a.source != nil {
		if a.source.truncated() {
			s.truncated(p.sent)
		}
		p.close()
	}
	p.done = true
	if a.empty {
		s.message('I')
		return nil
	}
	s.complete(a.tag, n)
	return nil
}

// complete sends the command tag; one that ends with a blank gets the number of rows.
func (s *session) complete(tag string, n int64) {
	if tag == "" {
		return // the statement has sent its own
	}
	at := s.begin('C')
	s.out = append(s.out, tag...)
	if tag[len(tag)-1] == ' ' {
		s.out = appendInt(s.out, n)
	}
	s.out = append(s.out, 0)
	s.finish(at)
}

// truncated tells that a limit cut the result.
func (s *session) truncated(rows int64) {
	s.warn("01000", "ask for fewer rows, or read the result in parts", "the result was cut after %d rows, the limit of one result", rows)
}
