package app

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/bus"
	"leat/internal/duck"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/pipeline"
	"leat/internal/query"
	"leat/internal/store"
	"leat/internal/types"
)

// Bounds of the decoded rows of views that are kept for the next query: of one view, and of all.
const (
	maxKept    = 4 << 20
	maxKeptAll = 64 << 20
)

// scanRows is how many rows of a view are decoded at once.
const scanRows = 4096

// liveRows is what queries read of one view. The rows of a small one are kept decoded while its version is the newest that was asked for.
type liveRows struct {
	schema *types.Schema
	names  []string
	types  []types.Type

	mu    sync.Mutex // guards what follows
	of    *op.ViewSnapshot
	rows  []*zset.Batch
	bytes int
	// retired says that no query will find it any more.
	retired bool
}

func newLiveRows(s *types.Schema) *liveRows {
	l := &liveRows{schema: s}
	for _, c := range s.Columns {
		l.names, l.types = append(l.names, c.Name), append(l.types, c.Type)
	}
	return l
}

// fits reports whether a snapshot has the relation's columns: while one is defined anew, its state may still be the old one's.
func (l *liveRows) fits(s *op.ViewSnapshot) bool {
	return slices.EqualFunc(l.types, s.Types(), types.Type.Equal)
}

func anew() error {
	return types.Errorf(types.Unavailable, "the view is being defined anew").WithHint("ask again")
}

// keptRows counts the bytes that all views keep.
type keptRows struct{ bytes atomic.Int64 }

// keep keeps the rows of a snapshot; where all views keep too much, it lets the view's own go.
func (l *liveRows) keep(k *keptRows, of *op.ViewSnapshot, rows []*zset.Batch, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.bytes.Add(int64(-l.bytes))
	l.of, l.rows, l.bytes = nil, nil, 0
	if l.retired {
		return
	}
	if k.bytes.Add(int64(size)) > maxKeptAll {
		k.bytes.Add(int64(-size))
		return
	}
	l.of, l.rows, l.bytes = of, rows, size
}

// retire lets the kept rows go, for ever.
func (l *liveRows) retire(k *keptRows) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = true
	k.bytes.Add(int64(-l.bytes))
	l.of, l.rows, l.bytes = nil, nil, 0
}

// kept returns the rows of a snapshot if they are kept.
func (l *liveRows) kept(of *op.ViewSnapshot) ([]*zset.Batch, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows, l.of == of
}

// liveOf finds a relation that the engine serves, nil if it is none.
func (v *views) liveOf(id types.ObjectID) *liveRows {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.live[id]
}

// Serves implements query.Live.
func (v *views) Serves(id types.ObjectID) bool { return v.liveOf(id) != nil }

// Wait implements query.Live. The clock is not waited for: only views that ask for the time follow it.
func (v *views) Wait(ctx context.Context, p types.Position, ids []types.ObjectID) error {
	if p.Incarnation != v.server.bus.Incarnation() {
		return types.Errorf(types.PositionGone, "the position belongs to another log: this one was restored or is new").WithHint("start again without a position")
	}
	want := types.Position{Incarnation: p.Incarnation}
	for _, c := range p.Cursors {
		if c.Partition.Stream == bus.Clock.Stream {
			continue
		}
		if b, err := v.server.bus.Bounds(c.Partition); err == nil && c.Next > b.End {
			return types.Errorf(types.PositionGone, "the position is beyond the end of partition %s", c.Partition)
		}
		want.Cursors = append(want.Cursors, c)
	}
	return v.manager.Wait(ctx, want, ids...)
}

// pinned are the versions that one query sees. It implements query.Pinned.
type pinned struct {
	views *views
	refs  atomic.Int64
	// mu guards versions: one of each pipeline.
	mu       sync.Mutex
	versions []*pipeline.Version
}

// firstVersion is how long a reader waits for a view that was just made: most are complete at once, and a script that makes one and reads it
// expects that. Who reads one over much history is told to come again.
const firstVersion = 5 * time.Second

// version pins the newest version that has a view, waiting for the first one for a while.
func (v *views) version(ctx context.Context, id types.ObjectID) (*pipeline.Version, error) {
	version, err := v.manager.Pin(id)
	if err == nil || !types.HasCode(err, types.Unavailable) {
		return version, err
	}
	ctx, cancel := context.WithTimeout(ctx, firstVersion)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for err != nil {
		if s, ok := v.manager.Status()[id]; !ok || s.State == pipeline.Failed {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
		version, err = v.manager.Pin(id)
	}
	return version, nil
}

// Pin implements query.Live.
func (v *views) Pin(ctx context.Context, ids []types.ObjectID) (query.Pinned, error) {
	p := &pinned{views: v}
	p.refs.Store(1)
	for i, id := range ids {
		if p.find(id) != nil {
			continue
		}
		version, err := v.version(ctx, id)
		if err != nil {
			p.Release()
			return nil, err
		}
		// A view that was shown only now has a version newer than that of its pipeline pinned before: the newer one takes its place.
		p.versions = slices.DeleteFunc(p.versions, func(old *pipeline.Version) bool {
			replaced := !slices.ContainsFunc(ids[:i], func(id types.ObjectID) bool { return old.View(id) != nil && version.View(id) == nil })
			if replaced {
				old.Release()
			}
			return replaced
		})
		p.versions = append(p.versions, version)
	}
	return p, nil
}

// find returns the pinned version that has a view; mu is held, or nobody else knows p yet.
func (p *pinned) find(id types.ObjectID) *pipeline.Version {
	for _, version := range p.versions {
		if version.View(id) != nil {
			return version
		}
	}
	return nil
}

// Positions implements query.Pinned.
func (p *pinned) Positions() []types.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]types.Position, len(p.versions))
	for i, version := range p.versions {
		out[i] = logPosition(version)
	}
	return out
}

