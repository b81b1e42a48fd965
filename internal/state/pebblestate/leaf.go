package pebblestate

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A leaf holds the rows of one range of keys, packed in one buffer: no pointer per row.
//
//	row:  key length (uvarint), value length (uvarint), key, value
//	slot: head of the key (2 bytes after the prefix that all keys share), kind (3 bits), offset of the row (13 bits); in key order
//
// A complete leaf holds every row of its range. A partial one holds changes since the last commit; the rest of the range is on disk.
type leaf struct {
	epoch uint64 // the tree's when the leaf was made: only one of this epoch may change
	gen   uint64 // the store's generation that the kinds are of; with a later one all is committed
	buf   []byte
	slots []uint32
	dead  int // bytes of buf that no slot points to
	tombs int // slots of kind tomb
	skip  int // length of a prefix that all keys share

	complete bool
	small    bool // partial: what it has on disk is about one leaf's size
	used     bool // since the clock last came by; only the writer touches it
}

// kind says what a row means for the disk.
type kind uint32

const (
	clean   kind = iota // as committed
	fresh               // new, and surely not on disk
	changed             // new, and what is on disk counts no more
	tomb                // gone, and perhaps on disk
	delta               // a weight to add to what is on disk
)

const (
	maxLeaf    = 1 << 13 // bytes of rows, unless there is only one row: offsets have 13 bits
	slotKind   = 13
	slotHead   = 16
	offsetMask = 1<<slotKind - 1
	leafCost   = 200 // bytes of a leaf's header, its separator and its place in the parent
)

func newSlot(head uint32, k kind, off int) uint32 {
	return head<<slotHead | uint32(k)<<slotKind | uint32(off)
}

func slotOffset(s uint32) int { return int(s & offsetMask) }
func slotOf(s uint32) kind    { return kind(s >> slotKind & 7) }

func (l *leaf) kind(i int) kind { return slotOf(l.slots[i]) }

func (l *leaf) setKind(i int, k kind) {
	if l.kind(i) == tomb {
		l.tombs--
	}
	if k == tomb {
		l.tombs++
	}
	l.slots[i] = l.slots[i]&^(7<<slotKind) | uint32(k)<<slotKind
}

// memory is what the leaf takes.
func (l *leaf) memory() int64 { return int64(cap(l.buf)) + 4*int64(cap(l.slots)) + leafCost }

// rowAt returns where the key begins and both lengths.
func (l *leaf) rowAt(off int) (at, klen, vlen int) {
	b := l.buf[off:]
	if len(b) >= 2 && b[0] < 0x80 && b[1] < 0x80 {
		return off + 2, int(b[0]), int(b[1])
	}
	k, n := binary.Uvarint(b)
	v, m := binary.Uvarint(b[n:])
	return off + n + m, int(k), int(v)
}

func (l *leaf) key(i int) []byte {
	at, k, _ := l.rowAt(slotOffset(l.slots[i]))
	return l.buf[at : at+k : at+k]
}

func (l *leaf) value(i int) []byte {
	at, k, v := l.rowAt(slotOffset(l.slots[i]))
	return l.buf[at+k : at+k+v : at+k+v]
}

func (l *leaf) row(i int) (key, value []byte) {
	at, k, v := l.rowAt(slotOffset(l.slots[i]))
	return l.buf[at : at+k : at+k], l.buf[at+k : at+k+v : at+k+v]
}

// live reports whether row i is one for readers.
func (l *leaf) live(i int) bool { return l.kind(i) != tomb }

// headOf returns the two bytes of key after skip.
func headOf(key []byte, skip int) uint32 {
	switch {
	case len(key) >= skip+2:
		return uint32(key[skip])<<8 | uint32(key[skip+1])
	case len(key) == skip+1:
		return uint32(key[skip]) << 8
	}
	return 0
}

// shares reports whether key begins with the leaf's common prefix.
func (l *leaf) shares(key []byte) bool {
	return len(l.slots) == 0 || len(key) >= l.skip && string(key[:l.skip]) == string(l.key(0)[:l.skip])
}

// search returns the place of key among the slots.
func (l *leaf) search(key []byte) (i int, found bool) {
	h := headOf(key, l.skip)
	lo, hi := 0, len(l.slots)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		hm := l.slots[m] >> slotHead
		if hm < h || hm == h && bytes.Compare(l.key(m), key) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(l.slots) && l.slots[lo]>>slotHead == h && string(l.key(lo)) == string(key) {
		return lo, true
	}
	if l.skip > 0 && !l.shares(key) { // the heads meant nothing
		if bytes.Compare(key, l.key(0)) < 0 {
			return 0, false
		}
		return len(l.slots), false
	}
	return lo, false
}

// rowSize is what a row takes in buf.
func rowSize(key, value []byte) int {
	return uvarintLen(len(key)) + uvarintLen(len(value)) + len(key) + len(value)
}

func uvarintLen(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	case n < 1<<28:
		return 4
	}
	return 5
}

// room reports whether a row of that size can be appended.
func (l *leaf) room(size int) bool {
	return len(l.slots) == 0 || len(l.buf)+size <= maxLeaf
}

// grow makes place for n more bytes of rows.
func (l *leaf) grow(n int) {
	if need := len(l.buf) + n; need > cap(l.buf) {
		size := need
		if need < maxLeaf {
			size = min(maxLeaf, need+need/4+64)
		}
		l.buf = append(slices.Grow([]byte(nil), size), l.buf...)
	}
	if len(l.slots) == cap(l.slots) {
		l.slots = append(slices.Grow([]uint32(nil), len(l.slots)+len(l.slots)/4+4), l.slots...)
	}
}

