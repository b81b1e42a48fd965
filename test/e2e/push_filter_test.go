package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"leat/test/harness"
)

// following opens a stream as whoever has a token, and returns its events; the status is that of the answer, and a problem's code comes as the only
// event.
func following(t *testing.T, s *harness.Server, token, path string) (status int, events <-chan pushed) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan pushed, 100)
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		defer close(out)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(resp.Body)
			var p struct{ Code string }
			_ = json.Unmarshal(body, &p)
			out <- pushed{Event: p.Code, Data: body}
			return
		}
		_ = eachEvent(resp.Body, func(e pushed) error {
			if e.Event != "progress" {
				out <- e
			}
			return nil
		})
	}()
	return resp.StatusCode, out
}

func soon(t *testing.T, events <-chan pushed) pushed {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
	}
	return pushed{}
}

// snapshotRows are the rows of the first event, sorted, with spaces between.
func snapshotRows(t *testing.T, events <-chan pushed) string {
	t.Helper()
	e := soon(t, events)
	var page struct {
		Rows []json.RawMessage
		Last bool
	}
	if err := json.Unmarshal(e.Data, &page); err != nil || e.Event != "snapshot" || !page.Last {
		t.Fatalf("%v: %s %s", err, e.Event, e.Data)
	}
	var rows []string
	for _, r := range page.Rows {
		rows = append(rows, string(r))
	}
	slices.Sort(rows)
	return strings.Join(rows, " ")
}

// A tenant follows its own rows only, whichever way it asks.
func TestTenantsFollowTheirOwnRows(t *testing.T) {
	s, tokens := tenants(t)
	for path, want := range seenByA {
		name, isEndpoint := strings.CutPrefix(path, "/v1/endpoints/")
		if !isEndpoint {
			continue
		}
		name, query, _ := strings.Cut(name, "?")
		if strings.Contains(query, "_") || strings.Contains(query, "format") {
			continue
		}
		status, events := following(t, s, tokens["a"], "/v1/endpoints/"+name+"/live?"+query)
		if want != "" && want[0] != '{' {
			if e := soon(t, events); status < 400 || !strings.HasPrefix(want, "4") {
				t.Errorf("%s: %d %s, want %s", path, status, e.Data, want)
			}
			continue
		}
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, soon(t, events).Data)
			continue
		}
		sorted := strings.Split(want, " ")
		slices.Sort(sorted)
		if got := snapshotRows(t, events); got != strings.Join(sorted, " ") {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]string{
		"/v1/views/totals/changes":             `{"tenant":"a","id":1,"s":"3"} {"tenant":"a","id":2,"s":"4"}`,
		"/v1/views/totals/changes?tenant=b":    "",
		"/v1/views/totals/changes?tenant=a":    `{"tenant":"a","id":1,"s":"3"} {"tenant":"a","id":2,"s":"4"}`,
		"/v1/views/totals/changes?id=2":        `{"tenant":"a","id":2,"s":"4"}`,
		"/v1/views/totals/changes?id=3":        "",
		"/v1/tables/users/changes":             `{"id":1,"tenant":"a","name":"ann"} {"id":3,"tenant":"a","name":"al"}`,
		"/v1/views/everything/changes":         "permission_denied",
		"/v1/views/totals/changes?tenant.null": "",
	} {
		status, events := following(t, s, tokens["a"], path)
		if strings.HasPrefix(want, "perm") {
			if e := soon(t, events); status != http.StatusForbidden || e.Event != want {
				t.Errorf("%s: %d %s", path, status, e.Data)
			}
			continue
		}
		if got := snapshotRows(t, events); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// What changes for one tenant is told to that one alone; streams end with the token that opened them.
func TestChangesOfTenants(t *testing.T) {
	s, tokens := tenants(t)
	streams := map[string]<-chan pushed{}
	for _, who := range []string{"a", "b"} {
		for _, path := range []string{"/v1/views/totals/changes?_snapshot=false", "/v1/endpoints/by_key/live?id=1&_snapshot=false", "/v1/endpoints/stored/live?_snapshot=false"} {
			_, streams[who+path] = following(t, s, tokens[who], path)
		}
	}
	for _, e := range streams { // each is there once its first comment could be read; the marker below is told to all
		_ = e
	}
	s.Send("orders", `{"tenant":"a","id":1,"v":"9","n":10}`)
	for key, events := range streams {
		if key[0] != 'a' {
			continue
		}
		for e := soon(t, events); ; e = soon(t, events) {
			if strings.Contains(string(e.Data), `"b"`) {
				t.Errorf("%s: %s", key, e.Data)
			}
			if strings.Contains(string(e.Data), `"13"`) || strings.Contains(string(e.Data), `"n":10`) {
				break
			}
		}
	}
	s.Send("orders", `{"tenant":"b","id":1,"v":"8","n":20}`)
	for key, events := range streams {
		if key[0] != 'b' {
			continue
		}
		for e := soon(t, events); ; e = soon(t, events) {
			if strings.Contains(string(e.Data), `"a"`) {
				t.Errorf("%s: %s", key, e.Data)
			}
			if strings.Contains(string(e.Data), `"25"`) || strings.Contains(string(e.Data), `"n":20`) {
				break
			}
		}
	}
	for key, events := range streams {
		select {
		case e := <-events:
			t.Errorf("%s: one more event: %s %s", key, e.Event, e.Data)
		default:
		}
	}
	token := filteredToken(t, s, map[string]any{"*": map[string]any{"tenant": "a"}}, nil)
	_, events := following(t, s, token, "/v1/views/totals/changes")
	snapshotRows(t, events)
	conn, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/v1/views/totals/changes?_token="+token, nil)
	if err != nil {
		t.Fatalf("%v: %v", err, resp)
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := strings.Split(token, "_")[1]
	if status, _, answer, err := s.Do(must(http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL+"/v1/tokens/"+id, nil))); err != nil || status != http.StatusNoContent {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	if e := soon(t, events); e.Event != "error" || !strings.Contains(string(e.Data), "unauthenticated") {
		t.Errorf("%s %s", e.Event, e.Data)
	}
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the WebSocket ended with %v", err)
	}
}

func must(req *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return req
}
