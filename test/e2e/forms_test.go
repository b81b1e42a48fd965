package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leat/test/harness"
)

// fetch answers a GET with headers.
func fetch(t *testing.T, s *harness.Server, target string, headers ...string) (int, http.Header, string) {
	t.Helper()
	if !strings.HasPrefix(target, "http") {
		target = s.URL + target
	}
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	status, header, body, err := s.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return status, header, string(body)
}

// row is one event with values that are hard to order: NULLs, both zeros, NaN, equal rows, nested values.
func row(r *rand.Rand, id int) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	return fmt.Sprintf(`{"id":%d,"k":%s,"x":%s,"t":%s,"d":%s,"l":%s}`+"\n", id, pick("null", `"a"`, `"b"`, `"é\"'"`, `""`), pick("null", "-1.5", "0.0", "1e300", "0.1"),
		pick("null", `"2024-01-02T03:04:05.000006Z"`, `"1960-01-01T00:00:00Z"`), pick("null", `"2024-01-01"`, `"0001-01-01"`), pick("null", `[]`, `["a,b"]`, `["a","b"]`))
}

// Rows that exist all the while are on exactly one page each, whatever is inserted meanwhile.
func TestPagesUnderInserts(t *testing.T) {
	s := harness.Start(t, "")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	var events strings.Builder
	for i := range 400 {
		events.WriteString(row(r, i/2)) // each ID twice, and some rows twice
	}
	s.SQL("CREATE STREAM ev (id BIGINT, k VARCHAR, x DOUBLE, t TIMESTAMPTZ, d DATE, l VARCHAR[]); CREATE MATERIALIZED VIEW mv AS SELECT k, x, count(*) AS n FROM ev GROUP BY k, x;" +
		"CREATE ENDPOINT unordered (least BIGINT DEFAULT 0) AS SELECT * FROM ev WHERE id >= $least -- a comment at the end" + "\n;" +
		"CREATE ENDPOINT down AS SELECT k, x AS y, t, id FROM ev ORDER BY k DESC NULLS FIRST, 2, t DESC;" +
		"CREATE ENDPOINT dup AS SELECT k, x FROM ev ORDER BY x DESC;" +
		"CREATE ENDPOINT nested AS SELECT l, d, id FROM ev ORDER BY l, d DESC NULLS LAST;" +
		"CREATE ENDPOINT united AS SELECT id, k FROM ev UNION ALL SELECT id, l[1] FROM ev ORDER BY k NULLS FIRST;" +
		"CREATE ENDPOINT alls AS SELECT x, k, id FROM ev ORDER BY ALL DESC;" +
		"CREATE ENDPOINT typed AS SELECT CAST(x / 1e290 AS FLOAT) AS f, CAST(id AS HUGEINT) AS h, CAST(id AS DECIMAL(9,2)) / 4 AS dec, to_days(CAST(id AS INTEGER) % 40) AS iv, encode(k) AS b, {'a': k} AS st, CAST(t AT TIME ZONE 'UTC' AS TIME) AS tm FROM ev ORDER BY iv, b DESC")
	s.Send("ev", events.String())
	next := 1_000_000
	for _, name := range []string{"unordered", "down", "dup", "nested", "united", "alls", "typed"} {
		_, _, all := fetch(t, s, "/v1/endpoints/"+name+"?format=ndjson")
		missing := map[string]int{}
		for _, line := range strings.Split(strings.TrimSpace(all), "\n") {
			missing[line]++
		}
		if name == "dup" || name == "typed" {
			// New rows equal those of before here: without inserts each row must come as often as it is.
			walk(t, s, name, 1+r.IntN(60), missing, nil)
		} else {
			walk(t, s, name, 1+r.IntN(60), missing, func() {
				next++
				s.Send("ev", row(r, next))
			})
		}
		for line, n := range missing {
			if n > 0 || n < 0 && !strings.Contains(line, `"id":1000`) {
				t.Errorf("%s: %d times too few: %s", name, n, line)
			}
		}
	}
}

// walk reads all pages and takes their rows from missing; between is called between pages.
func walk(t *testing.T, s *harness.Server, name string, limit int, missing map[string]int, between func()) {
	t.Helper()
	url := fmt.Sprintf("/v1/endpoints/%s?format=ndjson&_limit=%d&_cursor=", name, limit)
	for page := 0; url != ""; page++ {
		status, header, body := fetch(t, s, url)
		if status != 200 || page > 3000 {
			t.Fatalf("%s: %d %s", url, status, body)
		}
		lines := strings.Split(strings.TrimSpace(body), "\n")
		if len(lines) > limit {
			t.Errorf("%s: %d rows", url, len(lines))
		}
		for _, line := range lines {
			if line != "" {
				missing[line]--
			}
		}
		link := header.Get("Link")
		if (link == "") != (header.Get("Leat-Cursor") == "") {
			t.Errorf("%s: Link %q and Leat-Cursor %q", url, link, header.Get("Leat-Cursor"))
		}
		url, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if between != nil && page%5 == 0 {
			between()
		}
	}
}

