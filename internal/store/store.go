// Package store is the contract of the place that holds history for ad-hoc and endpoint SQL. store/duckdb is
// embedded; store/clickhouse will follow; store/storetest is the suite both must pass.
package store

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/bus"
	"leat/internal/types"
)

// Relation is what the store must know of a stream, table or view to answer queries on it by name.
type Relation struct {
	ID   types.ObjectID
	Name string
	// Schema is nil for a view, whose SELECT is Query.
	Schema *types.Schema
	// Key are the IDs of a table's primary key columns: queries then see the current rows only.
	Key []int32
	// Version is the ID of a table's version column, 0 for none.
	Version int32
	// TTL hides and later removes rows whose _at is older; 0 keeps all.
	TTL   time.Duration
	Query string
	// Live are the columns of a relation whose rows the store doesn't have: it asks a Live for them when a query reads it.
	// Of a materialized view, which has no other schema, or of a table whose current rows are kept elsewhere.
	Live *types.Schema
}

// Load is the next entries of one partition, in offset order. Entries that the store has already are ignored.
type Load struct {
	Partition types.PartitionID
	Entries   []*bus.Entry
	// Next is the offset that will be loaded next after these.
	Next types.Offset
}

// Query is one SELECT that has passed the guard.
type Query struct {
	SQL string
	// Args are the values of named parameters ($name) or, by keys "1", "2", ..., of positional ones: nil, bool, int64, uint64, float64,
	// string, []byte, time.Time (TIMESTAMPTZ) or *big.Int (HUGEINT). Other types go as strings that the SQL casts. Spare ones are ignored.
	Args map[string]any
	// Typed says that SQL casts each of its parameters to its type, and will come again, as an endpoint's: the store may keep it prepared.
	Typed bool
	// MaxRows cuts the result (and marks it truncated); 0 is the store's own limit.
	MaxRows int
	// Live has the rows of live relations that the query sees; nil is the store's own, which may give each relation as of another moment.
	// The caller keeps it until the result is closed.
	Live Live
}

// Description is what is known of a SELECT before it runs.
type Description struct {
	// Columns are as Rows.Columns tells them; nil where they depend on the types of values of parameters.
	Columns []types.Column
	// Params are the types that its text gives its parameters, by name; what it leaves open is missing.
	Params map[string]types.Type
}

// Describer is a store that describes SELECTs.
type Describer interface {
	// Describe prepares a SELECT that has passed the guard, and doesn't run it. Errors are those of Query.
	Describe(ctx context.Context, sql string) (Description, error)
}

// Search asks for rows of a stream, or for the rows of a table that were its current ones.
type Search struct {
	ID types.ObjectID
	// Below is up to where each partition is read; others aren't.
	Below []types.Cursor
	// Where is a condition in the store's SQL, "" for all rows: over the relation's columns, _leat_partition, _leat_offset, _leat_received_at and
	// _leat_wm, the row's watermark as a TIMESTAMP, which is '-infinity' before the first. Args are its parameters.
	Where string
	Args  map[string]any
	// MaxRows cuts the result, as Query.MaxRows does.
	MaxRows int
}

// Finder is a store that finds rows by where they are in the log.
type Finder interface {
	// Find returns columns _leat_partition, _leat_offset, _leat_received_at and the relation's, in the order of the log. Rows whose time to live
	// is over are not found.
	Find(ctx context.Context, s Search) (Rows, error)
}

// Live gives the rows of live relations (Relation.Live). Its methods may be called from any goroutine, and must not query the store.
type Live interface {
	// Open begins to read columns of a relation, by position, maybe none.
	Open(id types.ObjectID, columns []int) (LiveRows, error)
}

// LiveRows is one reading; one goroutine at a time uses it.
type LiveRows interface {
	// Next returns the next rows (the store's package says who makes them), or nil at the end. They stay the reader's, who doesn't change them.
	Next() (arrow.RecordBatch, error)
	// Close is called once, maybe before the end, and maybe after the query's caller has closed the result.
	Close()
}

// Rows is a result being read. Records are valid until the next call of Next.
type Rows interface {
	// Columns are the names and types of the result; types that no stream can hold appear as VARCHAR.
	Columns() []types.Column
	// Next returns the next record, or nil at the end.
	Next(ctx context.Context) (arrow.RecordBatch, error)
	// Truncated says, after the end, whether MaxRows cut the result.
	Truncated() bool
	// Close frees the query's slot; it interrupts a query that still runs.
	Close() error
}

// Store holds loaded rows and answers SELECTs. All methods may be called from any goroutine; Load and Define are serialised inside.
type Store interface {
	// Define creates or changes relations: columns are known by ID, so a rename is free; a changed type converts stored values,
	// and fails (types.DataError naming one) where a value can't be converted. Views come after what they read.
	Define(ctx context.Context, relations []Relation) error
	// Drop forgets relations and their rows.
	Drop(ctx context.Context, ids []types.ObjectID) error
	// Load adds rows and moves Loaded in one transaction. Both are visible to queries when it returns, and durable some time after.
	Load(ctx context.Context, loads []Load) error
	// Rewind forgets what was loaded at or after the cursors, where the log has lost it: after a power cut an append that was not
	// synced may be in the store and no longer in the log, which gives its offsets to other rows.
	Rewind(ctx context.Context, to []types.Cursor) error
	// Loaded is the position up to which queries see the log. It is at least Durable. It goes back when the store is opened (after a crash, or
	// after a fatal error of its own, when one Load fails with types.Unavailable): loading goes on from there.
	Loaded() types.Position
	// Durable is the position up to which loaded rows survive a power cut; the log may be trimmed below it.
	Durable() types.Position
	// Maintain makes loads durable, removes rows past their TTL, and the like. It is called about once a second, beside loads and queries.
	Maintain(ctx context.Context) error
	// Query runs a SELECT. It waits for a slot until ctx ends (types.TooManyRequests), and cancels with ctx (types.Timeout or types.Canceled).
	Query(ctx context.Context, q Query) (Rows, error)
	// Close waits for queries under way, checkpoints and closes.
	Close() error
}
