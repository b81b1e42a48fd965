package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"leat/internal/engine/expr"
	"leat/internal/infer"
	"leat/internal/sql/bind"
	"leat/internal/sql/ddl"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// script is the statements and what they may name.
type script struct {
	Options
	statements []ddl.Statement
	// declared are the CREATE STREAM and TABLE statements, by name.
	declared map[string]ddl.Statement
	inputs   map[string]*input
	order    []*input
	// views are plain views' texts and columns, plans those of materialized views.
	views  map[string]*ddl.CreateView
	plans  map[string]*plan.Relation
	bound  map[*plan.Relation]plan.Node
	nextID types.ObjectID
}

func newScript(o Options) (*script, error) {
	statements, err := ddl.Parse(o.Script)
	if err != nil {
		return nil, err
	}
	s := &script{
		Options: o, statements: statements, declared: map[string]ddl.Statement{}, inputs: map[string]*input{},
		views: map[string]*ddl.CreateView{}, plans: map[string]*plan.Relation{}, bound: map[*plan.Relation]plan.Node{}, nextID: 1,
	}
	for _, st := range statements {
		switch st := st.(type) {
		case *ddl.CreateStream:
			s.declared[st.Name.Name] = st
		case *ddl.CreateTable:
			s.declared[st.Name.Name] = st
		}
	}
	for _, src := range slices.Concat(o.Inputs, o.Tables) {
		if err := types.CheckObjectName(src.Name); err != nil {
			return nil, err
		}
		if s.source(src.Name) == nil {
			return nil, types.Errorf(types.InvalidArgument, "%s is given twice", src.Name)
		}
	}
	return s, nil
}

// source finds the file of a name; nil where the name is given twice.
func (s *script) source(name string) *Source {
	var found *Source
	for _, list := range [][]Source{s.Inputs, s.Tables} {
		for i := range list {
			if list[i].Name != name {
				continue
			}
			if found != nil {
				return nil
			}
			found = &list[i]
		}
	}
	return found
}

func (s *script) close() {
	for _, in := range s.order {
		in.close()
	}
}

// bind turns the script into the plan of its last query.
func (s *script) bind(ctx context.Context) (*query, error) {
	var last plan.Node
	for i, st := range s.statements {
		var err error
		switch st := st.(type) {
		case *ddl.CreateStream, *ddl.CreateTable:
		case *ddl.CreateView:
			s.views[st.Name.Name] = st
		case *ddl.CreateMaterializedView:
			last, err = s.materialize(ctx, st, i == len(s.statements)-1)
		case *ddl.Select:
			if i != len(s.statements)-1 {
				return nil, s.fail(st.Start, types.InvalidArgument, "only the last statement may be a SELECT").
					WithHint("name it: CREATE MATERIALIZED VIEW name AS SELECT ...")
			}
			last, err = s.plan(ctx, st.Query, true)
		default:
			start, _ := st.Range()
			return nil, s.fail(start, types.Unsupported, "`leat run` takes CREATE STREAM, TABLE, VIEW, MATERIALIZED VIEW and SELECT")
		}
		if err != nil {
			return nil, err
		}
	}
	if last == nil {
		return nil, types.Errorf(types.InvalidArgument, "the script has nothing to run").WithHint("end it with a SELECT or a CREATE MATERIALIZED VIEW")
	}
	o, _ := lift(last)
	node, err := opt.Optimize(o.node, opt.Options{Fallible: expr.Fallible})
	if err != nil {
		return nil, err
	}
	return &query{script: s, node: node, orders: o.orders}, nil
}

func (s *script) fail(offset int, code types.Code, format string, args ...any) *types.Error {
	line, column := types.Place(s.Script, offset)
	return types.Errorf(code, format, args...).At(line, column)
}

// materialize plans a view and remembers it for the statements after it.
func (s *script) materialize(ctx context.Context, st *ddl.CreateMaterializedView, last bool) (plan.Node, error) {
	node, err := s.plan(ctx, st.Query, last)
	if err != nil {
		return nil, err
	}
	if len(st.Columns) > 0 {
		if node, err = s.rename(node, st.Columns); err != nil {
			return nil, err
		}
	}
	if st.EmitOnClose {
		if node, err = opt.Close(node); err != nil {
			line, column := types.Place(s.Script, st.Start)
			return nil, types.AsError(err).At(line, column)
		}
	}
	rel := &plan.Relation{ID: s.id(), Name: st.Name.Name, Kind: plan.ViewRelation, Schema: &types.Schema{Version: 1}}
	for _, f := range node.Fields() {
		rel.Schema.Add(f.Name, f.Type)
	}
	s.plans[rel.Name], s.bound[rel] = rel, node
	return node, nil
}

