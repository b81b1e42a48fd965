// Package api is the HTTP interface: routes, their security and their forms. It decides nothing about data: it reads a
// request, checks who sends it, and hands it to the small interfaces below, which app wires.
package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/auth"
	"leat/internal/types"
)

// Events takes events in; ingest is behind it.
type Events interface {
	// Send reads the body to its end unless it fails. With an error nothing was kept, unless the result has a position:
	// then the rows are durable and the wait for their visibility failed.
	Send(ctx context.Context, r SendRequest) (SendResult, error)
}

// SendRequest is one body of events for a stream.
type SendRequest struct {
	Principal auth.Principal
	Stream    string
	// Body is limited to Options.MaxEventBytes as sent; a longer one fails reading with types.PayloadTooLarge.
	Body                         io.Reader
	ContentType, ContentEncoding string
	// ContentLength is -1 when unknown.
	ContentLength int64
	// Strict makes the request all or nothing; WaitVisible delays the answer until SQL sees the rows.
	Strict, WaitVisible bool
	IdempotencyKey      string
}

// SendResult says what became of the records; all of them are durable.
type SendResult struct {
	Accepted, DeadLetters int64
	// FirstErrors are the reasons of the first dead letters, a few.
	FirstErrors []*types.Error
	Position    types.Position
	// Created is set when the request made the stream, Duplicate when its Idempotency-Key had been seen.
	Created, Duplicate bool
}

// Queries runs SQL and endpoints; query is behind it. It authorises each object that a statement touches.
type Queries interface {
	SQL(ctx context.Context, q SQLRequest) (Outcome, error)
	Endpoint(ctx context.Context, q EndpointRequest) (Outcome, error)
	// Published tells how answers of an endpoint may be kept; ok is false where there is none of that name.
	Published(name string) (p Published, ok bool)
	// Row finds the row of a table with that key: a result of one row or none.
	Row(ctx context.Context, k RowKey, f Freshness) (Outcome, error)
	// Lookup finds rows of a materialized view by its key.
	Lookup(ctx context.Context, l Lookup) (Found, error)
}

// SQLRequest is a script of one or more statements.
type SQLRequest struct {
	Principal auth.Principal
	SQL       string
	// Params are the values of $name, or of $1 under the key "1". Numbers are json.Number.
	Params map[string]any
	// ReadOnly refuses (types.NotAllowed) whatever is not SELECT, SHOW, DESCRIBE or EXPLAIN.
	ReadOnly bool
	Freshness
	// Limit cuts the result after so many rows; 0 is the server's default.
	Limit int
}

// EndpointRequest is one call of a published query.
type EndpointRequest struct {
	Principal auth.Principal
	Name      string
	// Args are strings where they came in the URL, else values of JSON with numbers as json.Number.
	Args map[string]any
	Freshness
	// Limit is the most rows; where the answer has an order, or Cursor is set, Outcome.Cursor leads to those that follow.
	Limit int
	// Cursor is Outcome.Cursor of the page before, "" for the first page; nil asks for no pages.
	Cursor *string
	// Have, if set, is asked before anything is executed, where the answer has a stamp: true says that the caller has the answer with that stamp,
	// and the Outcome comes without Rows.
	Have func(stamp string) bool
}

// Published says how answers of an endpoint may be kept.
type Published struct {
	// ID and Version name its definition.
	ID      types.ObjectID
	Version int
	// NoCache asks for a new answer to each call.
	NoCache bool
	// StaleIfOverloaded is how old a kept answer may be that is given when the server is at a limit; 0 is never.
	StaleIfOverloaded time.Duration
}

// Outcome is the answer of a script: rows, where its last statement has some, else what the statements did.
type Outcome struct {
	// Rows is nil when there are none to read; else the API closes it.
	Rows Rows
	// Statements has one element per statement when Rows is nil.
	Statements []Done
	Seen
	// Stamp is equal for two outcomes of one request that must have the same rows; "" where that can't be known.
	Stamp string
	// Cursor is where the next page begins, "" after the last one.
	Cursor string
	// Direct is set where the rows came straight from the engine's state, for less than keeping them would cost.
	Direct bool
}

// Done says what one statement did.
type Done struct {
	// Statement is what was run, such as "CREATE STREAM", and Name its object, if it has one.
	Statement string `json:"statement"`
	Name      string `json:"name,omitempty"`
	// Status is created, altered, replaced, dropped or unchanged; empty for others than DDL.
	Status string `json:"status,omitempty"`
	// Rows is how many rows were inserted or deleted.
	Rows int64 `json:"rows,omitempty"`
}

