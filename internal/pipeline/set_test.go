package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"leat/internal/bus"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Views are added to and removed from running pipelines: a child begins with its parent's rows, at the parent's position.
func TestSetWhileRunning(t *testing.T) {
	w := newWorld(t, settings{})
	defs := family(t)
	w.run()
	for n := range len(defs) {
		w.set(defs[:n+1]...)
		for range 5 {
			w.feed(30)
		}
		w.settle(ids(defs[:n+1])...)
		w.await("the views are live", w.isLive(defs[:n+1]))
		w.checkAll(defs[:n+1])
	}
	without := append(append([]Definition{}, defs[:1]...), defs[3:]...)
	w.set(without...)
	if _, err := w.m.Pin(101); !types.HasCode(err, types.NotFound) {
		t.Errorf("a view that was dropped: %v", err)
	}
	w.feed(30)
	w.set(defs...)
	w.feed(30)
	w.settle(ids(defs)...)
	w.checkAll(defs)
	w.set()
	if n := len(w.m.Status()); n != 0 {
		t.Errorf("%d views are left", n)
	}
	w.set(defs...)
	w.settle(ids(defs)...)
	w.await("the views are live", w.isLive(defs))
	w.checkAll(defs)
	if len(w.m.tail.rings) > 6 {
		t.Errorf("%d rings", len(w.m.tail.rings))
	}
}

// Dropping a parent's child while the server is down frees its state, which no later child finds.
func TestSetWhileDown(t *testing.T) {
	w := newWorld(t, settings{})
	defs := family(t)[:3]
	w.set(defs...)
	w.run()
	w.feed(50)
	w.settle(ids(defs)...)
	w.halt()
	w.restart(settings{})
	w.set(defs[0])
	w.run()
	w.feed(50)
	w.settle(100)
	w.halt()
	w.restart(settings{})
	other := define(t, 103, "small", above(scanView(defs[0]), 0, 3))
	w.set(defs[0], defs[1], other)
	w.run()
	w.settle(100, 101, 103)
	w.check(defs[0])
	w.check(defs[1], defs[0])
	w.check(other, defs[0])
}

// A view with another plan is built anew; its old rows are readable meanwhile if they have the same columns.
func TestReplace(t *testing.T) {
	w := newWorld(t, settings{})
	defs := family(t)[:3]
	w.set(defs...)
	w.run()
	for range 10 {
		w.feed(40)
	}
	w.settle(ids(defs)...)
	before := w.check(defs[0])
	changed := []Definition{define(t, 100, "by_k", counts(above(scan(streamA), 1, 5), 1, 0)), defs[1], defs[2]}
	w.set(changed...)
	if v, err := w.m.Pin(100); err != nil || !reaches(v.Position, before) {
		t.Errorf("a gap in what can be read: %v", err)
	} else {
		v.Release()
	}
	w.await("the new rows are there", func() bool {
		v, err := w.m.Pin(100)
		if err != nil {
			return false
		}
		defer v.Release()
		return rowsIn(v.View(100)).Diff(w.want(changed[0].Plan, v.Position)) == ""
	})
	w.settle(ids(defs)...)
	w.checkAll(changed)
	child := define(t, 101, "large", above(scanView(changed[0]), 1, 2))
	changed = []Definition{changed[0], child, define(t, 102, "by_n", counts(scanView(child), 0, 1))}
	w.set(changed...)
	w.feed(20)
	w.settle(ids(defs)...)
	w.checkAll(changed)
}

// More partitions are read from then on, with the state that there is.
func TestMorePartitions(t *testing.T) {
	w := newWorld(t, settings{})
	few := define(t, 100, "by_k", counts(scan(streamA), 1, 0))
	w.set(few)
	w.run()
	w.feed(30)
	w.put(streamA, 1, w.random(streamA, 20)...)
	w.settle(100)
	more := *streamA
	more.Partitions = 3
	if err := w.log.Configure(background, bus.StreamConfig{ID: more.ID, Partitions: 3, Time: more.Time}); err != nil {
		t.Fatal(err)
	}
	many := define(t, 100, "by_k", counts(scan(&more), 1, 0))
	w.set(many)
	pos := w.put(&more, 2, w.random(&more, 20)...)
	if err := w.m.Wait(background, pos, 100); err != nil {
		t.Fatal(err)
	}
	if at := w.check(many); len(at.Cursors) != 3 {
		t.Errorf("the position %+v", at)
	}
}

