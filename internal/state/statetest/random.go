package statetest

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/state"
)

var fixed = flag.Uint64("state.seed", 0, "seed of the random operations")

// machine does random operations on a store and on a model of it.
type machine struct {
	t         *testing.T
	rng       *rand.Rand
	open      func() state.Store // nil where there are no restarts
	s         state.Store
	now, kept map[state.TableID]rows // the content, and that of the last commit
	meta      string
	snaps     []version
}

type version struct {
	snap  state.Snapshot
	table state.TableID
	want  rows
	what  string
}

// adds says which tables are changed by Add.
func adds(id state.TableID) bool { return id%2 == 1 }

// testRandom compares random operations with a model, commits and restarts among them.
func testRandom(t *testing.T, open func() state.Store) {
	m := newMachine(t, open())
	m.open = open
	steps := 30_000
	if testing.Short() {
		steps = 5_000
	}
	m.run(steps)
	closed(t, m.s)
}

// Stress compares random operations on a store with a model, without restarts. It leaves the store open.
func Stress(t *testing.T, s state.Store, steps int) {
	newMachine(t, s).run(steps)
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

func newMachine(t *testing.T, s state.Store) *machine {
	seed := *fixed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return &machine{t: t, rng: rand.New(rand.NewPCG(seed, 0)), s: s, now: map[state.TableID]rows{}, kept: map[state.TableID]rows{}}
}

func (m *machine) run(steps int) {
	for range steps {
		m.step(state.TableID(m.rng.IntN(4)))
	}
	m.check()
	m.release()
}

// key makes keys that share prefixes, some of which were used before.
func (m *machine) key(id state.TableID) []byte {
	if rows := m.now[id]; len(rows) > 0 && m.rng.IntN(3) > 0 {
		return []byte(rows[m.rng.IntN(len(rows))].key)
	}
	k := bytes.Repeat([]byte{byte(m.rng.IntN(3)) - 1}, m.rng.IntN(12))
	k = append(k, byte(m.rng.IntN(256)))
	if m.rng.IntN(2) == 0 {
		k = binary.BigEndian.AppendUint16(k, uint16(m.rng.IntN(2000)))
	}
	if m.rng.IntN(200) == 0 {
		k = append(k, make([]byte, m.rng.IntN(3000))...)
	}
	return k
}

func (m *machine) value() []byte {
	n := m.rng.IntN(40)
	switch m.rng.IntN(300) {
	case 0:
		n = m.rng.IntN(20_000)
	case 1, 2, 3:
		n = m.rng.IntN(1000)
	}
	return bytes.Repeat([]byte{byte(m.rng.IntN(256))}, n)
}

// bounds makes bounds of a range, mostly a narrow one.
func (m *machine) bounds(id state.TableID) (lower, upper []byte) {
	lower = m.key(id)
	switch m.rng.IntN(8) {
	case 0:
		return lower, nil
	case 1, 2:
		return state.Prefix(lower[:min(len(lower), m.rng.IntN(6))], nil)
	case 3:
		return lower, m.key(id)
	}
	if i, _ := m.now[id].at(string(lower)); i+1 < len(m.now[id]) {
		return lower, []byte(m.now[id][min(len(m.now[id])-1, i+m.rng.IntN(30))].key)
	}
	return lower, append(bytes.Clone(lower), 0)
}

func (m *machine) step(id state.TableID) {
	tab := m.s.Table(id)
	switch n := m.rng.IntN(1000); {
	case n < 500 && adds(id):
		key, delta := m.key(id), int64(m.rng.IntN(5)-2)
		tab.Add(key, delta)
		m.now[id] = m.now[id].add(string(key), delta)
	case n < 500:
		key, value := m.key(id), m.value()
		tab.Put(key, value)
		m.now[id] = m.now[id].put(string(key), string(value))
	case n < 620:
		key := m.key(id)
		tab.Delete(key)
		m.now[id] = m.now[id].deleteRange(key, append(bytes.Clone(key), 0))
	case n < 780:
		key := m.key(id)
		want, ok := m.now[id].get(string(key))
		wantValue(m.t, tab, string(key), want, ok)
	case n < 960:
		lower, upper := m.bounds(id)
		same(m.t, fmt.Sprintf("table %d from %q to %q", id, lower, upper), collect(tab, lower, upper), m.now[id].between(lower, upper))
	case n < 970:
		lower, upper := m.bounds(id)
		if m.rng.IntN(5) > 0 && len(m.now[id].between(lower, upper)) > 100 {
			return // keep some rows
		}
		tab.DeleteRange(lower, upper)
		m.now[id] = m.now[id].deleteRange(lower, upper)
	case n < 985:
		m.snaps = append(m.snaps, version{tab.Snapshot(), id, slices.Clone(m.now[id]), fmt.Sprintf("snapshot %d of table %d", len(m.snaps), id)})
		if len(m.snaps) > 10 {
			m.release()
		}
	case n < 996:
		m.meta = fmt.Sprintf("meta %d", m.rng.Uint64())
		commit(m.t, m.s, m.meta)
		m.kept = map[state.TableID]rows{}
		for id, r := range m.now {
			m.kept[id] = slices.Clone(r)
		}
	case n == 996:
		m.s.Drop(id)
		delete(m.now, id)
	case n == 997:
		if m.open != nil {
			m.reopen()
		}
	default:
		m.check()
	}
}

func (m *machine) reopen() {
	m.check()
	m.release()
	closed(m.t, m.s)
	m.s = m.open()
	if string(m.s.Meta()) != m.meta {
		m.t.Fatalf("meta is %q after a restart, want %q", m.s.Meta(), m.meta)
	}
	m.now = map[state.TableID]rows{}
	for id, r := range m.kept {
		m.now[id] = slices.Clone(r)
	}
	m.check()
}

// check compares all tables.
func (m *machine) check() {
	m.t.Helper()
	for _, id := range slices.Sorted(maps.Keys(m.now)) {
		same(m.t, fmt.Sprint("table ", id), collect(m.s.Table(id), nil, nil), m.now[id])
	}
}

// release checks and closes the snapshots.
func (m *machine) release() {
	m.t.Helper()
	for _, v := range m.snaps {
		same(m.t, v.what, collect(v.snap, nil, nil), v.want)
		same(m.t, v.what+" down", collectDown(v.snap, nil, nil), v.want)
		lower, upper := m.bounds(v.table)
		same(m.t, fmt.Sprintf("%s down from %q to %q", v.what, upper, lower), collectDown(v.snap, lower, upper), v.want.between(lower, upper))
		if len(v.want) > 0 {
			p := v.want[m.rng.IntN(len(v.want))]
			wantValue(m.t, v.snap, p.key, p.value, true)
		}
		v.snap.Close()
	}
	m.snaps = nil
}

// testLarge writes what is larger than small budgets, in order and at random, and reads it back.
func testLarge(t *testing.T, open func() state.Store) {
	s := open()
	n := 60_000
	if testing.Short() {
		n = 12_000
	}
	ordered, random, weights := s.Table(1), s.Table(2), s.Table(3)
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	mixed := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)*2654435761) }
	value := func(i int) []byte { return fmt.Appendf(nil, "the value of row %d", i) }
	for i := range n {
		ordered.Put(key(i), value(i))
		random.Put(mixed(i), value(i))
		weights.Add(mixed(i%(n/3)), 1)
		if j := i * 31 % n; j < i {
			wantValue(t, ordered, string(key(j)), string(value(j)), true)
			wantValue(t, random, string(mixed(j)), string(value(j)), true)
		}
		if i%(n/6) == n/6-1 {
			commit(t, s, fmt.Sprint(i))
		}
	}
	ordered.DeleteRange(key(1000), key(n-1000))
	commit(t, s, "all")
	closed(t, s)
	s = open()
	defer closed(t, s)
	if got := collect(s.Table(1), nil, nil); len(got) != 2000 {
		t.Fatalf("%d ordered rows, want 2000", len(got))
	}
	if got := collect(s.Table(2), nil, nil); len(got) != n {
		t.Fatalf("%d rows at random, want %d", len(got), n)
	}
	for it := s.Table(3).Scan(nil, nil); it.Next(); {
		if w := state.WeightOf(it.Value()); w != 3 {
			t.Fatalf("%x weighs %d, want 3", it.Key(), w)
		}
	}
}
