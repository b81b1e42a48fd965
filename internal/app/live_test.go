package app

import (
	"fmt"
	"testing"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// table is a view of n rows by key, with a text each.
func table(t testing.TB, n int) (*liveRows, *op.ViewSnapshot) {
	t.Helper()
	s := &types.Schema{}
	s.Add("k", types.Of(types.BigInt))
	s.Add("x", types.Of(types.Varchar))
	l := newLiveRows(s)
	store, next := memstate.New(), state.TableID(0)
	v := op.NewView(l.types, []int{0}, func() state.Table { next++; return store.Table(next) })
	b := zset.NewBuilder(l.types)
	for i := range n {
		b.AppendInt64(0, int64(i))
		b.AppendBytes(1, fmt.Appendf(nil, "text number %d", i))
		b.EndRow(1)
	}
	if _, err := v.Apply(b.Finish()); err != nil {
		t.Fatal(err)
	}
	return l, v.Snapshot()
}

// read reads the column k of a view, up to some rows, and closes the reading.
func read(t *testing.T, r *viewRows, most int) (n int) {
	t.Helper()
	defer r.Close()
	for {
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if rec == nil {
			return n
		}
		if got := rec.Column(0).ValueStr(0); got != fmt.Sprint(n) {
			t.Fatalf("row %d is %s", n, got)
		}
		if n += int(rec.NumRows()); n >= most {
			return n
		}
	}
}

func TestReadingsOfAView(t *testing.T) {
	for _, rows := range []int{0, 1, scanRows, scanRows + 1, 5*scanRows + 7, 40 * scanRows} {
		l, snap := table(t, rows)
		var kept keptRows
		released := 0
		reading := func() *viewRows {
			r := &viewRows{live: l, kept: &kept, snap: snap, columns: []int{0}, names: l.names[:1], types: l.types[:1], release: func() { released++ }}
			if pieces, ok := l.kept(snap); ok {
				r.pieces, r.scanned = pieces, true
			}
			return r
		}
		for i := range 3 {
			if got := read(t, reading(), rows+1); got != rows || released != i+1 {
				t.Fatalf("read %d rows of %d; released %d times", got, rows, released)
			}
		}
		_, isKept := l.kept(snap)
		if small := rows > 0 && rows <= 5*scanRows+7; isKept != small || (kept.bytes.Load() > 0) != small {
			t.Errorf("%d rows: kept %v, %d bytes", rows, isKept, kept.bytes.Load())
		}
		// Who stops early leaves nothing behind.
		for most := range 4 {
			read(t, reading(), most*scanRows)
		}
		count := reading()
		count.columns = nil
		if rec, err := count.Next(); err != nil || rec.NumRows() != int64(rows) || rec.NumCols() != 0 {
			t.Errorf("%d rows: count %v %v", rows, rec, err)
		}
		count.Close()
		l.retire(&kept)
		if kept.bytes.Load() != 0 {
			t.Errorf("%d bytes are kept of no view", kept.bytes.Load())
		}
		l.keep(&kept, snap, nil, 100)
		if kept.bytes.Load() != 0 {
			t.Error("a view that is gone keeps rows")
		}
		snap.Close()
	}
}

func BenchmarkScanView(b *testing.B) {
	l, snap := table(b, 200_000)
	defer snap.Close()
	var kept keptRows
	for b.Loop() {
		r := &viewRows{live: l, kept: &kept, snap: snap, columns: []int{0, 1}, names: l.names, types: l.types, release: func() {}}
		for rec, err := r.Next(); rec != nil; rec, err = r.Next() {
			if err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
