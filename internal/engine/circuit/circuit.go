// Package circuit runs operators as a directed acyclic graph: one step takes what arrived on all sources and gives the change of every
// root. Several views share one circuit where one is built on another: each is a root.
package circuit

import (
	"fmt"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Circuit is a graph of operators. It belongs to one goroutine; its state is in the tables of its operators alone.
type Circuit struct {
	sources []Source
	// nodes are in an order in which each comes after its inputs.
	nodes    []node
	roots    []NodeID
	live     []bool
	detached []bool
	started  bool

	context op.Context
	current int
	output  *Output
	// lates counts the late rows of a step.
	lates int
}

// Input is what a step brings for one source.
type Input struct {
	// Batch are the new rows, nil if none, in offset order within a partition. Of a table it is the change log: weight +1 an upsert, -1 a
	// delete of which only the key columns need be set.
	Batch *zset.Batch
	// Watermark is the source's after these rows, in µs: the minimum over its partitions; types.NoWatermark where there is none. That of a
	// table is not looked at.
	Watermark int64
}

// Output is what a step did.
type Output struct {
	// Deltas is the change of each root, nil where there is none. No row is in one both with a positive and a negative weight; rows of a
	// batch without weights may repeat.
	Deltas []*zset.Batch
	// Watermarks is the combined watermark of each root.
	Watermarks []int64
	Failed     []Failure
	Late       []Late
}

// Failure is a row that an operator omitted, because an expression failed; its weight is that of the row in Batch.
type Failure struct {
	Node   NodeID
	Batch  *zset.Batch
	Row    int
	Reason *types.Error
}

// Late are rows that a late filter dropped.
type Late struct {
	Node  NodeID
	Batch *zset.Batch
	// More is how many more there were than a step keeps.
	More int64
}

// Rows is how many more rows were late than late rows were taken back.
func (l Late) Rows() int64 {
	n := l.More
	if l.Batch.W == nil {
		return n + int64(l.Batch.N)
	}
	for _, w := range l.Batch.W {
		n += w
	}
	return n
}

// Sources are what each step's inputs are for, in their order.
func (c *Circuit) Sources() []Source { return c.sources }

// Len is the number of nodes; their IDs are below it.
func (c *Circuit) Len() int { return len(c.nodes) }

// Name says what a node is, for messages.
func (c *Circuit) Name(n NodeID) string { return c.nodes[n].name }

// Inputs is how many inputs a node has.
func (c *Circuit) Inputs(n NodeID) int { return len(c.nodes[n].inputs) }

// RootsOf returns the roots that hang on a node: whose rows they are that it failed or dropped.
func (c *Circuit) RootsOf(n NodeID) []int { return c.nodes[n].roots }

// Current is the node that a step under way has come to: after an error or a panic of Step, the node whose it was.
func (c *Circuit) Current() NodeID { return NodeID(c.current) }

// Detach stops running what only this root needs; its deltas are nil from now on.
func (c *Circuit) Detach(root int) {
	c.detached[root] = true
	c.refresh()
}

// Step runs one step: in has one Input per source, now is the clock's time in µs. The watermark of an operator is the minimum over the
// sources below it; tables and constants don't count, as they never hold one back, and what has nothing else below has math.MaxInt64.
// After an error the circuit's state is undefined: open the store anew.
func (c *Circuit) Step(in []Input, now int64) (*Output, error) {
	if len(in) != len(c.sources) {
		return nil, types.Errorf(types.Internal, "BUG: %d inputs for %d sources", len(in), len(c.sources))
	}
	c.output = &Output{Deltas: make([]*zset.Batch, len(c.roots)), Watermarks: make([]int64, len(c.roots))}
	c.context.Now, c.context.Fail, c.context.Late = now, c.fail, c.late
	c.lates = 0
	for i := range c.nodes {
		if c.live[i] {
			if err := c.run(i, in); err != nil {
				return nil, err
			}
		}
	}
	for r, n := range c.roots {
		c.output.Watermarks[r] = c.nodes[n].watermark
		if out := c.nodes[n].out; out.Rows() > 0 && !c.detached[r] {
			c.output.Deltas[r] = consolidate(out)
		}
	}
	for i := range c.nodes {
		c.nodes[i].out = nil
	}
	c.started = true
	out := c.output
	c.output = nil
	return out, nil
}

// run runs node i unless nothing has changed for it: then its output is nil by contract.
func (c *Circuit) run(i int, in []Input) error {
	n := &c.nodes[i]
	c.current = i
	if n.op == nil {
		n.out, n.watermark = in[n.source].Batch, in[n.source].Watermark
		if c.sources[n.source].Relation.Kind == plan.TableRelation {
			n.watermark = unbound
		}
		return nil
	}
	if n.ran {
		n.ran = false
		return nil
	}
	if done, err := c.sliced(i); done {
		n.ran = false
		return err
	}
	idle := c.started
	n.last, n.watermark = n.watermark, unbound
	for j, id := range n.inputs {
		below := &c.nodes[id]
		n.in[j], n.watermark = below.out, min(n.watermark, below.watermark)
		idle = idle && below.out.Rows() == 0
	}
	if idle && n.watermark == n.last {
		return nil
	}
	c.context.Watermark = n.watermark
	out, err := n.op.Step(&c.context, n.in)
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	if out.Rows() > 0 {
		n.out = out
	}
	clear(n.in)
	return nil
}

func (c *Circuit) fail(b *zset.Batch, row int, reason *types.Error) {
	c.output.Failed = append(c.output.Failed, Failure{Node: NodeID(c.current), Batch: b, Row: row, Reason: reason})
}

func (c *Circuit) late(b *zset.Batch) {
	l := Late{Node: NodeID(c.current), Batch: b}
	if c.lates += b.N; c.lates > sliceRows {
		for i := range c.output.Late {
			if o := &c.output.Late[i]; o.Node == l.Node {
				o.More += l.Rows()
				return
			}
		}
	}
	c.output.Late = append(c.output.Late, l)
}

// consolidate leaves alone what can't cancel: rows of weight +1.
func consolidate(b *zset.Batch) *zset.Batch {
	if b.W == nil {
		return b
	}
	return zset.Consolidate(b)
}