func TestCursorsAreSigned(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := harness.Start(t, data)
	s.Send("ev", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
	s.SQL("CREATE ENDPOINT e (a BIGINT DEFAULT 0) AS SELECT n FROM ev WHERE n > $a ORDER BY n; CREATE ENDPOINT other AS SELECT n FROM ev ORDER BY n; CREATE MATERIALIZED VIEW mv AS SELECT n, count(*) AS c FROM ev GROUP BY n;" +
		"CREATE ENDPOINT odd AS SELECT n FROM ev ORDER BY n % 2")
	_, header, _ := fetch(t, s, "/v1/endpoints/e?_limit=1")
	cursor := header.Get("Leat-Cursor")
	_, header, _ = fetch(t, s, "/v1/views/mv/rows?_limit=1")
	rows := header.Get("Leat-Cursor")
	if cursor == "" || rows == "" {
		t.Fatal("there is no cursor")
	}
	changed := []byte(cursor)
	changed[len(changed)/2] ^= 1
	for _, target := range []string{
		"/v1/endpoints/e?a=1&_limit=1&_cursor=" + cursor, "/v1/endpoints/other?_limit=1&_cursor=" + cursor, "/v1/endpoints/e?_limit=1&_cursor=" + string(changed), "/v1/endpoints/e?_cursor=x",
		"/v1/endpoints/e?_cursor=" + rows, "/v1/views/mv/rows?_cursor=" + cursor, "/v1/views/mv/rows?_cursor=" + rows[:len(rows)-2] + "AA", "/v1/endpoints/odd?_cursor=",
	} {
		if status, _, body := fetch(t, s, target); status != 400 || !strings.Contains(body, "_cursor") {
			t.Errorf("%s: %d %s", target, status, body)
		}
	}
	if status, header, body := fetch(t, s, "/v1/endpoints/odd?_limit=1"); status != 200 || header.Get("Leat-Cursor") != "" || !strings.Contains(body, `"truncated":true`) {
		t.Errorf("a limit without an order: %d %s", status, body)
	}
	s.Stop()
	s = harness.Start(t, data)
	for target, want := range map[string]string{"/v1/endpoints/e?_limit=1&format=ndjson&_cursor=" + cursor: `{"n":2}`, "/v1/views/mv/rows?_limit=1&format=ndjson&_cursor=" + rows: `{"n":2,"c":1}`} {
		if _, _, body := fetch(t, s, target); strings.TrimSpace(body) != want {
			t.Errorf("%s after a restart: %s", target, body)
		}
	}
	s.SQL("CREATE OR REPLACE ENDPOINT e (a BIGINT DEFAULT 0) AS SELECT n FROM ev WHERE n >= $a ORDER BY n")
	if status, _, body := fetch(t, s, "/v1/endpoints/e?_limit=1&_cursor="+cursor); status != 400 {
		t.Errorf("of another definition: %d %s", status, body)
	}
}

// A kept answer is what a new run would answer: after each write that is visible, and for each definition.
func TestKeptAnswersAreExact(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE TABLE u (id BIGINT, n BIGINT, PRIMARY KEY (id)); CREATE STREAM ev (n BIGINT); CREATE MATERIALIZED VIEW mv AS SELECT n % 3 AS k, sum(n) AS s FROM ev GROUP BY 1;" +
		"CREATE ENDPOINT stored AS SELECT sum(n) AS s, count(*) AS c FROM ev; CREATE ENDPOINT kept AS SELECT sum(s) AS s FROM mv; CREATE ENDPOINT rowsum AS SELECT sum(n) AS s FROM u;" +
		"CREATE ENDPOINT joined AS SELECT count(*) AS c FROM ev JOIN u ON ev.n = u.n; CREATE ENDPOINT uncached WITH (cache = false) AS SELECT sum(n) AS s FROM ev")
	hits := 0
	for i := range 40 {
		switch i % 4 {
		case 0:
			s.Send("ev", fmt.Sprintf("{\"n\":%d}\n", i))
		case 2:
			s.SQL(fmt.Sprintf("INSERT INTO u VALUES (%d, %d)", i%8, i))
		}
		for _, name := range []string{"stored", "kept", "rowsum", "joined", "uncached"} {
			_, header, got := fetch(t, s, "/v1/endpoints/"+name+"?format=ndjson")
			want := s.SQL(map[string]string{"stored": "SELECT sum(n) AS s, count(*) AS c FROM ev", "kept": "SELECT sum(s) AS s FROM mv", "rowsum": "SELECT sum(n) AS s FROM u",
				"joined": "SELECT count(*) AS c FROM ev JOIN u ON ev.n = u.n", "uncached": "SELECT sum(n) AS s FROM ev"}[name])
			if strings.TrimSpace(got) != want {
				t.Fatalf("step %d, %s (%s): %s, not %s", i, name, header.Get("Leat-Cache"), got, want)
			}
			if header.Get("Leat-Cache") == "hit" {
				hits++
			}
			if name == "uncached" && header.Get("Leat-Cache") != "" {
				t.Errorf("%s: %v", name, header)
			}
			tag := header.Get("ETag")
			if status, _, _ := fetch(t, s, "/v1/endpoints/"+name+"?format=ndjson", "If-None-Match", tag); status != 304 || tag == "" {
				t.Fatalf("step %d, %s: %d with %s", i, name, status, tag)
			}
		}
	}
	if hits < 30 {
		t.Errorf("only %d answers were kept ones", hits)
	}
}

