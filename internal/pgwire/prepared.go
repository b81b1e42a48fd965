package pgwire

import (
	"context"
	"strings"

	"leat/internal/pgwire/pgtype"
	"leat/internal/types"
)

// prepareNamed is PREPARE name [(types)] AS statement.
type prepareNamed struct {
	name string
	st   *statement
}

func (s *session) prepareCommand(r *reader, st *statement) (command, error) {
	p := &prepareNamed{name: r.ident()}
	var params []uint32
	if r.accept("(") {
		for !r.accept(")") {
			from := r.tok.start
			for !r.end() && !r.is(",") && !r.is(")") {
				r.advance()
			}
			t, err := types.ParseType(st.text[from:r.tok.start])
			if err != nil {
				return nil, failure("42704", "%v", err)
			}
			params = append(params, pgtype.Of(t))
			if !r.accept(",") && !r.is(")") {
				return nil, syntax(r)
			}
		}
	}
	if p.name == "" || !r.accept("AS") || r.end() {
		return nil, syntax(r)
	}
	text, offset := r.rest(), st.offset+r.tok.start
	if s.tx == failed {
		return p, nil
	}
	var err error
	if p.st, err = s.prepareText(s.guardContext(), text, st.script, offset, params); err != nil {
		return nil, err
	}
	switch p.st.command.(type) {
	case nil:
		return p, nil
	}
	return nil, failure("42601", "only SELECT, INSERT and DELETE can be prepared")
}

func (*prepareNamed) columns(*session) []column { return nil }

func (p *prepareNamed) run(_ context.Context, s *session, _ []any) (answer, error) {
	if _, there := s.statements[p.name]; there {
		return answer{}, failure("42P05", "prepared statement %.100q already exists", p.name)
	}
	return answer{tag: "PREPARE"}, s.keep(p.name, p.st)
}

// executeNamed is EXECUTE name [(values)].
type executeNamed struct {
	name   string
	values []*string
}

func (s *session) executeCommand(r *reader) (command, error) {
	e := &executeNamed{name: r.ident()}
	if e.name == "" {
		return nil, syntax(r)
	}
	if r.accept("(") {
		for !r.accept(")") {
			null := r.is("NULL")
			v, ok := r.value()
			if !ok {
				return nil, hinted(failure("0A000", "the values of EXECUTE can only be literals"), "use the parameters of the client's own prepared statements")
			}
			if null {
				e.values = append(e.values, nil)
			} else {
				e.values = append(e.values, &v)
			}
			if !r.accept(",") && !r.is(")") {
				return nil, syntax(r)
			}
		}
	}
	if !r.end() {
		return nil, syntax(r)
	}
	return e, nil
}

func (e *executeNamed) columns(s *session) []column {
	if st := s.statements[e.name]; st != nil {
		return st.columns
	}
	return nil
}

func (e *executeNamed) run(ctx context.Context, s *session, _ []any) (answer, error) {
	st := s.statements[e.name]
	if st == nil {
		return answer{}, failure("26000", "prepared statement %.100q does not exist", e.name)
	}
	if len(e.values) != len(st.params) {
		return answer{}, failure("42601", "wrong number of parameters for prepared statement %q: expected %d, got %d", e.name, len(st.params), len(e.values))
	}
	p := &portal{st: st}
	for i, v := range e.values {
		var data []byte
		if v != nil {
			data = append([]byte{}, *v...)
		}
		if st.catalog != nil {
			p.raw = append(p.raw, rawParam(data))
			continue
		}
		arg, err := decode(data, st.params[i], textFormat)
		if err != nil {
			return answer{}, err
		}
		p.args = append(p.args, arg)
	}
	a, err := s.run(ctx, st, p.args, p.raw)
	if strings.HasPrefix(a.tag, "EXPLAIN") {
		a.tag = "EXPLAIN"
	}
	return a, err
}
