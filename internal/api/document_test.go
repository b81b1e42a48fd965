package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"leat/internal/types"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata, or rewrites it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test ./internal/api -update rewrites it. Got:\n%s", path, got)
	}
}

var volatileID = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// Problems are part of the API: a change of one shows in this file.
func TestProblemsAreGolden(t *testing.T) {
	h := newHarness(t)
	var out bytes.Buffer
	show := func(method, target, body string, headers ...string) {
		w := h.do(method, target, body, headers...)
		out.WriteString("### " + method + " " + target + "\n")
		for _, name := range []string{"Content-Type", "Allow", "Retry-After", "WWW-Authenticate"} {
			if v := w.Header().Get(name); v != "" {
				out.WriteString(name + ": " + v + "\n")
			}
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, volatileID.ReplaceAll(w.Body.Bytes(), []byte("0123456789abcdef")), "", "  "); err != nil {
			t.Fatalf("%s %s: %v: %s", method, target, err, w.Body)
		}
		out.Write(bytes.TrimSpace(indented.Bytes()))
		out.WriteString("\n\n")
	}
	show("GET", "/v1/nothing", "")
	show("DELETE", "/v1/sql", "")
	show("POST", "/v1/sql", "SELEC 1")
	show("POST", "/v1/sql", "{\"sql\": nope}", "Content-Type", "application/json")
	show("POST", "/v1/sql?_limti=5", "SELECT 1")
	show("POST", "/v1/sql", "SELECT 1", "Origin", "https://evil.example")
	show("POST", "/v1/sql", "SELECT 1", "Host", "evil.example")
	show("POST", "/v1/sql", "<html>", "Content-Type", "text/html")
	show("GET", "/v1/sql?q=CREATE+STREAM+x", "")
	h.fake.sendErr = &types.Error{
		Code: types.InvalidRecord, Message: "2 records were refused", Hint: "send them without strict=true",
		Errors: []*types.Error{{Code: types.InvalidRecord, Message: `"x" is not a BIGINT`, Path: "$.n", Line: 1}, {Code: types.SyntaxError, Message: "unexpected end", Line: 2, Column: 5}},
	}
	show("POST", "/v1/events/orders?strict=true", "{}")
	h.fake.sendErr = &types.Error{Code: types.TooManyRequests, Message: "the store is 2.1 GiB behind; it takes 40 MiB/s", RetryAfter: 3}
	show("POST", "/v1/events/orders", "{}")
	show("POST", "/v1/sql", "PANIC now")
	reader := h.token("read:orders")
	show("GET", "/v1/streams", "")
	show("GET", "/v1/streams", "", "Authorization", "Bearer "+strings.Repeat("x", 57))
	show("GET", "/v1/status", "", "Authorization", "Bearer "+reader)
	golden(t, "problems.txt", regexp.MustCompile(`token [0-9A-Za-z]{12}`).ReplaceAll(out.Bytes(), []byte("token 0123456789AB")))
}

// Every code has a title and a status that clients may rely on.
func TestEveryCodeMakesAProblem(t *testing.T) {
	h := newHarness(t)
	for _, code := range types.Codes() {
		h.fake.sendErr = types.Errorf(code, "why")
		p := h.wantProblem(h.do("POST", "/v1/events/x", "{}"), code)
		if p.Title == "" || p.Type != "urn:leat:problem:"+string(code) {
			t.Errorf("%s: %+v", code, p)
		}
	}
}

func TestOpenAPIDocument(t *testing.T) {
	h := newHarness(t)
	w := h.do("GET", "/openapi.json", "")
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	for i, r := range h.handler.(*server).table {
		item := doc.Paths.Value(openPath(r.path))
		if item == nil || item.GetOperation(r.method) == nil {
			t.Errorf("route %s is missing", r.pattern())
			continue
		}
		op := item.GetOperation(r.method)
		if op.OperationID != r.id || r.id == "" || r.summary == "" {
			t.Errorf("route %d %s: operation %+v", i, r.pattern(), op)
		}
		for _, p := range r.params {
			if op.Parameters.GetByInAndName("query", p.name) == nil {
				t.Errorf("%s lacks the parameter %s", r.pattern(), p.name)
			}
		}
	}
	op := doc.Paths.Value("/v1/endpoints/busiest").Get
	state, n := op.Parameters.GetByInAndName("query", "state"), op.Parameters.GetByInAndName("query", "n")
	if state == nil || !state.Required || n == nil || n.Required || !n.Schema.Value.Type.Is("integer") {
		t.Errorf("the endpoint's parameters: %+v %+v", state, n)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, w.Body.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "openapi.json", indented.Bytes())
}
