package store

import "leat/internal/types"

// Stretch is some rows of one partition as they were logged, in offset order.
type Stretch struct {
	// Batch has the relation's columns and, of a table's change log, the weights; nil if there are no rows.
	Batch *types.Batch
	// Offsets, At and Watermarks are what the log stamped, per row; times in µs.
	Offsets, At, Watermarks []int64
	// Next is the offset to go on at.
	Next types.Offset
}
