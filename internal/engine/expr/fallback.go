package expr

import (
	"fmt"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/sql/print"
	"leat/internal/types"
)

// fallback is what the Evaluator computes in an evaluation: all expressions in one call, over the columns that they need.
type fallback struct {
	ev    Evaluator
	texts []string
	out   []types.Type
	known map[string]int
	// columns maps an input column to its position in the call; from is the reverse.
	columns map[int]int
	from    []int

	cols   []*zset.Vec
	failed []map[int]string
}

// fallback leaves e, with all below it, to the Evaluator. A constant is evaluated at once.
func (c *compiler) fallback(e *plan.Expr) (node, error) {
	if c.ev == nil {
		return nil, types.Errorf(types.Unsupported, "%s cannot be evaluated here", describe(e))
	}
	text, err := print.Expr(c.rest.withNow(e), func(i int) string { return fmt.Sprintf("c%d", c.rest.position(i)) })
	if err != nil {
		return nil, err
	}
	if !varies(e) {
		return c.constant(text, e.Type)
	}
	i := c.rest.add(text, e.Type)
	return func(x *exec) operand {
		for row, reason := range x.rest.failed[i] {
			x.fail(row, dataError(reason))
		}
		return operand{x.rest.cols[i], false}
	}, nil
}

func (c *compiler) constant(text string, t types.Type) (node, error) {
	cols, failed, err := c.ev.Evaluate([]string{text}, []types.Type{t}, nil, 1)
	if err != nil {
		return nil, err
	}
	reason, bad := failed[0][0]
	value, e := cols[0], dataError(reason)
	return func(x *exec) operand {
		for i := 0; bad && i < x.n; i++ {
			x.fail(i, e)
		}
		return operand{value, true}
	}, nil
}

func dataError(reason string) *types.Error { return types.Errorf(types.DataError, "%s", reason) }

func (f *fallback) add(text string, t types.Type) int {
	key := text + "\x00" + t.String()
	i, ok := f.known[key]
	if !ok {
		i = len(f.texts)
		f.known[key] = i
		f.texts, f.out = append(f.texts, text), append(f.out, t)
	}
	return i
}

// nowColumn stands for now() among input columns.
const nowColumn = -1

// withNow replaces now() by a column: the Evaluator's clock is not the program's.
func (f *fallback) withNow(e *plan.Expr) *plan.Expr {
	if isNow(e) {
		return plan.Col(nowColumn, e.Type)
	}
	for i, a := range e.Args {
		if m := f.withNow(a); m != a {
			c := *e
			c.Args = append([]*plan.Expr(nil), e.Args...)
			c.Args[i] = m
			e = &c
		}
	}
	return e
}

func (f *fallback) position(column int) int {
	p, ok := f.columns[column]
	if !ok {
		p = len(f.from)
		f.columns[column] = p
		f.from = append(f.from, column)
	}
	return p
}

// run evaluates all that was left over for the rows of x.
func (f *fallback) run(x *exec) (err error) {
	if len(f.texts) == 0 {
		return nil
	}
	in := make([]*zset.Vec, len(f.from))
	for i, c := range f.from {
		if c == nowColumn {
			now := operand{one(types.Of(types.TimestampTZ), func(v *zset.Vec) { v.I64 = []int64{x.now} }), true}
			in[i] = x.full(now, now.Type)
			continue
		}
		in[i] = x.in.Cols[c]
	}
	f.cols, f.failed, err = f.ev.Evaluate(f.texts, f.out, in, x.n)
	return err
}

func (f *fallback) forget() { f.cols, f.failed = nil, nil }

// describe names an expression in messages.
func describe(e *plan.Expr) string {
	switch e.Kind {
	case plan.Call:
		return "the function " + e.Name
	case plan.Cast:
		return "a cast from " + e.Args[0].Type.String() + " to " + e.Type.String()
	}
	return "this expression"
}
