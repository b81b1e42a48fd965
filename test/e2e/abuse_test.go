package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"leat/test/harness"
)

// TestBadRecords sends records that can't be used beside one that can: the good one is in SQL, the others are dead letters.
func TestBadRecords(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM e (i BIGINT, d DOUBLE, s VARCHAR)")
	for name, record := range map[string]string{
		"truncated":            `{"i":1,"s":"x`,
		"not an object":        ` "x"`,
		"a word":               `hello`,
		"NUL byte":             "{\"i\":1,\"s\":\"a\x00b\"}",
		"invalid UTF-8":        "{\"s\":\"\xff\xfe\"}",
		"1e400":                `{"d":1e400}`,
		"2^63":                 `{"i":9223372036854775808}`,
		"2^53+1 into a DOUBLE": `{"d":9007199254740993}`,
		"nesting bomb":         `{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
		"lone surrogate":       `{"s":"\ud800"}`,
	} {
		status, got := s.Post("/v1/events/e", "application/x-ndjson", record+"\n"+`{"i":7}`+"\n")
		if status != http.StatusOK || !strings.Contains(got, `"accepted":1`) || !strings.Contains(got, `"dead_letters":1`) {
			t.Errorf("%s: %d %.300s", name, status, got)
		}
	}
	status, got := s.Post("/v1/events/e?strict=true", "application/x-ndjson", `{"i":"x"}`+"\n"+`{"i":7}`)
	if status != http.StatusBadRequest || !strings.Contains(got, "$.i") {
		t.Errorf("strict: %d %s", status, got)
	}
	s.Send("e", `{"i":9223372036854775807,"d":9007199254740992,"s":"end"}`)
	if got, want := s.SQL("SELECT count(*) AS n, max(i) AS m FROM e"), `{"n":11,"m":9223372036854775807}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCSV(t *testing.T) {
	s := harness.Start(t, "")
	status, got := s.Post("/v1/events/c?wait=visible", "text/csv", "a,b\n1,x\n2\n3,\"y\nz\"\n4,p,q\n")
	if status != http.StatusOK || !strings.Contains(got, `"accepted":2`) || !strings.Contains(got, `"dead_letters":2`) {
		t.Fatalf("%d %s", status, got)
	}
	if got := s.SQL("SELECT a, b FROM c ORDER BY a"); got != "{\"a\":1,\"b\":\"x\"}\n{\"a\":3,\"b\":\"y\\nz\"}" {
		t.Errorf("got %s", got)
	}
}

func TestALineOf100MBIsRefused(t *testing.T) {
	s := harness.Start(t, "")
	body := `{"a":"` + strings.Repeat("x", 100<<20) + `"}`
	req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/events/e", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if status, _, got, err := s.Do(req); err == nil && status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", status, got)
	}
	s.Send("e", `{"a":"still here"}`)
}

func TestCompressionBombs(t *testing.T) {
	s := harness.Start(t, "")
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := io.CopyN(z, zeros{}, 1<<30); err != nil {
		t.Fatal(err)
	}
	z.Close()
	var zs bytes.Buffer
	e, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(e, zeros{}, 1<<30); err != nil {
		t.Fatal(err)
	}
	e.Close()
	for encoding, body := range map[string][]byte{"gzip": gz.Bytes(), "zstd": zs.Bytes()} {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/events/e", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Encoding", encoding)
		status, _, got, err := s.Do(req)
		if err != nil || status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s %v", encoding, status, got, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestUntrustedSQL sends what must be refused, or must end by its deadline, and then sees the server well.
func TestUntrustedSQL(t *testing.T) {
	s := harness.Start(t, "", "--query-timeout", "3s", "--memory", "300MiB", "--spill", "64MiB")
	s.Send("e", `{"a":1}`)
	for _, text := range []string{
		"SELECT * FROM read_blob('/etc/passwd')",
		"SELECT * FROM read_csv('/etc/passwd')",
		"FROM '/etc/passwd'",
		"SELECT * FROM query('SELECT 1')",
		"SELECT * FROM query_table('e')",
		"SELECT json_execute_serialized_sql('{}')",
		"SELECT enable_logging()",
		"CALL enable_logging()",
		"SELECT * FROM duckdb_settings()",
		"SELECT getenv('HOME')",
		"SELECT sleep_ms(100000)",
		"SELECT len(list_sort(range(10000000)))",
		"SELECT repeat('x', 1000000000)",
		"WITH a AS NOT MATERIALIZED (SELECT 1) SELECT * FROM a",
		"COPY e TO '/tmp/x'",
		"ATTACH '/tmp/x.db'",
		"INSTALL httpfs",
		"SET threads = 1",
		"PRAGMA database_list",
		"SELECT 1; SELECT 2; DROP STREAM e; SELECT",
		"SELECT * FROM leat.s_100",
		"SELECT * FROM information_schema.tables",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
		"SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000000) c",
		"SELECT list(a.range) FROM range(1000000) a, range(100000) b",
		"SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 101),
	} {
		start := time.Now()
		status, got := s.Post("/v1/sql", "application/sql", text)
		if status < 400 || status == http.StatusInternalServerError {
			t.Errorf("%.100s: %d %.300s", text, status, got)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%.100s took %s", text, took)
		}
	}
	if got := s.SQL("SELECT a FROM e"); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

func TestNames(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"user id":1,"select":2,"Größe":3,"q\"uote":4,"userId":5,"userid":6}`)
	if got, want := s.SQL(`SELECT "user id", "select", "Größe", "q""uote" AS q FROM e`), `{"user id":1,"select":2,"Größe":3,"q":4}`; got != want {
		t.Errorf("got %s", got)
	}
	if got := s.SQL(`SELECT userid + userid_2 AS n FROM e`); got != `{"n":11}` {
		t.Errorf("got %s", got)
	}
	for _, name := range []string{"a-b", "_leat_x", "1a", "a;DROP", strings.Repeat("a", 64), "ü"} {
		status, got := s.Post("/v1/events/"+name, "application/json", `{"a":1}`)
		if status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", name, status, got)
		}
	}
}

func TestHostsAndOrigins(t *testing.T) {
	s := harness.Start(t, "")
	foreign, err := http.NewRequest(http.MethodGet, s.URL+"/v1/sql?q=SELECT+1", nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Host = "evil.example"
	if status, _, _, err := s.Do(foreign); err != nil || status != http.StatusMisdirectedRequest {
		t.Errorf("foreign host: %d %v", status, err)
	}
	cross, err := http.NewRequest(http.MethodPost, s.URL+"/v1/sql", strings.NewReader("CREATE STREAM x (a INT)"))
	if err != nil {
		t.Fatal(err)
	}
	cross.Header.Set("Content-Type", "text/plain")
	cross.Header.Set("Sec-Fetch-Site", "cross-site")
	cross.Header.Set("Origin", "https://evil.example")
	if status, _, _, err := s.Do(cross); err != nil || status != http.StatusForbidden {
		t.Errorf("cross-site post: %d %v", status, err)
	}
	if status, got := s.Get("/v1/sql?q=" + "CREATE+STREAM+x+(a+INT)"); status != http.StatusBadRequest && status != http.StatusMethodNotAllowed {
		t.Errorf("GET with DDL: %d %s", status, got)
	}
	if _, err := harness.Launch(t, "", "--listen", "0.0.0.0:0"); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("a server without tokens listens on every address: %v", err)
	}
}

func TestAClientThatGoesHalfWayLeavesNothing(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"a":1}`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v1/events/e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"a\":2}\n{\"a\":")
	conn.Close()
	s.Send("e", `{"a":3}`)
	if got := s.SQL("SELECT sum(a) AS n FROM e"); got != `{"n":"4"}` {
		t.Errorf("got %s", got)
	}
}

