// Package e2e tests the real binary as its users meet it: over HTTP and on the command line.
package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leat/test/harness"
)

func TestFirstEventsMakeAStream(t *testing.T) {
	s := harness.Start(t, "")
	got := s.Send("orders", `{"id":1,"amount":12.5,"at":"2026-01-05T10:00:00Z"}
{"id":2,"amount":99,"at":"2026-01-05T10:00:07Z"}`)
	if got["accepted"] != 2.0 || got["created"] != true {
		t.Fatalf("got %v", got)
	}
	got = s.Send("orders", `{"id":3,"amount":"a lot"}`)
	if got["accepted"] != 0.0 || got["dead_letters"] != 1.0 || got["created"] != false {
		t.Fatalf("got %v", got)
	}
	if got := s.SQL("SELECT id, amount, \"at\" FROM orders ORDER BY id"); got != `{"id":1,"amount":12.5,"at":"2026-01-05T10:00:00.000000Z"}
{"id":2,"amount":99,"at":"2026-01-05T10:00:07.000000Z"}` && got != `{"id":1,"amount":12.5,"at":"2026-01-05T10:00:00.000000Z"}
{"id":2,"amount":99.0,"at":"2026-01-05T10:00:07.000000Z"}` {
		t.Errorf("got %s", got)
	}
	if got := s.SQL("SELECT stream, reason, path FROM leat_system.dead_letters"); got != `{"stream":"orders","reason":"invalid_record","path":"$.amount"}` {
		t.Errorf("got %s", got)
	}
}

func TestNewFieldsAddColumns(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"a":1}`)
	s.Send("e", `{"a":2,"b":{"c":"x"}}`)
	s.Send("e", `{"a":3.5,"b":{"c":"y","d":true}}`)
	if got, want := s.SQL("SELECT a, b.c AS c, b.d AS d FROM e ORDER BY a"), `{"a":1,"c":null,"d":null}
{"a":2,"c":"x","d":null}
{"a":3.5,"c":"y","d":true}`; strings.ReplaceAll(strings.ReplaceAll(got, `:1.0,`, `:1,`), `:2.0,`, `:2,`) != want {
		t.Errorf("got %s", got)
	}
}

func TestAnEndpointIsTyped(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("airports", `{"iata":"DFW","state":"TX"}`+"\n"+`{"iata":"IAH","state":"TX"}`+"\n"+`{"iata":"LAX","state":"CA"}`)
	s.SQL("CREATE ENDPOINT of (state VARCHAR DEFAULT 'CA', n INT DEFAULT 10) AS SELECT iata FROM airports WHERE state = $state ORDER BY 1 LIMIT $n")
	for query, want := range map[string]string{
		"":              `{"iata":"LAX"}`,
		"?state=TX":     "{\"iata\":\"DFW\"}\n{\"iata\":\"IAH\"}",
		"?state=TX&n=1": `{"iata":"DFW"}`,
	} {
		sep := "?"
		if query != "" {
			sep = "&"
		}
		if status, got := s.Get("/v1/endpoints/of" + query + sep + "format=ndjson"); status != http.StatusOK || strings.TrimSpace(got) != want {
			t.Errorf("%s: %d %s", query, status, got)
		}
	}
	for query, want := range map[string]string{"?n=many": `"n"`, "?stat=TX": "stat"} {
		if status, got := s.Get("/v1/endpoints/of" + query); status != http.StatusBadRequest || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", query, status, got)
		}
	}
}

func TestATableKeepsTheLastWrite(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE TABLE users (name VARCHAR PRIMARY KEY, city VARCHAR)")
	s.Send("users", `{"name":"ada","city":"London"}`+"\n"+`{"name":"bob","city":"Paris"}`)
	s.SQL("INSERT INTO users VALUES ('ada', 'Rome'), ('eve', 'Oslo')")
	put, err := http.NewRequest(http.MethodPut, s.URL+"/v1/tables/users/rows/zoë", strings.NewReader(`{"city":"Köln"}`))
	if err != nil {
		t.Fatal(err)
	}
	put.Header.Set("Content-Type", "application/json")
	status, header, body, err := s.Do(put)
	if err != nil || status != http.StatusOK {
		t.Fatalf("PUT: %d %s %v", status, body, err)
	}
	s.SQL("DELETE FROM users WHERE name = 'bob'")
	get, err := http.NewRequest(http.MethodPost, s.URL+"/v1/sql?format=ndjson", strings.NewReader("SELECT * FROM users ORDER BY name"))
	if err != nil {
		t.Fatal(err)
	}
	get.Header.Set("Leat-After", header.Get("Leat-Position"))
	get.Header.Set("Content-Type", "application/sql")
	s.Send("users", `{"name":"last","city":null}`)
	if _, _, body, err = s.Do(get); err != nil {
		t.Fatal(err)
	}
	want := `{"name":"ada","city":"Rome"}
{"name":"eve","city":"Oslo"}
{"name":"last","city":null}
{"name":"zoë","city":"Köln"}`
	if got := strings.TrimSpace(string(body)); got != want {
		t.Errorf("got %s", got)
	}
	if status, got := s.Get("/v1/tables/users/rows/zo%C3%AB"); status != http.StatusOK || !strings.Contains(got, "Köln") {
		t.Errorf("GET row: %d %s", status, got)
	}
	if status, got := s.Get("/v1/tables/users/rows/bob"); status != http.StatusNotFound {
		t.Errorf("GET deleted row: %d %s", status, got)
	}
}

func TestDeadLettersAreReplayedOnce(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM m (id BIGINT, v BIGINT)")
	s.Send("m", `{"id":1,"v":1}`+"\n"+`{"id":2,"v":"high"}`+"\n"+`{"id":3,"v":"low"}`)
	if out, stderr, code := s.CLI("", "dead", "replay", "m", "--all"); code != 0 || !strings.Contains(out, `"replayed":0`) {
		t.Errorf("replay before the repair: %d %s %s", code, out, stderr)
	}
	s.SQL("ALTER STREAM m ALTER COLUMN v TYPE VARCHAR")
	for range 2 {
		if out, stderr, code := s.CLI("", "dead", "replay", "m", "--all"); code != 0 {
			t.Fatalf("replay: %d %s %s", code, out, stderr)
		}
	}
	s.Send("m", `{"id":4,"v":"x"}`)
	if got, want := s.SQL("SELECT string_agg(id || '=' || v, ' ' ORDER BY id) AS r FROM m"), `{"r":"1=1 2=high 3=low 4=x"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := s.SQL("SELECT count(*) AS n FROM leat_system.dead_letters"); got != `{"n":0}` {
		t.Errorf("dead letters left: %s", got)
	}
}

