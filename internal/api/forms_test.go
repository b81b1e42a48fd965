package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"leat/internal/auth"
	"leat/internal/types"
)

func withResults(o *Options) { o.Results = NewResultCache(1 << 20) }

func TestEveryAnswerSaysHowFreshItIs(t *testing.T) {
	h := newHarness(t)
	for _, target := range []string{"/v1/sql?q=SELECT+1", "/v1/endpoints/e", "/v1/views/v/rows/a", "/v1/views/v/rows", "/v1/tables/t/rows/a"} {
		w := h.do("GET", target, "")
		if w.Code != 200 || w.Header().Get("Leat-Position") != testPosition.Token() || w.Header().Get("Leat-Lag-Ms") != "2" ||
			w.Header().Get("Leat-Watermark") != "1970-01-01T00:00:01.000001Z" && target != "/v1/views/v/rows/a" { // which has none
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
		head := h.do("HEAD", target, "")
		if head.Code != 200 || head.Body.Len() > 0 || head.Header().Get("Leat-Lag-Ms") != "2" {
			t.Errorf("HEAD %s: %d %v %s", target, head.Code, head.Header(), head.Body)
		}
		for _, bad := range []string{"1", "-1s", "x", ""} {
			separator := "?"
			if strings.Contains(target, "?") {
				separator = "&"
			}
			h.wantProblem(h.do("GET", target+separator+"_max_staleness="+bad, ""), types.InvalidArgument)
		}
	}
	h.do("GET", "/v1/endpoints/e?_max_staleness=500ms", "", "Leat-After", testPosition.Token())
	last := h.fake.calls[len(h.fake.calls)-1]
	if last.MaxStaleness != 500*time.Millisecond || !last.After.Covers(testPosition) {
		t.Errorf("asked for %+v", last.Freshness)
	}
}

func decoded(t *testing.T, coding string, b []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(b)
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestAnswersAreCompressed(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7}, "s"
	for _, rows := range []int{3, 1000, 200_000} { // too small, held back, streamed
		h.fake.rows, h.fake.stamp = rows, fmt.Sprint(rows)
		plain := h.do("GET", "/v1/endpoints/e", "").Body.String()
		for _, coding := range []string{"gzip", "br", "zstd"} {
			w := h.do("GET", "/v1/endpoints/e", "", "Accept-Encoding", "identity;q=0.1, "+coding)
			got := w.Header().Get("Content-Encoding")
			if want := map[bool]string{true: coding}[rows > 3]; got != want || !strings.Contains(strings.Join(w.Header()["Vary"], ","), "Accept-Encoding") {
				t.Fatalf("%d rows, %s: %v", rows, coding, w.Header())
			}
			if decoded(t, got, w.Body.Bytes()) != plain {
				t.Errorf("%d rows, %s: another answer", rows, coding)
			}
			if again := h.do("GET", "/v1/endpoints/e", "", "Accept-Encoding", coding); decoded(t, again.Header().Get("Content-Encoding"), again.Body.Bytes()) != plain {
				t.Errorf("%d rows, %s: another answer the second time", rows, coding)
			}
		}
	}
}

func TestCompressedBodies(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{MaxBodyBytes: 10_000} })
	pack := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	if w := h.do("POST", "/v1/sql", pack("SELECT 1"), "Content-Encoding", "gzip"); w.Code != 200 || h.fake.sql[0].SQL != "SELECT 1" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	h.wantProblem(h.do("POST", "/v1/sql", pack("SELECT 1"+strings.Repeat(" ", 20_000)), "Content-Encoding", "gzip"), types.PayloadTooLarge)
	h.wantProblem(h.do("POST", "/v1/sql", pack("SELECT 1")[:20], "Content-Encoding", "gzip"), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/sql", "SELECT 1", "Content-Encoding", "zstd"), types.InvalidArgument)
}

