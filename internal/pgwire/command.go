package pgwire

import (
	"context"
	"maps"
	"slices"
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

// setCommand is SET, RESET or SET TRANSACTION.
type setCommand struct {
	name, value string
	local       bool
	// reset gives the setting its value at the start of the session; all gives it to all.
	reset, all bool
	tag        string
	modes      []string
}

func set(r *reader) (command, error) {
	c := &setCommand{tag: "SET"}
	switch {
	case r.accept("LOCAL"):
		c.local = true
	case r.accept("SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"):
		t := &txCommand{}
		return &setCommand{tag: "SET", modes: []string{}}, t.options(r)
	case r.accept("SESSION", "AUTHORIZATION"), r.accept("ROLE"), r.accept("SESSION", "ROLE"):
		if r.accept("DEFAULT") || r.accept("NONE") {
			return done{"SET"}, nil
		}
		return nil, withState(types.Errorf(types.PermissionDenied, "a session keeps the user with which it began"), "42501")
	case r.accept("SESSION"):
	case r.accept("TRANSACTION"):
		t := &txCommand{}
		if r.is("SNAPSHOT") {
			return nil, withState(types.Errorf(types.Unsupported, "SET TRANSACTION SNAPSHOT is not supported"), "0A000")
		}
		err := t.options(r)
		return &setCommand{tag: "SET", modes: append([]string{}, t.modes...)}, err
	case r.accept("CONSTRAINTS"):
		return done{"SET CONSTRAINTS"}, nil
	}
	if r.accept("TIME", "ZONE") {
		c.name = "TimeZone"
		r.accept("INTERVAL")
	} else {
		if c.name = r.ident(); c.name == "names" {
			c.name = "client_encoding"
		} else {
			for r.accept(".") {
				c.name += "." + r.ident()
			}
			if c.name == "" || !r.accept("TO") && !r.accept("=") {
				return nil, syntax(r)
			}
		}
	}
	if r.accept("DEFAULT") {
		c.reset = true
		return c, nil
	}
	var values []string
	for {
		quoted := r.tok.kind == tokenName
		v, ok := r.value()
		if !ok {
			return nil, syntax(r)
		}
		if quoted || len(values) > 0 && strings.ContainsAny(v, ", \"") {
			v = types.QuoteIdent(v)
		}
		values = append(values, v)
		if !r.accept(",") {
			break
		}
	}
	if !r.end() {
		return nil, syntax(r)
	}
	c.value = strings.Join(values, ", ")
	return c, nil
}

func reset(r *reader) (command, error) {
	c := &setCommand{tag: "RESET", reset: true}
	switch {
	case r.accept("ALL"):
		c.all = true
	case r.accept("TIME", "ZONE"):
		c.name = "TimeZone"
	case r.accept("SESSION", "AUTHORIZATION"), r.accept("ROLE"):
		return done{"RESET"}, nil
	default:
		c.name = r.ident()
		for r.accept(".") {
			c.name += "." + r.ident()
		}
	}
	if !r.end() || c.name == "" && !c.all {
		return nil, syntax(r)
	}
	return c, nil
}

func (*setCommand) columns(*session) []column { return nil }

func (c *setCommand) run(_ context.Context, s *session, _ []any) (answer, error) {
	switch {
	case c.modes != nil:
		if s.tx == inTx {
			s.beginTx(c.modes)
		}
	case c.all:
		s.resetAll()
	case c.reset:
		key := strings.ToLower(c.name)
		if _, ok := s.vars.get(key); !ok && !strings.Contains(key, ".") {
			return answer{}, failure("42704", "unrecognized configuration parameter %.60q", c.name)
		}
		delete(s.vars.set, key)
		s.told(key)
	default:
		if err := s.assign(c.name, c.value, c.local); err != nil {
			return answer{}, err
		}
	}
	return answer{tag: c.tag}, nil
}

// assign gives a setting a value and tells the client if it is one of those that it follows. A local one lasts for the transaction.
func (s *session) assign(name, value string, local bool) error {
	key, kept, err := s.vars.check(name, value)
	if err != nil {
		return err
	}
	if local && s.tx == idle {
		s.warn("25P01", "", "SET LOCAL can only be used in transaction blocks")
		return nil
	}
	if local {
		s.vars.save(key)
	}
	s.vars.set[key] = kept
	s.told(key)
	return nil
}

func (s *session) told(key string) {
	if s.server.known[key].report {
		s.parameterStatus(key)
	}
}

func (s *session) resetAll() {
	changed := s.vars.set
	s.vars.set = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(changed)) {
		s.told(key)
	}
}

// showCommand is SHOW of a setting, or of all.
type showCommand struct {
	name string
	all  bool
}

// show tells SHOW of a setting from Leat's SHOW of objects: nil is the latter.
func (s *session) show(r *reader) command {
	switch {
	case r.accept("TRANSACTION", "ISOLATION", "LEVEL"):
		return &showCommand{name: "transaction_isolation"}
	case r.accept("TIME", "ZONE"):
		return &showCommand{name: "TimeZone"}
	case r.accept("SESSION", "AUTHORIZATION"):
		return &showCommand{name: "session_authorization"}
	}
	for _, ours := range []string{"STREAMS", "TABLES", "VIEWS", "MATERIALIZED", "ENDPOINTS", "CREATE", "INDEXES", "SOURCES", "SINKS", "ALERTS"} {
		if r.is(ours) {
			return nil
		}
	}
	if r.accept("ALL") {
		if r.end() {
			return &showCommand{all: true}
		}
		return nil
	}
	name := r.ident()
	for r.accept(".") {
		name += "." + r.ident()
	}
	if _, ok := s.vars.get(name); !ok && !strings.Contains(name, ".") && !r.end() || name == "" {
		return nil
	}
	return &showCommand{name: name}
}

func (c *showCommand) columns(s *session) []column {
	if c.all {
		return []column{textColumn("name"), textColumn("setting"), textColumn("description")}
	}
	return []column{textColumn(s.vars.shownName(strings.ToLower(c.name)))}
}

func (c *showCommand) run(_ context.Context, s *session, _ []any) (answer, error) {
	if c.all {
		var rows [][]string
		for _, name := range s.vars.names() {
			value, _ := s.vars.get(name)
			rows = append(rows, []string{s.vars.shownName(name), value, ""})
		}
		return answer{tag: "SHOW", source: &textSource{rows: rows}}, nil
	}
	value, ok := s.vars.get(c.name)
	if !ok {
		return answer{}, failure("42704", "unrecognized configuration parameter %.60q", c.name)
	}
	return answer{tag: "SHOW", source: &textSource{rows: [][]string{{value}}}}, nil
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
