package api

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"

	"leat/internal/auth"
	"leat/internal/types"
)

// routeHandler runs one route: token, scopes, parameters, body, handler.
type routeHandler struct {
	server *server
	route  *route
}

// ServeHTTP is called by the mux, which has set the path's values.
func (h *routeHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp := w.(*response)
	c := &call{w: resp, r: r, s: h.server, route: h.route}
	if err := c.run(); err != nil {
		h.server.fail(resp, r, err)
	}
}

// run checks everything that the route table declares, then calls the handler.
func (c *call) run() error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return types.Errorf(types.InvalidArgument, "the query string is malformed: %w", err)
	}
	c.query = query
	if err := c.findToken(); err != nil {
		return err
	}
	if err := c.authorise(); err != nil {
		c.auditFailure(err)
		return err
	}
	release, err := c.admit()
	if err != nil {
		return err
	}
	defer release()
	if c.route.audited {
		c.r = c.r.WithContext(auth.WithOrigin(c.r.Context(), c.origin()))
	}
	if err := c.checkParams(); err != nil {
		return err
	}
	if err := c.limitBody(); err != nil {
		return err
	}
	return c.explainLimit(c.route.handle(c))
}

// findToken takes the token from the Authorization header, or, where a browser can't set one, from the parameter _token, which nobody sees
// afterwards. Everywhere else a token in the URL is refused.
func (c *call) findToken() (err error) {
	if c.token, err = bearer(c.r.Header); err != nil {
		return err
	}
	if c.route.tinybird {
		if c.token == "" {
			c.token = c.query.Get("token")
		}
		return nil
	}
	if values := c.query[tokenParam]; c.route.tokenInURL && values != nil {
		c.query.Del(tokenParam)
		c.r = redacted(c.r, c.query)
		if len(values) > 1 || c.token != "" {
			return badParam(tokenParam, "comes twice, or beside the Authorization header").WithHint("send the token once")
		}
		c.token = values[0]
	}
	return refuseTokensInURL(c.query)
}

// tokenParam is the parameter of a token on routes that browsers reach without headers of their own.
const tokenParam = "_token"

// redacted is the request with another query, so that what logs or repeats its URL shows no token.
func redacted(r *http.Request, query url.Values) *http.Request {
	clean := *r
	u := *r.URL
	u.RawQuery = query.Encode()
	clean.URL, clean.RequestURI = &u, u.RequestURI()
	return &clean
}

// authorise finds out who calls and checks the route's scopes.
func (c *call) authorise() (err error) {
	if c.route.public {
		return nil
	}
	if c.principal, err = c.s.Tokens.Authenticate(c.token); err != nil {
		return err
	}
	if c.principal.Filtered() && !c.route.filtered {
		return types.Errorf(types.PermissionDenied, "%s sees some rows only, and this route knows no rows", c.principal.ID).
			WithHint("use an endpoint, a look-up by key or changes of a view")
	}
	for _, n := range c.route.needs {
		scope := auth.Scope{Action: n.action, Object: n.object}
		if n.object != "" && n.object != "*" {
			scope.Object = c.r.PathValue(n.object)
		}
		if !c.principal.May(scope.Action, scope.Object) {
			return types.Errorf(types.PermissionDenied, "token %s lacks the scope %.100s", c.principal.ID, scope).
				WithHint("an admin makes a token with more scopes by POST /v1/tokens")
		}
	}
	return nil
}

// bearer returns the token of the Authorization header, "" if there is none.
func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if len(values) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", types.Errorf(types.Unauthenticated, "the Authorization header is not one Bearer token").
			WithHint("send Authorization: Bearer <token>")
	}
	return token, nil
}

// refuseTokensInURL keeps secrets out of the logs of proxies and browsers.
func refuseTokensInURL(query url.Values) error {
	for name, values := range query {
		for _, v := range values {
			if auth.LooksLikeToken(v) || auth.LooksLikeJWT(v) {
				return types.Errorf(types.InvalidArgument, "parameter %.40q is a token, and URLs end in logs", name).
					WithHint("revoke it, make another, and send it as Authorization: Bearer <token>")
			}
		}
	}
	return nil
}

// checkOrigin refuses what a web page of another site sends, and, on a server without tokens, what came by a foreign name
// (DNS rebinding). Pages may not even make such a server run queries whose answers they can't read.
func (s *server) checkOrigin(r *http.Request) error {
	trusted := s.trusts(r)
	if err := s.origins.Check(r); err != nil && !trusted {
		return types.Errorf(types.CrossOrigin, "a page of another origin sent this %.20s: %w", r.Method, err).
			WithHint("add the origin to the trusted origins, or send from a server")
	}
	if isWebSocket(r) && !trusted && !s.trustedOrigin(r) {
		return types.Errorf(types.CrossOrigin, "a page of another origin opened this WebSocket").WithHint("add the origin to the trusted origins")
	}
	foreign := !s.knownHost(r.Host)
	scripted := r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" && !trusted && !s.trustedOrigin(r)
	switch {
	case !foreign && !scripted || s.Tokens.Required():
		return nil
	case foreign:
		return types.Errorf(types.Misdirected, "this server does not answer to the host %.100q", r.Host).
			WithHint("reach it as localhost, or add the name to its hosts")
	}
	return types.Errorf(types.CrossOrigin, "a page of another origin sent this %.20s", r.Method).
		WithHint("add the origin to the trusted origins, or send from a server")
}

// isWebSocket reports whether a request asks for a WebSocket, which browsers open across origins without asking.
func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || r.Method == http.MethodConnect
}

// trustedOrigin asks the protection, which lets every GET pass, as if the request could change something.
func (s *server) trustedOrigin(r *http.Request) bool {
	probe := *r
	probe.Method = http.MethodPost
	return s.origins.Check(&probe) == nil
}

// knownHost accepts loopback addresses and the configured names, with any port.
func (s *server) knownHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if addr, err := netip.ParseAddr(name); err == nil && addr.IsLoopback() {
		return true
	}
	return s.hosts[strings.ToLower(strings.TrimSuffix(name, "."))]
}

// setSecurityHeaders keeps answers from being guessed at, cached or embedded by other sites.
func setSecurityHeaders(w *response) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Leat-Request-Id", w.id)
}

func newRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, as crypto/rand says
	return hex.EncodeToString(b[:])
}

func stack() string { return string(debug.Stack()) }