func TestConditionalCalls(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7}, "one"
	first := h.do("GET", "/v1/endpoints/e", "")
	tag := first.Header().Get("ETag")
	if tag == "" || first.Header().Get("Cache-Control") != "private, no-cache" || first.Header().Get("Leat-Cache") != "miss" {
		t.Fatalf("%v", first.Header())
	}
	for _, header := range []string{tag, "*", `"x", ` + tag, strings.TrimPrefix(tag, "W/")} {
		w := h.do("GET", "/v1/endpoints/e", "", "If-None-Match", header)
		if w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") != tag || w.Header().Get("Leat-Position") == "" || w.Header().Get("Content-Type") != "" {
			t.Errorf("%s: %d %v", header, w.Code, w.Header())
		}
	}
	if w := h.do("GET", "/v1/endpoints/e", ""); w.Header().Get("Leat-Cache") != "hit" || w.Body.String() != first.Body.String() {
		t.Errorf("the second call: %v", w.Header())
	}
	for _, target := range []string{"/v1/endpoints/e?format=ndjson", "/v1/endpoints/e?_int64=string"} {
		if w := h.do("GET", target, "", "If-None-Match", tag); w.Code != 200 || w.Header().Get("ETag") == tag || w.Header().Get("Leat-Cache") != "miss" {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
	}
	h.fake.stamp, h.fake.rows = "two", 4
	if w := h.do("GET", "/v1/endpoints/e", "", "If-None-Match", tag); w.Code != 200 || w.Header().Get("Leat-Cache") != "miss" || strings.Count(w.Body.String(), "\n") != 4 {
		t.Errorf("after a change: %d %v", w.Code, w.Header())
	}
	h.fake.stamp = ""
	if w := h.do("GET", "/v1/endpoints/e", "", "If-None-Match", "*"); w.Code != 200 || w.Header().Get("ETag") != "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("without a stamp: %d %v", w.Code, w.Header())
	}
	if m := h.options.Results.Metrics(); m.Hits != 1 || m.Misses != 4 {
		t.Errorf("%+v", m)
	}
}

// An answer is given again only to the same question: of the same rows, arguments and definition.
func TestKeptAnswersAreForOneQuestion(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7, Version: 1}, "s"
	seen := map[string]bool{}
	ask := func(name, target, body string) {
		method := "GET"
		if body != "" {
			method = "POST"
		}
		if w := h.do(method, target, body); w.Code != 200 || w.Header().Get("Leat-Cache") != "miss" {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("Leat-Cache"))
		}
		seen[name] = true
	}
	ask("plain", "/v1/endpoints/e", "")
	ask("an argument", "/v1/endpoints/e?a=1", "")
	ask("another", "/v1/endpoints/e?a=2", "")
	ask("a number", "/v1/endpoints/e", `{"a":1}`)
	ask("text of an argument", "/v1/endpoints/e", `{"a":"1\"&\"b\"=string\"2"}`)
	ask("two arguments", "/v1/endpoints/e?a=1&b=2", "")
	ask("a limit", "/v1/endpoints/e?_limit=2", "")
	ask("a page", "/v1/endpoints/e?_cursor=x", "")
	h.fake.published = &Published{ID: 7, Version: 2}
	ask("a definition", "/v1/endpoints/e", "")
	if m := h.options.Results.Metrics(); m.Answers != int64(len(seen)) {
		t.Errorf("%d answers of %d questions", m.Answers, len(seen))
	}
}

