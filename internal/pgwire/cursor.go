package pgwire

import (
	"context"
	"math"
	"strconv"

	"leat/internal/types"
)

// maxCursors bounds the cursors of a session.
const maxCursors = 100

// cursor is a result that FETCH reads forwards. It sees the moment of its DECLARE.
type cursor struct {
	name, text string
	columns    []column
	source     source
	formats    []int16
	hold       bool
	// live is set for a SUBSCRIBE, which has no end.
	live *subscribeSource
	// ctx governs the result; it ends with the cursor.
	ctx    context.Context
	cancel context.CancelCauseFunc
	row    int64
	done   bool
}

func (c *cursor) close() {
	if c.source != nil {
		c.source.close()
		c.source = nil
	}
	if c.cancel != nil {
		c.cancel(errGone)
	}
}

// declareCursor is DECLARE c CURSOR FOR a query or a SUBSCRIBE.
type declareCursor struct {
	name      string
	binary    bool
	hold      bool
	query     string
	subscribe *subscribe
	st        *statement
}

func (s *session) declare(r *reader, st *statement, params []uint32) (command, error) {
	d := &declareCursor{name: r.ident()}
	for !r.is("CURSOR") {
		switch {
		case r.accept("BINARY"):
			d.binary = true
		case r.accept("INSENSITIVE"), r.accept("ASENSITIVE"), r.accept("NO", "SCROLL"):
		case r.accept("SCROLL"):
			return nil, withState(types.Errorf(types.Unsupported, "cursors go forwards only").WithHint("leave SCROLL out"), "0A000")
		default:
			return nil, syntax(r)
		}
	}
	r.advance()
	if r.accept("WITH", "HOLD") {
		d.hold = true
	} else {
		r.accept("WITHOUT", "HOLD")
	}
	if !r.accept("FOR") || r.end() || d.name == "" {
		return nil, syntax(r)
	}
	d.query = r.rest()
	offset := st.offset + r.tok.start
	if r.is("SUBSCRIBE") {
		var err error
		d.subscribe, err = parseSubscribe(r)
		return d, err
	}
	if s.tx == failed {
		return d, nil
	}
	var err error
	ctx := s.guardContext()
	d.st, err = s.prepareText(ctx, d.query, st.script, offset, params)
	if err != nil {
		return nil, err
	}
	if d.st.columns == nil || d.st.command != nil {
		return nil, failure("42601", "DECLARE CURSOR must be followed by a SELECT or a SUBSCRIBE")
	}
	return d, nil
}

// guardContext is the context of the statement that is being prepared or run.
func (s *session) guardContext() context.Context {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	if s.guard.ctx == nil {
		return s.guard.parent
	}
	return s.guard.ctx
}

func (d *declareCursor) columns(*session) []column { return nil }

func (d *declareCursor) parameters() []uint32 {
	if d.st == nil {
		return nil
	}
	return d.st.params
}

func (d *declareCursor) run(_ context.Context, s *session, args []any) (answer, error) {
	switch {
	case s.tx == idle && !d.hold:
		return answer{}, hinted(failure("25P01", "DECLARE CURSOR can only be used in transaction blocks"), "BEGIN first, or declare it WITH HOLD")
	case s.cursors[d.name] != nil:
		return answer{}, failure("42P03", "cursor %.100q already exists", d.name)
	case len(s.cursors) >= maxCursors:
		return answer{}, withState(types.Errorf(types.LimitExceeded, "a session has at most %d cursors", maxCursors).WithHint("CLOSE some"), "54000")
	}
	c := &cursor{name: d.name, text: d.query, hold: d.hold}
	c.ctx, c.cancel = context.WithCancelCause(s.guard.parent)
	if d.binary {
		c.formats = []int16{binaryFormat}
	}
	s.guard.again(c.cancel, s.timeout())
	var err error
	if d.subscribe != nil {
		err = s.follow(c, d.subscribe)
	} else {
		var a answer
		if a, err = s.run(c.ctx, d.st, args, nil); err == nil {
			c.source, c.columns = a.source, d.st.columns
		}
	}
	if err != nil {
		err = cause(c.ctx, err)
		c.close()
		return answer{}, err
	}
	s.cursors[d.name] = c
	return answer{tag: "DECLARE CURSOR"}, nil
}

// follow begins a cursor's subscription.
func (s *session) follow(c *cursor, sub *subscribe) error {
	src, err := s.subscribe(c.ctx, sub)
	if err != nil {
		return err
	}
	c.source, c.live, c.columns = src, src, src.shown
	return nil
}

