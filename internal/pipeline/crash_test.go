package pipeline

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"leat/internal/bus"
	"leat/internal/engine/circuit"
	"leat/internal/engine/lower"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var crashes = flag.Int("crashes", 3, "how often each fault point is crashed at")

var errCrash = errors.New("crash")

// killer clones the file systems at a fault point, or during a write of a commit, and lets nothing be done after.
type killer struct {
	mu        sync.Mutex
	w         *world
	r         *rand.Rand // not the world's, which the test draws from meanwhile
	point     string     // "in commit" is a write or an fsync of the state's log between the two points
	countdown int
	dead      atomic.Bool
	inCommit  atomic.Bool
	log       *vfs.MemFS
	state     *vfs.MemFS
}

func (k *killer) at(point string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead.Load() {
		return errCrash
	}
	if point != k.point {
		return nil
	}
	if k.countdown--; k.countdown > 0 {
		return nil
	}
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: k.r.IntN(101), RNG: k.r}
	k.state = k.w.stateFS.CrashClone(cfg)
	k.log = k.w.logFS.CrashClone(cfg)
	k.dead.Store(true)
	k.w.letters.mu.Lock()
	k.w.letters.dead = true
	k.w.letters.mu.Unlock()
	return errCrash
}

func (k *killer) fault(point string) error {
	k.inCommit.Store(point == "before commit")
	return k.at(point)
}

// inject is a state's disk.
func (k *killer) inject(op errorfs.Op) error {
	if k.inCommit.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
		return k.at("in commit")
	}
	return nil
}

func (k *killer) settings() settings {
	return settings{fault: k.fault, quiet: true, budget: 32 << 10,
		stateFS: func(fs vfs.FS) vfs.FS { return errorfs.Wrap(fs, errorfs.InjectorFunc(k.inject)) },
		options: func(o *Options) { o.CommitEvery = 3 * time.Millisecond }}
}

// failing gives letters of both kinds.
func failing(t testing.TB) []Definition {
	over := define(t, 150, "overflowing", overflowing(scan(streamA)))
	return append(family(t), over, define(t, 151, "over_by_k", counts(scanView(over), 1, 0)))
}

// wantLetters are the rows that a view's plan leaves out over all of the log.
func (w *world) wantLetters(d Definition) []string {
	low, err := lower.Lower([]lower.View{{Plan: d.Plan}}, memstate.New(), nil)
	if err != nil {
		w.Fatal(err)
	}
	var in []circuit.Input
	for _, s := range low.Circuit.Sources() {
		var rows []row
		for i := range s.Relation.Partitions {
			rows = append(rows, w.all(types.PartitionID{Stream: s.Relation.ID, Index: i}, 1<<40)...)
		}
		in = append(in, circuit.Input{Batch: input(s, rows), Watermark: types.NoWatermark})
	}
	out, err := low.Circuit.Step(in, 0)
	if err != nil {
		w.Fatal(err)
	}
	texts := []string{}
	for _, f := range out.Failed {
		texts = append(texts, fmt.Sprintf("error %+d %s", f.Batch.Weight(f.Row), records(f.Batch, low.Names[f.Node])[f.Row]))
	}
	for _, l := range out.Late {
		for i, rec := range records(l.Batch, low.Names[l.Node]) {
			texts = append(texts, fmt.Sprintf("late %+d %s", l.Batch.Weight(i), rec))
		}
	}
	slices.Sort(texts)
	return texts
}

