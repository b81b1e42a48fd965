package op

import (
	"leat/internal/engine/zset"
	"leat/internal/state"
)

// probeChunk bounds the rows read from state and the candidate pairs that are held at a time (and the pairs of one more row).
const probeChunk = 1 << 16

// joinProbe reads the rows of a side that may match a batch of the other side, in chunks.
type joinProbe struct {
	s      *joinSide // the side of delta
	delta  *zset.Batch
	groups *rowGroups
	// pairs says whether pairs are wanted, or only the rows.
	pairs bool
	// limit is probeChunk, less in tests.
	limit int
	// The other side is read as a whole if it has at most share rows for a hundred groups of the change, and those are at least least.
	share, least int
	// flush takes what was collected; chunk says how.
	flush func(x *Context, c *joinChunk) error
	chunk joinChunk

	lower, last, upper, prefix []byte
	near                       []int32
}

// joinChunk is a part of what a probe found: state rows, and candidate pairs with rows of the delta, whose keys (and times) match.
type joinChunk struct {
	s     *joinSide
	delta *zset.Batch
	// rest are the columns read of the state rows; w, rep and keys are, per state row, its weight, a row of delta with the same key, and
	// the state key if matches are counted for it.
	rest *zset.Batch
	w    []int64
	rep  []int32
	keys []byte
	ends []int
	// d and r are the pairs: a row of delta and a state row.
	d, r []int32
}

func (p *joinProbe) begin(s *joinSide, d *zset.Batch, g *rowGroups, pairs bool, flush func(*Context, *joinChunk) error) {
	p.s, p.delta, p.groups, p.pairs, p.flush = s, d, g, pairs, flush
	p.chunk.s, p.chunk.delta = s, d
	p.chunk.reset()
}

func (c *joinChunk) reset() {
	c.rest = nil
	c.w, c.rep, c.keys, c.ends = c.w[:0], c.rep[:0], c.keys[:0], c.ends[:0]
	c.d, c.r = c.d[:0], c.r[:0]
}

// key returns the state key of state row i.
func (c *joinChunk) key(i int) []byte {
	from := 0
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.keys[from:c.ends[i]]
}

// run reads the matching rows of every group.
func (p *joinProbe) run(x *Context) error {
	if done, err := p.small(x); err != nil {
		return err
	} else if done {
		return p.end(x)
	}
	for i := range p.groups.len() {
		var err error
		if p.s.time >= 0 {
			err = p.band(x, p.groups.key(i), p.groups.group(i))
		} else {
			err = p.equal(x, p.groups.key(i), p.groups.group(i))
		}
		if err != nil {
			return err
		}
	}
	return p.end(x)
}

// equal reads the rows with a key, each of which is a candidate for all rows of the group.
func (p *joinProbe) equal(x *Context, key []byte, rows []int32) error {
	o := p.s.other
	var lower []byte
	lower, p.upper = prefixBounds(key, p.upper)
	it := o.rows.Scan(lower, unbounded(p.upper))
	for it.Next() {
		k := it.Key()
		p.row(k, k[len(key):], state.WeightOf(it.Value()), rows)
		if p.full() {
			if err := p.end(x); err != nil {
				it.Close()
				return err
			}
		}
	}
	return nil
}

// prefixBounds are the bounds of the keys that begin with p; upper is empty where there is none, so that its memory can be used again.
func prefixBounds(p, buf []byte) (lower, upper []byte) {
	lower, upper = state.Prefix(p, buf)
	if upper == nil {
		upper = buf[:0]
	}
	return lower, upper
}

// unbounded gives an empty upper bound the form that Scan has for it.
func unbounded(upper []byte) []byte {
	if len(upper) == 0 {
		return nil
	}
	return upper
}

// row adds a state row and its pairs with rows of the delta. rest is the end of its key behind what is matched.
func (p *joinProbe) row(key, rest []byte, w int64, rows []int32) {
	o, c := p.s.other, &p.chunk
	at := 0
	if o.time >= 0 {
		at = 1
	}
	o.restCodec.Decode(rest, o.read, at)
	o.read.EndRow(1)
	i := int32(len(c.w))
	c.w, c.rep = append(c.w, w), append(c.rep, rows[0])
	if o.matches != nil {
		c.keys = append(c.keys, key...)
		c.ends = append(c.ends, len(c.keys))
	}
	if p.pairs {
		for _, d := range rows {
			c.d, c.r = append(c.d, d), append(c.r, i)
		}
	}
}

