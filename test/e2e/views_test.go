package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leat/test/harness"
)

// answer is what a GET was answered.
type answer struct {
	status int
	header http.Header
	body   string
}

// get reads a path with request headers, given as pairs.
func get(t *testing.T, s *harness.Server, path string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	status, header, body, err := s.Do(req)
	if err != nil {
		t.Fatalf("GET %s: %v\n%s", path, err, s.Log())
	}
	return answer{status, header, strings.TrimSpace(string(body))}
}

// wantRow reads one row and compares it.
func wantRow(t *testing.T, s *harness.Server, path, want string) {
	t.Helper()
	if a := get(t, s, path); a.status != 200 || a.body != want || a.header.Get("Leat-Position") == "" {
		t.Errorf("GET %s: %d %s, want %s", path, a.status, a.body, want)
	}
}

// wantProblem reads a path that must fail with a code, and with words in what it says.
func wantProblem(t *testing.T, s *harness.Server, path string, status int, words ...string) {
	t.Helper()
	a := get(t, s, path)
	for _, w := range words {
		if !strings.Contains(a.body, w) {
			t.Errorf("GET %s: %s lacks %q", path, a.body, w)
		}
	}
	if a.status != status {
		t.Errorf("GET %s: %d %s, want %d", path, a.status, a.body, status)
	}
}

func TestRowsOfAViewByKey(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM orders (customer VARCHAR, "País" VARCHAR, amount BIGINT)`)
	s.SQL(`CREATE MATERIALIZED VIEW totals AS SELECT customer, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY customer`)
	s.SQL(`CREATE MATERIALIZED VIEW places AS SELECT "País", customer, max(amount) AS top FROM orders GROUP BY "País", customer`)
	s.SQL(`CREATE MATERIALIZED VIEW everything AS SELECT count(*) AS orders FROM orders`)
	s.SQL(`CREATE MATERIALIZED VIEW amounts AS SELECT amount FROM orders`)
	s.SQL(`CREATE TABLE held (customer VARCHAR, n BIGINT, PRIMARY KEY (customer)); CREATE MATERIALIZED VIEW numbers AS SELECT n FROM held`)
	s.SQL(`CREATE VIEW plain AS SELECT * FROM totals`)
	odd := []string{"a/b", "..", ".", "50% off?#x", "ü 💧", "+1&2=3", `say "hi"`, "a//b", " ", "null"}
	lines := `{"customer":null,"País":"DE","amount":7}` + "\n" + `{"customer":"","País":null,"amount":8}` + "\n"
	for i, key := range odd {
		lines += fmt.Sprintf("{\"customer\":%s,\"País\":\"ES\",\"amount\":%d}\n", strconv.Quote(key), i)
	}
	s.Send("orders", lines)

	check := func(t *testing.T) {
		for i, key := range odd {
			want := fmt.Sprintf(`{"customer":%s,"orders":1,"amount":"%d"}`, strconv.Quote(key), i)
			wantRow(t, s, "/v1/views/totals/rows/"+escaped(key), want)
			wantRow(t, s, "/v1/views/totals/rows?customer="+url.QueryEscape(key), want)
		}
		wantRow(t, s, "/v1/views/totals/rows?customer.null", `{"customer":null,"orders":1,"amount":"7"}`)
		wantRow(t, s, "/v1/views/totals/rows?CUSTOMER=", `{"customer":"","orders":1,"amount":"8"}`)
		wantRow(t, s, "/v1/views/places/rows?customer=a%2Fb&Pa%C3%ADs=ES", `{"País":"ES","customer":"a/b","top":0}`)
		wantRow(t, s, "/v1/views/places/rows?customer=&Pa%C3%ADs.null=", `{"País":null,"customer":"","top":8}`)
		if a := get(t, s, "/v1/views/places/rows?Pa%C3%ADs=ES&format=ndjson"); a.status != 200 || strings.Count(a.body, "\n") != len(odd)-1 {
			t.Errorf("the rows of a prefix: %d %s", a.status, a.body)
		}
		if a := get(t, s, "/v1/views/everything/rows?format=ndjson"); a.body != `{"orders":12}` {
			t.Errorf("a view of one row: %d %s", a.status, a.body)
		}
		if got := s.SQL("SELECT count(*) AS n, sum(orders) AS orders FROM plain"); got != `{"n":12,"orders":"12"}` {
			t.Errorf("by SQL: %s", got)
		}
	}
	check(t)
	wantProblem(t, s, "/v1/views/totals/rows/nobody", 404, "has no row with that key")
	wantProblem(t, s, "/v1/views/totals/rows?orders=1", 400, "(customer)", "SELECT * FROM totals")
	wantProblem(t, s, "/v1/views/totals/rows?customer=x&orders=1", 400, "CREATE INDEX ON totals (customer, orders)")
	wantProblem(t, s, "/v1/views/totals/rows?what=1", 400, "no column")
	wantProblem(t, s, "/v1/views/places/rows?customer=x", 400, `(\"País\", customer)`)
	wantProblem(t, s, "/v1/views/places/rows/ES", 400, "one value")
	wantProblem(t, s, "/v1/views/everything/rows/1", 400, "it has one row")
	wantProblem(t, s, "/v1/views/amounts/rows/1", 400, "have no key", "SELECT * FROM amounts")
	wantProblem(t, s, "/v1/views/amounts/rows?amount=1", 400, "have no key")
	wantProblem(t, s, "/v1/views/numbers/rows/1", 400, "the path has one value")
	wantProblem(t, s, "/v1/views/numbers/rows?n=x", 400, "column n is BIGINT")
	wantProblem(t, s, "/v1/views/numbers/rows?n=1.5", 400, "column n is BIGINT")
	wantProblem(t, s, "/v1/views/totals/rows?customer.null=x", 400, "takes no value")
	wantProblem(t, s, "/v1/views/totals/rows?_cursor=x", 400, "_cursor")
	wantProblem(t, s, "/v1/views/plain/rows", 400, "no materialized view")
	wantProblem(t, s, "/v1/views/orders/rows", 400, "no materialized view")
	wantProblem(t, s, "/v1/views/nothing/rows", 404, "there is no materialized view")

	s.Stop()
	s = harness.Start(t, s.Data)
	t.Run("after a restart", check)
	s.SQL(`CREATE OR REPLACE MATERIALIZED VIEW everything AS SELECT count(*) + 100 AS orders FROM orders`)
	eventually(t, func() string {
		return expect(get(t, s, "/v1/views/everything/rows?format=ndjson").body, `{"orders":112}`)
	})
	s.SQL(`DROP VIEW places`)
	wantProblem(t, s, "/v1/views/places/rows", 404)
	if status, body := s.Post("/v1/sql", "application/sql", "SELECT * FROM places"); status != 404 && status != 400 {
		t.Errorf("a dropped view: %d %s", status, body)
	}
}

// escaped percent-encodes a path segment, dots too: a client would take them for steps.
func escaped(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), ".", "%2E")
}

