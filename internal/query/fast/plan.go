// Package fast answers SELECTs whose plan is a look-up by key, a range or a small filter of one relation whose rows the engine keeps, straight from
// a snapshot of them. What it can't answer exactly as the store would it leaves to the store, at the latest while it runs: there is no error of its
// own, so that errors too are the store's.
package fast

import (
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/engine/expr"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// MaxRows is how many rows a run examines, and answers, at most; a query that needs more goes to the store.
const MaxRows = 10_000

// maxExprs bounds the expressions of a plan after its subqueries are written into one another.
const maxExprs = 2000

// Plan is a SELECT over one live relation: rows of Relation that satisfy all conds, in an order, cut, and computed from. It is immutable, and any
// goroutine may run it.
type Plan struct {
	// Relation and Name are what it reads.
	Relation types.ObjectID
	Name     string
	// Columns are the result's.
	Columns []types.Column
	// Params are the parameters that it uses, by their place in what it evaluates; a name comes once for each type that it is used in.
	Params []Param

	// All expressions are over the relation's columns.
	conds []*plan.Expr
	exprs []*plan.Expr
	order []plan.SortKey
	// limit and offset are those of the query; limit < 0 is none. limitBy and offsetBy, if set, are computed instead.
	limit, offset     int64
	limitBy, offsetBy *plan.Expr

	columns []types.Column // the relation's
	schema  *arrow.Schema
	// chosen is the choice for the newest orders that were seen.
	chosen atomic.Pointer[choice]
}

// Param is a parameter of a plan.
type Param struct {
	Name string
	// Type is the type in which the plan uses its value.
	Type types.Type
}

// New matches a plan that sql/bind has made of a query that is read once. declared are the types that its text gives its parameters, by CAST($p AS
// type). reason says why the query is none for this package.
func New(n plan.Node, declared map[string]types.Type) (p *Plan, reason string) {
	p = &Plan{limit: -1}
	for i, f := range n.Fields() {
		p.exprs = append(p.exprs, plan.Col(i, f.Type))
		p.Columns = append(p.Columns, types.Column{ID: int32(i + 1), Name: f.Name, Type: f.Type})
	}
	if reason = p.descend(n); reason != "" {
		return nil, reason
	}
	if reason = p.check(); reason != "" {
		return nil, reason
	}
	p.number()
	for _, a := range p.Params {
		if t, ok := declared[strings.ToLower(a.Name)]; !ok || !usable(t, a.Type) {
			return nil, "the store converts the parameter $" + a.Name + " to " + a.Type.String()
		}
	}
	p.schema = schemaOf(p.Columns)
	return p, ""
}

// Named gives the result the names that the store gives it; false where it has other types.
func (p *Plan) Named(columns []types.Column) bool {
	if len(columns) != len(p.Columns) {
		return false
	}
	for i, c := range columns {
		if !c.Type.Equal(p.Columns[i].Type) {
			return false
		}
		p.Columns[i].Name = c.Name
	}
	p.schema = schemaOf(p.Columns)
	return true
}

func schemaOf(columns []types.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// descend follows the plan down to its scan, writing what each node computes into the expressions above it.
func (p *Plan) descend(n plan.Node) (reason string) {
	cut := false
	for {
		switch m := n.(type) {
		case *plan.Project:
			p.substitute(m.Exprs)
			n = m.Input
		case *plan.Filter:
			if p.conds = conjuncts(p.conds, m.Cond); m.Late {
				return "it tests for late rows"
			}
			n = m.Input
		case *plan.TopN:
			switch {
			case m.Number || len(m.Partition) > 0 || m.Ranking != plan.RowNumber:
				return "it ranks rows"
			case cut:
				return "it limits rows twice"
			case len(p.conds) > 0:
				return "it filters rows that a LIMIT has chosen"
			}
			cut = true
			p.order, p.limit, p.offset, p.limitBy, p.offsetBy = m.Order, m.Limit, m.Offset, m.LimitBy, m.OffsetBy
			n = m.Input
		case *plan.Scan:
			return p.scan(m)
		default:
			return refusal(n)
		}
		if p.size() > maxExprs {
			return "its expressions are too large"
		}
	}
}

func refusal(n plan.Node) string {
	switch n := n.(type) {
	case *plan.Join:
		return "it joins"
	case *plan.Aggregate:
		if len(n.Aggs) == 0 {
			return "it makes rows distinct"
		}
		return "it aggregates"
	case *plan.Union:
		return "it unites relations"
	case *plan.Values:
		return "it reads no view or table"
	}
	return "it is more than a look-up, a range or a filter of one view or table"
}

func (p *Plan) scan(s *plan.Scan) (reason string) {
	if len(s.System) > 0 {
		return "it asks for the place of rows in the log"
	}
	columns := make([]*plan.Expr, len(s.Columns))
	for i, c := range s.Columns {
		columns[i] = plan.Col(c, s.Relation.Schema.Columns[c].Type)
	}
	p.substitute(columns)
	p.Relation, p.Name, p.columns = s.Relation.ID, s.Relation.Name, s.Relation.Schema.Columns
	return ""
}

// substitute writes the expressions of an input into those over it.
func (p *Plan) substitute(in []*plan.Expr) {
	f := func(e *plan.Expr) *plan.Expr { return in[e.Index] }
	for i, e := range p.exprs {
		p.exprs[i] = e.Map(f)
	}
	for i, e := range p.conds {
		p.conds[i] = e.Map(f)
	}
	order := make([]plan.SortKey, len(p.order))
	for i, k := range p.order {
		order[i] = k
		order[i].Expr = k.Expr.Map(f)
	}
	p.order = order
}

// conjuncts appends the parts of a condition that must all be true.
func conjuncts(dst []*plan.Expr, e *plan.Expr) []*plan.Expr {
	if e.Kind != plan.And {
		return append(dst, e)
	}
	for _, a := range e.Args {
		dst = conjuncts(dst, a)
	}
	return dst
}

// all are the plan's expressions.
func (p *Plan) all(visit func(**plan.Expr)) {
	for i := range p.exprs {
		visit(&p.exprs[i])
	}
	for i := range p.conds {
		visit(&p.conds[i])
	}
	for i := range p.order {
		visit(&p.order[i].Expr)
	}
	if p.limitBy != nil {
		visit(&p.limitBy)
	}
	if p.offsetBy != nil {
		visit(&p.offsetBy)
	}
}

func (p *Plan) size() (n int) {
	p.all(func(e **plan.Expr) {
		(*e).Walk(func(*plan.Expr) bool { n++; return true })
	})
	return n
}

// check refuses what the kernels don't compute.
func (p *Plan) check() (reason string) {
	p.all(func(e **plan.Expr) { *e = texts(*e) })
	p.all(func(e **plan.Expr) {
		if reason == "" && !expr.Easy(*e) {
			reason = "DuckDB has to compute " + p.print(*e)
		}
	})
	for _, k := range p.order {
		if k.Expr.Type.Kind.IsNested() && reason == "" {
			reason = "it orders by a " + k.Expr.Type.Kind.String()
		}
	}
	return reason
}

// numbers are those that plan.Expr prints behind the names of columns.
var numbers = regexp.MustCompile(`(\w)#\d+`)

// print shows an expression with the names of columns.
func (p *Plan) print(e *plan.Expr) string {
	fields := make([]plan.Field, len(p.columns))
	for i, c := range p.columns {
		fields[i] = plan.Field{Name: c.Name, Type: c.Type}
	}
	return numbers.ReplaceAllString(e.Print(fields), "$1")
}

// texts reads the constants and parameters that stand as text for another type: a parameter cast from text is a parameter of that type.
func texts(e *plan.Expr) *plan.Expr {
	if e.Kind == plan.Cast && !e.Try && e.Args[0].Type.Kind == types.Varchar {
		switch from := e.Args[0]; from.Kind {
		case plan.Param:
			c := *from
			c.Type = e.Type
			return &c
		case plan.Const:
			if s, ok := from.Value.(string); ok {
				if v, ok := constant(s, e.Type); ok {
					return &plan.Expr{Kind: plan.Const, Type: e.Type, Value: v, Place: e.Place}
				}
			}
		}
	}
	for i, a := range e.Args {
		if m := texts(a); m != a {
			c := *e
			c.Args = append([]*plan.Expr(nil), e.Args...)
			c.Args[i] = m
			e = &c
		}
	}
	return e
}

// number gives each parameter, as it is used in one type, its place in Params.
func (p *Plan) number() {
	var visit func(e *plan.Expr) *plan.Expr
	visit = func(e *plan.Expr) *plan.Expr {
		c := *e
		if e.Kind == plan.Param {
			c.Index = p.param(e)
			return &c
		}
		c.Args = make([]*plan.Expr, len(e.Args))
		for i, a := range e.Args {
			c.Args[i] = visit(a)
		}
		return &c
	}
	p.all(func(e **plan.Expr) { *e = visit(*e) })
}

func (p *Plan) param(e *plan.Expr) int {
	for i, known := range p.Params {
		if known.Name == e.Name && known.Type.Equal(e.Type) {
			return i
		}
	}
	p.Params = append(p.Params, Param{e.Name, e.Type})
	return len(p.Params) - 1
}
