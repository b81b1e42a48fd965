// Package chaos kills the real binary under load and checks that what was acknowledged is there, exactly once.
package chaos

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/test/harness"
)

var (
	kills = flag.Int("kills", 20, "how often the server is killed")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random times")
)

const (
	writers = 4
	batch   = 50
)

// TestKillLosesNothing has writers send numbered events and retry with the same Idempotency-Key whenever the answer is lost, while the
// server is killed at random times. At the end every acknowledged event is in SQL exactly once, and no event at all is there twice.
func TestKillLosesNothing(t *testing.T) {
	t.Logf("seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 0))
	data := filepath.Join(t.TempDir(), "data")
	load := &load{t: t, next: make([]int, writers), acked: make([]int, writers)}
	for i := range *kills {
		s := harness.Start(t, data)
		stop := load.start(s.URL)
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		s.Kill()
		stop()
		if t.Failed() {
			t.Fatalf("kill %d of %d", i+1, *kills)
		}
	}
	s := harness.Start(t, data)
	load.retryAll(s.URL)
	load.check(s)
}

// load is the writers' state between kills.
type load struct {
	t *testing.T
	// next is the number of each writer's next batch; all batches before it were acknowledged.
	next, acked []int
}

// start runs the writers until the returned function is called.
func (l *load) start(url string) (stop func()) {
	var ended atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for !ended.Load() && l.sendNext(url, w) {
			}
		})
	}
	return func() { ended.Store(true); wg.Wait() }
}

// sendNext sends the writer's next batch and reports whether it was acknowledged.
func (l *load) sendNext(url string, w int) bool {
	var body strings.Builder
	for i := range batch {
		fmt.Fprintf(&body, `{"writer":%d,"seq":%d,"text":"event %d of %d"}`+"\n", w, l.next[w]*batch+i, i, w)
	}
	req, err := http.NewRequest(http.MethodPost, url+"/v1/events/load", strings.NewReader(body.String()))
	if err != nil {
		l.t.Error(err)
		return false
	}
	req.Header.Set("Idempotency-Key", fmt.Sprintf("%d-%d", w, l.next[w]))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var answer struct{ Accepted int }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return false
	}
	if resp.StatusCode != http.StatusOK || answer.Accepted != batch {
		l.t.Errorf("writer %d batch %d: %s, accepted %d", w, l.next[w], resp.Status, answer.Accepted)
		return false
	}
	l.next[w]++
	l.acked[w] = l.next[w] * batch
	return true
}

// retryAll sends the batches whose answers were lost once more.
func (l *load) retryAll(url string) {
	for w := range writers {
		if !l.sendNext(url, w) {
			l.t.Errorf("writer %d: batch %d was not accepted after the last start", w, l.next[w])
		}
	}
}

// check compares SQL with what was acknowledged.
func (l *load) check(s *harness.Server) {
	s.Send("load", `{"writer":99,"seq":0,"text":"the last"}`) // visible: all before it is too
	total := 0
	for w := range writers {
		got := s.SQL(fmt.Sprintf("SELECT count(*) AS n, count(DISTINCT seq) AS d, max(seq) AS m FROM load WHERE writer = %d", w))
		want := fmt.Sprintf(`{"n":%d,"d":%d,"m":%d}`, l.acked[w], l.acked[w], l.acked[w]-1)
		if got != want {
			l.t.Errorf("writer %d: got %s, want %s", w, got, want)
		}
		total += l.acked[w]
	}
	if got, want := s.SQL("SELECT count(*) AS n, count(DISTINCT _leat_offset) AS d FROM load"), fmt.Sprintf(`{"n":%d,"d":%d}`, total+1, total+1); got != want {
		l.t.Errorf("offsets: got %s, want %s", got, want)
	}
	l.t.Logf("%d events survived %d kills", total, *kills)
}
