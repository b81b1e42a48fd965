package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"leat/test/harness"
	"leat/test/services"
)

// pushed is an event of the wire.
type pushed struct {
	Event string          `json:"event"`
	ID    string          `json:"id"`
	Data  json.RawMessage `json:"data"`
}

// replayed is what a client makes of events: rows as JSON with their numbers. Rows with a key have the number 1.
type replayed struct {
	key  string
	rows map[string]int
	last string
	// resets and resumes count.
	resets, resumes int
}

func (r *replayed) clear() { r.rows = map[string]int{} }

// keyOf is the value of the key column of a row.
func (r *replayed) keyOf(row []byte) string {
	var members map[string]any
	if err := json.Unmarshal(row, &members); err != nil {
		panic(fmt.Sprintf("%v: %s", err, row))
	}
	return fmt.Sprint(members[r.key])
}

func (r *replayed) drop(key string) {
	maps.DeleteFunc(r.rows, func(row string, _ int) bool { return r.keyOf([]byte(row)) == key })
}

func (r *replayed) take(e pushed) error {
	switch e.Event {
	case "snapshot":
		var page struct{ Rows []json.RawMessage }
		if err := json.Unmarshal(e.Data, &page); err != nil {
			return err
		}
		for _, row := range page.Rows {
			r.rows[string(row)]++
		}
	case "reset":
		r.clear()
		r.last = ""
		r.resets++
	case "upsert":
		r.drop(r.keyOf(e.Data))
		r.rows[string(e.Data)] = 1
	case "delete", "insert":
		if r.key != "" {
			r.drop(r.keyOf(e.Data))
			break
		}
		var one struct {
			Row   json.RawMessage
			Count int
		}
		if err := json.Unmarshal(e.Data, &one); err != nil {
			return err
		}
		if e.Event == "delete" {
			one.Count = -one.Count
		}
		if r.rows[string(one.Row)] += one.Count; r.rows[string(one.Row)] == 0 {
			delete(r.rows, string(one.Row))
		}
	case "progress":
	default:
		return fmt.Errorf("event %s: %s", e.Event, e.Data)
	}
	if e.ID != "" {
		r.last = e.ID
	}
	return nil
}

// follower follows one path, over SSE or WebSocket, and loses its connection now and then. mu guards what it knows.
type follower struct {
	server    *harness.Server
	path      string
	socket    bool
	mu        sync.Mutex
	known     replayed
	failed    error
	connected int
}

func newFollower(s *harness.Server, path, key string, socket bool) *follower {
	f := &follower{server: s, path: path, socket: socket, known: replayed{key: key}}
	f.known.clear()
	return f
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, time.Duration(50+r.IntN(1500))*time.Millisecond)
		err := f.connect(one)
		cancel()
		if err != nil {
			f.mu.Lock()
			f.failed = err
			f.mu.Unlock()
			return
		}
	}
}

// connect follows one connection until ctx ends.
func (f *follower) connect(ctx context.Context) error {
	f.mu.Lock()
	target := f.server.URL + f.path
	f.connected++
	if f.known.last == "" {
		f.known.clear()
	} else {
		f.known.resumes++
		target += map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")] + "_from=" + url.QueryEscape(f.known.last)
	}
	f.mu.Unlock()
	take := func(e pushed) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.known.take(e)
	}
	if f.socket {
		return f.messages(ctx, target, take)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		answer, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return ignoreEnd(ctx, eachEvent(resp.Body, take))
}

func ignoreEnd(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// eachEvent reads Server-Sent Events to their end.
func eachEvent(body io.Reader, take func(pushed) error) error {
	in := bufio.NewReader(body)
	var e pushed
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
		switch name {
		case "event":
			e.Event = value
		case "id":
			e.ID = value
		case "data":
			e.Data = json.RawMessage(value)
		case "":
			if e.Event != "" {
				if err := take(e); err != nil {
					return err
				}
			}
			e = pushed{}
		}
	}
}

func (f *follower) messages(ctx context.Context, target string, take func(pushed) error) error {
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(target, "http"), nil)
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 24)
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		var e pushed
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		if err := take(e); err != nil {
			return err
		}
	}
}

// has reports whether the follower knows exactly these rows.
func (f *follower) has(want map[string]int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Equal(f.known.rows, want)
}

