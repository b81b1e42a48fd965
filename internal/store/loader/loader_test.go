package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"leat/internal/bus"
	"leat/internal/store"
	"leat/internal/store/storetest"
	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog keeps entries in memory. Only what the loader calls works.
type fakeLog struct {
	bus.Log
	mu      sync.Mutex
	entries map[types.PartitionID][]*bus.Entry
	start   map[types.PartitionID]types.Offset
	damaged map[types.PartitionID]*bus.CorruptError
	bell    chan types.PartitionID
}

func newLog() *fakeLog {
	return &fakeLog{entries: map[types.PartitionID][]*bus.Entry{}, start: map[types.PartitionID]types.Offset{}, damaged: map[types.PartitionID]*bus.CorruptError{}, bell: make(chan types.PartitionID, 1000)}
}

var schema = storetest.Schema("id BIGINT")

func (f *fakeLog) append(p types.PartitionID, rows int) types.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	var values [][]any
	first := f.end(p)
	for i := range rows {
		values = append(values, []any{int(first) + i})
	}
	e := storetest.Entry(first, time.Now(), storetest.Batch(schema, values...))
	f.entries[p] = append(f.entries[p], e)
	f.bell <- p
	return types.NewPosition(f.Incarnation(), []types.Cursor{{Partition: p, Next: e.Next}})
}

func (f *fakeLog) end(p types.PartitionID) types.Offset {
	if es := f.entries[p]; len(es) > 0 {
		return es[len(es)-1].Next
	}
	return 0
}

func (f *fakeLog) Incarnation() uint64 { return 1 }

func (f *fakeLog) Subscribe() bus.Subscription { return fakeBell{f} }

type fakeBell struct{ *fakeLog }

func (fakeBell) Close() {}

func (f fakeBell) Next(ctx context.Context) ([]types.PartitionID, error) {
	select {
	case p := <-f.bell:
		return []types.PartitionID{p}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fakeLog) Bounds(p types.PartitionID) (bus.Bounds, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.entries[p]; !ok {
		return bus.Bounds{}, types.Errorf(types.NotFound, "no partition")
	}
	return bus.Bounds{Start: f.start[p], End: f.end(p)}, nil
}

func (f *fakeLog) Position(...types.ObjectID) types.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	var cs []types.Cursor
	for p := range f.entries {
		cs = append(cs, types.Cursor{Partition: p, Next: f.end(p)})
	}
	return types.NewPosition(1, cs)
}

func (f *fakeLog) Read(_ context.Context, p types.PartitionID, from types.Offset, _ int) ([]*bus.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from < f.start[p] {
		return nil, &bus.TrimmedError{Partition: p, From: from, Start: f.start[p]}
	}
	if d := f.damaged[p]; d != nil && from >= d.From && from < d.Next {
		return nil, d
	}
	for _, e := range f.entries[p] {
		if e.Next > from {
			return []*bus.Entry{e}, nil
		}
	}
	return nil, nil
}

// fakeStore remembers offsets and the IDs that it was given.
type fakeStore struct {
	store.Store
	mu       sync.Mutex
	next     map[types.PartitionID]types.Offset
	rows     map[types.PartitionID][]types.Offset
	fail     int
	missing  types.ObjectID
	loads    int
	maintain int
}

func newStore() *fakeStore {
	return &fakeStore{next: map[types.PartitionID]types.Offset{}, rows: map[types.PartitionID][]types.Offset{}}
}

func (f *fakeStore) Load(_ context.Context, loads []store.Load) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 {
		f.fail--
		return errors.New("transient")
	}
	for _, l := range loads {
		if l.Partition.Stream == f.missing {
			return types.Errorf(types.NotFound, "no stream")
		}
	}
	f.loads++
	for _, l := range loads {
		for _, e := range l.Entries {
			for o := e.First; o < e.Next; o++ {
				f.rows[l.Partition] = append(f.rows[l.Partition], o)
			}
		}
		f.next[l.Partition] = l.Next
	}
	return nil
}

