package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"leat/internal/infer"
	"leat/internal/sql/ddl"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// relation returns the stream or table of that name, opening its file; nil where there is none.
func (s *script) relation(name string) (*plan.Relation, error) {
	if in := s.inputs[name]; in != nil {
		return in.rel, nil
	}
	src, declared := s.source(name), s.declared[name]
	if src == nil && name == "stdin" {
		src = &Source{Name: "stdin", Path: "-"}
	}
	if src == nil && declared == nil {
		return nil, nil
	}
	if src == nil {
		return nil, types.Errorf(types.InvalidArgument, "%s is declared but has no records", name).WithHint("give them: --input %s=FILE", name)
	}
	in, err := s.open(src)
	if err != nil {
		return nil, err
	}
	s.inputs[name], s.order = in, append(s.order, in)
	if in.rel, err = s.declare(in, declared); err != nil {
		return nil, err
	}
	return in.rel, s.watermark(in.rel)
}

// declare makes the relation of an input, from its CREATE statement or its first records.
func (s *script) declare(in *input, declared ddl.Statement) (*plan.Relation, error) {
	rel := &plan.Relation{ID: s.id(), Name: in.name, Partitions: 1, Schema: &types.Schema{Version: 1}}
	switch st := declared.(type) {
	case *ddl.CreateStream:
		s.columns(rel, st.Columns)
		return rel, s.setWatermark(rel, st.Watermark)
	case *ddl.CreateTable:
		s.columns(rel, st.Columns)
		rel.Kind = plan.TableRelation
		for _, k := range st.PrimaryKey {
			rel.Key = append(rel.Key, rel.Schema.Columns[rel.Schema.Index(k.Name)].ID)
		}
		if st.Version != nil {
			rel.VersionColumn = rel.Schema.Columns[rel.Schema.Index(st.Version.Name)].ID
		}
		return rel, s.setWatermark(rel, st.Watermark)
	}
	schema, err := in.sample()
	select {
	case <-s.done:
		return nil, context.Canceled
	default:
	}
	if err != nil {
		return nil, err
	}
	isTable := slices.ContainsFunc(s.Tables, func(t Source) bool { return t.Name == in.name })
	if isTable {
		schema = withoutOp(schema)
	}
	rel.Schema, rel.Time.Column = schema, infer.EventTime(schema)
	if isTable {
		rel.Kind = plan.TableRelation
		key := schema.Columns[max(0, schema.Index("id"))]
		rel.Key = []int32{key.ID}
		fmt.Fprintf(s.Stderr, "table %s: the key is %s; declare another with CREATE TABLE %s (..., PRIMARY KEY (...))\n", in.name, types.QuoteIdent(key.Name), in.name)
	}
	return rel, nil
}

// withoutOp leaves out the field that says what a table's record does.
func withoutOp(schema *types.Schema) *types.Schema {
	out := &types.Schema{Version: schema.Version}
	for _, c := range schema.Columns {
		if !slices.Equal(c.Path, []string{"_op"}) {
			out.Add(c.Name, c.Type, c.Path...)
		}
	}
	return out
}

func (s *script) columns(rel *plan.Relation, columns []ddl.Column) {
	for _, c := range columns {
		path := c.Path
		if len(path) == 0 {
			path = []string{c.Name.Name}
		}
		i := rel.Schema.Add(c.Name.Name, c.Type, path...)
		rel.Schema.Columns[i].NotNull = c.NotNull
	}
}

// watermark applies the flag that names the relation.
func (s *script) watermark(rel *plan.Relation) error {
	for _, text := range s.Watermarks {
		name, clause, _ := s.splitWatermark(text)
		if name != rel.Name {
			continue
		}
		w, err := parseWatermark(clause)
		if err != nil {
			return err
		}
		if err := s.setWatermark(rel, w); err != nil {
			return err
		}
	}
	return nil
}

// splitWatermark cuts "bid.ts - ..." into bid and "ts - ..."; the stream may be left out where there is one.
func (s *script) splitWatermark(text string) (name, clause string, ok bool) {
	text = strings.TrimSpace(text)
	if name, clause, ok = strings.Cut(text, "."); ok && types.CheckObjectName(name) == nil {
		return name, clause, true
	}
	if len(s.Inputs) == 1 {
		return s.Inputs[0].Name, text, true
	}
	return "stdin", text, len(s.Inputs) == 0
}

// parseWatermark reads "ts - INTERVAL 4 SECONDS" or "ts".
func parseWatermark(clause string) (*ddl.Watermark, error) {
	column, rest, _ := strings.Cut(clause, "-")
	column = strings.TrimSpace(column)
	if strings.TrimSpace(rest) == "" {
		rest = "INTERVAL '0 seconds'"
	}
	st, err := ddl.Parse("ALTER STREAM s SET WATERMARK FOR " + column + " AS " + column + " - " + rest)
	if err != nil {
		return nil, types.Errorf(types.InvalidArgument, "--watermark %q: %s", clause, types.AsError(err).Message).WithHint("write it as --watermark 'stream.column - INTERVAL 4 SECONDS'")
	}
	if a, ok := st[0].(*ddl.Alter); ok && len(a.Actions) == 1 {
		if w, ok := a.Actions[0].(ddl.SetWatermark); ok {
			return &w.Watermark, nil
		}
	}
	return nil, types.Errorf(types.InvalidArgument, "--watermark %q is not a column minus an interval", clause)
}

func (s *script) setWatermark(rel *plan.Relation, w *ddl.Watermark) error {
	if w == nil {
		return nil
	}
	i := rel.Schema.Index(w.Column.Name)
	if i < 0 {
		return types.Errorf(types.UnknownColumn, "the watermark of %s is for %s, which is no column of it", rel.Name, types.QuoteIdent(w.Column.Name)).
			WithHint("columns: %s", rel.Schema)
	}
	c := rel.Schema.Columns[i]
	if !c.Type.Kind.IsTime() {
		return types.Errorf(types.TypeMismatch, "the watermark of %s is for %s, which is %s, not a TIMESTAMP", rel.Name, types.QuoteIdent(c.Name), c.Type).
			WithHint("declare it: CREATE STREAM %s (%s TIMESTAMP, ...)", rel.Name, types.QuoteIdent(c.Name))
	}
	rel.Time = types.TimeRule{Column: c.ID, Watermarked: true, Delay: w.Delay}
	return nil
}
