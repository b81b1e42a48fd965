// Package plan is a query as data: a tree of relational nodes with typed expressions over column positions. sql/bind makes it from
// DuckDB's bound plan, sql/opt improves it, engine/lower turns it into a circuit, sql/print prints it.
package plan

import "leat/internal/types"

// ExprKind says what an Expr is.
type ExprKind uint8

const (
	// Column is input column Index.
	Column ExprKind = iota
	// Const is Value.
	Const
	// Call applies the function or operator Name ("+", "||", "lower", "struct_extract", ...; as DuckDB names it) to Args.
	Call
	// Compare is Args[0] Name Args[1], Name one of = <> < <= > >= "is distinct from" "is not distinct from".
	Compare
	// And and Or have two or more Args; Not and IsNull, IsNotNull one. Three-valued logic.
	And
	Or
	Not
	IsNull
	IsNotNull
	// In is Args[0] IN (Args[1:]).
	In
	// Case is Args: condition, value, condition, value, ..., else.
	Case
	// Coalesce returns its first Arg that is not NULL.
	Coalesce
	// Cast converts Args[0] to Type; with Try what can't be converted is NULL, else an error of the row.
	Cast
	// Param is the value of the parameter Name: the same for all rows. Only queries that are read once have some (bind.BindQuery).
	Param
)

// Expr is a typed expression over the columns of its node's input (of a join: the left's, then the right's). Expressions are immutable and
// shared freely.
type Expr struct {
	Kind ExprKind
	Type types.Type
	// Index is a Column's position; of a Param, the place of its value among those that it is evaluated with.
	Index int
	Name  string
	Args  []*Expr
	// Value of a Const: nil (NULL), bool, int64 (integers to 64 bits but UBIGINT; DATE in days; TIME and timestamps in µs), *big.Int (UBIGINT,
	// HUGEINT, unscaled DECIMAL), float64, string (VARCHAR, JSON), []byte (BLOB; UUID, 16 bytes), Interval, []any (LIST, STRUCT in the
	// order of the fields), [][2]any (MAP).
	Value any
	Try   bool
	// Place is the byte offset in the query's text, -1 where unknown.
	Place int
}

// Interval is the value of an INTERVAL constant.
type Interval struct {
	Months, Days int32
	Micros       int64
}

// Col returns the expression of an input column.
func Col(index int, t types.Type) *Expr { return &Expr{Kind: Column, Type: t, Index: index, Place: -1} }

// Lit returns a constant.
func Lit(v any, t types.Type) *Expr { return &Expr{Kind: Const, Type: t, Value: v, Place: -1} }

// Walk calls f for e and all below it, parents first; it does not descend where f returns false.
func (e *Expr) Walk(f func(*Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	for _, a := range e.Args {
		a.Walk(f)
	}
}

// Map returns e with each column reference replaced by what f returns for it; parts without any are shared.
func (e *Expr) Map(f func(*Expr) *Expr) *Expr {
	if e == nil {
		return nil
	}
	if e.Kind == Column {
		return f(e)
	}
	var args []*Expr
	for i, a := range e.Args {
		m := a.Map(f)
		if m != a && args == nil {
			args = append([]*Expr(nil), e.Args...)
		}
		if args != nil {
			args[i] = m
		}
	}
	if args == nil {
		return e
	}
	c := *e
	c.Args = args
	return &c
}
