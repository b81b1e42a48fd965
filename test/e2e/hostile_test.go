package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"leat/test/harness"
)

// TestDeafQueries sends statements that DuckDB would run for minutes without looking for an interrupt: each must be answered at once.
func TestDeafQueries(t *testing.T) {
	s := harness.Start(t, "", "--query-timeout", "3s", "--memory", "300MiB", "--spill", "64MiB")
	s.Send("e", `{"a":1,"s":"xxxxxxxx"}`)
	for _, text := range []string{
		"SELECT length(repeat(s, a * 1000000000)) FROM e",
		"SELECT repeat('x', 1000000) AS a, a||a AS b, b||b AS c, c||c AS d, d||d AS e, e||e AS f, f||f AS g",
		"SELECT '" + strings.Repeat("a", 100) + "' GLOB '" + strings.Repeat("*a", 50) + "b'",
		"SELECT '" + strings.Repeat("a", 100) + "' LIKE '" + strings.Repeat("%a_", 12) + "b'",
		"SELECT json_extract('" + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + "', '$" + strings.Repeat("..*", 20) + "')",
		"SELECT map(range(500000), range(500000))",
		"SELECT " + strings.Repeat("len(range(1000000)), ", 3000) + "1",
		"SELECT count(*) FROM e " + strings.Repeat("NATURAL JOIN e ", 200),
	} {
		start := time.Now()
		if status, got := s.Post("/v1/sql", "application/sql", text); status != http.StatusBadRequest || !strings.Contains(got, "query_too_complex") {
			t.Errorf("%.80s: %d %.300s", text, status, got)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%.80s took %s", text, took)
		}
	}
	if got := s.SQL("SELECT a FROM e"); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

// TestColumnsOfManyClients lets 16 clients add columns at once, each its own and all a common one: every record is a row, every
// column is there once.
func TestColumnsOfManyClients(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"id":-1}`)
	const clients, rounds = 16, 4
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range rounds {
				body := fmt.Sprintf(`{"id":%d,"own_%d_%d":1}`+"\n"+`{"id":%d,"common_%d":1}`, c*1000+i, c, i, c*1000+i+500, i)
				status, got := s.Post("/v1/events/e?wait=visible", "application/x-ndjson", body)
				if status != http.StatusOK || !strings.Contains(got, `"accepted":2`) {
					t.Errorf("client %d: %d %s", c, status, got)
				}
			}
		})
	}
	wg.Wait()
	if got, want := s.SQL("SELECT count(*) AS n, count(DISTINCT id) AS d FROM e"), fmt.Sprintf(`{"n":%[1]d,"d":%[1]d}`, 1+2*clients*rounds); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	seen := map[string]bool{}
	for _, line := range strings.Split(s.SQL("DESCRIBE e"), "\n") {
		var column struct{ Column string }
		if err := json.Unmarshal([]byte(line), &column); err != nil {
			t.Fatal(err)
		}
		if seen[column.Column] {
			t.Errorf("column %s is there twice", column.Column)
		}
		seen[column.Column] = true
	}
	if want := 1 + clients*rounds + rounds; len(seen) != want {
		t.Errorf("%d columns, want %d", len(seen), want)
	}
}

// TestEdgesOfTypesComeBackExact sends the edges of types through log and store and compares what SQL prints.
func TestEdgesOfTypesComeBackExact(t *testing.T) {
	s := harness.Start(t, "")
	for i, c := range []struct {
		typ, value, want string
	}{
		{"BIGINT", "-9223372036854775808", ""},
		{"UBIGINT", "18446744073709551615", ""},
		{"HUGEINT", "-170141183460469231731687303715884105728", `"-170141183460469231731687303715884105728"`},
		{"DECIMAL(38,10)", "-9999999999999999999999999999.9999999999", `"-9999999999999999999999999999.9999999999"`},
		{"DOUBLE", "5e-324", ""},
		{"DOUBLE", `"NaN"`, ""},
		{"DATE", `"9999-12-31"`, ""},
		{"TIMESTAMP", `"9999-12-31T23:59:59.999999"`, ""},
		{"TIMESTAMPTZ", `"2024-03-31T02:30:00+14:00"`, `"2024-03-30T12:30:00.000000Z"`},
		{"BLOB", `"AAECAw=="`, ""},
		{"STRUCT(a INTEGER, b VARCHAR[])", `{"a":1,"b":["x",null]}`, ""},
		{"MAP(VARCHAR, BIGINT)", `{"k":9223372036854775807}`, ""},
		{"JSON", `{"a":12345678901234567890.123456789}`, ""},
	} {
		name := fmt.Sprintf("t%d", i)
		s.SQL(fmt.Sprintf("CREATE STREAM %s (v %s)", name, c.typ))
		s.Send(name, `{"v":`+c.value+`}`)
		if c.want == "" {
			c.want = c.value
		}
		if got := s.SQL("SELECT v FROM " + name); got != `{"v":`+c.want+`}` {
			t.Errorf("%s: got %s, want %s", c.typ, got, c.want)
		}
	}
}

// TestBodiesThatLie sends bodies whose framing is not what it says: nothing of them may be stored.
func TestBodiesThatLie(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"a":1}`)
	for name, request := range map[string]string{
		"a chunk longer than it says": "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\":2}\r\n0\r\n\r\n",
		"a chunk of endless length":   "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{\"a\":2}\r\n0\r\n\r\n",
		"a negative chunk":            "Transfer-Encoding: chunked\r\n\r\n-1\r\n{\"a\":2}\r\n0\r\n\r\n",
		"two lengths":                 "Content-Length: 7\r\nContent-Length: 8\r\n\r\n{\"a\":2}",
		"a negative length":           "Content-Length: -1\r\n\r\n{\"a\":2}",
		"another encoding":            "Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\n{\"a\":2}",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "POST /v1/events/e HTTP/1.1\r\nHost: localhost\r\n%s", request)
		answer := make([]byte, 12)
		if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 400" {
			t.Errorf("%s: %q %v", name, answer, err)
		}
		conn.Close()
	}
	s.Send("e", `{"a":3}`)
	if got := s.SQL("SELECT sum(a) AS n FROM e"); got != `{"n":"4"}` {
		t.Errorf("got %s", got)
	}
}