func TestSomeAnswersAreNotKept(t *testing.T) {
	for name, change := range map[string]func(*harness){
		"cache = false":       func(h *harness) { h.fake.published.NoCache = true },
		"straight from state": func(h *harness) { h.fake.direct = true },
		"too large":           func(h *harness) { h.fake.rows = 200_000 },
		"no endpoint":         func(h *harness) { h.fake.published = nil },
	} {
		h := newHarness(t, withResults)
		h.fake.published, h.fake.stamp = &Published{ID: 7}, "s"
		change(h)
		h.do("GET", "/v1/endpoints/e", "")
		if w := h.do("GET", "/v1/endpoints/e", ""); w.Code != 200 || w.Header().Get("Leat-Cache") == "hit" || h.options.Results.Metrics().Bytes != 0 {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}

func TestOneOfManyEqualCallsIsRun(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7}, "s"
	h.fake.entered, h.fake.released = make(chan struct{}, 100), make(chan struct{})
	var wg sync.WaitGroup
	bodies := make([]string, 20)
	call := func(i int) {
		defer wg.Done()
		bodies[i] = h.do("GET", "/v1/endpoints/e", "").Body.String()
	}
	wg.Add(1)
	go call(0)
	<-h.fake.entered
	for i := 1; i < len(bodies); i++ {
		wg.Add(1)
		go call(i)
	}
	h.waitFor("all calls", func() bool { return len(h.fake.calls) == len(bodies) })
	close(h.fake.released)
	wg.Wait()
	for i, b := range bodies {
		if b != bodies[0] || b == "" {
			t.Errorf("call %d: %q", i, b)
		}
	}
	if len(h.fake.entered) != 0 {
		t.Errorf("%d more calls ran", len(h.fake.entered))
	}
}

// Where the one call that others wait for fails, each of them makes its own answer.
func TestFailureOfTheFirstOfEqualCalls(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7}, "s"
	h.fake.entered, h.fake.released = make(chan struct{}, 100), make(chan struct{})
	h.fake.rows, h.fake.failAt = 5000, 1000
	codes := make(chan int, 2)
	call := func() { codes <- h.do("GET", "/v1/endpoints/e", "").Code }
	go call()
	<-h.fake.entered
	h.fake.mu.Lock()
	h.fake.rows, h.fake.failAt = 3, 0
	h.fake.mu.Unlock()
	go call()
	h.waitFor("the second call", func() bool { return len(h.fake.calls) == 2 })
	close(h.fake.released)
	if a, b := <-codes, <-codes; a+b != 200+503 {
		t.Errorf("%d and %d", a, b)
	}
}

func TestStaleAnswers(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7, StaleIfOverloaded: time.Minute}, "s"
	h.fake.direct = true // such answers are kept for this alone
	good := h.do("GET", "/v1/endpoints/e", "").Body.String()
	h.fake.stamp, h.fake.callErr = "t", types.Errorf(types.TooManyRequests, "all slots are taken")
	w := h.do("GET", "/v1/endpoints/e", "")
	if w.Code != 200 || w.Body.String() != good || w.Header().Get("Leat-Stale") != "true" || w.Header().Get("Age") == "" || w.Header().Get("Leat-Position") == "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	h.wantProblem(h.do("GET", "/v1/endpoints/e?a=1", ""), types.TooManyRequests)
	h.fake.callErr = types.Errorf(types.DataError, "x")
	h.wantProblem(h.do("GET", "/v1/endpoints/e", ""), types.DataError)
	h.fake.callErr = types.Errorf(types.TooManyRequests, "all slots are taken")
	h.fake.published.StaleIfOverloaded = time.Nanosecond
	h.wantProblem(h.do("GET", "/v1/endpoints/e", ""), types.TooManyRequests)
}

