package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/bench/nexmark"
	"leat/test/harness"
)

// TestKillUnderFullLoad kills the server while it takes all that four connections can send, so that kills also hit the moments at which the
// store moves rows to its file. Before anything more is loaded, each restart must show every acknowledged row, and each offset once.
func TestKillUnderFullLoad(t *testing.T) {
	t.Logf("seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	f := newFlood(t)
	data := ""
	for i := range max(1, *kills/4) {
		if i%10 == 0 { // a new folder now and then keeps the checks quick
			data, f.acked, f.unknown = filepath.Join(t.TempDir(), "data"), 0, 0
		}
		s := harness.Start(t, data)
		stop := f.start(s.URL)
		time.Sleep(time.Duration(300+r.IntN(2500)) * time.Millisecond)
		s.Kill()
		stop()
		again := harness.Start(t, data)
		f.check(again)
		again.Kill()
		if t.Failed() {
			t.Fatalf("kill %d; the data of the failure is in %s", i+1, data)
		}
	}
}

const floodRows = 1000

// flood counts what was sent to the stream bid.
type flood struct {
	t      *testing.T
	bodies []string
	// acked counts requests that were answered; unknown those whose answer was lost.
	acked, unknown int64
}

func newFlood(t *testing.T) *flood {
	gen := nexmark.Generator{Base: time.Unix(1_700_000_000, 0), Rate: 10_000, Seed: *seed}
	f := &flood{t: t}
	for i := range 64 {
		f.bodies = append(f.bodies, string(gen.Bids(uint64(i*floodRows), floodRows)))
	}
	return f
}

func (f *flood) start(url string) (stop func()) {
	var ended atomic.Bool
	var acked, unknown atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; !ended.Load(); i++ {
				resp, err := http.Post(url+"/v1/events/bid", "application/x-ndjson", strings.NewReader(f.bodies[i%len(f.bodies)]))
				if err != nil {
					unknown.Add(1)
					return
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					acked.Add(1)
				}
			}
		})
	}
	return func() {
		ended.Store(true)
		wg.Wait()
		f.acked += acked.Load()
		f.unknown += unknown.Load()
	}
}

func (f *flood) check(s *harness.Server) {
	var got string
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, status := s.Get("/v1/status"); strings.Contains(status, `"lag_rows":0`) {
			break
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("the store doesn't catch up\n%s", s.Log())
		}
	}
	if f.acked == 0 {
		return // killed before the first answer: there may be no stream yet
	}
	got = s.SQL("SELECT count(*) AS n, count(DISTINCT _leat_offset) AS d FROM bid")
	var n, d int64
	if _, err := fmt.Sscanf(got, `{"n":%d,"d":%d}`, &n, &d); err != nil {
		f.t.Fatalf("%s: %v", got, err)
	}
	if n != d || n%floodRows != 0 || n < f.acked*floodRows || n > (f.acked+f.unknown)*floodRows {
		f.t.Errorf("%d rows with %d offsets; %d requests were acknowledged and %d answers were lost\n%s", n, d, f.acked, f.unknown, s.Log())
	}
}
