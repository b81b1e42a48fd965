package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/auth"
	"leat/internal/codec/encode"
	"leat/internal/types"
)

// server answers all routes.
type server struct {
	Options
	table    []route
	mux      *http.ServeMux
	hosts    map[string]bool
	origins  *http.CrossOriginProtection
	underWay atomic.Int64
	cors     cors
	// docsPolicy is the Content-Security-Policy of /docs.
	docsPolicy string
	// compressors and buffers are used again.
	compressors encode.Compressors
	buffers     sync.Pool
}

// New returns the handler of all routes. It fails on a bad trusted origin.
func New(o Options) (http.Handler, error) {
	o.Limits = o.Limits.withDefaults()
	s := &server{Options: o, mux: http.NewServeMux(), origins: http.NewCrossOriginProtection(), hosts: map[string]bool{"localhost": true}}
	if s.Limiter == nil {
		s.Limiter = auth.NewLimiter()
	}
	if s.Audit == nil {
		s.Audit = func(auth.Event) {}
	}
	for _, h := range o.Hosts {
		s.hosts[strings.ToLower(h)] = true
	}
	for _, origin := range o.TrustedOrigins {
		if err := s.origins.AddTrustedOrigin(origin); err != nil {
			return nil, types.Errorf(types.InvalidArgument, "trusted origin %q: %w", origin, err).WithHint("write scheme://host[:port]")
		}
	}
	var err error
	if s.cors, err = newCORS(o.CORSOrigins); err != nil {
		return nil, err
	}
	s.docsPolicy = pagePolicy(docsPage)
	s.table = s.routes()
	for i := range s.table {
		s.mux.Handle(s.table[i].pattern(), &routeHandler{s, &s.table[i]})
	}
	return s, nil
}

// Server returns an http.Server with the timeouts that keep slow and silent clients from holding it; l is the Limits that
// New was given.
func Server(h http.Handler, l Limits, log *slog.Logger) *http.Server {
	l = l.withDefaults()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)            // in TLS
	protocols.SetUnencryptedHTTP2(true) // by clients that know of it, such as proxies
	return &http.Server{
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: l.MaxStreams, MaxReadFrameSize: 1 << 20, SendPingTimeout: l.PingAfter, PingTimeout: l.HeaderTimeout,
		},
		Handler:           h,
		ReadHeaderTimeout: l.HeaderTimeout,
		IdleTimeout:       l.IdleTimeout,
		MaxHeaderBytes:    l.MaxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// Listen bounds how many connections of a listener are open; further ones wait in the system's queue. l is as for Server.
func Listen(inner net.Listener, l Limits) net.Listener {
	return &limitListener{Listener: inner, slots: make(chan struct{}, l.withDefaults().MaxConns), done: make(chan struct{})}
}

// ServeHTTP guards, matches and measures a request. Whatever goes wrong before a handler ran is answered here too.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp := &response{ResponseWriter: w, control: http.NewResponseController(w), id: newRequestID(), timeout: s.Limits.WriteTimeout, start: time.Now()}
	resp.extend()
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = newPacedBody(r.Body, resp.control, s.Limits)
	}
	s.Meter.Begin()
	rt := s.match(r)
	defer func() {
		failure := recover()
		s.finish(resp, r, rt, failure)
		if resp.aborted || isAbort(failure) {
			panic(http.ErrAbortHandler) // net/http then cuts the connection
		}
	}()
	setSecurityHeaders(resp)
	s.corsHeaders(resp, r)
	if err := s.serve(resp, r, rt); err != nil {
		s.fail(resp, r, err)
	}
}

// serve runs the checks that come before a route's own, then the route.
func (s *server) serve(w *response, r *http.Request, rt *route) error {
	if err := s.checkOrigin(r); err != nil {
		return err
	}
	if rt == nil {
		return s.noRoute(w, r)
	}
	if rt.tokenInURL { // a stream, of which there may be many more, and whose number is bounded apart
		s.mux.ServeHTTP(w, r)
		return nil
	}
	if n := s.underWay.Add(1); !rt.always && n > int64(s.Limits.MaxRequests) {
		s.underWay.Add(-1)
		return types.Errorf(types.Unavailable, "%d requests are under way; that is the server's limit", n-1).WithHint("try again in a second")
	}
	defer s.underWay.Add(-1)
	s.mux.ServeHTTP(w, r)
	return nil
}

// match finds the route; nil is none. Paths that the mux would clean by a redirect (//, ..) have none.
func (s *server) match(r *http.Request) *route {
	h, _ := s.mux.Handler(r)
	if rh, ok := h.(*routeHandler); ok {
		return rh.route
	}
	return nil
}

// noRoute answers 404, 405 with what is allowed, or an OPTIONS request.
func (s *server) noRoute(w *response, r *http.Request) error {
	var allow []string
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
		probe := *r
		probe.Method = m
		if s.match(&probe) != nil {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		return types.Errorf(types.NotFound, "no route %.200q", r.URL.Path).WithHint("GET /openapi.json lists the routes")
	}
	allow = append(allow, "OPTIONS")
	w.Header().Set("Allow", strings.Join(allow, ", "))
	if r.Method == http.MethodOptions {
		s.preflight(w, r, allow)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return types.Errorf(types.MethodNotAllowed, "%.20s is not a method of %.200q", r.Method, r.URL.Path).
		WithHint("the methods are %s", strings.Join(allow, ", "))
}

// fail answers with an error, or cuts the connection where the answer has begun, so that nobody takes a part for the whole.
func (s *server) fail(w *response, r *http.Request, err error) {
	e := coded(err)
	internal := e.Code.Mapping() == types.Internal.Mapping() || e.Code == types.Corrupt
	level := slog.LevelDebug
	if internal {
		level = slog.LevelError
	}
	if s.Log.Enabled(r.Context(), level) {
		s.Log.Log(r.Context(), level, "request failed", "request_id", w.id, "method", r.Method, "path", auth.Redact(r.URL.Path), "code", e.Code, "error", auth.Redact(err.Error()))
	}
	if w.status != 0 {
		w.aborted = true
		panic(http.ErrAbortHandler)
	}
	w.most = 0
	if rt := s.match(r); rt != nil && rt.tinybird {
		writeTinybirdError(w, e, w.id)
		return
	}
	writeProblem(w, e, w.id)
}

// finish closes the books on a request and turns a panic into an answer where none has begun.
func (s *server) finish(w *response, r *http.Request, rt *route, failure any) {
	if failure != nil && !isAbort(failure) {
		s.Log.Error("request panicked", "request_id", w.id, "method", r.Method, "path", auth.Redact(r.URL.Path), "panic", fmt.Sprint(failure), "stack", stack())
		if w.status == 0 {
			writeProblem(w, types.Errorf(types.Internal, "panic"), w.id)
		} else {
			w.aborted = true
		}
	}
	pattern, took := "none", time.Since(w.start)
	if rt != nil {
		pattern = rt.path
	}
	s.Meter.End(pattern, knownMethod(r.Method), max(w.status, 200), took)
	if s.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.Log.Debug("request", "request_id", w.id, "method", r.Method, "path", auth.Redact(r.URL.Path), "remote", r.RemoteAddr,
			"status", w.status, "bytes", w.bytes, "seconds", took.Seconds())
	}
}

func isAbort(failure any) bool {
	err, ok := failure.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// knownMethod bounds the values of the metric's label.
func knownMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS":
		return m
	}
	return "OTHER"
}
