// Package expr evaluates a plan's expressions over whole columns: native kernels for the common ones, an Evaluator (DuckDB) for the rest.
//
// Semantics are DuckDB's, value for value, with one deliberate difference: AND, OR and IN stop at the first operand (from the left) that
// decides a row, so that `length(s) > 0 AND s::INT > 5` never fails for empty texts. DuckDB does so in filters, mostly, but not in projections.
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

// Inputs are the positions of the columns that the expressions read, ascending; don't change it. Eval looks at no others: they may be nil.
func (p *Program) Inputs() []int { return p.inputs }

// SetNow sets what now() is in the following Evals, in µs since 1970.
func (p *Program) SetNow(micros int64) { p.now = micros }

// SetParams sets the values of parameters in the following Evals: row 0 of params[Index] is that of a plan.Param, and has its type. It is kept until
// the next call.
func (p *Program) SetParams(params []*zset.Vec) { p.params = params }

// Transient makes the columns of an Eval valid only until the next, for callers that look at them at once (filters): their memory is then
// used again.
func (p *Program) Transient() { p.transient = true }

// Native reports whether e runs in kernels alone.
func Native(e *plan.Expr) bool { return native(e) }

// Easy reports whether e runs in kernels alone for the usual values: for others (text that isn't ASCII, numbers with blanks) it asks the Evaluator,
// whose error is Eval's.
func Easy(e *plan.Expr) bool { return easy(e) }

// Fallible reports whether e can fail for some row, so that it must not be evaluated for rows that a filter or join would have dropped.
func Fallible(e *plan.Expr) bool { return fallible(e) }