func TestAnswersIncludeWhatWasSent(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM ev (n BIGINT); CREATE MATERIALIZED VIEW mv AS SELECT count(*) AS c, max(n) AS m FROM ev; CREATE ENDPOINT stored AS SELECT max(n) AS m FROM ev; CREATE ENDPOINT kept AS SELECT m FROM mv; CREATE TABLE u (id BIGINT, PRIMARY KEY (id))")
	for i := range 30 {
		status, answer := s.Post("/v1/events/ev", "application/x-ndjson", fmt.Sprintf("{\"n\":%d}\n", i))
		var sent struct{ Position string }
		if err := json.Unmarshal([]byte(answer), &sent); err != nil || status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		for _, target := range []string{"/v1/endpoints/stored?format=ndjson", "/v1/endpoints/kept?format=ndjson", "/v1/sql?format=ndjson&q=SELECT+m+FROM+mv", "/v1/views/mv/rows?format=ndjson"} {
			status, header, body := fetch(t, s, target, "Leat-After", sent.Position)
			if status != 200 || !strings.Contains(body, fmt.Sprintf(`"m":%d}`, i)) || header.Get("Leat-Position") == "" || header.Get("Leat-Lag-Ms") == "" {
				t.Fatalf("%s after event %d: %d %s %v", target, i, status, body, header)
			}
		}
	}
	if status, _, body := fetch(t, s, "/v1/endpoints/kept?_max_staleness=1ms"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := fetch(t, s, "/v1/endpoints/kept", "Leat-After", "AQAAAAAAAAAAAA"); status != 400 {
		t.Errorf("a position that is none: %d %s", status, body)
	}
}

// What people type: curl with its own ideas of headers.
func TestFormsByCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	s := harness.Start(t, "")
	var events strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&events, "{\"n\":%d,\"s\":\"tab\\there, 'quoted' \\\"é\\\"\"}\n", i)
	}
	s.Send("ev", events.String())
	s.SQL("CREATE ENDPOINT e (least BIGINT DEFAULT 0) AS SELECT n, s FROM ev WHERE n >= $least ORDER BY n")
	dir := t.TempDir()
	curl := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("curl", append([]string{"-sS", "--fail-with-body"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	url := s.URL + "/v1/endpoints/e"
	if plain, packed := curl(url+"?format=csv"), curl("--compressed", url+"?format=csv"); plain != packed || strings.Count(plain, "\r\n") != 1001 || !strings.Contains(plain, "0,\"tab\there, 'quoted' \"\"é\"\"\"\r\n") {
		t.Errorf("csv: %d and %d bytes\n%.200s", len(plain), len(packed), plain)
	}
	if got := curl("-H", "Accept: text/tab-separated-values", url+"?least=999"); got != "n\ts\n999\ttab\\there, 'quoted' \"é\"\n" {
		t.Errorf("tsv: %q", got)
	}
	for _, args := range [][]string{{"-d", "least=998"}, {"-d", `{"least": 998}`, "-H", "Content-Type: application/json"}, {"-d", `{"least": "998"}`}, {"-G", "-d", "least=998"}} {
		if got := curl(append(args, url+"?format=ndjson")...); strings.Count(got, "\n") != 2 {
			t.Errorf("%v: %s", args, got)
		}
	}
	head := curl("-I", "--compressed", url)
	for _, want := range []string{"HTTP/1.1 200", "Etag: W/", "Leat-Position: ", "Leat-Lag-Ms: 0", "Cache-Control: private, no-cache"} {
		if !strings.Contains(head, want) {
			t.Errorf("HEAD lacks %s:\n%s", want, head)
		}
	}
	curl("-OJ", url+"?format=parquet")
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || !slices.Equal(files, []string{filepath.Join(dir, "e.parquet")}) {
		t.Errorf("%v %v", files, err)
	}
	if got := curl("-H", "Content-Type: application/sql", s.URL+"/v1/sql?format=JSONEachRow", "--data-binary", "SELECT 1 AS one"); !strings.Contains(got, `{"one":1}`) {
		t.Errorf("JSONEachRow: %s", got)
	}
}
