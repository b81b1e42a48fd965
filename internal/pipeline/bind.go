package pipeline

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/bus"
	"leat/internal/engine/circuit"
	"leat/internal/engine/expr"
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

// binder makes columns of the schema version that a view is bound to out of those that the log has. It belongs to one goroutine.
type binder struct {
	ev expr.Evaluator
	// casts are by the types' texts.
	casts map[[2]string]*expr.Program
}

func newBinder(ev expr.Evaluator) *binder {
	return &binder{ev: ev, casts: map[[2]string]*expr.Program{}}
}

// batch makes the columns that a source asks for. A column that the rows' schema version doesn't have yet is NULL.
func (b *binder) batch(rows *types.Batch, s circuit.Source, st *stamps) (*zset.Batch, error) {
	z := &zset.Batch{N: rows.Rows, W: rows.Weights, Cols: make([]*zset.Vec, 0, len(s.Columns)+len(s.System))}
	for _, c := range s.Columns {
		v, err := b.column(rows, s.Relation.Schema.Columns[c], s.Relation.Name)
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

func (b *binder) column(rows *types.Batch, want types.Column, relation string) (*zset.Vec, error) {
	i := rows.Schema.IndexID(want.ID)
	if i < 0 {
		return zset.Nulls(want.Type, rows.Rows), nil
	}
	have := rows.Schema.Columns[i]
	v, err := zset.FromArrow(have.Type, rows.Columns[i])
	if err != nil {
		return nil, types.Errorf(types.Internal, "column %s of %s: %w", want.Name, relation, err)
	}
	if have.Type.Equal(want.Type) {
		return v, nil
	}
	out, err := b.convert(v, want.Type)
	if err != nil {
		return nil, types.Errorf(types.TypeMismatch, "column %s of %s has values of type %s, and the view reads it as %s: %w", want.Name, relation, have.Type, want.Type, err).
			WithHint("make the view anew: CREATE OR REPLACE MATERIALIZED VIEW ...")
	}
	return out, nil
}

// convert gives values of one schema version the type of another; an error where that would change one.
func (b *binder) convert(v *zset.Vec, to types.Type) (*zset.Vec, error) {
	if v.Type.Kind == types.Double && to.Kind.IsInteger() {
		// A cast would round.
		for i, x := range v.F64 {
			if !v.Null(i) && (x != math.Trunc(x) || math.Abs(x) > 1<<53) {
				return nil, types.Errorf(types.DataError, "%v is no %s", x, to)
			}
		}
	}
	key := [2]string{v.Type.String(), to.String()}
	p := b.casts[key]
	if p == nil {
		var err error
		e := &plan.Expr{Kind: plan.Cast, Type: to, Args: []*plan.Expr{plan.Col(0, v.Type)}, Place: -1}
		if p, err = expr.Compile([]*plan.Expr{e}, b.ev); err != nil {
			return nil, err
		}
		b.casts[key] = p
	}
	cols, failures, err := p.Eval(&zset.Batch{Cols: []*zset.Vec{v}, N: v.Len})
	if err != nil {
		return nil, err
	}
	if len(failures) > 0 {
		return nil, failures[0].Reason
	}
	return cols[0], nil
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
