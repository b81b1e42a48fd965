package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"

	"leat/internal/api"
	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/cli"
	"leat/internal/observe"
	"leat/internal/types"
)

// run starts a server and serves until ctx ends, beside a client if one is given; then it stops gracefully.
func run(ctx context.Context, env cli.Env, cfg Config, client func(ctx context.Context, url string) error) error {
	level, err := observe.ParseLevel(cfg.LogLevel)
	if err != nil {
		return err
	}
	log, err := observe.NewLogger(env.Stderr, "", level)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(ballast())
	s, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := s.secure(ctx, env); err != nil {
		return errors.Join(err, s.close())
	}
	listeners, err := s.listen()
	if err != nil {
		return errors.Join(err, s.close())
	}
	return s.serve(ctx, env, listeners, client)
}

// ballast is memory that is never touched, so it takes no RAM, but counts as heap: without it the few megabytes that live between
// requests would be collected hundreds of times a second under load.
func ballast() []byte { return make([]byte, 48<<20) }

// secure refuses to listen beyond loopback without a token, and makes the first one where it was asked to.
func (s *server) secure(ctx context.Context, env cli.Env) error {
	if len(s.catalog.Snapshot().Tokens()) > 0 {
		return nil
	}
	if s.cfg.InitToken {
		token, _, err := s.tokens.Create(ctx, "first", []string{string(auth.Admin)})
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stderr, "\nadmin token, shown this once:  %s\n\n", token.Reveal())
		return nil
	}
	addr := s.cfg.Listen
	if loopback(addr) && s.cfg.speaksPG() {
		addr = s.cfg.PGListen
	}
	if loopback(addr) {
		return nil
	}
	return types.Errorf(types.NotAllowed, "without a token the server listens on loopback only, not at %s", addr).
		WithHint("start it on 127.0.0.1 and run `leat token create --scope admin`, or start with --init-token")
}

// serve answers requests until ctx ends or a part fails.
func (s *server) serve(ctx context.Context, env cli.Env, listeners []net.Listener, client func(context.Context, string) error) error {
	limits := api.Limits{MaxEventBytes: int64(s.cfg.MaxBody), QueryTimeout: s.cfg.Timeout, MaxConns: besidesSubscribers + s.cfg.MaxSubscribers}
	handler, err := api.New(s.apiOptions(limits))
	if err != nil {
		return errors.Join(err, s.close())
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.start(work)
	httpServer := api.Server(handler, limits, s.log)
	httpServer.RegisterOnShutdown(s.push.Stop)
	if s.tls != nil {
		httpServer.TLSConfig = s.tls.config("h2", "http/1.1")
	}
	failed := make(chan error, len(listeners)+3)
	for _, l := range listeners {
		go func() { failed <- s.serveListener(httpServer, api.Listen(l, limits)) }()
	}
	s.auditStart()
	pgAddr, err := s.startPG(failed)
	if err != nil {
		return errors.Join(err, s.shutdown(httpServer, stop))
	}
	url := s.scheme() + "://" + listeners[0].Addr().String()
	err = s.announce(env, listeners[0].Addr().String(), pgAddr)
	clientCtx, stopClient := context.WithCancel(ctx)
	defer stopClient()
	if client != nil && err == nil {
		s.jobs.wg.Go(func() {
			if err := client(clientCtx, url); err != nil && clientCtx.Err() == nil {
				failed <- err
			}
		})
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		case err = <-s.jobs.failed:
		}
	}
	s.ready.Shut("stopping")
	stopClient()
	return errors.Join(err, s.shutdown(httpServer, stop))
}

// serveListener serves one listener, in TLS where there are certificates.
func (s *server) serveListener(h *http.Server, l net.Listener) error {
	if s.tls == nil {
		return h.Serve(l)
	}
	return h.ServeTLS(l, "", "")
}

func (s *server) scheme() string {
	if s.tls == nil {
		return "http"
	}
	return "https"
}

// besidesSubscribers is how many connections may be open besides those of subscribers.
const besidesSubscribers = 4096

// shutdown lets requests under way end, then the background work, then closes the files.
func (s *server) shutdown(httpServer *http.Server, stopWork func()) error {
	s.log.Info("stopping", "within", s.cfg.StopWithin.String())
	s.audit.record(auth.Event{Action: "stop server", Outcome: "ok"})
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.StopWithin)
	defer cancel()
	pgStopped := make(chan error, 1)
	go func() { pgStopped <- s.pg.Shutdown(ctx) }()
	err := httpServer.Shutdown(ctx)
	if pgErr := <-pgStopped; errors.Is(pgErr, context.DeadlineExceeded) {
		s.log.Warn("PostgreSQL statements under way were cut", "after", s.cfg.StopWithin)
	} else {
		err = errors.Join(err, pgErr)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("requests under way were cut", "after", s.cfg.StopWithin)
		err = httpServer.Close()
	}
	select {
	case <-s.push.Left(): // connections that became WebSockets are not the HTTP server's any more
	case <-ctx.Done():
	}
	stopWork()
	return errors.Join(err, s.close())
}

// announce says where the server is and what it has opened, and writes the address file.
func (s *server) announce(env cli.Env, addr, pgAddr string) error {
	state := "new"
	if !s.fresh {
		counts := countKinds(s.catalog.Snapshot())
		state = fmt.Sprintf("opened: %s, %s, %s events", plural(counts[catalog.StreamKind], "stream"), plural(counts[catalog.TableKind], "table"), human(s.loggedRows()))
	}
	fmt.Fprintf(env.Stderr, "data  %s (%s)\nhttp  %s://%s\n", s.path, state, s.scheme(), addr)
	if pgAddr != "" {
		fmt.Fprintf(env.Stderr, "psql  %s\n", s.pgURL(pgAddr))
	}
	if s.tls == nil && !loopback(s.cfg.Listen) {
		s.log.Warn("tokens and data go over the network in the clear: anybody on the way can read and use them", "listen", s.cfg.Listen,
			"mend", "set tls-cert and tls-key, or listen on loopback behind a proxy that speaks TLS")
	}
	if err := signLock(s.lock, addr); err != nil || s.cfg.AddrFile == "" {
		return err
	}
	// Renamed into place, so that nobody reads half an address.
	if err := os.WriteFile(s.cfg.AddrFile+".new", []byte(addr), 0o600); err != nil {
		return types.Errorf(types.InvalidArgument, "address file: %w", err)
	}
	return os.Rename(s.cfg.AddrFile+".new", s.cfg.AddrFile)
}

// loggedRows counts the rows that the log keeps.
func (s *server) loggedRows() int64 {
	n := int64(0)
	for _, c := range s.bus.Position().Cursors {
		if b, err := s.bus.Bounds(c.Partition); err == nil && c.Partition.Stream != catalog.DeadLetters {
			n += b.Rows
		}
	}
	return n
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// human prints a count with three digits at most: 950, 1.2 k, 10 M.
func human(n int64) string {
	v := float64(n)
	for _, unit := range []string{"", " k", " M", " G"} {
		if v < 999.5 {
			if v == float64(int64(v)) || v >= 99.5 {
				return fmt.Sprintf("%.0f%s", v, unit)
			}
			return fmt.Sprintf("%.1f%s", v, unit)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.0f T", v)
}
