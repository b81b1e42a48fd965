package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// jobs runs the background work and remembers its state for leat_system.jobs.
type jobs struct {
	log    *slog.Logger
	wg     sync.WaitGroup
	failed chan error // receives the first failure

	mu   sync.Mutex
	list []*job // guarded by mu; at most one per call of start
}

type job struct {
	name    string
	started time.Time
	state   string // running, done or failed
	err     string
}

func newJobs(log *slog.Logger) *jobs { return &jobs{log: log, failed: make(chan error, 1)} }

// start runs f until ctx ends. A failure is reported once on failed: the server then stops, because work that must go on has ended.
func (j *jobs) start(ctx context.Context, name string, f func(context.Context) error) {
	entry := &job{name: name, started: time.Now(), state: "running"}
	j.mu.Lock()
	j.list = append(j.list, entry)
	j.mu.Unlock()
	j.wg.Go(func() {
		err := f(ctx)
		j.mu.Lock()
		defer j.mu.Unlock()
		entry.state = "done"
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		entry.state, entry.err = "failed", err.Error()
		j.log.Error("job failed", "job", name, "err", err)
		select {
		case j.failed <- fmt.Errorf("job %s: %w", name, err):
		default:
		}
	})
}

// rows lists the jobs for leat_system.jobs: name, started, state, error.
func (j *jobs) rows() [][]any {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([][]any, len(j.list))
	for i, e := range j.list {
		out[i] = []any{e.name, e.started, e.state, e.err}
	}
	return out
}
