// Package loader follows the log and writes what waits to the store: one transaction per step over all partitions,
// so that a step is small and fresh when little arrives and large when much does.
package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leat/internal/bus"
	"leat/internal/store"
	"leat/internal/types"
)

// Options of New. The zero value has the defaults.
type Options struct {
	// MaxBytes is about how much decoded memory one load takes; 0 is 16 MiB.
	MaxBytes int
	// MaintainEvery is how often the store's Maintain is called; 0 is one second.
	MaintainEvery time.Duration
	// MinBackoff and MaxBackoff bound the pauses after a failed load; 0 is 10 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// MaxLag is how many rows may wait before Pace delays appends, MaxPause the longest delay; 0 is 1,000,000 rows and one second.
	MaxLag   int64
	MaxPause time.Duration
	// Logger gets what was skipped and what failed; nil is slog.Default().
	Logger *slog.Logger
	// ObserveLoad, if set, is given the duration of every load.
	ObserveLoad func(time.Duration)
	// ObserveVisible, if set, is given the time from the append of a load's oldest entry until queries see it.
	ObserveVisible func(time.Duration)
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 16 << 20
	}
	if o.MaintainEvery == 0 {
		o.MaintainEvery = time.Second
	}
	if o.MinBackoff == 0 {
		o.MinBackoff = 10 * time.Millisecond
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 5 * time.Second
	}
	if o.MaxLag == 0 {
		o.MaxLag = 1_000_000
	}
	if o.MaxPause == 0 {
		o.MaxPause = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.ObserveLoad == nil {
		o.ObserveLoad = func(time.Duration) {}
	}
	if o.ObserveVisible == nil {
		o.ObserveVisible = func(time.Duration) {}
	}
	return o
}

// Loader moves entries from a log to a store. Wait, Pace and Metrics may be called from any goroutine, Run from one.
type Loader struct {
	log   bus.Log
	store store.Store
	opts  Options

	// mu guards loaded, which is closed and replaced after every load.
	mu     sync.Mutex
	loaded chan struct{}

	rows, loads, failures, skipped atomic.Int64
	lastError                      atomic.Pointer[error]
	// lag is how many rows waited after the last load.
	lag atomic.Int64

	// Run's own:
	// next is where reading goes on, pending the partitions that may have more, unknown those whose stream the store doesn't know yet.
	next    map[types.PartitionID]types.Offset
	pending []types.PartitionID
	unknown []types.PartitionID
	// large says that the last step took more than a quarter of MaxBytes: then loading goes on at once.
	large bool
}

// New makes a loader. Run starts it.
func New(log bus.Log, st store.Store, o Options) *Loader {
	return &Loader{log: log, store: st, opts: o.withDefaults(), loaded: make(chan struct{})}
}

// Run loads until ctx ends, and returns nil then. It returns an error only if the log refuses to be followed; a store that
// fails is tried again for ever, with growing pauses, and Metrics tells.
func (l *Loader) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	sub := l.log.Subscribe()
	bell := make(chan []types.PartitionID)
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { failed <- listen(ctx, sub, bell) })
	wg.Go(func() { l.maintain(ctx) })
	defer wg.Wait()
	defer sub.Close()
	defer stop()
	tick := time.NewTicker(l.opts.MaintainEvery)
	defer tick.Stop()
	if !l.retry(ctx, l.align) {
		return nil
	}
	for {
		// With work at hand, only look at the channels; without, wait on them.
		var idle chan struct{}
		if len(l.pending) > 0 {
			idle = closed
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case grown := <-bell:
			l.add(grown)
		case <-tick.C:
			l.add(l.unknown)
			l.unknown = nil
			l.follow()
		case <-idle:
			start := time.Now()
			l.retry(ctx, l.step)
			if !l.large {
				rest(ctx, time.Since(start))
			}
		}
	}
}

// maxRest bounds the pause after a small load, and with it what the pause adds to freshness.
const maxRest = 15 * time.Millisecond

// rest pauses for three times the time that the last load took. Small loads cost much for each row: with a rest they are fewer and larger, and
// loading takes a quarter of a core while it keeps up.
func rest(ctx context.Context, took time.Duration) {
	pause := time.NewTimer(min(3*took, maxRest))
	defer pause.Stop()
	select {
	case <-ctx.Done():
	case <-pause.C:
	}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// listen hands the log's bell on until ctx ends.
func listen(ctx context.Context, sub bus.Subscription, bell chan<- []types.PartitionID) error {
	for {
		grown, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // being stopped is no failure
		}
		if err != nil {
			return fmt.Errorf("follow the log: %w", err)
		}
		select {
		case bell <- grown:
		case <-ctx.Done():
			return nil
		}
	}
}

// maintain calls the store's Maintain until ctx ends. What fails is tried again at the next tick.
func (l *Loader) maintain(ctx context.Context) {
	tick := time.NewTicker(l.opts.MaintainEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := l.store.Maintain(ctx); err != nil && ctx.Err() == nil {
			l.opts.Logger.Error("store: maintenance failed", "error", err)
		}
	}
}

// add queues partitions that are not queued yet. The clock has no rows.
func (l *Loader) add(grown []types.PartitionID) {
	for _, p := range grown {
		if p.Stream != bus.Clock.Stream && !slices.Contains(l.pending, p) {
			l.pending = append(l.pending, p)
		}
	}
}

