package circuit

import (
	"math"
	"slices"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// NodeID names a node of a circuit under construction.
type NodeID int

// Source is what a circuit wants to read of one relation: batches for it have Columns (positions in Relation.Schema.Columns), then System.
type Source struct {
	Relation *plan.Relation
	Columns  []int
	System   []plan.System
}

// Builder puts a circuit together, inputs before what reads them.
type Builder struct {
	sources []Source
	nodes   []node
	roots   []NodeID
}

// node is one operator, or a source (op is nil).
type node struct {
	name   string
	op     op.Op
	inputs []NodeID
	source int
	// roots that hang on this node.
	roots []int

	// chain are this node, if it makes many rows of one, and those that follow it alone; nil for others. ran is set on those that a chain ran.
	chain []int
	ran   bool

	in  []*zset.Batch
	out *zset.Batch
	// watermark is that of the current step, last that of the step before.
	watermark, last int64
}

// Source adds a source.
func (b *Builder) Source(s Source) NodeID {
	b.sources = append(b.sources, s)
	return b.add(node{name: "source " + s.Relation.Name, source: len(b.sources) - 1})
}

// Op adds an operator that reads inputs; name is for messages.
func (b *Builder) Op(name string, o op.Op, inputs ...NodeID) NodeID {
	for _, i := range inputs {
		if i < 0 || int(i) >= len(b.nodes) {
			panic("BUG: a circuit's node reads one that does not exist yet")
		}
	}
	return b.add(node{name: name, op: o, inputs: inputs, in: make([]*zset.Batch, len(inputs)), source: -1})
}

func (b *Builder) add(n node) NodeID {
	n.watermark, n.last = types.NoWatermark, types.NoWatermark
	b.nodes = append(b.nodes, n)
	return NodeID(len(b.nodes) - 1)
}

// Root makes the output of a node one of the circuit's; the first call's is root 0.
func (b *Builder) Root(n NodeID) { b.roots = append(b.roots, n) }

// Build returns the circuit. The builder is spent.
func (b *Builder) Build() *Circuit {
	c := &Circuit{sources: b.sources, nodes: b.nodes, roots: b.roots, live: make([]bool, len(b.nodes)), detached: make([]bool, len(b.roots))}
	for r, n := range b.roots {
		c.mark(n, r)
	}
	c.refresh()
	c.chains()
	return c
}

// mark notes that root r hangs on n and all below it.
func (c *Circuit) mark(n NodeID, r int) {
	nd := &c.nodes[n]
	if slices.Contains(nd.roots, r) {
		return
	}
	nd.roots = append(nd.roots, r)
	for _, i := range nd.inputs {
		c.mark(i, r)
	}
}

// refresh recomputes which nodes still have a root.
func (c *Circuit) refresh() {
	for i := range c.nodes {
		c.live[i] = slices.ContainsFunc(c.nodes[i].roots, func(r int) bool { return !c.detached[r] })
	}
}

// unbound is the watermark of what never holds one back: constants and tables.
const unbound = math.MaxInt64