// appendRow appends the bytes of a row and returns its offset.
func (l *leaf) appendRow(key, value []byte) int {
	off := len(l.buf)
	if len(key) < 0x80 && len(value) < 0x80 {
		l.buf = append(l.buf, byte(len(key)), byte(len(value)))
	} else {
		l.buf = binary.AppendUvarint(l.buf, uint64(len(key)))
		l.buf = binary.AppendUvarint(l.buf, uint64(len(value)))
	}
	l.buf = append(l.buf, key...)
	l.buf = append(l.buf, value...)
	return off
}

// insert puts a row in at place i; there is room.
func (l *leaf) insert(i int, key, value []byte, k kind) {
	switch {
	case len(l.slots) == 0:
		l.buf, l.dead, l.skip = l.buf[:0], 0, len(key)
	case !l.shares(key):
		l.rehead(shared(key, l.key(0)))
	}
	l.grow(rowSize(key, value))
	off := l.appendRow(key, value)
	l.slots = append(l.slots, 0)
	copy(l.slots[i+1:], l.slots[i:])
	l.slots[i] = newSlot(headOf(key, l.skip), k, off)
	if k == tomb {
		l.tombs++
	}
}

// rehead sets the length of the common prefix.
func (l *leaf) rehead(skip int) {
	l.skip = skip
	for i, s := range l.slots {
		l.slots[i] = newSlot(headOf(l.key(i), skip), slotOf(s), slotOffset(s))
	}
}

// setValue gives row i another value if it fits where the old one was.
func (l *leaf) setValue(i int, value []byte) bool {
	off := slotOffset(l.slots[i])
	at, k, v := l.rowAt(off)
	if len(value) > v || uvarintLen(len(value)) != uvarintLen(v) {
		return false
	}
	copy(l.buf[at+k:], value) // first: value may be what was read from here
	if len(value) != v {
		binary.PutUvarint(l.buf[off+uvarintLen(k):], uint64(len(value)))
		l.dead += v - len(value)
	}
	return true
}

// moveRow writes row i anew with another value; there is room. The old bytes are dead.
func (l *leaf) moveRow(i int, value []byte) {
	key, old := l.row(i)
	l.grow(rowSize(key, value))
	off := l.appendRow(key, value)
	l.dead += rowSize(key, old)
	l.slots[i] = l.slots[i]&^offsetMask | uint32(off)
}

// remove takes the rows i to j out.
func (l *leaf) remove(i, j int) {
	for r := i; r < j; r++ {
		l.dead += rowSize(l.row(r))
		if l.kind(r) == tomb {
			l.tombs--
		}
	}
	l.slots = slices.Delete(l.slots, i, j)
}

// clone copies a leaf for a new epoch.
func (l *leaf) clone(epoch uint64) *leaf {
	c := *l
	c.epoch = epoch
	c.buf = append(slices.Grow([]byte(nil), min(len(l.buf)+len(l.buf)/16, cap(l.buf))), l.buf...)
	c.slots = append(slices.Grow([]uint32(nil), len(l.slots)+1), l.slots...)
	return &c
}

// from returns the first row at or after key.
func (l *leaf) from(key []byte) int {
	i, _ := l.search(key)
	return i
}

// shared returns the length of the common prefix.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// packer fills leaves with rows that come in order.
type packer struct {
	epoch, gen uint64
	complete   bool
	small      bool
	target     int // bytes of a leaf
	leaves     []*leaf
	bounds     [][]byte // bounds[i] divides leaves i and i+1
}

// add appends a row; expect is how many bytes are still to come, about.
func (p *packer) add(key, value []byte, k kind, expect int) {
	n := len(p.leaves)
	size := rowSize(key, value)
	var l *leaf
	if n > 0 {
		l = p.leaves[n-1]
	}
	if l == nil || len(l.buf)+size > p.target && len(l.slots) > 0 {
		next := &leaf{epoch: p.epoch, gen: p.gen, complete: p.complete, small: p.small}
		if l != nil {
			p.bounds = append(p.bounds, divider(l.key(len(l.slots)-1), key))
			p.seal(l)
		}
		next.buf = slices.Grow([]byte(nil), max(size, min(p.target, expect)))
		p.leaves, l = append(p.leaves, next), next
	}
	if cap(l.slots) == len(l.slots) {
		l.slots = slices.Grow(l.slots, max(8, len(l.slots)/2))
	}
	off := l.appendRow(key, value)
	l.slots = append(l.slots, newSlot(0, k, off))
	if k == tomb {
		l.tombs++
	}
}

// seal computes the heads of a leaf that is full.
func (p *packer) seal(l *leaf) {
	if n := len(l.slots); n > 0 {
		l.rehead(shared(l.key(0), l.key(n-1)))
	}
}

// done returns the leaves: at least one, and the bounds between them.
func (p *packer) done() ([]*leaf, [][]byte) {
	if len(p.leaves) == 0 {
		return []*leaf{{epoch: p.epoch, gen: p.gen, complete: p.complete, small: p.small}}, nil
	}
	p.seal(p.leaves[len(p.leaves)-1])
	return p.leaves, p.bounds
}

// divider returns the shortest key that is above a and not above b; a < b.
func divider(a, b []byte) []byte { return bytes.Clone(b[:shared(a, b)+1]) }
