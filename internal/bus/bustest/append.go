package bustest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/bus"
	"leat/internal/types"
)

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func testOrder(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	next := types.Offset(0)
	for i := range int64(20) {
		ack := f.put(0, Numbers(i*3, 3))
		if len(ack.Ranges) != 1 || ack.Ranges[0].First < next || ack.Ranges[0].Next != ack.Ranges[0].First+3 || ack.Duplicate {
			t.Fatalf("ack %+v after offset %d", ack, next)
		}
		next = ack.Ranges[0].Next
	}
	got := numbers(f.read(part(0), 0))
	for i, n := range got {
		if n != int64(i) {
			t.Fatalf("row %d is %d", i, n)
		}
	}
	b, err := f.Log.Bounds(part(0))
	if err != nil || len(got) != 60 || b.End != next || b.Rows != 60 || b.Bytes <= 0 || b.LastAt == 0 || b.Watermark != types.NoWatermark {
		t.Fatalf("%d rows, bounds %+v, %v", len(got), b, err)
	}
	if past, err := f.Log.Read(ctx, part(0), next+10, 100); err != nil || len(past) != 0 {
		t.Fatalf("past the end: %v, %v", past, err)
	}
}

func testReadInside(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	for i := range int64(3) {
		f.put(0, Numbers(i*1000, 1000))
	}
	for range 2 {
		for _, from := range []types.Offset{0, 1, 999, 1000, 1500, 2999} {
			got, err := f.Log.Read(ctx, part(0), from, 1)
			if err != nil || len(got) != 1 || got[0].First > from || got[0].Next <= from {
				t.Fatalf("from %d: %+v, %v", from, got, err)
			}
		}
		if got, err := f.Log.Read(ctx, part(0), 10, 1<<30); err != nil || len(numbers(got)) != 3000 {
			t.Fatalf("%d rows, %v", len(numbers(got)), err)
		}
		f.Log = f.Reopen()
	}
}

func testTypes(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	rng := seeded(t)
	s := AllTypes()
	var want []*types.Batch
	for _, n := range []int{1, 7, 64, 3, 500} {
		b := Random(rng, s, n)
		if n > 10 { // a batch that is a piece of another, at an odd place
			b = b.Slice(3, n-2)
		}
		f.put(0, b)
		want = append(want, b)
	}
	f.same(f.read(part(0), 0), want...)
	f.Log = f.Reopen()
	f.same(f.read(part(0), 0), want...)
}

func testWeights(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	a, b, c := Numbers(0, 3), Numbers(3, 2), Numbers(5, 2000)
	a.Weights = []int64{1, -1, 5}
	c.Weights = slices.Repeat([]int64{-1, 1}, 1000)
	var wg sync.WaitGroup // at once, so that they may be stored together
	for _, batch := range []*types.Batch{a, b, c} {
		wg.Go(func() {
			if _, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: batch}}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f.Log = f.Reopen()
	for _, e := range f.read(part(0), 0) {
		for i, n := range numbers([]*bus.Entry{e}) {
			want := int64(1)
			switch {
			case n < 3:
				want = a.Weights[n]
			case n >= 5:
				want = c.Weights[n-5]
			}
			if e.Batch.Weight(i) != want {
				t.Fatalf("weight of row %d is %d, want %d", n, e.Batch.Weight(i), want)
			}
		}
	}
}

func testSchemas(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	rng := seeded(t)
	old := Events()
	wide := old.Clone()
	wide.Version = 2
	wide.Add("extra", types.Of(types.Varchar), "extra")
	want := []*types.Batch{Random(rng, old, 5), Random(rng, wide, 5), Random(rng, old, 5), Random(rng, wide, 900)}
	var parts []bus.Part
	for _, b := range want {
		parts = append(parts, bus.Part{Partition: part(0), Batch: b})
	}
	f.append(parts...)
	f.same(f.read(part(0), 0), want...)
	f.Log = f.Reopen()
	got := f.read(part(0), 0)
	f.same(got, want...)
	if got[0].Batch.Schema != got[2].Batch.Schema {
		t.Error("one schema was read as two")
	}
}

func testAtomic(t *testing.T, f *fixture) {
	f.configure(3, types.TimeRule{})
	ack := f.append(bus.Part{Partition: part(2), Batch: Numbers(0, 2)}, bus.Part{Partition: part(0), Batch: Numbers(2, 3000)}, bus.Part{Partition: part(2), Batch: Numbers(3002, 1)})
	if len(ack.Ranges) != 3 || ack.Ranges[0].Partition != part(2) || ack.Ranges[1].Partition != part(0) || ack.Ranges[2].First < ack.Ranges[0].Next {
		t.Fatalf("%+v", ack)
	}
	_, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(0, 1)}, {Partition: part(9), Batch: Numbers(0, 1)}}})
	f.code(err, types.NotFound)
	f.Log = f.Reopen()
	if a, b := numbers(f.read(part(0), 0)), numbers(f.read(part(2), 0)); len(a) != 3000 || !slices.Equal(b, []int64{0, 1, 3002}) {
		t.Fatalf("%d rows, %v", len(a), b)
	}
}

