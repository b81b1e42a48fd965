package catalog

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"leat/internal/types"
)

var crashes = flag.Int("crashes", 40, "how many crashes and disk errors the tests make")

// random returns a generator whose seed is printed.
func random(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// kept is how many pairs of history makes at most.
const kept = 3

// history makes numbered transactions: each adds a stream and a view on it and drops the pair made three before.
// They are large, so that Pebble changes its log files and flushes meanwhile.
type history struct {
	c     *Catalog
	acked atomic.Uint64 // transactions
	ids   []types.ObjectID
}

var ballast = strings.Repeat("x", 40<<10)

// step makes the next transaction.
func (h *history) step() error {
	n := h.acked.Load() + 1
	var ids [2]types.ObjectID
	_, err := h.c.Update(ctx, func(tx *Tx) error {
		ids = [2]types.ObjectID{tx.NewID(), tx.NewID()}
		s := stream(ids[0], fmt.Sprintf("s_%d", n))
		s.Stream.Description = ballast
		errs := []error{tx.Put(s), tx.Put(view(ids[1], fmt.Sprintf("v_%d", n), ids[0])), tx.PutToken(&Token{ID: "last", Name: fmt.Sprint(n)})}
		if old := int(n) - kept; old > 0 {
			errs = append(errs, tx.Delete(tx.ByName(fmt.Sprintf("s_%d", old)).ID), tx.Delete(tx.ByName(fmt.Sprintf("v_%d", old)).ID))
		}
		return errors.Join(errs...)
	})
	if err == nil {
		h.ids = append(h.ids, ids[:]...)
		h.acked.Add(1)
	}
	return err
}

// checkSurvivors opens what is left after acked transactions were acknowledged: they are there, one more may be, whole.
func checkSurvivors(t *testing.T, fs vfs.FS, acked uint64, ids []types.ObjectID) {
	t.Helper()
	c := open(t, fs)
	defer closed(t, c)
	s := c.Snapshot()
	if s.Version() != acked && s.Version() != acked+1 {
		t.Fatalf("%d transactions were acknowledged, %d are there", acked, s.Version())
	}
	var want, got []string
	for n := s.Version(); n > 0 && n+kept > s.Version(); n-- {
		want = append(want, fmt.Sprintf("s_%d", n), fmt.Sprintf("v_%d", n))
	}
	for _, o := range s.All() {
		got = append(got, o.Name)
		if versions, err := c.History(o.ID); err != nil || len(versions) != 1 || versions[0].Name != o.Name {
			t.Fatalf("the history of %s is %v, %v", o.Name, versions, err)
		}
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Fatalf("transaction %d left %v, want %v", s.Version(), got, want)
	}
	if s.Version() > 0 && s.Token("last").Name != fmt.Sprint(s.Version()) {
		t.Fatalf("transaction %d and the token of %s", s.Version(), s.Token("last").Name)
	}
	update(t, c, func(tx *Tx) error {
		id := tx.NewID()
		for _, o := range s.All() {
			ids = append(ids, o.ID)
		}
		if len(ids) > 0 && id <= slices.Max(ids) {
			t.Errorf("ID %d is given again; %d was given before", id, slices.Max(ids))
		}
		return tx.Put(stream(id, "later"))
	})
}

// changes reports whether an operation changes what the disk keeps.
func changes(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpLink, errorfs.OpFileWrite, errorfs.OpFileWriteAt:
		return true
	}
	return syncs(op)
}

func syncs(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}

// TestCrash crashes in the middle of commits, before the n-th operation that changes the disk: what was acknowledged
// survives whatever of the unsynced bytes is lost, all else is whole or absent.
func TestCrash(t *testing.T) {
	rng := random(t)
	for range *crashes {
		mem := vfs.NewCrashableMem()
		h := new(history)
		target, kept := 1+rng.Int64N(300), rng.IntN(101)
		var n atomic.Int64
		var acked uint64
		var clone *vfs.MemFS
		h.c = open(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if changes(op) && n.Add(1) == target {
				acked = h.acked.Load()
				clone = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng})
			}
			return nil
		})))
		for n.Load() < target {
			if err := h.step(); err != nil {
				t.Fatal(err)
			}
		}
		closed(t, h.c)
		checkSurvivors(t, clone, acked, h.ids[:2*acked])
	}
}

// TestDiskErrors lets the n-th write, fsync or new file fail, once or for good, and then restarts or crashes.
func TestDiskErrors(t *testing.T) {
	rng := random(t)
	for round := range 4 * *crashes {
		cause, code := syscall.EIO, types.Unavailable
		if rng.IntN(2) == 0 {
			cause, code = syscall.ENOSPC, types.DiskFull
		}
		concerns := []func(errorfs.Op) bool{changes, syncs,
			func(op errorfs.Op) bool { return changes(op) && strings.HasSuffix(op.Path, ".log") },
			func(op errorfs.Op) bool { return changes(op) && !strings.HasSuffix(op.Path, ".log") },
			func(op errorfs.Op) bool { return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite },
		}[round%5]
		once, target := rng.IntN(2) == 0, 1+rng.Int64N(60)
		if round%5 > 3 {
			target = 1 + rng.Int64N(8)
		}
		var n atomic.Int64
		var off atomic.Bool
		mem := vfs.NewCrashableMem()
		failing := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if off.Load() || !concerns(op) {
				return nil
			}
			if i := n.Add(1); i == target || i > target && !once {
				return cause
			}
			return nil
		}))
		h := new(history)
		var err error
		if h.c, err = Open("catalog", Options{FS: failing}); err == nil {
			for err == nil {
				err = h.step()
			}
			checkStopped(t, h, code)
		}
		if e := types.AsError(err); e.Code != code || e.Hint == "" || !errors.Is(err, cause) {
			t.Fatalf("round %d: %v, want %s", round, err, code)
		}
		off.Store(true)
		checkSurvivors(t, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng}), h.acked.Load(), h.ids)
		checkSurvivors(t, mem, h.acked.Load(), h.ids)
	}
}

// checkStopped checks what a catalog still does after its disk failed, and that it can be closed.
func checkStopped(t *testing.T, h *history, code types.Code) {
	t.Helper()
	if err := h.step(); !types.HasCode(err, code) {
		t.Fatalf("the next Update: %v, want %s", err, code)
	}
	if _, err := h.c.History(FirstUserID); !types.HasCode(err, code) {
		t.Fatalf("History: %v, want %s", err, code)
	}
	if v := h.c.Snapshot().Version(); v != h.acked.Load() {
		t.Fatalf("the snapshot is at %d, acknowledged are %d", v, h.acked.Load())
	}
	if err := h.c.Close(); !types.HasCode(err, code) {
		t.Fatalf("Close: %v, want %s", err, code)
	}
}
