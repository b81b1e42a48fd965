package pgcatalog

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// Engine is the DuckDB that catalog statements run on: in memory, apart from the store, locked down and with a memory limit. *duck.Meta is
// one. Unqualified names are found in its schema leat_system.
type Engine interface {
	// Define registers a table function whose rows are what rows returns for the pin of the query that reads it.
	Define(name string, columns []types.Column, rows func(pin any) (arrow.RecordBatch, error)) error
	// Exec runs definitions of ours: types, views, macros.
	Exec(ctx context.Context, sql string) error
	// Describe prepares a SELECT and returns the types of its parameters by number, and the names and types of its columns, as DuckDB or
	// CREATE TYPE names them.
	Describe(ctx context.Context, sql string) (params, names, columns []string, err error)
	// Query runs a SELECT to its end or to maxRows rows; each keeps nothing of its records.
	Query(ctx context.Context, pin any, sql string, args map[string]any, maxRows int, each func(arrow.RecordBatch) error) (truncated bool, err error)
}
