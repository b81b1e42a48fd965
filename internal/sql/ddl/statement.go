// Package ddl reads Leat's own statements: CREATE, ALTER, DROP, SHOW, DESCRIBE, EXPLAIN, INSERT and DELETE.
// Queries are passed through as text for DuckDB. It also prints definitions as the statement that makes them.
//
// Every Pos and Offset is a byte offset in the whole script; types.Place turns it into line and column.
package ddl

import (
	"time"

	"leat/internal/types"
)

// Statement is one statement of a script: one of the pointer types of this file.
type Statement interface {
	// Range is the statement's place in the script, without the semicolon.
	Range() (start, end int)
}

// Span is the place of a statement in its script: bytes Start to End-1.
type Span struct{ Start, End int }

// Range returns the two offsets.
func (s Span) Range() (start, end int) { return s.Start, s.End }

// Ident is a name as SQL reads it: in lower case unless it was quoted.
type Ident struct {
	Name string
	Pos  int
}

// ObjectName names a stream, table, view or endpoint. Schema is empty for public.
type ObjectName struct {
	Schema string
	Name   string
	Pos    int
}

// String is the name with its schema if that isn't public, for messages.
func (n ObjectName) String() string {
	if n.Schema != "" {
		return n.Schema + "." + n.Name
	}
	return n.Name
}

// Query is the text of a SELECT (or WITH, FROM, VALUES, ...) exactly as written, at most MaxQuery bytes.
type Query struct {
	Text   string
	Offset int
}

// Kind is the kind of object that a statement names.
type Kind string

// The kinds. Any is used where the statement does not say.
const (
	Any          Kind = ""
	Stream       Kind = "stream"
	Table        Kind = "table"
	View         Kind = "view"
	EndpointKind Kind = "endpoint"
	// MaterializedView is what MATERIALIZED VIEW names; View names views of both sorts.
	MaterializedView Kind = "materialized view"
	// Index belongs to a table or materialized view.
	Index Kind = "index"
)

type (
	// Select is a query, for DuckDB.
	Select struct {
		Span
		Query
	}

	// Head is what every CREATE begins with.
	Head struct {
		Span
		Name                   ObjectName
		OrReplace, IfNotExists bool
	}

	// CreateStream makes a stream.
	CreateStream struct {
		Head
		Columns     []Column
		Watermark   *Watermark
		PartitionBy []Ident
		Options     Options
	}

	// CreateTable makes a table. PrimaryKey has at least one column; they are NOT NULL.
	CreateTable struct {
		Head
		Columns    []Column
		PrimaryKey []Ident
		// Version is nil where there is no VERSION clause.
		Version   *Ident
		Watermark *Watermark
		Options   Options
	}

	// CreateView makes a plain named query. Columns, if any, rename its columns.
	CreateView struct {
		Head
		Columns []Ident
		Query   Query
	}

	// CreateMaterializedView makes a continuous query.
	CreateMaterializedView struct {
		Head
		Columns []Ident
		Query   Query
		// EmitOnClose is set by EMIT ON WINDOW CLOSE, which is not part of Query.
		EmitOnClose bool
	}

	// CreateEndpoint publishes a query over HTTP.
	CreateEndpoint struct {
		Head
		Params  []Param
		Options Options
		Query   Query
	}

	// Alter changes one object; all of its actions or none.
	Alter struct {
		Span
		Kind     Kind
		IfExists bool
		Name     ObjectName
		Actions  []Action
	}

	// Drop removes objects of one kind.
	Drop struct {
		Span
		Kind     Kind
		IfExists bool
		Names    []ObjectName
	}

	// Show lists the objects of a kind; Any lists all. Of is the one object whose indexes are asked for; its Name is empty for those of all.
	Show struct {
		Span
		Kind Kind
		Of   ObjectName
	}

	// ShowCreate prints the statement that makes an object.
	ShowCreate struct {
		Span
		Kind Kind
		Name ObjectName
	}

	// Describe lists the columns of an object or, where Query is not nil, of a query.
	Describe struct {
		Span
		Name  ObjectName
		Query *Query
	}

	// Explain shows the plan of a query or, where Query is not set, of a view or endpoint. Create, if not nil, is a view that need not exist.
	Explain struct {
		Span
		Create *CreateMaterializedView
		Kind   Kind
		Name   ObjectName
		Query  Query
	}

	// Insert appends the rows of Source (VALUES or a SELECT) to a stream, or upserts them into a table.
	// Without Columns the source has every column in order.
	Insert struct {
		Span
		Target  ObjectName
		Columns []Ident
		Source  Query
	}

	// Delete removes rows of a table by key: each row of Keys gives one value for each of Columns.
	Delete struct {
		Span
		Target  ObjectName
		Columns []Ident
		Keys    [][]Value
	}
)

