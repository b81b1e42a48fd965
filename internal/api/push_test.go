package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"leat/internal/types"
)

// channel is a Stream that a test fills; it remembers what was asked for.
type channel struct {
	texts chan string
	mu    sync.Mutex // guards asked and closed
	asked []SubscribeRequest
	// closed counts streams that were closed.
	closed int
}

// Subscribe implements Pushes.
func (c *channel) Subscribe(_ context.Context, r SubscribeRequest) (Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Relation == "gone" {
		return nil, types.Errorf(types.NotFound, "there is none")
	}
	r.Principal.Scopes = nil
	c.asked = append(c.asked, r)
	return channelStream{c}, nil
}

type channelStream struct{ *channel }

// Next implements Stream.
func (c channelStream) Next(ctx context.Context) ([][]byte, error) {
	select {
	case text, ok := <-c.texts:
		if !ok {
			return nil, types.Errorf(types.Unavailable, "the server stops")
		}
		return [][]byte{[]byte(text)}, nil
	case <-ctx.Done():
		return nil, types.Errorf(types.Canceled, "canceled")
	}
}

// Ready implements Stream.
func (c channelStream) Ready() bool { return len(c.texts) > 0 }

// Last implements Stream.
func (c channelStream) Last(err error) [][]byte {
	return [][]byte{[]byte("LAST " + err.Error() + "\n")}
}

// Close implements Stream.
func (c channelStream) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
}

func (c *channel) closes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

func pushing(t *testing.T, change ...func(*Options)) (*harness, *channel) {
	c := &channel{texts: make(chan string, 100)}
	return newHarness(t, append(change, func(o *Options) { o.Pushes = c })...), c
}

func TestStreamsAreAskedForByParameters(t *testing.T) {
	h, c := pushing(t)
	close(c.texts)
	for target, want := range map[string]SubscribeRequest{
		"/v1/views/v/changes": {Relation: "v", Columns: map[string]string{}},
		"/v1/views/v/changes?a=1&b.null=&_snapshot=false&_slow=cut&_limit=5&_int64=string&_from=x": {Relation: "v", Columns: map[string]string{"a": "1", "b.null": ""},
			NoSnapshot: true, Cut: true, Limit: 5, Int64AsString: true, From: "x"},
		"/v1/tables/t/changes?_snapshot=1":  {Relation: "t", Columns: map[string]string{}},
		"/v1/endpoints/e/live?p=1&_limit=7": {Endpoint: "e", Args: map[string]any{"p": "1"}, Limit: 7},
	} {
		w := h.do("GET", target, "")
		got := c.asked[len(c.asked)-1]
		if want.Idle = pushIdle; w.Code != 200 || w.Header().Get("Content-Type") != "text/event-stream; charset=utf-8" || w.Header().Get("X-Accel-Buffering") != "no" {
			t.Errorf("%s: %d %v %s", target, w.Code, w.Header(), w.Body)
		}
		if got.Principal.ID = ""; !reflect.DeepEqual(got, want) {
			t.Errorf("%s asked for %+v, want %+v", target, got, want)
		}
		if body := w.Body.String(); body != "retry: 1000\n\nLAST the server stops\n" {
			t.Errorf("%s: %q", target, body)
		}
	}
	h.do("GET", "/v1/views/v/changes", "", "Last-Event-ID", "header")
	if got := c.asked[len(c.asked)-1].From; got != "header" {
		t.Errorf("Last-Event-ID gave %q", got)
	}
	h.wantProblem(h.do("GET", "/v1/views/gone/changes", ""), types.NotFound)
	h.wantProblem(h.do("GET", "/v1/views/v/changes?_slow=never", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/views/v/changes?_snapshot=maybe", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/views/v/changes?_other=1", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/views/v/changes?_limit=0", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/views/v/changes", "", "Upgrade", "smoke", "Connection", "Upgrade"), types.InvalidArgument)
	if c.closes() != len(c.asked) {
		t.Errorf("%d of %d streams were closed", c.closes(), len(c.asked))
	}
	none := newHarness(t)
	none.wantProblem(none.do("GET", "/v1/views/v/changes", ""), types.Unsupported)
}

// A stream outlives the time that one write may take, over each version of HTTP, and takes no place of requests.
func TestStreamsMayBeSilent(t *testing.T) {
	h, c := pushing(t, func(o *Options) { o.Limits = Limits{WriteTimeout: 50 * time.Millisecond, MaxRequests: 1} })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(h.handler, h.options.Limits, h.options.Log)
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	for name, h2 := range map[string]bool{"1.1": false, "2": true} {
		t.Run(name, func(t *testing.T) {
			protocols := new(http.Protocols)
			protocols.SetHTTP1(!h2)
			protocols.SetUnencryptedHTTP2(h2)
			transport := &http.Transport{Protocols: protocols}
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport}
			resp, err := client.Get("http://" + l.Addr().String() + "/v1/views/v/changes")
			if err != nil {
				t.Fatal(err)
			}
			body := bufio.NewReader(resp.Body)
			for i := range 3 {
				time.Sleep(150 * time.Millisecond) // silence is what this is about
				c.texts <- "data: x\n"
				want := "data: x\n"
				if i == 0 {
					want = "retry: 1000\n\ndata: x\n"
				}
				got := make([]byte, len(want))
				if _, err := io.ReadFull(body, got); err != nil || string(got) != want {
					t.Fatalf("%q, %v", got, err)
				}
			}
			if other, err := client.Get("http://" + l.Addr().String() + "/v1/status"); err != nil || other.StatusCode != 200 {
				t.Errorf("another request: %v, %v", other, err)
			} else {
				other.Body.Close()
			}
			before := c.closes()
			resp.Body.Close()
			h.waitFor("the stream is closed when its client leaves", func() bool { return c.closes() > before })
		})
	}
}

func TestWebSocket(t *testing.T) {
	h, c := pushing(t)
	server := h.serve()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	target := "ws" + strings.TrimPrefix(server.URL, "http") + "/v1/views/v/changes?a=1"
	conn, _, err := websocket.Dial(ctx, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.texts <- "one"
	if _, text, err := conn.Read(ctx); err != nil || string(text) != "one" {
		t.Errorf("%q, %v", text, err)
	}
	// A client that talks is sent away.
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Error(err)
	}
	h.waitFor("its stream is closed", func() bool { return c.closes() == 1 })
	if conn, _, err = websocket.Dial(ctx, target, nil); err != nil {
		t.Fatal(err)
	}
	conn.CloseNow()
	h.waitFor("the stream of a client that left is closed", func() bool { return c.closes() == 2 })
	if conn, _, err = websocket.Dial(ctx, target, nil); err != nil {
		t.Fatal(err)
	}
	close(c.texts)
	if _, text, err := conn.Read(ctx); err != nil || string(text) != "LAST the server stops\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Error(err)
	}
	for _, r := range c.asked {
		if !r.Messages || r.Columns["a"] != "1" {
			t.Errorf("%+v", r)
		}
	}
	header := http.Header{"Origin": {"https://elsewhere.example"}}
	if _, resp, err := websocket.Dial(ctx, target, &websocket.DialOptions{HTTPHeader: header}); err == nil || resp == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another origin: %v", err)
	}
}
