// Package statetest is the conformance suite of state.Store.
package statetest

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"leat/internal/state"
)

// Place returns a function that opens the one store of a new place: empty at first, and after Close what was committed.
type Place func(t *testing.T) (open func() state.Store)

// Run runs the suite.
func Run(t *testing.T, place Place) {
	cases := []struct {
		name string
		run  func(*testing.T, func() state.Store)
	}{
		{"values", testValues}, {"alias", testAlias}, {"weights", testWeights}, {"scans", testScans}, {"ranges", testRanges},
		{"snapshots", testSnapshots}, {"readers", testReaders}, {"commits", testCommits}, {"drop", testDrop},
		{"random", testRandom}, {"large", testLarge},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, place(t)) })
	}
}

func closed(t *testing.T, s state.Store) {
	t.Helper()
	if err := s.Err(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func commit(t *testing.T, s state.Store, meta string) {
	t.Helper()
	if err := s.Commit([]byte(meta), false); err != nil {
		t.Fatal(err)
	}
}

// wantValue checks one key.
func wantValue(t *testing.T, r state.Reader, key string, want string, there bool) {
	t.Helper()
	v, ok := r.Get([]byte(key))
	if ok != there || string(v) != want {
		t.Fatalf("%s is %s, %v; want %s, %v", short(key), short(string(v)), ok, short(want), there)
	}
}

// testValues: empty keys and values, values that grow and shrink, values larger than any page.
func testValues(t *testing.T, open func() state.Store) {
	s := open()
	defer closed(t, s)
	tab := s.Table(1)
	wantValue(t, tab, "a", "", false)
	long := string(bytes.Repeat([]byte("long"), 50_000))
	for _, key := range []string{"a", "", "\xff\xff", "\x00", long[:3000]} {
		for _, value := range []string{"1", "", long, "2", long[:5000]} {
			tab.Put([]byte(key), []byte(value))
			wantValue(t, tab, key, value, true)
		}
		tab.Delete([]byte(key))
		wantValue(t, tab, key, "", false)
		tab.Delete([]byte(key))
		tab.Put([]byte(key), nil)
		wantValue(t, tab, key, "", true)
	}
	if got := collect(tab, nil, nil); len(got) != 5 {
		t.Fatalf("%d rows, want 5", len(got))
	}
	buf := []byte("mine")
	tab.Put(buf, buf)
	copy(buf, "your")
	wantValue(t, tab, "mine", "mine", true)
	if s.Table(1) != tab {
		t.Error("the same ID gives another table")
	}
}

// testAlias: what a table gave may be an argument of the next call.
func testAlias(t *testing.T, open func() state.Store) {
	s := open()
	defer closed(t, s)
	tab := s.Table(1)
	key := func(i int) []byte { return fmt.Appendf(nil, "key %06d", i) }
	tab.Put(key(0), []byte("value 0"))
	const n = 5000
	for i := range n {
		v, ok := tab.Get(key(i))
		if !ok {
			t.Fatalf("row %d is missing", i)
		}
		tab.Put(key(i+1), v)
		if i%3 == 0 {
			it := tab.Scan(key(i), nil)
			it.Next()
			k := it.Key()
			tab.Put(k, k)
			wantValue(t, tab, string(key(i)), string(key(i)), true)
		}
	}
	wantValue(t, tab, string(key(n)), "value 0", true)
}

func testWeights(t *testing.T, open func() state.Store) {
	s := open()
	tab := s.Table(1)
	want := func(key string, w int64) {
		t.Helper()
		v, ok := tab.Get([]byte(key))
		if ok != (w != 0) || state.WeightOf(v) != w {
			t.Fatalf("%q weighs %d (%v), want %d", key, state.WeightOf(v), ok, w)
		}
		if n := len(collect(tab, []byte(key), append([]byte(key), 0))); n != min(1, int(max(w, -w))) {
			t.Fatalf("%q is %d rows of a scan, with weight %d", key, n, w)
		}
	}
	tab.Add([]byte("a"), 0)
	want("a", 0)
	tab.Add([]byte("a"), 2)
	tab.Add([]byte("a"), -5)
	want("a", -3)
	tab.Add([]byte("b"), 1<<40)
	tab.Add([]byte("c"), 1)
	commit(t, s, "one")
	tab.Add([]byte("a"), 3)
	want("a", 0)
	tab.Add([]byte("b"), -1<<40+1)
	want("b", 1)
	tab.Delete([]byte("c"))
	tab.Add([]byte("c"), 7)
	want("c", 7)
	tab.Add([]byte("d"), 1)
	tab.Add([]byte("d"), -1)
	commit(t, s, "two")
	closed(t, s)
	s = open()
	defer closed(t, s)
	tab = s.Table(1)
	want("a", 0)
	want("b", 1)
	want("c", 7)
	want("d", 0)
	tab.DeleteRange([]byte("b"), []byte("d"))
	tab.Add([]byte("b"), 5)
	tab.Add([]byte("a"), -1)
	want("a", -1)
	want("b", 5)
	want("c", 0)
	tab.Add([]byte("a"), 1)
	commit(t, s, "three")
	want("a", 0)
}

func testScans(t *testing.T, open func() state.Store) {
	s := open()
	defer closed(t, s)
	tab := s.Table(1)
	var m rows
	for _, key := range []string{"", "a", "a\x00", "a\xff", "a\xff\xff", "ab", "b", "\xff", "\xff\xff", "\xff\xffx"} {
		tab.Put([]byte(key), []byte("v"+key))
		m = m.put(key, "v"+key)
	}
	var buf []byte
	snap := tab.Snapshot()
	defer snap.Close()
	for _, p := range m {
		lower, upper := state.Prefix([]byte(p.key), buf)
		same(t, fmt.Sprintf("prefix %q down", p.key), collectDown(snap, lower, upper), m.between(lower, upper))
		same(t, fmt.Sprintf("prefix %q", p.key), collect(tab, lower, upper), m.between(lower, upper))
		for _, q := range m {
			same(t, fmt.Sprintf("%q to %q", p.key, q.key), collect(tab, []byte(p.key), []byte(q.key)), m.between([]byte(p.key), []byte(q.key)))
			same(t, fmt.Sprintf("%q down to %q", q.key, p.key), collectDown(snap, []byte(p.key), []byte(q.key)), m.between([]byte(p.key), []byte(q.key)))
		}
	}
	same(t, "to an empty upper", collect(tab, nil, []byte{}), nil)
	same(t, "down from an empty upper", collectDown(snap, nil, []byte{}), nil)
	it := tab.Scan([]byte("a"), nil)
	if !it.Next() || string(it.Key()) != "a" || string(it.Value()) != "va" {
		t.Fatal("the first row is not a")
	}
	it.Close()
	tab.Put([]byte("a"), []byte("new"))
	same(t, "after a walk that stopped", collect(tab, []byte("a"), []byte("a\x00")), rows{{"a", "new"}})
	done := tab.Scan(nil, nil)
	for done.Next() {
	}
	if done.Next() {
		t.Error("a walk goes on after its end")
	}
	done.Close()
}

func testRanges(t *testing.T, open func() state.Store) {
	s := open()
	defer func() { closed(t, s) }()
	tab := s.Table(1)
	var m rows
	put := func(from, to int) {
		for i := from; i < to; i++ {
			key := fmt.Sprintf("%06d", i)
			tab.Put([]byte(key), []byte("value of "+key))
			m = m.put(key, "value of "+key)
		}
	}
	cut := func(lower, upper string, end bool) {
		t.Helper()
		var up []byte
		if !end {
			up = []byte(upper)
		}
		tab.DeleteRange([]byte(lower), up)
		m = m.deleteRange([]byte(lower), up)
		same(t, fmt.Sprintf("without %q to %q", lower, upper), collect(tab, nil, nil), m)
	}
	put(0, 10_000)
	commit(t, s, "full")
	cut("", "000123", false)
	cut("005000", "005001", false)
	cut("005010", "005005", false) // nothing
	cut("002000", "003000", false)
	put(2500, 2600)
	cut("0025", "00251", false)
	commit(t, s, "holes")
	cut("009000", "", true)
	put(9500, 9501)
	commit(t, s, "end")
	closed(t, s)
	s = open()
	tab = s.Table(1)
	same(t, "reopened", collect(tab, nil, nil), m)
	cut("", "", true)
	put(1, 2)
	commit(t, s, "one")
	same(t, "one left", collect(tab, nil, nil), m)
}

func testSnapshots(t *testing.T, open func() state.Store) {
	s := open()
	defer closed(t, s)
	tab := s.Table(1)
	empty := tab.Snapshot()
	var m rows
	type version struct {
		snap state.Snapshot
		want rows
	}
	var versions []version
	for i := range 3000 {
		key := fmt.Sprintf("%04d", i*7919%1000)
		value := fmt.Sprint("value ", i)
		if i%5 == 4 {
			tab.Delete([]byte(key))
			m = m.deleteRange([]byte(key), []byte(key+"\x00"))
		} else {
			tab.Put([]byte(key), []byte(value))
			m = m.put(key, value)
		}
		if i%100 == 0 {
			versions = append(versions, version{tab.Snapshot(), append(rows{}, m...)})
		}
		if i%700 == 0 {
			commit(t, s, fmt.Sprint(i))
		}
	}
	tab.DeleteRange(nil, nil)
	for i, v := range versions {
		same(t, fmt.Sprint("snapshot ", i), collect(v.snap, nil, nil), v.want)
		same(t, fmt.Sprint("snapshot ", i, " down"), collectDown(v.snap, nil, nil), v.want)
		for _, p := range v.want[:min(20, len(v.want))] {
			wantValue(t, v.snap, p.key, p.value, true)
		}
		wantValue(t, v.snap, "none", "", false)
		v.snap.Close()
	}
	same(t, "the first snapshot", collect(empty, nil, nil), nil)
	empty.Close()
	same(t, "the emptied table", collect(tab, nil, nil), nil)
}

// testReaders reads snapshots from other goroutines while the table changes. Every version has 500 rows of one value.
func testReaders(t *testing.T, open func() state.Store) {
	s := open()
	defer closed(t, s)
	tab := s.Table(1)
	const width = 500
	snaps := make(chan state.Snapshot, 4)
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for snap := range snaps {
				readVersion(t, snap, width)
				snap.Close()
				_ = s.Stats()
			}
		})
	}
	for version := range 200 {
		value := fmt.Appendf(nil, "version %d", version)
		tab.DeleteRange(fmt.Appendf(nil, "%04d", version%width), fmt.Appendf(nil, "%04d", version%width+50))
		for i := range width {
			tab.Put(fmt.Appendf(nil, "%04d", (i*37+version)%width), value)
		}
		snaps <- tab.Snapshot()
		if version%20 == 0 {
			commit(t, s, string(value))
		}
	}
	close(snaps)
	readers.Wait()
}

