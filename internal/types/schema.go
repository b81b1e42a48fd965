package types

import (
	"fmt"
	"strings"
	"time"
)

// MaxColumns is how many columns a stream or table may have.
const MaxColumns = 1000

// Reserved is the prefix of names that belong to Leat.
const Reserved = "_leat_"

// ObjectID names a catalog object for ever: it is never reused, so a rename is free and a
// drop and create of the same name resurrects nothing. 0 is no object.
type ObjectID uint64

// Column is one column of a stream or table.
type Column struct {
	// ID is unique within the stream for ever; a renamed column keeps it, a dropped one frees it for nobody.
	ID   int32
	Name string
	Type Type
	// Path are the JSON object keys that lead to the value, outermost first. Usually one.
	Path []string
	// NotNull makes a record without the value a dead letter.
	NotNull bool
	// Wide is set once an integer beyond 2^53 was seen: the column then cannot widen to DOUBLE.
	Wide bool
}

// Schema is one immutable version of a stream's columns. Share it freely; never change one that others see.
type Schema struct {
	// Version starts at 1 and rises by one with each change.
	Version int
	Columns []Column
	// NextID is the ID that the next new column gets.
	NextID int32
}

// Index returns the position of the column called name (SQL compares names without case), or -1.
func (s *Schema) Index(name string) int {
	for i := range s.Columns {
		if strings.EqualFold(s.Columns[i].Name, name) {
			return i
		}
	}
	return -1
}

// IndexID returns the position of the column with that ID, or -1.
func (s *Schema) IndexID(id int32) int {
	for i := range s.Columns {
		if s.Columns[i].ID == id {
			return i
		}
	}
	return -1
}

// Clone returns a deep enough copy to change the columns of.
func (s *Schema) Clone() *Schema {
	c := *s
	c.Columns = append([]Column(nil), s.Columns...)
	return &c
}

// Add appends a column, gives it the next ID and returns its position.
func (s *Schema) Add(name string, t Type, path ...string) int {
	if s.NextID == 0 {
		s.NextID = 1
	}
	s.Columns = append(s.Columns, Column{ID: s.NextID, Name: name, Type: t, Path: path})
	s.NextID++
	return len(s.Columns) - 1
}

// Validate reports the first fault: no columns, too many, a bad or repeated name.
func (s *Schema) Validate() error {
	if len(s.Columns) == 0 {
		return Errorf(InvalidArgument, "a stream needs at least one column")
	}
	if len(s.Columns) > MaxColumns {
		return Errorf(InvalidArgument, "%d columns; the limit is %d", len(s.Columns), MaxColumns)
	}
	seen := make(map[string]bool, len(s.Columns))
	for _, c := range s.Columns {
		if err := CheckColumnName(c.Name); err != nil {
			return err
		}
		folded := strings.ToLower(c.Name)
		if seen[folded] {
			return Errorf(InvalidArgument, "two columns are called %q (names are compared without case)", c.Name)
		}
		seen[folded] = true
	}
	return nil
}

// CheckColumnName refuses what cannot name a column: empty, over 255 bytes, a NUL byte, or reserved.
func CheckColumnName(name string) error {
	switch {
	case name == "" || len(name) > 255 || strings.ContainsRune(name, 0):
		return Errorf(InvalidArgument, "column name %.40q must have 1 to 255 bytes and no NUL", name)
	case strings.HasPrefix(strings.ToLower(name), Reserved):
		return Errorf(InvalidArgument, "column name %q: names that start with %s are reserved", name, Reserved)
	}
	return nil
}

// CheckObjectName refuses what cannot name a stream, table, view or endpoint: names match [a-z_][a-z0-9_]{0,62}.
func CheckObjectName(name string) error {
	if !plainIdent(name) || len(name) > 63 {
		return Errorf(InvalidArgument, "name %.80q must match [a-z_][a-z0-9_]{0,62}", name)
	}
	if strings.HasPrefix(name, Reserved) || name == "leat_system" {
		return Errorf(InvalidArgument, "name %q is reserved", name)
	}
	return nil
}

// TimeRule says how a stream's rows carry time. The zero value has no event time and no watermark.
type TimeRule struct {
	// Column is the ID of the event-time column, 0 for none. It is a TIMESTAMP or TIMESTAMPTZ column.
	Column int32
	// Watermarked is set when WATERMARK FOR was given; Delay is its d.
	Watermarked bool
	Delay       time.Duration
	// MaxFuture is how far ahead of the log's clock a timestamp may be and still move the watermark. 0 is 1 h.
	MaxFuture time.Duration
	// Idle is how long a partition is silent before a mark raises its watermark. 0 is 10 s, negative is never.
	Idle time.Duration
}

// Defaults of TimeRule.
const (
	DefaultMaxFuture = time.Hour
	DefaultIdle      = 10 * time.Second
)

// Future returns MaxFuture or its default.
func (r TimeRule) Future() time.Duration {
	if r.MaxFuture == 0 {
		return DefaultMaxFuture
	}
	return r.MaxFuture
}

// IdleAfter returns Idle or its default; 0 means never.
func (r TimeRule) IdleAfter() time.Duration {
	switch {
	case r.Idle == 0:
		return DefaultIdle
	case r.Idle < 0:
		return 0
	}
	return r.Idle
}

// String prints the columns as the body of a CREATE STREAM.
func (s *Schema) String() string {
	var b strings.Builder
	for i, c := range s.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %s", QuoteIdent(c.Name), c.Type)
	}
	return b.String()
}
