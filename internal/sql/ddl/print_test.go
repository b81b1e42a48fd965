package ddl

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leat/internal/types"
)

// TestPrint checks that Parse reads the very definition back that Print printed, for any definition.
func TestPrint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyStatement(t)
		printed := Print(want)
		got, err := Parse(printed)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s\nread back: %v", printed, err)
		}
		if start, end := got[0].Range(); start != 0 || end != len(printed) {
			t.Fatalf("%s\nhas the range %d to %d", printed, start, end)
		}
		forget(reflect.ValueOf(got[0]))
		if !reflect.DeepEqual(got[0], want) {
			t.Fatalf("%s\nread back: %+v\nwant:      %+v", printed, got[0], want)
		}
	})
}

// forget sets every place in a statement to 0.
func forget(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			forget(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			forget(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch v.Type().Field(i).Name {
			case "Pos", "TypePos", "DefaultPos", "Offset", "Start", "End":
				v.Field(i).SetInt(0)
			default:
				forget(v.Field(i))
			}
		}
	}
}

func anyStatement(t *rapid.T) Statement {
	h := Head{Name: ObjectName{Name: rapid.StringMatching(`[a-z_][a-z0-9_]{0,10}`).Filter(func(s string) bool { return types.CheckObjectName(s) == nil }).Draw(t, "name")}}
	switch rapid.IntRange(0, 2).Draw(t, "mode") {
	case 1:
		h.OrReplace = true
	case 2:
		h.IfNotExists = true
	}
	switch rapid.IntRange(0, 5).Draw(t, "statement") {
	case 5:
		s := &CreateIndex{IfNotExists: h.IfNotExists, On: h.Name, Columns: someOf(t, anyColumns(t), 1)}
		if s.IfNotExists || rapid.Bool().Draw(t, "named") {
			s.Name.Name = rapid.SampledFrom([]string{"i", "index", "concurrently", "on", "if", "using"}).Draw(t, "index")
		}
		return s
	case 0:
		columns := anyColumns(t)
		s := &CreateStream{Head: h, Columns: columns, PartitionBy: someOf(t, columns, 0), Watermark: anyWatermark(t, columns)}
		s.Options = anyOptions(t, columns, s.Watermark)
		return s
	case 1:
		columns := anyColumns(t)
		s := &CreateTable{Head: h, Columns: columns, PrimaryKey: someOf(t, columns, 1), Watermark: anyWatermark(t, columns)}
		for i, c := range columns {
			columns[i].NotNull = c.NotNull || slices.Contains(s.PrimaryKey, c.Name)
		}
		if rapid.Bool().Draw(t, "versioned") {
			s.Version = &Ident{Name: rapid.SampledFrom(columns).Draw(t, "version").Name.Name}
		}
		s.Options = anyOptions(t, columns, s.Watermark)
		return s
	case 2:
		return &CreateView{Head: h, Columns: someOf(t, anyColumns(t), 0), Query: anyQuery(t)}
	case 3:
		return &CreateMaterializedView{Head: h, Columns: someOf(t, anyColumns(t), 0), Query: anyQuery(t), EmitOnClose: rapid.Bool().Draw(t, "emit")}
	}
	return &CreateEndpoint{Head: h, Params: anyParams(t), Options: anyEndpointOptions(t), Query: anyQuery(t)}
}

var (
	// anyText is UTF-8 without NUL, often with the characters that printing must mind.
	anyText = rapid.OneOf(rapid.StringN(0, 20, 100), rapid.StringMatching(`['"\\$.\[\]a-c 0-9-]{0,8}`)).
		Filter(func(s string) bool { return !strings.ContainsRune(s, 0) && strings.ToValidUTF8(s, "") == s })
	anyColumnName = rapid.OneOf(anyText, rapid.SampledFrom([]string{"version", "primary", "key", "watermark", "constraint", "check", "path", "not", "a", "B"})).
			Filter(func(s string) bool { return types.CheckColumnName(s) == nil })
)

func anyType(t *rapid.T, depth int) types.Type {
	last := 12
	if depth == 0 {
		last = 9
	}
	switch rapid.IntRange(0, last).Draw(t, "type") {
	case 9:
		p := rapid.IntRange(1, 38).Draw(t, "precision")
		return types.DecimalOf(uint8(p), uint8(rapid.IntRange(0, p).Draw(t, "scale")))
	case 10:
		return types.ListOf(anyType(t, depth-1))
	case 11:
		return types.MapOf(anyType(t, depth-1), anyType(t, depth-1))
	case 12:
		var s types.Type
		s.Kind = types.Struct
		for i := range rapid.IntRange(1, 3).Draw(t, "fields") {
			name := fmt.Sprintf("%s%d", anyColumnName.Draw(t, "field"), i)
			key := name
			if rapid.Bool().Draw(t, "another key") {
				key = fmt.Sprintf("%d%s", i, anyText.Draw(t, "key"))
			}
			if slices.ContainsFunc(s.Fields, func(f types.Field) bool { return f.Key == key }) {
				continue
			}
			s.Fields = append(s.Fields, types.Field{Name: name, Key: key, Type: anyType(t, depth-1)})
		}
		return s
	}
	return types.Of(rapid.SampledFrom([]types.Kind{types.Boolean, types.BigInt, types.UTinyInt, types.HugeInt, types.Double, types.Varchar, types.Blob,
		types.Timestamp, types.TimestampTZ, types.UUID, types.JSON, types.Interval, types.Date, types.Time}).Draw(t, "kind"))
}

