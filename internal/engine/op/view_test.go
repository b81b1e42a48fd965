package op

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// contents reads a snapshot by pages.
func contents(t *testing.T, s *ViewSnapshot, limit int) (multiset, []tuple) {
	t.Helper()
	m, rows := multiset{}, []tuple(nil)
	var from []byte
	for {
		b, next := s.Scan(from, limit)
		if limit > 0 && b.Rows() > limit {
			t.Fatalf("%d rows, limit %d", b.Rows(), limit)
		}
		m.add(b)
		for i := range b.Rows() {
			rows = append(rows, unbox(b, i))
		}
		if from = next; next == nil {
			return m, rows
		}
	}
}

func TestViewWithoutKeyEqualsItsDeltas(t *testing.T) {
	r := seeded(t)
	for range 20 {
		store := memstate.New()
		v := NewView(topTypes, nil, tablesOf(store))
		s := &source{r: r, ts: topTypes, value: topValue}
		sum := multiset{}
		for range 30 {
			d, err := v.Apply(s.next(r.IntN(20)))
			if err != nil {
				t.Fatal(err)
			}
			sum.add(d)
			snap := v.Snapshot()
			want := multiset{}
			for _, row := range s.live {
				want.put(row, 1)
			}
			got, _ := contents(t, snap, 1+r.IntN(5))
			if got.String() != want.String() || sum.String() != want.String() || snap.Rows() != int64(len(s.live)) {
				t.Fatalf("got\n%sdeltas\n%swant\n%s", got, sum, want)
			}
			if len(s.live) > 0 {
				row := s.live[0]
				if b := snap.Get(boxBatch(topTypes, []tuple{row}, nil).Cols, 0); unbox(b, 0).String() != row.String() || b.Weight(0) != want[row.String()] {
					t.Fatalf("Get(%v) = %v", row, b)
				}
			}
			snap.Close()
			if r.IntN(4) == 0 {
				if err := store.Commit(nil, false); err != nil {
					t.Fatal(err)
				}
				store = store.Reopen()
				v = NewView(topTypes, nil, tablesOf(store))
			}
		}
	}
}

// upserts makes deltas that keep the key (columns 0 and 1, 0.0 and -0.0 being one).
type upserts struct {
	r    *rand.Rand
	live map[string]tuple
}

func keyOf(row tuple) string {
	k := slices.Clone(row[:2])
	if k[1] == 0.0 {
		k[1] = 0.0
	}
	return k.String()
}

func (u *upserts) next(n int) *zset.Batch {
	var rows []tuple
	var ws []int64
	for range n {
		row := make(tuple, len(topTypes))
		for c := range row {
			row[c] = topValue(u.r, c)
		}
		k := keyOf(row)
		if old, ok := u.live[k]; ok {
			rows, ws = append(rows, old), append(ws, -1)
			delete(u.live, k)
		}
		if u.r.IntN(3) > 0 {
			rows, ws = append(rows, row), append(ws, 1)
			u.live[k] = row
		}
	}
	u.r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i]; ws[i], ws[j] = ws[j], ws[i] })
	return boxBatch(topTypes, rows, ws)
}

func TestViewWithKeyEqualsItsDeltas(t *testing.T) {
	r := seeded(t)
	for range 30 {
		store := memstate.New()
		key := [][]int{{0, 1}, {1, 0}}[r.IntN(2)]
		v := NewView(topTypes, key, tablesOf(store))
		u := &upserts{r: r, live: map[string]tuple{}}
		for range 30 {
			if _, err := v.Apply(u.next(r.IntN(20))); err != nil {
				t.Fatal(err)
			}
			snap := v.Snapshot()
			want := multiset{}
			for _, row := range u.live {
				want.put(row, 1)
			}
			got, rows := contents(t, snap, r.IntN(5))
			if got.String() != want.String() || snap.Rows() != int64(len(u.live)) {
				t.Fatalf("got\n%swant\n%s", got, want)
			}
			checkLookups(t, snap, key, rows)
			snap.Close()
			if r.IntN(4) == 0 {
				if err := store.Commit(nil, false); err != nil {
					t.Fatal(err)
				}
				store = store.Reopen()
				v = NewView(topTypes, key, tablesOf(store))
			}
		}
	}
}

// checkLookups asks for each row by its key, and for those of the first key column.
func checkLookups(t *testing.T, snap *ViewSnapshot, key []int, rows []tuple) {
	t.Helper()
	ts := []types.Type{topTypes[key[0]], topTypes[key[1]]}
	prefixes := map[string]int{}
	for _, row := range rows {
		prefixes[fmt.Sprint(row[key[0]])]++
	}
	for _, row := range rows {
		k := boxBatch(ts, []tuple{{row[key[0]], row[key[1]]}}, nil)
		if b := snap.Get(k.Cols, 0); b.Rows() != 1 || unbox(b, 0).String() != row.String() {
			t.Fatalf("Get of %v", row)
		}
		if row[key[0]] == 0.0 {
			continue // printed in two ways
		}
		n := 0
		var from []byte
		for {
			b, next := snap.ScanPrefix(k.Cols[:1], 0, from, 2)
			n += b.Rows()
			if from = next; next == nil {
				break
			}
		}
		if want := prefixes[fmt.Sprint(row[key[0]])]; n != want {
			t.Fatalf("%d rows with prefix %v, want %d", n, row[key[0]], want)
		}
	}
	if b := snap.Get(boxBatch(ts, []tuple{{int64(77), 77.0}, {77.0, int64(77)}}[map[int]int{0: 0, 1: 1}[key[0]]:][:1], nil).Cols, 0); b != nil {
		t.Fatal("a row that is not there")
	}
}

