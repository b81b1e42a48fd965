package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/types"
)

// Config are the bounds of a Server. A zero field is its default.
type Config struct {
	// MaxConnections are connections at once; the next one is refused with 53300.
	MaxConnections int
	// MaxPerAddress are connections at once of one address that is not loopback.
	MaxPerAddress int
	// MaxUnproven are connections at once that have not authenticated yet, of one address a quarter of them.
	MaxUnproven int
	// AuthTimeout is how long a client may take to authenticate.
	AuthTimeout time.Duration
	// MaxMessage are the bytes of one message after authentication; before, it is 10 KiB.
	MaxMessage int
	// StatementTimeout is the deadline of statements where the session sets none.
	StatementTimeout time.Duration
	// IdleTimeout ends connections on which nothing happens, IdleInTransaction those that do nothing within a transaction.
	IdleTimeout, IdleInTransaction time.Duration
	// MaxRows are the rows of one result; a cut one comes with a notice.
	MaxRows int
}

func (c Config) withDefaults() Config {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	within := func(p *time.Duration, v time.Duration) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&c.MaxConnections, 1000)
	set(&c.MaxPerAddress, 300)
	set(&c.MaxUnproven, 400)
	set(&c.MaxMessage, 64<<20)
	set(&c.MaxRows, 10_000_000)
	within(&c.AuthTimeout, 10*time.Second)
	within(&c.StatementTimeout, 30*time.Second)
	within(&c.IdleTimeout, 4*time.Hour)
	within(&c.IdleInTransaction, 10*time.Minute)
	return c
}

// Options are what a Server works on. Backend and Users are required.
type Options struct {
	Config
	Backend Backend
	Users   Users
	Catalog Catalog
	// Settings are names that SET takes besides the server's own, with their defaults.
	Settings map[string]string
	// TLS offers encryption; nil does not.
	TLS *tls.Config
	// TLSOnly refuses connections that do not ask for TLS: what a client certificate protects must not be open beside it.
	TLSOnly bool
	Log     *slog.Logger
	// Failed, if set, is told of who did not authenticate.
	Failed func(user, addr string, err error)
}

// Server takes connections. Its methods may be called from any goroutine.
type Server struct {
	Options
	known map[string]setting
	// secret makes the salts of users that do not exist.
	secret  [32]byte
	meters  meters
	spooled atomic.Int64 // bytes that suspended results keep in memory
	held    atomic.Int64 // bytes that sessions keep beyond freeHeld each

	mu        sync.Mutex // guards what follows
	listeners []net.Listener
	sessions  map[*session]struct{}
	// keys find sessions to cancel by the numbers that only their client knows.
	keys     map[int32]*session
	unproven map[netip.Addr]int
	waiting  int // sum of unproven
	closing  bool

	wg   sync.WaitGroup
	stop chan struct{}
}

// New makes a Server. Close ends it.
func New(o Options) *Server {
	o.Config = o.Config.withDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Options: o, known: settings(), sessions: map[*session]struct{}{}, keys: map[int32]*session{}, unproven: map[netip.Addr]int{}, stop: make(chan struct{})}
	if _, err := rand.Read(s.secret[:]); err != nil {
		panic("BUG: the system's randomness failed: " + err.Error())
	}
	timeout := s.known["statement_timeout"]
	timeout.value = printDuration(o.StatementTimeout)
	s.known["statement_timeout"] = timeout
	s.wg.Go(s.watch)
	return s
}

// Serve takes connections from l until Shutdown; it returns nil then.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return l.Close()
	}
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	pause := time.Duration(0)
	for {
		c, err := l.Accept()
		if err == nil {
			pause = 0
			s.take(c)
			continue
		}
		s.mu.Lock()
		closing := s.closing
		s.mu.Unlock()
		if closing {
			return nil
		}
		var passing interface{ Timeout() bool }
		if !errors.As(err, &passing) {
			return fmt.Errorf("accept PostgreSQL connections: %w", err)
		}
		// Out of descriptors, mostly: connections that end give some back.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.Log.Warn("a PostgreSQL connection can't be accepted", "err", err)
		time.Sleep(pause)
	}
}

