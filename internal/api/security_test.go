package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leat/internal/types"
)

func TestForeignHostIsMisdirected(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Hosts = []string{"leat.internal"} })
	for _, host := range []string{
		"localhost", "localhost:4280", "LOCALHOST:1", "localhost.", "127.0.0.1:4280", "127.9.9.9", "[::1]:4280", "[::1]", "leat.internal:80", "Leat.Internal",
	} {
		if w := h.do("GET", "/healthz", "", "Host", host); w.Code != 200 {
			t.Errorf("host %s: %d", host, w.Code)
		}
	}
	for _, host := range []string{"evil.example", "evil.example:4280", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[fe80::1]:1", "xlocalhost", "", "localhost:1:2"} {
		for _, target := range []string{"/healthz", "/v1/sql?q=SELECT+1", "/nothing"} {
			h.wantProblem(h.do("GET", target, "", "Host", host), types.Misdirected)
		}
	}
	if len(h.fake.sql) != 0 {
		t.Error("a foreign host reached the query")
	}
}

// With tokens a name proves nothing and denies nothing: the server may be reached by any.
func TestHostIsFreeWithTokens(t *testing.T) {
	h := newHarness(t)
	admin := h.token("admin")
	if w := h.do("GET", "/v1/status", "", "Host", "data.example", "Authorization", "Bearer "+admin); w.Code != 200 {
		t.Errorf("status %d %s", w.Code, w.Body)
	}
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.TrustedOrigins = []string{"https://console.example"} })
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
		{"Origin", "http://localhost:9999", "Sec-Fetch-Site", "cross-site"},
	} {
		headers = append(headers, "Content-Type", "text/plain")
		h.wantProblem(h.do("POST", "/v1/sql", "DROP STREAM orders", headers...), types.CrossOrigin)
		h.wantProblem(h.do("POST", "/v1/events/orders", "{}", headers...), types.CrossOrigin)
		h.wantProblem(h.do("DELETE", "/v1/tables/t/rows/k", "", headers...), types.CrossOrigin)
	}
	// A page's script may not make the server run queries either; a link may be followed.
	h.wantProblem(h.do("GET", "/v1/sql?q=SELECT+1", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"), types.CrossOrigin)
	if len(h.fake.sql)+len(h.fake.sends) != 0 {
		t.Error("a cross-site request reached the server")
	}
	for _, headers := range [][]string{
		{}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://localhost:4280"}, {"Origin", "https://console.example", "Sec-Fetch-Site", "cross-site"},
	} {
		if w := h.do("POST", "/v1/sql", "SELECT 1", headers...); w.Code != 200 {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://console.example"}} {
		w := h.do("GET", "/v1/sql?q=SELECT+1", "", headers...)
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %d %v", headers, w.Code, w.Header())
		}
	}
	if _, err := New(Options{TrustedOrigins: []string{"console.example/x"}}); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("a bad origin: %v", err)
	}
}

// token makes a token; the first one is always an admin.
func (h *harness) token(scopes ...string) string {
	h.Helper()
	if !h.tokens.Required() {
		if _, _, err := h.tokens.Create(h.Context(), "first", []string{"admin"}); err != nil {
			h.Fatal(err)
		}
	}
	tok, _, err := h.tokens.Create(h.Context(), "", scopes)
	if err != nil {
		h.Fatal(err)
	}
	return tok.Reveal()
}

