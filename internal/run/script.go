package run

import (
	"context"
	"slices"
	"strings"

	"leat/internal/engine/expr"
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
	// ahead are inputs that are open already, of which the schema is being inferred.
	ahead map[string]*input
	// views are plain views' texts and columns, plans those of materialized views.
	views  map[string]*ddl.CreateView
	plans  map[string]*plan.Relation
	bound  map[*plan.Relation]plan.Node
	nextID types.ObjectID
	// done is closed when the run is to end.
	done <-chan struct{}
}

func newScript(ctx context.Context, o Options) (*script, error) {
	if strings.TrimSpace(o.Script) == "" {
		return nil, types.Errorf(types.InvalidArgument, "the script is empty").WithHint(`give a file with SQL, or the SQL itself in quotes: leat run "SELECT ... FROM stdin"`)
	}
	if o.Step < 0 {
		return nil, types.Errorf(types.InvalidArgument, "a step has at least one record, not %d", o.Step)
	}
	statements, err := ddl.Parse(o.Script)
	if err != nil {
		return nil, err
	}
	s := &script{
		Options: o, statements: statements, declared: map[string]ddl.Statement{}, inputs: map[string]*input{}, ahead: map[string]*input{},
		views: map[string]*ddl.CreateView{}, plans: map[string]*plan.Relation{}, bound: map[*plan.Relation]plan.Node{}, nextID: 1, done: ctx.Done(),
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
	return s, s.check()
}

// check refuses what the flags can't mean together.
func (s *script) check() error {
	var stdin []string
	for _, src := range slices.Concat(s.Inputs, s.Tables) {
		if src.Path == "-" {
			stdin = append(stdin, src.Name)
		}
	}
	if len(stdin) > 1 {
		return types.Errorf(types.InvalidArgument, "%s: standard input can be read once", strings.Join(stdin, ", "))
	}
	for _, text := range s.Watermarks {
		name, _, ok := s.splitWatermark(text)
		switch {
		case !ok:
			return types.Errorf(types.InvalidArgument, "--watermark %q names no stream", text).WithHint("write it as --watermark 'stream.column - INTERVAL 4 SECONDS'")
		case s.source(name) == nil && s.declared[name] == nil && name != "stdin":
			return types.Errorf(types.InvalidArgument, "--watermark %q: there is no input %s", text, name).WithHint("give its file: --input %s=FILE", name)
		}
	}
	return nil
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
	for _, in := range s.ahead {
		<-in.ahead.ready
		in.close()
	}
}

// bind turns the script into the plan of its last query.
func (s *script) bind(ctx context.Context) (*query, error) {
	s.lookAhead()
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
