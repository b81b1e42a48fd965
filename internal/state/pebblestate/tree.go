package pebblestate

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// inner is a node above leaves or above other inners. Nodes of an older epoch than the tree's belong to snapshots as well: the writer
// clones them before it changes them.
type inner struct {
	epoch  uint64
	gen    uint64 // the last generation in which something beneath changed
	skip   int    // length of a prefix that all seps share, or maxSkip
	prefix [maxSkip]byte
	heads  []uint64 // of seps: the 8 bytes after skip
	seps   [][]byte // seps[i] is the lower bound of child i+1
	kids   []*inner // of a node above inners
	leaves []*leaf  // of a node above leaves
}

const (
	fanout = 64
	noHint = 1 << 30
	// maxSkip bounds the prefix that a node keeps beside its heads: two columns of 8 bytes and their markers, and some.
	maxSkip = 24
)

func head8(key []byte, skip int) uint64 {
	if len(key) >= skip+8 {
		return binary.BigEndian.Uint64(key[skip:])
	}
	var b [8]byte
	if len(key) > skip {
		copy(b[:], key[skip:])
	}
	return binary.BigEndian.Uint64(b[:])
}

// index recomputes skip and heads after seps changed.
func (n *inner) index() {
	if len(n.seps) == 0 {
		n.heads, n.skip = n.heads[:0], 0
		return
	}
	n.skip = min(maxSkip, shared(n.seps[0], n.seps[len(n.seps)-1]))
	copy(n.prefix[:], n.seps[0][:n.skip])
	n.heads = n.heads[:0]
	for _, s := range n.seps {
		n.heads = append(n.heads, head8(s, n.skip))
	}
}

