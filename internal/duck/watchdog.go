package duck

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"time"

	"leat/internal/types"
)

// watchEvery is how often memory is looked at while queries run.
const watchEvery = 50 * time.Millisecond

// watchdog interrupts queries while the process's resident memory is above a limit, the longest-running first: DuckDB's own
// limit covers its buffers, not all that it allocates.
type watchdog struct {
	limit int64
	rss   func() int64

	mu      sync.Mutex // guards running
	running map[*watched]struct{}
	wake    chan struct{}
	quit    chan struct{}
	done    chan struct{}
}

// watched is one running query.
type watched struct {
	since  time.Time
	cancel context.CancelCauseFunc
	shot   bool
}

func startWatchdog(limit int64, rss func() int64) *watchdog {
	w := &watchdog{limit: limit, rss: rss, running: map[*watched]struct{}{}, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

func (w *watchdog) stop() {
	close(w.quit)
	<-w.done
}

// watch registers a query; the context ends with a types.OutOfMemory cause when the dog bites. Call the function when the query is over.
func (w *watchdog) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	q := &watched{since: time.Now(), cancel: cancel}
	w.mu.Lock()
	w.running[q] = struct{}{}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return ctx, func() {
		w.mu.Lock()
		delete(w.running, q)
		w.mu.Unlock()
		cancel(nil)
	}
}

// run sleeps while nothing runs or no limit is set.
func (w *watchdog) run() {
	defer close(w.done)
	for {
		select {
		case <-w.quit:
			return
		case <-w.wake:
		}
		if w.limit <= 0 {
			continue
		}
		tick := time.NewTicker(watchEvery)
		for busy := true; busy; {
			select {
			case <-w.quit:
				tick.Stop()
				return
			case <-tick.C:
				busy = w.look()
			}
		}
		tick.Stop()
	}
}

// look bites one query if memory is above the limit, unless one that was bitten is still ending. It reports whether any query runs.
func (w *watchdog) look() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.running) == 0 {
		return false
	}
	if w.rss() <= w.limit {
		return true
	}
	var victim *watched
	for q := range w.running {
		if q.shot {
			return true
		}
		if victim == nil || q.since.Before(victim.since) {
			victim = q
		}
	}
	victim.shot = true
	e := types.Errorf(types.OutOfMemory, "the server ran short of memory and stopped this query").
		WithHint("aggregate or filter earlier, or run fewer queries at once")
	e.RetryAfter = 1
	victim.cancel(e)
	return true
}

// ResidentBytes is the process's resident memory, 0 where the system doesn't tell.
func ResidentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