// rowsOf are the rows of a query, as followers print them.
func rowsOf(s *harness.Server, query string) map[string]int {
	out := map[string]int{}
	for line := range strings.Lines(s.SQL(query)) {
		out[strings.TrimSpace(line)]++
	}
	return out
}

const pushedTable = `CREATE TABLE cells (k BIGINT PRIMARY KEY, n BIGINT);
CREATE MATERIALIZED VIEW most AS SELECT k, n, n % 7 AS m FROM cells WHERE n % 3 <> 0;
CREATE MATERIALIZED VIEW bag AS SELECT n % 5 AS m FROM cells;
CREATE ENDPOINT sums (least BIGINT DEFAULT 0) AS SELECT m, count(*) AS c FROM most WHERE k >= $least GROUP BY m;
CREATE ENDPOINT cell (k BIGINT) AS SELECT n FROM most WHERE k = $k;
CREATE ENDPOINT above (least BIGINT) AS SELECT n + 1 AS m, k FROM most WHERE n > $least;`

// churn changes the table at random.
func churn(s *harness.Server, r *rand.Rand, times int) {
	for range times {
		var body strings.Builder
		for range 1 + r.IntN(5) {
			k := r.IntN(40)
			if r.IntN(4) == 0 {
				fmt.Fprintf(&body, "{\"k\":%d,\"_op\":\"d\"}\n", k)
			} else {
				fmt.Fprintf(&body, "{\"k\":%d,\"n\":%d}\n", k, r.IntN(1000))
			}
		}
		s.Send("cells", body.String())
		if r.IntN(4) == 0 {
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		}
	}
}

// Whatever connections are lost, what followers were told adds up to the view.
func TestFollowers(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(pushedTable)
	r := rand.New(rand.NewPCG(1, 2))
	churn(s, r, 20)
	type kind struct{ path, key, query string }
	kinds := []kind{
		{"/v1/views/most/changes", "k", "FROM most"},
		{"/v1/views/most/changes?m=3", "k", "FROM most WHERE m = 3"},
		{"/v1/views/most/changes?k=7", "k", "FROM most WHERE k = 7"},
		{"/v1/views/bag/changes", "", "FROM bag"},
		{"/v1/views/bag/changes?m=1", "", "FROM bag WHERE m = 1"},
		{"/v1/tables/cells/changes", "k", "FROM cells"},
		{"/v1/endpoints/sums/live?least=10", "", "SELECT m, count(*) AS c FROM most WHERE k >= 10 GROUP BY m"},
		{"/v1/endpoints/cell/live?k=7", "", "SELECT n FROM most WHERE k = 7"},
		{"/v1/endpoints/above/live?least=500", "k", "SELECT n + 1 AS m, k FROM most WHERE n > 500"},
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var all sync.WaitGroup
	var followers []*follower
	of := map[*follower]kind{}
	for i := range 3 * len(kinds) {
		k := kinds[i%len(kinds)]
		f := newFollower(s, k.path, k.key, i/len(kinds) == 1)
		followers, of[f] = append(followers, f), k
		random := rand.New(rand.NewPCG(3, uint64(i)))
		all.Go(func() { f.run(ctx, random) })
	}
	churn(s, r, 400)
	resumes := 0
	for _, f := range followers {
		k := of[f]
		wait(t, fmt.Sprintf("%s knows the rows (socket %v)", k.path, f.socket), func() bool { return f.failed != nil || f.has(rowsOf(s, k.query)) }, s.Log)
		f.mu.Lock()
		if f.failed != nil || f.known.resets > 0 {
			t.Errorf("%s: %v, %d resets", k.path, f.failed, f.known.resets)
		}
		resumes += f.known.resumes
		f.mu.Unlock()
	}
	end()
	all.Wait()
	if resumes < len(followers) {
		t.Errorf("%d resumptions, which proves little", resumes)
	}
	wait(t, "nobody subscribes", func() bool {
		_, text := s.Get("/metrics")
		return strings.Contains(text, "leat_push_subscribers 0\n")
	}, s.Log)
}

// A stream tells of the end of what it follows, and of the server's.
func TestFollowersAreToldOfTheEnd(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(pushedTable)
	s.Send("cells", `{"k":1,"n":1}`)
	events := make(chan pushed, 100)
	next := func() pushed {
		for {
			select {
			case e := <-events:
				if e.Event != "progress" {
					return e
				}
			case <-time.After(time.Minute):
				t.Fatal("no event")
			}
		}
	}
	open := func(path string) {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer resp.Body.Close()
			_ = eachEvent(resp.Body, func(e pushed) error { events <- e; return nil })
			events <- pushed{Event: "end"}
		}()
	}
	open("/v1/views/most/changes")
	if e := next(); e.Event != "snapshot" {
		t.Fatal(e)
	}
	s.SQL("CREATE OR REPLACE MATERIALIZED VIEW most AS SELECT k, n, 'new' AS m FROM cells")
	if e := next(); e.Event != "reset" {
		t.Fatal(e)
	}
	if e := next(); e.Event != "snapshot" || !strings.Contains(string(e.Data), `{"k":1,"n":1,"m":"new"}`) {
		t.Fatalf("%s %s", e.Event, e.Data)
	}
	s.SQL("DROP ENDPOINT sums; DROP ENDPOINT cell; DROP ENDPOINT above; DROP VIEW most")
	if e := next(); e.Event != "error" || !strings.Contains(string(e.Data), "not_found") {
		t.Fatalf("%s %s", e.Event, e.Data)
	}
	if e := next(); e.Event != "end" {
		t.Fatal(e)
	}
	open("/v1/views/bag/changes")
	last := next().ID
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/v1/views/bag/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.Stop() }()
	if e := next(); e.Event != "error" || !strings.Contains(string(e.Data), "unavailable") {
		t.Errorf("%s %s", e.Event, e.Data)
	}
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ended with %v", err)
	}
	<-stopped
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the server took %s to stop", took)
	}
	if e := next(); e.Event != "end" {
		t.Fatal(e)
	}
	s = harness.Start(t, s.Data)
	open("/v1/views/bag/changes?_from=" + last)
	if e := next(); e.Event != "reset" {
		t.Errorf("%s %s", e.Event, e.Data)
	}
	if e := next(); e.Event != "snapshot" {
		t.Errorf("%s %s", e.Event, e.Data)
	}
}

