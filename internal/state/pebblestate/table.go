package pebblestate

import (
	"bytes"
	"slices"
	"sync/atomic"

	"leat/internal/state"
)

// table implements state.Table: a tree whose complete leaves are the truth, and whose partial leaves hold changes to what is on disk.
type table struct {
	tree
	s      *Store
	id     state.TableID
	prefix []byte // of its keys on disk
	adds   bool   // changed by Add
	gone   []span // ranges deleted since the last commit, in order of time; never changed in place
	open   atomic.Int64
	hand   []byte // where the clock stands
	// cemeteries are keys of leaves that were mostly tombs at the last commit.
	cemeteries [][]byte

	rows, bytes int64 // estimates where leaves are partial
	published   struct{ rows, bytes, memory atomic.Int64 }
}

// span is a range of keys; a nil upper is without end.
type span struct{ lower, upper []byte }

func (r span) has(key []byte) bool {
	return bytes.Compare(key, r.lower) >= 0 && (r.upper == nil || bytes.Compare(key, r.upper) < 0)
}

func newTable(s *Store, id state.TableID, onDisk bool) *table {
	t := &table{s: s, id: id, prefix: tablePrefix(s.id, id)}
	t.free = func() bool { return t.open.Load() == 0 }
	t.start(&leaf{gen: s.gen, complete: !onDisk})
	return t
}

// Get implements state.Reader.
func (t *table) Get(key []byte) ([]byte, bool) {
	l := t.seek(key)
	if l.complete || l.gen == t.s.gen {
		if i, found := t.locate(l, key); found && l.kind(i) != delta {
			if l.kind(i) == tomb {
				return nil, false
			}
			return l.value(i), true
		}
		if l.complete {
			return nil, false
		}
	}
	if l = t.load(key); l == nil {
		return nil, false
	}
	if i, found := l.search(key); found && l.live(i) {
		return l.value(i), true
	}
	return nil, false
}

// change returns the leaf that has key, ready to be changed.
func (t *table) change(key []byte) *leaf {
	t.seek(key)
	if t.owned {
		return t.at.leaf
	}
	l := t.own(t.s.gen)
	if l.gen != t.s.gen {
		t.renew(l)
	}
	return l
}

// renew brings a changeable leaf to the present generation: what it says is committed.
func (t *table) renew(l *leaf) {
	before := l.memory()
	if l.complete {
		l.slots = slices.DeleteFunc(l.slots, func(s uint32) bool { return slotOf(s) == tomb })
		l.tombs = 0
		live := 0
		for i := range l.slots {
			l.setKind(i, clean)
			live += rowSize(l.row(i))
		}
		l.dead = len(l.buf) - live
	} else {
		l.buf, l.slots, l.dead, l.tombs, l.skip = nil, nil, 0, 0, 0
	}
	l.gen = t.s.gen
	t.hint = noHint
	t.memory += l.memory() - before
}

// Put implements state.Table.
func (t *table) Put(key, value []byte) { t.put(key, value, changed) }

// put sets a row; as is what it is where the leaf does not know better: changed, delta or tomb.
func (t *table) put(key, value []byte, as kind) {
	l := t.change(key)
	i, found := t.locate(l, key)
	size := rowSize(key, value)
	if !found {
		if l.complete {
			as = fresh
		}
		t.s.dirty += int64(size)
		t.gained(size)
		if !l.room(size) {
			t.rebuild(l, i, i, key, value, as)
			return
		}
		before := l.memory()
		l.insert(i, key, value, as)
		t.hint = i
		t.grown(l, before)
		return
	}
	k := l.kind(i)
	if k == tomb {
		t.gained(size)
	} else {
		t.bytes += int64(size - rowSize(l.row(i)))
	}
	if k != fresh && k != changed {
		t.s.dirty += int64(size)
		l.setKind(i, as)
	}
	if l.setValue(i, value) {
		return
	}
	if !l.room(size) {
		t.rebuild(l, i, i+1, key, value, l.kind(i))
		return
	}
	before := l.memory()
	l.moveRow(i, value)
	t.grown(l, before)
}

func (t *table) gained(size int) {
	t.rows++
	t.bytes += int64(size)
}

