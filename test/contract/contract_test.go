// Package contract holds the server to its own OpenAPI document: an independent validator reads the document, and schemathesis sends what the
// document allows, and what it doesn't, and compares the answers with it.
package contract

import (
	"fmt"
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

// definitions have every type of a parameter and a column, and each kind of object that the document describes.
const definitions = `
CREATE TABLE users (id BIGINT, name VARCHAR, score DOUBLE, PRIMARY KEY (id));
CREATE TABLE pairs (a VARCHAR, b DATE, v DECIMAL(10,2), PRIMARY KEY (a, b));
CREATE MATERIALIZED VIEW by_k AS SELECT k, count(*) AS c, avg(n) AS m FROM ev GROUP BY k;
CREATE MATERIALIZED VIEW by_kn AS SELECT k, n, count(*) AS c FROM ev GROUP BY k, n;
CREATE ENDPOINT listed (k VARCHAR DEFAULT 'a') AS SELECT k, n, tags FROM ev WHERE k = $k ORDER BY n DESC;
CREATE ENDPOINT found (k VARCHAR) AS SELECT * FROM by_k WHERE k = $k;
CREATE ENDPOINT many (i INTEGER DEFAULT 3, d DOUBLE DEFAULT 0.5, t TIMESTAMPTZ DEFAULT '2024-01-01T00:00:00Z', tn TIMESTAMP DEFAULT '2024-01-01 00:00:00', dd DATE DEFAULT '2024-01-01',
  b BOOLEAN DEFAULT true, l INTEGER[] DEFAULT '[1,2]', u UUID DEFAULT '00000000-0000-0000-0000-000000000000', dec DECIMAL(6,2) DEFAULT '1.5', bl BLOB DEFAULT '', j JSON DEFAULT '{}',
  h HUGEINT DEFAULT '1', s STRUCT(x INTEGER, y VARCHAR) DEFAULT NULL, m MAP(VARCHAR, INTEGER) DEFAULT NULL, iv INTERVAL DEFAULT '1 day', tm TIME DEFAULT '00:00:00', ub UBIGINT DEFAULT 1, ti TINYINT DEFAULT 1)
  WITH (description = 'All types') AS SELECT $i AS i, $d AS d, $t AS t, $tn AS tn, $dd AS dd, $b AS b, $l AS l, $u AS u, $dec AS dec, $bl AS bl, $j AS j, $h AS h, $s AS s, $m AS m, $iv AS iv, $tm AS tm, $ub AS ub, $ti AS ti;
`

func start(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.Start(t, "")
	var events strings.Builder
	for i := range 500 {
		fmt.Fprintf(&events, `{"k":%q,"n":%d,"tags":["x","%d"]}`+"\n", string(rune('a'+i%4)), i%20, i)
	}
	s.Send("ev", events.String())
	s.SQL(definitions)
	s.SQL("INSERT INTO users VALUES (1, 'ada', 0.5), (2, 'bob', NULL)")
	return s
}

func TestDocumentIsValid(t *testing.T) {
	python := services.Python(t, "openapi-spec-validator==0.9.0")
	s := start(t)
	status, document := s.Get("/openapi.json")
	path := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(path, []byte(document), 0o644); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	if out, err := exec.Command(python, "-m", "openapi_spec_validator", "--validation-errors", "all", "--schema", "3.1", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, path := range []string{"/v1/endpoints/many", "/v1/views/by_k/rows/{key}", "/v1/views/by_kn/rows", "/v1/tables/users/rows/{key}"} {
		if !strings.Contains(document, `"`+path+`":`) {
			t.Errorf("%s is not in the document", path)
		}
	}
}

// Streams that don't end and credentials that would lock the tool out are left out; they have tests of their own.
const leftOut = `/(changes|live)$|^/v1/(tokens|issuers)|^/debug`

func TestServerAnswersAsItsDocumentSays(t *testing.T) {
	python := services.Python(t, "schemathesis==4.32.5")
	s := start(t)
	seconds := "60"
	if testing.Short() {
		seconds = "15"
	}
	cmd := exec.Command(python, "-m", "schemathesis.cli", "run", s.URL+"/openapi.json",
		"--phases", "examples,coverage,fuzzing", "--max-time", seconds, "--max-examples", "30", "--workers", "2", "--request-timeout", "20", "--continue-on-failure",
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance",
		"--exclude-path-regex", leftOut, "--suppress-health-check", "all", "--warnings", "off", "--no-color")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Log(lastLines(string(out), 12))
	if status, answer := s.Get("/readyz"); status != 200 {
		t.Errorf("after all: %d %s\n%s", status, answer, s.Log())
	}
	for _, word := range []string{"panicked", `"level":"ERROR"`} {
		if strings.Contains(s.Log(), word) {
			t.Errorf("the server's log has %s\n%s", word, lastLines(s.Log(), 40))
		}
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
