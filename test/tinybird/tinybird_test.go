// Package tinybird runs the public TypeScript clients of Tinybird's API, unchanged, against the real binary.
package tinybird

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"leat/test/harness"
	"leat/test/services"
)

// The versions that were tried; newer ones are tried by changing them here.
var packages = []string{"@chronark/zod-bird@1.0.0", "@tinybirdco/sdk@0.0.84", "zod@3.25.76", "esbuild@0.25.12"}

func start(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM orders (id BIGINT, customer VARCHAR, amount DOUBLE, ordered TIMESTAMP)`)
	s.SQL(`CREATE ENDPOINT spent (customer VARCHAR) AS
		SELECT customer, count(*) AS orders, sum(amount) AS amount, max(ordered) AS last FROM orders WHERE customer = $customer GROUP BY customer`)
	s.SQL(`CREATE ENDPOINT several (ids BIGINT[] DEFAULT '[]') AS SELECT id, customer FROM orders WHERE id IN (SELECT unnest($ids)) ORDER BY id`)
	return s
}

func TestClients(t *testing.T) {
	dir := services.NPM(t, packages...)
	node := services.Command(t, "node", "nodejs")
	s := start(t)
	token := s.Token("admin")
	script, err := os.ReadFile(filepath.Join("testdata", "clients.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	// Node finds packages from where the script lies.
	path := filepath.Join(dir, "clients.mjs")
	if err := os.WriteFile(path, script, 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(node, path, s.URL, token)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	got := map[string]json.RawMessage{}
	for line := range strings.Lines(stdout.String()) {
		var said struct {
			Step  string          `json:"step"`
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[said.Step] = said.Value
	}
	for step, want := range map[string][]string{
		"zod-bird ingest":       {`"successful_rows":3`, `"quarantined_rows":0`},
		"zod-bird pipe":         {`"data":[{"customer":"ada","orders":2,"amount":12,"last":"2026-01-01 00:00:02`, `"type":"Int64"`, `"type":"Float64"`, `"rows":1`},
		"zod-bird empty":        {`"data":[]`, `"rows":0`},
		"zod-bird unknown pipe": {`there is no pipe`},
		"sdk ingest":            {`"successful_rows":1`},
		"sdk batch":             {`"successful_rows":1`, `"quarantined_rows":1`},
		"sdk query":             {`"orders":2`, `"amount":3`},
		"sdk query of a list":   {`"data":[{"id":1,"customer":"ada"},{"id":4,"customer":"cy"}]`},
		"sdk sql":               {`"data":[{"n":5,"amount":20.5}]`, `"statistics":{"elapsed":`},
		"sdk sql that changes":  {`"status":4`, `only reads`},
		"sdk sql that is wrong": {`"status":400`, `nothing`},
		"sdk unknown pipe":      {`"status":404`, `there is no pipe`},
		"sdk missing parameter": {`"status":400`, `customer`},
		"sdk bad token":         {`"status":403`},
		"sdk client":            {`[{"customer":"bob","orders":1,"amount":5.5`},
	} {
		for _, w := range want {
			if !strings.Contains(string(got[step]), w) {
				t.Errorf("%s: %s lacks %s", step, got[step], w)
			}
		}
	}
}

// do sends a request with the token in the URL, as Tinybird's documents do.
func do(t *testing.T, s *harness.Server, method, path, contentType, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestRoutes(t *testing.T) {
	s := start(t)
	token := url.QueryEscape(s.Token("admin"))
	if status, body := do(t, s, "POST", "/v0/events?name=orders&token="+token, "", `{"id":1,"customer":"ada","amount":1,"ordered":"2026-01-01T00:00:00Z"}`); status != 202 || !strings.Contains(body, `"successful_rows":1`) {
		t.Fatalf("events: %d %s", status, body)
	}
	if status, body := do(t, s, "POST", "/v0/events?name=orders&wait=true&token="+token, "", `{"id":2,"customer":"bob","amount":1.5,"ordered":"2026-01-01T00:00:01Z"}`); status != 200 {
		t.Fatalf("events: %d %s", status, body)
	}
	for _, c := range []struct{ method, path, contentType, body, want string }{
		{"GET", "/v0/pipes/spent.json?customer=ada&unknown=1", "", "", `"customer":"ada"`},
		{"GET", "/v0/pipes/spent.csv?customer=ada", "", "", "customer,orders,amount,last\nada,1,1"},
		{"GET", "/v0/pipes/spent.ndjson?customer=ada", "", "", `{"customer":"ada","orders":1,"amount":1`},
		{"GET", "/v0/pipes/spent.parquet?customer=ada", "", "", "PAR1"},
		{"POST", "/v0/pipes/spent.json?", "application/x-www-form-urlencoded", "customer=ada", `"customer":"ada"`},
		{"POST", "/v0/pipes/spent.json?", "application/json", `{"customer":"ada"}`, `"customer":"ada"`},
		{"GET", "/v0/pipes/several.json?ids=1,2", "", "", `"rows":2`},
		{"GET", "/v0/pipes/several.json?ids=1&ids=2", "", "", `"rows":2`},
		{"GET", "/v0/pipes?", "", "", `"pipes":[{"id":"several","name":"several"`},
		{"GET", "/v0/pipes/spent?", "", "", `"params":[{"name":"customer","type":"String","default":null,"required":true}]`},
		{"GET", "/v0/sql?q=" + url.QueryEscape("SELECT id FROM orders ORDER BY id FORMAT CSVWithNames"), "", "", "id\n1\n2\n"},
		{"POST", "/v0/sql?", "application/x-www-form-urlencoded", "q=" + url.QueryEscape("SELECT id FROM orders ORDER BY id FORMAT JSONEachRow"), "{\"id\":1}\n{\"id\":2}\n"},
		{"GET", "/v0/datasources?", "", "", `"datasources":[{"id":"orders","name":"orders"`},
		{"GET", "/v0/datasources/orders?", "", "", `"engine":{"engine":"MergeTree"`},
	} {
		path := c.path
		if strings.ContainsRune(path, '?') && !strings.HasSuffix(path, "?") {
			path += "&"
		}
		status, body := do(t, s, c.method, path+"token="+token, c.contentType, c.body)
		if status != 200 || !strings.Contains(strings.ReplaceAll(body, "\r\n", "\n"), c.want) {
			t.Errorf("%s %s: %d %s, want %s", c.method, c.path, status, body, c.want)
		}
	}
	if strings.Contains(s.Log(), token) {
		t.Error("the log has the token of a URL")
	}
	for path, want := range map[string]int{"/v0/pipes/spent.xml?customer=ada": 404, "/v0/sql?q=SELECT+1+FORMAT+Nonsense": 400, "/v0/datasources/none?x=1": 404} {
		if status, body := do(t, s, "GET", path+"&token="+token, "", ""); status != want || !strings.Contains(body, `"error":`) {
			t.Errorf("%s: %s", path, fmt.Sprint(status, body))
		}
	}
}