// cutter passes connections on to a server, and cuts them all when asked to.
type cutter struct {
	net.Listener
	target string
	mu     sync.Mutex // guards conns
	conns  []net.Conn
	wg     sync.WaitGroup
}

func newCutter(t *testing.T, target string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, target: strings.TrimPrefix(target, "http://")}
	c.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", c.target)
			if err != nil {
				in.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				c.wg.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
					pair[1].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.cut()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// A real browser follows over EventSource and WebSocket, and goes on where its connections were cut.
func TestABrowserFollows(t *testing.T) {
	chromium := services.Command(t, "chromium", "chromium", "fonts-dejavu-core")
	dir := services.NPM(t, "puppeteer-core@25.16.0")
	s := harness.Start(t, "")
	s.SQL(pushedTable)
	r := rand.New(rand.NewPCG(5, 6))
	churn(s, r, 20)
	proxy := newCutter(t, s.URL)
	script, err := os.ReadFile(filepath.Join("testdata", "push_browser.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "push_browser.mjs")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", path, chromium, "http://"+proxy.Addr().String(), "/v1/views/most/changes")
	cmd.Dir = dir
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the browser's script: %v\n%s", err, stderr.String())
		}
	})
	lines := bufio.NewReader(out)
	type state struct {
		Rows              []string
		Opened, Snapshots int
		Resets            int
	}
	ask := func() (answer struct{ Source, Socket state }) {
		if _, err := io.WriteString(in, "state\n"); err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr.String())
		}
		if err := json.Unmarshal([]byte(line), &answer); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		return answer
	}
	wait(t, "the browser has begun", func() bool { a := ask(); return a.Source.Snapshots > 0 && a.Socket.Snapshots > 0 }, s.Log)
	for i := range 3 {
		churn(s, r, 30)
		proxy.cut()
		churn(s, r, 10)
		wait(t, "the browser is there again", func() bool { a := ask(); return a.Source.Opened > i+1 && a.Socket.Opened > i+1 }, s.Log)
	}
	want := slices.Sorted(maps.Keys(rowsOf(s, "FROM most")))
	wait(t, "the browser knows the rows", func() bool { a := ask(); return slices.Equal(a.Source.Rows, want) && slices.Equal(a.Socket.Rows, want) }, s.Log)
	if a := ask(); a.Source.Snapshots != 1 || a.Socket.Snapshots != 1 || a.Source.Resets+a.Socket.Resets != 0 {
		t.Errorf("the browser began anew: %+v", a)
	}
}