func readVersion(t *testing.T, snap state.Snapshot, width int) {
	kept, ok := snap.Get([]byte("0000"))
	if !ok {
		t.Error("a snapshot lacks its first row")
		return
	}
	n := 0
	for it := snap.Scan(nil, nil); it.Next(); n++ {
		if string(it.Key()) != fmt.Sprintf("%04d", n) || !bytes.Equal(it.Value(), kept) {
			t.Errorf("row %d is %q = %q, the first is %q", n, it.Key(), it.Value(), kept)
			it.Close()
			return
		}
	}
	if n != width {
		t.Errorf("a snapshot has %d rows, want %d", n, width)
	}
}

func testCommits(t *testing.T, open func() state.Store) {
	s := open()
	if s.Meta() != nil {
		t.Errorf("a new store has meta %q", s.Meta())
	}
	a := s.Table(1)
	a.Put([]byte("k"), []byte("lost"))
	closed(t, s)

	s = open()
	if s.Meta() != nil {
		t.Errorf("nothing was committed, meta is %q", s.Meta())
	}
	wantValue(t, s.Table(1), "k", "", false)
	a, b := s.Table(1), s.Table(7)
	a.Put([]byte("k"), []byte("one"))
	b.Put([]byte("k"), []byte("one of b"))
	commit(t, s, "one")
	a.Put([]byte("k"), []byte("two"))
	if string(s.Meta()) != "one" {
		t.Errorf("meta is %q, want one", s.Meta())
	}
	closed(t, s)

	s = open()
	if string(s.Meta()) != "one" {
		t.Errorf("meta is %q, want one", s.Meta())
	}
	wantValue(t, s.Table(1), "k", "one", true)
	wantValue(t, s.Table(7), "k", "one of b", true)
	wantValue(t, s.Table(2), "k", "", false)
	s.Table(7).Delete([]byte("k"))
	if err := s.Commit([]byte("two"), true); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit([]byte("three"), true); err != nil { // nothing but meta
		t.Fatal(err)
	}
	closed(t, s)

	s = open()
	defer closed(t, s)
	if string(s.Meta()) != "three" {
		t.Errorf("meta is %q, want three", s.Meta())
	}
	wantValue(t, s.Table(1), "k", "one", true)
	wantValue(t, s.Table(7), "k", "", false)
}

func testDrop(t *testing.T, open func() state.Store) {
	s := open()
	for id := range state.TableID(3) {
		s.Table(id).Put([]byte("k"), fmt.Appendf(nil, "value %d", id))
	}
	commit(t, s, "three tables")
	s.Drop(1)
	s.Drop(99)
	wantValue(t, s.Table(1), "k", "", false)
	s.Table(1).Put([]byte("k"), []byte("again"))
	wantValue(t, s.Table(2), "k", "value 2", true)
	closed(t, s)

	s = open() // the drop was not committed
	wantValue(t, s.Table(1), "k", "value 1", true)
	s.Drop(1)
	s.Table(1).Put([]byte("other"), []byte("again"))
	s.Drop(2)
	commit(t, s, "dropped")
	closed(t, s)

	s = open()
	defer closed(t, s)
	same(t, "table 0", collect(s.Table(0), nil, nil), rows{{"k", "value 0"}})
	same(t, "table 1", collect(s.Table(1), nil, nil), rows{{"other", "again"}})
	same(t, "table 2", collect(s.Table(2), nil, nil), nil)
}
