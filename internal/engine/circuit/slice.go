package circuit

import (
	"fmt"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// sliceRows is how many rows an operator that makes many of one may have at most in one go, and how many late rows a step keeps.
const sliceRows = 256 << 10

// chains finds the nodes that make many rows of one and what follows them alone, up to the first that keeps state: in a large step they run
// slice by slice, so that not all rows are there at once.
func (c *Circuit) chains() {
	readers := make([][]int, len(c.nodes))
	for i := range c.nodes {
		for _, in := range c.nodes[i].inputs {
			readers[in] = append(readers[in], i)
		}
	}
	for _, r := range c.roots {
		readers[r] = append(readers[r], -1)
	}
	for i := range c.nodes {
		s, ok := c.nodes[i].op.(op.Spreader)
		if !ok || s.Spread() <= 1 {
			continue
		}
		chain := []int{i}
		for at := i; len(readers[at]) == 1; {
			if at = readers[at][0]; at < 0 || len(c.nodes[at].inputs) != 1 {
				break
			}
			chain = append(chain, at)
			if _, ok := c.nodes[at].op.(op.RowWise); !ok {
				c.nodes[i].chain = chain
				break
			}
		}
	}
}

// sliced runs the chain of node i slice by slice where its input is large; false where it is not.
func (c *Circuit) sliced(i int) (bool, error) {
	n := &c.nodes[i]
	if n.chain == nil {
		return false, nil
	}
	below := &c.nodes[n.inputs[0]]
	size := max(1, sliceRows/n.op.(op.Spreader).Spread())
	if below.out.Rows() <= size {
		return false, nil
	}
	var sum summed
	for from := 0; from < below.out.N; from += size {
		to := min(from+size, below.out.N)
		out, err := c.slice(n.chain, below.out.Slice(from, to), below.watermark, to == below.out.N)
		if err != nil {
			return true, err
		}
		sum.add(out)
	}
	for _, k := range n.chain {
		nd := &c.nodes[k]
		nd.last, nd.watermark, nd.ran = nd.watermark, below.watermark, true
	}
	if out := sum.sum(); out.Rows() > 0 {
		c.nodes[n.chain[len(n.chain)-1]].out = out
	}
	return true, nil
}

// slice runs one slice through a chain. Only with the last one the watermark goes on: what it makes final may still be in the others.
func (c *Circuit) slice(chain []int, b *zset.Batch, watermark int64, last bool) (*zset.Batch, error) {
	for _, k := range chain {
		nd := &c.nodes[k]
		if !last && b.Rows() == 0 {
			return nil, nil
		}
		c.current = k
		c.context.Watermark = nd.watermark
		if last {
			c.context.Watermark = watermark
		}
		nd.in[0] = b
		out, err := nd.op.Step(&c.context, nd.in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", nd.name, err)
		}
		clear(nd.in)
		if b = nil; out.Rows() > 0 {
			b = out
		}
	}
	return b, nil
}

// summed are changes to be added up: as soon as they are many more than what was left of those before, what cancels out goes.
type summed struct {
	parts      []*zset.Batch
	rows, left int
}

func (s *summed) add(b *zset.Batch) {
	if b.Rows() == 0 {
		return
	}
	s.parts = append(s.parts, b)
	if s.rows += b.N; s.rows > max(sliceRows, 2*s.left) {
		sum := s.sum()
		s.parts, s.rows = s.parts[:0], sum.Rows()
		if sum != nil {
			s.parts = append(s.parts, sum)
		}
		s.left = s.rows
	}
}

func (s *summed) sum() *zset.Batch {
	if len(s.parts) == 0 {
		return nil
	}
	ts := make([]types.Type, len(s.parts[0].Cols))
	for i, v := range s.parts[0].Cols {
		ts[i] = v.Type
	}
	return zset.Consolidate(zset.Concat(ts, s.parts...))
}
