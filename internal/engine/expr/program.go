package expr

import (
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
)

type program struct{ exprs []*plan.Expr }

func compile(exprs []*plan.Expr, _ Evaluator) (*Program, error) {
	return &Program{program{exprs}}, nil
}

func (p *program) eval(in *zset.Batch) ([]*zset.Vec, []Failure, error) {
	cols := make([]*zset.Vec, len(p.exprs))
	for i, e := range p.exprs {
		cols[i] = in.Cols[e.Index]
	}
	return cols, nil, nil
}

func native(e *plan.Expr) bool   { return e.Kind == plan.Column }
func fallible(e *plan.Expr) bool { return e.Kind != plan.Column }