// fetchCursor is FETCH or MOVE.
type fetchCursor struct {
	name string
	move bool
	// count is how many rows; all of them is math.MaxInt64.
	count int64
	wait  waiting
}

func fetch(r *reader) (command, error) {
	f := &fetchCursor{move: r.is("MOVE"), count: 1}
	r.advance()
	backward := func() error {
		return withState(types.Errorf(types.Unsupported, "cursors go forwards only").WithHint("FETCH n or FETCH ALL"), "55000")
	}
	switch {
	case r.accept("NEXT"):
	case r.accept("ALL"):
		f.count = math.MaxInt64
	case r.accept("FORWARD"):
		switch {
		case r.accept("ALL"):
			f.count = math.MaxInt64
		case r.tok.kind == tokenNumber:
			if err := f.number(r); err != nil {
				return nil, err
			}
		}
	case r.tok.kind == tokenNumber:
		if err := f.number(r); err != nil {
			return nil, err
		}
	case r.is("BACKWARD"), r.is("PRIOR"), r.is("FIRST"), r.is("LAST"), r.is("ABSOLUTE"), r.is("RELATIVE"), r.is("-"):
		return nil, backward()
	}
	if !r.accept("FROM") {
		r.accept("IN")
	}
	f.name = r.ident()
	if r.accept("WITH") {
		var err error
		if f.wait, err = parseWaiting(r); err != nil {
			return nil, err
		}
	}
	if f.name == "" || !r.end() {
		return nil, syntax(r)
	}
	return f, nil
}

func (f *fetchCursor) number(r *reader) error {
	n, err := strconv.ParseInt(r.src(), 10, 64)
	if err != nil {
		return syntax(r)
	}
	f.count = n
	r.advance()
	return nil
}

func (f *fetchCursor) columns(s *session) []column {
	if c := s.cursors[f.name]; c != nil && !f.move {
		return c.columns
	}
	return nil
}

func (f *fetchCursor) run(_ context.Context, s *session, _ []any) (answer, error) {
	c := s.cursors[f.name]
	if c == nil {
		return answer{}, failure("34000", "cursor %.100q does not exist", f.name)
	}
	s.guard.again(c.cancel, s.timeout())
	src := &fetchSource{cursor: c, left: f.count, session: s}
	if c.live != nil {
		c.live.begin(f.count, f.wait)
		s.guard.again(c.cancel, 0) // a wait that the statement itself bounds
	}
	if !f.move {
		return answer{tag: "FETCH ", source: src}, nil
	}
	n, b := int64(0), []byte(nil)
	for {
		var ok bool
		var err error
		if b, ok, err = src.next(c.ctx, b[:0], nil); err != nil {
			return answer{}, cause(c.ctx, err)
		}
		if !ok {
			return answer{tag: "MOVE " + strconv.FormatInt(n, 10)}, nil
		}
		n++
	}
}

// fetchSource gives the next rows of a cursor.
type fetchSource struct {
	session *session
	cursor  *cursor
	left    int64
	cut     bool
}

func (f *fetchSource) next(_ context.Context, b []byte, formats []int16) ([]byte, bool, error) {
	c := f.cursor
	if f.left <= 0 || c.done || c.source == nil {
		return b, false, nil
	}
	if c.formats != nil {
		formats = c.formats
	}
	if a, ok := c.source.(*arrowSource); ok {
		a.fit(formats)
	}
	out, ok, err := c.source.next(c.ctx, b, formats)
	if err != nil {
		return out, false, cause(c.ctx, err)
	}
	if !ok && c.live == nil {
		c.done = true
		f.cut = c.source.truncated()
	}
	if ok {
		c.row++
		f.left--
	}
	return out, ok, nil
}

func (f *fetchSource) truncated() bool { return f.cut }
func (f *fetchSource) close()          {} // the cursor stays

// closeCursor is CLOSE.
type closeCursor struct {
	name string
	all  bool
}

func (closeCursor) columns(*session) []column { return nil }

func (d closeCursor) run(_ context.Context, s *session, _ []any) (answer, error) {
	if d.all {
		for name, c := range s.cursors {
			c.close()
			delete(s.cursors, name)
		}
		return answer{tag: "CLOSE CURSOR ALL"}, nil
	}
	c := s.cursors[d.name]
	if c == nil {
		return answer{}, failure("34000", "cursor %.100q does not exist", d.name)
	}
	c.close()
	delete(s.cursors, d.name)
	return answer{tag: "CLOSE CURSOR"}, nil
}
