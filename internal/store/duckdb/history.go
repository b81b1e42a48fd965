package duckdb

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/store"
	"leat/internal/types"
)

// historyTypes are the types of the columns that History reads beside the relation's own.
var historyTypes = []string{"_offset::BIGINT", "epoch_us(_at)", "coalesce(epoch_us(_wm), " + fmt.Sprint(int64(math.MinInt64)+1) + ")"}

// History reads a stretch of a partition as it was logged: rows with from <= offset < below in order, about so many of them. It takes a query
// slot while it reads. types.NotFound where the store doesn't know the relation.
func (s *Store) History(ctx context.Context, p types.PartitionID, from, below types.Offset, rows int) (*store.Stretch, error) {
	r, ok := (*s.known.Load())[p.Stream]
	if !ok || r.Schema == nil {
		return nil, types.Errorf(types.NotFound, "the store knows no stream or table with ID %d", p.Stream)
	}
	to := min(below, from+types.Offset(rows))
	out := &store.Stretch{Next: to}
	where := func(from, to types.Offset) string {
		return fmt.Sprintf("_partition = %d AND _offset >= %d AND _offset < %d", p.Index, from, to)
	}
	columns := append([]string(nil), historyTypes...)
	if r.keyed() {
		columns = append(columns, "_op::BIGINT")
	}
	own := make([]string, len(r.Schema.Columns))
	for i, c := range r.Schema.Columns {
		own[i] = columnName(c.ID)
	}
	text := fmt.Sprintf("SELECT %s FROM %s ORDER BY _offset", strings.Join(append(columns, own...), ", "), r.rows(r.columns(), where(from, to)))
	records, err := s.read(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(records) > 0 {
		return out, fillStretch(out, r, records)
	}
	// A gap: go on at the next row that there is.
	next, err := s.read(ctx, fmt.Sprintf("SELECT min(_offset)::BIGINT FROM %s", r.rows("_offset", where(to, below))))
	if err != nil {
		return nil, err
	}
	out.Next = below
	if n := next[0].Column(0).(*array.Int64); n.IsValid(0) {
		out.Next = types.Offset(n.Value(0))
	}
	return out, nil
}

// read runs a SELECT to its end and copies what it gives.
func (s *Store) read(ctx context.Context, text string) ([]arrow.RecordBatch, error) {
	res, err := s.Query(ctx, store.Query{SQL: text, MaxRows: -1})
	if err != nil {
		return nil, err
	}
	defer res.Close()
	var out []arrow.RecordBatch
	for {
		rec, err := res.Next(ctx)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			return out, nil
		}
		columns := make([]arrow.Array, rec.NumCols())
		for i := range columns {
			if columns[i], err = array.Concatenate([]arrow.Array{rec.Column(i)}, memory.DefaultAllocator); err != nil {
				return nil, types.Errorf(types.Internal, "copy rows: %w", err)
			}
		}
		out = append(out, array.NewRecordBatch(rec.Schema(), columns, rec.NumRows()))
	}
}

// fillStretch joins the records of History's SELECT.
func fillStretch(out *store.Stretch, r *relation, records []arrow.RecordBatch) error {
	column := func(i int) (arrow.Array, error) {
		parts := make([]arrow.Array, len(records))
		for j, rec := range records {
			parts[j] = rec.Column(i)
		}
		return array.Concatenate(parts, memory.DefaultAllocator)
	}
	var fixed [][]int64
	meta := len(historyTypes)
	if r.keyed() {
		meta++
	}
	for i := range meta {
		a, err := column(i)
		if err != nil {
			return types.Errorf(types.Internal, "join rows: %w", err)
		}
		fixed = append(fixed, a.(*array.Int64).Int64Values())
	}
	out.Offsets, out.At, out.Watermarks = fixed[0], fixed[1], fixed[2]
	out.Batch = &types.Batch{Schema: r.Schema, Rows: len(out.Offsets)}
	if r.keyed() {
		out.Batch.Weights = fixed[3]
	}
	for i, w := range out.Watermarks {
		if w == math.MinInt64+1 {
			out.Watermarks[i] = types.NoWatermark
		}
	}
	for i := range r.Schema.Columns {
		a, err := column(meta + i)
		if err != nil {
			return types.Errorf(types.Internal, "join rows: %w", err)
		}
		out.Batch.Columns = append(out.Batch.Columns, a)
	}
	return nil
}