func TestViewTellsThatItsKeyDoesNotHold(t *testing.T) {
	ts := []types.Type{bigint, varchar}
	for _, c := range []struct {
		name  string
		rows  []tuple
		ws    []int64
		wants string
	}{
		{"two at once", []tuple{{int64(1), "a"}, {int64(1), "b"}}, nil, "two rows with the key (1)"},
		{"weight", []tuple{{int64(1), "a"}}, []int64{2}, "two rows with the key (1)"},
		{"one more", []tuple{{int64(5), "b"}}, nil, "two rows with the key (5)"},
		{"not there", []tuple{{int64(1), "a"}}, []int64{-1}, "does not have it; its key is (1)"},
		{"another", []tuple{{int64(5), "b"}}, []int64{-1}, "does not have it; its key is (5)"},
	} {
		v := NewView(ts, []int{0}, tablesOf(memstate.New()))
		if _, err := v.Apply(boxBatch(ts, []tuple{{int64(5), "a"}}, nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Apply(boxBatch(ts, c.rows, c.ws)); err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestViewOfOneRow(t *testing.T) {
	ts := []types.Type{bigint}
	v := NewView(ts, []int{}, tablesOf(memstate.New()))
	for i := range int64(3) {
		d := boxBatch(ts, []tuple{{i}}, nil)
		if i > 0 {
			d = boxBatch(ts, []tuple{{i}, {i - 1}}, []int64{1, -1})
		}
		if _, err := v.Apply(d); err != nil {
			t.Fatal(err)
		}
		snap := v.Snapshot()
		if b := snap.Get(nil, 0); snap.Rows() != 1 || b.Cols[0].I64[0] != i {
			t.Fatalf("row %d: %v", i, b)
		}
		snap.Close()
	}
}

func TestViewSnapshotsStandStillForManyReaders(t *testing.T) {
	ts := []types.Type{bigint, bigint}
	v := NewView(ts, []int{0}, tablesOf(memstate.New()))
	var readers sync.WaitGroup
	for step := range int64(50) {
		var rows []tuple
		var ws []int64
		for k := range int64(20) {
			if step > 0 {
				rows, ws = append(rows, tuple{k, step - 1}), append(ws, -1)
			}
			rows, ws = append(rows, tuple{k, step}), append(ws, 1)
		}
		if _, err := v.Apply(boxBatch(ts, rows, ws)); err != nil {
			t.Fatal(err)
		}
		snap := v.Snapshot()
		readers.Go(func() {
			var inner sync.WaitGroup
			for range 3 {
				inner.Go(func() {
					b, _ := snap.Scan(nil, 0)
					for i := range b.Rows() {
						if b.Cols[1].I64[i] != step {
							t.Errorf("step %d reads %v", step, unbox(b, i))
						}
					}
				})
			}
			inner.Wait()
			snap.Close()
		})
	}
	readers.Wait()
}

// BenchmarkViewUpdates replaces 4,096 of 64k rows a step.
func BenchmarkViewUpdates(b *testing.B) {
	const n = 4096
	ts := []types.Type{bigint, bigint}
	v := NewView(ts, []int{0}, fastTables())
	was := make([]*zset.Batch, 16)
	step := int64(0)
	for b.Loop() {
		at := int(step) & 15
		is := &zset.Batch{N: n, Cols: []*zset.Vec{intVec(n, func(i int) int64 { return int64(i*16 + at) }), intVec(n, func(int) int64 { return step })}}
		d := is
		if was[at] != nil {
			d = zset.Concat(ts, is, zset.Negate(was[at]))
		}
		if _, err := v.Apply(d); err != nil {
			b.Fatal(err)
		}
		was[at] = is
		step++
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mupdates/s")
}

// Rows that are never retracted are found in the order in which they came, in pieces of any size, after a restart too.
func TestViewLog(t *testing.T) {
	r := zsettest.Rand(t, 0)
	store := memstate.New()
	ts := []types.Type{types.Of(types.BigInt), types.Of(types.Varchar)}
	open := func() *View {
		next := state.TableID(0)
		return NewViewLog(ts, func() state.Table { next++; return store.Table(next) })
	}
	v := open()
	var want []string
	for range 30 {
		b := zset.NewBuilder(ts)
		for range 1 + r.IntN(200) {
			b.AppendInt64(0, int64(len(want)))
			b.AppendBytes(1, make([]byte, r.IntN(60)))
			b.EndRow(1 + r.Int64N(2)*r.Int64N(3))
			want = append(want, "")
		}
		batch := b.Finish()
		for i := range batch.N {
			want[len(want)-batch.N+i] = zsettest.Row(batch, i)
		}
		if _, err := v.Apply(batch); err != nil {
			t.Fatal(err)
		}
		if r.IntN(5) == 0 {
			v = open()
		}
	}
	s := v.Snapshot()
	defer s.Close()
	total := int64(0)
	for _, limit := range []int{1, 7, 100, 0} {
		var got []string
		total = 0
		for b, next := s.Scan(nil, limit); ; b, next = s.ScanPrefix(nil, 0, next, limit) {
			for i := range b.Rows() {
				got = append(got, zsettest.Row(b, i))
				total += b.Weight(i)
			}
			if next == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d: %d rows, want %d", limit, len(got), len(want))
		}
	}
	if s.Rows() != total || len(s.Key()) != 0 {
		t.Errorf("%d rows, want %d; key %v", s.Rows(), total, s.Key())
	}
	first, _ := s.Scan(nil, 1)
	if _, err := v.Apply(zset.Negate(first)); err == nil {
		t.Error("a retraction was taken")
	}
}
