package ingest

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/cespare/xxhash/v2"

	"leat/internal/bus"
	"leat/internal/catalog"
	"leat/internal/types"
)

// route puts each row of a batch in its partition: by the hash of the columns that the stream is partitioned by (a table: its
// primary key), or all of them in the partition that turn picks.
func route(obj *catalog.Object, batch *types.Batch, turn uint64) ([]bus.Part, error) {
	s := obj.Stream
	by := s.PartitionBy
	if len(s.PrimaryKey) > 0 {
		by = s.PrimaryKey
	}
	one := func(p uint32) []bus.Part {
		return []bus.Part{{Partition: types.PartitionID{Stream: obj.ID, Index: p}, Batch: batch}}
	}
	switch {
	case batch.Rows == 0:
		return nil, nil
	case s.Partitions <= 1:
		return one(0), nil
	case len(by) == 0:
		return one(uint32(turn % uint64(s.Partitions))), nil
	}
	rows := make([][]int64, s.Partitions)
	var key []byte
	for i := range batch.Rows {
		key = appendKey(key[:0], batch, by, i)
		p := xxhash.Sum64(key) % uint64(s.Partitions)
		rows[p] = append(rows[p], int64(i))
	}
	var parts []bus.Part
	for p, indices := range rows {
		if len(indices) == batch.Rows {
			return one(uint32(p)), nil
		}
		if len(indices) == 0 {
			continue
		}
		picked, err := take(batch, indices)
		if err != nil {
			return nil, err
		}
		parts = append(parts, bus.Part{Partition: types.PartitionID{Stream: obj.ID, Index: uint32(p)}, Batch: picked})
	}
	return parts, nil
}

// appendKey appends the canonical bytes of the columns with those IDs, in that order.
func appendKey(b []byte, batch *types.Batch, ids []int32, row int) []byte {
	for _, id := range ids {
		c := batch.Schema.IndexID(id)
		if c < 0 {
			b = append(b, tagNull)
			continue
		}
		b = appendCanon(b, batch.Schema.Columns[c].Type, batch.Columns[c], row)
	}
	return b
}

// take returns the rows of a batch at those indices.
func take(batch *types.Batch, indices []int64) (*types.Batch, error) {
	ib := array.NewInt64Builder(allocator)
	ib.AppendValues(indices, nil)
	at := ib.NewArray()
	out := &types.Batch{Schema: batch.Schema, Columns: make([]arrow.Array, len(batch.Columns)), Rows: len(indices)}
	for c, column := range batch.Columns {
		plain := array.MakeFromData(retype(column.Data(), plainType(column.DataType())))
		picked, err := compute.TakeArray(context.Background(), plain, at)
		if err != nil {
			return nil, types.Errorf(types.Internal, "splitting column %q by partition: %w", batch.Schema.Columns[c].Name, err)
		}
		out.Columns[c] = array.MakeFromData(retype(picked.Data(), column.DataType()))
	}
	if batch.Weights != nil {
		out.Weights = make([]int64, len(indices))
		for n, i := range indices {
			out.Weights[n] = batch.Weights[i]
		}
	}
	return out, nil
}

// plainType is a type of the same layout whose values Arrow's take kernel can move: it knows no intervals.
func plainType(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.MonthDayNanoIntervalType:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}
	case *arrow.StructType:
		fields := t.Fields()
		for i := range fields {
			fields[i].Type = plainType(fields[i].Type)
		}
		return arrow.StructOf(fields...)
	case *arrow.MapType:
		return arrow.MapOf(plainType(t.KeyType()), plainType(t.ItemType()))
	case *arrow.ListType:
		return arrow.ListOf(plainType(t.Elem()))
	}
	return t
}

// retype reads data as another type of the same layout.
func retype(d arrow.ArrayData, t arrow.DataType) arrow.ArrayData {
	if arrow.TypeEqual(d.DataType(), t) {
		return d
	}
	children := append([]arrow.ArrayData(nil), d.Children()...)
	if nested, ok := t.(arrow.NestedType); ok {
		for i, f := range nested.Fields() {
			children[i] = retype(children[i], f.Type)
		}
	}
	return array.NewData(t, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
}

// concat joins batches of one schema.
func concat(batches []*types.Batch) (*types.Batch, error) {
	if len(batches) == 1 {
		return batches[0], nil
	}
	first := batches[0]
	out := &types.Batch{Schema: first.Schema, Columns: make([]arrow.Array, len(first.Columns))}
	pieces := make([]arrow.Array, len(batches))
	for c := range first.Columns {
		for i, b := range batches {
			pieces[i] = b.Columns[c]
		}
		joined, err := array.Concatenate(pieces, allocator)
		if err != nil {
			return nil, types.Errorf(types.Internal, "joining column %q: %w", first.Schema.Columns[c].Name, err)
		}
		out.Columns[c] = joined
	}
	for _, b := range batches {
		out.Rows += b.Rows
	}
	for _, b := range batches {
		if b.Weights != nil {
			out.Weights = joinWeights(batches, out.Rows)
			break
		}
	}
	return out, nil
}

func joinWeights(batches []*types.Batch, rows int) []int64 {
	w := make([]int64, 0, rows)
	for _, b := range batches {
		for i := range b.Rows {
			w = append(w, b.Weight(i))
		}
	}
	return w
}
