package pipeline

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/bus"
	"leat/internal/engine/circuit"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// stamps are what the log stamped on some rows that follow one another.
type stamps struct {
	partition uint32
	first     types.Offset
	rows      int
	runs      []bus.Run
	// offsets are set where rows don't follow one another without gaps: in history.
	offsets []int64
}

// bindBatch makes the columns that a source asks for. A column that the rows' schema version doesn't have yet is NULL.
func bindBatch(b *types.Batch, s circuit.Source, st *stamps) (*zset.Batch, error) {
	z := &zset.Batch{N: b.Rows, W: b.Weights}
	for _, c := range s.Columns {
		v, err := bindColumn(b, s.Relation.Schema.Columns[c], s.Relation.Name)
		if err != nil {
			return nil, err
		}
		z.Cols = append(z.Cols, v)
	}
	for _, sys := range s.System {
		z.Cols = append(z.Cols, st.column(sys))
	}
	return z, nil
}

func bindColumn(b *types.Batch, want types.Column, relation string) (*zset.Vec, error) {
	i := b.Schema.IndexID(want.ID)
	if i < 0 {
		return zset.Nulls(want.Type, b.Rows), nil
	}
	have := b.Schema.Columns[i]
	v, err := zset.FromArrow(have.Type, b.Columns[i])
	if err != nil {
		return nil, types.Errorf(types.Internal, "column %s of %s: %w", want.Name, relation, err)
	}
	if have.Type.Equal(want.Type) {
		return v, nil
	}
	if out := convert(v, want.Type); out != nil {
		return out, nil
	}
	return nil, types.Errorf(types.TypeMismatch, "column %s of %s became %s, and the view reads it as %s", want.Name, relation, have.Type, want.Type).
		WithHint("make the view anew: CREATE OR REPLACE MATERIALIZED VIEW ...")
}

// convert gives values of one schema version the type of another, nil where that would change one: integers become DOUBLE within 2^53, and whole
// doubles integers.
func convert(v *zset.Vec, to types.Type) *zset.Vec {
	from, into := zset.PhysOf(v.Type), zset.PhysOf(to)
	out := *v
	out.Type = to
	switch {
	case from == zset.Int64 && into == zset.Int64 && v.Type.Kind.IsInteger() && to.Kind.IsInteger():
		return &out
	case from == zset.Int64 && to.Kind == types.Double && v.Type.Kind.IsInteger():
		out.I64, out.F64 = nil, make([]float64, v.Len)
		for i, x := range v.I64 {
			if !v.Null(i) && (x > 1<<53 || x < -1<<53) {
				return nil
			}
			out.F64[i] = float64(x)
		}
		return &out
	case v.Type.Kind == types.Double && into == zset.Int64 && to.Kind.IsInteger():
		out.F64, out.I64 = nil, make([]int64, v.Len)
		for i, x := range v.F64 {
			if v.Null(i) {
				continue
			}
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return nil
			}
			out.I64[i] = int64(x)
		}
		return &out
	case from == zset.Bytes && into == zset.Bytes && to.Kind == types.Varchar && v.Type.Kind == types.JSON, v.Type.Kind == types.Varchar && to.Kind == types.JSON:
		return &out
	}
	return nil
}

// column makes one system column.
func (s *stamps) column(sys plan.System) *zset.Vec {
	v := &zset.Vec{Type: plan.SystemType(sys), Len: s.rows}
	switch sys {
	case plan.Partition:
		v.I64 = make([]int64, s.rows)
		for i := range v.I64 {
			v.I64[i] = int64(s.partition)
		}
	case plan.Offset:
		v.W = make([]zset.Int128, s.rows)
		for i := range v.W {
			o := int64(s.first) + int64(i)
			if s.offsets != nil {
				o = s.offsets[i]
			}
			v.W[i] = decimal128.FromI64(o)
		}
	default:
		v.I64 = make([]int64, 0, s.rows)
		for _, run := range s.runs {
			x := run.Watermark
			if sys == plan.ReceivedAt {
				x = run.At
			}
			for range run.Rows {
				v.I64 = append(v.I64, x)
			}
		}
	}
	return v
}
