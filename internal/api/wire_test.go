package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func decodeLoose(b []byte, v any) error { return json.Unmarshal(b, v) }

// dial opens a raw connection and sends text.
func dial(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSlowBodyIsCut(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{BodyGrace: 100 * time.Millisecond, MinBodyRate: 1 << 20} })
	srv := h.serve()
	for name, target := range map[string]string{"read by ingest": "/v1/events/x", "read whole": "/v1/sql", "not read": "/nothing"} {
		conn := dial(t, srv.Listener.Addr().String(), "POST "+target+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if target != "/nothing" && (resp.StatusCode != 408 || !strings.Contains(string(body), `"code":"timeout"`)) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
		if n, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s: the connection stays open: %d, %v", name, n, err)
		}
	}
	if len(h.fake.events) != 0 {
		t.Error("half a body was kept")
	}
}

// A body that keeps up its pace may take longer than the grace.
func TestSteadyBodyPasses(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{BodyGrace: 100 * time.Millisecond, MinBodyRate: 16} })
	srv := h.serve()
	r, w := io.Pipe()
	go func() {
		start := time.Now()
		for time.Since(start) < 400*time.Millisecond {
			if _, err := w.Write([]byte("{\"n\":123456789}\n")); err != nil {
				return
			}
			<-time.After(10 * time.Millisecond)
		}
		w.Close()
	}()
	resp, err := http.Post(srv.URL+"/v1/events/x", "", r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		b, _ := io.ReadAll(resp.Body)
		t.Errorf("%d %s", resp.StatusCode, b)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSlowHeaderIsCut(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{HeaderTimeout: 100 * time.Millisecond} })
	conn := dial(t, h.serve().Listener.Addr().String(), "GET /healthz HTTP/1.1\r\nHost: loc")
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
}

func TestGiantHeadersAreRefused(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{MaxHeader: 4 << 10} })
	srv := h.serve()
	text := "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Big: " + strings.Repeat("x", 10<<10) + "\r\n\r\n"
	resp, err := http.ReadResponse(bufio.NewReader(dial(t, srv.Listener.Addr().String(), text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestClientGoneHalfWayKeepsNothing(t *testing.T) {
	h := newHarness(t)
	srv := h.serve()
	conn := dial(t, srv.Listener.Addr().String(), "POST /v1/events/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"n\":1}\n")
	conn.Close()
	h.waitFor("the request to end", func() bool { return len(h.meter.ends) == 1 })
	if len(h.fake.events) != 0 || h.meter.ends[0] != "POST /v1/events/{stream} 499" {
		t.Errorf("kept %v, ended %v", h.fake.events, h.meter.ends)
	}
}

// waitFor waits until the condition, which reads the fakes, holds.
func (h *harness) waitFor(what string, ok func() bool) {
	h.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		h.meter.mu.Lock()
		h.fake.mu.Lock()
		holds := ok()
		h.fake.mu.Unlock()
		h.meter.mu.Unlock()
		if holds {
			return
		}
		if time.Now().After(deadline) {
			h.Fatalf("waited in vain for %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func TestClientThatLeavesCancelsItsQuery(t *testing.T) {
	h := newHarness(t)
	h.fake.block = true
	srv := h.serve()
	conn := dial(t, srv.Listener.Addr().String(), "POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nSELECT 1")
	h.waitFor("the query", func() bool { return len(h.fake.sql) == 1 })
	conn.Close()
	h.waitFor("the query to end", func() bool { return len(h.meter.ends) == 1 })
}

// A query that outlives the body's grace must not be taken for a slow body.
func TestLongQuerySurvivesTheBodyDeadline(t *testing.T) {
	h := newHarness(t, func(o *Options) {
		o.Limits = Limits{BodyGrace: 50 * time.Millisecond, QueryTimeout: 300 * time.Millisecond}
	})
	h.fake.block = true
	srv := h.serve()
	resp, err := http.Post(srv.URL+"/v1/sql", "text/plain", strings.NewReader("SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(b), "longer than its timeout") {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

func TestLateFailureCutsTheConnection(t *testing.T) {
	h := newHarness(t)
	srv := h.serve()
	defer http.DefaultClient.CloseIdleConnections()
	get := func(rows, failAt int) (int, string, error) {
		h.fake.mu.Lock()
		h.fake.rows, h.fake.failAt = rows, failAt
		h.fake.mu.Unlock()
		resp, err := http.Get(srv.URL + "/v1/sql?q=SELECT+1")
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	if status, body, err := get(5000, 2000); err != nil || status != 503 || !strings.Contains(body, string(types.OutOfMemory)) {
		t.Errorf("a failure before the first flush: %d %.100s %v", status, body, err)
	}
	if status, body, err := get(100_000, 50_000); err == nil {
		t.Errorf("a failure after it looks whole: %d, %d bytes", status, len(body))
	}
	if _, body, err := get(100_000, 0); err != nil || strings.Count(body, "\n") != 100_000 {
		t.Errorf("a whole result: %d bytes, %v", len(body), err)
	}
	h.waitFor("results to be closed", func() bool { return h.fake.closed == 3 })
	if strings.Contains(h.log.String(), "panicked") {
		t.Error("an abort is logged as a panic")
	}
}

func TestClientThatStopsReadingFreesItsQuery(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{WriteTimeout: 100 * time.Millisecond} })
	h.fake.rows = 1 << 30
	conn := dial(t, h.serve().Listener.Addr().String(), "GET /v1/sql?q=SELECT+1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	h.waitFor("the result to be closed", func() bool { return h.fake.closed == 1 && len(h.meter.ends) == 1 })
	if log := h.log.String(); !strings.Contains(log, "code=canceled") || strings.Contains(log, "level=ERROR") {
		t.Errorf("log: %s", log)
	}
}

// The write deadline of one request must not cut the next one on the same connection.
func TestIdleConnectionsOutliveTheWriteTimeout(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{WriteTimeout: 50 * time.Millisecond} })
	conn := dial(t, h.serve().Listener.Addr().String(), "")
	reader := bufio.NewReader(conn)
	for _, method := range []string{"GET", "OPTIONS", "HEAD", "GET"} {
		if _, err := io.WriteString(conn, method+" /v1/sql?q=SELECT+1 HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		<-time.After(100 * time.Millisecond) // the passing of the timeout is what is tested
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Limits = Limits{MaxConns: 1} })
	srv := h.serve()
	addr := srv.Listener.Addr().String()
	const request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	first := dial(t, addr, request)
	if _, err := http.ReadResponse(bufio.NewReader(first), nil); err != nil {
		t.Fatal(err)
	}
	second := dial(t, addr, request)
	if err := second.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Fatalf("the second connection was served: %d bytes", n)
	}
	first.Close()
	if err := second.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(second), nil); err != nil || resp.StatusCode != 200 {
		t.Fatalf("after the first has gone: %v", err)
	}
}

func TestManyPostsOnOneConnection(t *testing.T) {
	h := newHarness(t)
	srv := h.serve()
	defer http.DefaultClient.CloseIdleConnections()
	for i := range 200 {
		resp, err := http.Post(srv.URL+"/v1/events/x", "", strings.NewReader(fmt.Sprintf("{\"n\":%d}\n", i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if n := strings.Count(string(h.fake.events["x"]), "\n"); n != 200 {
		t.Errorf("%d events", n)
	}
}

func BenchmarkPost(b *testing.B) {
	h := newHarness(b)
	body := strings.Repeat("{\"n\":1}\n", 1000)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		h.fake.events, h.fake.sends = map[string][]byte{}, nil
		if w := h.do("POST", "/v1/events/x", body); w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
