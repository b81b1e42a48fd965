package api

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"leat/internal/types"
)

func TestEvents(t *testing.T) {
	h := newHarness(t)
	w := h.do("POST", "/v1/events/orders?wait=visible&strict=1", "{\"n\":1}\n{\"n\":\"bad\"}\n", "Idempotency-Key", "k1", "Content-Type", "text/plain")
	h.want(w, 200, `{"accepted":2,"dead_letters":1,"first_errors":[{"code":"invalid_record","detail":"not a number","line":2,"path":"$.n"}],"position":"`+testPosition.Token()+`","created":true}`)
	if w.Header().Get("Leat-Position") != testPosition.Token() {
		t.Errorf("Leat-Position is %q", w.Header().Get("Leat-Position"))
	}
	r := h.fake.sends[0]
	if r.Stream != "orders" || !r.Strict || !r.WaitVisible || r.IdempotencyKey != "k1" || r.ContentType != "text/plain" || r.ContentLength != 20 || r.Principal.ID != "local" {
		t.Errorf("request %+v", r)
	}
	for _, bad := range []string{"?wait=forever", "?strict=maybe", "?stict=true", "?_x=1", "?strict=1&strict=0", "?_timeout=x", "?_timeout=", "?_timeout=100h", "?strict=%zz", "?strict=%ff"} {
		h.wantProblem(h.do("POST", "/v1/events/orders"+bad, "{}"), types.InvalidArgument)
	}
	h.wantProblem(h.do("POST", "/v1/events/orders", "{}", "Idempotency-Key", strings.Repeat("k", 300)), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/events/orders", "{}", "Idempotency-Key", "a", "Idempotency-Key", "b"), types.InvalidArgument)
	if len(h.fake.sends) != 1 {
		t.Errorf("bad requests reached ingest: %d", len(h.fake.sends))
	}
}

func TestEventsErrors(t *testing.T) {
	h := newHarness(t)
	h.wantProblem(h.do("POST", "/v1/events/orders", "not gzip", "Content-Encoding", "gzip"), types.InvalidRecord)
	h.fake.sendErr = &types.Error{Code: types.TooManyRequests, Message: "the store is 2 GiB behind", RetryAfter: 7}
	w := h.do("POST", "/v1/events/orders", "{}")
	h.wantProblem(w, types.TooManyRequests)
	if w.Header().Get("Retry-After") != "7" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	h.fake.sendErr, h.fake.sendAt = types.Errorf(types.Timeout, "durable, but not yet visible"), testPosition
	w = h.do("POST", "/v1/events/orders?wait=visible", "{}")
	h.wantProblem(w, types.Timeout)
	if w.Header().Get("Leat-Position") != testPosition.Token() {
		t.Errorf("Leat-Position %q", w.Header().Get("Leat-Position"))
	}
	h.fake.sendErr = types.Errorf(types.IdempotencyMismatch, "another body")
	h.wantProblem(h.do("POST", "/v1/events/orders", "{}"), types.IdempotencyMismatch)
}

func TestSQL(t *testing.T) {
	h := newHarness(t)
	const rows = "{\"n\":0}\n{\"n\":1}\n{\"n\":2}"
	for _, contentType := range []string{"", "text/plain; charset=utf-8", "application/sql", "application/x-www-form-urlencoded"} {
		h.want(h.do("POST", "/v1/sql", "SELECT 1", "Content-Type", contentType), 200, rows)
	}
	w := h.do("POST", "/v1/sql?format=ndjson&_limit=5&_int64=string&_timeout=2s", "SELECT 1", "Leat-After", testPosition.Token())
	h.want(w, 200, strings.NewReplacer(":0", `:"0"`, ":1", `:"1"`, ":2", `:"2"`).Replace(rows))
	if w.Header().Get("Content-Type") != "application/x-ndjson" || w.Header().Get("Leat-Position") == "" {
		t.Errorf("headers %v", w.Header())
	}
	if q := h.fake.sql[len(h.fake.sql)-1]; q.Limit != 5 || !q.After.Covers(testPosition) || q.ReadOnly {
		t.Errorf("request %+v", q)
	}
	h.do("POST", "/v1/sql", `{"sql":"SELECT $a","params":{"a":9007199254740993},"limit":4}`, "Content-Type", "application/json")
	if q := h.fake.sql[len(h.fake.sql)-1]; q.SQL != "SELECT $a" || q.Params["a"] != json.Number("9007199254740993") || q.Limit != 4 {
		t.Errorf("request %+v", q)
	}
	h.do("POST", "/v1/sql", `{"sql":"SELECT $1","params":["x",null]}`, "Content-Type", "application/json")
	if q := h.fake.sql[len(h.fake.sql)-1]; q.Params["1"] != "x" || len(q.Params) != 2 {
		t.Errorf("request %+v", q)
	}
	h.want(h.do("POST", "/v1/sql", "CREATE STREAM orders (n INT)"), 200, `{"statements":[{"statement":"CREATE STREAM","name":"orders","status":"created"}]}`)
	if h.fake.closed != 7 {
		t.Errorf("%d results closed", h.fake.closed)
	}
}

func TestSQLErrors(t *testing.T) {
	h := newHarness(t)
	p := h.wantProblem(h.do("POST", "/v1/sql", "SELEC 1"), types.SyntaxError)
	if p.Line != 1 || p.Column != 1 || p.Hint != "start with SELECT" {
		t.Errorf("problem %+v", p)
	}
	asked := len(h.fake.sql)
	for _, c := range []struct {
		target, body, contentType string
		code                      types.Code
	}{
		{"/v1/sql?format=xml", "SELECT 1", "", types.InvalidArgument},
		{"/v1/sql?_limit=0", "SELECT 1", "", types.InvalidArgument},
		{"/v1/sql?_limit=x", "SELECT 1", "", types.InvalidArgument},
		{"/v1/sql?_int64=yes", "SELECT 1", "", types.InvalidArgument},
		{"/v1/sql?x=1", "SELECT 1", "", types.InvalidArgument},
		{"/v1/sql", "SELECT 1", "text/html", types.UnsupportedMedia},
		{"/v1/sql", "SELECT 1", "text/plain; charset=utf-16", types.UnsupportedMedia},
		{"/v1/sql", "SELECT '\xff'", "", types.InvalidArgument},
		{"/v1/sql", `{"sql":"SELECT 1","parms":{}}`, "application/json", types.InvalidArgument},
		{"/v1/sql", `{"sql":"SELECT 1"} x`, "application/json", types.InvalidArgument},
		{"/v1/sql", `{"sql":"SELECT 1","params":7}`, "application/json", types.InvalidArgument},
		{"/v1/sql", `{"sql":"SELECT 1","limit":-1}`, "application/json", types.InvalidArgument},
		{"/v1/sql", `{"sql":"SELECT 1","timeout":"-1s"}`, "application/json", types.InvalidArgument},
		{"/v1/sql", ``, "application/json", types.InvalidArgument},
		{"/v1/sql", "{\n\"sql\": nope}", "application/json", types.InvalidArgument},
	} {
		h.wantProblem(h.do("POST", c.target, c.body, "Content-Type", c.contentType), c.code)
	}
	h.wantProblem(h.do("POST", "/v1/sql", "SELECT 1", "Accept", "image/png"), types.NotAcceptable)
	h.wantProblem(h.do("POST", "/v1/sql", "SELECT 1", "Leat-After", "garbage"), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/sql", "SELECT 1", "Content-Encoding", "gzip"), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/sql", "SELECT 1", "Content-Encoding", "deflate"), types.UnsupportedMedia)
	p = h.wantProblem(h.do("POST", "/v1/sql", "{\n\"sql\": nope}", "Content-Type", "application/json"), types.InvalidArgument)
	if p.Line != 2 || p.Column != 9 {
		t.Errorf("place %d:%d", p.Line, p.Column)
	}
	if len(h.fake.sql) != asked {
		t.Error("a bad request reached the query")
	}
	h.fake.block = true
	h.wantProblem(h.do("POST", "/v1/sql?_timeout=1ms", "SELECT 1"), types.Timeout)
}

