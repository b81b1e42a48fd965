package pebblestate

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"leat/internal/state"
)

// source is what a reader of partial leaves needs beside them: the rows on disk, and which of them no longer count.
type source struct {
	rows   *pebble.Iterator
	prefix []byte // of the table's keys on disk
	gone   []span
	gen    uint64 // partial leaves of older generations say nothing that is not on disk
}

// window is a part of a partial leaf's range with all its rows.
type window struct {
	leaves      []*leaf
	bounds      [][]byte // between leaves
	lower       []byte   // where it begins
	upper       []byte   // where it ends
	first, last int      // rows of the partial leaf before it, and before its end
}

// loadBytes is how much of a large range is read at once.
const loadBytes = maxLeaf * 3 / 4

// read reads the window of l, whose range is lower to upper, that has key.
func (s *source) read(l *leaf, lower, upper, key []byte, epoch uint64) (window, error) {
	w := window{lower: lower, upper: upper}
	limit := 2 * maxLeaf
	if !l.small {
		w.lower, limit = bytes.Clone(key), loadBytes
		if bytes.Compare(key, lower) <= 0 {
			w.lower = lower
		}
	}
	err := s.fill(&w, l, limit, epoch)
	return w, err
}

// fill reads the window from its lower bound on, up to its upper one or until there are more than limit bytes.
func (s *source) fill(w *window, l *leaf, limit int, epoch uint64) error {
	over, upper := &leaf{}, w.upper
	if l.gen == s.gen {
		over = l
	}
	p := packer{epoch: epoch, gen: s.gen, complete: true, target: maxLeaf}
	w.first, w.last = over.from(w.lower), len(over.slots)
	if upper != nil {
		w.last = over.from(upper)
	}
	i, size := w.first, 0
	for ok := s.rows.SeekGE(append(bytes.Clone(s.prefix), w.lower...)); ; ok = s.rows.Next() {
		var k []byte
		if ok {
			k = s.rows.Key()
			if ok = bytes.HasPrefix(k, s.prefix); ok {
				k = k[len(s.prefix):]
				ok = upper == nil || bytes.Compare(k, upper) < 0
			}
		}
		if !ok {
			if err := s.rows.Error(); err != nil {
				return err
			}
			p.addChanges(over, i, w.last)
			break
		}
		if size > limit && len(p.leaves) > 0 {
			w.upper = bytes.Clone(k)
			w.last = over.from(w.upper)
			p.addChanges(over, i, w.last)
			break
		}
		v, err := s.rows.ValueAndErr()
		if err != nil {
			return err
		}
		v, there, err := decodeRow(v)
		if err != nil {
			return err
		}
		size += rowSize(k, v)
		there = there && !s.isGone(k)
		for ; i < len(over.slots) && bytes.Compare(over.key(i), k) < 0; i++ {
			p.addChanges(over, i, i+1)
		}
		switch {
		case i < len(over.slots) && bytes.Equal(over.key(i), k):
			p.merge(over, i, v, there)
			i++
		case there:
			p.add(k, v, clean, maxLeaf)
		case !s.isGone(k): // a weight of 0: a commit that comes by may delete it
			p.add(k, nil, tomb, maxLeaf)
		}
	}
	w.leaves, w.bounds = p.done()
	for _, l := range w.leaves {
		l.fit()
	}
	return nil
}

// addChanges adds the rows i to j of a partial leaf, of which nothing is on disk.
func (p *packer) addChanges(l *leaf, i, j int) {
	for ; i < j; i++ {
		if key, value := l.row(i); l.live(i) && (l.kind(i) != delta || state.WeightOf(value) != 0) {
			p.add(key, value, fresh, maxLeaf)
		}
	}
}

// merge adds row i of a partial leaf, over value on disk if it is there.
func (p *packer) merge(l *leaf, i int, value []byte, there bool) {
	key, over := l.row(i)
	switch k := l.kind(i); {
	case !there:
		p.addChanges(l, i, i+1)
	case k == delta:
		w := state.WeightOf(value) + state.WeightOf(over)
		var buf [10]byte
		if w == 0 {
			p.add(key, nil, tomb, maxLeaf)
		} else {
			p.add(key, state.AppendWeight(buf[:0], w), changed, maxLeaf)
		}
	default:
		p.add(key, over, k, maxLeaf)
	}
}

func (s *source) isGone(key []byte) bool {
	for _, r := range s.gone {
		if r.has(key) {
			return true
		}
	}
	return false
}

// fit gives back what a leaf has too much.
func (l *leaf) fit() {
	if cap(l.buf) > len(l.buf)+len(l.buf)/4+256 {
		l.buf = append([]byte(nil), l.buf...)
	}
}

// load makes the leaf that has key complete and returns it; nil if the disk failed.
func (t *table) load(key []byte) *leaf {
	t.s.pressure()
	l := t.seek(key)
	if l.complete {
		return l
	}
	rows := t.s.reader()
	if rows == nil {
		return nil
	}
	src := source{rows: rows, prefix: t.prefix, gone: t.gone, gen: t.s.gen}
	lower, upper := t.at.bounds()
	w, err := src.read(l, lower, upper, key, t.epoch)
	if err != nil {
		t.s.e.fail(err)
		return nil
	}
	over := &leaf{}
	if l.gen == src.gen {
		over = l
	}
	var leaves []*leaf
	var bounds [][]byte
	if bytes.Compare(w.lower, lower) > 0 {
		leaves, bounds = append(leaves, t.part(over, 0, w.first)), append(bounds, w.lower)
	}
	leaves, bounds = append(leaves, w.leaves...), append(bounds, w.bounds...)
	if w.upper != nil && (upper == nil || bytes.Compare(w.upper, upper) < 0) {
		leaves, bounds = append(leaves, t.part(over, w.last, len(over.slots))), append(bounds, w.upper)
	}
	t.ownPath()
	t.replace(leaves, bounds)
	return t.seek(key)
}

// part returns a partial leaf with the rows i to j of another.
func (t *table) part(l *leaf, i, j int) *leaf {
	p := packer{epoch: t.epoch, gen: t.s.gen, target: 1 << 30}
	p.addRows(l, i, j, 0)
	leaves, _ := p.done()
	return leaves[0]
}

// Rows on disk begin with a byte that says what follows.
const (
	plainRow  = 0
	weightRow = 1
)

var errRow = errors.New("a row of state has an unknown form")

// decodeRow returns the value of a row on disk, and whether it is there at all: weights of 0 are not.
func decodeRow(v []byte) (value []byte, there bool, err error) {
	if len(v) == 0 || v[0] > weightRow {
		return nil, false, errRow
	}
	return v[1:], v[0] == plainRow || state.WeightOf(v[1:]) != 0, nil
}
