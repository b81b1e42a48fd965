package pebblelog

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"leat/internal/bus"
	"leat/internal/types"
)

var crashes = flag.Int("crashes", 30, "how many crashes TestCrash makes")

// writers append to two partitions at once and know what was acknowledged. Append number n has 1 to 3 rows in
// partition 0 and one in partition 1, all with the number n.
type writers struct {
	wg   sync.WaitGroup
	stop atomic.Bool
	next atomic.Int64

	mu    sync.Mutex // guards acked
	acked map[int64]bus.Ack
	last  error // the error that stopped a writer
}

func (w *writers) start(l *Log, n int) {
	w.acked = map[int64]bus.Ack{}
	for range n {
		w.wg.Go(func() {
			for !w.stop.Load() {
				i := w.next.Add(1)
				ack, err := l.Append(ctx, numbered(i))
				w.mu.Lock()
				if err != nil {
					w.last = err
				} else {
					w.acked[i] = ack
				}
				w.mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
}

func numbered(n int64) *bus.Append {
	rows := func(k int) *types.Batch { return intBatch(slices.Repeat([]int64{n}, k)...) }
	return &bus.Append{Parts: []bus.Part{{Partition: ten, Batch: rows(int(n%3) + 1)}, {Partition: types.PartitionID{Stream: 10, Index: 1}, Batch: rows(1)}},
		Dedup: &bus.Dedup{Scope: "w", Key: fmt.Sprint(n)}}
}

func (w *writers) snapshot() map[int64]bus.Ack {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[int64]bus.Ack, len(w.acked))
	for k, v := range w.acked {
		out[k] = v
	}
	return out
}

// firstRows returns for each offset of a partition the number that is there.
func firstRows(t testing.TB, l *Log, part uint32) map[types.Offset]int64 {
	t.Helper()
	out := map[types.Offset]int64{}
	for from := types.Offset(0); ; {
		got, err := l.Read(ctx, types.PartitionID{Stream: 10, Index: part}, from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return out
		}
		for _, e := range got {
			if e.First != from {
				t.Fatalf("entry at %d, expected at %d", e.First, from)
			}
			for i, n := range e.Batch.Columns[0].(*array.Int64).Int64Values() {
				out[e.First+types.Offset(i)] = n
			}
			from = e.Next
		}
	}
}

// checkSurvivors opens what is left after a crash: every acknowledged append is there once, all others whole or not at all.
func checkSurvivors(t testing.TB, fs vfs.FS, acked map[int64]bus.Ack) {
	t.Helper()
	l := mustOpen(t, "log", Options{FS: fs, MemTableBytes: 1 << 20})
	defer closeLog(t, l)
	zero, one := firstRows(t, l, 0), firstRows(t, l, 1)
	begins := map[int64]types.Offset{} // append -> its first offset in partition 0
	for o, n := range zero {
		if f, ok := begins[n]; !ok || o < f {
			begins[n] = o
		}
	}
	seen := map[int64]bool{}
	for _, n := range one {
		if seen[n] {
			t.Fatalf("append %d is there twice", n)
		}
		seen[n] = true
	}
	rows := 0
	for n := range seen {
		rows += int(n%3) + 1
		for i := range n%3 + 1 {
			if first, ok := begins[n]; !ok || zero[first+types.Offset(i)] != n {
				t.Fatalf("append %d is torn", n)
			}
		}
	}
	if rows != len(zero) {
		t.Fatalf("partition 0 has %d rows, its appends have %d", len(zero), rows)
	}
	for n, ack := range acked {
		if one[ack.Ranges[1].First] != n || zero[ack.Ranges[0].First] != n {
			t.Fatalf("append %d was acknowledged at %+v and is not there", n, ack.Ranges)
		}
		if n%16 != 0 {
			continue
		}
		if again, err := l.Append(ctx, numbered(n)); err != nil || !again.Duplicate {
			t.Fatalf("append %d repeated: %+v, %v", n, again, err)
		}
	}
}

func TestCrash(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range *crashes {
		fs := vfs.NewCrashableMem()
		l := configured(t, "log", Options{FS: fs, MemTableBytes: 1 << 20}, 2)
		w := &writers{}
		w.start(l, 4)
		target := rng.Int64N(2000)
		for w.next.Load() < target {
			if _, err := l.Bounds(types.PartitionID{Stream: 10}); err != nil {
				t.Fatal(err)
			}
		}
		acked := w.snapshot()
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		w.stop.Store(true)
		w.wg.Wait()
		closeLog(t, l)
		if w.last != nil {
			t.Fatal(w.last)
		}
		checkSurvivors(t, clone, acked)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// TestDiskErrors fails a write or an fsync at a random moment, for good or once, and then crashes.
func TestDiskErrors(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range *crashes {
		cause := []error{syscall.EIO, syscall.ENOSPC}[round%2]
		kinds := [][]errorfs.OpKind{{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}, {errorfs.OpFileWrite},
			{errorfs.OpCreate, errorfs.OpReuseForWrite}}[round/2%3]
		once, countdown, armed := rng.IntN(2) == 0, int64(1+rng.IntN(200)), atomic.Bool{}
		creates := kinds[0] == errorfs.OpCreate // of any file: Pebble must not end the process over it either
		if creates {
			countdown = 1 + countdown%3
		}
		var n atomic.Int64
		inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
			for _, k := range kinds {
				if op.Kind == k && armed.Load() && (creates || strings.HasSuffix(op.Path, ".log")) {
					if i := n.Add(1); i == countdown || i > countdown && !once {
						return cause
					}
				}
			}
			return nil
		})
		mem := vfs.NewCrashableMem()
		l := configured(t, "log", Options{FS: errorfs.Wrap(mem, inject), MemTableBytes: 1 << 20}, 2)
		armed.Store(true)
		w := &writers{}
		w.start(l, 4)
		w.wg.Wait() // all writers stop at the error
		want := types.Unavailable
		if errors.Is(cause, syscall.ENOSPC) {
			want = types.DiskFull
		}
		if !types.HasCode(w.last, want) || !errors.Is(w.last, cause) {
			t.Fatalf("round %d: %v, want %s", round, w.last, want)
		}
		if _, err := l.Append(ctx, numbered(1)); !types.HasCode(err, want) {
			t.Fatalf("round %d: an append after the error: %v", round, err)
		}
		acked := w.snapshot()
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := l.Close(); err != nil {
			t.Logf("round %d: close: %v", round, err)
		}
		checkSurvivors(t, clone, acked)
	}
}

// TestFsyncBeforeAck holds back the log's fsync: until it returns nothing is acknowledged and nothing is visible.
func TestFsyncBeforeAck(t *testing.T) {
	var held atomic.Pointer[chan struct{}]
	reached := make(chan bool, 100) // whether the write came before the fsync
	var written atomic.Bool
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		gate := held.Load()
		if gate == nil || !strings.HasSuffix(op.Path, ".log") {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileWrite:
			written.Store(true)
		case errorfs.OpFileSync, errorfs.OpFileSyncData:
			reached <- written.Load()
			<-*gate
		}
		return nil
	})
	l := configured(t, "log", Options{FS: errorfs.Wrap(vfs.NewMem(), inject)}, 2)
	sub := l.Subscribe()
	defer sub.Close()
	for n := range int64(10) {
		before := l.Position(10)
		gate := make(chan struct{})
		written.Store(false)
		held.Store(&gate)
		acked := make(chan error, 1)
		go func() {
			_, err := l.Append(ctx, numbered(n))
			acked <- err
		}()
		if !<-reached {
			t.Fatal("an fsync without a write before it")
		}
		select {
		case err := <-acked:
			t.Fatalf("acknowledged before the fsync returned: %v", err)
		default:
		}
		if after := l.Position(10); !before.Covers(after) {
			t.Fatalf("visible before the fsync returned: %+v", after)
		}
		held.Store(nil)
		close(gate)
		if err := <-acked; err != nil {
			t.Fatal(err)
		}
		if after := l.Position(10); before.Covers(after) {
			t.Fatal("acknowledged and not visible")
		}
	}
	closeLog(t, l)
}