// Column is one column of a CREATE or ADD COLUMN.
type Column struct {
	Name Ident
	Type types.Type
	// TypePos is where the type is written.
	TypePos int
	NotNull bool
	// Path are the JSON keys that lead to the value; without PATH it is the name.
	Path []string
}

// Watermark is WATERMARK FOR Column AS Column - Delay.
type Watermark struct {
	Column Ident
	Delay  time.Duration
}

// Options are the settings of WITH and SET; nil is not given. Those from Rate on, and Description, are what an endpoint has.
type Options struct {
	// TTL is how long rows are kept; 0 is for ever.
	TTL *time.Duration
	// MaxFuture is how far ahead of the log's clock a row may move the watermark.
	MaxFuture *time.Duration
	// Idle is the silence after which a mark raises the watermark; 0 is never.
	Idle        *time.Duration
	Partitions  *uint32
	EventTime   *Ident
	Closed      *bool
	Description *string
	// Rate is calls a second, Burst how many may come at once, Concurrent how many may be under way, all callers together.
	Rate       *float64 `json:",omitempty"`
	Burst      *int     `json:",omitempty"`
	Concurrent *int     `json:",omitempty"`
	// MaxRows and MaxBytes bound one answer, Timeout the time of one call.
	MaxRows  *int           `json:",omitempty"`
	MaxBytes *int64         `json:",omitempty"`
	Timeout  *time.Duration `json:",omitempty"`
	// StaleIfOverloaded is how old an answer may be that is given again where the server is at a limit; 0 is never.
	StaleIfOverloaded *time.Duration `json:",omitempty"`
	// Cache is whether answers are kept.
	Cache *bool `json:",omitempty"`
}

// Param is one parameter of an endpoint.
type Param struct {
	Name       Ident
	Type       types.Type
	HasDefault bool
	// Default is the literal's value as text, meaningful with HasDefault; nil is NULL.
	Default    *string
	DefaultPos int
}

// Value is a literal or a parameter.
type Value struct {
	// Text is the literal's value: of a string what it stands for, of a number its digits, of a Boolean true or false.
	Text string
	// Param is the parameter's name or number (from 1), empty for a literal.
	Param string
	// Null is set for NULL.
	Null bool
	Pos  int
}

// Action is one change of ALTER: one of the types below.
type Action interface{ action() }

type (
	// RenameTo gives the object another name.
	RenameTo struct{ Name ObjectName }
	// RenameColumn gives a column another name.
	RenameColumn struct{ From, To Ident }
	// SetType changes a column's type.
	SetType struct {
		Column  Ident
		Type    types.Type
		TypePos int
	}
	// SetNotNull makes a column NOT NULL, or lets it be NULL again.
	SetNotNull struct {
		Column  Ident
		NotNull bool
	}
	// AddColumn adds a column.
	AddColumn struct {
		IfNotExists bool
		Column      Column
	}
	// DropColumn removes a column.
	DropColumn struct {
		IfExists bool
		Column   Ident
	}
	// SetEventTime makes a column the event time.
	SetEventTime struct{ Column Ident }
	// DropEventTime leaves the stream without an event time.
	DropEventTime struct{ Pos int }
	// SetWatermark sets the event time and its watermark.
	SetWatermark struct{ Watermark Watermark }
	// DropWatermark removes the watermark; the event time stays.
	DropWatermark struct{ Pos int }
	// SetOptions changes those options that are not nil.
	SetOptions struct{ Options Options }
	// ResetOptions gives options their defaults back.
	ResetOptions struct{ Names []Ident }
)

func (RenameTo) action()      {}
func (RenameColumn) action()  {}
func (SetType) action()       {}
func (SetNotNull) action()    {}
func (AddColumn) action()     {}
func (DropColumn) action()    {}
func (SetEventTime) action()  {}
func (DropEventTime) action() {}
func (SetWatermark) action()  {}
func (DropWatermark) action() {}
func (SetOptions) action()    {}
func (ResetOptions) action()  {}
