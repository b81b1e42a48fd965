package pebblestate

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/state"
	"leat/internal/types"
)

func engine(t *testing.T, o Options) *Engine {
	t.Helper()
	e, err := OpenEngine("state", o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustStore(t *testing.T, e *Engine, id uint64) *Store {
	t.Helper()
	s, err := e.Store(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeAll(t *testing.T, what ...interface{ Close() error }) {
	t.Helper()
	for _, c := range what {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEngine: stores of one engine don't see each other; a dropped one is gone, its neighbours are not.
func TestEngine(t *testing.T) {
	fs := vfs.NewMem()
	e := engine(t, Options{FS: fs})
	for _, id := range []uint64{255, 256, 257} {
		s := mustStore(t, e, id)
		s.Table(7).Put([]byte("k"), fmt.Append(nil, id))
		if err := s.Commit(fmt.Append(nil, id), false); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Store(id); err == nil {
			t.Error("a store was opened twice")
		}
		closeAll(t, s)
	}
	if err := e.Drop(256); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup("copy"); err != nil {
		t.Fatal(err)
	}
	closeAll(t, e)
	for _, dir := range []string{"state", "copy"} {
		e, err := OpenEngine(dir, Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []uint64{255, 256, 257} {
			s := mustStore(t, e, id)
			v, ok := s.Table(7).Get([]byte("k"))
			if want := id != 256; ok != want || (s.Meta() != nil) != want || ok && string(v) != fmt.Sprint(id) {
				t.Errorf("%s: store %d has %q, %v", dir, id, v, ok)
			}
			closeAll(t, s)
		}
		closeAll(t, e)
	}
}

// TestSnapshotOutlives: a snapshot with rows on disk stays as it was through commits and the close of its store.
func TestSnapshotOutlives(t *testing.T) {
	e := engine(t, Options{FS: vfs.NewMem(), Budget: 1})
	s := mustStore(t, e, 1)
	tab := s.Table(1)
	put := func(value string) {
		for i := range 5000 {
			tab.Put(fmt.Appendf(nil, "%05d", i), []byte(value))
		}
		if err := s.Commit(nil, false); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	tab.Put([]byte("00007"), []byte("new"))
	snap := tab.Snapshot()
	put("newer")
	tab.DeleteRange(nil, nil)
	if err := s.Commit(nil, false); err != nil {
		t.Fatal(err)
	}
	closeAll(t, s)
	rows := 0
	for it := snap.Scan(nil, nil); it.Next(); rows++ {
		want := "old"
		if rows == 7 {
			want = "new"
		}
		if string(it.Value()) != want || string(it.Key()) != fmt.Sprintf("%05d", rows) {
			t.Fatalf("row %d is %q = %q", rows, it.Key(), it.Value())
		}
	}
	if v, ok := snap.Get([]byte("04999")); rows != 5000 || !ok || string(v) != "old" {
		t.Fatalf("%d rows, the last is %q", rows, v)
	}
	snap.Close()
	snap.Close()
	closeAll(t, e)
}

// TestIdle measures what a store takes that has 20 small tables.
func TestIdle(t *testing.T) {
	e := engine(t, Options{FS: vfs.NewMem()})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const n = 200
	var stores []*Store
	for id := range uint64(n) {
		s := mustStore(t, e, id+1)
		for table := range state.TableID(20) {
			s.Table(table).Put([]byte("k"), []byte("v"))
			s.Table(table).Snapshot().Close()
		}
		if err := s.Commit(nil, false); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, s)
	}
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	if each > 64<<10 {
		t.Errorf("an idle store takes %d bytes", each)
	}
	for _, s := range stores {
		closeAll(t, s)
	}
	closeAll(t, e)
}

// TestRecord reads a record of version 1 that every later program must read, and damaged ones.
func TestRecord(t *testing.T) {
	sample, err := os.ReadFile(filepath.Join("testdata", "v1.record"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := readRecord(sample)
	if err != nil || len(r.tables) != 1 || r.tables[300] != (state.TableStats{Rows: 1000, Bytes: 70000}) || string(r.meta) != "meta" {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := r.append(nil); string(got) != string(sample) {
		t.Errorf("written again it is %x", got)
	}
	for i := range len(sample) - len("meta") {
		if _, err := readRecord(sample[:i]); !types.HasCode(err, types.Corrupt) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{1, 1, 0xac, 2, 1, 1, 'm'})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readRecord(b); err != nil && !types.HasCode(err, types.Corrupt) {
			t.Error(err)
		}
		_, _, _ = decodeRow(b)
	})
}

// TestStats: while all is in memory, rows and bytes are exact.
func TestStats(t *testing.T) {
	s, err := Open("state", Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	rng := random(t)
	tab := s.Table(1)
	for range 50_000 {
		key := fmt.Append(nil, rng.IntN(3000))
		switch rng.IntN(20) {
		case 0, 1, 2, 3, 4:
			tab.Delete(key)
		case 5:
			tab.DeleteRange(key, append(key, '5'))
		case 6:
			if rng.IntN(50) == 0 {
				if err := s.Commit(nil, false); err != nil {
					t.Fatal(err)
				}
			}
		default:
			tab.Put(key, make([]byte, rng.IntN(60)))
		}
	}
	tab.Snapshot().Close()
	var want state.TableStats
	for it := tab.Scan(nil, nil); it.Next(); want.Rows++ {
		want.Bytes += int64(rowSize(it.Key(), it.Value()))
	}
	if got := s.Stats().Tables[1]; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var memory int64
	s.tables[1].root.each(func(l *leaf) { memory += l.memory() })
	if st := s.Stats(); st.Memory != memory || st.Uncommitted <= 0 {
		t.Errorf("%+v, want %d bytes of memory", st, memory)
	}
	closeAll(t, s)
}

// each calls f for all leaves.
func (n *inner) each(f func(*leaf)) {
	for _, k := range n.kids {
		k.each(f)
	}
	for _, l := range n.leaves {
		f(l)
	}
}
