package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

// ArrowEvaluator is an Evaluator over Arrow arrays of types.Type.Arrow's types, such as duck's.
type ArrowEvaluator interface {
	Evaluate(exprs []string, out []types.Type, in []arrow.Array, inTypes []types.Type, rows int) (cols []arrow.Array, failed []map[int]string, err error)
}

// FromArrow adapts an ArrowEvaluator. It is as safe for concurrent use as a is.
func FromArrow(a ArrowEvaluator) Evaluator { return arrowEvaluator{a} }

type arrowEvaluator struct{ a ArrowEvaluator }

func (e arrowEvaluator) Evaluate(exprs []string, out []types.Type, in []*zset.Vec, rows int) ([]*zset.Vec, []map[int]string, error) {
	arrays, ts := make([]arrow.Array, len(in)), make([]types.Type, len(in))
	for i, v := range in {
		arrays[i], ts[i] = zset.ToArrow(v), v.Type
	}
	got, failed, err := e.a.Evaluate(exprs, out, arrays, ts, rows)
	if err != nil {
		return nil, nil, err
	}
	cols := make([]*zset.Vec, len(got))
	for i, a := range got {
		if cols[i], err = zset.FromArrow(out[i], a); err != nil {
			return nil, nil, err
		}
	}
	return cols, failed, nil
}
