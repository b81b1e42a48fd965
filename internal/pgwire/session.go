package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"leat/internal/auth"
	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// Bounds of what one session keeps.
const (
	maxStatements     = 5000     // prepared statements by name; the next one is refused with 54000
	maxStatementBytes = 32 << 20 // their texts
	maxPortals        = 1000     // portals and cursors by name
)

// txState is what ReadyForQuery says.
type txState byte

const (
	idle   txState = 'I'
	inTx   txState = 'T'
	failed txState = 'E'
)

// session is one connection. Its goroutine alone uses it, but for what says otherwise.
type session struct {
	wire
	server *Server
	raw    net.Conn // what accept gave; conn may be TLS over it
	tls    *tls.Conn
	sent   *tls.Certificate
	secure bool
	minor  int

	addr      netip.Addr
	user      string
	database  string
	principal auth.Principal
	// credential is the token or JWT that was sent in the clear; byToken says that SCRAM proved a token. Both may end: checked is when that was
	// looked at.
	credential string
	byToken    bool
	checked    time.Time
	vars       vars
	about      pgcatalog.Session
	began      time.Time

	// answered are the bytes of the present answer, where they are limited.
	answered int64

	// pid and secret are what a cancel request names; proven is guarded by Server.mu.
	pid    int32
	secret []byte
	proven bool

	guard guard
	// why is set by others before they wake the session to end it.
	why atomic.Pointer[error]

	tx    txState
	marks []mark // savepoints
	// warned says that the transaction's user knows that definitions are not part of it.
	warned  bool
	pending writes
	// settle says that rows written by the statement need not wait for others.
	settle bool

	statements     map[string]*statement
	statementBytes int
	portalBytes    int64 // of arguments
	counted        int64 // by account
	portals        map[string]*portal
	unnamed        portal
	cursors        map[string]*cursor
	// prepared is the unnamed statement.
	prepared *statement
	// skipping is set by an error in the extended protocol until Sync.
	skipping bool
	// holds is how long the session may be idle in its transaction, 0 where there is none, for the watch.
	holds atomic.Int64
}

func newSession(server *Server, c net.Conn) *session {
	s := &session{
		wire: newWire(c, maxStartup), server: server, raw: c, addr: remote(c).Addr().Unmap(), began: time.Now(), tx: idle,
		statements: map[string]*statement{}, portals: map[string]*portal{}, cursors: map[string]*cursor{},
	}
	s.vars = newVars(server.known, server.Settings)
	s.guard.parent = context.Background()
	s.guard.since = s.began
	return s
}

// serve runs the session to its end.
func (s *session) serve() {
	ctx, cancel := context.WithCancelCause(context.Background())
	s.guard.parent = ctx
	defer func() {
		if bug := recover(); bug != nil {
			s.server.Log.Error("BUG: a PostgreSQL session panicked", "bug", fmt.Sprint(bug), "stack", string(debug.Stack()))
		}
		s.server.forget(s)
		s.server.held.Add(-s.counted)
		s.closeAll()
		s.guard.close()
		cancel(errGone)
		_ = s.conn.Close() // of what the client did not get nothing can be told to it
		s.server.meters.readBytes.Add(s.read)
		s.server.meters.writtenBytes.Add(s.written)
	}()
	err := s.start()
	if err == nil {
		err = s.loop()
	}
	if why := s.why.Load(); why != nil {
		err = *why
	}
	if err == nil || quiet(err) {
		return
	}
	s.server.Log.Debug("a PostgreSQL session ended", "user", s.user, "addr", s.addr, "err", err)
	r := fault(err, "")
	r.severity = "FATAL"
	s.report('E', r)
	_ = s.raw.SetDeadline(time.Now().Add(time.Second))
	_ = s.flush()
}

// end wakes the session between statements and has it end; in the middle of one it ends after it.
func (s *session) end(why error) {
	s.why.CompareAndSwap(nil, &why)
	_ = s.raw.SetReadDeadline(time.Unix(1, 0)) // a closed connection needs no waking
}

