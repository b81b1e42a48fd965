package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/bus"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

func (w *world) tick(d time.Duration) {
	w.Helper()
	w.clock.Add(d.Microseconds())
	if err := w.log.Tick(background); err != nil {
		w.Fatal(err)
	}
}

// Windows close by the partition that is behind, and on silence by marks alone.
func TestSilenceClosesWindows(t *testing.T) {
	w := newWorld(t, settings{})
	closed, err := opt.Close(counts(tumble(scan(streamA), 2, 10*second), 1, 4))
	if err != nil {
		t.Fatal(err)
	}
	d := define(t, 100, "closed", closed)
	w.set(d)
	w.run()
	rows := func() []string {
		v, err := w.m.Pin(100)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		return rowsIn(v.View(100)).Rows()
	}
	w.put(streamA, 0, row{k: 1, v: 1, ts: start + second, weight: 1}, row{k: 1, v: 2, ts: start + 30*second, weight: 1})
	w.put(streamA, 1, row{k: 1, v: 4, ts: start + 2*second, weight: 1})
	w.settle(100)
	w.await("the view is live", w.isLive([]Definition{d}))
	if got := rows(); len(got) != 0 {
		t.Errorf("with one partition behind: %v", got)
	}
	w.put(streamA, 1, row{k: 1, v: 8, ts: start + 16*second, weight: 1})
	w.settle(100)
	first := (start/(10*second) + 1) * 10 * second
	if got := rows(); len(got) != 1 {
		t.Errorf("behind the first window's end %d: %v", first, got)
	}
	for range 8 {
		w.tick(10 * time.Second)
	}
	w.settle(100)
	w.await("silence closes all windows", func() bool { return len(rows()) == 3 })
	if s := w.m.Status()[100]; s.Watermark < start+30*second {
		t.Errorf("watermark %d", s.Watermark-start)
	}
	before := rows()
	w.halt()
	w.restart(settings{})
	w.set(d)
	w.run()
	w.await("the view is live", w.isLive([]Definition{d}))
	if got := rows(); !slices.Equal(got, before) {
		t.Errorf("after a restart: %v, before %v", got, before)
	}
	if s := w.m.Status()[100]; s.Watermark < start+30*second {
		t.Errorf("watermark after a restart %d", s.Watermark)
	}
}

// The clock's ticks make steps only where a view asks for the time.
func TestClock(t *testing.T) {
	w := newWorld(t, settings{})
	plain := define(t, 100, "plain", scan(streamA))
	in := scan(streamA)
	now := define(t, 101, "now", &plan.Filter{Input: in, Cond: call(plan.Compare, "<", boolean, col(in, 2),
		&plan.Expr{Kind: plan.Cast, Type: timestamp, Place: -1, Args: []*plan.Expr{call(plan.Call, "now", types.Of(types.TimestampTZ))}})})
	w.set(plain, now)
	w.run()
	w.put(streamA, 0, w.random(streamA, 5)...)
	w.settle(100, 101)
	w.await("the views are live", w.isLive([]Definition{plain, now}))
	seen := func(id types.ObjectID) int64 {
		v, err := w.m.Pin(id)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Release()
		return v.Now
	}
	before := seen(100)
	w.tick(2 * time.Second)
	w.await("the clock went on", func() bool { return seen(101) == w.clock.Load() })
	if seen(100) != before {
		t.Error("a step without need")
	}
}

// Columns that came later are NULL before, those whose type changed are read as the view knows them.
func TestSchemas(t *testing.T) {
	w := newWorld(t, settings{quiet: true})
	newer := *streamA
	newer.Schema = &types.Schema{Version: 2, NextID: streamA.Schema.NextID, Columns: slices.Clone(streamA.Schema.Columns)}
	newer.Schema.Columns[1].Type = types.Of(types.Double)
	newer.Schema.Add("extra", types.Of(types.Varchar))
	old, fresh := define(t, 100, "old", scan(streamA)), define(t, 101, "fresh", scan(&newer))
	w.set(old, fresh)
	w.run()
	w.put(streamA, 0, row{k: 1, v: 2, ts: start, weight: 1})
	put := func(v float64) types.Position {
		b := batchOf(streamA.Schema, false, []row{{k: 3, v: 0, ts: start, weight: 1}})
		vs, extra := array.NewFloat64Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator)
		vs.Append(v)
		extra.Append("x")
		b = &types.Batch{Schema: newer.Schema, Rows: 1, Columns: []arrow.Array{b.Columns[0], vs.NewArray(), b.Columns[2], extra.NewArray()}}
		ack, err := w.log.Append(background, &bus.Append{Parts: []bus.Part{{Partition: types.PartitionID{Stream: 1}, Batch: b}}})
		if err != nil {
			t.Fatal(err)
		}
		return types.NewPosition(w.log.Incarnation(), []types.Cursor{{Partition: ack.Ranges[0].Partition, Next: ack.Ranges[0].Next}})
	}
	put(4)
	w.settle(100, 101)
	w.await("the views are live", w.isLive([]Definition{old, fresh}))
	for id, want := range map[types.ObjectID][]string{
		100: {"(1, 2, 1700000000000000)", "(3, 4, 1700000000000000)"},
		101: {"(1, 2, 1700000000000000, NULL)", `(3, 4, 1700000000000000, "x")`},
	} {
		v, err := w.m.Pin(id)
		if err != nil {
			t.Fatal(err)
		}
		if got := rowsIn(v.View(id)).Rows(); !slices.Equal(got, want) {
			t.Errorf("view %d: %v, want %v", id, got, want)
		}
		v.Release()
	}
	at := put(4.5)
	w.await("a value that the old view can't have fails it", func() bool { return w.m.Status()[100].State == Failed })
	if err := w.m.Wait(background, at, 101); err != nil {
		t.Error(err)
	}
}
