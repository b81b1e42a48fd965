// Package catalog keeps the durable definitions: streams, tables, views, endpoints and tokens, each with
// an immutable ID and a version. Reads take an immutable Snapshot; writes go through one transaction at a time.
package catalog

import (
	"time"

	"leat/internal/types"
)

// Kind is the kind of an object.
type Kind string

// The kinds of objects. All share one name space.
const (
	StreamKind   Kind = "stream"
	TableKind    Kind = "table"
	ViewKind     Kind = "view"
	EndpointKind Kind = "endpoint"
)

// DeadLetters is the ID of the built-in table leat_system.dead_letters, which no snapshot holds.
const DeadLetters types.ObjectID = 1

// Object is one definition. Objects in a Snapshot are immutable.
type Object struct {
	ID   types.ObjectID `json:"id"`
	Kind Kind           `json:"kind"`
	Name string         `json:"name"`
	// Version starts at 1 and rises with every change of the definition.
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Auto is set on a stream that the first events made.
	Auto bool `json:"auto,omitempty"`
	// DependsOn are the objects that the definition reads.
	DependsOn []types.ObjectID `json:"depends_on,omitempty"`

	// One of these is set, by Kind. A table is a Stream with a primary key.
	Stream   *Stream   `json:"stream,omitempty"`
	View     *View     `json:"view,omitempty"`
	Endpoint *Endpoint `json:"endpoint,omitempty"`

	// Indexes are those of a table or a materialized view, in the order in which they were made.
	Indexes []Index `json:"indexes,omitempty"`
	// LastIndex is the greatest ID that an index of the object ever had.
	LastIndex uint32 `json:"last_index,omitempty"`
}

// Index is a second order of the rows of a table or materialized view.
type Index struct {
	// ID is at least 1, and no other index of the object ever had it.
	ID   uint32 `json:"id"`
	Name string `json:"name"`
	// Columns are IDs of columns.
	Columns []int32 `json:"columns"`
}

// Schema are the columns of what has rows: a stream, a table or a materialized view; nil of others.
func (o *Object) Schema() *types.Schema {
	switch {
	case o.Stream != nil:
		return o.Stream.Schema
	case o.Continuous():
		return o.View.Materialized.Schema
	}
	return nil
}

// PrimaryKey returns the names of a table's key columns in key order; anything else has none.
func (o *Object) PrimaryKey() []string {
	if o.Stream == nil {
		return nil
	}
	var names []string
	for _, id := range o.Stream.PrimaryKey {
		names = append(names, o.Stream.Schema.Columns[o.Stream.Schema.IndexID(id)].Name)
	}
	return names
}

// Continuous reports whether the object is a materialized view.
func (o *Object) Continuous() bool { return o.View != nil && o.View.Materialized != nil }

// Stream defines a stream or a table.
type Stream struct {
	Schema *types.Schema  `json:"schema"`
	Time   types.TimeRule `json:"time"`
	// Partitions is at least 1.
	Partitions uint32 `json:"partitions"`
	// PartitionBy are the IDs of the columns whose hash picks the partition; none: round robin by request.
	PartitionBy []int32 `json:"partition_by,omitempty"`
	// PrimaryKey are the IDs of a table's key columns, in key order.
	PrimaryKey []int32 `json:"primary_key,omitempty"`
	// VersionColumn is the ID of VERSION col of a table, 0 for none: the greatest version wins, then the last offset.
	VersionColumn int32 `json:"version_column,omitempty"`
	// TTL is how long rows are kept by _at, 0 for ever.
	TTL time.Duration `json:"ttl,omitempty"`
	// Closed is set when the schema is declared fixed: unknown fields are dead letters instead of new columns.
	Closed      bool   `json:"closed,omitempty"`
	Description string `json:"description,omitempty"`
}

// View defines a named query: a plain one, or a continuous one if Materialized is set.
type View struct {
	// Query is the text of the SELECT as it was written.
	Query        string        `json:"query"`
	Columns      []string      `json:"columns,omitempty"`
	Materialized *Materialized `json:"materialized,omitempty"`
}

// Materialized is what a continuous view was bound to when it was made: later changes of what it reads don't change its columns.
type Materialized struct {
	// EmitOnClose is set by EMIT ON WINDOW CLOSE.
	EmitOnClose bool `json:"emit_on_close,omitempty"`
	// Schema are the view's columns. Key are the positions of its key; nil is none, an empty one is a view of one row.
	Schema *types.Schema `json:"schema"`
	Key    []int         `json:"key"`
	// Inputs are the schemas of the streams and tables that it reads, also through plain views.
	Inputs []Input `json:"inputs,omitempty"`
}

// Input is a stream or table as a continuous view reads it.
type Input struct {
	ID     types.ObjectID `json:"id"`
	Schema *types.Schema  `json:"schema"`
	// Reads are the IDs of the columns that the view's rows depend on.
	Reads []int32 `json:"reads,omitempty"`
}

// Endpoint defines a parameterised query published over HTTP.
type Endpoint struct {
	Query       string  `json:"query"`
	Params      []Param `json:"params,omitempty"`
	Description string  `json:"description,omitempty"`
	// Options are the rest of WITH (...).
	Options EndpointOptions `json:"options,omitzero"`
}

// EndpointOptions say what calls of an endpoint may cost, all callers together for Rate, Burst and Concurrent, and how they are answered.
type EndpointOptions struct {
	Limits
	// StaleIfOverloaded is how old a kept answer may be that is given, marked stale, when the server is at a limit; 0 is never.
	StaleIfOverloaded time.Duration `json:"stale_if_overloaded,omitempty"`
	// NoCache is set by cache = false: every call computes its answer.
	NoCache bool `json:"no_cache,omitempty"`
}

// Limits bound what a token, an issuer's JWTs or an endpoint may cost; a zero field is no limit but the server's.
type Limits struct {
	// Rate is requests a second, Burst how many may come at once, Concurrent how many may be under way.
	Rate       float64 `json:"rate,omitempty"`
	Burst      int     `json:"burst,omitempty"`
	Concurrent int     `json:"concurrent,omitempty"`
	// MaxRows and MaxBytes bound one answer, Timeout the time of one request.
	MaxRows  int           `json:"max_rows,omitempty"`
	MaxBytes int64         `json:"max_bytes,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
}

// Param is one typed parameter of an endpoint.
type Param struct {
	Name string     `json:"name"`
	Type types.Type `json:"type"`
	// Default is the value as text that the type parses, meaningful with HasDefault; nil is NULL.
	Default    *string `json:"default,omitempty"`
	HasDefault bool    `json:"has_default,omitempty"`
}
