package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// answer is what a fake server says once.
type answer struct {
	status int
	body   string
	header map[string]string
}

// fake answers its requests in turn, the last answer again and again, and keeps what it was asked.
type fake struct {
	mu      sync.Mutex
	answers []answer // guarded by mu
	asked   []asked  // guarded by mu
}

type asked struct {
	path, key, after, token, body string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, asked{r.URL.RequestURI(), r.Header.Get("Idempotency-Key"), r.Header.Get("Leat-After"), r.Header.Get("Authorization"), string(body)})
	a := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	fmt.Fprint(w, a.body)
}

// leat runs a command line against the fake.
func (f *fake) leat(t *testing.T, stdin string, terminal bool, args ...string) (out, errs string, code int) {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	var stdout, stderr bytes.Buffer
	env := Env{Stdin: strings.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Terminal: terminal, Getenv: func(k string) string {
		return map[string]string{"LEAT_SERVER": server.URL, "LEAT_TOKEN": "secret"}[k]
	}}
	root := New(env, "test")
	root.SetArgs(args)
	code = Exit(env, root.ExecuteContext(t.Context()))
	return stdout.String(), stderr.String(), code
}

const accepted = `{"accepted":1,"dead_letters":0,"first_errors":[],"position":"p","created":false}`

func TestSendRepeatsAChunkUnderItsKey(t *testing.T) {
	busy := answer{429, `{"code":"too_many_requests","detail":"the backlog is full"}`, nil}
	// The first chunk must reach the server at once, but may find it busy; the second may find it away.
	f := &fake{answers: []answer{busy, {200, accepted, nil}, {503, "away", nil}, {200, accepted, nil}}}
	out, errs, code := f.leat(t, "{\"a\":1}\n{\"a\":2}\n", false, "send", "s", "--rate", "10")
	if code != 0 || !strings.Contains(out, `"accepted":2`) {
		t.Fatalf("exit code %d, %s %s", code, out, errs)
	}
	var keys []string
	for _, a := range f.asked {
		keys = append(keys, a.key)
	}
	if len(keys) != 4 || keys[0] == "" || keys[0] != keys[1] || keys[2] != keys[3] || keys[0] == keys[2] {
		t.Errorf("the keys were %v", keys)
	}
	if f.asked[0].token != "Bearer secret" {
		t.Errorf("the token was %q", f.asked[0].token)
	}
}

func TestSendGivesUpAtOnce(t *testing.T) {
	for _, c := range []struct {
		a    answer
		says string
	}{
		{answer{401, `{"code":"unauthenticated","detail":"this server needs a token","hint":"send a header"}`, nil}, "LEAT_TOKEN"},
		{answer{400, `{"code":"invalid_record","detail":"cut","path":"$.a"}`, nil}, "cut"},
		{answer{502, "<html>", nil}, "502"},
	} {
		f := &fake{answers: []answer{c.a}}
		_, errs, code := f.leat(t, `{"a":1}`, false, "send", "s")
		if code != 1 || !strings.Contains(errs, c.says) || len(f.asked) != 1 {
			t.Errorf("exit code %d after %d requests: %s", code, len(f.asked), errs)
		}
	}
}

