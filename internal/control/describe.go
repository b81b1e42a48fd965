package control

import (
	"strings"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/infer"
	"leat/internal/sql/ddl"
	"leat/internal/types"
)

// Description is what `leat schema` and the API show of an object.
type Description struct {
	Name    string              `json:"name"`
	Kind    string              `json:"kind"`
	Version int                 `json:"version"`
	Auto    bool                `json:"auto,omitempty"`
	Columns []ColumnDescription `json:"columns,omitempty"`
	// EventTime is the event-time column and EventTimeWhy how it was chosen; Watermark is the delay, such as "5s".
	EventTime    string   `json:"event_time,omitempty"`
	EventTimeWhy string   `json:"event_time_why,omitempty"`
	Watermark    *string  `json:"watermark,omitempty"`
	Partitions   uint32   `json:"partitions,omitempty"`
	PartitionBy  []string `json:"partition_by,omitempty"`
	PrimaryKey   []string `json:"primary_key,omitempty"`
	TTL          string   `json:"ttl,omitempty"`
	// Indexes are the other orders in which rows are found.
	Indexes []IndexDescription `json:"indexes,omitempty"`
	// Create is the canonical statement that makes the object.
	Create string `json:"create"`
}

// IndexDescription is one index of a Description.
type IndexDescription struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// ColumnDescription is one column of a Description.
type ColumnDescription struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Null bool   `json:"null"`
	// Path is where the value stands in a record, outermost key first.
	Path []string `json:"path,omitempty"`
	// Key and Note say what the column is for: primary key, event time, ...
	Key  string `json:"key,omitempty"`
	Note string `json:"note,omitempty"`
}

// Describe returns what is to know of an object of the present catalog, if who may read it.
func (c *Controller) Describe(who auth.Principal, name string) (*Description, error) {
	o := c.Catalog.Snapshot().ByName(name)
	if o == nil {
		return nil, types.Errorf(types.NotFound, "there is no stream, table, view or endpoint %q", name)
	}
	if !mayRead(who, name) {
		return nil, types.Errorf(types.PermissionDenied, "this token may not read %q", name)
	}
	return describe(o), nil
}

func mayRead(who auth.Principal, name string) bool {
	return who.May(auth.Read, name) || who.May(auth.Create, "")
}

func describe(o *catalog.Object) *Description {
	d := &Description{Name: o.Name, Kind: kindOf(o), Version: o.Version, Auto: o.Auto, Create: createText(o)}
	for _, x := range o.Indexes {
		d.Indexes = append(d.Indexes, IndexDescription{x.Name, indexColumnNames(o, x)})
	}
	if o.Continuous() {
		d.Columns = describeMaterialized(o)
	}
	s := o.Stream
	if s == nil {
		return d
	}
	d.Partitions, d.PartitionBy, d.PrimaryKey = s.Partitions, columnsOf(s, s.PartitionBy), columnsOf(s, s.PrimaryKey)
	if s.TTL > 0 {
		d.TTL = s.TTL.String()
	}
	if i := s.Schema.IndexID(s.Time.Column); i >= 0 && s.Time.Column != 0 {
		d.EventTime = s.Schema.Columns[i].Name
		d.EventTimeWhy = "declared"
		if o.Auto && infer.EventTime(s.Schema) == s.Time.Column {
			d.EventTimeWhy = "chosen by its name and type; ALTER STREAM " + types.QuoteIdent(o.Name) + " SET EVENT TIME changes it"
		}
		if s.Time.Watermarked {
			w := s.Time.Delay.String()
			d.Watermark = &w
		}
	}
	for _, col := range s.Schema.Columns {
		c := describeColumn(s, col)
		c.Note = joined(c.Note, indexNames(o, col.ID))
		d.Columns = append(d.Columns, c)
	}
	return d
}

func describeColumn(s *catalog.Stream, col types.Column) ColumnDescription {
	c := ColumnDescription{Name: col.Name, Type: col.Type.String(), Null: !col.NotNull, Path: col.Path}
	var notes []string
	for _, id := range s.PrimaryKey {
		if id == col.ID {
			c.Key = "primary"
			notes = append(notes, "primary key")
		}
	}
	for _, id := range s.PartitionBy {
		if id == col.ID {
			c.Key = "partition"
			notes = append(notes, "partition by")
		}
	}
	if s.VersionColumn == col.ID {
		notes = append(notes, "version")
	}
	if s.Time.Column == col.ID {
		notes = append(notes, "event time")
		if s.Time.Watermarked {
			notes = append(notes, "watermark "+s.Time.Delay.String()+" behind")
		}
	}
	c.Note = strings.Join(notes, ", ")
	return c
}

func columnsOf(s *catalog.Stream, ids []int32) []string {
	var out []string
	for _, id := range ids {
		if i := s.Schema.IndexID(id); i >= 0 {
			out = append(out, s.Schema.Columns[i].Name)
		}
	}
	return out
}

// createText is the canonical statement that makes an object, and those that make its indexes.
func createText(o *catalog.Object) string {
	text := ddl.Print(statement(o))
	for _, x := range o.Indexes {
		text += ";\n" + ddl.Print(indexStatement(o, x))
	}
	return text
}

// statement is the CREATE that makes an object.
func statement(o *catalog.Object) ddl.Statement {
	h := ddl.Head{Name: ddl.ObjectName{Name: o.Name}}
	switch {
	case o.Continuous():
		return &ddl.CreateMaterializedView{Head: h, Columns: idents(o.View.Columns), Query: ddl.Query{Text: o.View.Query}, EmitOnClose: o.View.Materialized.EmitOnClose}
	case o.Kind == catalog.ViewKind:
		return &ddl.CreateView{Head: h, Columns: idents(o.View.Columns), Query: ddl.Query{Text: o.View.Query}}
	case o.Kind == catalog.EndpointKind:
		e := &ddl.CreateEndpoint{Head: h, Options: endpointOptions(o.Endpoint), Query: ddl.Query{Text: o.Endpoint.Query}}
		for _, a := range o.Endpoint.Params {
			e.Params = append(e.Params, ddl.Param{Name: ddl.Ident{Name: a.Name}, Type: a.Type, HasDefault: a.HasDefault, Default: a.Default})
		}
		return e
	}
	s := o.Stream
	columns := ddl.Columns(s.Schema)
	options := streamOptions(s)
	watermark := ddl.TimeClauses(s.Schema, s.Time, &options)
	if o.Kind == catalog.TableKind {
		t := &ddl.CreateTable{Head: h, Columns: columns, PrimaryKey: idents(columnsOf(s, s.PrimaryKey)), Watermark: watermark, Options: options}
		if v := columnsOf(s, []int32{s.VersionColumn}); s.VersionColumn != 0 && len(v) == 1 {
			t.Version = &ddl.Ident{Name: v[0]}
		}
		return t
	}
	return &ddl.CreateStream{Head: h, Columns: columns, PartitionBy: idents(columnsOf(s, s.PartitionBy)), Watermark: watermark, Options: options}
}

// streamOptions are the options that differ from their defaults, but for those of time.
func streamOptions(s *catalog.Stream) ddl.Options {
	var o ddl.Options
	if s.TTL != 0 {
		o.TTL = &s.TTL
	}
	if s.Partitions > 1 {
		o.Partitions = &s.Partitions
	}
	if s.Closed {
		o.Closed = &s.Closed
	}
	if s.Description != "" {
		o.Description = &s.Description
	}
	return o
}

func idents(names []string) []ddl.Ident {
	var out []ddl.Ident
	for _, n := range names {
		out = append(out, ddl.Ident{Name: n})
	}
	return out
}