func (f *fakeStore) Rewind(_ context.Context, to []types.Cursor) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range to {
		f.next[c.Partition] = c.Next
	}
	return nil
}

func (f *fakeStore) Maintain(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maintain++
	return nil
}

func (f *fakeStore) Loaded() types.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	var cs []types.Cursor
	for _, p := range slices.Collect(maps.Keys(f.next)) {
		cs = append(cs, types.Cursor{Partition: p, Next: f.next[p]})
	}
	return types.NewPosition(1, cs)
}

var p7, p8 = types.PartitionID{Stream: 7}, types.PartitionID{Stream: 8}

// bubble runs a loader in a synctest bubble while f does.
func bubble(t *testing.T, log *fakeLog, st *fakeStore, f func(*testing.T, *Loader)) {
	bubbleAfter(t, log, st, func() {}, f)
}

func bubbleAfter(t *testing.T, log *fakeLog, st *fakeStore, before func(), f func(*testing.T, *Loader)) {
	synctest.Test(t, func(t *testing.T) {
		log.bell = make(chan types.PartitionID, 1000)
		before()
		ctx, stop := context.WithCancel(t.Context())
		l := New(log, st, Options{Logger: slog.New(slog.DiscardHandler)})
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		f(t, l)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestLoadsAndWaits(t *testing.T) {
	log, st := newLog(), newStore()
	bubble(t, log, st, func(t *testing.T, l *Loader) {
		for i := range 20 {
			pos := log.append(types.PartitionID{Stream: 7, Index: uint32(i % 3)}, 5)
			if err := l.Wait(t.Context(), pos); err != nil {
				t.Fatal(err)
			}
			if !st.Loaded().Covers(pos) {
				t.Fatalf("%v waited for, %v loaded", pos, st.Loaded())
			}
		}
		if m := l.Metrics(); m.Rows != 100 || len(m.Lag) != 0 {
			t.Errorf("metrics %+v", m)
		}
	})
}

func TestWaitRefusesForeignAndFuturePositions(t *testing.T) {
	log, st := newLog(), newStore()
	bubble(t, log, st, func(t *testing.T, l *Loader) {
		pos := log.append(p7, 1)
		foreign, future := pos, types.NewPosition(1, []types.Cursor{{Partition: p7, Next: 99}})
		foreign.Incarnation = 2
		for _, bad := range []types.Position{foreign, future} {
			if err := l.Wait(t.Context(), bad); !types.HasCode(err, types.PositionGone) {
				t.Errorf("%v: %v", bad, err)
			}
		}
		dropped := types.NewPosition(1, []types.Cursor{{Partition: p8, Next: 5}, {Partition: bus.Clock, Next: 1}})
		if err := l.Wait(t.Context(), dropped); err != nil {
			t.Errorf("dropped stream: %v", err)
		}
	})
}

func TestRetriesAndTimesOut(t *testing.T) {
	log, st := newLog(), newStore()
	st.fail = 8
	bubble(t, log, st, func(t *testing.T, l *Loader) {
		pos := log.append(p7, 3)
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer stop()
		if err := l.Wait(ctx, pos); !types.HasCode(err, types.Timeout) {
			t.Errorf("got %v", err)
		}
		if m := l.Metrics(); m.Err == nil || m.Lag[0].Offsets != 3 {
			t.Errorf("metrics %+v", m)
		}
		if err := l.Wait(t.Context(), pos); err != nil {
			t.Error(err)
		}
		if m := l.Metrics(); m.Failures != 8 || m.Err != nil {
			t.Errorf("metrics %+v", m)
		}
	})
}

func TestSkipsDamagedAndTrimmed(t *testing.T) {
	log, st := newLog(), newStore()
	bubbleAfter(t, log, st, func() {
		for range 4 {
			log.append(p7, 10)
		}
		log.start[p7] = 10
		log.damaged[p7] = &bus.CorruptError{Partition: p7, From: 20, Next: 30, Err: errors.New("checksum")}
	}, func(t *testing.T, l *Loader) {
		if err := l.Wait(t.Context(), log.Position()); err != nil {
			t.Fatal(err)
		}
		m := l.Metrics()
		st.mu.Lock()
		defer st.mu.Unlock()
		got := fmt.Sprint(st.rows[p7][0], st.rows[p7][9], st.rows[p7][10], len(st.rows[p7]))
		if got != "10 19 30 20" || m.Skipped != 1 {
			t.Errorf("got %s, metrics %+v", got, m)
		}
	})
}

func TestUnknownStreamDoesNotStopOthers(t *testing.T) {
	log, st := newLog(), newStore()
	st.missing = 7
	bubbleAfter(t, log, st, func() { log.append(p7, 2); log.append(p8, 2) }, func(t *testing.T, l *Loader) {
		if err := l.Wait(t.Context(), types.NewPosition(1, []types.Cursor{{Partition: p8, Next: 2}})); err != nil {
			t.Fatal(err)
		}
		st.mu.Lock()
		st.missing = 0
		st.mu.Unlock()
		if err := l.Wait(t.Context(), log.Position()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRewindsWhatTheLogLost(t *testing.T) {
	log, st := newLog(), newStore()
	st.next[p7] = 50
	bubbleAfter(t, log, st, func() { log.append(p7, 10) }, func(t *testing.T, l *Loader) {
		synctest.Wait()
		if got := st.Loaded().Cursors[0].Next; got != 10 {
			t.Errorf("loaded %d, want 10", got)
		}
		if err := l.Wait(t.Context(), log.append(p7, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestMaintainsEverySecond(t *testing.T) {
	log, st := newLog(), newStore()
	bubble(t, log, st, func(t *testing.T, l *Loader) {
		time.Sleep(3500 * time.Millisecond)
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.maintain != 3 {
			t.Errorf("%d calls in 3.5 s", st.maintain)
		}
	})
}

func TestFollowsAStoreThatWentBack(t *testing.T) {
	log, st := newLog(), newStore()
	bubble(t, log, st, func(t *testing.T, l *Loader) {
		log.append(p7, 10)
		log.append(p8, 10)
		if err := l.Wait(t.Context(), log.Position()); err != nil {
			t.Fatal(err)
		}
		// Both lose rows; only one of the partitions grows, and its load fails once.
		st.mu.Lock()
		st.next[p7], st.next[p8], st.fail = 0, 0, 1
		st.mu.Unlock()
		log.append(p7, 1)
		if err := l.Wait(t.Context(), log.Position()); err != nil {
			t.Fatal(err)
		}
		// Nothing grows.
		st.mu.Lock()
		st.next[p8] = 0
		st.mu.Unlock()
		if err := l.Wait(t.Context(), log.Position()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPace(t *testing.T) {
	log, st := newLog(), newStore()
	bubble(t, log, st, func(t *testing.T, l *Loader) {
		start := time.Now()
		if err := l.Pace(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("without lag: %v after %s", err, time.Since(start))
		}
		// A loader that stands far behind and doesn't come on.
		l.lag.Store(l.opts.MaxLag + 1)
		if err := l.Pace(t.Context()); err != nil || time.Since(start) != l.opts.MaxPause {
			t.Errorf("behind: %v after %s", err, time.Since(start))
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := l.Pace(ctx); err == nil {
			t.Error("a canceled append was let through")
		}
		// A load brings it back.
		done := make(chan error)
		go func() { done <- l.Pace(t.Context()) }()
		synctest.Wait()
		start = time.Now()
		log.append(p7, 1)
		if err := <-done; err != nil || time.Since(start) >= l.opts.MaxPause {
			t.Errorf("after a load: %v after %s", err, time.Since(start))
		}
	})
}