// grown notes that a leaf's memory was before, and looks after the budget where it changed.
func (t *table) grown(l *leaf, before int64) {
	if now := l.memory(); now != before {
		t.memory += now - before
		t.s.pressure()
	}
}

// rebuild puts a row in the place of rows i to j of the cursor's changeable leaf, which has no room for it: the leaf is packed or divided.
func (t *table) rebuild(l *leaf, i, j int, key, value []byte, k kind) {
	size := rowSize(key, value)
	total := len(l.buf) - l.dead + size
	p := packer{epoch: t.epoch, gen: l.gen, complete: l.complete, small: l.small, target: min(maxLeaf, total/2+64)}
	if i == len(l.slots) && l.dead < maxLeaf/4 { // keys that ascend: the old leaf stays full
		p.add(key, value, k, maxLeaf/2)
		leaves, _ := p.done()
		leaves[0].used = true
		t.replace([]*leaf{l, leaves[0]}, [][]byte{divider(l.key(i-1), key)})
		t.s.pressure()
		return
	}
	if l.dead > maxLeaf/4 && total <= maxLeaf {
		p.target = maxLeaf
	}
	expect := total + total/8
	p.addRows(l, 0, i, expect)
	p.add(key, value, k, expect)
	p.addRows(l, j, len(l.slots), expect)
	leaves, bounds := p.done()
	for _, l := range leaves {
		l.used = true
	}
	t.replace(leaves, bounds)
	t.s.pressure()
}

// addRows adds the rows i to j of a leaf; expect is how many bytes all rows of the packer have, about.
func (p *packer) addRows(l *leaf, i, j, expect int) {
	stale := l.gen != p.gen
	for ; i < j; i++ {
		k := l.kind(i)
		if stale {
			if k == tomb {
				continue
			}
			k = clean
		}
		key, value := l.row(i)
		p.add(key, value, k, expect)
	}
}

// Delete implements state.Table.
func (t *table) Delete(key []byte) {
	l := t.seek(key)
	i, found := t.locate(l, key)
	if l.complete && (!found || l.kind(i) == tomb) {
		return
	}
	l = t.change(key)
	i, found = t.locate(l, key)
	switch {
	case !found:
		t.put(key, nil, tomb)
		t.lost(key, nil, 2)
		return
	case l.kind(i) == tomb:
		return
	}
	t.lost(key, l.value(i), 1)
	if l.kind(i) == fresh {
		t.take(l, i)
		return
	}
	t.s.dirty += int64(len(key))
	l.setKind(i, tomb)
	l.setValue(i, nil)
}

// lost takes rows from the estimates.
func (t *table) lost(key, value []byte, n int64) {
	t.rows = max(0, t.rows-n)
	t.bytes = max(0, t.bytes-n*int64(rowSize(key, value)))
}

// take removes row i of a changeable leaf without a trace.
func (t *table) take(l *leaf, i int) {
	l.remove(i, i+1)
	t.hint = noHint
	t.slim(l)
}

// slim unlinks the cursor's leaf if it is empty, and packs it if little of it is in use; its neighbour too if both fit in one.
func (t *table) slim(l *leaf) {
	switch {
	case !l.complete:
	case len(l.slots) == 0:
		t.unlink()
	case l.dead > maxLeaf/8 && l.dead > len(l.buf)/4*3:
		live := len(l.buf) - l.dead
		p := packer{epoch: t.epoch, gen: l.gen, complete: true, target: maxLeaf}
		p.addRows(l, 0, len(l.slots), live+live/8)
		s := t.at.path[len(t.at.path)-1]
		if s.i+1 < len(s.n.leaves) {
			if r := s.n.leaves[s.i+1]; r.complete && len(r.buf)-r.dead+live <= maxLeaf/2 {
				p.addRows(r, 0, len(r.slots), maxLeaf/2)
				t.count(r, -1)
				s.n.leaves = slices.Delete(s.n.leaves, s.i+1, s.i+2)
				s.n.seps = slices.Delete(s.n.seps, s.i, s.i+1)
				s.n.index()
			}
		}
		t.replace(p.done())
	}
}