// Renaming a stream and its columns keeps the state.
func TestRename(t *testing.T) {
	d := define(t, 100, "by_k", counts(scan(streamA), 1, 0))
	renamed := *streamA
	renamed.Name, renamed.Schema = "other", &types.Schema{Version: 2}
	for _, name := range []string{"x", "y", "z"} {
		renamed.Schema.Add(name, types.Of(types.BigInt))
	}
	renamed.Schema.Columns[2].Type = timestamp
	same := define(t, 100, "by_x", counts(scan(&renamed), 1, 0))
	if d.digest() != same.digest() {
		t.Error("another digest after a rename")
	}
	other := *streamA
	other.ID = 77
	if e := define(t, 100, "by_k", counts(scan(&other), 1, 0)); d.digest() == e.digest() {
		t.Error("the same digest over another stream")
	}
}

// An error of one pipeline is its alone, and what goes away is mended by opening again; the published version does not go back meanwhile.
func TestFailureOfOnePipeline(t *testing.T) {
	var failing atomic.Int64
	var fail atomic.Bool
	w := newWorld(t, settings{quiet: true})
	w.restart(settings{quiet: true, fault: func(point string) error {
		if point == "after apply" && fail.Load() {
			failing.Add(1)
			return errors.New("injected")
		}
		return nil
	}})
	a, b := family(t)[0], define(t, 140, "rows", above(scan(streamB), 1, 4))
	w.set(a, b)
	w.run()
	for range 10 {
		w.feed(30)
	}
	w.settle(100, 140)
	at := w.check(a)
	held, err := w.m.Pin(100)
	if err != nil {
		t.Fatal(err)
	}
	fail.Store(true)
	pos := w.put(streamA, 0, w.random(streamA, 10)...)
	w.await("the pipeline has failed", func() bool { return w.m.Status()[100].State == Failed })
	if failing.Load() != maxAttempts {
		t.Errorf("%d attempts", failing.Load())
	}
	if err := w.m.Wait(background, pos, 100); !types.HasCode(err, types.Unavailable) {
		t.Errorf("wait for a failed view: %v", err)
	}
	if s := w.m.Status()[100]; s.Lag != 10 || s.Error == "" {
		t.Errorf("of the failed view: %+v", s)
	}
	if s := w.m.Status()[140]; s.State != Live {
		t.Errorf("the other pipeline: %+v", s)
	}
	if now := w.check(a); !reaches(now, at) || !reaches(at, now) {
		t.Error("the version of a failed view changed")
	}
	fail.Store(false)
	changed := define(t, 100, "by_k", counts(above(scan(streamA), 1, 1), 1, 0))
	w.set(changed, b) // a change ends the pause
	w.await("the pipeline runs again", func() bool { return w.m.Status()[100].State == Live })
	w.settle(100, 140)
	w.check(changed)
	w.check(b)
	w.checkVersion(held, a)
	held.Release()
}

// A view on others that fails for good is put aside with those on it; its parent goes on.
func TestFailureOfChild(t *testing.T) {
	w := newWorld(t, settings{quiet: true})
	parent := define(t, 100, "by_k", counts(scan(streamA), 1, 0))
	// Its key does not hold once two groups have the same count.
	wrong := define(t, 101, "wrong", scanView(parent))
	wrong.Key = []int{1}
	above := define(t, 102, "above", above(scanView(wrong), 1, 0))
	good := define(t, 103, "good", above2(scanView(parent)))
	w.put(streamA, 0, row{k: 1, v: 1, ts: start, weight: 1}, row{k: 1, v: 1, ts: start, weight: 1}, row{k: 2, v: 1, ts: start, weight: 1})
	defs := []Definition{parent, wrong, above, good}
	w.set(defs...)
	w.run()
	w.settle(ids(defs)...)
	w.await("all are live", w.isLive(defs))
	w.checkAll(defs)
	pos := w.put(streamA, 1, row{k: 2, v: 1, ts: start, weight: 1})
	w.settle(100, 103)
	w.check(parent)
	w.check(good, parent)
	for _, id := range []types.ObjectID{101, 102} {
		if s := w.m.Status()[id]; s.State != Failed || s.Error == "" {
			t.Errorf("%+v", s)
		}
		if err := w.m.Wait(background, pos, id); err != nil && !types.HasCode(err, types.Unavailable) {
			t.Error(err)
		}
		if _, err := w.m.Pin(id); !types.HasCode(err, types.Unavailable) {
			t.Errorf("pin of a failed view: %v", err)
		}
	}
	// One that can't even be built is refused, and the others go on.
	w.put(streamA, 1, row{k: 3, v: 1, ts: start, weight: 1}, row{k: 3, v: 1, ts: start, weight: 1})
	w.settle(100)
	again := wrong
	again.ID = 104
	if err := w.m.Set(background, append(defs, again)); err == nil {
		t.Error("a view whose key does not hold was added")
	}
	w.feed(30)
	w.settle(100, 103)
	w.check(good, parent)
	// With a right key it is built.
	wrong.Key = []int{0}
	w.set(parent, wrong, above, good)
	w.settle(ids(defs)...)
	w.checkAll([]Definition{parent, wrong})
}

