package op

import (
	"slices"

	"leat/internal/engine/zset"
)

// rowGroups sorts the rows of a batch by key, so that each distinct key is looked up once, in the order of the keys in state. It is reused
// from batch to batch.
type rowGroups struct {
	// rows are positions in the batch; group g has rows[ends[g-1]:ends[g]], in the order of the batch.
	rows, ends []int32
	// null are the rows that match nothing, because a key is NULL.
	null []int32
	// never are columns in which a NULL matches nothing.
	never []*zset.Vec

	keys    []byte
	keyEnds []int

	hash        []uint64
	slots       []int32
	first, gids []int32
	sorter      zset.KeySorter
	order       []zset.KeyAt
	arena       []byte
	arenaEnds   []int
}

func (g *rowGroups) len() int { return len(g.ends) }

// group returns the rows of group i.
func (g *rowGroups) group(i int) []int32 {
	from := int32(0)
	if i > 0 {
		from = g.ends[i-1]
	}
	return g.rows[from:g.ends[i]]
}

// key returns the encoded key of group i.
func (g *rowGroups) key(i int) []byte {
	from := 0
	if i > 0 {
		from = g.keyEnds[i-1]
	}
	return g.keys[from:g.keyEnds[i]:g.keyEnds[i]]
}

// build groups n rows by cols, which are normalised.
func (g *rowGroups) build(codec *zset.KeyCodec, cols []*zset.Vec, n int) {
	g.assign(cols, n)
	g.encode(codec, cols)
	g.sort()
	g.arrange()
}

// assign gives each row the number of its group, in order of appearance, -1 to those that match nothing.
func (g *rowGroups) assign(cols []*zset.Vec, n int) {
	g.hash = zset.Hash(cols, n, g.hash)
	size := 4
	for size < 2*n {
		size *= 2
	}
	if len(g.slots) < size || len(g.slots) > 16*size {
		g.slots = make([]int32, size)
	} else {
		size = len(g.slots)
		clear(g.slots)
	}
	g.gids, g.first, g.null = slices.Grow(g.gids[:0], n)[:n], g.first[:0], g.null[:0]
	var ints []int64
	if len(cols) == 1 && cols[0].Valid == nil {
		ints = cols[0].I64
	}
	mask := uint64(size - 1)
	for i := range n {
		if len(g.never) > 0 && anyNull(g.never, i) {
			g.gids[i] = -1
			g.null = append(g.null, int32(i))
			continue
		}
		at := g.hash[i] & mask
		for {
			s := g.slots[at]
			if s == 0 {
				g.first = append(g.first, int32(i))
				g.slots[at] = int32(len(g.first))
				g.gids[i] = int32(len(g.first) - 1)
				break
			}
			f := int(g.first[s-1])
			if ints != nil && ints[f] == ints[i] || ints == nil && g.hash[f] == g.hash[i] && zset.Equal(cols, f, cols, i) {
				g.gids[i] = s - 1
				break
			}
			at = (at + 1) & mask
		}
	}
}

func anyNull(cols []*zset.Vec, row int) bool {
	for _, v := range cols {
		if v.Null(row) {
			return true
		}
	}
	return false
}

// encode writes the key of each group to the arena.
func (g *rowGroups) encode(codec *zset.KeyCodec, cols []*zset.Vec) {
	g.arena, g.arenaEnds = g.arena[:0], g.arenaEnds[:0]
	for _, f := range g.first {
		g.arena = codec.Append(g.arena, cols, int(f))
		g.arenaEnds = append(g.arenaEnds, len(g.arena))
	}
}

func (g *rowGroups) arenaKey(i int32) []byte {
	from := 0
	if i > 0 {
		from = g.arenaEnds[i-1]
	}
	return g.arena[from:g.arenaEnds[i]]
}

// sort orders the groups by their keys.
func (g *rowGroups) sort() { g.order = g.sorter.Sort(g.arena, g.arenaEnds) }

// arrange fills rows, ends and keys in the order of the groups.
func (g *rowGroups) arrange() {
	n := len(g.first)
	g.keys, g.keyEnds = g.keys[:0], g.keyEnds[:0]
	// first becomes the rank of each group.
	for rank, o := range g.order {
		g.first[o.Index] = int32(rank)
		g.keys = append(g.keys, g.arenaKey(o.Index)...)
		g.keyEnds = append(g.keyEnds, len(g.keys))
	}
	g.ends = slices.Grow(g.ends[:0], n)[:n]
	clear(g.ends)
	for _, id := range g.gids {
		if id >= 0 {
			g.ends[g.first[id]]++
		}
	}
	total := int32(0)
	for i, c := range g.ends {
		g.ends[i] = total
		total += c
	}
	// ends begins as the start of each group and moves to its end.
	g.rows = slices.Grow(g.rows[:0], int(total))[:total]
	for row, id := range g.gids {
		if id >= 0 {
			rank := g.first[id]
			g.rows[g.ends[rank]] = int32(row)
			g.ends[rank]++
		}
	}
}