// logPosition is a version's position without the clock, which says nothing of rows.
func logPosition(version *pipeline.Version) types.Position {
	p := version.Position
	p.Cursors = slices.DeleteFunc(slices.Clone(p.Cursors), func(c types.Cursor) bool { return c.Partition.Stream == bus.Clock.Stream })
	return p
}

// Open implements store.Live.
func (p *pinned) Open(id types.ObjectID, columns []int) (store.LiveRows, error) {
	p.mu.Lock()
	version := p.find(id)
	p.mu.Unlock()
	if version == nil {
		return newestRows{p.views.server}.Open(id, columns)
	}
	p.refs.Add(1)
	return p.views.open(id, version, columns, p.Release)
}

// Release implements query.Pinned; readings that are open keep what they read.
func (p *pinned) Release() {
	if p.refs.Add(-1) > 0 {
		return
	}
	for _, version := range p.versions {
		version.Release()
	}
}

// newestRows gives each relation as it is now.
type newestRows struct{ *server }

// Open implements store.Live.
func (n newestRows) Open(id types.ObjectID, columns []int) (store.LiveRows, error) {
	version, err := n.views.manager.Pin(id)
	if err != nil {
		return nil, err
	}
	return n.views.open(id, version, columns, version.Release)
}

// open begins to read a view; release is called at its end, or if there is none.
func (v *views) open(id types.ObjectID, version *pipeline.Version, columns []int, release func()) (store.LiveRows, error) {
	l := v.liveOf(id)
	snap := version.View(id)
	if l == nil || snap == nil {
		release()
		return nil, types.Errorf(types.NotFound, "there is no materialized view with ID %d", id)
	}
	if !l.fits(snap) {
		release()
		return nil, anew()
	}
	r := &viewRows{live: l, kept: &v.kept, snap: snap, columns: columns, release: release}
	if rows, ok := l.kept(snap); ok {
		r.pieces, r.scanned = rows, true
	}
	for _, c := range columns {
		r.names, r.types = append(r.names, l.names[c]), append(r.types, l.types[c])
	}
	return r, nil
}

// viewRows reads a snapshot piece by piece.
type viewRows struct {
	live    *liveRows
	kept    *keptRows
	snap    *op.ViewSnapshot
	columns []int
	names   []string
	types   []types.Type
	release func()

	// pieces are decoded and not read yet; scanned says that no more follow, else from is where the scan goes on.
	pieces  []*zset.Batch
	scanned bool
	from    []byte
	// ahead will have what follows from, where a scan of it is under way.
	ahead chan scanned
	// counted is set once a query that needs no column has got its number of rows.
	counted bool
	repeats repeater
	// keep are the pieces so far, of so many bytes, while they may be kept.
	keep  []*zset.Batch
	bytes int
}

// Next implements store.LiveRows.
func (r *viewRows) Next() (arrow.RecordBatch, error) {
	if len(r.columns) == 0 {
		if r.counted {
			return nil, nil
		}
		r.counted = true
		return duck.Record(nil, nil, nil, int(r.snap.Rows())), nil
	}
	b := r.piece()
	if b == nil {
		return nil, nil
	}
	cols := make([]arrow.Array, len(r.columns))
	for i, c := range r.columns {
		cols[i] = zset.ToArrow(b.Cols[c])
	}
	return duck.Record(r.names, r.types, cols, b.N), nil
}

// piece returns the next rows without weights, nil at the end.
func (r *viewRows) piece() *zset.Batch {
	for {
		if len(r.pieces) > 0 {
			b := r.pieces[0]
			r.pieces = r.pieces[1:]
			return b
		}
		if b := r.repeats.next(scanRows); b != nil {
			r.gather(b)
			return b
		}
		if r.scanned {
			r.finish()
			return nil
		}
		r.scan()
	}
}

// scanned is what one scan found.
type scanned struct {
	b    *zset.Batch
	next []byte
	bug  any
}