func above2(n plan.Node) plan.Node { return above(n, 1, 1) }

func TestPinAndWait(t *testing.T) {
	w := newWorld(t, settings{})
	d := define(t, 100, "by_k", counts(scan(streamA), 1, 0))
	if _, err := w.m.Pin(100); !types.HasCode(err, types.NotFound) {
		t.Errorf("no view: %v", err)
	}
	w.set(d)
	if _, err := w.m.Pin(100); !types.HasCode(err, types.Unavailable) {
		t.Errorf("before it runs: %v", err)
	}
	if next, ok := w.m.Durable(types.PartitionID{Stream: 1}); next != 0 || !ok {
		t.Errorf("before it runs, durable %d %v", next, ok)
	}
	w.run()
	w.settle(100)
	w.await("the view is live", w.isLive([]Definition{d}))
	if next, ok := w.m.Durable(types.PartitionID{Stream: 2}); ok {
		t.Errorf("a partition that nobody reads: %d", next)
	}
	ahead := types.NewPosition(w.log.Incarnation(), []types.Cursor{{Partition: types.PartitionID{Stream: 1}, Next: 5}})
	ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	if err := w.m.Wait(ctx, ahead, 100); !types.HasCode(err, types.Timeout) {
		t.Errorf("a position that does not come: %v", err)
	}
	ctx, cancel = context.WithCancel(background)
	cancel()
	if err := w.m.Wait(ctx, ahead, 100); !types.HasCode(err, types.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	foreign := types.NewPosition(w.log.Incarnation(), []types.Cursor{{Partition: types.PartitionID{Stream: 2}, Next: 5}})
	if err := w.m.Wait(background, foreign, 100, 999); err != nil {
		t.Errorf("a partition that it doesn't read, a view that there isn't: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- w.m.Wait(background, ahead, 100) }()
	w.put(streamA, 0, w.random(streamA, 5)...)
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() {
		done <- w.m.Wait(background, types.NewPosition(w.log.Incarnation(), []types.Cursor{{Partition: types.PartitionID{Stream: 1}, Next: 50}}), 100)
	}()
	w.halt()
	if err := <-done; !types.HasCode(err, types.Unavailable) {
		t.Errorf("stopped: %v", err)
	}
	if _, err := w.m.Pin(100); err == nil {
		t.Error("a version after the end")
	}
}

// Views without any input have their constants, and aggregates over nothing their row.
func TestNoInput(t *testing.T) {
	w := newWorld(t, settings{})
	constants := define(t, 100, "constants", &plan.Values{Rows: [][]*plan.Expr{{lit(1)}, {lit(2)}}, Out: []plan.Field{{Name: "n", Type: bigInt}}})
	nothing := counts(scan(streamA), 1).(*plan.Aggregate)
	nothing.Global = true
	count := define(t, 101, "count", nothing)
	for range 2 {
		w.set(constants, count)
		w.run()
		w.await("the views are live", w.isLive([]Definition{constants, count}))
		for id, want := range map[types.ObjectID]int64{100: 2, 101: 1} {
			v, err := w.m.Pin(id)
			if err != nil {
				t.Fatal(err)
			}
			if v.View(id).Rows() != want || v.Watermark(id) != types.NoWatermark {
				t.Errorf("view %d: %v, watermark %d", id, rowsIn(v.View(id)).Rows(), v.Watermark(id))
			}
			v.Release()
		}
		w.halt()
		w.restart(settings{})
	}
}

// What stays as it is costs nothing when other views change.
func TestSetWithoutChange(t *testing.T) {
	var commits atomic.Int64
	w := newWorld(t, settings{})
	w.restart(settings{fault: func(point string) error {
		if point == "before commit" {
			commits.Add(1)
		}
		return nil
	}})
	defs := family(t)
	w.set(defs...)
	w.run()
	w.feed(20)
	w.settle(ids(defs)...)
	w.await("the views are live", w.isLive(defs))
	before := commits.Load()
	w.set(family(t)...)
	if n := commits.Load() - before; n != 0 {
		t.Errorf("%d commits", n)
	}
	w.set(append(defs, define(t, 190, "another", scan(streamB)))...)
	w.settle(append(ids(defs), 190)...)
	w.await("the new view is live", func() bool { return w.m.Status()[190].State == Live })
	if n := commits.Load() - before; n != 1 {
		t.Errorf("%d commits for one new view", n)
	}
}