// rename gives the columns other names.
func (s *script) rename(node plan.Node, names []ddl.Ident) (plan.Node, error) {
	fields := node.Fields()
	if len(names) > len(fields) {
		return nil, s.fail(names[len(fields)].Pos, types.InvalidArgument, "the view has %d names for %d columns", len(names), len(fields))
	}
	p := &plan.Project{Input: node, Out: slices.Clone(fields)}
	for i, f := range fields {
		p.Exprs = append(p.Exprs, plan.Col(i, f.Type))
		if i < len(names) {
			p.Out[i].Name = names[i].Name
		}
	}
	return p, nil
}

// plan binds one query; scans of views become the views' plans, so that one that is used twice runs once. The last query's order is kept,
// as it is printed in it.
func (s *script) plan(ctx context.Context, q ddl.Query, last bool) (plan.Node, error) {
	var node plan.Node
	var err error
	kept := false
	if last && !s.Changes && !s.Follow {
		if node, err = s.Binder.BindOrdered(ctx, q.Text, s.resolve); err == nil {
			_, kept = lift(node)
		}
	}
	if err == nil && !kept {
		node, err = s.Binder.Bind(ctx, q.Text, s.resolve)
	}
	if err != nil {
		return nil, s.placed(err, q)
	}
	return plan.Rewrite(node, func(n plan.Node) plan.Node {
		scan, ok := n.(*plan.Scan)
		if !ok || scan.Relation.Kind != plan.ViewRelation {
			return n
		}
		below := s.bound[scan.Relation]
		p := &plan.Project{Input: below, Out: scan.Out}
		for i, c := range scan.Columns {
			p.Exprs = append(p.Exprs, plan.Col(c, scan.Out[i].Type))
		}
		return p
	}), nil
}

// placed moves an error's place in a query to its place in the script.
func (s *script) placed(err error, q ddl.Query) error {
	e := types.AsError(err)
	if e.Line == 0 {
		return err
	}
	line, column := types.Place(s.Script, q.Offset)
	moved := *e
	if e.Line == 1 {
		moved.Column += column - 1
	}
	moved.Line += line - 1
	return &moved
}

func (s *script) id() types.ObjectID {
	s.nextID++
	return s.nextID
}

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
	live := s.Follow || src.Path == "-"
	in, err := openInput(*src, &s.Options, live)
	if err != nil {
		return nil, err
	}
	s.inputs[name], s.order = in, append(s.order, in)
	if in.rel, err = s.declare(in, declared, live); err != nil {
		return nil, err
	}
	return in.rel, s.watermark(in.rel)
}

// declare makes the relation of an input, from its CREATE statement or its first records.
func (s *script) declare(in *input, declared ddl.Statement, live bool) (*plan.Relation, error) {
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
	schema, err := in.sample(live)
	if err != nil {
		return nil, err
	}
	rel.Schema, rel.Time.Column = schema, infer.EventTime(schema)
	if slices.ContainsFunc(s.Tables, func(t Source) bool { return t.Name == in.name }) {
		rel.Kind = plan.TableRelation
		key := schema.Columns[max(0, schema.Index("id"))]
		rel.Key = []int32{key.ID}
		fmt.Fprintf(s.Stderr, "table %s: the key is %s; declare another with CREATE TABLE %s (..., PRIMARY KEY (...))\n", in.name, types.QuoteIdent(key.Name), in.name)
	}
	return rel, nil
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
		name, clause, ok := s.splitWatermark(text)
		if !ok {
			return types.Errorf(types.InvalidArgument, "--watermark %q names no stream", text).WithHint("write it as --watermark 'stream.column - INTERVAL 4 SECONDS'")
		}
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
		return nil, types.Errorf(types.InvalidArgument, "--watermark %q: %w", clause, err).WithHint("write it as --watermark 'stream.column - INTERVAL 4 SECONDS'")
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

// resolve finds what a name in FROM stands for.
func (s *script) resolve(name string) (bind.Source, error) {
	if rel := s.plans[name]; rel != nil {
		return bind.Source{Relation: rel}, nil
	}
	if v := s.views[name]; v != nil {
		src := bind.Source{Query: v.Query.Text}
		for _, c := range v.Columns {
			src.Columns = append(src.Columns, c.Name)
		}
		return src, nil
	}
	rel, err := s.relation(name)
	if err != nil {
		return bind.Source{}, err
	}
	if rel == nil {
		return bind.Source{}, types.Errorf(types.UnknownRelation, "there is no input, table or view %q", name).WithHint("give its file: --input %s=FILE", name)
	}
	return bind.Source{Relation: rel}, nil
}