// eventually calls f until it has nothing to say.
func eventually(t *testing.T, f func() string) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if last = f(); last == "" {
			return
		}
	}
	t.Fatal(last)
}

func expect(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %s, want %s", got, want)
}

func TestKeysOfEveryType(t *testing.T) {
	s := harness.Start(t, "")
	for _, c := range []struct{ kind, literal, key, shown, bad string }{
		{"TINYINT", "-5", "-5", "-5", "200"},
		{"UINTEGER", "4000000000", "4000000000", "4000000000", "-1"},
		{"BIGINT", "9007199254740993", "9007199254740993", "9007199254740993", "1.5"},
		{"UBIGINT", "18446744073709551615", "18446744073709551615", "18446744073709551615", "-1"},
		{"HUGEINT", "170141183460469231731687303715884105727", "170141183460469231731687303715884105727", `"170141183460469231731687303715884105727"`, "x"},
		{"DECIMAL(10,2)", "12.5", "12.50", `"12.50"`, "12.505"},
		{"DOUBLE", "-0.0::DOUBLE", "0", "", "zero"},
		{"DOUBLE", "'nan'::DOUBLE", "NaN", `"NaN"`, "zero"},
		{"BOOLEAN", "true", "true", "true", "maybe"},
		{"DATE", "DATE '2024-02-29'", "2024-02-29", `"2024-02-29"`, "2023-02-29"},
		{"TIMESTAMP", "TIMESTAMP '2024-02-29 10:00:00.5'", "2024-02-29T10:00:00.5", `"2024-02-29T10:00:00.500000"`, "today"},
		{"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ '2024-02-29 10:00:00+02'", "2024-02-29T08:00:00Z", `"2024-02-29T08:00:00.000000Z"`, "today"},
		{"UUID", "'6ccd780c-baba-1026-9564-5b8c656024db'::UUID", "6CCD780C-baba-1026-9564-5b8c656024db", `"6ccd780c-baba-1026-9564-5b8c656024db"`, "6ccd"},
	} {
		s.SQL("CREATE STREAM s (k " + c.kind + "); CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n FROM s GROUP BY k")
		s.SQL("INSERT INTO s VALUES (" + c.literal + ")")
		a := get(t, s, "/v1/views/v/rows/"+escaped(c.key))
		if want := `{"k":` + c.shown + `,"n":1}`; a.status != 200 || c.shown != "" && a.body != want {
			t.Errorf("%s: %d %s, want %s", c.kind, a.status, a.body, want)
		}
		wantProblem(t, s, "/v1/views/v/rows/"+c.bad, 400, "column k is "+c.kind)
		s.SQL("DROP VIEW v; DROP STREAM s")
	}
}

