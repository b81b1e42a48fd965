package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// tailed answers each connection with the next text, and remembers what it was asked.
func tailed(t *testing.T, texts []string, terminal bool, args ...string) (out, errs string, code int, asked []string) {
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get("Last-Event-ID"))
		text := texts[0]
		if len(texts) > 1 {
			texts = texts[1:]
		}
		if strings.HasPrefix(text, "{") {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	var stdout, stderr bytes.Buffer
	env := Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Terminal: terminal, Getenv: func(k string) string {
		return map[string]string{"LEAT_SERVER": server.URL}[k]
	}}
	root := New(env, "test")
	root.SetArgs(append([]string{"tail"}, args...))
	code = Exit(env, root.ExecuteContext(t.Context()))
	return stdout.String(), stderr.String(), code, asked
}

const tailSnapshot = "retry: 1000\n\nevent: snapshot\nid: one\ndata: {\"rows\":[{\"k\":1},{\"k\":2}],\"last\":true}\n\n"

func TestTailGoesOnWhereAConnectionBroke(t *testing.T) {
	out, errs, code, asked := tailed(t, []string{
		tailSnapshot + "event: upsert\nid: two\ndata: {\"k\":3}\n\nevent: upsert\nda", // cut within an event
		"event: upsert\nid: three\ndata: {\"k\":4}\n\n:\n\nevent: delete\nid: four\ndata: {\"k\":1}\n\nevent: upsert\ndata: {\"k\":9}\n\n",
	}, false, "v", "k=1", "-n", "3")
	want := `{"event":"snapshot","data":{"rows":[{"k":1},{"k":2}],"last":true}}
{"event":"upsert","data":{"k":3}}
{"event":"upsert","data":{"k":4}}
{"event":"delete","data":{"k":1}}
`
	if out != want || code != 0 || len(asked) != 2 || asked[0] != "/v1/views/v/changes?k=1 " || asked[1] != "/v1/views/v/changes?k=1 two" {
		t.Errorf("exit code %d, asked %q, %s\n%s", code, asked, errs, out)
	}
}

func TestTailForPeople(t *testing.T) {
	out, errs, code, asked := tailed(t, []string{tailSnapshot +
		"event: upsert\nid: two\ndata: {\"k\":3}\n\nevent: delete\ndata: {\"k\":1}\n\nevent: progress\nid: x\ndata: {}\n\nevent: reset\ndata: {\"reason\":\"r\"}\n\n" +
		"event: error\ndata: {\"code\":\"not_found\",\"detail\":\"it has gone\",\"hint\":\"look\"}\n\n"}, true, "--table", "t", "--no-snapshot")
	if out != "  {\"k\":1}\n  {\"k\":2}\n+ {\"k\":3}\n- {\"k\":1}\n" || code != 1 || !strings.Contains(errs, "it has gone") || !strings.Contains(errs, "begun anew") {
		t.Errorf("exit code %d, %s\n%s", code, errs, out)
	}
	if len(asked) != 1 || asked[0] != "/v1/tables/t/changes?_snapshot=false " {
		t.Errorf("asked %q", asked)
	}
}

func TestTailRefuses(t *testing.T) {
	for _, args := range [][]string{{}, {"v", "k"}, {"v", "--table", "--endpoint"}} {
		if _, _, code, _ := tailed(t, []string{tailSnapshot}, false, args...); code != 2 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	if _, errs, code, asked := tailed(t, []string{`{"code":"not_found","detail":"no such view"}`}, false, "--endpoint", "e"); code != 1 || !strings.Contains(errs, "no such view") || asked[0] != "/v1/endpoints/e/live " {
		t.Errorf("exit code %d, %q, %s", code, asked, errs)
	}
}
