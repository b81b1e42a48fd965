package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"leat/internal/auth"
	"leat/internal/auth/authtest"
	"leat/internal/types"
)

func TestPrincipalsAreLimited(t *testing.T) {
	h := newHarness(t)
	h.token("admin")
	token, info, err := h.tokens.CreateToken(t.Context(), auth.TokenSpec{Scopes: []string{"read:*"}, Limits: auth.LimitsSpec{Rate: 0.01, Burst: 2}})
	if err != nil {
		t.Fatal(err)
	}
	header := []string{"Authorization", "Bearer " + token.Reveal()}
	for i, target := range []string{"/v1/sql?q=SELECT+1", "/v1/endpoints/busiest?state=CA"} {
		w := h.do("GET", target, "", header...)
		if w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "2" || w.Header().Get("X-RateLimit-Remaining") != fmt.Sprint(1-i) || w.Header().Get("X-RateLimit-Reset") != fmt.Sprint(100*(i+1)) {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
	}
	w := h.do("GET", "/v1/endpoints/busiest?state=CA", "", header...)
	p := h.wantProblem(w, types.TooManyRequests)
	if w.Header().Get("Retry-After") != "100" || w.Header().Get("X-RateLimit-Remaining") != "0" || p.Path != "rate" || !strings.Contains(p.Detail, info.ID) || p.Hint == "" {
		t.Errorf("%v %+v", w.Header(), p)
	}
	if w := h.do("GET", "/v1/status", "", "Authorization", "Bearer "+h.token("read:*")); w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "" {
		t.Errorf("another token: %d %v", w.Code, w.Header())
	}
}

func TestEndpointsAreLimited(t *testing.T) {
	h := newHarness(t, func(o *Options) {
		o.EndpointLimits = func(name string) auth.Limits {
			if name == "busiest" {
				return auth.Limits{Rate: 0.01, MaxRows: 7}
			}
			return auth.Limits{}
		}
	})
	if w := h.do("GET", "/v1/endpoints/busiest?state=CA&_limit=100", ""); w.Code != 200 || h.fake.calls[0].Limit != 7 {
		t.Errorf("%d, limit %d", w.Code, h.fake.calls[0].Limit)
	}
	for _, target := range []string{"/v1/endpoints/busiest?state=CA", "/v1/endpoints/busiest/live?state=CA"} {
		p := h.wantProblem(h.do("GET", target, ""), types.TooManyRequests)
		if !strings.Contains(p.Hint, "ALTER ENDPOINT busiest SET (rate") {
			t.Errorf("%+v", p)
		}
	}
	if w := h.do("GET", "/v0/pipes/busiest.json?state=CA", ""); w.Code != 429 {
		t.Errorf("the same endpoint as a pipe: %d %s", w.Code, w.Body)
	}
	if w := h.do("GET", "/v1/endpoints/other", ""); w.Code != 200 {
		t.Errorf("another endpoint: %d", w.Code)
	}
}

func TestAnswersAreLimited(t *testing.T) {
	limits := auth.Limits{MaxBytes: 100}
	h := newHarness(t, func(o *Options) { o.EndpointLimits = func(string) auth.Limits { return limits } })
	h.fake.rows = 3
	if w := h.do("GET", "/v1/endpoints/other", ""); w.Code != 200 {
		t.Errorf("a short answer: %d %s", w.Code, w.Body)
	}
	h.fake.rows = 1000
	p := h.wantProblem(h.do("GET", "/v1/endpoints/other", ""), types.LimitExceeded)
	if p.Path != "max_bytes" || !strings.Contains(p.Detail, "endpoint other") {
		t.Errorf("%+v", p)
	}
	// Once the answer has begun, the connection is cut: nobody takes a part for the whole.
	limits.MaxBytes, h.fake.rows = 3<<20, 1_000_000
	srv := h.serve()
	client := http.Client{Transport: &http.Transport{DisableCompression: true}}
	resp, err := client.Get(srv.URL + "/v1/endpoints/other?format=ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil || n > limits.MaxBytes {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestTimeIsLimited(t *testing.T) {
	h := newHarness(t)
	h.token("admin")
	h.fake.block = true
	token, _, err := h.tokens.CreateToken(t.Context(), auth.TokenSpec{Scopes: []string{"read:*"}, Limits: auth.LimitsSpec{Timeout: "20ms"}})
	if err != nil {
		t.Fatal(err)
	}
	p := h.wantProblem(h.do("GET", "/v1/sql?q=SELECT+1&_timeout=10s", "", "Authorization", "Bearer "+token.Reveal()), types.Timeout)
	if p.Path != "timeout" || !strings.Contains(p.Detail, "20ms") {
		t.Errorf("%+v", p)
	}
	p = h.wantProblem(h.do("GET", "/v1/sql?q=SELECT+1&_timeout=10ms", "", "Authorization", "Bearer "+token.Reveal()), types.Timeout)
	if p.Path == "timeout" {
		t.Errorf("the request's own timeout is taken for the limit: %+v", p)
	}
}

// stream runs a call of a route that lasts until its context ends, and returns why it did.
func (h *harness) stream(credential string) <-chan error {
	r, err := http.NewRequestWithContext(h.Context(), "GET", "/v1/views/v/changes?_token="+credential, nil)
	if err != nil {
		h.Fatal(err)
	}
	done, started := make(chan error, 1), make(chan struct{})
	rt := &route{tokenInURL: true, needs: []need{{auth.Read, "*"}}, params: nil, handle: func(c *call) error {
		close(started)
		if c.r.URL.Query().Has("_token") || strings.Contains(c.r.RequestURI, credential) {
			h.Error("the handler sees the token")
		}
		<-c.r.Context().Done()
		return context.Cause(c.r.Context())
	}}
	c := &call{s: h.handler.(*server), w: &response{ResponseWriter: discard{}}, r: r, route: rt}
	go func() { done <- c.run() }()
	select {
	case <-started:
	case err := <-done:
		h.Fatal(err)
	}
	return done
}

type discard struct{ http.ResponseWriter }

func (discard) Header() http.Header { return http.Header{} }

func TestStreamsEndWithTheirCredential(t *testing.T) {
	h := newHarness(t)
	h.token("admin")
	if _, err := h.tokens.CreateIssuer(t.Context(), auth.IssuerSpec{
		Name: "exact", Algorithm: "HS256", Issuer: "exact", Audience: "leat", Leeway: "0s", Keys: []auth.KeySpec{{Secret: authtest.Secret}}, Scopes: []string{"read:*"},
	}); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(1500 * time.Millisecond)
	jwt := authtest.Sign(t, "HS256", []byte(authtest.Secret), nil, map[string]any{"iss": "exact", "aud": "leat", "exp": float64(end.UnixMilli()) / 1000})
	err := <-h.stream(jwt)
	if !types.HasCode(err, types.Unauthenticated) || time.Now().Before(end.Add(-5*time.Millisecond)) || time.Since(end) > time.Minute {
		t.Errorf("it ended %s after its JWT: %v", time.Since(end), err)
	}
	token, info, err := h.tokens.CreateToken(t.Context(), auth.TokenSpec{Scopes: []string{"read:*"}})
	if err != nil {
		t.Fatal(err)
	}
	done := h.stream(token.Reveal())
	if err := h.tokens.Revoke(t.Context(), info.ID); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !types.HasCode(err, types.Unauthenticated) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the stream outlives its token")
	}
}

func TestWebSocketsOfOtherOrigins(t *testing.T) {
	h := newHarness(t)
	target := "/v1/views/v/changes"
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	with := func(headers ...string) types.Code {
		w := h.do("GET", target, "", append(headers, upgrade...)...)
		e := h.problem(w.Body.Bytes())
		return e.Code
	}
	for _, headers := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		if code := with(headers...); code != types.CrossOrigin {
			t.Errorf("%v: %s", headers, code)
		}
	}
	for _, headers := range [][]string{{}, {"Origin", "http://localhost:4280"}, {"Origin", "http://localhost:4280", "Sec-Fetch-Site", "same-origin"}} {
		if code := with(headers...); code == types.CrossOrigin {
			t.Errorf("%v: %s", headers, code)
		}
	}
	// With tokens too: a page that has one must be named by the operator.
	token := h.token("read:*")
	target += "?_token=" + token
	if code := with("Origin", "https://evil.example"); code != types.CrossOrigin {
		t.Errorf("with a token: %s", code)
	}
}