func TestAFullDiskIsSaid(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=192m"); err != nil {
		t.Skip("a small file system can't be mounted here: ", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	s := harness.Start(t, filepath.Join(dir, "data"), "--min-free", "64MiB")
	accepted := 0
	body := strings.Repeat(fmt.Sprintf(`{"text":"%x"}`+"\n", make([]byte, 100)), 2000)
	for range 2000 {
		// Incompressible enough that the disk fills: the number makes each body another.
		status, got := s.Post("/v1/events/e", "application/x-ndjson", strings.ReplaceAll(body, "0000", fmt.Sprintf("%04x", accepted%65536)))
		if status == http.StatusInsufficientStorage {
			if !strings.Contains(got, "disk") {
				t.Errorf("the answer doesn't name the disk: %s", got)
			}
			break
		}
		if status == http.StatusTooManyRequests {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if status != http.StatusOK {
			t.Fatalf("%d %s\n%s", status, got, s.Log())
		}
		accepted += 2000
		if accepted == 2000 { // fill the disk up to the reserve from outside, as another program would
			var disk syscall.Statfs_t
			if err := syscall.Statfs(dir, &disk); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, int64(disk.Bavail)*disk.Bsize-(70<<20)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if accepted >= 2000*2000 {
		t.Fatal("the disk never filled")
	}
	if err := os.Remove(filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	wait(t, "events are accepted again once there is room", func() bool {
		status, _ := s.Post("/v1/events/e?wait=visible", "application/x-ndjson", `{"text":"last"}`)
		return status == http.StatusOK
	}, s.Log)
	if got, want := s.SQL("SELECT count(*) AS n FROM e"), fmt.Sprintf(`{"n":%d}`, accepted+1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTokens(t *testing.T) {
	s := harness.Start(t, "")
	out, stderr, code := s.CLI("", "token", "create", "--name", "me", "--scope", "admin")
	if code != 0 {
		t.Fatal(stderr)
	}
	admin := strings.TrimSpace(out)
	if status, _ := s.Get("/v1/sql?q=SELECT+1"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	out, stderr, code = s.CLI("", "token", "create", "--token", admin, "--name", "in", "--scope", "append:orders")
	if code != 0 {
		t.Fatal(stderr)
	}
	appender := strings.TrimSpace(out)
	try := func(token, method, path, body string) int {
		req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		status, _, _, err := s.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := try(appender, http.MethodPost, "/v1/events/orders", `{"a":1}`); got != http.StatusForbidden {
		t.Errorf("append without create on a new stream: %d", got)
	}
	if got := try(admin, http.MethodPost, "/v1/events/orders", `{"a":1}`); got != http.StatusOK {
		t.Errorf("admin: %d", got)
	}
	if got := try(appender, http.MethodPost, "/v1/events/orders", `{"a":1}`); got != http.StatusOK {
		t.Errorf("append: %d", got)
	}
	if got := try(appender, http.MethodPost, "/v1/events/other", `{"a":1}`); got != http.StatusForbidden {
		t.Errorf("append to another stream: %d", got)
	}
	if got := try(appender, http.MethodGet, "/v1/sql?q=SELECT+*+FROM+orders", ""); got != http.StatusForbidden {
		t.Errorf("read with append: %d", got)
	}
}