// Rows is a result being read; store.Rows has the same shape.
type Rows interface {
	Columns() []types.Column
	// Next returns the next record, valid until the next call, or nil at the end.
	Next(ctx context.Context) (arrow.RecordBatch, error)
	// Truncated says, after the end, whether a limit cut the result.
	Truncated() bool
	Close() error
}

// Encoder writes results; codec/encode is behind it.
type Encoder interface {
	// Negotiate picks a format by name ("" for none) or by an Accept header. An unknown name is
	// types.InvalidArgument, an Accept that nothing fits types.NotAcceptable.
	Negotiate(name, accept string) (Format, error)
	// Encode reads rows to their end and writes them.
	Encode(ctx context.Context, w io.Writer, f Format, rows Rows, o EncodeOptions) error
}

// Format names a form of results.
type Format struct {
	// Name is json, ndjson, csv, tsv, parquet or arrow. Extension is that of a file which holds one.
	Name, ContentType, Extension string
}

// EncodeOptions are what a client may choose about values.
type EncodeOptions struct {
	// Int64AsString quotes integers beyond 32 bits in JSON.
	Int64AsString bool
	// ClickHouse names types and spells timestamps as ClickHouse does.
	ClickHouse bool
	// Start is when the request came, for the statistics of the json format.
	Start time.Time
}

// Tables writes single rows of tables; ingest is behind it.
type Tables interface {
	// Put replaces or makes a row from one JSON object. Columns that it leaves out become NULL.
	Put(ctx context.Context, k RowKey, body []byte) (types.Position, error)
	// Delete removes a row; one that is not there is no error.
	Delete(ctx context.Context, k RowKey) (types.Position, error)
}

// RowKey names a row of a table, as the client spelled it; the table's schema gives the values their types.
type RowKey struct {
	Principal auth.Principal
	Table     string
	// Key is the value of a key of one column; Columns holds the key by column name and is nil when Key is used.
	Key     string
	Columns map[string]string
}

// DeadLetters shows and mends records that could not be used; ingest is behind it.
type DeadLetters interface {
	// List returns up to limit of a stream's dead letters, oldest first.
	List(ctx context.Context, p auth.Principal, stream string, f DeadLetterFilter, limit int) ([]DeadLetter, error)
	// Get returns one; one of another stream is types.NotFound.
	Get(ctx context.Context, p auth.Principal, stream, id string) (DeadLetter, error)
	// Replay sends them through the stream's present schema.
	Replay(ctx context.Context, p auth.Principal, stream string, r Replay) (Replayed, error)
	// Purge forgets them and returns how many.
	Purge(ctx context.Context, p auth.Principal, stream string, f DeadLetterFilter) (int64, error)
}

// DeadLetterFilter picks dead letters; the zero value picks all.
type DeadLetterFilter struct {
	// IDs, where not empty, are the ones; at most 1,000.
	IDs []string `json:"ids"`
	// Reason is the code of their error.
	Reason types.Code `json:"reason"`
	// Since and Before bound when they came: Since <= at < Before; the zero time is no bound.
	Since  time.Time `json:"since"`
	Before time.Time `json:"before"`
	// After is the ID of the last one of the page before, "" for the first page.
	After string `json:"-"`
}

// Replay says which dead letters to send again, and for a single one by what to replace it.
type Replay struct {
	Filter DeadLetterFilter
	// Raw is the mended record, JSON or (with CSV set) a header line and one line; nil sends what was kept.
	Raw []byte
	CSV bool
}

// DeadLetter is one record that could not be used.
type DeadLetter struct {
	ID     string
	At     time.Time
	Reason *types.Error
	// Record is the 1-based place of the record in the body that held it; 0 is unknown.
	Record int
	// Raw is the record as it was sent, json or csv by Format, cut where Truncated is set.
	Raw       []byte
	Format    string
	Truncated bool
	// Token is the ID of the token that sent it.
	Token string
}

// Replayed says what became of dead letters that were sent again.
type Replayed struct {
	// Replayed counts those that fit now, Failed those that stay, Rows the rows that came of them.
	Replayed, Failed, Rows int64
	FirstErrors            []*types.Error
	Position               types.Position
}

// Catalog describes what exists. Its answers are in the order of names.
type Catalog interface {
	Relations(ctx context.Context) ([]Relation, error)
	// Relation returns one with its rows and bytes counted; types.NotFound if there is none.
	Relation(ctx context.Context, name string) (Relation, error)
	Endpoints(ctx context.Context) ([]Endpoint, error)
}

