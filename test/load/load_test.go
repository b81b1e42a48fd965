// Package load puts the real binary under many clients at once and ends with exact counts: nothing sent is lost or counted twice, no reader
// sees a count go back, and what every subscriber was told adds up to the view.
package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/test/harness"
)

var (
	connections = flag.Int("connections", 1000, "connections that read and write")
	subscribers = flag.Int("subscribers", 5000, "subscribers")
	lasting     = flag.Duration("lasting", 10*time.Second, "how long is written")
)

const (
	keys    = 20
	writers = 10 // of the connections; each sends about one batch a second
	batch   = 50
	// patience is how long subscribers have to hear of the last change.
	patience = 90 * time.Second
)

// row is what the view has of a key.
type row struct{ N, S int64 }

// world is the state of one run.
type world struct {
	*harness.Server
	t      *testing.T
	client *http.Client
	// sent and sum are of the rows that were acknowledged.
	sent, sum atomic.Int64
	writes    atomic.Int64
	reads     atomic.Int64
	events    atomic.Int64
	resets    atomic.Int64
}

func TestManyClients(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of connections")
	}
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM hits (k BIGINT, n BIGINT)`)
	s.SQL(`CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(n)::BIGINT AS s FROM hits GROUP BY k`)
	s.SQL(`CREATE ENDPOINT one (k BIGINT) AS SELECT k, n, s FROM totals WHERE k = $k`)
	w := &world{Server: s, t: t, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *connections, MaxConnsPerHost: 0}}}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	subs := w.subscribe(ctx)
	if t.Failed() {
		t.FailNow()
	}
	w.traffic(ctx)
	want := w.view()
	for k, sub := range subs {
		if !sub.reaches(want, patience) {
			t.Fatalf("subscriber %d (%s) has %v, want %v", k, sub.path, sub.state(), sub.filtered(want))
		}
	}
	var n, sum int64
	for _, r := range want {
		n, sum = n+r.N, sum+r.S
	}
	if n != w.sent.Load() || sum != w.sum.Load() || n == 0 {
		t.Errorf("the view counts %d rows with the sum %d; %d with %d were acknowledged", n, sum, w.sent.Load(), w.sum.Load())
	}
	if got := s.SQL("SELECT count(*) AS n, sum(n)::BIGINT AS s FROM hits"); got != fmt.Sprintf(`{"n":%d,"s":%d}`, n, sum) {
		t.Errorf("SQL has %s, the view %d rows with the sum %d", got, n, sum)
	}
	t.Logf("%d rows in %d batches by %d connections, %d reads, %d subscribers, %d events, %d resets", n, w.writes.Load(), *connections, w.reads.Load(), len(subs), w.events.Load(), w.resets.Load())
}

// view is the view as it is in the end.
func (w *world) view() map[int64]row {
	out := map[int64]row{}
	for line := range strings.Lines(w.SQL("SELECT k, n, s FROM totals")) {
		k, r := parse(w.t, []byte(line))
		out[k] = r
	}
	return out
}

// traffic writes and reads until the time is over.
func (w *world) traffic(ctx context.Context) {
	end := time.Now().Add(*lasting)
	var wg sync.WaitGroup
	for c := range *connections {
		wg.Go(func() {
			for turn := 0; time.Now().Before(end); turn++ {
				if c < writers {
					w.write(ctx, c, turn)
				} else {
					w.read(ctx, int64((c+turn)%keys))
				}
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
}

// write sends a batch that touches a few keys, and reads its own write.
func (w *world) write(ctx context.Context, c, turn int) {
	var body strings.Builder
	var sum int64
	for i := range batch {
		n := int64(c + turn + i)
		sum += n
		fmt.Fprintf(&body, "{\"k\":%d,\"n\":%d}\n", (c+turn+i%5)%keys, n)
	}
	header, answer := w.do(ctx, "POST", "/v1/events/hits", body.String(), nil)
	if header == nil {
		return
	}
	var got struct{ Accepted int64 }
	if err := json.Unmarshal(answer, &got); err != nil || got.Accepted != batch {
		w.t.Errorf("a batch was answered %s", answer)
	}
	w.sent.Add(batch)
	w.writes.Add(1)
	w.sum.Add(sum)
	key := int64((c + turn) % keys)
	_, answer = w.do(ctx, "GET", fmt.Sprintf("/v1/endpoints/one?k=%d&format=ndjson", key), "", http.Header{"Leat-After": header["Leat-Position"]})
	if len(answer) == 0 {
		w.t.Errorf("key %d is not there behind its own write", key)
	}
}

func (w *world) read(ctx context.Context, key int64) {
	_, answer := w.do(ctx, "GET", fmt.Sprintf("/v1/endpoints/one?k=%d&format=ndjson", key), "", nil)
	if len(answer) > 0 {
		if k, r := parse(w.t, answer); k != key || r.N <= 0 {
			w.t.Errorf("key %d was answered %s", key, answer)
		}
	}
	w.reads.Add(1)
}

// do sends a request that must succeed; the header is nil where it did not.
func (w *world) do(ctx context.Context, method, path, body string, headers http.Header) (http.Header, []byte) {
	req, err := http.NewRequestWithContext(ctx, method, w.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, values := range headers {
		req.Header[name] = values
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Errorf("%s %s: %v", method, path, err)
		return nil, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Errorf("%s %s: %d %s %v", method, path, resp.StatusCode, b, err)
		return nil, nil
	}
	return resp.Header, b
}

// parse reads {"k":1,"n":2,"s":3}.
func parse(t *testing.T, line []byte) (int64, row) {
	var r struct{ K, N, S int64 }
	if err := json.Unmarshal(line, &r); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	return r.K, row{r.N, r.S}
}

// subscriber replays what it is told.
type subscriber struct {
	world *world
	path  string
	key   int64 // -1 for all

	mu      sync.Mutex // guards what follows
	rows    map[int64]row
	changed chan struct{}
}

// subscribe connects all subscribers: most to the view, some to one key of it, some to the endpoint.
func (w *world) subscribe(ctx context.Context) []*subscriber {
	// One connection each, and no pool: connections that end are made again by nobody.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ReadBufferSize: 4 << 10}}
	subs := make([]*subscriber, *subscribers)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 64)
	for i := range subs {
		sub := &subscriber{world: w, key: -1, path: "/v1/views/totals/changes", rows: map[int64]row{}, changed: make(chan struct{})}
		switch {
		case i%25 == 0:
			sub.key = int64(i % keys)
			sub.path = fmt.Sprintf("/v1/endpoints/one/live?k=%d", sub.key)
		case i%5 == 0:
			sub.key = int64(i % keys)
			sub.path = fmt.Sprintf("/v1/views/totals/changes?k=%d", sub.key)
		}
		subs[i] = sub
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			req, err := http.NewRequestWithContext(ctx, "GET", w.URL+sub.path, nil)
			if err != nil {
				w.t.Error(err)
				return
			}
			resp, err := client.Do(req)
			if err != nil {
				w.t.Errorf("%s: %v", sub.path, err)
				return
			}
			if resp.StatusCode != http.StatusOK {
				b, _ := io.ReadAll(resp.Body)
				w.t.Errorf("%s: %d %s", sub.path, resp.StatusCode, b)
				return
			}
			go sub.follow(ctx, resp.Body)
		})
	}
	wg.Wait()
	return subs
}

// follow reads events until the stream ends.
func (s *subscriber) follow(ctx context.Context, body io.ReadCloser) {
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 4<<10), 1<<20)
	event := ""
	for lines.Scan() {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			event = value
		case "data":
			s.take(event, []byte(value))
		}
	}
	if err := lines.Err(); ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		s.world.t.Errorf("%s ended: %v", s.path, err)
	}
}

func (s *subscriber) take(event string, data []byte) {
	s.world.events.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch event {
	case "snapshot":
		var page struct {
			Rows []json.RawMessage `json:"rows"`
		}
		if err := json.Unmarshal(data, &page); err != nil {
			s.world.t.Errorf("%s: %q: %v", s.path, data, err)
		}
		for _, r := range page.Rows {
			k, r := parse(s.world.t, r)
			s.rows[k] = r
		}
	case "upsert":
		s.put(parse(s.world.t, data))
	case "insert", "delete":
		// The endpoint's result has no key: a row that changes goes and comes.
		var change struct{ Row json.RawMessage }
		if err := json.Unmarshal(data, &change); err != nil {
			s.world.t.Errorf("%s: %q: %v", s.path, data, err)
		}
		if k, r := parse(s.world.t, change.Row); event == "insert" {
			s.put(k, r)
		} else if s.rows[k] == r {
			delete(s.rows, k)
		}
	case "reset":
		s.world.resets.Add(1)
		s.rows = map[int64]row{}
	case "progress":
		return
	default:
		s.world.t.Errorf("%s: event %q %s", s.path, event, data)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// put takes a key's new row; mu is held.
func (s *subscriber) put(k int64, r row) {
	if old := s.rows[k]; r.N < old.N {
		s.world.t.Errorf("%s: the count of %d went back from %d to %d", s.path, k, old.N, r.N)
	}
	s.rows[k] = r
}

func (s *subscriber) state() map[int64]row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.rows)
}

// filtered are the rows that the subscriber asked for.
func (s *subscriber) filtered(all map[int64]row) map[int64]row {
	if s.key < 0 {
		return all
	}
	out := map[int64]row{}
	if r, ok := all[s.key]; ok {
		out[s.key] = r
	}
	return out
}

// reaches waits until the subscriber has been told of all there is.
func (s *subscriber) reaches(all map[int64]row, within time.Duration) bool {
	want := s.filtered(all)
	deadline := time.After(within)
	for {
		s.mu.Lock()
		same, changed := maps.Equal(s.rows, want), s.changed
		s.mu.Unlock()
		if same {
			return true
		}
		select {
		case <-changed:
		case <-deadline:
			return false
		}
	}
}