func anyColumns(t *rapid.T) []Column {
	names := rapid.SliceOfNDistinct(anyColumnName, 1, 6, strings.ToLower).Draw(t, "columns")
	var out []Column
	for _, n := range names {
		if slices.ContainsFunc(out, func(c Column) bool { return strings.EqualFold(c.Name.Name, n) }) {
			continue
		}
		c := Column{Name: Ident{Name: n}, Type: anyType(t, 2), NotNull: rapid.Bool().Draw(t, "not null"), Path: []string{n}}
		if rapid.Bool().Draw(t, "path") {
			c.Path = rapid.SliceOfN(anyText, 1, types.MaxDepth).Draw(t, "keys")
		}
		out = append(out, c)
	}
	return out
}

// someOf names some of the columns, at least least; nil for none.
func someOf(t *rapid.T, columns []Column, least int) []Ident {
	var out []Ident
	for _, c := range columns {
		if len(out) < least || rapid.Bool().Draw(t, "named") {
			out = append(out, c.Name)
		}
	}
	return out
}

func timeColumn(columns []Column) *Ident {
	for i := range columns {
		if columns[i].Type.Kind.IsTime() {
			return &Ident{Name: columns[i].Name.Name}
		}
	}
	return nil
}

func anyDuration(t *rapid.T, least int64) *time.Duration {
	unit := rapid.SampledFrom([]time.Duration{time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "unit")
	d := time.Duration(rapid.Int64Range(least, 10_000).Draw(t, "amount")) * unit
	return &d
}

func anyWatermark(t *rapid.T, columns []Column) *Watermark {
	at := timeColumn(columns)
	if at == nil || rapid.Bool().Draw(t, "no watermark") {
		return nil
	}
	return &Watermark{Column: *at, Delay: *anyDuration(t, 0)}
}

func anyOptions(t *rapid.T, columns []Column, w *Watermark) Options {
	var o Options
	given := func(name string) bool { return rapid.Bool().Draw(t, name) }
	if given("ttl") {
		o.TTL = anyDuration(t, 0)
	}
	if given("max_future") {
		o.MaxFuture = anyDuration(t, 1)
	}
	if given("idle") {
		o.Idle = anyDuration(t, 0)
	}
	if given("partitions") {
		n := rapid.Uint32Range(1, MaxPartitions).Draw(t, "n")
		o.Partitions = &n
	}
	if given("event_time") {
		if o.EventTime = timeColumn(columns); w != nil {
			o.EventTime = &Ident{Name: w.Column.Name}
		}
	}
	if given("closed") {
		v := rapid.Bool().Draw(t, "v")
		o.Closed = &v
	}
	if given("description") {
		s := anyText.Draw(t, "text")
		o.Description = &s
	}
	return o
}

func anyEndpointOptions(t *rapid.T) Options {
	var o Options
	given := func(name string) bool { return rapid.Bool().Draw(t, name) }
	if given("description") {
		s := anyText.Draw(t, "text")
		o.Description = &s
	}
	if given("rate") {
		v := rapid.OneOf(rapid.Float64Range(1.0/3600, maxRate), rapid.SampledFrom([]float64{1, 0.5, maxRate, 1.0 / 3600})).Draw(t, "v")
		o.Rate = &v
	}
	for _, n := range []**int{&o.Burst, &o.Concurrent, &o.MaxRows} {
		if given("count") {
			v := rapid.IntRange(1, maxRate).Draw(t, "v")
			*n = &v
		}
	}
	if given("max_bytes") {
		v := rapid.Int64Range(1, maxBytes).Draw(t, "v")
		o.MaxBytes = &v
	}
	if given("timeout") {
		v := time.Duration(rapid.Int64Range(1000, maxTimeout.Microseconds()).Draw(t, "v")) * time.Microsecond
		o.Timeout = &v
	}
	if given("stale_if_overloaded") {
		v := time.Duration(rapid.Int64Range(0, maxStale.Microseconds()).Draw(t, "v")) * time.Microsecond
		o.StaleIfOverloaded = &v
	}
	if given("cache") {
		v := rapid.Bool().Draw(t, "v")
		o.Cache = &v
	}
	return o
}

func anyParams(t *rapid.T) []Param {
	var out []Param
	for i := range rapid.IntRange(0, 4).Draw(t, "params") {
		p := Param{Name: Ident{Name: fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"a", "select", "format", "x_"}).Draw(t, "param"), i)}, Type: anyType(t, 1)}
		switch rapid.IntRange(0, 3).Draw(t, "default") {
		case 1:
			p.HasDefault = true
		case 2:
			s := anyText.Draw(t, "value")
			p.HasDefault, p.Default = true, &s
		case 3:
			s := rapid.SampledFrom([]string{"true", "false", "-1", "007", "1.5", "1e9", "-", "", "--1", "null", "-٣"}).Draw(t, "value")
			p.HasDefault, p.Default = true, &s
		}
		out = append(out, p)
	}
	return out
}

func anyQuery(t *rapid.T) Query {
	return Query{Text: rapid.SampledFrom([]string{"SELECT 1", "FROM s", "WITH a AS (SELECT ';') SELECT * FROM a", "VALUES (1, 'x')", "(SELECT $a)",
		"SELECT /* ; */ \"emit\" FROM s -- x\nWHERE a = $$;$$", "TABLE s", "SELECT {'a': [1, 2]}"}).Draw(t, "query")}
}