// Relation describes a stream, a table or a view.
type Relation struct {
	Name string `json:"name"`
	// Kind is stream, table, view or materialized view.
	Kind      string    `json:"kind"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	// Auto is set on a stream that its first events made.
	Auto    bool     `json:"auto,omitempty"`
	Columns []Column `json:"columns"`
	// EventTime is the column that carries the time of events, Watermark how late they may be (an INTERVAL's text).
	EventTime string `json:"event_time,omitempty"`
	Watermark string `json:"watermark,omitempty"`
	TTL       string `json:"ttl,omitempty"`
	// Key are the columns that rows of a table or materialized view are found by.
	Key []string `json:"key,omitempty"`
	// Indexes are the other columns that they are found by.
	Indexes []RelationIndex `json:"indexes,omitempty"`
	// State, Lag and Error are a materialized view's: live, catching up or failed, the offsets of the log that wait for it, and its last failure.
	State string `json:"state,omitempty"`
	Lag   int64  `json:"lag,omitempty"`
	Error string `json:"error,omitempty"`
	// Bytes are those of the log, and of a materialized view those of its state.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// DeadLetters counts those that wait for a repair.
	DeadLetters int64 `json:"dead_letters"`
	// Statement is the CREATE that would make it.
	Statement string `json:"statement"`
}

// RelationIndex is a second order of the rows of a table or materialized view.
type RelationIndex struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Column describes one column of a Relation.
type Column struct {
	Name string     `json:"name"`
	Type types.Type `json:"type"`
	// Path is the JSON path that fills it, where that is not its name.
	Path       []string `json:"path,omitempty"`
	NotNull    bool     `json:"not_null,omitempty"`
	PrimaryKey bool     `json:"primary_key,omitempty"`
}

// Endpoint describes a published query.
type Endpoint struct {
	Name        string  `json:"name"`
	Description string  `json:"description,omitempty"`
	Params      []Param `json:"params"`
	// Columns are those of the result; nil where they are not known.
	Columns   []Column `json:"columns,omitempty"`
	Statement string   `json:"statement"`
}

// Param describes a parameter of an Endpoint. It is required unless it has a default.
type Param struct {
	Name       string     `json:"name"`
	Type       types.Type `json:"type"`
	Required   bool       `json:"required"`
	Default    *string    `json:"default,omitempty"`
	HasDefault bool       `json:"-"`
}

// Tokens authenticates and manages credentials; *auth.Service is one.
type Tokens interface {
	// Required reports whether requests need a token.
	Required() bool
	// Authenticate takes "" for no token.
	Authenticate(text string) (auth.Principal, error)
	CreateToken(ctx context.Context, spec auth.TokenSpec) (auth.Token, auth.Info, error)
	List() []auth.Info
	Revoke(ctx context.Context, id string) error
	CreateIssuer(ctx context.Context, spec auth.IssuerSpec) (auth.IssuerInfo, error)
	Issuers() []auth.IssuerInfo
	DeleteIssuer(ctx context.Context, name string) error
}

// Meter counts requests; *observe.HTTP is one.
type Meter interface {
	Begin()
	End(route, method string, status int, took time.Duration)
}

// Options are what a server is made of. All interfaces and functions without a remark must be set.
type Options struct {
	Events  Events
	Queries Queries
	Encoder Encoder
	// Pushes may be nil: nothing can be followed then.
	Pushes      Pushes
	Tables      Tables
	DeadLetters DeadLetters
	Catalog     Catalog
	Tokens      Tokens
	Meter       Meter
	Metrics     http.Handler
	// Status answers GET /v1/status, Jobs GET /v1/jobs: values that encode as JSON.
	Status func(ctx context.Context) (any, error)
	Jobs   func(ctx context.Context) (any, error)
	// Alive and Ready run health checks; the second value encodes as JSON.
	Alive, Ready func() (bool, any)
	Log          *slog.Logger
	Version      string
	Guards

	// Hosts are names by which clients may reach a server without tokens, besides localhost and loopback addresses.
	Hosts []string
	// TrustedOrigins are origins (scheme://host[:port]) whose pages may send requests.
	TrustedOrigins []string
	// CORSOrigins are origins whose pages may send requests and read the answers; * is all, for requests with a token.
	CORSOrigins []string
	Pprof       bool
	// Results keeps answers of endpoints; nil keeps none.
	Results *ResultCache

	Limits Limits
}
