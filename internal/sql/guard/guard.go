// Package guard decides what a user's SELECT may do, on DuckDB's AST and before anything is planned: planning already
// runs constants, copies CTEs, and cannot be interrupted. It runs nothing itself.
package guard

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"leat/internal/types"
)

// Limits of one statement.
const (
	MaxText      = 128 << 10  // bytes
	MaxSetOps    = 100        // UNION, EXCEPT, INTERSECT, with CTEs and views expanded at each use
	MaxRelations = 500        // relations and table functions, likewise
	MaxDepth     = 300        // nesting of brackets; DuckDB itself stops expressions at 1,000
	MaxSize      = 1_000_000  // elements or characters that one function call may make from constants
	MaxWork      = 20_000_000 // characters or elements that the constants of one statement may make and go through
)

// Serializer turns a SELECT into DuckDB's AST as JSON and back; internal/duck has one. SerializeSQL reports text that doesn't parse
// as types.SyntaxError with its place and what is no SELECT as types.NotAllowed.
type Serializer interface {
	SerializeSQL(ctx context.Context, text string) (string, error)
	DeserializeSQL(ctx context.Context, ast string) (string, error)
}

// Relation is what the guard must know of a stream, table or view.
type Relation struct {
	ID types.ObjectID
	// Name is the bare name, or leat_system.name.
	Name string
	// Query is the SELECT of a view, empty for streams and tables. Columns are the names that CREATE VIEW v (a, b) gives its columns.
	Query   string
	Columns []string
}

// Catalog resolves names.
type Catalog interface {
	// Relation finds a relation by its bare name, or by leat_system.name.
	Relation(name string) (Relation, bool)
	// Names lists all relations, for candidates.
	Names() []string
}

// Verdict is a SELECT that may run.
type Verdict struct {
	// SQL is the text to run: as written, or rewritten where it names a hidden column or a window function.
	SQL string
	// Rewritten says that places in SQL are not those of the text as written.
	Rewritten bool
	// Relations are what the statement reads itself, ordered by ID; what its views read is not among them.
	Relations []Relation
	// Volatile says that the answer may be another one though nothing that is read has changed: it asks for the time, or draws lots.
	Volatile bool
	// Wide says that SQL reads hidden columns.
	Wide bool
	// Params are the names of its parameters, sorted; positional ones are "1", "2", ...
	Params []string
	// Sized says that what an expression does may grow faster than the values of its parameters: CheckArgs judges them.
	Sized bool
	// Filters are the parameters of CheckFiltered.
	Filters []Filter
}

// Guard checks statements. It may be used from any goroutine.
type Guard struct {
	ser Serializer
	now func() time.Time
}

// New returns a guard that parses with s.
func New(s Serializer) *Guard { return &Guard{s, time.Now} }

// Check decides on one SELECT: a user's, or the body of a view or endpoint. Faults are *types.Error with their place in text.
func (g *Guard) Check(ctx context.Context, text string, cat Catalog) (*Verdict, error) {
	statement, c, v, err := g.check(ctx, text, cat)
	if err != nil {
		return nil, err
	}
	if err := c.expandWindows(); err != nil {
		return nil, err
	}
	if v.Wide = mentionsHidden(statement); len(c.windows) == 0 && !v.Wide {
		return v, nil
	}
	if err := c.exposeHidden(statement); err != nil {
		return nil, err
	}
	return v, g.rewrite(ctx, v, statement)
}

// check decides on a SELECT; the verdict's SQL is its own text.
func (g *Guard) check(ctx context.Context, text string, cat Catalog) (node, *checker, *Verdict, error) {
	statement, err := g.parse(ctx, text)
	if err != nil {
		return nil, nil, nil, err
	}
	c := &checker{ctx: ctx, guard: g, cat: cat, text: text, views: map[string]cost{}, now: g.now()}
	if err := c.statement(statement); err != nil {
		return nil, nil, nil, err
	}
	v := &Verdict{SQL: text, Relations: c.direct, Volatile: c.names.varies, Sized: sized(statement)}
	slices.SortFunc(v.Relations, func(a, b Relation) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range items(statement, "named_param_map") {
		v.Params = append(v.Params, str(p, "key"))
	}
	slices.Sort(v.Params)
	return statement, c, v, nil
}

// rewrite makes the verdict's SQL that of a changed AST.
func (g *Guard) rewrite(ctx context.Context, v *Verdict, statement node) error {
	ast, err := json.Marshal(node{"error": false, "statements": []any{statement}})
	if err != nil {
		return types.Errorf(types.Internal, "writing the AST: %w", err)
	}
	if v.SQL, err = g.ser.DeserializeSQL(ctx, string(ast)); err != nil {
		return err
	}
	v.Rewritten = true
	return nil
}

// parse returns the one SELECT of text.
func (g *Guard) parse(ctx context.Context, text string) (node, error) {
	if len(text) > MaxText {
		return nil, types.Errorf(types.QueryTooComplex, "the statement has %d bytes; the limit is %d", len(text), MaxText)
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, at(text, i, types.Errorf(types.SyntaxError, "SQL text with a NUL byte"))
	}
	if err := scan(text); err != nil {
		return nil, err
	}
	ast, err := g.ser.SerializeSQL(ctx, text)
	if err != nil {
		return nil, err
	}
	statements, err := decode(ast)
	if err != nil {
		return nil, err
	}
	if len(statements) != 1 {
		return nil, types.Errorf(types.NotAllowed, "expected one SELECT, found %d statements", len(statements))
	}
	statement, ok := statements[0].(node)
	if !ok {
		return nil, types.Errorf(types.Internal, "DuckDB's AST has a statement that is no object")
	}
	return statement, nil
}

func tooManySetOps() *types.Error {
	return types.Errorf(types.QueryTooComplex, "more than %d set operations, with views and CTEs expanded", MaxSetOps)
}