// find returns which child has key: the number of seps that are not above it.
func (n *inner) find(key []byte) int {
	if len(n.seps) == 0 {
		return 0
	}
	if n.skip > 0 {
		p := n.prefix[:n.skip]
		if len(key) < n.skip || string(key[:n.skip]) != string(p) {
			if bytes.Compare(key, p) < 0 {
				return 0
			}
			return len(n.seps)
		}
	}
	h := head8(key, n.skip)
	lo, hi := 0, len(n.heads)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if hm := n.heads[m]; hm < h || hm == h && bytes.Compare(n.seps[m], key) <= 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

func (n *inner) clone(epoch uint64) *inner {
	c := *n
	c.epoch = epoch
	c.heads, c.seps = slices.Clone(n.heads), slices.Clone(n.seps)
	c.kids, c.leaves = slices.Clone(n.kids), slices.Clone(n.leaves)
	return &c
}

func (n *inner) width() int { return max(len(n.kids), len(n.leaves)) }

// step is one node of the way from the root to a leaf, and which child the way takes.
type step struct {
	n *inner
	i int
}

// cursor is a way to a leaf.
type cursor struct {
	path []step
	leaf *leaf
}

// seek goes from root to the leaf that has key.
func (c *cursor) seek(root *inner, key []byte) {
	c.path = c.path[:0]
	for n := root; ; {
		i := n.find(key)
		c.path = append(c.path, step{n, i})
		if n.kids == nil {
			c.leaf = n.leaves[i]
			return
		}
		n = n.kids[i]
	}
}

// seekBelow goes from root to the leaf that has the greatest keys below key; nil is the last leaf.
func (c *cursor) seekBelow(root *inner, key []byte) {
	c.path = c.path[:0]
	for n := root; ; {
		i := len(n.seps)
		if key != nil {
			if i = n.find(key); i > 0 && bytes.Equal(n.seps[i-1], key) {
				i--
			}
		}
		c.path = append(c.path, step{n, i})
		if n.kids == nil {
			c.leaf = n.leaves[i]
			return
		}
		n = n.kids[i]
	}
}

// bounds returns the range of the cursor's leaf; a nil upper is without end. They are never written to.
func (c *cursor) bounds() (lower, upper []byte) {
	for d := len(c.path) - 1; d >= 0 && (lower == nil || upper == nil); d-- {
		s := c.path[d]
		if lower == nil && s.i > 0 {
			lower = s.n.seps[s.i-1]
		}
		if upper == nil && s.i < len(s.n.seps) {
			upper = s.n.seps[s.i]
		}
	}
	return lower, upper
}

// holds reports whether key is within the bounds of the cursor's leaf.
func (c *cursor) holds(key []byte) bool {
	lower, upper := c.bounds()
	return bytes.Compare(key, lower) >= 0 && (upper == nil || bytes.Compare(key, upper) < 0)
}

// tree is a copy-on-write B+tree. One goroutine changes it; what a root reaches never changes once the epoch is over.
type tree struct {
	root    *inner
	epoch   uint64
	free    func() bool // no snapshot is open: nothing has to be cloned
	at      cursor
	owned   bool  // the nodes and the leaf of at may be changed
	hint    int   // the last slot used in the leaf of at, or far beyond
	misses  int   // seeks since one that found its leaf under the cursor
	memory  int64 // of all leaves
	leaves  int   // how many
	partial int   // how many of them are partial
}

func (t *tree) start(l *leaf) {
	*t = tree{free: t.free, epoch: t.epoch + 1, at: cursor{path: t.at.path[:0]}, hint: noHint}
	l.epoch = t.epoch
	t.root = &inner{epoch: t.epoch, leaves: []*leaf{l}}
	t.count(l, 1)
}

// count notes that a leaf came (1) or went (-1).
func (t *tree) count(l *leaf, sign int) {
	t.memory += int64(sign) * l.memory()
	t.leaves += sign
	if !l.complete {
		t.partial += sign
	}
}

// seek puts the cursor on the leaf that has key.
func (t *tree) seek(key []byte) *leaf {
	if t.near(key) {
		return t.at.leaf
	}
	t.at.seek(t.root, key)
	t.owned, t.hint = false, noHint
	t.at.leaf.used = true
	return t.at.leaf
}

// near reports whether the cursor's leaf has key. It may say no where the cursor was elsewhere often of late: the leaf's bounds are not in
// the processor's cache, unlike its last row.
func (t *tree) near(key []byte) bool {
	l := t.at.leaf
	switch {
	case l == nil:
		return false
	case t.hint < len(l.slots) && string(l.key(t.hint)) == string(key):
		return true
	}
	if t.misses++; t.misses > 8 && t.misses%16 != 0 {
		return false
	}
	if t.at.holds(key) {
		t.misses = 0
		return true
	}
	return false
}

// forget makes the next seek start from the root.
func (t *tree) forget() { t.at.leaf, t.owned, t.hint = nil, false, noHint }

// ownPath makes the nodes of the cursor's path changeable, its leaf not.
func (t *tree) ownPath() {
	free := t.free()
	for d := range t.at.path {
		s := &t.at.path[d]
		if s.n.epoch == t.epoch {
			continue
		}
		if free {
			s.n.epoch = t.epoch
			continue
		}
		s.n = s.n.clone(t.epoch)
		if d == 0 {
			t.root = s.n
		} else {
			t.at.path[d-1].n.kids[t.at.path[d-1].i] = s.n
		}
	}
}

// locate is search in the cursor's leaf, quick where the key is that of the last call or the next.
func (t *tree) locate(l *leaf, key []byte) (i int, found bool) {
	if h := t.hint; h < len(l.slots) {
		c := bytes.Compare(key, l.key(h))
		if c == 0 {
			return h, true
		}
		if c > 0 {
			t.hint++
			if h+1 == len(l.slots) {
				return h + 1, false
			}
			if c = bytes.Compare(key, l.key(h+1)); c <= 0 {
				return h + 1, c == 0
			}
		}
	}
	t.hint, found = l.search(key)
	return t.hint, found
}

// own makes the cursor's leaf changeable, and marks the path as changed in generation gen.
func (t *tree) own(gen uint64) *leaf {
	if t.owned {
		return t.at.leaf
	}
	t.ownPath()
	for _, s := range t.at.path {
		s.n.gen = gen
	}
	l := t.at.leaf
	if l.epoch != t.epoch {
		if t.free() {
			l.epoch = t.epoch
		} else {
			t.count(l, -1)
			l = l.clone(t.epoch)
			t.count(l, 1)
			t.set(l)
		}
	}
	t.owned = true
	return l
}

// set puts l in the place of the cursor's leaf; the path is owned.
func (t *tree) set(l *leaf) {
	last := t.at.path[len(t.at.path)-1]
	last.n.leaves[last.i] = l
	t.at.leaf = l
}

// replace puts leaves in the place of the cursor's, with bounds between them. The path is owned; the cursor is forgotten.
func (t *tree) replace(leaves []*leaf, bounds [][]byte) {
	t.count(t.at.leaf, -1)
	for _, l := range leaves {
		t.count(l, 1)
	}
	d := len(t.at.path) - 1
	n, i := t.at.path[d].n, t.at.path[d].i
	n.leaves = slices.Replace(n.leaves, i, i+1, leaves...)
	n.seps = slices.Insert(n.seps, i, bounds...)
	n.index()
	t.divide(d)
	t.forget()
}

// divide splits the path's nodes that are too wide, from depth d upwards.
func (t *tree) divide(d int) {
	for ; d >= 0 && t.at.path[d].n.width() > fanout; d-- {
		nodes, seps := t.at.path[d].n.split()
		if d == 0 {
			t.root = &inner{epoch: t.epoch, gen: t.at.path[0].n.gen, kids: nodes, seps: seps}
			t.root.index()
			return
		}
		p, i := t.at.path[d-1].n, t.at.path[d-1].i
		p.kids = slices.Replace(p.kids, i, i+1, nodes...)
		p.seps = slices.Insert(p.seps, i, seps...)
		p.index()
	}
}

// split cuts a node into parts of at most fanout children; the left part keeps more, as most trees grow at their end.
func (n *inner) split() (parts []*inner, seps [][]byte) {
	const share = fanout * 3 / 4
	for from, w := 0, n.width(); from < w; {
		to := from + share
		if w-to < fanout/8 {
			to = w
		}
		part := &inner{epoch: n.epoch, gen: n.gen, seps: slices.Clone(n.seps[from : to-1])}
		if n.kids != nil {
			part.kids = slices.Clone(n.kids[from:to])
		} else {
			part.leaves = slices.Clone(n.leaves[from:to])
		}
		part.index()
		if from > 0 {
			seps = append(seps, n.seps[from-1])
		}
		parts = append(parts, part)
		from = to
	}
	return parts, seps
}

// unlink removes the cursor's leaf, whose range is known to be empty: a neighbour takes the range. The path is owned; the cursor is
// forgotten. The last leaf is replaced by an empty complete one.
func (t *tree) unlink() {
	t.count(t.at.leaf, -1)
	d := len(t.at.path) - 1
	for ; d > 0 && t.at.path[d].n.width() == 1; d-- {
	}
	n, i := t.at.path[d].n, t.at.path[d].i
	switch {
	case n.width() == 1: // all the way up
		l := &leaf{epoch: t.epoch, gen: t.at.leaf.gen, complete: true, used: true}
		t.root = &inner{epoch: t.epoch, gen: n.gen, leaves: []*leaf{l}}
		t.count(l, 1)
	case n.kids != nil:
		n.kids = slices.Delete(n.kids, i, i+1)
		n.seps = slices.Delete(n.seps, max(0, i-1), max(1, i))
	default:
		n.leaves = slices.Delete(n.leaves, i, i+1)
		n.seps = slices.Delete(n.seps, max(0, i-1), max(1, i))
	}
	n.index()
	for len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
	t.forget()
}