func TestAllowedStaleness(t *testing.T) {
	h := newHarness(t, withResults)
	h.fake.published, h.fake.stamp = &Published{ID: 7}, "s"
	good := h.do("GET", "/v1/endpoints/e", "").Body.String()
	h.fake.stamp, h.fake.rows = "t", 5
	w := h.do("GET", "/v1/endpoints/e?_max_staleness=1h", "")
	if w.Body.String() != good || w.Header().Get("Leat-Cache") != "hit" || w.Header().Get("Age") == "" {
		t.Errorf("%v", w.Header())
	}
	if lag := w.Header().Get("Leat-Lag-Ms"); lag == "0" || lag == "" {
		t.Errorf("lag %q", lag)
	}
	if w := h.do("GET", "/v1/endpoints/e?_max_staleness=1h", "", "If-None-Match", w.Header().Get("ETag")); w.Code != 304 || w.Header().Get("Leat-Lag-Ms") == "0" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, target := range []string{"/v1/endpoints/e?_max_staleness=1ns", "/v1/endpoints/e"} {
		if w := h.do("GET", target, ""); w.Body.String() == good {
			t.Errorf("%s gives the old answer", target)
		}
	}
	if w := h.do("GET", "/v1/endpoints/e?_max_staleness=1h", "", "Leat-After", testPosition.Token()); len(h.fake.calls) != 4 {
		t.Errorf("a position is not waited for: %v", w.Header())
	}
}

func TestResultCacheIsBounded(t *testing.T) {
	c := NewResultCache(10_000)
	for i := range 100 {
		c.keep(&kept{question: fmt.Sprint(i), stamp: "s", body: make([]byte, 500), at: time.Now()})
		if m := c.Metrics(); m.Bytes > 10_000 {
			t.Fatalf("%+v", m)
		}
		if k, own, _ := c.current("0", "s"); k == nil { // asked again and again, it stays
			t.Fatalf("dropped after %d: %v", i, own)
		}
	}
	c.keep(&kept{question: "large", body: make([]byte, 10_001)})
	if m := c.Metrics(); m.Answers == 0 || m.Answers > 10 {
		t.Errorf("%+v", m)
	}
}

func TestCallsByForm(t *testing.T) {
	h := newHarness(t)
	w := h.do("POST", "/v1/endpoints/e?a=1", "b=x+y&c=%C3%A9", "Content-Type", "application/x-www-form-urlencoded")
	if args := h.fake.calls[0].Args; w.Code != 200 || args["a"] != "1" || args["b"] != "x y" || args["c"] != "é" {
		t.Errorf("%d %v", w.Code, args)
	}
	h.wantProblem(h.do("POST", "/v1/endpoints/e?b=1", "b=2", "Content-Type", "application/x-www-form-urlencoded"), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/endpoints/e", "b=1&b=2", "Content-Type", "application/x-www-form-urlencoded"), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/endpoints/e", "b=%ff", "Content-Type", "application/x-www-form-urlencoded"), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/endpoints/e", "<a/>", "Content-Type", "text/xml"), types.UnsupportedMedia)
}

func TestPagesLeadOn(t *testing.T) {
	h := newHarness(t)
	w := h.do("GET", "/v1/endpoints/e?a=1&_cursor=", "")
	if w.Header().Get("Leat-Cursor") != "after-" || w.Header().Get("Link") != `</v1/endpoints/e?_cursor=after-&a=1>; rel="next"` {
		t.Errorf("%v", w.Header())
	}
	if w := h.do("GET", "/v1/endpoints/e", ""); w.Header().Get("Leat-Cursor") != "" || h.fake.calls[1].Cursor != nil {
		t.Errorf("%v", w.Header())
	}
}

