// Package op has the operators of the engine, one file each: the incremental forms of relational operators on weighted deltas (DBSP,
// arXiv:2203.16684). An operator's state is in its tables alone, so that a commit of the store is a commit of the operator.
package op

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// Op is one operator of a circuit. It belongs to the goroutine that steps the circuit.
type Op interface {
	// Step takes what has changed on each input since the last step (nil: nothing) and returns the change of the output, nil if none. It is
	// called in every step, also where only the watermark moved. Input batches need not be consolidated, and neither need the output.
	// Errors of rows go to x.Fail; an error returned ends the pipeline.
	Step(x *Context, in []*zset.Batch) (*zset.Batch, error)
}

// Context is what an operator may know of the step that it is in. The circuit sets it for each operator in turn.
type Context struct {
	// Watermark is the combined watermark of the scans below the operator in µs: the minimum over inputs and partitions, after this step's
	// rows; types.NoWatermark where there is none. It never goes back.
	Watermark int64
	// Now is the clock partition's time in µs.
	Now int64
	// Fail takes the rows that an operator had to omit because an expression failed, with their weights: it is called with the batch, the
	// position of the row and the reason.
	Fail func(b *zset.Batch, row int, reason *types.Error)
	// Late takes the rows that a late filter dropped.
	Late func(b *zset.Batch)
}
