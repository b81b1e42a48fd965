package pgcatalog

import (
	"context"

	"leat/internal/types"
)

// Engine is the DuckDB that catalog statements run on: in memory, apart from the store, locked down and with a memory limit.
// internal/duck has one.
type Engine interface {
	// Define registers a table function whose rows are what rows returns for the pin of the query that reads it.
	Define(name string, columns []types.Column, rows func(pin any) ([][]any, error)) error
	// Exec runs statements of ours: views and macros.
	Exec(ctx context.Context, sql string) error
	// Describe prepares a SELECT and returns the types of its parameters by number and its columns.
	Describe(ctx context.Context, sql string) (params, columns []Typed, err error)
	// Query runs a SELECT to its end.
	Query(ctx context.Context, pin any, sql string, args []any, maxRows int) ([][]any, error)
}

// Typed is a column or parameter: its name and the name of its DuckDB type, or of the alias that it was cast to.
type Typed struct{ Name, Type string }
