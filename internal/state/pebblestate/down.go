package pebblestate

import (
	"bytes"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/state"
)

// ScanDown implements state.Snapshot.
func (v *snapshot) ScanDown(lower, upper []byte) state.Iterator {
	it := &downIterator{v: v}
	it.lower = append(it.buf[:0], lower...)
	it.open(bytes.Clone(upper))
	return it
}

// downIterator walks over a snapshot from its end: leaf by leaf, each found anew by the bound where the last one began.
type downIterator struct {
	v          *snapshot
	c          cursor
	disk       *pebble.Iterator
	leaves     []*leaf // of a window; the last is the one under work
	i          int     // the row of it that was given last
	begin      []byte  // where leaves begin; nil is the table's beginning
	lower      []byte
	buf        [40]byte
	key, value []byte
}

// open goes to the leaf that has the greatest keys below end; nil is the table's end.
func (it *downIterator) open(end []byte) {
	it.leaves = nil
	if end != nil && bytes.Compare(end, it.lower) <= 0 {
		return
	}
	it.c.seekBelow(it.v.root, end)
	l := it.c.leaf
	lower, _ := it.c.bounds()
	it.leaves, it.begin = []*leaf{l}, lower
	if !l.complete {
		if it.disk == nil {
			if it.disk = it.v.iter(); it.disk == nil {
				it.leaves = nil
				return
			}
		}
		src := source{rows: it.disk, prefix: it.v.t.prefix, gone: it.v.gone, gen: it.v.gen}
		w, err := src.readBelow(l, lower, end)
		if err != nil {
			it.v.t.s.e.fail(err)
			it.leaves = nil
			return
		}
		it.leaves, it.begin = w.leaves, w.lower
	}
	it.last(end)
}

// last stands behind the last row of the last leaf that is below end.
func (it *downIterator) last(end []byte) {
	l := it.leaves[len(it.leaves)-1]
	it.i = len(l.slots)
	if end != nil {
		it.i = l.from(end)
	}
}

// Next implements state.Iterator.
func (it *downIterator) Next() bool {
	for len(it.leaves) > 0 {
		l := it.leaves[len(it.leaves)-1]
		for it.i > 0 {
			it.i--
			if !l.live(it.i) {
				continue
			}
			it.key, it.value = l.row(it.i)
			if bytes.Compare(it.key, it.lower) < 0 {
				it.Close()
				return false
			}
			return true
		}
		switch it.leaves = it.leaves[:len(it.leaves)-1]; {
		case len(it.leaves) > 0:
			it.last(nil)
		case it.begin != nil:
			it.open(it.begin)
		}
	}
	it.Close()
	return false
}

// Key implements state.Iterator.
func (it *downIterator) Key() []byte { return it.key }

// Value implements state.Iterator.
func (it *downIterator) Value() []byte { return it.value }

// Close implements state.Iterator.
func (it *downIterator) Close() {
	it.leaves = nil
	if it.disk != nil {
		if err := it.disk.Close(); err != nil {
			it.v.t.s.e.fail(err)
		}
		it.disk = nil
	}
}

// readBelow reads the window of l, whose range begins at lower, that ends at end; a nil end is the table's.
func (s *source) readBelow(l *leaf, lower, end []byte) (window, error) {
	w := window{lower: lower, upper: end}
	stop := successor(s.prefix)
	if end != nil {
		stop = append(bytes.Clone(s.prefix), end...)
	}
	size := 0
	for ok := s.rows.SeekLT(stop); ok; ok = s.rows.Prev() {
		k := s.rows.Key()
		if !bytes.HasPrefix(k, s.prefix) {
			break
		}
		if k = k[len(s.prefix):]; lower != nil && bytes.Compare(k, lower) < 0 {
			break
		}
		v, err := s.rows.ValueAndErr()
		if err != nil {
			return w, err
		}
		if size += rowSize(k, v); size > loadBytes {
			w.lower = bytes.Clone(k)
			break
		}
	}
	if err := s.rows.Error(); err != nil {
		return w, err
	}
	return w, s.fill(&w, l, math.MaxInt, 0)
}