func TestADeadLetterIsShownWhole(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM m (id BIGINT, v BIGINT)")
	s.Send("m", `{"id":1,"v":1}`+"\n"+`{"id":2,"v":"high"}`)
	id := strings.TrimSuffix(strings.TrimPrefix(s.SQL("SELECT id FROM leat_system.dead_letters"), `{"id":"`), `"}`)
	out, stderr, code := s.CLI("", "dead", "show", "m", id)
	for _, want := range []string{id, `"code":"invalid_record"`, `"path":"$.v"`, `\"high\"`, "ALTER STREAM m ALTER COLUMN v TYPE"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d %s %s: want %s", code, out, stderr, want)
		}
	}
	if _, _, code := s.CLI("", "dead", "show", "m", "01a1fe95-f079-79b6-be58-3b4b00902d7b"); code != 1 {
		t.Errorf("a letter that isn't there: exit code %d", code)
	}
}

func TestARestartKeepsAll(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"a":1}`)
	s.SQL("CREATE VIEW v AS SELECT a + 1 AS b FROM e; CREATE ENDPOINT p AS SELECT b FROM v")
	s.Stop()
	again := harness.Start(t, s.Data)
	if got := again.SQL("SELECT b FROM v"); got != `{"b":2}` {
		t.Errorf("got %s", got)
	}
	if status, got := again.Get("/v1/endpoints/p"); status != http.StatusOK {
		t.Errorf("endpoint: %d %s", status, got)
	}
	if !strings.Contains(again.Log(), "opened") || !strings.Contains(again.Log(), again.Data) {
		t.Errorf("the start doesn't say what it opened:\n%s", again.Log())
	}
	again.Send("e", `{"a":2}`)
	if got := again.SQL("SELECT count(*) AS n FROM e"); got != `{"n":2}` {
		t.Errorf("got %s", got)
	}
}

func TestASecondStartSaysWhoHoldsTheData(t *testing.T) {
	s := harness.Start(t, "")
	_, err := harness.Launch(t, s.Data)
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(s.PID())) || !strings.Contains(err.Error(), strings.TrimPrefix(s.URL, "http://")) {
		t.Errorf("got %v", err)
	}
}

func TestAScriptIsOneTransaction(t *testing.T) {
	s := harness.Start(t, "")
	status, got := s.Post("/v1/sql", "application/sql", "CREATE STREAM a (x INT); CREATE VIEW v AS SELECT y FROM a;")
	if status != http.StatusBadRequest || !strings.Contains(got, `"line":1`) {
		t.Errorf("%d %s", status, got)
	}
	if status, got := s.Post("/v1/sql", "application/sql", "SELECT * FROM a"); !strings.Contains(got, "unknown_relation") {
		t.Errorf("half a script was done: %d %s", status, got)
	}
	s.SQL("CREATE STREAM a (x INT); CREATE VIEW v AS SELECT x FROM a;")
	if status, got := s.Post("/v1/sql", "application/sql", "DROP STREAM a"); status != http.StatusConflict || !strings.Contains(got, "v") {
		t.Errorf("%d %s", status, got)
	}
}

func TestIdempotencyKey(t *testing.T) {
	s := harness.Start(t, "")
	post := func(body string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, s.URL+"/v1/events/e?wait=visible", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", "k1")
		status, _, answer, err := s.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return status, string(answer)
	}
	s.Send("e", `{"a":0}`)
	_, first := post(`{"a":1}`)
	status, second := post(`{"a":1}`)
	var a, b struct {
		Accepted int
		Position string
	}
	if json.Unmarshal([]byte(first), &a) != nil || json.Unmarshal([]byte(second), &b) != nil || status != http.StatusOK || a != b {
		t.Errorf("first %s, second %d %s", first, status, second)
	}
	if status, got := post(`{"a":2}`); status != http.StatusUnprocessableEntity {
		t.Errorf("another body: %d %s", status, got)
	}
	if got := s.SQL("SELECT count(*) AS n FROM e"); got != `{"n":2}` {
		t.Errorf("got %s", got)
	}
}

func TestInferPrintsTheStream(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "orders.ndjson")
	if err := os.WriteFile(file, []byte(`{"id":1,"at":"2026-01-05T10:00:00Z","tags":["a"]}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := harness.Run(t, "", harness.CleanEnv(), dir, "infer", file)
	if code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	s := harness.Start(t, "")
	s.SQL(out)
	s.Send("orders", `{"id":1,"at":"2026-01-05T10:00:00Z","tags":["a"]}`)
	if got := s.SQL("SELECT id, tags FROM orders"); got != `{"id":1,"tags":["a"]}` {
		t.Errorf("got %s", got)
	}
}