// problem reads an error's body.
func (h *harness) problem(body []byte) (p problem) {
	h.Helper()
	if err := decodeLoose(body, &p); err != nil {
		h.Fatalf("%v: %s", err, body)
	}
	return p
}

func TestIssuersLifeCycle(t *testing.T) {
	var mu sync.Mutex
	var events []auth.Event
	h := newHarness(t, func(o *Options) {
		o.Audit = func(e auth.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}
	})
	admin := []string{"Authorization", "Bearer " + h.token("admin")}
	body := `{"name":"app","algorithm":"HS256","issuer":"` + testIssuer + `","audience":"leat","keys":[{"kid":"k1","secret":"` + authtest.Secret + `"}],
		"scopes":["read:orders"],"params":{"tenant":"tid"},"filters":{"*":{"tenant_id":"tid"}},"limits":{"rate":5,"timeout":"2s"}}`
	w := h.do("POST", "/v1/issuers", body, admin...)
	if w.Code != 201 || w.Header().Get("Location") != "/v1/issuers/app" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	list := h.do("GET", "/v1/issuers", "", admin...)
	for _, text := range []string{w.Body.String(), list.Body.String()} {
		if strings.Contains(text, authtest.Secret[:8]) || !strings.Contains(text, `"k1"`) || !strings.Contains(text, `"tenant_id":"tid"`) {
			t.Errorf("%s", text)
		}
	}
	h.wantProblem(h.do("POST", "/v1/issuers", body, admin...), types.AlreadyExists)
	h.wantProblem(h.do("POST", "/v1/issuers", `{"name":"x","unknown":1}`, admin...), types.InvalidArgument)
	p := h.wantProblem(h.do("POST", "/v1/issuers", `{"name":"x","algorithm":"none","scopes":["admin"]}`, admin...), types.InvalidArgument)
	if len(p.Errors) < 4 {
		t.Errorf("not all faults at once: %+v", p)
	}
	jwt := authtest.Sign(t, "HS256", []byte(authtest.Secret), nil, map[string]any{"iss": testIssuer, "aud": "leat", "sub": "ada", "tid": "t1", "exp": time.Now().Add(time.Hour).Unix()})
	if w := h.do("GET", "/v1/endpoints/orders", "", "Authorization", "Bearer "+jwt); w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "5" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := h.fake.calls[0].Principal; got.ID != "app:ada" || got.Params["tenant"] != "t1" || len(got.Filters["*"]) != 1 {
		t.Errorf("%+v", got)
	}
	if w := h.do("DELETE", "/v1/issuers/app", "", admin...); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.wantProblem(h.do("GET", "/v1/endpoints/orders", "", "Authorization", "Bearer "+jwt), types.Unauthenticated)
	h.wantProblem(h.do("DELETE", "/v1/issuers/app", "", admin...), types.NotFound)
	var got []string
	for _, e := range events {
		got = append(got, e.Action+" "+e.Object+" "+e.Outcome)
		if s := fmt.Sprintf("%+v", e); strings.Contains(s, authtest.Secret[:8]) || strings.Contains(s, jwt[len(jwt)-16:]) || e.Origin.Request == "" {
			t.Errorf("%s", s)
		}
	}
	want := []string{"create issuer app ok", "create issuer app already_exists", "create issuer x invalid_argument", "delete issuer app ok",
		auth.FailedAuthentication + " GET /v1/endpoints/{endpoint} unauthenticated", "delete issuer app not_found"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("audit\n%q\nwant\n%q", got, want)
	}
}

// A client that resets streams as soon as it has opened them (CVE-2023-44487) makes no more handlers run than it may have streams.
func TestHTTP2InTheClear(t *testing.T) {
	h := newHarness(t)
	srv := h.serve()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Transport: &http.Transport{Protocols: protocols}, Timeout: time.Minute}
	resp, err := client.Get(srv.URL + "/v1/sql?q=SELECT+1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Errorf("%s %d", resp.Proto, resp.StatusCode)
	}
	h.fake.mu.Lock()
	h.fake.entered, h.fake.released = make(chan struct{}, 100_000), make(chan struct{})
	h.fake.mu.Unlock()
	var group sync.WaitGroup
	for range 2000 {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/events/x", strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			if resp, err := client.Do(req); err == nil {
				resp.Body.Close()
			} else if !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "timeout") {
				t.Log(err)
			}
		})
	}
	group.Wait()
	close(h.fake.released)
	if resp, err := client.Get(srv.URL + "/healthz"); err != nil || resp.StatusCode != 200 {
		t.Errorf("afterwards: %v", err)
	} else {
		resp.Body.Close()
	}
}
