package loader

import (
	"context"
	"time"

	"leat/internal/bus"
	"leat/internal/types"
)

// Wait returns once queries see the log up to a position. Errors: types.PositionGone at once for a position of another log, or one beyond the
// log's end; types.Timeout or types.Canceled when ctx ends before. Dropped streams and the clock are not waited for.
func (l *Loader) Wait(ctx context.Context, want types.Position) error {
	if len(want.Cursors) == 0 && want.Incarnation == 0 {
		return nil
	}
	if want.Incarnation != l.log.Incarnation() {
		return types.Errorf(types.PositionGone, "the position belongs to another log: this one was restored or is new").
			WithHint("start again without a position")
	}
	for {
		l.mu.Lock()
		changed := l.loaded
		l.mu.Unlock()
		missing, err := l.missing(want)
		if err != nil {
			return err
		}
		if l.store.Loaded().Covers(missing) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				return types.Errorf(types.Canceled, "the wait for a position was canceled")
			}
			return types.Errorf(types.Timeout, "the position was not visible in time: loading is behind").
				WithHint("everything sent is durable; ask again, or see the store's lag in leat status")
		}
	}
}

// Pace is called before an append: while more than MaxLag rows wait for loading it delays the caller, for MaxPause at most, so that what is sent
// faster than it can be loaded doesn't become visible later and later. It never refuses, since the log has room: the only error is ctx's.
func (l *Loader) Pace(ctx context.Context) error {
	if l.lag.Load() <= l.opts.MaxLag {
		return nil
	}
	pause := time.NewTimer(l.opts.MaxPause)
	defer pause.Stop()
	for {
		l.mu.Lock()
		changed := l.loaded
		l.mu.Unlock()
		if l.lag.Load() <= l.opts.MaxLag {
			return nil
		}
		select {
		case <-changed:
		case <-pause.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// measure renews lag, over the partitions that are known to have more.
func (l *Loader) measure() {
	lag := int64(0)
	for _, p := range l.pending {
		if b, err := l.log.Bounds(p); err == nil && b.End > l.next[p] {
			lag += int64(b.End - l.next[p])
		}
	}
	l.lag.Store(lag)
}

// missing is the part of a position that the store has to reach.
func (l *Loader) missing(want types.Position) (types.Position, error) {
	out := types.Position{Incarnation: want.Incarnation}
	for _, c := range want.Cursors {
		if c.Partition.Stream == bus.Clock.Stream {
			continue
		}
		b, err := l.log.Bounds(c.Partition)
		if types.HasCode(err, types.NotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		if c.Next > b.End {
			return out, types.Errorf(types.PositionGone, "the position is beyond the end of partition %s", c.Partition)
		}
		out.Cursors = append(out.Cursors, c)
	}
	return out, nil
}

// Lag is how far one partition is behind.
type Lag struct {
	Partition types.PartitionID
	// Offsets counts what was appended and not loaded, marks included.
	Offsets uint64
}

// Metrics is what the loader counts since it was made, and where it stands.
type Metrics struct {
	// Rows and Loads were loaded; Failures are attempts that failed; Skipped are damaged or trimmed ranges of the log that no query will see.
	Rows, Loads, Failures, Skipped int64
	// Lag has the partitions that are behind.
	Lag []Lag
	// Err is why loading doesn't go on at present; nil if it does.
	Err error
}

// Metrics returns the present figures.
func (l *Loader) Metrics() Metrics {
	m := Metrics{Rows: l.rows.Load(), Loads: l.loads.Load(), Failures: l.failures.Load(), Skipped: l.skipped.Load()}
	if err := l.lastError.Load(); err != nil {
		m.Err = *err
	}
	loaded := loadedBy(l.store)
	for _, c := range l.log.Position().Cursors {
		if c.Partition.Stream != bus.Clock.Stream && c.Next > loaded[c.Partition] {
			m.Lag = append(m.Lag, Lag{c.Partition, uint64(c.Next - loaded[c.Partition])})
		}
	}
	return m
}
