package expr

import (
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// program is what Compile made: one node per expression, and what the Evaluator has to do for them.
type program struct {
	roots []node
	types []types.Type
	rest  *fallback
	now   int64
	// params are the values of parameters.
	params []*zset.Vec
	// inputs are the columns that the expressions read, ascending.
	inputs []int
	// transient is set where results needn't outlive the next evaluation.
	transient bool
	x         exec
}

// node computes one expression for the rows of x.
type node func(x *exec) operand

// operand is a column as long as the input, or (one) a single value that stands for every row.
type operand struct {
	*zset.Vec
	one bool
}

// at is where row i's value is.
func (o operand) at(i int) int {
	if o.one {
		return 0
	}
	return i
}

func (o operand) null(i int) bool { return o.Valid != nil && o.Null(o.at(i)) }

// exec is one evaluation under way.
type exec struct {
	in *zset.Batch
	// n is how many rows kernels compute: the input's, or 1 where all operands are single values.
	n      int
	now    int64
	params []*zset.Vec
	fails  []Failure
	rest   *fallback
	arena  arena
	// err is why the whole evaluation fails, nil if it doesn't.
	err error
}

// fail records that a row has no value.
func (x *exec) fail(row int, reason *types.Error) {
	x.fails = append(x.fails, Failure{row, reason})
}

// masked evaluates n and forgets failures of rows that keep says are not wanted.
func (x *exec) masked(n node, keep func(row int) bool) operand {
	before := len(x.fails)
	o := n(x)
	kept := x.fails[:before]
	for _, f := range x.fails[before:] {
		if keep(f.Row) {
			kept = append(kept, f)
		}
	}
	x.fails = kept
	return o
}

// once applies f to single values.
func (x *exec) once(f apply, args []operand) operand {
	n, before := x.n, len(x.fails)
	x.n = 1
	o := f(x, args)
	x.n = n
	o.one = true
	if len(x.fails) > before {
		reason := x.fails[before].Reason
		x.fails = x.fails[:before]
		for i := range n {
			x.fail(i, reason)
		}
	}
	return o
}

func (p *program) eval(in *zset.Batch) ([]*zset.Vec, []Failure, error) {
	if in == nil {
		in = &zset.Batch{}
	}
	x := &p.x
	x.in, x.n, x.now, x.params, x.rest, x.fails = in, in.N, p.now, p.params, p.rest, x.fails[:0]
	if in.N > 0 {
		if err := p.rest.run(x); err != nil {
			return nil, nil, err
		}
	}
	cols := make([]*zset.Vec, len(p.roots))
	for i, n := range p.roots {
		if in.N == 0 {
			cols[i] = x.vec(p.types[i], 0)
			continue
		}
		cols[i] = x.full(n(x), p.types[i])
	}
	err := x.err
	x.in, x.params, x.err = nil, nil, nil
	p.rest.forget()
	if p.transient {
		x.arena.settle(nil)
	} else {
		x.arena.settle(cols)
	}
	if err != nil {
		return nil, nil, err
	}
	return cols, distinct(x.fails), nil
}

// distinct returns one failure per row, rows ascending. fails is reused by the next evaluation, so the answer is a copy.
func distinct(fails []Failure) []Failure {
	if len(fails) == 0 {
		return nil
	}
	out := slices.Clone(fails)
	slices.SortStableFunc(out, func(a, b Failure) int { return a.Row - b.Row })
	return slices.CompactFunc(out, func(a, b Failure) bool { return a.Row == b.Row })
}

// full returns o as a column of type t with a value for every row.
func (x *exec) full(o operand, t types.Type) *zset.Vec {
	v := o.Vec
	if o.one {
		picks := x.arena.bytes.take(x.n)
		clear(picks)
		v = x.merge(t, picks, []operand{o}).Vec
	}
	if v.Type.Kind != t.Kind || v.Type.Kind == types.Decimal {
		c := *v
		c.Type = t
		v = &c
	}
	return v
}

// apply is an operation on evaluated operands, not all of which are single values unless x.n is 1.
type apply func(x *exec, args []operand) operand

// kernel makes the node of an operation from those of its operands.
type kernel func(args []node) node

// eager is a kernel that evaluates all operands, then f.
func eager(f apply) kernel {
	return func(args []node) node {
		return func(x *exec) operand {
			ops := make([]operand, len(args))
			one := true
			for i, a := range args {
				ops[i] = a(x)
				one = one && ops[i].one
			}
			if one {
				return x.once(f, ops)
			}
			return f(x, ops)
		}
	}
}

// compiler makes nodes.
type compiler struct {
	ev   Evaluator
	rest *fallback
}

func compile(exprs []*plan.Expr, ev Evaluator) (*Program, error) {
	c := compiler{ev, &fallback{ev: ev, known: map[string]int{}, columns: map[int]int{}}}
	p := &Program{program{rest: c.rest}}
	for _, e := range exprs {
		n, err := c.node(e)
		if err != nil {
			return nil, err
		}
		p.roots = append(p.roots, n)
		p.types = append(p.types, e.Type)
		e.Walk(func(e *plan.Expr) bool {
			if e.Kind == plan.Column {
				p.inputs = append(p.inputs, e.Index)
			}
			return true
		})
	}
	slices.Sort(p.inputs)
	p.inputs = slices.Compact(p.inputs)
	return p, nil
}

func (c *compiler) node(e *plan.Expr) (node, error) {
	switch {
	case e.Kind == plan.Column:
		i := e.Index
		return func(x *exec) operand { return operand{x.in.Cols[i], false} }, nil
	case e.Kind == plan.Param:
		i := e.Index
		return func(x *exec) operand { return operand{x.params[i], true} }, nil
	case e.Kind == plan.Const:
		if v, ok := literal(e); ok {
			return always(v), nil
		}
		return c.fallback(e)
	case isNow(e):
		t := e.Type
		return func(x *exec) operand { return operand{one(t, func(v *zset.Vec) { v.I64 = []int64{x.now} }), true} }, nil
	}
	k := kernelOf(e)
	if easy := hybridOf(e); k == nil && easy != nil && c.ev != nil && varies(e) {
		return c.hybrid(e, easy)
	}
	if k == nil {
		if n, err := c.strictCast(e); n != nil || err != nil {
			return n, err
		}
		return c.fallback(e)
	}
	args := make([]node, len(e.Args))
	for i, a := range e.Args {
		var err error
		if args[i], err = c.node(a); err != nil {
			return nil, err
		}
	}
	n := k(args)
	if varies(e) || !native(e) {
		return n, nil
	}
	return folded(n), nil
}

func always(v *zset.Vec) node { return func(*exec) operand { return operand{v, true} } }

// folded evaluates a node without inputs once. One that fails is kept as it is: it fails in every row that asks for it.
func folded(n node) node {
	x := &exec{in: &zset.Batch{N: 1}, n: 1}
	o := n(x)
	if len(x.fails) > 0 {
		return n
	}
	return always(o.Vec)
}

// varies reports whether e's value depends on columns, parameters or the time.
func varies(e *plan.Expr) bool {
	found := false
	e.Walk(func(e *plan.Expr) bool {
		found = found || e.Kind == plan.Column || e.Kind == plan.Param || isNow(e)
		return !found
	})
	return found
}

func isNow(e *plan.Expr) bool {
	if e.Kind != plan.Call || len(e.Args) > 0 {
		return false
	}
	switch e.Name {
	case "now", "get_current_timestamp", "current_timestamp", "transaction_timestamp":
		return true
	}
	return false
}
