package pebblestate

import (
	"bytes"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/state"
)

// base is one committed version on disk, kept for snapshots that have partial leaves.
type base struct {
	refs atomic.Int64
	snap *pebble.Snapshot
	e    *Engine
}

func (b *base) release() {
	if b != nil && b.refs.Add(-1) == 0 {
		if err := b.snap.Close(); err != nil {
			b.e.fail(err)
		}
	}
}

// snapshot implements state.Snapshot.
type snapshot struct {
	t      *table
	root   *inner
	gen    uint64
	gone   []span
	base   *base // nil where everything is in memory
	closed atomic.Bool
}

// Close implements state.Snapshot.
func (v *snapshot) Close() {
	if v.closed.CompareAndSwap(false, true) {
		v.base.release()
		v.t.open.Add(-1)
	}
}

// Get implements state.Reader.
func (v *snapshot) Get(key []byte) ([]byte, bool) {
	l := v.find(key)
	i, found := l.search(key)
	found = found && (l.complete || l.gen == v.gen)
	switch {
	case found && l.kind(i) == tomb, !found && l.complete:
		return nil, false
	case found && l.kind(i) != delta:
		return l.value(i), true
	}
	value, ok := v.disk(key)
	if !found {
		return value, ok
	}
	w := state.WeightOf(value) + state.WeightOf(l.value(i))
	if w == 0 {
		return nil, false
	}
	return state.AppendWeight(nil, w), true
}

// find returns the leaf that has key. It writes nothing that is shared.
func (v *snapshot) find(key []byte) *leaf {
	n := v.root
	for n.kids != nil {
		n = n.kids[n.find(key)]
	}
	return n.leaves[n.find(key)]
}

// disk reads one row on disk.
func (v *snapshot) disk(key []byte) ([]byte, bool) {
	if v.base == nil || (&source{gone: v.gone}).isGone(key) {
		return nil, false
	}
	raw, closer, err := v.base.snap.Get(append(bytes.Clone(v.t.prefix), key...))
	if err != nil {
		if err != pebble.ErrNotFound { //nolint:errorlint // Pebble returns it bare
			v.t.s.e.fail(err)
		}
		return nil, false
	}
	defer closer.Close()
	value, there, err := decodeRow(raw)
	if err != nil {
		v.t.s.e.fail(err)
	}
	if !there {
		return nil, false
	}
	return append([]byte{}, value...), true
}

// Scan implements state.Reader.
func (v *snapshot) Scan(lower, upper []byte) state.Iterator {
	it := &iterator{t: v.t, snap: v}
	it.start(lower, upper)
	return it
}

// iterator walks over a table, or a snapshot of it, from leaf to leaf; each is found anew by the bound where the last ended.
type iterator struct {
	t          *table
	snap       *snapshot // nil for a table's own
	c          cursor    // of a snapshot's
	disk       *pebble.Iterator
	l          *leaf // nil at the end
	i          int
	end        []byte  // where l ends
	more       *window // leaves after l that were read with it
	upper      []byte
	buf        [40]byte
	key, value []byte
}

func (it *iterator) start(lower, upper []byte) {
	if upper != nil {
		it.upper = append(it.buf[:0], upper...)
	}
	if it.open(lower); it.l != nil {
		it.i = it.l.from(lower)
	}
}

// open goes to the leaf that has key.
func (it *iterator) open(key []byte) {
	it.i = 0
	if it.snap == nil {
		if it.l = it.t.seek(key); !it.l.complete {
			if it.l = it.t.load(key); it.l == nil {
				return
			}
		}
		_, it.end = it.t.at.bounds()
		return
	}
	it.c.seek(it.snap.root, key)
	var from []byte
	it.l = it.c.leaf
	from, it.end = it.c.bounds()
	if it.l.complete {
		return
	}
	if it.disk == nil {
		if it.disk = it.snap.iter(); it.disk == nil {
			it.l = nil
			return
		}
	}
	src := source{rows: it.disk, prefix: it.t.prefix, gone: it.snap.gone, gen: it.snap.gen}
	w, err := src.read(it.l, from, it.end, key, 0)
	if err != nil {
		it.t.s.e.fail(err)
		it.l = nil
		return
	}
	it.more = &w
	it.follow()
	for it.end != nil && bytes.Compare(it.end, key) <= 0 {
		it.follow()
	}
}

// follow goes to the next leaf of the window.
func (it *iterator) follow() {
	w := it.more
	it.i, it.l, it.end = 0, w.leaves[0], w.upper
	if w.leaves = w.leaves[1:]; len(w.leaves) == 0 {
		it.more = nil
		return
	}
	it.end, w.bounds = w.bounds[0], w.bounds[1:]
}

func (v *snapshot) iter() *pebble.Iterator {
	if v.base == nil {
		return nil
	}
	it, err := v.base.snap.NewIter(nil)
	if err != nil {
		v.t.s.e.fail(err)
		return nil
	}
	return it
}

// Next implements state.Iterator.
func (it *iterator) Next() bool {
	for it.l != nil {
		for it.i < len(it.l.slots) {
			i := it.i
			it.i++
			if !it.l.live(i) {
				continue
			}
			it.key, it.value = it.l.row(i)
			if it.upper != nil && bytes.Compare(it.key, it.upper) >= 0 {
				break
			}
			return true
		}
		switch {
		case it.end == nil || it.upper != nil && bytes.Compare(it.end, it.upper) >= 0:
			it.l = nil
		case it.more != nil:
			it.follow()
		default:
			it.open(it.end)
		}
	}
	it.Close()
	return false
}

// Key implements state.Iterator.
func (it *iterator) Key() []byte { return it.key }

// Value implements state.Iterator.
func (it *iterator) Value() []byte { return it.value }

// Close implements state.Iterator.
func (it *iterator) Close() {
	it.l, it.more = nil, nil
	if it.disk != nil {
		if err := it.disk.Close(); err != nil {
			it.t.s.e.fail(err)
		}
		it.disk = nil
	}
}
