// Package pgwire speaks PostgreSQL's wire protocol (version 3): it reads messages, keeps sessions with their statements, portals, cursors
// and settings, and writes results straight from Arrow columns. What statements mean is the Backend's and the Catalog's.
package pgwire

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/auth"
	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// Backend checks and runs statements. Its methods may be called from any goroutine.
type Backend interface {
	// Prepare checks one statement. params are the types that the client gave to $1, $2, ...; the zero Type, or none, is to be inferred,
	// and a DECIMAL without a precision is numeric.
	Prepare(ctx context.Context, t Text, params []types.Type) (Prepared, error)
	// Target finds the columns of a stream or table that COPY fills: those named, or all.
	Target(ctx context.Context, who auth.Principal, table string, columns []string) ([]types.Column, error)
	// Write appends rows, all of them or none, and returns once SQL sees them, or once they are durable if more follow.
	Write(ctx context.Context, who auth.Principal, w Write) (rows int64, err error)
	// Subscribe begins to follow a view. ctx governs the subscription until its Close.
	Subscribe(ctx context.Context, who auth.Principal, view string, snapshot bool) (Subscription, error)
}

// Text is a statement as it was sent. SQL stands at Offset in Script, to which places in errors refer.
type Text struct {
	Principal auth.Principal
	// Remote is the address of the client.
	Remote string
	SQL    string
	Script string
	Offset int
}

// Kind says what a statement does to data.
type Kind uint8

// Statements that read; that write rows, which a transaction puts off until its COMMIT; and that define, which take effect at once.
const (
	Reads Kind = iota
	Writes
	Defines
)

// Prepared is a statement that has been checked. It is immutable: any goroutine may run it, any number of times.
type Prepared interface {
	Kind() Kind
	// Params are the types of $1, $2, ...; the zero Type is one that nothing says.
	Params() []types.Type
	// Columns are those of the result; nil is a statement without one.
	Columns() []types.Column
	// Run runs it. args are nil, bool, int64, float64, string, []byte or time.Time; values of other types are text that their parameter's
	// type reads. limit is the most rows to answer. ctx governs the result until its Rows are closed.
	Run(ctx context.Context, args []any, limit int) (Result, error)
}

// Result is what a statement answers: rows, or rows to be written, or a command tag.
type Result struct {
	Rows  Rows
	Write *Write
	Tag   string
}

// Rows is a result being read, as store.Rows is.
type Rows interface {
	Columns() []types.Column
	// Next returns the next record, valid until the next call, or nil at the end.
	Next(ctx context.Context) (arrow.RecordBatch, error)
	// Truncated says, after the end, whether a limit cut the result.
	Truncated() bool
	Close() error
}

// Write is rows for one stream or table.
type Write struct {
	Table string
	// Columns names the target of each column of Records; none are all columns in order.
	Columns []string
	Records []arrow.RecordBatch
	// Delete removes the rows that have these keys.
	Delete bool
	// More says that others follow: nobody need wait until SQL sees these.
	More bool
}

// rows counts the rows of a write.
func (w *Write) rows() (n int64) {
	for _, r := range w.Records {
		n += r.NumRows()
	}
	return n
}

// Subscription is a view being followed. One goroutine at a time uses it.
type Subscription interface {
	// Columns are the view's.
	Columns() []types.Column
	// Next waits for what comes next, and ends with ctx.
	Next(ctx context.Context) (Changes, error)
	Close() error
}

// Changes is one step of a view: rows with their weights, and the position after it.
type Changes struct {
	// Position is a token that names the moment.
	Position string
	// Record has the view's columns, Diffs one weight a row: positive for rows that came, negative for those that went. Both may be empty.
	Record arrow.RecordBatch
	Diffs  []int64
	// Part says that more of the same moment follows.
	Part bool
}

// Catalog answers what clients ask of pg_catalog and information_schema; *pgcatalog.Catalog is one.
type Catalog interface {
	Intercept(ctx context.Context, s *pgcatalog.Session, sql string, params []uint32) (pgcatalog.Verdict, error)
}

// Users knows who may connect; *auth.Service is the one behind it.
type Users interface {
	// Required reports whether a connection needs a password. Without one it acts as auth.Local.
	Required() bool
	// Verifier is a user's SCRAM-SHA-256 verifier as PostgreSQL spells it.
	Verifier(user string) (verifier string, ok bool)
	// Principal is the user, once its password was proven.
	Principal(user string) (auth.Principal, error)
	// Authenticate takes a whole token in the clear.
	Authenticate(token string) (auth.Principal, error)
}