// wantScopes says which sets of scopes may use each route. It is written by hand, apart from the route table:
// a new route fails the test until somebody decides who may use it.
var wantScopes = map[string][]string{
	"POST /v1/events/{stream}":              {"append:*", "append:x"},
	"POST /v1/sql":                          {"any"},
	"GET /v1/sql":                           {"any"},
	"GET /v1/endpoints":                     {"any"},
	"GET /v1/endpoints/{endpoint}":          {"read:*", "read:x"},
	"POST /v1/endpoints/{endpoint}":         {"read:*", "read:x"},
	"GET /v1/streams":                       {"any"},
	"GET /v1/streams/{stream}":              {"read:*", "read:x"},
	"GET /v1/tables/{table}/rows/{key}":     {"read:*", "read:x"},
	"PUT /v1/tables/{table}/rows/{key}":     {"append:*", "append:x"},
	"DELETE /v1/tables/{table}/rows/{key}":  {"append:*", "append:x"},
	"GET /v1/tables/{table}/rows":           {"read:*", "read:x"},
	"PUT /v1/tables/{table}/rows":           {"append:*", "append:x"},
	"DELETE /v1/tables/{table}/rows":        {"append:*", "append:x"},
	"GET /v1/views/{view}/rows/{key}":       {"read:*", "read:x"},
	"GET /v1/views/{view}/rows":             {"read:*", "read:x"},
	"GET /v1/views/{view}/changes":          {"read:*", "read:x"},
	"GET /v1/tables/{table}/changes":        {"read:*", "read:x"},
	"GET /v1/endpoints/{endpoint}/live":     {"read:*", "read:x"},
	"GET /v1/dead-letters/{stream}":         {"raw read:*", "raw read:x"},
	"GET /v1/dead-letters/{stream}/{id}":    {"raw read:*", "raw read:x"},
	"POST /v1/dead-letters/{stream}/replay": {"raw append:*", "raw append:x"},
	"POST /v1/dead-letters/{stream}/purge":  {"raw append:*", "raw append:x"},
	"GET /v1/tokens":                        {},
	"POST /v1/tokens":                       {},
	"DELETE /v1/tokens/{id}":                {},
	"GET /v1/issuers":                       {},
	"POST /v1/issuers":                      {},
	"DELETE /v1/issuers/{name}":             {},
	"GET /v1/status":                        {"read:*"},
	"GET /v1/jobs":                          {"read:*"},
	"GET /healthz":                          {"public"},
	"GET /readyz":                           {"public"},
	"GET /metrics":                          {"read:*"},
	"GET /openapi.json":                     {"any"},
	"GET /docs":                             {"public"},
	"GET /debug/pprof/{profile...}":         {},
	"POST /v0/events":                       {"append:*", "append:x"},
	"GET /v0/datasources":                   {"any"},
	"GET /v0/datasources/{name}":            {"read:*", "read:x"},
	"GET /v0/pipes":                         {"any"},
	"GET /v0/pipes/{pipe}":                  {"read:*", "read:x"},
	"POST /v0/pipes/{pipe}":                 {"read:*", "read:x"},
	"GET /v0/sql":                           {"any"},
	"POST /v0/sql":                          {"any"},
}

func TestAuthorizationHeader(t *testing.T) {
	h := newHarness(t)
	admin := h.token("admin")
	if w := h.do("GET", "/v1/status", "", "Authorization", "bearer   "+admin); w.Code != 200 {
		t.Errorf("lower case: %d", w.Code)
	}
	for _, header := range []string{"Bearer", "Bearer ", admin, "Basic " + admin, "Bearer " + admin[:len(admin)-1] + "!", "Bearer x"} {
		w := h.do("GET", "/v1/status", "", "Authorization", header)
		h.wantProblem(w, types.Unauthenticated)
		if w.Header().Get("WWW-Authenticate") == "" || strings.Contains(w.Body.String(), admin[18:50]) {
			t.Errorf("%q: %v %s", header, w.Header(), w.Body)
		}
	}
	h.wantProblem(h.do("GET", "/v1/status", "", "Authorization", "Bearer "+admin, "Authorization", "Bearer "+admin), types.Unauthenticated)
	for _, name := range []string{"token", "access_token", "q"} {
		w := h.do("GET", "/v1/sql?"+name+"="+admin, "")
		h.wantProblem(w, types.InvalidArgument)
	}
	if strings.Contains(h.log.String(), admin) {
		t.Error("the log holds a token")
	}
}