func testLargeBatch(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	const rows = 700_000
	ack := f.put(0, Numbers(0, rows))
	if r := ack.Ranges[0]; r.Next-r.First != rows {
		t.Fatalf("%+v", ack)
	}
	f.Log = f.Reopen()
	if got := numbers(f.read(part(0), 0)); len(got) != rows || got[rows-1] != rows-1 {
		t.Fatalf("%d rows", len(got))
	}
}

func testRefused(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	bad := *Numbers(0, 2)
	bad.Columns = bad.Columns[:1]
	swapped := *Numbers(0, 2)
	swapped.Columns = []arrow.Array{swapped.Columns[1], swapped.Columns[0]}
	short := *Numbers(0, 2)
	short.Weights = []int64{1}
	for name, b := range map[string]*types.Batch{"nil": nil, "no rows": {Schema: Events()}, "columns": &bad, "types": &swapped, "weights": &short} {
		if _, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: b}}}); !types.HasCode(err, types.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := f.Log.Append(ctx, &bus.Append{})
	f.code(err, types.InvalidArgument)
	_, err = f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: bus.Clock, Batch: Numbers(0, 1)}}})
	f.code(err, types.InvalidArgument)
	if got := f.read(part(0), 0); len(got) != 0 {
		t.Fatalf("%d entries of refused appends", len(got))
	}
}

func testCanceled(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := f.Log.Append(gone, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(0, 1)}}})
	f.code(err, types.Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func testDedup(t *testing.T, f *fixture) {
	f.configure(2, types.TimeRule{})
	a := &bus.Append{Parts: []bus.Part{{Partition: part(1), Batch: Numbers(0, 3)}, {Partition: part(0), Batch: Numbers(3, 1)}},
		Dedup: &bus.Dedup{Scope: "token/s", Key: "k", Digest: [32]byte{1}, Note: []byte("answer")}}
	first, err := f.Log.Append(ctx, a)
	if err != nil || first.Duplicate {
		t.Fatalf("%+v, %v", first, err)
	}
	f.Advance(time.Second)
	for range 2 {
		again, err := f.Log.Append(ctx, a)
		if err != nil || !again.Duplicate || !slices.Equal(again.Ranges, first.Ranges) || !again.At.Equal(first.At) || string(again.Note) != "answer" {
			t.Fatalf("%+v, %v; the first was %+v", again, err, first)
		}
		other := *a.Dedup
		other.Digest[0] = 2
		_, err = f.Log.Append(ctx, &bus.Append{Parts: a.Parts, Dedup: &other})
		f.code(err, types.IdempotencyMismatch)
		f.Log = f.Reopen()
	}
	scope := *a.Dedup
	scope.Scope, scope.Key = "token/", "sk"
	if ack, err := f.Log.Append(ctx, &bus.Append{Parts: a.Parts, Dedup: &scope}); err != nil || ack.Duplicate {
		t.Fatalf("another scope: %+v, %v", ack, err)
	}
	if got := numbers(f.read(part(1), 0)); len(got) != 6 {
		t.Fatalf("%d rows", len(got))
	}
}

func testDedupConcurrent(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	var wg sync.WaitGroup
	acks := make([]bus.Ack, 32)
	for i := range acks {
		wg.Go(func() {
			var err error
			if acks[i], err = f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(0, 1)}}, Dedup: &bus.Dedup{Key: "once"}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	firsts := 0
	for _, a := range acks {
		if !a.Duplicate {
			firsts++
		}
		if !slices.Equal(a.Ranges, acks[0].Ranges) {
			t.Errorf("%+v and %+v", a, acks[0])
		}
	}
	if got := numbers(f.read(part(0), 0)); len(got) != 1 || firsts != 1 {
		t.Fatalf("%d rows, %d firsts", len(got), firsts)
	}
}

func testEpoch(t *testing.T, f *fixture) {
	f.configure(1, types.TimeRule{})
	send := func(producer types.ObjectID, epoch uint64) bus.Ack {
		t.Helper()
		ack, err := f.Log.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: part(0), Batch: Numbers(int64(epoch), 1)}}, Epoch: &bus.Epoch{Producer: producer, Epoch: epoch}})
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	send(5, 1)
	third := send(5, 3)
	f.Log = f.Reopen()
	if again := send(5, 3); !again.Duplicate || !slices.Equal(again.Ranges, third.Ranges) {
		t.Fatalf("%+v", again)
	}
	if old := send(5, 2); !old.Duplicate {
		t.Fatalf("%+v", old)
	}
	if send(6, 1).Duplicate || send(5, 4).Duplicate {
		t.Fatal("a new epoch was refused")
	}
	if got := numbers(f.read(part(0), 0)); !slices.Equal(got, []int64{1, 3, 1, 4}) {
		t.Fatal(got)
	}
}