func TestSendTellsDeadLetters(t *testing.T) {
	f := &fake{answers: []answer{{200, `{"accepted":1234,"dead_letters":1,"first_errors":[{"code":"invalid_record","detail":"\"x\" is not a BIGINT","path":"$.a","hint":"ALTER"}],"position":"p","created":true}`, nil}}}
	out, errs, _ := f.leat(t, `{"a":1}`, true, "send", "s")
	if !strings.HasPrefix(out, "1,234 events into s in ") || !strings.Contains(out, "stream created") {
		t.Errorf("got %s", out)
	}
	for _, want := range []string{"1 records could not be used", "  - $.a: \"x\" is not a BIGINT\n    hint: ALTER\n"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
	if out, _, _ := f.leat(t, `{"a":1}`, false, "send", "s"); !strings.Contains(out, `"first_errors":[{"code":"invalid_record","detail":`) {
		t.Errorf("in a pipe: %s", out)
	}
}

func TestAStatementSeesTheOneBefore(t *testing.T) {
	f := &fake{answers: []answer{
		{200, `{"statements":[{"statement":"INSERT","name":"t","rows":2}]}`, map[string]string{"Leat-Position": "pos"}},
		{200, `{"meta":[{"name":"n","type":"BIGINT"}],"data":[{"n":2}],"truncated":true,"statistics":{"elapsed":0.001}}`, nil},
	}}
	out, errs, code := f.leat(t, "INSERT INTO t VALUES (1), (2); SELECT count(*) AS n FROM t", true, "sql")
	if want := "INSERT t: 2 rows\n n\n───\n 2\n"; out != want || code != 0 {
		t.Errorf("exit code %d, got\n%s", code, out)
	}
	if want := "(the first 1 row of more: see --limit, 1.0 ms)\n"; errs != want {
		t.Errorf("got %s", errs)
	}
	if f.asked[0].after != "" || f.asked[1].after != "pos" || !strings.Contains(f.asked[1].path, "_limit=1000") {
		t.Errorf("asked %+v", f.asked)
	}
}

func TestStatusOnATerminal(t *testing.T) {
	f := &fake{answers: []answer{{200, `{"version":"leat 1","ready":true,"uptime_seconds":3725.5,"data":"/d","objects":{"streams":2,"tables":1},
		"rows_loaded_since_start":3000004,"lag_rows":12,"dead_letters":1,"log_bytes":57072344,"memory_bytes":340213760}`, nil}}}
	out, _, _ := f.leat(t, "", true, "status")
	_, out, _ = strings.Cut(out, "\n") // the server's address differs
	want := `version       leat 1
state         ready
up            1h 2m
data          /d
objects       2 streams, 1 tables
loaded        3,000,004 rows since the start
lag           12 rows not yet in SQL
dead letters  1  (` + "`leat dead list`" + `)
log           54.4 MiB
memory        324 MiB
`
	if out != want {
		t.Errorf("got\n%s", out)
	}
}

func TestDeadLetterAnswers(t *testing.T) {
	f := &fake{answers: []answer{{200, `{"replayed":3,"failed":1,"rows":4,"first_errors":[{"code":"invalid_record","detail":"no","path":"$.a"}],"position":"p"}`, nil}}}
	if out, _, _ := f.leat(t, "", true, "dead", "replay", "s", "--all"); out != "3 replayed into 4 rows, 1 still don't fit\n  - $.a: no\n" {
		t.Errorf("got %s", out)
	}
	if f.asked[0].path != "/v1/dead-letters/s/replay" || f.asked[0].body != `{"all":true}` {
		t.Errorf("asked %+v", f.asked[0])
	}
	f = &fake{answers: []answer{{200, `{"purged":2}`, nil}}}
	if out, _, _ := f.leat(t, "", true, "dead", "purge", "s", "a", "b"); out != "2 forgotten\n" || f.asked[0].body != `{"ids":["a","b"]}` {
		t.Errorf("got %s for %+v", out, f.asked)
	}
}

func TestScriptsAreCutIntoRequests(t *testing.T) {
	for _, c := range []struct {
		script string
		want   []statement
	}{
		{"SELECT 1", []statement{{"SELECT 1", 0}}},
		{"-- nothing\n;;  /* ; */ ", nil},
		{"SELECT ';' AS \"a;b\", $$ ; $$, $t$;$t$, $1; -- ;\nSELECT 2;", []statement{{"SELECT ';' AS \"a;b\", $$ ; $$, $t$;$t$, $1;", 0}, {"SELECT 2;", 1}}},
		{"create table a (b int);\n-- c\nDROP VIEW x;\nINSERT INTO a VALUES (1);", []statement{{"create table a (b int);\n-- c\nDROP VIEW x;", 0}, {"INSERT INTO a VALUES (1);", 3}}},
		{"SELECT 'é'; SELECT 2", []statement{{"SELECT 'é';", 0}, {"            SELECT 2", 0}}},
		{"SELECT 'open", []statement{{"SELECT 'open", 0}}},
	} {
		if got := requests(c.script); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v", c.script, got)
		}
	}
}

func FuzzScripts(f *testing.F) {
	f.Add("CREATE TABLE a (b INT); SELECT ';$$';--\n/*", true)
	f.Fuzz(func(t *testing.T, script string, _ bool) {
		for _, r := range requests(script) {
			if body := strings.TrimLeft(r.text, " "); !strings.Contains(script, body) {
				t.Errorf("%q is no part of %q", body, script)
			}
		}
		endsStatement(script)
		historyLine(script)
	})
}

func TestTheREPLKnowsWhenAStatementEnds(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1;\n": true, "SELECT 1; -- done\n": true, "SELECT 1; /* done */ \n": true,
		"SELECT 1\n": false, "SELECT ';\n": false, "SELECT 1 -- ;\n": false, "SELECT 1; SELECT 2\n": false, "SELECT $$ ; $$\n": false,
	} {
		if got := endsStatement(text); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
	if got := historyLine("SELECT 1 -- one\n, '--';\n"); got != "SELECT 1  , '--';" {
		t.Errorf("got %q", got)
	}
}

func TestREPLCommands(t *testing.T) {
	for text, want := range map[string]struct {
		sql string
		act action
	}{
		`\d`: {"SHOW ALL", run}, `\d orders;`: {"DESCRIBE orders", run}, `\q`: {"", leave}, "exit": {"", leave}, "quit;": {"", leave},
		"help": {"", help}, `\?`: {"", help}, "SELECT 1": {"", none}, "exit x": {"", none},
	} {
		if sql, act := command(text); sql != want.sql || act != want.act {
			t.Errorf("%q: got %q, %v", text, sql, act)
		}
	}
}

func TestHumanFigures(t *testing.T) {
	for got, want := range map[string]string{
		humanBytes(0): "0 B", humanBytes(999): "999 B", humanBytes(1024): "1.0 KiB", humanBytes(1 << 30): "1.0 GiB", humanBytes(340213760): "324 MiB",
		humanCount(0): "0", humanCount(999): "999", humanCount(1000): "1,000", humanCount(-1234567): "-1,234,567",
		humanDuration(59e9): "59s", humanDuration(61e9): "1m 1s", humanDuration(90000e9): "1d 1h",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