// take starts a session, or refuses the connection.
func (s *Server) take(c net.Conn) {
	addr := remote(c).Addr().Unmap()
	s.mu.Lock()
	refused := s.refusal(addr)
	if refused == nil {
		s.unproven[addr]++
		s.waiting++
		one := newSession(s, c)
		s.sessions[one] = struct{}{}
		s.wg.Go(one.serve)
	}
	s.mu.Unlock()
	if refused == nil {
		return
	}
	s.meters.refused.Add(1)
	w := newWire(c, 0)
	r := fault(refused, "")
	r.severity = "FATAL"
	w.report('E', r)
	// The client may not have spoken yet; what it gets is short enough for the socket's buffer.
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = c.Write(w.out)
	_ = c.Close()
}

// refusal says why no further connection is taken; mu is held.
func (s *Server) refusal(addr netip.Addr) error {
	full := func(what string, n int) error {
		return types.Errorf(types.TooManyRequests, "sorry, too many clients already: %s (%d)", what, n)
	}
	switch {
	case s.closing:
		return withState(types.Errorf(types.Unavailable, "the server is stopping"), "57P03")
	case len(s.sessions) >= s.MaxConnections:
		return full("all connections are taken", s.MaxConnections)
	case s.waiting >= s.MaxUnproven || s.unproven[addr] >= max(s.MaxUnproven/4, 1):
		return full("too many have not authenticated yet", s.waiting)
	case addr.IsLoopback():
		return nil
	}
	n := 0
	for one := range s.sessions {
		if one.addr == addr {
			n++
		}
	}
	if n >= s.MaxPerAddress {
		return full("of your address", n)
	}
	return nil
}

func remote(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// proven moves a session from those that have not authenticated yet, and gives it its key.
func (s *Server) proven(one *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveUnproven(one)
	for {
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return err
		}
		pid := int32(binary.BigEndian.Uint32(b[:]) >> 1)
		if _, taken := s.keys[pid]; pid > 0 && !taken {
			one.pid = pid
			s.keys[pid] = one
			return nil
		}
	}
}

// leaveUnproven counts a session no longer as one that may be anybody; mu is held.
func (s *Server) leaveUnproven(one *session) {
	if one.proven {
		return
	}
	one.proven = true
	s.waiting--
	if s.unproven[one.addr]--; s.unproven[one.addr] == 0 {
		delete(s.unproven, one.addr)
	}
}

// forget ends the books of a session.
func (s *Server) forget(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveUnproven(one)
	delete(s.sessions, one)
	if s.keys[one.pid] == one {
		delete(s.keys, one.pid)
	}
}

// cancel stops the statement that runs in the session with that key.
func (s *Server) cancel(pid int32, secret []byte) {
	s.mu.Lock()
	one := s.keys[pid]
	s.mu.Unlock()
	s.meters.cancels.Add(1)
	if one != nil && one.owns(secret) {
		one.guard.stop(errCanceled)
	}
}

// watchEvery is how often sessions are looked over.
const watchEvery = time.Second

// watch ends sessions that are idle for too long, and statements whose client has gone.
func (s *Server) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		now := time.Now()
		s.mu.Lock()
		all := make([]*session, 0, len(s.sessions))
		for one := range s.sessions {
			if one.proven {
				all = append(all, one)
			}
		}
		s.mu.Unlock()
		for _, one := range all {
			one.look(now)
		}
	}
}

// Shutdown takes no further connections, ends idle ones at once and the others when their statement ends, or when ctx does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		close(s.stop)
	}
	listeners := s.listeners
	s.listeners = nil
	all := make([]*session, 0, len(s.sessions))
	for one := range s.sessions {
		all = append(all, one)
	}
	s.mu.Unlock()
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	for _, one := range all {
		one.end(errStopping)
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return errors.Join(errs...)
	case <-ctx.Done():
	}
	for _, one := range all {
		one.guard.stop(errStopping)
		_ = one.raw.Close()
	}
	<-done
	return errors.Join(append(errs, ctx.Err())...)
}
