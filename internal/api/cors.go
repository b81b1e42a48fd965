package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"leat/internal/types"
)

// maxCORSAge is how many seconds a browser may remember a preflight.
const maxCORSAge = "600"

// Headers that pages of other origins may read and send.
const (
	exposedHeaders = "Leat-Position, Leat-Watermark, Leat-Lag-Ms, Leat-Cursor, Leat-Cache, Leat-Stale, Leat-Request-Id, ETag, Link, Age, Location, Retry-After, " +
		"Content-Disposition, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
	allowedHeaders = "Authorization, Content-Type, Content-Encoding, Accept, If-None-Match, Idempotency-Key, Leat-After, Last-Event-ID"
)

// cors says whose pages may use the server from a browser. The zero value is nobody's.
type cors struct {
	any     bool
	origins []string
}

// newCORS checks a list of origins; * is all of them.
func newCORS(list []string) (cors, error) {
	var c cors
	for _, text := range list {
		if text == "*" {
			c.any = true
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return c, types.Errorf(types.InvalidArgument, "CORS origin %q is not an origin", text).WithHint("write scheme://host[:port], or * for all")
		}
		c.origins = append(c.origins, strings.ToLower(u.Scheme+"://"+u.Host))
	}
	return c, nil
}

// origin is the request's origin if it is allowed, else "".
func (c cors) origin(r *http.Request) string {
	o := r.Header.Get("Origin")
	if o == "" || o == "null" && !c.any || !c.any && !slices.Contains(c.origins, strings.ToLower(o)) {
		return ""
	}
	return o
}

// trusts reports whether a request of another origin may pass. An origin that is named is trusted as the server's own. Where all are, a request
// must carry its authority itself: on a server without tokens any page could else act as its owner.
func (s *server) trusts(r *http.Request) bool {
	o := s.cors.origin(r)
	if o == "" {
		return false
	}
	return slices.Contains(s.cors.origins, strings.ToLower(o)) || s.Tokens.Required() || r.Method == http.MethodOptions
}

// corsHeaders lets pages of allowed origins read the answer, and embed it. Credentials of the browser are never allowed: tokens are sent by hand.
func (s *server) corsHeaders(w *response, r *http.Request) {
	h := w.Header()
	if len(s.cors.origins) > 0 && !s.cors.any {
		h.Add("Vary", "Origin")
	}
	o := s.cors.origin(r)
	if o == "" {
		return
	}
	if s.cors.any {
		o = "*"
	}
	set(h, "Access-Control-Allow-Origin", o)
	set(h, "Access-Control-Expose-Headers", exposedHeaders)
	set(h, "Cross-Origin-Resource-Policy", "cross-origin")
}

// preflight adds to the answer of an OPTIONS request what a browser asks before it sends another one.
func (s *server) preflight(w *response, r *http.Request, methods []string) {
	if s.cors.origin(r) == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return
	}
	h := w.Header()
	set(h, "Access-Control-Allow-Methods", strings.Join(methods, ", "))
	set(h, "Access-Control-Allow-Headers", allowedHeaders)
	set(h, "Access-Control-Max-Age", maxCORSAge)
}
