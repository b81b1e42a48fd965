package types

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Batch is an immutable set of rows in columns. Columns, schema and weights are shared, never
// changed after the batch was made; memory is the garbage collector's (the plain Go allocator), so nobody
// calls Retain or Release.
type Batch struct {
	Schema *Schema
	// Columns has one array per schema column, of that column's Arrow type and Rows long.
	Columns []arrow.Array
	// Rows is the number of rows.
	Rows int
	// Weights is the multiplicity per row: in a stream +1 for each row, and then nil; in the
	// change log of a table +1 is an upsert and -1 a delete, of which only the key columns are set.
	Weights []int64
}

// Weight returns the weight of row i.
func (b *Batch) Weight(i int) int64 {
	if b.Weights == nil {
		return 1
	}
	return b.Weights[i]
}

// Slice returns rows [from, to) without copying them.
func (b *Batch) Slice(from, to int) *Batch {
	if from == 0 && to == b.Rows {
		return b
	}
	out := &Batch{Schema: b.Schema, Columns: make([]arrow.Array, len(b.Columns)), Rows: to - from}
	for i, c := range b.Columns {
		out.Columns[i] = sliceArray(c, from, to)
	}
	if b.Weights != nil {
		out.Weights = b.Weights[from:to]
	}
	return out
}

// Bytes estimates the memory of the batch.
func (b *Batch) Bytes() int {
	n := 8 * len(b.Weights)
	for _, c := range b.Columns {
		n += int(c.Data().SizeInBytes())
	}
	return n
}
