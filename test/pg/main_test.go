// Package pg runs real clients of PostgreSQL against the real binary.
package pg

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"leat/test/harness"
	"leat/test/services"
)

func TestMain(m *testing.M) {
	if _, err := harness.Binary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// data is what the clients find: a stream with a column of each common type, and a view by key.
const data = `CREATE STREAM s (k INTEGER, v DOUBLE, t VARCHAR, ts TIMESTAMP);
CREATE TABLE kv (id BIGINT PRIMARY KEY, name VARCHAR, tags VARCHAR[], raw BLOB, ok BOOLEAN, price DECIMAL(10,2));
CREATE MATERIALIZED VIEW by_k AS SELECT k, count(*) AS n, sum(v) AS total FROM s GROUP BY k;
CREATE ENDPOINT one (key INTEGER) AS SELECT k, n FROM by_k WHERE k = $key;`

// start runs a server with the data.
func start(t *testing.T, flags ...string) *harness.Server {
	t.Helper()
	s := harness.Start(t, "", flags...)
	s.SQL(data)
	s.SQL("INSERT INTO s VALUES (1, 2.5, 'hello', '2024-01-01 10:00:00'), (2, NULL, '', NULL)")
	return s
}

// address is host and port of the protocol.
func address(t *testing.T, s *harness.Server) (host, port string) {
	t.Helper()
	host, port, ok := strings.Cut(s.PG, ":")
	if !ok {
		t.Fatalf("the address is %q", s.PG)
	}
	return host, port
}

// client runs a program with the server's address in its environment and returns what it printed.
func client(t *testing.T, s *harness.Server, env []string, name string, args ...string) (string, error) {
	t.Helper()
	host, port := address(t, s)
	cmd := exec.Command(name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(harness.CleanEnv(), "PGHOST="+host, "PGPORT="+port, "PGUSER=leat", "PGDATABASE=leat", "PGCONNECT_TIMEOUT=30", "PGSSLMODE=prefer", "LC_ALL=C.UTF-8")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// psql runs commands of psql, without its own settings and without alignment.
func psql(t *testing.T, s *harness.Server, env []string, commands ...string) (string, error) {
	t.Helper()
	args := []string{"-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return client(t, s, env, services.Command(t, "psql", "postgresql-client"), args...)
}

// must is psql that succeeds.
func must(t *testing.T, s *harness.Server, commands ...string) string {
	t.Helper()
	out, err := psql(t, s, nil, commands...)
	if err != nil {
		t.Fatalf("psql %q: %v\n%s\n%s", commands, err, out, s.Log())
	}
	return strings.TrimSpace(out)
}

// script runs a program of testdata in Python.
func script(t *testing.T, s *harness.Server, python, name string) {
	t.Helper()
	out, err := client(t, s, nil, python, filepath.Join(harness.Root(), "test", "pg", "testdata", name))
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", name, err, out, s.Log())
	}
}

// request sends a request with a token, if one is given.
func request(t *testing.T, s *harness.Server, method, path, token, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	status, _, answer, err := s.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// tokenOf makes an admin token by the right of another; the first needs none.
func tokenOf(t *testing.T, s *harness.Server, by string) (id, text string) {
	t.Helper()
	status, body := request(t, s, http.MethodPost, "/v1/tokens", by, `{"name":"test","scopes":["admin"]}`)
	var made struct{ ID, Token string }
	if err := json.Unmarshal(body, &made); err != nil || status/100 != 2 || made.Token == "" {
		t.Fatalf("a token: %d %s %v", status, body, err)
	}
	return made.ID, made.Token
}
