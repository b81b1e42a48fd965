package pgwire

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// placed adds the text to an error that names a place in it.
func (s *session) placed(err error, script string) error {
	if e := types.AsError(err); e.Line > 0 && script != "" {
		return &placedError{err, script}
	}
	return err
}

// placedError knows the text that its place refers to.
type placedError struct {
	error
	script string
}

func (p *placedError) Unwrap() error { return p.error }

// scriptOf is the text of an error's place, or script.
func scriptOf(err error, script string) string {
	if p, ok := errors.AsType[*placedError](err); ok {
		return p.script
	}
	return script
}

// run runs a statement.
func (s *session) run(ctx context.Context, st *statement, args []any, raw []pgcatalog.Param) (answer, error) {
	s.answered = 0
	switch {
	case st.empty:
		return answer{empty: true}, nil
	case st.command != nil:
		return st.command.run(ctx, s, args)
	case st.catalog != nil:
		return s.runCatalog(ctx, st, raw)
	}
	if err := s.before(st.backend.Kind()); err != nil {
		return answer{}, err
	}
	res, err := st.backend.Run(ctx, args, s.server.MaxRows)
	if err != nil {
		return answer{}, err
	}
	switch {
	case res.Write != nil:
		return s.write(res)
	case res.Rows == nil:
		return answer{tag: res.Tag}, nil
	}
	tag := res.Tag
	if tag == "" {
		tag = "SELECT "
	}
	a := answer{tag: tag, source: &arrowSource{rows: res.Rows, columns: res.Rows.Columns()}}
	switch {
	case st.columns == nil:
		a.columns = columnsOf(res.Rows.Columns())
	case !sameColumns(st.columns, res.Rows.Columns()):
		_ = res.Rows.Close()
		return answer{}, withState(types.Errorf(types.Conflict, "cached plan must not change result type").WithHint("prepare the statement again"), "0A000")
	}
	return a, nil
}

// sameColumns reports whether a result has the columns that were described.
func sameColumns(described []column, now []types.Column) bool {
	if len(described) != len(now) {
		return false
	}
	for i := range now {
		if described[i].name != now[i].Name || described[i].typ.Kind != now[i].Type.Kind || !described[i].typ.Equal(now[i].Type) {
			return false
		}
	}
	return true
}

func (s *session) runCatalog(ctx context.Context, st *statement, raw []pgcatalog.Param) (answer, error) {
	res, err := st.catalog.Run(ctx, s.aboutSession(), raw)
	if err != nil {
		return answer{}, err
	}
	for name, value := range st.catalog.Settings() {
		if err := s.assign(name, value, false); err != nil {
			return answer{}, err
		}
	}
	return answer{tag: "SELECT ", source: &catalogSource{result: res, width: len(st.columns)}}, nil
}

// tooMany counts bytes of the present answer against the principal's limit.
func (s *session) tooMany(bytes int) bool {
	if s.principal.Limits.MaxBytes <= 0 {
		return false
	}
	s.answered += int64(bytes)
	return s.answered > s.principal.Limits.MaxBytes
}

// send writes up to limit rows, all for 0; more says that there may be others.
func (s *session) send(ctx context.Context, src source, formats []int16, limit int) (n int64, more bool, err error) {
	if a, ok := src.(*arrowSource); ok {
		a.fit(formats)
	}
	for limit == 0 || n < int64(limit) {
		at := s.begin('D')
		out, ok, err := src.next(ctx, s.out, formats)
		s.out = out
		if err != nil || !ok {
			s.out = s.out[:at]
			s.server.meters.rows.Add(n)
			return n, false, err
		}
		binary.BigEndian.PutUint32(s.out[at+1:], uint32(len(s.out)-at-1))
		if n++; s.tooMany(len(s.out) - at) {
			s.out = s.out[:at]
			return n, false, withState(types.Errorf(types.LimitExceeded, "the answer has more than %d bytes, the limit of this token", s.principal.Limits.MaxBytes), "54000")
		}
		if len(s.out) >= flushAt {
			if err := s.flush(); err != nil {
				return n, false, fatal{err}
			}
			if ctx.Err() != nil {
				return n, false, context.Cause(ctx)
			}
		}
	}
	s.server.meters.rows.Add(n)
	return n, true, nil
}