// retry runs f until it succeeds, and reports false if ctx ended before.
func (l *Loader) retry(ctx context.Context, f func(context.Context) error) bool {
	for pause := l.opts.MinBackoff; ; pause = min(2*pause, l.opts.MaxBackoff) {
		err := f(ctx)
		if ctx.Err() != nil {
			return err == nil
		}
		if err == nil {
			l.lastError.Store(nil)
			return true
		}
		l.failures.Add(1)
		l.lastError.Store(&err)
		l.opts.Logger.Error("store: load failed, trying again", "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		l.resume()
	}
}

// resume takes up reading where the store is, in every partition that has more.
func (l *Loader) resume() {
	l.next = loadedBy(l.store)
	for _, c := range l.log.Position().Cursors {
		if c.Next > l.next[c.Partition] {
			l.add([]types.PartitionID{c.Partition})
		}
	}
}

// follow resumes if the store went back: it had to be opened again and lost what was not durable, in partitions that may never grow again.
func (l *Loader) follow() {
	loaded := loadedBy(l.store)
	for p, next := range l.next {
		if loaded[p] < next {
			l.resume()
			return
		}
	}
}

func loadedBy(st store.Store) map[types.PartitionID]types.Offset {
	loaded := map[types.PartitionID]types.Offset{}
	for _, c := range st.Loaded().Cursors {
		loaded[c.Partition] = c.Next
	}
	return loaded
}

// align rewinds the store where the log has lost what was loaded: appends that were not synced before a power cut.
func (l *Loader) align(ctx context.Context) error {
	l.resume()
	var ahead []types.Cursor
	for p, next := range l.next {
		b, err := l.log.Bounds(p)
		if types.HasCode(err, types.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if next > b.End {
			ahead = append(ahead, types.Cursor{Partition: p, Next: b.End})
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	l.opts.Logger.Warn("store: the log lost entries that were loaded; they are removed", "partitions", len(ahead))
	if err := l.store.Rewind(ctx, ahead); err != nil {
		return err
	}
	l.resume()
	return nil
}

// step reads what waits, up to MaxBytes over all pending partitions in turn, and loads it.
func (l *Loader) step(ctx context.Context) error {
	var loads []store.Load
	var left []types.PartitionID
	budget := l.opts.MaxBytes
	oldest := int64(0)
	queue := l.pending
	for i, p := range queue {
		if budget <= 0 {
			// Those that got nothing come first in the next step.
			left = append(slices.Clone(queue[i:]), left...)
			break
		}
		share := max(budget/(len(queue)-i), 64<<10)
		load, more, err := l.read(ctx, p, share)
		if err != nil {
			return err
		}
		if more {
			left = append(left, p)
		}
		if load.Next == l.next[p] {
			continue
		}
		for _, e := range load.Entries {
			if e.Batch != nil {
				budget -= e.Batch.Bytes()
			}
			if len(e.Runs) > 0 && (oldest == 0 || e.Runs[0].At < oldest) {
				oldest = e.Runs[0].At
			}
		}
		loads = append(loads, load)
	}
	l.large = budget < l.opts.MaxBytes*3/4
	if len(loads) > 0 {
		if err := l.load(ctx, loads, oldest); err != nil {
			return err
		}
	}
	// A stream that the store doesn't know waits for the next tick, not in a loop.
	l.pending = slices.DeleteFunc(left, func(p types.PartitionID) bool { return slices.Contains(l.unknown, p) })
	return nil
}

// read takes the next entries of a partition. What is damaged or trimmed is skipped, counted and told. more is false at the end.
func (l *Loader) read(ctx context.Context, p types.PartitionID, maxBytes int) (load store.Load, more bool, err error) {
	from := l.next[p]
	for {
		entries, err := l.log.Read(ctx, p, from, maxBytes)
		var damaged *bus.CorruptError
		var trimmed *bus.TrimmedError
		switch {
		case errors.As(err, &damaged):
			l.opts.Logger.Error("store: skipping damaged log entries", "partition", p.String(), "from", damaged.From, "next", damaged.Next, "error", damaged.Err)
			l.skipped.Add(1)
			from = damaged.Next
		case errors.As(err, &trimmed):
			if from > 0 {
				l.opts.Logger.Error("store: log entries were trimmed before they were loaded", "partition", p.String(), "from", from, "start", trimmed.Start)
				l.skipped.Add(1)
			}
			from = trimmed.Start
		case types.HasCode(err, types.NotFound):
			// The stream was dropped.
			return store.Load{Partition: p, Next: l.next[p]}, false, nil
		case err != nil:
			return store.Load{}, false, err
		case len(entries) == 0:
			return store.Load{Partition: p, Next: from}, false, nil
		default:
			return store.Load{Partition: p, Entries: entries, Next: entries[len(entries)-1].Next}, true, nil
		}
	}
}

// load loads and tells those who wait. Where the store doesn't know a stream (yet, or any more), the others are loaded without it.
func (l *Loader) load(ctx context.Context, loads []store.Load, oldest int64) error {
	start := time.Now()
	err := l.store.Load(ctx, loads)
	if types.HasCode(err, types.NotFound) && len(loads) > 1 {
		for _, one := range loads {
			if err := l.load(ctx, []store.Load{one}, oldest); err != nil {
				return err
			}
		}
		return nil
	}
	if types.HasCode(err, types.NotFound) {
		l.unknown = append(l.unknown, loads[0].Partition)
		return nil
	}
	if err != nil {
		return err
	}
	for _, load := range loads {
		l.next[load.Partition] = load.Next
		for _, e := range load.Entries {
			if e.Batch != nil {
				l.rows.Add(int64(e.Batch.Rows))
			}
		}
	}
	l.loads.Add(1)
	l.opts.ObserveLoad(time.Since(start))
	if oldest > 0 {
		l.opts.ObserveVisible(time.Since(time.UnixMicro(oldest)))
	}
	l.measure()
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.loaded)
	l.loaded = make(chan struct{})
	return nil
}
