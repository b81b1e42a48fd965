// Package opt improves plans and says what is known of them: which rows can be retracted, which columns carry a watermark, what state is
// bounded, which columns are a key. It is pure.
package opt

import (
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// Options are what the rules must know of other packages.
type Options struct {
	// Fallible reports whether an expression can fail for some row: such a one is never moved across a filter or join. nil takes all but
	// the plainest to be.
	Fallible func(*plan.Expr) bool
	// View returns the plan of a materialized view; nil where there is none. It is needed where what is computed from a view's rows depends
	// on their lateness, which the view's output does not tell: then its plan is taken instead of its rows.
	View func(types.ObjectID) plan.Node
}

// rule is one improvement. A rule keeps the output's columns, and shared nodes shared.
type rule struct {
	name  string
	apply func(*optimizer, plan.Node) plan.Node
}

// rules are applied in this order, each once.
var rules = [...]rule{
	// Filters go as far down as they can, and on their way become join keys, turn outer joins into inner ones and rankings into limits.
	{"push filters", (*optimizer).pushFilters},
	// Correlated subqueries read their own relation, without the outer values; what that leaves is pushed down once more.
	{"drop domains", (*optimizer).dropDomains},
	// A scalar subquery with one row per key is a left join.
	{"single joins", (*optimizer).relaxSingles},
	{"push filters", (*optimizer).pushFilters},
	// Project over Project is one; a Project that changes nothing goes.
	{"merge projections", (*optimizer).mergeProjects},
	// Aggregates that differ in the order of their groups alone become the same.
	{"order groups", (*optimizer).orderGroups},
	// A condition that bounds the distance of two times lets a join free its state.
	{"bands", (*optimizer).findBands},
	// What groups, ranks or joins by a time that carries a watermark drops late rows.
	{"late rows", (*optimizer).addLateness},
	// Columns that nobody reads are not read, passed on or kept.
	{"prune columns", (*optimizer).prune},
	{"merge projections", (*optimizer).mergeProjects},
	// What is computed twice is computed once.
	{"common sub-plans", (*optimizer).share},
}

// optimizer holds what the rules need while one plan is improved.
type optimizer struct {
	Options
	// uses counts the parents of each node of the plan as a rule finds it.
	uses map[plan.Node]int
	err  error
}

// Optimize returns a better plan with the same output. It refuses what has no meaning over streams, such as sessions without an order.
func Optimize(n plan.Node, o Options) (plan.Node, error) {
	fallible := o.Fallible
	if fallible == nil {
		fallible = computed
	}
	o.Fallible = func(e *plan.Expr) bool { return fallible(withoutOffsets(e)) }
	if o.View == nil {
		o.View = func(types.ObjectID) plan.Node { return nil }
	}
	if err := check(n); err != nil {
		return nil, err
	}
	z := &optimizer{Options: o}
	for _, r := range rules {
		z.uses = map[plan.Node]int{}
		z.count(n)
		n = r.apply(z, n)
		if z.err != nil {
			return nil, z.err
		}
	}
	return n, nil
}

// computed takes all expressions to be fallible but comparisons of columns and constants.
func computed(e *plan.Expr) bool {
	found := false
	e.Walk(func(e *plan.Expr) bool {
		found = found || e.Kind == plan.Call || e.Kind == plan.Cast && !e.Try
		return !found
	})
	return found
}

// withoutOffsets returns e with each time ± INTERVAL as the time alone: it fails only for times thousands of years from any that is in use, and
// must not keep conditions on event times from their joins.
func withoutOffsets(e *plan.Expr) *plan.Expr {
	if t, _, ok := timePlus(e); ok {
		return t
	}
	if len(e.Args) == 0 {
		return e
	}
	c := *e
	c.Args = make([]*plan.Expr, len(e.Args))
	for i, a := range e.Args {
		c.Args[i] = withoutOffsets(a)
	}
	return &c
}

func (z *optimizer) count(n plan.Node) {
	if z.uses[n]++; z.uses[n] > 1 {
		return
	}
	for _, in := range n.Inputs() {
		z.count(in)
	}
}

func (z *optimizer) anyFallible(es ...*plan.Expr) bool {
	for _, e := range es {
		if e != nil && z.Fallible(e) {
			return true
		}
	}
	return false
}
