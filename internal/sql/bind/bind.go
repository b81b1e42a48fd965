// Package bind turns the text of a view's SELECT into a plan. DuckDB binds it: names, overloads, casts and decorrelation are its own
// (json_serialize_plan); this package writes the dialect's window functions and plain views into the text before, and translates
// the bound tree after. The tree's format belongs to DuckDB 1.5; nothing else in Leat reads it.
package bind

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Planner binds one SELECT over tables, columns by bare name or leat_system.name, and returns what json_serialize_plan prints. Errors are
// coded and have their place in sql. internal/duck has one.
type Planner interface {
	Plan(ctx context.Context, tables map[string][]types.Column, sql string) (string, error)
}

// Parser returns DuckDB's AST of a SELECT as json_serialize_sql prints it.
type Parser interface {
	SerializeSQL(ctx context.Context, text string) (string, error)
}

// Source is what a name in FROM stands for: a relation, or the query of a plain view.
type Source struct {
	Relation *plan.Relation
	Query    string
	// Columns rename the view's; nil keeps them.
	Columns []string
}

// Resolve finds a relation by its lower-case bare name, or by leat_system.name. Its errors are coded (types.UnknownRelation, with
// candidates); bind adds the place.
type Resolve func(name string) (Source, error)

// Binder binds queries. It may be used from any goroutine.
type Binder struct {
	planner Planner
	parser  Parser
}

// New returns a binder.
func New(planner Planner, parser Parser) *Binder { return &Binder{planner, parser} }

// Bind translates query, one SELECT that sql/guard has let pass: planning runs the constants of a query. Output columns have DuckDB's
// names, each name once. Faults are *types.Error with their place in query.
func (b *Binder) Bind(ctx context.Context, query string, resolve Resolve) (plan.Node, error) {
	return b.bind(ctx, query, resolve, view)
}

// BindOrdered is Bind for a result that is read once: the ORDER BY of the whole query is not forgotten, but is a TopN, without end where
// there is no LIMIT, below nothing but projections.
func (b *Binder) BindOrdered(ctx context.Context, query string, resolve Resolve) (plan.Node, error) {
	return b.bind(ctx, query, resolve, ordered)
}

// BindQuery is BindOrdered for a query that reads present rows: it may have parameters (plan.Param, of the types that DuckDB finds for them), LIMIT
// without ORDER BY (a TopN without Order) and limits that are not constant (TopN.LimitBy, OffsetBy).
func (b *Binder) BindQuery(ctx context.Context, query string, resolve Resolve) (plan.Node, error) {
	return b.bind(ctx, query, resolve, once)
}

// mode says what a query is bound for.
type mode uint8

const (
	view mode = iota
	ordered
	once
)

func (b *Binder) bind(ctx context.Context, query string, resolve Resolve, m mode) (plan.Node, error) {
	shadowed := map[int]bool{}
	for {
		s := &session{ctx: ctx, mode: m, planner: b.planner, parser: b.parser, resolve: resolve, text: query, shadowed: shadowed,
			relations: map[string]*plan.Relation{}, tables: map[string][]types.Column{}, ctes: map[uint64]plan.Node{}}
		n, err := s.bind()
		if err != nil {
			return nil, err
		}
		if !s.again {
			return n, nil
		}
	}
}

// session is the binding of one query.
type session struct {
	ctx     context.Context
	planner Planner
	parser  Parser
	resolve Resolve
	// text is the user's, planned what DuckDB binds.
	text    string
	planned segments
	// ast is the user's query, for places that the plan doesn't tell.
	ast object

	// relations are those that the query reads, by schema.name; tables are their columns, as the planner wants them.
	relations map[string]*plan.Relation
	tables    map[string][]types.Column
	windows   []*windowUse
	// shadowed are the window functions over rows that have columns of a window already: the new ones replace them. again asks
	// for another try that knows of one more.
	shadowed map[int]bool
	again    bool

	// ctes are the plans of CTEs by table index, delims those of the enclosing correlated joins, innermost last.
	ctes   map[uint64]plan.Node
	delims []plan.Node

	mode mode
	// outermost sets the order of the whole query, for the modes that ask for it.
	outermost *tree
}

func (s *session) shadow(use int) {
	if !s.shadowed[use] {
		s.shadowed[use], s.again = true, true
	}
}

// bind makes an error of a panic: the format is another program's, and a server must outlive what it reads there.
func (s *session) bind() (n plan.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = nil, types.Errorf(types.Internal, "BUG: DuckDB's plan has a form that is not known: %v", r)
		}
	}()
	inner, err := s.rewrite(s.text, nil, 0)
	if err != nil {
		return nil, err
	}
	// As a subquery's, the columns have names in the plan, and each its own.
	s.planned = append(append(segments{made("SELECT * FROM (", 0)}, inner...), made("\n)", len(s.text)))
	out, err := s.planner.Plan(s.ctx, s.tables, s.planned.String())
	if err != nil {
		return nil, s.replace(err)
	}
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		return nil, types.Errorf(types.Internal, "DuckDB's plan cannot be read: %w", err)
	}
	if len(a.Plans) != 1 || a.Plans[0] == nil {
		return nil, types.Errorf(types.Internal, "DuckDB made %d plans of one query", len(a.Plans))
	}
	if s.mode != view {
		s.outermost = outermostOrder(a.Plans[0])
	}
	if n, err = s.node(a.Plans[0]); err != nil {
		return nil, err
	}
	return s.named(a.Plans[0], n)
}

// wideSuffix ends the name by which sql/guard asks for a relation with its hidden columns.
const wideSuffix = "$leat"

var hiddenColumns = []types.Column{
	{Name: "_leat_offset", Type: types.Of(types.UBigInt)}, {Name: "_leat_partition", Type: types.Of(types.Integer)},
	{Name: "_leat_received_at", Type: types.Of(types.TimestampTZ)},
}

var hiddenSystem = []plan.System{plan.Offset, plan.Partition, plan.ReceivedAt}

func (s *session) lookup(name string) (Source, error) {
	src, err := s.resolve(strings.TrimSuffix(name, wideSuffix))
	if err == nil && src.Relation == nil && src.Query == "" {
		err = types.Errorf(types.UnknownRelation, "there is no stream, table or view %s", name)
	}
	return src, err
}

// use makes a relation known to the planner and returns its qualified name.
func (s *session) use(name string, r *plan.Relation) string {
	schema, bare, ok := strings.Cut(name, ".")
	if !ok {
		schema, bare = "public", name
	}
	s.relations[schema+"."+bare] = r
	columns := r.Schema.Columns
	if strings.HasSuffix(bare, wideSuffix) {
		columns = append(slices.Clone(columns), hiddenColumns...)
	}
	s.tables[name] = columns
	return types.QuoteIdent(schema) + "." + types.QuoteIdent(bare)
}
