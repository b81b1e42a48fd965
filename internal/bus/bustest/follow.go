package bustest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"leat/internal/bus"
	"leat/internal/types"
)

func (f *fixture) next(s bus.Subscription) []types.PartitionID {
	f.Helper()
	got, err := s.Next(ctx)
	if err != nil {
		f.Fatal(err)
	}
	return got
}

func testSubscribe(t *testing.T, f *fixture) {
	f.configure(3, types.TimeRule{})
	f.put(2, Numbers(0, 1))
	f.put(0, Numbers(0, 1))
	sub := f.Log.Subscribe()
	defer sub.Close()
	if got := f.next(sub); !slices.Equal(got, []types.PartitionID{part(0), part(2)}) {
		t.Fatalf("at first %v", got)
	}
	for range 5 {
		f.put(1, Numbers(0, 1))
	}
	if got := f.next(sub); !slices.Equal(got, []types.PartitionID{part(1)}) {
		t.Fatalf("after growth %v", got)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := sub.Next(gone)
	f.code(err, types.Canceled)
	f.put(1, Numbers(0, 1))
	if got := f.next(sub); !slices.Equal(got, []types.PartitionID{part(1)}) {
		t.Fatalf("after a canceled wait %v", got)
	}
}

// testSubscribeNoLostBell follows with nothing but the bell while others append: every row must be seen.
func testSubscribeNoLostBell(t *testing.T, f *fixture) {
	const writers, each = 4, 100
	f.configure(writers, types.TimeRule{})
	sub := f.Log.Subscribe()
	defer sub.Close()
	var wg sync.WaitGroup
	for w := range uint32(writers) {
		wg.Go(func() {
			for i := range int64(each) {
				if _, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(w), Batch: Numbers(i, 1)}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next, seen := map[types.PartitionID]types.Offset{}, 0
	for seen < writers*each && !t.Failed() {
		for _, p := range f.next(sub) {
			got := f.read(p, next[p])
			for _, n := range got {
				next[p] = n.Next
			}
			seen += len(numbers(got))
		}
	}
	wg.Wait()
}

// testPositionCut appends to two partitions at once: no position may have one without the other.
func testPositionCut(t *testing.T, f *fixture) {
	f.configure(2, types.TimeRule{})
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for range 3 {
		writers.Go(func() {
			for i := range int64(100) {
				a := &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(i, 1)}, {Partition: part(1), Batch: Numbers(i, 1)}}}
				if _, err := f.Log.Append(ctx, a); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Go(func() {
		for {
			p := f.Log.Position(10)
			if len(p.Cursors) != 2 || p.Cursors[0].Next != p.Cursors[1].Next {
				t.Errorf("torn position %+v", p.Cursors)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
	f.Log = f.Reopen()
	if p := f.Log.Position(); !p.Covers(f.Log.Position(10)) || !f.Log.Position(10).Covers(types.NewPosition(p.Incarnation, []types.Cursor{{Partition: part(1), Next: 300}})) {
		t.Fatalf("%+v", p)
	}
}