func TestGetSQLChangesNothing(t *testing.T) {
	h := newHarness(t)
	h.want(h.do("GET", "/v1/sql?q=SELECT+1", ""), 200, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}")
	for _, q := range []string{"CREATE+STREAM+x+(n+INT)", "DROP+STREAM+x", "INSERT+INTO+x+VALUES+(1)"} {
		h.wantProblem(h.do("GET", "/v1/sql?q="+q, ""), types.NotAllowed)
	}
	for _, q := range h.fake.sql {
		if !q.ReadOnly {
			t.Errorf("%q was not read-only", q.SQL)
		}
	}
	h.wantProblem(h.do("GET", "/v1/sql", ""), types.InvalidArgument)
}

func TestEndpoints(t *testing.T) {
	h := newHarness(t)
	h.do("GET", "/v1/endpoints/busiest?state=TX&n=3&_limit=2&format=json", "")
	if c := h.fake.calls[0]; c.Name != "busiest" || fmt.Sprint(c.Args) != "map[n:3 state:TX]" || c.Limit != 2 {
		t.Errorf("call %+v", c)
	}
	h.do("POST", "/v1/endpoints/busiest?n=3", `{"state":"TX","big":9007199254740993,"none":null}`, "Content-Type", "application/json")
	if c := h.fake.calls[1]; fmt.Sprint(c.Args) != "map[big:9007199254740993 n:3 none:<nil> state:TX]" || c.Args["n"] != "3" {
		t.Errorf("call %+v", c)
	}
	h.do("POST", "/v1/endpoints/busiest", "")
	h.wantProblem(h.do("POST", "/v1/endpoints/busiest?n=3", `{"n":4}`), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/endpoints/busiest?n=3&n=4", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/endpoints/busiest?_because=1", ""), types.InvalidArgument)
	h.wantProblem(h.do("POST", "/v1/endpoints/busiest", `[1]`), types.InvalidArgument)
	if len(h.fake.calls) != 3 {
		t.Errorf("%d calls", len(h.fake.calls))
	}
	if w := h.do("GET", "/v1/endpoints", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `{"name":"state","type":"VARCHAR","required":true}`) {
		t.Errorf("list: %s", w.Body)
	}
}