func TestCORS(t *testing.T) {
	const page, other = "https://app.example", "https://evil.example"
	named := newHarness(t, func(o *Options) { o.CORSOrigins = []string{page} })
	w := named.do("POST", "/v1/endpoints/e", "{}", "Origin", page, "Sec-Fetch-Site", "cross-site")
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != page || w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
		!strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "Leat-Position") || w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	w = named.do("OPTIONS", "/v1/endpoints/e", "", "Origin", page, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	if w.Code != 204 || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "POST") || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	for _, origin := range []string{other, "null", page + ".evil.example", "http://app.example"} {
		w := named.do("POST", "/v1/endpoints/e", "{}", "Origin", origin, "Sec-Fetch-Site", "cross-site")
		named.wantProblem(w, types.CrossOrigin)
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", origin, w.Header())
		}
		if w := named.do("GET", "/v1/endpoints/e", ""); !strings.Contains(strings.Join(w.Header()["Vary"], ","), "Origin") {
			t.Errorf("a cache could give %s's answer to others: %v", page, w.Header())
		}
	}

	// Where all origins are allowed, a page must send a token: else it would act as the owner of a server without tokens.
	all := newHarness(t, func(o *Options) { o.CORSOrigins = []string{"*"} })
	all.wantProblem(all.do("POST", "/v1/sql", "DROP TABLE x", "Origin", other, "Sec-Fetch-Site", "cross-site"), types.CrossOrigin)
	all.wantProblem(all.do("GET", "/v1/sql?q=SELECT+1", "", "Origin", other, "Sec-Fetch-Site", "cross-site"), types.CrossOrigin)
	token := all.token("admin")
	if w := all.do("POST", "/v1/endpoints/e", "{}", "Origin", other, "Sec-Fetch-Site", "cross-site", "Authorization", "Bearer "+token); w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := all.do("POST", "/v1/endpoints/e", "{}", "Origin", other); w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	none := newHarness(t)
	if w := none.do("OPTIONS", "/v1/endpoints/e", "", "Origin", other, "Access-Control-Request-Method", "GET"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("by default: %v", w.Header())
	}
	for _, bad := range []string{"app.example", "https://app.example/", "https://", "https://a@b"} {
		o := none.options
		o.CORSOrigins = []string{bad}
		if _, err := New(o); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDocsPage(t *testing.T) {
	h := newHarness(t)
	h.token("admin")
	w := h.do("GET", "/docs", "")
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || !strings.Contains(policy, "script-src 'sha256-") || strings.Contains(policy, "unsafe") || strings.Count(w.Body.String(), "<script") != 1 {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, outside := range []string{"http://", "https://", "src=\"//"} {
		if strings.Contains(w.Body.String(), outside) {
			t.Errorf("the page names something outside: %s", outside)
		}
	}
}

func TestStaleAnswersAtTheEndpointsLimit(t *testing.T) {
	h := newHarness(t, withResults, func(o *Options) {
		o.Limiter = auth.NewLimiter()
		o.EndpointLimits = func(string) auth.Limits { return auth.Limits{Rate: 0.001, Burst: 1} }
	})
	h.fake.published, h.fake.stamp = &Published{ID: 7, StaleIfOverloaded: time.Minute}, "s"
	good := h.do("GET", "/v1/endpoints/e", "")
	w := h.do("GET", "/v1/endpoints/e", "")
	if good.Code != 200 || w.Code != 200 || w.Body.String() != good.Body.String() || w.Header().Get("Leat-Stale") != "true" || len(h.fake.calls) != 1 {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	h.wantProblem(h.do("GET", "/v1/endpoints/e?a=1", ""), types.TooManyRequests)
	h.fake.published.StaleIfOverloaded = 0
	h.wantProblem(h.do("GET", "/v1/endpoints/e", ""), types.TooManyRequests)
}

// BenchmarkCall is what the server itself adds to a call of an endpoint.
func BenchmarkCall(b *testing.B) {
	h := newHarness(b, withResults, func(o *Options) { o.Log = slog.New(slog.DiscardHandler) })
	h.fake.published, h.fake.stamp, h.fake.direct, h.fake.rows = &Published{ID: 7}, "abcdefghijklmnopqrstuvwx", true, 1
	r := httptest.NewRequest("GET", "/v1/endpoints/e?id=12345", nil)
	r.Host = "localhost:4280"
	r.Header.Set("Accept-Encoding", "gzip")
	b.ReportAllocs()
	for b.Loop() {
		h.fake.calls = h.fake.calls[:0]
		w := httptest.NewRecorder()
		if h.handler.ServeHTTP(w, r); w.Code != 200 {
			b.Fatal(w.Code, w.Body)
		}
	}
}
