package bustest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"leat/internal/bus"
	"leat/internal/types"
)

func testTrim(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	for i := range int64(5) {
		f.put(0, Numbers(i*1000, 1000))
	}
	before, err := f.Log.Bounds(part(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Log.Trim(ctx, part(0), 2500); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b, err := f.Log.Bounds(part(0))
		if err != nil || b.Start > 2500 || b.Start == 0 || b.End != before.End || b.Bytes >= before.Bytes || b.Bytes <= 0 || b.Rows != int64(b.End-b.Start) {
			t.Fatalf("%+v, %v", b, err)
		}
		_, err = f.Log.Read(ctx, part(0), b.Start-1, 1)
		var trimmed *bus.TrimmedError
		if !errors.As(err, &trimmed) || trimmed.Start != b.Start || trimmed.From != b.Start-1 {
			t.Fatal(err)
		}
		if got := numbers(f.read(part(0), b.Start)); len(got) != int(b.Rows) || got[0] != int64(b.Start) {
			t.Fatalf("%d rows", len(got))
		}
		f.Log = f.Reopen()
	}
	if err := f.Log.Trim(ctx, part(0), 1); err != nil { // backwards: nothing
		t.Fatal(err)
	}
	if err := f.Log.Trim(ctx, part(0), 1<<40); err != nil { // everything, and no more than that
		t.Fatal(err)
	}
	f.Log = f.Reopen()
	if b, err := f.Log.Bounds(part(0)); err != nil || b.Start != before.End || b.End != before.End || b.Rows != 0 || b.Bytes != 0 || b.LastAt != before.LastAt {
		t.Fatalf("%+v, %v", b, err)
	}
	if ack := f.put(0, Numbers(0, 1)); ack.Ranges[0].First != before.End {
		t.Fatalf("offsets began anew: %+v", ack)
	}
	f.code(f.Log.Trim(ctx, part(7), 1), types.NotFound)
}

func testDrop(t *testing.T, f *fixture) {
	f.configure(2, types.TimeRule{})
	if err := f.Log.Configure(ctx, bus.StreamConfig{ID: 11, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	other := types.PartitionID{Stream: 11}
	f.append(bus.Part{Partition: part(0), Batch: Numbers(0, 3)}, bus.Part{Partition: other, Batch: Numbers(0, 3)})
	for range 2 { // the second time it is gone already
		if err := f.Log.Drop(ctx, 10); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		_, err := f.Log.Read(ctx, part(0), 0, 1)
		f.code(err, types.NotFound)
		_, err = f.Log.Bounds(part(0))
		f.code(err, types.NotFound)
		_, err = f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(0, 1)}}})
		f.code(err, types.NotFound)
		if got := numbers(f.read(other, 0)); len(got) != 3 {
			t.Fatalf("the other stream has %d rows", len(got))
		}
		f.Log = f.Reopen()
	}
	f.configure(1, types.TimeRule{})
	f.put(0, Numbers(7, 1))
	f.Log = f.Reopen()
	if got := numbers(f.read(part(0), 0)); !slices.Equal(got, []int64{7}) {
		t.Fatalf("a dropped stream came back: %v", got)
	}
}

func testConfigure(t *testing.T, f *fixture) {
	_, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(0, 1)}}})
	f.code(err, types.NotFound)
	f.configure(2, types.TimeRule{})
	f.put(1, Numbers(0, 1))
	f.configure(2, types.TimeRule{})
	f.configure(4, types.TimeRule{})
	f.put(3, Numbers(0, 1))
	f.code(f.Log.Configure(ctx, bus.StreamConfig{ID: 10, Partitions: 3}), types.InvalidArgument)
	f.code(f.Log.Configure(ctx, bus.StreamConfig{ID: 12}), types.InvalidArgument)
	f.Log = f.Reopen()
	if got := len(f.read(part(1), 0)) + len(f.read(part(2), 0)) + len(f.read(part(3), 0)); got != 2 {
		t.Fatalf("%d entries", got)
	}
}

func testReopen(t *testing.T, f *fixture) {
	rule := types.TimeRule{Column: 1, Watermarked: true, Delay: time.Second}
	f.configure(3, rule)
	rng := seeded(t)
	now := f.Now().UnixMicro()
	for i := range int64(50) {
		f.put(uint32(rng.IntN(3)), Timed(i, now+rng.Int64N(1e6), NullTime, now-rng.Int64N(1e9)))
		f.Advance(time.Duration(rng.IntN(4000)) * time.Millisecond)
	}
	incarnation, position := f.Log.Incarnation(), f.Log.Position(10)
	entries, bounds := f.all(3)
	f.Log = f.Reopen()
	again, boundsAgain := f.all(3)
	if f.Log.Incarnation() != incarnation || incarnation == 0 || f.Log.Position(10).Token() != position.Token() {
		t.Fatalf("position %s of %d, was %s of %d", f.Log.Position(10).Token(), f.Log.Incarnation(), position.Token(), incarnation)
	}
	for i := range entries {
		if bounds[i] != boundsAgain[i] {
			t.Fatalf("bounds %+v, were %+v", boundsAgain[i], bounds[i])
		}
		if !slices.Equal(runs(entries[i]), runs(again[i])) || !slices.Equal(numbers(entries[i]), numbers(again[i])) {
			t.Fatalf("partition %d changed", i)
		}
	}
}

// all reads the first n partitions and their bounds.
func (f *fixture) all(n uint32) (entries [][]*bus.Entry, bounds []bus.Bounds) {
	f.Helper()
	for i := range n {
		b, err := f.Log.Bounds(part(i))
		if err != nil {
			f.Fatal(err)
		}
		entries, bounds = append(entries, f.read(part(i), 0)), append(bounds, b)
	}
	return entries, bounds
}

func testClosed(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	sub := f.Log.Subscribe()
	defer sub.Close()
	if err := f.Log.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(0, 1)}}})
	f.code(err, types.Unavailable)
	_, err = sub.Next(ctx)
	f.code(err, types.Unavailable)
}