func TestTokenLifeCycle(t *testing.T) {
	h := newHarness(t)
	h.want(h.do("GET", "/v1/tokens", ""), 200, `{"tokens":[]}`)
	h.wantProblem(h.do("POST", "/v1/tokens", `{"name":"x","scopes":["all"]}`), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/tokens", `{"name":"x","scopes":["read:*"]}`), types.Conflict)
	w := h.do("POST", "/v1/tokens", `{"name":"boss","scopes":["admin"]}`)
	var made struct{ ID, Token string }
	if err := decodeLoose(w.Body.Bytes(), &made); err != nil || w.Code != 201 || w.Header().Get("Location") != "/v1/tokens/"+made.ID {
		t.Fatalf("create: %d %v %s", w.Code, err, w.Body)
	}
	h.wantProblem(h.do("GET", "/v1/tokens", ""), types.Unauthenticated)
	w = h.do("GET", "/v1/tokens", "", "Authorization", "Bearer "+made.Token)
	if w.Code != 200 || !strings.Contains(w.Body.String(), made.ID) || strings.Contains(w.Body.String(), made.Token[18:]) || strings.Contains(w.Body.String(), "SCRAM") {
		t.Errorf("list: %d %s", w.Code, w.Body)
	}
	if w := h.do("DELETE", "/v1/tokens/"+made.ID, "", "Authorization", "Bearer "+made.Token); w.Code != 204 {
		t.Errorf("revoke: %d %s", w.Code, w.Body)
	}
	h.want(h.do("GET", "/v1/tokens", ""), 200, `{"tokens":[]}`)
}

func TestListsShowOnlyWhatMayBeRead(t *testing.T) {
	h := newHarness(t)
	token := "Bearer " + h.token("read:orders", "read:busiest")
	for _, target := range []string{"/v1/streams", "/v1/endpoints", "/openapi.json"} {
		body := h.do("GET", target, "", "Authorization", token).Body.String()
		if strings.Contains(body, "bids") || strings.Contains(body, `/other"`) || strings.Contains(body, `"name":"other"`) {
			t.Errorf("%s shows too much: %s", target, body)
		}
		if !strings.Contains(body, "orders") && !strings.Contains(body, "busiest") {
			t.Errorf("%s shows too little: %s", target, body)
		}
	}
}

func TestBodiesAreLimited(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{MaxEventBytes: 1000, MaxBodyBytes: 100} })
	for _, target := range []string{"/v1/sql", "/v1/endpoints/e", "/v1/dead-letters/s/purge", "/v1/tokens"} {
		h.wantProblem(h.do("POST", target, strings.Repeat(" ", 101)), types.PayloadTooLarge)
	}
	h.wantProblem(h.do("POST", "/v1/events/x", strings.Repeat(" ", 1001)), types.PayloadTooLarge)
	h.want(h.do("POST", "/v1/events/x", strings.Repeat("\n", 1000)), 200,
		`{"accepted":1000,"dead_letters":0,"first_errors":[],"position":"`+testPosition.Token()+`","created":true}`)
	// A body of unknown length is cut while it is read.
	r := httptest.NewRequest("POST", "/v1/events/x", struct{ *strings.Reader }{strings.NewReader(strings.Repeat("x", 5000))})
	r.Host = "localhost"
	r.ContentLength = -1
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	h.wantProblem(w, types.PayloadTooLarge)
	if n := len(h.fake.events["x"]); n != 1000 {
		t.Errorf("%d bytes were kept", n)
	}
}

func TestPanicsAndInternalErrorsHideTheirCause(t *testing.T) {
	h := newHarness(t)
	for sql, logged := range map[string]string{"PANIC now": "boom", "SECRET": "/secret/path"} {
		w := h.do("POST", "/v1/sql", sql)
		p := h.wantProblem(w, types.Internal)
		if strings.Contains(w.Body.String(), logged) {
			t.Errorf("the answer shows the cause: %s", w.Body)
		}
		if p.RequestID == "" || p.RequestID != w.Header().Get("Leat-Request-Id") || !strings.Contains(h.log.String(), p.RequestID) || !strings.Contains(h.log.String(), logged) {
			t.Errorf("request %q is not in the log: %s", p.RequestID, h.log)
		}
	}
	if h.meter.open != 0 {
		t.Errorf("%d requests are still counted", h.meter.open)
	}
}

func TestSecurityHeaders(t *testing.T) {
	h := newHarness(t)
	for _, target := range []string{"/v1/sql?q=SELECT+1", "/nothing", "/healthz"} {
		w := h.do("GET", target, "")
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
	}
}

func TestRequestsAreLimited(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{MaxRequests: 1} })
	h.fake.entered, h.fake.released = make(chan struct{}), make(chan struct{})
	done := make(chan int)
	go func() { done <- h.do("POST", "/v1/events/x", "{}").Code }()
	<-h.fake.entered
	w := h.do("POST", "/v1/sql", "SELECT 1")
	h.wantProblem(w, types.Unavailable)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if w := h.do("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("health at the limit: %d", w.Code)
	}
	close(h.fake.released)
	if code := <-done; code != 200 {
		t.Errorf("the first request: %d", code)
	}
	if w := h.do("POST", "/v1/sql", "SELECT 1"); w.Code != 200 {
		t.Errorf("after it: %d", w.Code)
	}
}

func TestPprofIsOffByDefault(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Pprof = false })
	h.wantProblem(h.do("GET", "/debug/pprof/", ""), types.NotFound)
	on := newHarness(t)
	if w := on.do("GET", "/debug/pprof/", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("pprof: %d", w.Code)
	}
	if w := on.do("GET", "/debug/pprof/goroutine?debug=1", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "goroutine profile") {
		t.Errorf("profile: %d %s", w.Code, fmt.Sprintf("%.80s", w.Body))
	}
}
