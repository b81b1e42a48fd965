package ddl

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leat/internal/types"
)

// Print returns the canonical text of a CREATE statement, without a semicolon: Parse reads the same definition back,
// except for positions. Another statement prints as "".
func Print(s Statement) string {
	var b strings.Builder
	switch s := s.(type) {
	case *CreateStream:
		s.Head.print(&b, "STREAM")
		printBody(&b, s.Columns, nil, nil, s.Watermark)
		if len(s.PartitionBy) > 0 {
			b.WriteString("\nPARTITION BY (" + names(s.PartitionBy) + ")")
		}
		s.Options.print(&b)
	case *CreateTable:
		s.Head.print(&b, "TABLE")
		printBody(&b, s.Columns, s.PrimaryKey, s.Version, s.Watermark)
		s.Options.print(&b)
	case *CreateView:
		s.Head.print(&b, "VIEW")
		printQuery(&b, s.Columns, s.Query)
	case *CreateMaterializedView:
		s.Head.print(&b, "MATERIALIZED VIEW")
		printQuery(&b, s.Columns, s.Query)
		if s.EmitOnClose {
			b.WriteString("\nEMIT ON WINDOW CLOSE")
		}
	case *CreateIndex:
		s.print(&b)
	case *CreateEndpoint:
		s.Head.print(&b, "ENDPOINT")
		s.params(&b)
		s.Options.print(&b)
		printQuery(&b, nil, s.Query)
	}
	return b.String()
}

func (h Head) print(b *strings.Builder, kind string) {
	b.WriteString("CREATE ")
	if h.OrReplace {
		b.WriteString("OR REPLACE ")
	}
	b.WriteString(kind + " ")
	if h.IfNotExists {
		b.WriteString("IF NOT EXISTS ")
	}
	b.WriteString(types.QuoteIdent(h.Name.Name))
}

func printBody(b *strings.Builder, columns []Column, key []Ident, version *Ident, w *Watermark) {
	var items []string
	for _, c := range columns {
		items = append(items, c.String())
	}
	if len(key) > 0 {
		items = append(items, "PRIMARY KEY ("+names(key)+")")
	}
	if version != nil {
		items = append(items, "VERSION "+types.QuoteIdent(version.Name))
	}
	if w != nil {
		ts := types.QuoteIdent(w.Column.Name)
		s := "WATERMARK FOR " + ts
		if w.Delay > 0 {
			s += " AS " + ts + " - INTERVAL " + quoteDuration(w.Delay)
		}
		items = append(items, s)
	}
	b.WriteString(" (\n  " + strings.Join(items, ",\n  ") + "\n)")
}

// String is the column as it stands in a CREATE.
func (c Column) String() string {
	name := types.QuoteIdent(c.Name.Name)
	if name == "version" {
		name = `"version"` // bare, it could be the clause VERSION
	}
	s := name + " " + c.Type.Definition()
	if c.NotNull {
		s += " NOT NULL"
	}
	if len(c.Path) > 0 && (len(c.Path) > 1 || c.Path[0] != c.Name.Name) {
		s += " PATH " + types.QuoteLiteral(printPath(c.Path))
	}
	return s
}

func printPath(keys []string) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, k := range keys {
		if plain := strings.Trim(k, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""; plain && k != "" {
			b.WriteString("." + k)
			continue
		}
		q, err := json.Marshal(k)
		if err != nil {
			panic("BUG: a string does not marshal: " + err.Error())
		}
		b.WriteString("." + string(q))
	}
	return b.String()
}

func names(ids []Ident) string {
	var out []string
	for _, id := range ids {
		out = append(out, types.QuoteIdent(id.Name))
	}
	return strings.Join(out, ", ")
}

func printQuery(b *strings.Builder, columns []Ident, q Query) {
	if len(columns) > 0 {
		b.WriteString(" (" + names(columns) + ")")
	}
	b.WriteString(" AS\n" + q.Text)
}

func (s *CreateEndpoint) params(b *strings.Builder) {
	var out []string
	for _, a := range s.Params {
		t := types.QuoteIdent(a.Name.Name) + " " + a.Type.Definition()
		switch {
		case a.HasDefault && a.Default == nil:
			t += " DEFAULT NULL"
		case a.HasDefault:
			t += " DEFAULT " + printLiteral(*a.Default)
		}
		out = append(out, t)
	}
	if len(out) > 0 {
		b.WriteString(" (" + strings.Join(out, ", ") + ")")
	}
}

// printLiteral prints plain numbers and Booleans bare, all else as a string: the text read back is the same.
func printLiteral(s string) string {
	digits := strings.TrimPrefix(s, "-")
	if s == "true" || s == "false" || digits != "" && strings.Trim(digits, "0123456789") == "" {
		return s
	}
	return types.QuoteLiteral(s)
}

func (o Options) print(b *strings.Builder) {
	var out []string
	add := func(name, value string) { out = append(out, name+" = "+value) }
	for _, d := range []struct {
		name string
		v    *time.Duration
	}{{"ttl", o.TTL}, {"max_future", o.MaxFuture}, {"idle", o.Idle}} {
		if d.v != nil {
			add(d.name, quoteDuration(*d.v))
		}
	}
	if o.Partitions != nil {
		add("partitions", fmt.Sprint(*o.Partitions))
	}
	if o.EventTime != nil {
		add("event_time", types.QuoteIdent(o.EventTime.Name))
	}
	if o.Closed != nil {
		add("closed", fmt.Sprint(*o.Closed))
	}
	if o.Description != nil {
		add("description", types.QuoteLiteral(*o.Description))
	}
	if o.Rate != nil {
		add("rate", strconv.FormatFloat(*o.Rate, 'f', -1, 64))
	}
	if o.MaxBytes != nil {
		add("max_bytes", fmt.Sprint(*o.MaxBytes))
	}
	for _, n := range []struct {
		name string
		v    *int
	}{{"burst", o.Burst}, {"concurrent", o.Concurrent}, {"max_rows", o.MaxRows}} {
		if n.v != nil {
			add(n.name, fmt.Sprint(*n.v))
		}
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
	}{{"timeout", o.Timeout}, {"stale_if_overloaded", o.StaleIfOverloaded}} {
		if d.v != nil {
			add(d.name, quoteDuration(*d.v))
		}
	}
	if o.Cache != nil {
		add("cache", fmt.Sprint(*o.Cache))
	}
	if len(out) > 0 {
		b.WriteString("\nWITH (" + strings.Join(out, ", ") + ")")
	}
}

// quoteDuration prints whole microseconds in the largest unit that fits.
func quoteDuration(d time.Duration) string {
	us := d.Microseconds()
	for _, u := range []string{"day", "hour", "minute", "second", "millisecond", "microsecond"} {
		if n := us / units[u]; us%units[u] == 0 && (n > 0 || u == "second") {
			if n != 1 {
				u += "s"
			}
			return fmt.Sprintf("'%d %s'", n, u)
		}
	}
	return fmt.Sprintf("'%d microseconds'", us)
}
