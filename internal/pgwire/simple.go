package pgwire

// query is Query: one or several statements, whose first error ends them.
func (s *session) query(body []byte) error {
	f := fields{b: body}
	script := string(f.cstring())
	if f.bad || len(f.b) > 0 {
		return fatal{failure("08P01", "invalid Query message")}
	}
	s.unnamed.close()
	s.unnamed.st, s.prepared = nil, nil
	pieces := split(script)
	if len(pieces) == 0 {
		s.message('I')
	}
	for i, p := range pieces {
		err := s.simple(script, p, i+1 == len(pieces))
		if err == nil {
			if err = s.spill(); err != nil {
				return err
			}
			continue
		}
		if err := s.failed(err, script); err != nil {
			return err
		}
		break
	}
	if s.tx == idle {
		if err := s.commitPending(); err != nil {
			if err := s.failed(err, script); err != nil {
				return err
			}
		}
		s.closePortals()
	}
	s.ready()
	return s.flush()
}

// simple runs one statement of a script; last is its last.
func (s *session) simple(script string, p piece, last bool) error {
	ctx, _ := s.guard.begin(s.timeout(), false)
	st, err := s.prepareText(ctx, p.text, script, p.offset, nil)
	s.guard.end()
	if err != nil {
		return cause(ctx, err)
	}
	if len(st.params) > 0 {
		return failure("42P02", "there is no parameter $1")
	}
	one := &portal{st: st, simple: true, last: last}
	err = s.runPortal(one, 0)
	one.close()
	return err
}
