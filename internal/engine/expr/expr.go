// Package expr evaluates a plan's expressions over whole columns: native kernels for the common ones, an Evaluator (DuckDB) for the rest.
package expr

import (
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Evaluator evaluates what has no kernel: each text is a SQL expression over columns c0, c1, ... of the given columns, and gives a column
// of its type. A row in which an expression fails is NULL there and has its reason in failed[expression][row].
type Evaluator interface {
	Evaluate(exprs []string, out []types.Type, in []*zset.Vec, rows int) (cols []*zset.Vec, failed []map[int]string, err error)
}

// Failure is a row in which an expression failed.
type Failure struct {
	Row    int
	Reason *types.Error
}

// Program is a set of compiled expressions over one input. It may be used by one goroutine at a time.
type Program struct {
	program
}

// Compile prepares expressions over inputs of the given types. ev may be nil where Native says that it isn't needed; an expression that
// then has no kernel is types.Unsupported.
func Compile(exprs []*plan.Expr, ev Evaluator) (*Program, error) { return compile(exprs, ev) }

// Eval computes all expressions. A row in which one of them fails is in failures (once, rows ascending), and its values are undefined.
func (p *Program) Eval(in *zset.Batch) (cols []*zset.Vec, failures []Failure, err error) {
	return p.eval(in)
}

// Native reports whether e runs in kernels alone.
func Native(e *plan.Expr) bool { return native(e) }

// Fallible reports whether e can fail for some row, so that it must not be evaluated for rows that a filter or join would have dropped.
func Fallible(e *plan.Expr) bool { return fallible(e) }
