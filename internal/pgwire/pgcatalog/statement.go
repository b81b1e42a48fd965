// Package pgcatalog answers what PostgreSQL's clients ask of pg_catalog and information_schema, on an engine apart from the store, and
// rewrites PostgreSQL's forms of SQL that DuckDB doesn't read.
package pgcatalog

import (
	"context"
)

// Verdict says how a statement runs.
type Verdict struct {
	// Statement is set when the statement is about the catalog: it is described and run here.
	Statement *Statement
	// SQL is the text to run the ordinary way when Statement is nil: as it was given, or with PostgreSQL's forms replaced by DuckDB's.
	SQL string
	// Rewritten says that places in SQL are not those of the text as it was given.
	Rewritten bool
}

// Column is one column of a result, with the fields of a RowDescription.
type Column struct {
	Name string
	// OID is the PostgreSQL type, Size its pg_type.typlen, Mod the type modifier or -1.
	OID  uint32
	Size int16
	Mod  int32
	// Table and Attribute name the column of the catalog that this is, or 0.
	Table     uint32
	Attribute int16
}

// Param is the value of one parameter as Bind carries it. Data is nil for NULL; Format is 0 for text and 1 for binary.
type Param struct {
	Data   []byte
	Format int16
}

// Statement is one SELECT about the catalog, ready to run any number of times. It may be used from any goroutine.
type Statement struct {
	catalog  *Catalog
	sql      string
	params   []uint32
	columns  []Column
	settings map[string]string
	// given is the text as it was sent, session the fingerprint of the session that it was prepared for, checks names that must exist.
	given, session string
	checks         []string
}

// Params are the PostgreSQL types of $1, $2, ...: those that the client named, else inferred, else text.
func (s *Statement) Params() []uint32 { return s.params }

// Columns are the columns of the result.
func (s *Statement) Columns() []Column { return s.columns }

// Settings are what the statement sets by set_config with constants, by lower-case name, for the connection to take over once it has
// run; nil is none.
func (s *Statement) Settings() map[string]string { return s.settings }

// Run answers the statement as the catalog is now, at most MaxRows rows and MaxBytes bytes (types.LimitExceeded). ctx bounds it together
// with Timeout. params are as many as Params.
func (s *Statement) Run(ctx context.Context, session *Session, params []Param) (*Result, error) {
	return s.catalog.run(ctx, s, session, params)
}

// Result is a whole answer.
type Result struct {
	columns []Column
	rows    [][]any
	image   *image
}

// Len is the number of rows.
func (r *Result) Len() int { return len(r.rows) }

// Append appends the value of a row and column to buf in PostgreSQL's text (format 0) or binary (1) form; null is true for NULL, and
// nothing is appended.
func (r *Result) Append(buf []byte, row, column int, format int16) (out []byte, null bool, err error) {
	return r.encode(buf, row, column, format)
}
