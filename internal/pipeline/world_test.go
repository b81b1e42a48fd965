package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/bus"
	"leat/internal/bus/pebblelog"
	"leat/internal/engine/circuit"
	"leat/internal/engine/lower"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/state/pebblestate"
	"leat/internal/types"
)

var background = context.Background()

const second = int64(1e6)

// start is the wall clock's time when a world begins.
const start = 1_700_000_000 * second

// world is a log, the state of pipelines and a Manager over them, all on file systems that can crash.
type world struct {
	*testing.T
	logFS, stateFS *vfs.MemFS
	log            *pebblelog.Log
	states         *pebblestate.Engine
	m              *Manager
	stop           func()
	done           chan error
	clock          *atomic.Int64
	letters        *mailbox
	// past are rows that were trimmed from the log.
	past map[types.PartitionID][]row
	r    *rand.Rand
	// broken says that the disk of the state fails.
	broken bool
}

// settings change what newWorld makes.
type settings struct {
	fault   func(string) error
	stateFS func(vfs.FS) vfs.FS
	options func(*Options)
	budget  int64
	quiet   bool
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func newWorld(t *testing.T, s settings) *world {
	w := &world{T: t, logFS: vfs.NewCrashableMem(), stateFS: vfs.NewCrashableMem(), clock: &atomic.Int64{}, letters: &mailbox{}, r: seeded(t),
		past: map[types.PartitionID][]row{}}
	w.clock.Store(start)
	w.open(s)
	for _, rel := range []*plan.Relation{streamA, streamB, tableT} {
		if err := w.log.Configure(background, bus.StreamConfig{ID: rel.ID, Partitions: rel.Partitions, Time: rel.Time}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { w.close() })
	return w
}

// open opens all that there is; the Manager has no views and does not run.
func (w *world) open(s settings) {
	w.Helper()
	var err error
	w.log, err = pebblelog.Open(background, "log", pebblelog.Options{FS: w.logFS, MinFree: -1, ClockEvery: time.Second,
		Now: func() time.Time { return time.UnixMicro(w.clock.Load()) }})
	if err != nil {
		w.Fatal(err)
	}
	var fs vfs.FS = w.stateFS
	if s.stateFS != nil {
		fs = s.stateFS(fs)
	}
	w.states, err = pebblestate.OpenEngine("state", pebblestate.Options{FS: fs, Budget: s.budget})
	if err != nil {
		w.Fatal(err)
	}
	o := Options{
		Log: w.log, CommitEvery: time.Hour, Fault: s.fault, Letters: w.letters, Now: func() time.Time { return time.UnixMicro(w.clock.Load()) },
		States: func(id types.ObjectID) (state.Store, error) { return w.states.Store(uint64(id)) },
		Forget: func(id types.ObjectID) error { return w.states.Drop(uint64(id)) },
		Logger: slog.New(slog.NewTextHandler(testWriter{w.T, s.quiet}, nil)),
	}
	if s.options != nil {
		s.options(&o)
	}
	w.m = New(o)
}

type testWriter struct {
	*testing.T
	quiet bool
}

func (t testWriter) Write(b []byte) (int, error) {
	if !t.quiet {
		t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

func (w *world) run() {
	ctx, stop := context.WithCancel(background)
	w.stop, w.done = stop, make(chan error, 1)
	m, done := w.m, w.done
	go func() { done <- m.Run(ctx) }()
}

// halt stops the Manager, as a shutdown does.
func (w *world) halt() {
	if w.stop == nil {
		return
	}
	w.stop()
	if err := <-w.done; err != nil {
		w.Error(err)
	}
	w.stop = nil
}

func (w *world) close() {
	w.halt()
	if err := w.states.Close(); err != nil { // a snapshot that was not closed is an error too
		if !w.broken {
			w.Errorf("closing the state: %v", err)
		}
	}
	if err := w.log.Close(); err != nil {
		w.Logf("closing the log: %v", err)
	}
}

// restart shuts down and opens again.
func (w *world) restart(s settings) {
	w.close()
	w.open(s)
}

func (w *world) set(defs ...Definition) {
	w.Helper()
	if err := w.m.Set(background, defs); err != nil {
		w.Fatal(err)
	}
}

// row is one row of a relation as the log has it.
type row struct {
	k, v, ts int64
	null     bool // ts is NULL
	wm       int64
	weight   int64
	offset   types.Offset
}

// random makes n rows: times go on with the clock and are up to 30 s old; of a table some are deletes.
func (w *world) random(rel *plan.Relation, n int) []row {
	out := make([]row, n)
	for i := range out {
		out[i] = row{k: w.r.Int64N(6), v: w.r.Int64N(10), ts: w.clock.Load() - w.r.Int64N(8*second) - w.r.Int64N(2)*w.r.Int64N(30*second), null: w.r.IntN(40) == 0, weight: 1}
		if rel.Kind == plan.TableRelation && w.r.IntN(4) == 0 {
			out[i].weight = -1
		}
	}
	return out
}

func batchOf(s *types.Schema, table bool, rows []row) *types.Batch {
	k, v := array.NewInt64Builder(memory.DefaultAllocator), array.NewInt64Builder(memory.DefaultAllocator)
	ts := array.NewTimestampBuilder(memory.DefaultAllocator, types.Of(types.Timestamp).Arrow().(*arrow.TimestampType))
	b := &types.Batch{Schema: s, Rows: len(rows)}
	for _, r := range rows {
		k.Append(r.k)
		if table {
			b.Weights = append(b.Weights, r.weight)
		}
		if r.weight < 0 {
			v.AppendNull()
			ts.AppendNull()
			continue
		}
		v.Append(r.v)
		if r.null {
			ts.AppendNull()
		} else {
			ts.Append(arrow.Timestamp(r.ts))
		}
	}
	b.Columns = []arrow.Array{k.NewArray(), v.NewArray(), ts.NewArray()}
	return b
}

// put appends rows to one partition and returns where they end. Rows of a table go where their key belongs.
func (w *world) put(rel *plan.Relation, partition uint32, rows ...row) types.Position {
	w.Helper()
	ack, err := w.log.Append(background, &bus.Append{Parts: []bus.Part{{
		Partition: types.PartitionID{Stream: rel.ID, Index: partition}, Batch: batchOf(rel.Schema, rel.Kind == plan.TableRelation, rows)}}})
	if err != nil {
		w.Fatal(err)
	}
	return types.NewPosition(w.log.Incarnation(), []types.Cursor{{Partition: ack.Ranges[0].Partition, Next: ack.Ranges[0].Next}})
}

// feed appends some random rows to a random relation.
func (w *world) feed(most int) {
	w.Helper()
	rel := []*plan.Relation{streamA, streamA, streamB, tableT}[w.r.IntN(4)]
	rows := w.random(rel, 1+w.r.IntN(most))
	p := uint32(w.r.IntN(int(rel.Partitions)))
	if rel.Kind == plan.TableRelation {
		for i := range rows {
			rows[i].k = rows[i].k/2*2 + int64(p)
		}
	}
	w.put(rel, p, rows...)
	w.clock.Add(w.r.Int64N(second))
}

// all are the rows of a partition below an offset, trimmed ones included.
func (w *world) all(id types.PartitionID, below types.Offset) []row {
	w.Helper()
	out := slices.Clone(w.past[id])
	b, err := w.log.Bounds(id)
	if err != nil {
		w.Fatal(err)
	}
	for from := b.Start; from < min(below, b.End); {
		entries, err := w.log.Read(background, id, from, 1<<20)
		if err != nil {
			w.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, rowsOf(e)...)
			from = e.Next
		}
	}
	for i, r := range out {
		if r.offset >= below {
			return out[:i]
		}
	}
	return out
}

func rowsOf(e *bus.Entry) (out []row) {
	if e.Batch == nil {
		return nil
	}
	k, v, ts := e.Batch.Columns[0].(*array.Int64), e.Batch.Columns[1].(*array.Int64), e.Batch.Columns[2].(*array.Timestamp)
	i := 0
	for _, run := range e.Runs {
		for range run.Rows {
			out = append(out, row{k.Value(i), v.Value(i), int64(ts.Value(i)), ts.IsNull(i), run.Watermark, e.Batch.Weight(i), e.First + types.Offset(i)})
			i++
		}
	}
	return out
}

// input makes a source's batch of rows.
func input(s circuit.Source, rows []row) *zset.Batch {
	b := zset.NewBuilder(sourceTypes(s))
	for _, r := range rows {
		for i, c := range s.Columns {
			if c == 2 && r.null || r.weight < 0 && c > 0 {
				b.AppendNull(i)
			} else {
				b.AppendInt64(i, [...]int64{r.k, r.v, r.ts}[c])
			}
		}
		for i := range s.System {
			b.AppendInt64(len(s.Columns)+i, r.wm) // no test asks for others
		}
		b.EndRow(r.weight)
	}
	return b.Finish()
}

// compute runs a plan over batches of its sources in one step.
func compute(t testing.TB, n plan.Node, in func(circuit.Source) *zset.Batch) *zsettest.Model {
	t.Helper()
	low, err := lower.Lower([]lower.View{{Plan: n}}, memstate.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var inputs []circuit.Input
	for _, s := range low.Circuit.Sources() {
		inputs = append(inputs, circuit.Input{Batch: in(s), Watermark: types.NoWatermark})
	}
	out, err := low.Circuit.Step(inputs, 0)
	if err != nil {
		t.Fatal(err)
	}
	return zsettest.NewModel(fieldTypes(n), out.Deltas[0])
}

func fieldTypes(n plan.Node) (ts []types.Type) {
	for _, f := range n.Fields() {
		ts = append(ts, f.Type)
	}
	return ts
}

// want is what a plan over streams and tables gives over the log up to a position.
func (w *world) want(n plan.Node, at types.Position) *zsettest.Model {
	w.Helper()
	next := map[types.PartitionID]types.Offset{}
	for _, c := range at.Cursors {
		next[c.Partition] = c.Next
	}
	return compute(w, n, func(s circuit.Source) *zset.Batch {
		var rows []row
		for i := range s.Relation.Partitions {
			id := types.PartitionID{Stream: s.Relation.ID, Index: i}
			rows = append(rows, w.all(id, next[id])...)
		}
		return input(s, rows)
	})
}

// rowsIn are the rows of a snapshot.
func rowsIn(s *op.ViewSnapshot) *zsettest.Model {
	m := zsettest.NewModel(s.Types())
	for b, next := s.Scan(nil, 100); ; b, next = s.Scan(next, 100) {
		m.Apply(b)
		if next == nil {
			return m
		}
	}
}

// check compares the newest version of a view with its plan over the log; parents are the views that it may read. It returns the version's position.
func (w *world) check(d Definition, parents ...Definition) types.Position {
	w.Helper()
	v, err := w.m.Pin(d.ID)
	if err != nil {
		w.Fatalf("view %s: %v", d.Name, err)
	}
	defer v.Release()
	w.checkVersion(v, d, parents...)
	return v.Position
}

func (w *world) checkVersion(v *Version, d Definition, parents ...Definition) {
	w.Helper()
	got := rowsIn(v.View(d.ID))
	checkIndexes(w, d.Name, v.View(d.ID), got)
	plans := map[types.ObjectID]plan.Node{}
	for _, p := range parents {
		plans[p.ID], _ = inline(p.Plan, plans)
	}
	whole, _ := inline(d.Plan, plans)
	if diff := got.Diff(w.want(whole, v.Position)); diff != "" {
		w.Fatalf("view %s at %+v is not its query over the log:\n%s", d.Name, v.Position.Cursors, diff)
	}
	for _, s := range scans(d.Plan) {
		if v.View(s.Relation.ID) == nil {
			return // not of views of this pipeline alone
		}
	}
	below := compute(w, d.Plan, func(s circuit.Source) *zset.Batch {
		m := rowsIn(v.View(s.Relation.ID)).Batch()
		if m == nil {
			return nil
		}
		b := &zset.Batch{N: m.N, W: m.W}
		for _, c := range s.Columns {
			b.Cols = append(b.Cols, m.Cols[c])
		}
		return b
	})
	if diff := got.Diff(below); diff != "" {
		w.Fatalf("view %s is not its query over the view below in the same version:\n%s", d.Name, diff)
	}
}

// settle waits until views have read all that the log has.
func (w *world) settle(ids ...types.ObjectID) {
	w.Helper()
	ctx, cancel := context.WithTimeout(background, 20*time.Second)
	defer cancel()
	if err := w.m.Wait(ctx, w.log.Position(streamA.ID, streamB.ID, tableT.ID), ids...); err != nil {
		w.Fatalf("%v; %+v", err, w.m.Status())
	}
}

// await waits for a condition.
func (w *world) await(what string, cond func() bool) {
	w.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("waited in vain until %s; %+v", what, w.m.Status())
		}
	}
}

// mailbox takes letters as a log does: an epoch that is not above the last changes nothing.
type mailbox struct {
	mu     sync.Mutex
	last   map[types.ObjectID]uint64
	got    []Letter
	dead   bool
	refuse int
}

func (b *mailbox) Append(_ context.Context, e bus.Epoch, letters []Letter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dead || b.refuse > 0 {
		b.refuse--
		return errors.New("the letters can't be taken")
	}
	if b.last == nil {
		b.last = map[types.ObjectID]uint64{}
	}
	if e.Epoch <= b.last[e.Producer] {
		return nil
	}
	b.last[e.Producer] = e.Epoch
	b.got = append(b.got, letters...)
	return nil
}

// texts are the letters of a view, sorted.
func (b *mailbox) texts(view types.ObjectID) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []string{}
	for _, l := range b.got {
		if l.View == view {
			out = append(out, fmt.Sprintf("%s %+d %s", l.Kind, l.Weight, l.Record))
		}
	}
	slices.Sort(out)
	return out
}

// successor is the mailbox after a crash: the old one takes nothing more.
func (b *mailbox) successor() *mailbox {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = true
	last := map[types.ObjectID]uint64{}
	for k, v := range b.last {
		last[k] = v
	}
	return &mailbox{last: last, got: slices.Clone(b.got)}
}