// A crash at any point leads to the same answers, no row lost or twice, and each letter is sent exactly once.
func TestCrashes(t *testing.T) {
	for _, point := range []string{"step", "before apply", "after apply", "before commit", "in commit", "after commit", "after letters"} {
		t.Run(point, func(t *testing.T) {
			k := &killer{}
			w := newWorld(t, k.settings())
			k.w, k.r = w, seeded(t)
			defs := failing(t)
			for range *crashes {
				k.mu.Lock()
				k.point, k.countdown = point, 1+w.r.IntN(60)
				k.mu.Unlock()
				defs = withIndexes(w.r, defs)
				w.set(defs...)
				w.run()
				for i := 0; !k.dead.Load() && i < 5000; i++ {
					w.feed(20)
					if i%10 == 0 {
						w.settleOr(k.dead.Load, ids(defs)...)
					}
				}
				if !k.dead.Load() {
					t.Fatal("the point was never reached")
				}
				w.crash(k)
			}
			w.set(defs...)
			w.run()
			w.settle(ids(defs)...)
			w.await("all indexes are there", w.complete(defs))
			w.checkAll(defs)
			w.halt() // commits, and so sends
			for _, d := range defs {
				if got, want := w.letters.texts(d.ID), w.wantLetters(d); len(scans(d.Plan)) > 0 && scans(d.Plan)[0].Relation.Kind != plan.ViewRelation && !slices.Equal(got, want) {
					t.Errorf("view %s has %d letters, want %d", d.Name, len(got), len(want))
				}
			}
			if len(w.letters.texts(150)) == 0 || len(w.letters.texts(120)) == 0 || len(w.letters.texts(151)) != 0 {
				t.Error("no letters, or letters of a view that left nothing out")
			}
		})
	}
}

// settleOr is settle that gives up where cond holds.
func (w *world) settleOr(cond func() bool, ids ...types.ObjectID) {
	for range 2000 {
		ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
		err := w.m.Wait(ctx, w.log.Position(streamA.ID, streamB.ID, tableT.ID), ids...)
		cancel()
		if err == nil || cond() {
			return
		}
	}
	w.Fatalf("not settled: %+v", w.m.Status())
}

// crash goes on with what the killer cloned.
func (w *world) crash(k *killer) {
	w.Helper()
	w.broken = true
	w.close()
	w.broken = false
	w.logFS, w.stateFS = k.log, k.state
	w.letters = w.letters.successor()
	k.mu.Lock()
	k.point = ""
	k.mu.Unlock()
	k.dead.Store(false)
	w.open(k.settings())
}

// Where the log lost rows that views had read, they are built anew.
func TestLogLostRows(t *testing.T) {
	w := newWorld(t, settings{quiet: true})
	defs := family(t)
	w.set(defs...)
	w.run()
	for range 10 {
		w.feed(20)
	}
	w.settle(ids(defs)...)
	before := w.logFS.CrashClone(vfs.CrashCloneCfg{})
	for range 20 {
		if _, err := w.log.Append(background, &bus.Append{NoSync: true, Parts: []bus.Part{{Partition: types.PartitionID{Stream: streamA.ID},
			Batch: batchOf(streamA.Schema, false, w.random(streamA, 5))}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.settle(ids(defs)...)
	w.close()
	w.logFS = before
	w.open(settings{quiet: true})
	w.set(defs...)
	w.run()
	w.feed(10)
	w.await("the views are live", w.isLive(defs))
	w.settle(ids(defs)...)
	w.checkAll(defs)
}

func (w *world) isLive(defs []Definition) func() bool {
	return func() bool {
		for _, d := range defs {
			if w.m.Status()[d.ID].State != Live {
				return false
			}
		}
		return true
	}
}

// Where the state is lost, and the log trimmed, views are built anew from history and the log.
func TestStateLost(t *testing.T) {
	w := newWorld(t, settings{})
	defs := family(t)
	w.set(defs...)
	w.run()
	for range 40 {
		w.feed(20)
	}
	w.settle(ids(defs)...)
	w.trim()
	for range 10 {
		w.feed(20)
	}
	w.close()
	w.stateFS = vfs.NewCrashableMem()
	w.open(settings{options: func(o *Options) { o.History = &fakeHistory{w} }})
	w.set(defs...)
	w.run()
	w.settle(ids(defs)...)
	w.await("the views are live", w.isLive(defs))
	w.checkAll(defs)
}
