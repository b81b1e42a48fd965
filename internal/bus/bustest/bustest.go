// Package bustest is the suite that every implementation of bus.Log must pass.
package bustest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/bus"
	"leat/internal/types"
)

// Harness is a fresh, empty log under test whose clock stands still until Advance is called.
type Harness struct {
	Log bus.Log
	// Now is the log's clock.
	Now func() time.Time
	// Advance moves the clock and lets the log do the background work that is due by then.
	Advance func(d time.Duration)
	// Reopen closes the log and returns it opened again on the same data.
	Reopen func() bus.Log
}

// Run runs the suite; each test gets a harness of its own.
func Run(t *testing.T, make func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"Order", testOrder}, {"ReadInside", testReadInside}, {"Types", testTypes}, {"Weights", testWeights}, {"Schemas", testSchemas},
		{"Atomic", testAtomic}, {"LargeBatch", testLargeBatch}, {"Refused", testRefused}, {"Canceled", testCanceled},
		{"Dedup", testDedup}, {"DedupConcurrent", testDedupConcurrent}, {"Epoch", testEpoch},
		{"Trim", testTrim}, {"Drop", testDrop}, {"Configure", testConfigure}, {"Reopen", testReopen}, {"Closed", testClosed},
		{"Watermark", testWatermark}, {"Future", testFuture}, {"MarkByAge", testMarkByAge}, {"MarkByOthers", testMarkByOthers}, {"MarkOfEmptyPartition", testMarkOfEmptyPartition},
		{"MarkAfterReopen", testMarkAfterReopen}, {"MarkAfterTrim", testMarkAfterTrim}, {"Clock", testClockNeverGoesBack},
		{"Subscribe", testSubscribe}, {"SubscribeNoLostBell", testSubscribeNoLostBell}, {"PositionCut", testPositionCut},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := make(t)
			f := &fixture{T: t, Harness: h}
			t.Cleanup(func() {
				if err := f.Log.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			c.test(t, f)
		})
	}
}

// fixture is a harness with helpers that end the test when something fails.
type fixture struct {
	*testing.T
	Harness
}

var ctx = context.Background()

// part names partition i of stream 10.
func part(i uint32) types.PartitionID { return types.PartitionID{Stream: 10, Index: i} }

func (f *fixture) configure(partitions uint32, rule types.TimeRule) {
	f.Helper()
	if err := f.Log.Configure(ctx, bus.StreamConfig{ID: 10, Partitions: partitions, Time: rule}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) append(parts ...bus.Part) bus.Ack {
	f.Helper()
	ack, err := f.Log.Append(ctx, &bus.Append{Parts: parts})
	if err != nil {
		f.Fatal(err)
	}
	return ack
}

// put appends one batch to partition i.
func (f *fixture) put(i uint32, b *types.Batch) bus.Ack {
	f.Helper()
	return f.append(bus.Part{Partition: part(i), Batch: b})
}

// read returns all entries of a partition from an offset, few at a time, and checks what must hold of any.
func (f *fixture) read(p types.PartitionID, from types.Offset) []*bus.Entry {
	f.Helper()
	var all []*bus.Entry
	for {
		got, err := f.Log.Read(ctx, p, from, 1)
		if err != nil {
			f.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		for _, e := range got {
			f.check(e, all)
			all = append(all, e)
		}
		from = got[len(got)-1].Next
	}
}

func (f *fixture) check(e *bus.Entry, before []*bus.Entry) {
	f.Helper()
	rows, lastAt := 0, int64(0)
	if len(before) > 0 {
		prev := before[len(before)-1]
		lastAt = prev.Runs[len(prev.Runs)-1].At
		if e.First < prev.Next {
			f.Fatalf("entry at %d after one that ends at %d", e.First, prev.Next)
		}
	}
	for _, r := range e.Runs {
		if r.At < lastAt {
			f.Fatalf("At goes back from %d to %d", lastAt, r.At)
		}
		rows += r.Rows
		lastAt = r.At
	}
	switch {
	case len(e.Runs) == 0, e.Next <= e.First:
		f.Fatalf("entry %+v", e)
	case e.Batch == nil && rows != 0, e.Batch != nil && (rows != e.Batch.Rows || int(e.Next-e.First) != rows):
		f.Fatalf("entry from %d to %d has %d rows in its runs", e.First, e.Next, rows)
	}
}

// numbers returns column n of Events of all entries, which lie at their offsets.
func numbers(entries []*bus.Entry) []int64 {
	var out []int64
	for _, e := range entries {
		if e.Batch != nil {
			out = append(out, e.Batch.Columns[1].(*array.Int64).Int64Values()...)
		}
	}
	return out
}

// runs returns the runs of all entries, rows and marks, each row's stamp by itself.
func runs(entries []*bus.Entry) []bus.Run {
	var out []bus.Run
	for _, e := range entries {
		for _, r := range e.Runs {
			n := r.Rows
			r.Rows = min(r.Rows, 1)
			for range max(n, 1) {
				out = append(out, r)
			}
		}
	}
	return out
}

// same checks that entries hold exactly the rows of the batches, in order.
func (f *fixture) same(entries []*bus.Entry, want ...*types.Batch) {
	f.Helper()
	w, at := 0, 0
	for _, e := range entries {
		for from := 0; e.Batch != nil && from < e.Batch.Rows; {
			if w == len(want) {
				f.Fatal("more rows than were appended")
			}
			n := min(e.Batch.Rows-from, want[w].Rows-at)
			if err := equalBatch(e.Batch.Slice(from, from+n), want[w].Slice(at, at+n)); err != nil {
				f.Fatalf("batch %d, row %d: %v", w, at, err)
			}
			from, at = from+n, at+n
			if at == want[w].Rows {
				w, at = w+1, 0
			}
		}
	}
	if w != len(want) {
		f.Fatalf("%d of %d batches read", w, len(want))
	}
}

func equalBatch(a, b *types.Batch) error {
	if fmt.Sprint(a.Schema) != fmt.Sprint(b.Schema) || a.Schema.Version != b.Schema.Version || a.Schema.NextID != b.Schema.NextID {
		return fmt.Errorf("schema %d (%s), want %d (%s)", a.Schema.Version, a.Schema, b.Schema.Version, b.Schema)
	}
	for i := range a.Schema.Columns {
		x, y := a.Schema.Columns[i], b.Schema.Columns[i]
		if x.ID != y.ID || x.NotNull != y.NotNull || x.Wide != y.Wide || fmt.Sprint(x.Path) != fmt.Sprint(y.Path) || !x.Type.Equal(y.Type) {
			return fmt.Errorf("column %+v, want %+v", x, y)
		}
		if !array.ApproxEqual(a.Columns[i], b.Columns[i], array.WithNaNsEqual(true)) {
			return fmt.Errorf("column %s is %v, want %v", x.Name, a.Columns[i], b.Columns[i])
		}
	}
	for i := range a.Rows {
		if a.Weight(i) != b.Weight(i) {
			return fmt.Errorf("weight of row %d is %d, want %d", i, a.Weight(i), b.Weight(i))
		}
	}
	return nil
}

// code checks an error's code.
func (f *fixture) code(err error, want types.Code) {
	f.Helper()
	if !types.HasCode(err, want) {
		f.Fatalf("got error %v, want code %s", err, want)
	}
}