// look ends the session if it was idle for too long, or its statement if the client has gone.
func (s *session) look(now time.Time) {
	if err := s.proof(); err != nil { // a COPY or a FETCH of changes may go on for hours
		s.end(err)
		s.guard.stop(err)
		return
	}
	active, since := s.guard.state()
	switch idle := now.Sub(since); {
	case active:
		if idle > watchEvery && gone(s.raw) {
			s.guard.stop(errGone)
		}
	case idle > s.server.IdleTimeout:
		s.end(errIdle)
	case s.holds.Load() > 0 && idle > time.Duration(s.holds.Load()):
		s.end(errIdleTx)
	}
}

// admin reports whether the session may do everything.
func (s *session) admin() bool { return s.principal.May(auth.Admin, "") }

// loop reads and answers messages. Its error ends the session.
func (s *session) loop() error {
	for {
		if !s.waiting() {
			s.holds.Store(int64(s.patience()))
			s.server.meters.readBytes.Add(s.read)
			s.server.meters.writtenBytes.Add(s.written)
			s.read, s.written = 0, 0
			if err := s.rest(); err != nil {
				return err
			}
			if s.why.Load() != nil {
				return errStopping
			}
		}
		kind, body, err := s.next()
		if err != nil {
			return err
		}
		if kind == 'X' {
			return nil
		}
		if err := s.account(0); err != nil {
			return err
		}
		if err := s.alive(); err != nil {
			return err
		}
		if err := s.protect(func() error { return s.answer(kind, body) }); err != nil {
			return err
		}
		if s.why.Load() != nil {
			return errStopping
		}
	}
}

// aliveEvery is how long a session may go on after its token was revoked.
const aliveEvery = time.Second

// alive ends the session whose credential has ended.
func (s *session) alive() error {
	_, now := s.guard.state()
	if now.Sub(s.checked) < aliveEvery {
		return nil
	}
	s.checked = now
	if until := s.principal.Expires; !until.IsZero() && !time.Now().Before(until) {
		return withState(types.Errorf(types.Unauthenticated, "the credential has expired").WithHint("connect again with a new one"), "28000")
	}
	return s.proof()
}

// proof tells whether what proved the principal still does: tokens are revoked, JWTs end, their issuers and keys go, and a server that had no tokens
// gets some. Any goroutine may call it once the session has authenticated.
func (s *session) proof() (err error) {
	switch {
	case s.credential != "":
		if _, err = s.server.Users.Authenticate(s.credential); types.HasCode(err, types.Unavailable) {
			err = nil // keys that can't be fetched now
		}
	case s.byToken:
		_, err = s.server.Users.Principal(s.principal.ID)
	case s.server.Users.Required():
		err = types.Errorf(types.Unauthenticated, "this server needs a token since").WithHint("connect again with one")
	}
	if err == nil {
		return nil
	}
	return withState(types.AsError(err), "28000")
}

// protect turns a panic of f into the error of its statement.
func (s *session) protect(f func() error) (err error) {
	defer func() {
		if bug := recover(); bug != nil {
			s.server.Log.Error("BUG: a PostgreSQL statement panicked", "bug", fmt.Sprint(bug), "stack", string(debug.Stack()))
			s.guard.end()
			err = fatal{types.Errorf(types.Internal, "BUG: the statement panicked; the server's log has more")}
		}
	}()
	return f()
}

// answer handles one message.
func (s *session) answer(kind byte, body []byte) error {
	if s.skipping && kind != 'S' {
		return nil
	}
	var err error
	switch kind {
	case 'B':
		err = s.bind(body)
	case 'E':
		err = s.execute(body)
	case 'S':
		return s.sync()
	case 'D':
		err = s.describe(body)
	case 'P':
		err = s.parse(body)
	case 'C':
		err = s.closeNamed(body)
	case 'H':
		return s.flush()
	case 'Q':
		return s.query(body)
	case 'd', 'c', 'f': // what is left of a COPY that failed
		return nil
	case 'F':
		err = withState(types.Errorf(types.Unsupported, "the function call protocol is not supported"), "0A000")
		if err = s.failed(err, ""); err == nil {
			s.ready()
			err = s.flush()
		}
		return err
	default:
		return fatal{failure("08P01", "invalid frontend message type %d", kind)}
	}
	if err == nil {
		return s.spill()
	}
	s.skipping = true
	return s.failed(err, "")
}