func TestPagesOfAView(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM s (g BIGINT, k BIGINT); CREATE MATERIALIZED VIEW v AS SELECT g, k, count(*) AS n FROM s GROUP BY g, k; CREATE MATERIALIZED VIEW log AS SELECT k FROM s; CREATE MATERIALIZED VIEW copies AS SELECT g FROM v")
	s.SQL("INSERT INTO s SELECT i % 3, i FROM range(1000) t(i)")
	pages := func(path string) (lines []string) {
		for n := 0; path != ""; n++ {
			a := get(t, s, path)
			if a.status != 200 || n > 400 {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			lines = append(lines, strings.Split(a.body, "\n")...)
			link := a.header.Get("Link")
			if (link == "") != (a.header.Get("Leat-Cursor") == "") {
				t.Fatalf("headers %v", a.header)
			}
			path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		}
		return lines
	}
	for path, query := range map[string]string{
		"/v1/views/v/rows?format=ndjson&_limit=7":          "SELECT * FROM v ORDER BY g, k",
		"/v1/views/v/rows?format=ndjson":                   "SELECT * FROM v ORDER BY g, k",
		"/v1/views/v/rows?g=1&_limit=100&format=ndjson":    "SELECT * FROM v WHERE g = 1 ORDER BY k",
		"/v1/views/copies/rows?_limit=19&format=ndjson":    "SELECT * FROM copies ORDER BY g",
		"/v1/views/copies/rows?g=2&_limit=9&format=ndjson": "SELECT * FROM copies WHERE g = 2",
		"/v1/views/log/rows?_limit=37&format=ndjson":       "SELECT * FROM log",
	} {
		if got, want := strings.Join(pages(path), "\n"), s.SQL(query); got != want {
			t.Errorf("%s: got\n%.300s\nwant\n%.300s", path, got, want)
		}
	}
	first := get(t, s, "/v1/views/v/rows?g=1&_limit=2")
	wantProblem(t, s, "/v1/views/v/rows?g=2&_limit=2&_cursor="+first.header.Get("Leat-Cursor"), 400, "_cursor")
	if !strings.Contains(first.body, `"truncated":true`) {
		t.Errorf("a page that is cut: %s", first.body)
	}
}

func TestReadersWaitForViews(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM s (k VARCHAR, n BIGINT); CREATE TABLE t (id BIGINT, x VARCHAR, PRIMARY KEY (id));
CREATE MATERIALIZED VIEW v AS SELECT k, sum(n) AS n FROM s GROUP BY k; CREATE MATERIALIZED VIEW w AS SELECT sum(n) AS n FROM v;
CREATE MATERIALIZED VIEW named AS SELECT x, count(*) AS n FROM t GROUP BY x; CREATE VIEW plain AS SELECT * FROM w; CREATE ENDPOINT e AS SELECT n FROM plain`)
	for i := 1; i <= 20; i++ {
		s.SQL("INSERT INTO s VALUES ('a', 1)")
		want := fmt.Sprintf(`{"n":"%d"}`, i)
		for _, q := range []string{"SELECT n FROM v WHERE k = 'a'", "SELECT n FROM w", "SELECT n FROM plain"} {
			if got := s.SQL(q); got != want {
				t.Fatalf("%s after INSERT %d: %s", q, i, got)
			}
		}
		s.SQL(fmt.Sprintf("INSERT INTO t VALUES (1, 'x%d')", i))
		if got := s.SQL("SELECT t.x, named.n FROM t JOIN named USING (x)"); got != fmt.Sprintf(`{"x":"x%d","n":1}`, i) {
			t.Fatalf("the table after INSERT %d: %s", i, got)
		}
	}
	s.SQL("DELETE FROM t WHERE id = 1")
	if got := s.SQL("SELECT (SELECT count(*) FROM t) AS t, (SELECT count(*) FROM named) AS n"); got != `{"t":0,"n":0}` {
		t.Errorf("after DELETE: %s", got)
	}
	for i := 21; i <= 40; i++ {
		_, body := s.Post("/v1/events/s", "application/x-ndjson", `{"k":"a","n":1}`)
		var sent struct{ Position string }
		if err := json.Unmarshal([]byte(body), &sent); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"n":"%d"}`, i)
		if a := get(t, s, "/v1/endpoints/e?format=ndjson", "Leat-After", sent.Position); a.body != want {
			t.Fatalf("the endpoint after %s: %d %s", want, a.status, a.body)
		}
		if a := get(t, s, "/v1/views/v/rows/a", "Leat-After", sent.Position); a.body != fmt.Sprintf(`{"k":"a","n":"%d"}`, i) {
			t.Fatalf("the view after %s: %d %s", want, a.status, a.body)
		}
		put := put(t, s, "/v1/tables/t/rows/7", fmt.Sprintf(`{"x":"%d"}`, i))
		if a := get(t, s, "/v1/tables/t/rows/7", "Leat-After", put); a.body != fmt.Sprintf(`{"id":7,"x":"%d"}`, i) || a.header.Get("Leat-Position") == "" {
			t.Fatalf("the table after PUT %d: %d %s", i, a.status, a.body)
		}
	}
	// A position that does not exist fails at once.
	other := harness.Start(t, "")
	foreign := fmt.Sprint(other.Send("s", `{"k":"a","n":1}`)["position"])
	if a := get(t, s, "/v1/views/v/rows/a", "Leat-After", foreign); a.status != 409 {
		t.Errorf("a position of another log: %d %s", a.status, a.body)
	}
}

