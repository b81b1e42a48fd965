package app

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/duck"
	"leat/internal/engine/op"
	"leat/internal/engine/zset"
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