// Add implements state.Table.
func (t *table) Add(key []byte, d int64) {
	t.adds = true
	if d == 0 {
		return
	}
	l := t.change(key)
	i, found := t.locate(l, key)
	var buf [10]byte
	switch {
	case !found:
		t.put(key, state.AppendWeight(buf[:0], d), delta)
		return
	case l.kind(i) != tomb:
		d += state.WeightOf(l.value(i))
	}
	switch k := l.kind(i); {
	case d != 0 && k == delta:
		t.put(key, state.AppendWeight(buf[:0], d), delta)
	case d != 0:
		t.put(key, state.AppendWeight(buf[:0], d), changed)
	case k == delta:
		t.lost(key, l.value(i), 1)
		t.take(l, i)
	default:
		t.Delete(key)
	}
}

// DeleteRange implements state.Table.
func (t *table) DeleteRange(lower, upper []byte) {
	if upper != nil && bytes.Compare(lower, upper) >= 0 {
		return
	}
	r := span{append([]byte{}, lower...), bytes.Clone(upper)}
	hit := false
	for key := r.lower; ; {
		t.seek(key)
		_, next := t.at.bounds()
		h, first := t.cut(r)
		if h && !hit && first != nil {
			r.lower = first // nothing on disk before it
		}
		hit = hit || h
		if next == nil || r.upper != nil && bytes.Compare(next, r.upper) >= 0 {
			break
		}
		key = next
	}
	if hit {
		t.note(r)
	}
}

// cut removes the rows of the cursor's leaf that r has. It reports whether there were any, or may be some on disk, and the first if that is known.
func (t *table) cut(r span) (hit bool, first []byte) {
	l := t.at.leaf
	lower, upper := t.at.bounds()
	whole := bytes.Compare(lower, r.lower) >= 0 && (r.upper == nil || upper != nil && bytes.Compare(upper, r.upper) <= 0)
	i, j := l.within(r)
	if i == j && l.complete && !whole {
		return false, nil
	}
	hit = !l.complete || i < j
	if l.complete && i < j {
		first = bytes.Clone(l.key(i))
	}
	for k := i; k < j; k++ {
		if l.live(k) {
			key, value := l.row(k)
			t.lost(key, value, 1)
		}
	}
	if whole {
		t.ownPath()
		t.unlink()
		return hit, first
	}
	at := r.lower
	if bytes.Compare(at, lower) < 0 {
		at = lower
	}
	l = t.change(at)
	l.remove(l.within(r))
	t.hint = noHint
	t.slim(l)
	return hit, first
}

// within returns the slots that r has.
func (l *leaf) within(r span) (i, j int) {
	i, j = l.from(r.lower), len(l.slots)
	if r.upper != nil {
		j = l.from(r.upper)
	}
	return i, j
}

// note remembers a deleted range for the next commit, and for reads from disk until then.
func (t *table) note(r span) {
	t.s.dirty += int64(len(r.lower) + len(r.upper))
	if n := len(t.gone); n > 0 {
		last := t.gone[n-1]
		if (last.upper == nil || bytes.Compare(r.lower, last.upper) <= 0) && (r.upper == nil || bytes.Compare(last.lower, r.upper) <= 0) {
			if bytes.Compare(last.lower, r.lower) < 0 {
				r.lower = last.lower
			}
			if last.upper == nil || r.upper != nil && bytes.Compare(last.upper, r.upper) > 0 {
				r.upper = last.upper
			}
			t.gone = append(t.gone[:n-1:n-1], r)
			return
		}
	}
	t.gone = append(t.gone, r)
}

// Scan implements state.Reader.
func (t *table) Scan(lower, upper []byte) state.Iterator {
	it := &iterator{t: t}
	it.start(lower, upper)
	return it
}

// Snapshot implements state.Table.
func (t *table) Snapshot() state.Snapshot {
	t.open.Add(1)
	t.epoch++
	t.owned = false
	v := &snapshot{t: t, root: t.root, gen: t.s.gen, gone: t.gone}
	if t.partial > 0 {
		v.base = t.s.pin()
	}
	t.publish()
	return v
}

func (t *table) publish() {
	t.published.rows.Store(t.rows)
	t.published.bytes.Store(t.bytes)
	t.published.memory.Store(t.memory)
	if !t.s.e.o.Volatile {
		t.s.shown.Store(t.s.dirty)
	}
}
