package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"leat/internal/types"
)

// bodies cuts text into bodies as `leat send` would.
func bodies(t *testing.T, name string, content []byte, limit int) (out []string, contentType string) {
	t.Helper()
	c, err := newChunker(name, bytes.NewReader(content), nil, limit)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		body, kind, _, err := c.next()
		if errors.Is(err, io.EOF) {
			return out, contentType
		}
		if err != nil {
			t.Fatal(err)
		}
		out, contentType = append(out, string(body)), kind
	}
}

func TestChunksEndAtRecords(t *testing.T) {
	gz, zs := new(bytes.Buffer), new(bytes.Buffer)
	g := gzip.NewWriter(gz)
	io.WriteString(g, "{\"a\":1}\n{\"a\":2}")
	g.Close()
	z, err := zstd.NewWriter(zs)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(z, "a,b\n1,2\n")
	z.Close()
	for _, c := range []struct {
		name, content string
		want          []string
		kind          string
	}{
		{"x.ndjson", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}", []string{"{\"a\":1}\n{\"a\":2}\n", "{\"a\":3}\n"}, "application/x-ndjson"},
		{"x.json", "[{\"a\": 1},\n {\"a\":\n2},{\"a\":3}]", []string{"{\"a\":1}\n{\"a\":2}\n", "{\"a\":3}\n"}, "application/x-ndjson"},
		{"x.csv", "a,b\n1,\"x\ny\"\n2,z\n3,w", []string{"a,b\n1,\"x\ny\"\n2,z\n", "a,b\n3,w\n"}, "text/csv"},
		{"-", "a,b\n1,2\n", []string{"a,b\n1,2\n"}, "text/csv"},
		{"x.gz", gz.String(), []string{"{\"a\":1}\n{\"a\":2}\n"}, "application/x-ndjson"},
		{"x.csv.zst", zs.String(), []string{"a,b\n1,2\n"}, "text/csv"},
		{"empty", "", nil, ""},
	} {
		got, kind := bodies(t, c.name, []byte(c.content), 2)
		if strings.Join(got, "|") != strings.Join(c.want, "|") || kind != c.kind {
			t.Errorf("%s: got %q as %s, want %q as %s", c.name, got, kind, c.want, c.kind)
		}
	}
}

func TestACutArrayIsAnError(t *testing.T) {
	c, err := newChunker("x.json", strings.NewReader(`[{"a":1},{"a":`), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for err == nil {
		_, _, _, err = c.next()
	}
	if errors.Is(err, io.EOF) {
		t.Error("the cut was not noticed")
	}
}

func TestInferPrintsACreateStream(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Big-Orders 1.ndjson")
	if err := os.WriteFile(file, []byte(`{"id":1,"at":"2026-01-05T10:00:00Z"}`+"\n"+`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	root := New(Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}, "test")
	root.SetArgs([]string{"infer", file})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := "CREATE STREAM big_orders_1 (\n  id BIGINT,\n  \"at\" TIMESTAMP WITH TIME ZONE\n)\nWITH (event_time = \"at\");\n"
	if got := out.String(); got != want {
		t.Errorf("got %s", got)
	}
	if !strings.Contains(errs.String(), "can't be used") {
		t.Errorf("the cut record is not told: %s", errs.String())
	}
}

func TestTablesAreAligned(t *testing.T) {
	res, err := readResult(strings.NewReader(`{"meta":[{"name":"n","type":"BIGINT"},{"name":"n","type":"VARCHAR"}],
		"data":[{"n":7,"n":"日本"},{"n":123,"n":null},{"n":null,"n":"a\nb\u001b"}],"truncated":true,"statistics":{"elapsed_seconds":0.0015}}`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	res.print(&out)
	want := " n    │ n\n──────┼──────\n    7 │ 日本\n  123 │ NULL\n NULL │ a b�\n"
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	if got := res.summary(); got != "(the first 3 rows of more: see --limit, 1.5 ms)\n" {
		t.Errorf("got %s", got)
	}
}

func TestErrorsShowTheLine(t *testing.T) {
	err := withExcerpt(types.Errorf(types.SyntaxError, "unexpected FORM").At(2, 3), "SELECT *\n  FORM t")
	var errs strings.Builder
	if code := Exit(Env{Stderr: &errs}, err); code != 1 {
		t.Errorf("exit code %d", code)
	}
	if want := "leat: line 2, column 3: unexpected FORM\n    FORM t\n    ^\n"; errs.String() != want {
		t.Errorf("got\n%s", errs.String())
	}
}

func TestBackoffHonoursRetryAfter(t *testing.T) {
	busy := types.Errorf(types.TooManyRequests, "busy")
	if got := backoff(busy, 1); got != 200*time.Millisecond {
		t.Errorf("got %s", got)
	}
	busy.RetryAfter = 3
	if got := backoff(busy, 1); got != 3*time.Second {
		t.Errorf("got %s", got)
	}
}