// scan takes the next rows of the state. From the second time on, those after them are decoded meanwhile: who reads that far reads on.
func (r *viewRows) scan() {
	var found scanned
	if r.ahead != nil {
		found = <-r.ahead
		r.ahead = nil
	} else {
		found.b, found.next = r.snap.Scan(r.from, scanRows)
	}
	if found.bug != nil {
		panic(found.bug) // the query's error, in the goroutine of its thread
	}
	again := r.from != nil
	r.from, r.scanned = found.next, found.next == nil
	r.repeats = repeater{b: found.b}
	if !again || r.scanned {
		return
	}
	ahead, snap, from := make(chan scanned, 1), r.snap, r.from
	r.ahead = ahead
	go func() {
		var found scanned
		defer func() {
			found.bug = recover()
			ahead <- found
		}()
		found.b, found.next = snap.Scan(from, scanRows)
	}()
}

// gather remembers a piece while all of them are few enough to be kept.
func (r *viewRows) gather(b *zset.Batch) {
	if r.bytes > maxKept {
		return
	}
	r.keep = append(r.keep, b)
	if r.bytes += batchBytes(b); r.bytes > maxKept {
		r.keep = nil
	}
}

// finish keeps what a whole reading has gathered.
func (r *viewRows) finish() {
	if r.keep != nil {
		r.live.keep(r.kept, r.snap, r.keep, r.bytes)
		r.keep = nil
	}
}

// Close implements store.LiveRows.
func (r *viewRows) Close() {
	if r.ahead != nil {
		<-r.ahead // it reads the snapshot
	}
	r.release()
	r.snap = nil
}

// batchBytes is about what a batch takes.
func batchBytes(b *zset.Batch) int {
	n := 64
	for _, c := range b.Cols {
		n += 96 + 8*len(c.I64) + 8*len(c.F64) + 16*len(c.W) + 4*len(c.Off) + len(c.Data) + len(c.Valid)
	}
	return n
}

// repeater gives the rows of a batch as often as their weights say, a bounded number at a time. Rows of weight below 1 are none.
type repeater struct {
	b    *zset.Batch
	row  int
	used int64 // of the row's weight
}

// next returns up to limit rows without weights; nil at the end.
func (p *repeater) next(limit int) *zset.Batch {
	if p.b == nil || p.row >= p.b.N {
		return nil
	}
	if p.row == 0 && p.used == 0 && p.b.N <= limit && (p.b.W == nil || !slices.ContainsFunc(p.b.W, func(w int64) bool { return w != 1 })) {
		b := &zset.Batch{Cols: p.b.Cols, N: p.b.N}
		p.b = nil
		return b
	}
	var sel []int32
	for p.row < p.b.N && len(sel) < limit {
		if p.used >= p.b.Weight(p.row) {
			p.row, p.used = p.row+1, 0
			continue
		}
		sel = append(sel, int32(p.row))
		p.used++
	}
	if len(sel) == 0 {
		return nil
	}
	out := zset.GatherBatch(p.b, sel)
	out.W = nil
	return out
}

// sight waits until SQL sees a position: the store, and all views and tables over the position's streams. Views that have failed or that still
// read much of what exists are not waited for.
type sight struct{ *server }

// A view that catches up is waited for while it has at most nearlyThere offsets to read, and no longer than firstWait.
const (
	nearlyThere = 100_000
	firstWait   = time.Second
)

// Wait implements ingest.Waiter.
func (w sight) Wait(ctx context.Context, p types.Position) error {
	if err := w.loader.Wait(ctx, p); err != nil {
		return err
	}
	over := w.views.over(p)
	if len(over) == 0 {
		return nil
	}
	status := w.views.manager.Status()
	for _, id := range over {
		if err := w.waitView(ctx, p, id, status[id]); err != nil && !types.HasCode(err, types.Unavailable) {
			return err
		}
	}
	return nil
}

func (w sight) waitView(ctx context.Context, p types.Position, id types.ObjectID, s pipeline.Status) error {
	switch {
	case s.State == pipeline.Live:
		return w.views.Wait(ctx, p, []types.ObjectID{id})
	case s.State != pipeline.CatchingUp || s.Lag > nearlyThere:
		return nil
	}
	short, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	if err := w.views.Wait(short, p, []types.ObjectID{id}); err != nil && short.Err() == nil {
		return err
	}
	return ctx.Err()
}

// over are the live relations that read the streams of a position, also through other views.
func (v *views) over(p types.Position) []types.ObjectID {
	snapshot := v.server.catalog.Snapshot()
	seen := map[types.ObjectID]bool{}
	var out []types.ObjectID
	var visit func(id types.ObjectID)
	visit = func(id types.ObjectID) {
		if seen[id] {
			return
		}
		seen[id] = true
		if v.Serves(id) {
			out = append(out, id)
		}
		for _, o := range snapshot.Dependents(id) {
			visit(o.ID)
		}
	}
	for _, c := range p.Cursors {
		visit(c.Partition.Stream)
	}
	return out
}
