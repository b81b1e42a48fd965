package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leat/internal/types"
)

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
		"data":[{"n":7,"n":"日本"},{"n":123,"n":null},{"n":null,"n":"a\nb\u001b"}],"truncated":true,"statistics":{"elapsed":0.0015}}`))
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