// sync ends a series of messages of the extended protocol.
func (s *session) sync() error {
	failed := s.skipping
	s.skipping = false
	if s.tx == idle {
		var err error
		if failed {
			s.pending.drop()
		} else {
			err = s.commitPending()
		}
		s.closePortals()
		if err != nil {
			if err := s.failed(err, ""); err != nil {
				return err
			}
		}
	}
	s.ready()
	return s.flush()
}

// failed sends an error; what it returns ends the session.
func (s *session) failed(err error, script string) error {
	if _, ends := errors.AsType[fatal](err); ends {
		return err
	}
	s.server.meters.errors.Add(1)
	if s.tx == inTx {
		s.tx = failed
	}
	if s.tx == idle {
		s.pending.drop()
	}
	r := fault(err, scriptOf(err, script))
	if e := types.AsError(err); e.Code == types.Internal || e.Code == types.Corrupt {
		s.server.Log.Error("a PostgreSQL statement failed", "user", s.user, "err", err)
	}
	s.report('E', r)
	// Whoever asked for a Flush instead of a Sync waits for it, and its Flush is skipped.
	return s.flush()
}

// warn sends a warning.
func (s *session) warn(state, hint, format string, args ...any) {
	s.report('N', report{severity: "WARNING", state: state, message: fmt.Sprintf(format, args...), hint: hint})
}

func (s *session) ready() { s.message('Z', byte(s.tx)) }

func (s *session) parameterStatus(key string) {
	value, _ := s.vars.get(key)
	at := s.begin('S')
	s.out = append(append(s.out, s.vars.shownName(key)...), 0)
	s.out = append(append(s.out, value...), 0)
	s.finish(at)
}

// timeout is the deadline of the next statement.
func (s *session) timeout() time.Duration {
	d := s.asked()
	if most := s.principal.Limits.Timeout; most > 0 {
		d = min(d, most)
	}
	return d
}

func (s *session) asked() time.Duration {
	if v, ok := s.vars.set["statement_timeout"]; ok {
		return s.within(v)
	}
	if v, ok := s.vars.start["statement_timeout"]; ok {
		return s.within(v)
	}
	return s.server.StatementTimeout
}

// patience is how long the session may be idle in its transaction, 0 where there is none.
func (s *session) patience() time.Duration {
	if s.tx == idle {
		return 0
	}
	if v, ok := s.vars.get("idle_in_transaction_session_timeout"); ok {
		if d, ok := parseDuration(v); ok && d > 0 {
			return min(d, s.server.IdleInTransaction)
		}
	}
	return s.server.IdleInTransaction
}

func (s *session) within(v string) time.Duration {
	if d, ok := parseDuration(v); ok && d > 0 {
		return d
	}
	return s.server.StatementTimeout
}

// aboutSession is what the catalog's answers depend on.
func (s *session) aboutSession() *pgcatalog.Session {
	a := &s.about
	a.User, a.Database = s.user, s.database
	a.ApplicationName, _ = s.vars.get("application_name")
	path, _ := s.vars.get("search_path")
	a.SearchPath = schemas(path, s.user)
	a.Settings = s.vars.changed()
	a.PID, a.Principal, a.Started = uint32(s.pid), s.principal, s.began
	a.Client = remote(s.raw)
	if local, ok := s.raw.LocalAddr().(*net.TCPAddr); ok {
		a.Server = local.AddrPort()
	}
	return a
}

// schemas reads a search_path.
func schemas(path, user string) []string {
	r := read(path)
	var out []string
	for !r.end() {
		name := r.ident()
		if name == "" {
			name, _ = r.value()
		}
		switch name {
		case "":
			r.advance()
			continue
		case "$user":
			name = user
		}
		out = append(out, name)
		r.accept(",")
	}
	return out
}

// closeAll lets go of everything.
func (s *session) closeAll() {
	s.closePortals()
	for _, c := range s.cursors {
		c.close()
	}
	clear(s.cursors)
	s.pending.drop()
}

func itoa(n int) string { return strconv.Itoa(n) }
