package pgwire

import (
	"context"
	"strings"

	"leat/internal/types"
)

// command reads a statement that the session carries out itself; nil is one of others.
func (s *session) command(st *statement, params []uint32) (command, error) {
	r := read(st.text)
	if r.tok.kind != tokenWord {
		return nil, nil
	}
	switch strings.ToUpper(r.src()) {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
		return transaction(r)
	case "SET":
		r.advance()
		return set(r)
	case "RESET":
		r.advance()
		return reset(r)
	case "SHOW":
		r.advance()
		return s.show(r), nil
	case "DISCARD":
		r.advance()
		return discard{strings.ToUpper(r.rest())}, nil
	case "DEALLOCATE":
		r.advance()
		r.accept("PREPARE")
		if r.accept("ALL") {
			return deallocate{all: true}, nil
		}
		return deallocate{name: r.ident()}, nil
	case "PREPARE":
		r.advance()
		return s.prepareCommand(r, st)
	case "EXECUTE":
		r.advance()
		return s.executeCommand(r)
	case "DECLARE":
		r.advance()
		return s.declare(r, st, params)
	case "FETCH", "MOVE":
		return fetch(r)
	case "CLOSE":
		r.advance()
		if r.accept("ALL") {
			return closeCursor{all: true}, nil
		}
		return closeCursor{name: r.ident()}, nil
	case "COPY":
		r.advance()
		return s.copyCommand(r, st)
	case "SUBSCRIBE":
		return nil, withState(types.Errorf(types.Unsupported, "SUBSCRIBE is followed through a cursor or COPY").
			WithHint("DECLARE c CURSOR FOR %s, then FETCH ALL c; or COPY (%s) TO STDOUT", st.text, st.text), "0A000")
	case "LISTEN", "UNLISTEN", "NOTIFY", "LOCK", "CHECKPOINT", "VACUUM", "ANALYZE":
		return nothing(r)
	}
	return nil, nil
}

// nothing takes statements that tools send and that have nothing to do here; those that would promise something are refused.
func nothing(r *reader) (command, error) {
	word := strings.ToUpper(r.src())
	switch word {
	case "UNLISTEN", "CHECKPOINT", "VACUUM", "ANALYZE":
		return done{word}, nil
	}
	return nil, withState(types.Errorf(types.Unsupported, "%s is not supported", word), "0A000")
}

// done answers a tag alone.
type done struct{ tag string }

func (done) columns(*session) []column { return nil }
func (d done) run(context.Context, *session, []any) (answer, error) {
	return answer{tag: d.tag}, nil
}

// dynamic reports whether a command's columns depend on what there is when it runs.
func dynamic(c command) bool {
	switch c.(type) {
	case *fetchCursor, *executeNamed:
		return true
	}
	return false
}

// discard is DISCARD.
type discard struct{ what string }

func (discard) columns(*session) []column { return nil }

func (d discard) run(_ context.Context, s *session, _ []any) (answer, error) {
	switch strings.TrimSpace(d.what) {
	case "ALL":
		if s.tx != idle {
			return answer{}, failure("25001", "DISCARD ALL cannot run inside a transaction block")
		}
		s.leave()
		for name, c := range s.cursors {
			c.close()
			delete(s.cursors, name)
		}
		clear(s.statements)
		s.statementBytes = 0
		s.resetAll()
	case "PLANS", "SEQUENCES", "TEMP", "TEMPORARY":
	default:
		return answer{}, failure("42601", "syntax error at or near %q", d.what)
	}
	return answer{tag: "DISCARD " + strings.TrimSpace(d.what)}, nil
}

// deallocate is DEALLOCATE.
type deallocate struct {
	name string
	all  bool
}

func (deallocate) columns(*session) []column { return nil }

func (d deallocate) run(_ context.Context, s *session, _ []any) (answer, error) {
	if d.all {
		clear(s.statements)
		s.statementBytes = 0
		return answer{tag: "DEALLOCATE ALL"}, nil
	}
	if !s.deallocate(d.name) {
		return answer{}, failure("26000", "prepared statement %.100q does not exist", d.name)
	}
	return answer{tag: "DEALLOCATE"}, nil
}