// put writes a row of a table and returns its position.
func put(t *testing.T, s *harness.Server, path, body string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	status, header, answer, err := s.Do(req)
	if err != nil || status != 200 {
		t.Fatalf("PUT %s: %d %s %v", path, status, answer, err)
	}
	return header.Get("Leat-Position")
}

// A query that reads several views of a pipeline, or one twice, sees one moment of them, whatever is written meanwhile.
func TestAQuerySeesOneMomentOfViews(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM s (k BIGINT, n BIGINT);
CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS c, sum(n) AS n FROM s GROUP BY k;
CREATE MATERIALIZED VIEW w AS SELECT sum(c) AS c, sum(n) AS n, count(*) AS ks FROM v`)
	s.SQL("INSERT INTO s VALUES (0, 0)")
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() {
		for i := 0; !stop.Load(); i++ {
			var b bytes.Buffer
			for j := range 50 {
				fmt.Fprintf(&b, "{\"k\":%d,\"n\":%d}\n", (i*7+j)%5000, j)
			}
			resp, err := http.Post(s.URL+"/v1/events/s", "application/x-ndjson", &b)
			if err != nil {
				done <- err
				return
			}
			resp.Body.Close()
		}
		done <- nil
	}()
	seen := map[string]bool{}
	for until := time.Now().Add(4 * time.Second); time.Now().Before(until); {
		got := s.SQL(`SELECT a.c = w.c AND a.n = w.n AND a.ks = w.ks AND b.c = w.c AS same, w.c
FROM (SELECT sum(c) AS c, sum(n) AS n, count(*) AS ks FROM v) a, w, (SELECT sum(v.c) AS c FROM v) b`)
		if !strings.HasPrefix(got, `{"same":true`) {
			t.Fatalf("got %s", got)
		}
		seen[got] = true
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(seen) < 5 {
		t.Errorf("only %d moments were seen: the test shows little", len(seen))
	}
}

func TestViewsAreShown(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM s (k VARCHAR, n BIGINT); CREATE MATERIALIZED VIEW v AS SELECT k, n // 0 AS x, count(*) AS c FROM s GROUP BY k, n // 0; CREATE VIEW p AS SELECT * FROM v")
	s.Send("s", `{"k":"a","n":1}`)
	if got := s.SQL("SELECT name, kind, state, rows, lag, failed, late FROM leat_system.views ORDER BY name"); got != `{"name":"p","kind":"view","state":null,"rows":null,"lag":null,"failed":null,"late":null}
{"name":"v","kind":"materialized view","state":"live","rows":1,"lag":0,"failed":0,"late":0}` {
		t.Errorf("leat_system.views: %s", got)
	}
	var r struct {
		Kind, State string
		Key         []string
		Columns     []struct{ Name, Type string }
		Rows, Bytes int64
	}
	a := get(t, s, "/v1/streams/v")
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		t.Fatal(err)
	}
	if r.Kind != "materialized view" || r.State != "live" || fmt.Sprint(r.Key) != "[k x]" || fmt.Sprint(r.Columns) != "[{k VARCHAR} {x BIGINT} {c BIGINT}]" || r.Rows != 1 {
		t.Errorf("GET /v1/streams/v: %s", a.body)
	}
	if out, _, code := s.CLI("", "status", "--format", "table"); code != 0 || !strings.Contains(out, "materialized  1 live\n") {
		t.Errorf("leat status: %d\n%s", code, out)
	}
	if out, _, code := s.CLI("", "streams", "--format", "ndjson"); code != 0 || !strings.Contains(out, `"name":"v","kind":"materialized view"`) {
		t.Errorf("leat streams: %d\n%s", code, out)
	}
	if _, text := s.Get("/metrics"); !strings.Contains(text, `leat_view_rows{view="v"} 1`) || !strings.Contains(text, `leat_view_live{view="v"} 1`) {
		t.Errorf("the metrics lack the view:\n%s", text)
	}
}

// The log is trimmed only below what views have durably; a view that is made later reads what the log no longer has from the store.
func TestViewsOverATrimmedLog(t *testing.T) {
	s := harness.Start(t, "", "--log-keep", "1MiB")
	s.SQL("CREATE STREAM s (k BIGINT, pad VARCHAR); CREATE MATERIALIZED VIEW early AS SELECT k, count(*) AS n FROM s GROUP BY k")
	logged := func() int64 {
		var r struct{ Bytes int64 }
		if err := json.Unmarshal([]byte(get(t, s, "/v1/streams/s").body), &r); err != nil {
			t.Fatal(err)
		}
		return r.Bytes
	}
	for range 10 {
		s.SQL("INSERT INTO s SELECT i % 1000, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) || uuid() FROM range(20000) t(i)")
	}
	before := logged()
	deadline := time.Now().Add(90 * time.Second)
	for logged() > before/2 {
		if time.Now().After(deadline) {
			t.Fatalf("the log was not trimmed: %d bytes, %d at first", logged(), before)
		}
		s.SQL("INSERT INTO s SELECT 1, uuid() FROM range(10)")
		time.Sleep(200 * time.Millisecond)
	}
	s.SQL("CREATE MATERIALIZED VIEW late AS SELECT k, count(*) AS n FROM s GROUP BY k")
	check := func(s *harness.Server) {
		t.Helper()
		eventually(t, func() string {
			return expect(s.SQL("SELECT count(*) AS differences FROM (FROM late EXCEPT FROM early UNION ALL FROM early EXCEPT FROM late UNION ALL FROM early EXCEPT SELECT k, count(*) FROM s GROUP BY k)"),
				`{"differences":0}`)
		})
	}
	check(s)
	s.Kill()
	s = harness.Start(t, s.Data, "--log-keep", "1MiB")
	check(s)
	s.SQL("INSERT INTO s VALUES (5000, 'x')")
	check(s)
	if got := s.SQL("SELECT n FROM late WHERE k = 5000"); got != `{"n":1}` {
		t.Errorf("after a restart: %s", got)
	}
}