func TestRows(t *testing.T) {
	h := newHarness(t)
	h.want(h.do("GET", "/v1/tables/airports/rows/a%2Fb%20%25", ""), 200, `{"n":0}`)
	if k := h.fake.keys[0]; k.Table != "airports" || k.Key != "a/b %" || k.Columns != nil {
		t.Errorf("key %+v", k)
	}
	for _, key := range []string{"%2E%2E", "%2e", "a%2F..%2Fb"} {
		if w := h.do("GET", "/v1/tables/airports/rows/"+key, ""); w.Code != 200 {
			t.Errorf("key %s: %d %s", key, w.Code, w.Body)
		}
	}
	w := h.do("GET", "/v1/tables/airports/rows?a=1&b=x%26y&_int64=string&_limit=2&format=ndjson", "")
	h.want(w, 200, "{\"n\":\"0\"}\n{\"n\":\"1\"}")
	if l := h.fake.lookups[len(h.fake.lookups)-1]; !l.Table || l.View != "airports" || l.Key != nil || fmt.Sprint(l.Columns) != "map[a:1 b:x&y]" || l.Limit != 2 {
		t.Errorf("lookup %+v", l)
	}
	if w.Header().Get("Leat-Cursor") != "more" || !strings.HasPrefix(w.Header().Get("Link"), "</v1/tables/airports/rows?_cursor=more&") {
		t.Errorf("headers %v", w.Header())
	}
	h.wantProblem(h.do("GET", "/v1/tables/airports/rows/nobody", ""), types.NotFound)
	h.want(h.do("GET", "/v1/tables/airports/rows?format=ndjson", ""), 200, "{\"n\":0}\n{\"n\":1}")
	h.wantProblem(h.do("PUT", "/v1/tables/airports/rows", `{}`), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/tables/airports/rows?a=1&a=2", ""), types.InvalidArgument)
	h.want(h.do("PUT", "/v1/tables/airports/rows/LAX", `{"city":"Los Angeles"}`), 200, `{"position":"`+testPosition.Token()+`"}`)
	if h.fake.puts["LAX"] != `{"city":"Los Angeles"}` {
		t.Errorf("puts %v", h.fake.puts)
	}
	if w := h.do("DELETE", "/v1/tables/airports/rows/LAX", ""); w.Code != 200 || w.Header().Get("Leat-Position") == "" || len(h.fake.puts) != 0 {
		t.Errorf("delete: %d %s", w.Code, w.Body)
	}
	h.wantProblem(h.do("PUT", "/v1/tables/airports/rows/LAX?x=1", `{}`), types.InvalidArgument)
}

func TestStreamsAndStatus(t *testing.T) {
	h := newHarness(t)
	if w := h.do("GET", "/v1/streams", ""); !strings.Contains(w.Body.String(), `"columns":[{"name":"n","type":"BIGINT"}]`) {
		t.Errorf("streams: %s", w.Body)
	}
	if w := h.do("GET", "/v1/streams/orders", ""); !strings.Contains(w.Body.String(), "CREATE STREAM orders (n BIGINT)") {
		t.Errorf("stream: %s", w.Body)
	}
	h.wantProblem(h.do("GET", "/v1/streams/nothing", ""), types.NotFound)
	h.want(h.do("GET", "/v1/status", ""), 200, `{"version":"test"}`)
	h.want(h.do("GET", "/v1/jobs", ""), 200, `["loader"]`)
	h.want(h.do("GET", "/healthz", ""), 200, `{"alive":true,"checks":[]}`)
	h.want(h.do("GET", "/readyz", ""), 503, `{"checks":["starting"],"ready":false}`)
	h.want(h.do("GET", "/metrics", ""), 200, "leat_up 1")
}

func TestDeadLetters(t *testing.T) {
	h := newHarness(t)
	h.want(h.do("GET", "/v1/dead-letters/orders?_cursor=c&_limit=1&reason=data_error", ""), 200,
		`{"dead_letters":[{"id":"ordersc","at":"1970-01-01T00:00:01Z","reason":{"code":"data_error","detail":"no"},"raw":"1"}],"next_cursor":"ordersc"}`)
	h.want(h.do("GET", "/v1/dead-letters/orders", ""), 200,
		`{"dead_letters":[{"id":"orders","at":"1970-01-01T00:00:01Z","reason":{"code":"","detail":"no"},"raw":"100"}]}`)
	h.want(h.do("GET", "/v1/dead-letters/orders/x1", ""), 200,
		`{"id":"x1","at":"1970-01-01T00:00:01Z","reason":null,"record":3,"format":"csv","truncated":true,"token":"abc","raw_base64":"/wA="}`)
	h.wantProblem(h.do("GET", "/v1/dead-letters/orders/none", ""), types.NotFound)
	h.wantProblem(h.do("GET", "/v1/dead-letters/orders?_limit=5000", ""), types.InvalidArgument)
	h.want(h.do("POST", "/v1/dead-letters/orders/replay", `{"ids":["a","b"]}`), 200,
		`{"replayed":2,"failed":0,"rows":5,"first_errors":[],"position":"`+testPosition.Token()+`"}`)
	h.do("POST", "/v1/dead-letters/orders/replay", `{"ids":["a"],"record":{"n": 1}}`)
	h.do("POST", "/v1/dead-letters/orders/replay", `{"ids":["a"],"csv":"n\n1"}`)
	if r := h.fake.replays; len(r) != 3 || r[0].Raw != nil || string(r[1].Raw) != `{"n": 1}` || r[1].CSV || string(r[2].Raw) != "n\n1" || !r[2].CSV {
		t.Errorf("replays %+v", r)
	}
	for _, body := range []string{`{"all":true,"record":{}}`, `{"ids":["a","b"],"record":{}}`, `{"ids":["a"],"record":{},"csv":"x"}`} {
		h.wantProblem(h.do("POST", "/v1/dead-letters/orders/replay", body), types.InvalidArgument)
	}
}

func TestPurge(t *testing.T) {
	h := newHarness(t)
	purge := func(body string) *httptest.ResponseRecorder {
		return h.do("POST", "/v1/dead-letters/orders/purge", body)
	}
	h.want(purge(`{"ids":["a"]}`), 200, `{"purged":1}`)
	h.want(purge(`{"all":true}`), 200, `{"purged":0}`)
	h.want(purge(`{"reason":"data_error","before":"2026-01-01T00:00:00Z"}`), 200, `{"purged":0}`)
	if p := h.fake.purged; len(p) != 3 || p[0].IDs[0] != "a" || p[1].IDs != nil || p[2].Reason != types.DataError || p[2].Before.Year() != 2026 {
		t.Errorf("purged %+v", p)
	}
	for _, body := range []string{"", "{}", `{"ids":[]}`, `{"ids":["a"],"all":true}`, `{"al":true}`, `{"all":true,"record":{}}`, `{"before":"yesterday"}`} {
		h.wantProblem(purge(body), types.InvalidArgument)
	}
	h.wantProblem(purge(`{"ids":["`+strings.Repeat(`a","`, maxDeadLetterIDs)+`"]}`), types.LimitExceeded)
	if len(h.fake.purged) != 3 {
		t.Error("a slip purged something")
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	h := newHarness(t)
	for _, path := range []string{"/", "/v1", "/v1/nothing", "/v1//sql", "/v1/events/", "/v1/x/../sql", "/v1/sql/"} {
		h.wantProblem(h.do("GET", path, ""), types.NotFound)
	}
	w := h.do("DELETE", "/v1/sql", "")
	h.wantProblem(w, types.MethodNotAllowed)
	if got := w.Header().Get("Allow"); got != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("Allow: %s", got)
	}
	w = h.do("OPTIONS", "/v1/tables/t/rows/k", "", "Origin", "http://evil.example")
	if w.Code != 204 || w.Header().Get("Allow") != "GET, HEAD, PUT, DELETE, OPTIONS" || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
	}
	if w := h.do("HEAD", "/healthz", ""); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
	h.do("BREW", "/v1/sql", "")
	if !slices.Contains(h.meter.ends, "OTHER none 405") || h.meter.open != 0 {
		t.Errorf("meter: %v, %d open", h.meter.ends, h.meter.open)
	}
	h.do("POST", "/v1/events/orders", "{}")
	if last := h.meter.ends[len(h.meter.ends)-1]; last != "POST /v1/events/{stream} 200" {
		t.Errorf("meter: %s", last)
	}
}