func (p *joinProbe) full() bool { return len(p.chunk.w) >= p.limit || len(p.chunk.d) >= p.limit }

// end flushes what was collected.
func (p *joinProbe) end(x *Context) error {
	c := &p.chunk
	if len(c.w) == 0 {
		return nil
	}
	c.rest = p.s.other.read.Finish()
	err := p.flush(x, c)
	c.reset()
	return err
}

// stateRows returns the columns of state rows sel.
func (c *joinChunk) stateRows(sel []int32) []*zset.Vec {
	o := c.s.other
	rep := make([]int32, len(sel))
	for i, r := range sel {
		rep[i] = c.rep[r]
	}
	key := func(k int) *zset.Vec { return zset.Gather(c.delta.Cols[c.s.keys[k]], rep) }
	return o.columns(make([]*zset.Vec, 0, len(o.types)), c.rest.Cols, sel, key)
}

// candidates makes a batch of all pairs: the left's columns, the right's, and the product of the weights. Of the columns it has only those
// needed; nil is all.
func (c *joinChunk) candidates(needed []bool) *zset.Batch {
	b := &zset.Batch{N: len(c.d), W: c.weights(c.d, c.r), Cols: make([]*zset.Vec, len(c.s.types)+len(c.s.other.types))}
	c.fill(b.Cols, c.d, c.r, needed)
	return b
}

// pick makes the batch of the pairs sel, nil if there are none; all is candidates' batch of all of them, which sel nil completes.
func (c *joinChunk) pick(all *zset.Batch, sel []int32) *zset.Batch {
	if sel == nil {
		c.fill(all.Cols, c.d, c.r, nil)
		return all
	}
	if len(sel) == 0 {
		return nil
	}
	d, r := make([]int32, len(sel)), make([]int32, len(sel))
	for i, p := range sel {
		d[i], r[i] = c.d[p], c.r[p]
	}
	b := &zset.Batch{N: len(sel), W: c.weights(d, r), Cols: make([]*zset.Vec, len(all.Cols))}
	c.fill(b.Cols, d, r, nil)
	return b
}

// fill sets the columns of pairs that are needed and not there yet.
func (c *joinChunk) fill(cols []*zset.Vec, d, r []int32, needed []bool) {
	s, o := c.s, c.s.other
	mine, theirs := 0, len(s.types)
	if !s.left {
		mine, theirs = len(o.types), 0
	}
	get := func(col int) *zset.Vec {
		if cols[mine+col] == nil {
			cols[mine+col] = zset.Gather(c.delta.Cols[col], d)
		}
		return cols[mine+col]
	}
	for i := range s.types {
		if needed == nil || needed[mine+i] {
			get(i)
		}
	}
	once := len(r) == len(c.w) && ascending(r) // each state row once
	for i, src := range o.source {
		switch {
		case cols[theirs+i] != nil || needed != nil && !needed[theirs+i]:
		case src < 0:
			cols[theirs+i] = get(s.keys[-src-1])
		case once:
			cols[theirs+i] = c.rest.Cols[src]
		default:
			cols[theirs+i] = zset.Gather(c.rest.Cols[src], r)
		}
	}
}

func ascending(sel []int32) bool {
	for i, s := range sel {
		if int(s) != i {
			return false
		}
	}
	return true
}

// weights are the products of pairs, nil if all are 1.
func (c *joinChunk) weights(d, r []int32) []int64 {
	plain := c.delta.W == nil
	for i := 0; plain && i < len(c.w); i++ {
		plain = c.w[i] == 1
	}
	if plain {
		return nil
	}
	w := make([]int64, len(d))
	for i := range d {
		w[i] = c.delta.Weight(int(d[i])) * c.w[r[i]]
	}
	return w
}
