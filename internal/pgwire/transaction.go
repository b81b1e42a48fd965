package pgwire

import (
	"context"
	"strings"

	"leat/internal/types"
)

// txCommand begins or ends a transaction or a part of it.
type txCommand struct {
	verb  string // BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, ROLLBACK TO
	tag   string
	name  string
	chain bool
	modes []string
}

// endsTransaction reports whether a statement may run in a failed transaction.
func endsTransaction(c command) bool {
	t, ok := c.(*txCommand)
	return ok && (t.verb == "COMMIT" || t.verb == "ROLLBACK" || t.verb == "ROLLBACK TO")
}

func syntax(r *reader) error {
	what := "at end of input"
	if !r.end() {
		what = "at or near \"" + r.src() + "\""
	}
	line, column := types.Place(r.scanner.src, r.tok.start)
	return types.Errorf(types.SyntaxError, "syntax error %s", what).At(line, column)
}

func transaction(r *reader) (command, error) {
	word := strings.ToUpper(r.src())
	r.advance()
	t := &txCommand{tag: word}
	switch word {
	case "BEGIN", "START":
		t.verb = "BEGIN"
		if word == "START" {
			t.tag = "START TRANSACTION"
			if !r.accept("TRANSACTION") {
				return nil, syntax(r)
			}
		} else if !r.accept("TRANSACTION") {
			r.accept("WORK")
		}
		return t, t.options(r)
	case "SAVEPOINT", "RELEASE":
		t.verb = word
		if word == "RELEASE" {
			r.accept("SAVEPOINT")
		}
		t.name = r.ident()
	default:
		t.verb = map[string]string{"COMMIT": "COMMIT", "END": "COMMIT", "ROLLBACK": "ROLLBACK", "ABORT": "ROLLBACK"}[word]
		t.tag = t.verb
		if !r.accept("TRANSACTION") {
			r.accept("WORK")
		}
		switch {
		case t.verb == "ROLLBACK" && r.accept("TO"):
			r.accept("SAVEPOINT")
			t.verb, t.name = "ROLLBACK TO", r.ident()
		case r.accept("AND", "CHAIN"):
			t.chain = true
		case r.accept("AND", "NO", "CHAIN"):
		case r.is("PREPARED"):
			return nil, withState(types.Errorf(types.Unsupported, "two-phase commit is not supported"), "0A000")
		}
	}
	if !r.end() || t.name == "" && (t.verb == "SAVEPOINT" || t.verb == "RELEASE" || t.verb == "ROLLBACK TO") {
		return nil, syntax(r)
	}
	return t, nil
}

// options reads ISOLATION LEVEL x, READ ONLY, READ WRITE and DEFERRABLE.
func (t *txCommand) options(r *reader) error {
	for !r.end() {
		switch {
		case r.accept("ISOLATION", "LEVEL"):
			switch {
			case r.accept("SERIALIZABLE"), r.accept("REPEATABLE", "READ"):
				t.modes = append(t.modes, "snapshot")
			case r.accept("READ", "COMMITTED"), r.accept("READ", "UNCOMMITTED"):
			default:
				return syntax(r)
			}
		case r.accept("READ", "ONLY"):
			t.modes = append(t.modes, "read only")
		case r.accept("READ", "WRITE"), r.accept("DEFERRABLE"), r.accept("NOT", "DEFERRABLE"), r.accept(","):
		default:
			return syntax(r)
		}
	}
	return nil
}

func (*txCommand) columns(*session) []column { return nil }

func (t *txCommand) run(_ context.Context, s *session, _ []any) (answer, error) {
	switch t.verb {
	case "BEGIN":
		if s.tx != idle {
			s.warn("25001", "", "there is already a transaction in progress")
			return answer{tag: t.tag}, nil
		}
		if err := s.commitPending(); err != nil {
			return answer{}, err
		}
		s.beginTx(t.modes)
	case "COMMIT", "ROLLBACK":
		return s.endTx(t)
	default:
		return s.savepoint(t)
	}
	return answer{tag: t.tag}, nil
}

func (s *session) beginTx(modes []string) {
	s.tx, s.warned = inTx, false
	for _, m := range modes {
		if m == "snapshot" {
			s.warn("01000", "a cursor holds the rows of one moment",
				"transactions are READ COMMITTED: each statement sees its own moment")
		}
	}
}

func (s *session) endTx(t *txCommand) (answer, error) {
	if s.tx == idle {
		s.warn("25P01", "", "there is no transaction in progress")
		return answer{tag: t.tag}, nil
	}
	tag, was := t.tag, s.tx
	s.tx, s.marks = idle, nil
	s.leave()
	for _, key := range s.vars.restore() {
		s.told(key)
	}
	var err error
	switch {
	case was == failed && t.verb == "COMMIT":
		tag = "ROLLBACK"
		fallthrough
	case t.verb == "ROLLBACK":
		s.pending.drop()
	default:
		err = s.commitPending()
	}
	if t.chain {
		s.tx = inTx
	}
	return answer{tag: tag}, err
}

// leave closes the cursors that end with their transaction.
func (s *session) leave() {
	for name, c := range s.cursors {
		if !c.hold {
			c.close()
			delete(s.cursors, name)
		}
	}
	for name, p := range s.portals {
		p.close()
		delete(s.portals, name)
	}
}

// maxMarks bounds the savepoints of a transaction.
const maxMarks = 1000

// savepoint keeps names only: what a transaction wrote after one can't be undone alone, so ROLLBACK TO is refused then.
func (s *session) savepoint(t *txCommand) (answer, error) {
	if s.tx == idle {
		return answer{}, failure("25P01", "%s can only be used in transaction blocks", t.verb)
	}
	if t.verb == "SAVEPOINT" {
		if len(s.marks) >= maxMarks {
			return answer{}, withState(types.Errorf(types.LimitExceeded, "a transaction has at most %d savepoints", maxMarks), "54000")
		}
		s.marks = append(s.marks, mark{t.name, len(s.pending.list), s.pending.rows})
		return answer{tag: t.tag}, nil
	}
	at := len(s.marks) - 1
	for at >= 0 && s.marks[at].name != t.name {
		at--
	}
	if at < 0 {
		return answer{}, failure("3B001", "savepoint %q does not exist", t.name)
	}
	if t.verb == "RELEASE" {
		s.marks = s.marks[:at]
		return answer{tag: t.tag}, nil
	}
	if m := s.marks[at]; s.pending.rows != m.rows {
		return answer{}, withState(types.Errorf(types.Unsupported, "rows were written after savepoint %q and can't be undone alone", t.name).
			WithHint("ROLLBACK undoes the whole transaction"), "0A000")
	}
	s.marks = s.marks[:at+1]
	s.tx = inTx
	return answer{tag: "ROLLBACK"}, nil
}

// mark is a savepoint: what had been written when it was made.
type mark struct {
	name string
	list int
	rows int64
}
