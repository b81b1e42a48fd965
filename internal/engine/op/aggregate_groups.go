package op

import (
	"math/bits"

	"leat/internal/engine/zset"
)

// grouper numbers the distinct rows of some columns within one step: an open-addressing table that is kept and cleared between steps.
type grouper struct {
	// slots hold group+1 in the low half and the high half of the hash above it; 0 is free. Their number is a power of two.
	slots []uint64
	// first is the row that made each group.
	first  []int32
	gid    []int32
	hashes []uint64
	// keys are the values of whole-number columns without NULLs, side by side per group; the other columns are compared by row.
	keys  []int64
	ints  [][]int64
	other []*zset.Vec
}

const minSlots = 1 << 10

// assign numbers the groups of the first n rows of cols (normalised), in order of appearance. gid is per row, first per group, both valid
// until the next call.
func (g *grouper) assign(cols []*zset.Vec, n int) (gid, first []int32) {
	if cap(g.gid) < n {
		g.gid = make([]int32, n)
	}
	g.gid, g.first, g.keys = g.gid[:n], g.first[:0], g.keys[:0]
	if len(cols) == 0 {
		clear(g.gid)
		if n > 0 {
			g.first = append(g.first, 0)
		}
		return g.gid, g.first
	}
	if g.slots == nil {
		g.slots = make([]uint64, minSlots)
	} else {
		clear(g.slots)
	}
	g.ints, g.other = g.ints[:0], g.other[:0]
	for _, c := range cols {
		if c.I64 != nil && c.Valid == nil {
			g.ints = append(g.ints, c.I64[:n])
		} else {
			g.other = append(g.other, c)
		}
	}
	switch {
	case len(g.other) > 0:
		g.assignRows(cols, n)
	case len(g.ints) == 1:
		g.assignInts1(g.ints[0])
	case len(g.ints) == 2:
		g.assignInts2(g.ints[0], g.ints[1])
	default:
		g.assignRows(cols, n)
	}
	if len(g.slots) > 64*minSlots && len(g.first) < len(g.slots)>>6 {
		g.slots = nil // one large step must not make each small one clear much
	}
	return g.gid, g.first
}

// release forgets the columns, which belong to the step.
func (g *grouper) release() {
	clear(g.ints)
	clear(g.other)
}

// rest gives back what a large step took, for the idle time that follows.
func (g *grouper) rest() {
	if cap(g.gid) > roomy {
		*g = grouper{}
	}
}

// mixInt is one round of wyhash.
func mixInt(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

func (g *grouper) assignInts1(a []int64) {
	mask := uint64(len(g.slots) - 1)
	gid := g.gid[:len(a)]
	last, lastID := int64(0), int32(-1)
	for i, x := range a {
		if x == last && lastID >= 0 {
			gid[i] = lastID
			continue
		}
		h := mixInt(uint64(x), 1)
		for p := h & mask; ; p = (p + 1) & mask {
			s := g.slots[p]
			if s == 0 {
				lastID = g.insert(p, h, int32(i))
				g.keys = append(g.keys, x)
				mask = uint64(len(g.slots) - 1)
				break
			}
			if id := int32(uint32(s)) - 1; g.keys[id] == x {
				lastID = id
				break
			}
		}
		last = x
		gid[i] = lastID
	}
}

func (g *grouper) assignInts2(a, b []int64) {
	mask := uint64(len(g.slots) - 1)
	gid, b := g.gid[:len(a)], b[:len(a)]
	for i, x := range a {
		y := b[i]
		h := mixInt(uint64(x), uint64(y)*0x9e3779b97f4a7c15)
		for p := h & mask; ; p = (p + 1) & mask {
			s := g.slots[p]
			if s == 0 {
				gid[i] = g.insert(p, h, int32(i))
				g.keys = append(g.keys, x, y)
				mask = uint64(len(g.slots) - 1)
				break
			}
			id := int(uint32(s)) - 1
			if k := g.keys[2*id : 2*id+2]; k[0] == x && k[1] == y {
				gid[i] = int32(id)
				break
			}
		}
	}
}

// assignRows takes columns of any kind: whole numbers are compared side by side, the rest by row.
func (g *grouper) assignRows(cols []*zset.Vec, n int) {
	g.hashes = zset.Hash(cols, n, g.hashes)
	mask, w := uint64(len(g.slots)-1), len(g.ints)
	for i := range n {
		h := g.hashes[i]
		for p := h & mask; ; p = (p + 1) & mask {
			s := g.slots[p]
			if s == 0 {
				g.gid[i] = g.insert(p, h, int32(i))
				for _, c := range g.ints {
					g.keys = append(g.keys, c[i])
				}
				mask = uint64(len(g.slots) - 1)
				break
			}
			if s>>32 != h>>32 {
				continue
			}
			if id := int(uint32(s)) - 1; g.sameRow(i, id, w) {
				g.gid[i] = int32(id)
				break
			}
		}
	}
}

func (g *grouper) sameRow(row, id, w int) bool {
	for j, k := range g.keys[id*w : id*w+w] {
		if g.ints[j][row] != k {
			return false
		}
	}
	return len(g.other) == 0 || zset.Equal(g.other, row, g.other, int(g.first[id]))
}

// insert makes a group in the free slot p and returns its number. It may move the slots.
func (g *grouper) insert(p, h uint64, row int32) int32 {
	id := len(g.first)
	g.first = append(g.first, row)
	g.slots[p] = h&^0xffffffff | uint64(id+1)
	if 2*(id+1) > len(g.slots) {
		g.grow()
	}
	return int32(id)
}

// grow quadruples the slots. Only the upper half of each hash is kept, so the groups are hashed again.
func (g *grouper) grow() {
	old := g.slots
	g.slots = make([]uint64, 4*len(old))
	mask := uint64(len(g.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		id := int(uint32(s)) - 1
		p := g.rehash(id) & mask
		for g.slots[p] != 0 {
			p = (p + 1) & mask
		}
		g.slots[p] = s
	}
}

func (g *grouper) rehash(id int) uint64 {
	switch {
	case len(g.other) > 0 || len(g.ints) > 2:
		return g.hashes[g.first[id]]
	case len(g.ints) == 2:
		// The last group's keys are not in keys yet when it makes the slots grow.
		r := g.first[id]
		return mixInt(uint64(g.ints[0][r]), uint64(g.ints[1][r])*0x9e3779b97f4a7c15)
	}
	return mixInt(uint64(g.ints[0][g.first[id]]), 1)
}
