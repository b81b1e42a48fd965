package opt

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// bigInt is the type of counts and ranks.
func bigInt() types.Type { return types.Of(types.BigInt) }

func boolean(kind plan.ExprKind, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: kind, Type: types.Of(types.Boolean), Args: args, Place: -1}
}

func compare(name string, a, b *plan.Expr) *plan.Expr {
	e := boolean(plan.Compare, a, b)
	e.Name = name
	return e
}

// key is a text that two expressions share only if they are equal; where they stand in the query doesn't count.
func key(e *plan.Expr) string {
	var b strings.Builder
	writeKey(&b, e)
	return b.String()
}

func writeKey(b *strings.Builder, e *plan.Expr) {
	if e == nil {
		return
	}
	fmt.Fprintf(b, "(%d %q %s %d %t ", e.Kind, e.Name, e.Type.Definition(), e.Index, e.Try)
	switch v := e.Value.(type) {
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		fmt.Fprintf(b, "%x", math.Float64bits(v)) // -0.0 is not 0.0
	default:
		fmt.Fprintf(b, "%#v", v)
	}
	for _, a := range e.Args {
		writeKey(b, a)
	}
	b.WriteByte(')')
}

// conjuncts splits a condition into the parts that must all be true, and what all branches of an OR have in common off that OR.
func conjuncts(e *plan.Expr) []*plan.Expr {
	switch {
	case e == nil:
		return nil
	case e.Kind == plan.And:
		var out []*plan.Expr
		for _, a := range e.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	case e.Kind == plan.Or:
		return factored(e)
	case e.Kind == plan.Const && e.Value == true:
		return nil
	}
	return []*plan.Expr{e}
}

// factored turns (a AND b) OR (a AND c) into a, b OR c.
func factored(e *plan.Expr) []*plan.Expr {
	branches := make([][]*plan.Expr, len(e.Args))
	for i, a := range e.Args {
		branches[i] = conjuncts(a)
	}
	var common []*plan.Expr
	for _, c := range branches[0] {
		in := func(b []*plan.Expr) bool {
			return slices.ContainsFunc(b, func(o *plan.Expr) bool { return key(o) == key(c) })
		}
		if !slices.ContainsFunc(branches, func(b []*plan.Expr) bool { return !in(b) }) {
			common = append(common, c)
		}
	}
	if len(common) == 0 {
		return []*plan.Expr{e}
	}
	rest := make([]*plan.Expr, len(branches))
	for i, b := range branches {
		b = slices.DeleteFunc(slices.Clone(b), func(o *plan.Expr) bool {
			return slices.ContainsFunc(common, func(c *plan.Expr) bool { return key(c) == key(o) })
		})
		if len(b) == 0 {
			return common // that branch adds nothing
		}
		rest[i] = and(b)
	}
	return append(common, boolean(plan.Or, rest...))
}

// and joins conditions; nil is true.
func and(es []*plan.Expr) *plan.Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return boolean(plan.And, es...)
}

// filtered returns n with the rows alone for which all conditions are true.
func filtered(n plan.Node, conds []*plan.Expr) plan.Node {
	if cond := and(conds); cond != nil {
		return &plan.Filter{Input: n, Cond: cond}
	}
	return n
}

// reads calls f for the columns that e reads.
func reads(e *plan.Expr, f func(column int)) {
	e.Walk(func(e *plan.Expr) bool {
		if e.Kind == plan.Column {
			f(e.Index)
		}
		return true
	})
}

// within reports whether e reads columns in [from, to) alone, and at least one.
func within(e *plan.Expr, from, to int) bool {
	some, all := false, true
	reads(e, func(c int) { some, all = true, all && c >= from && c < to })
	return some && all
}

// only reports whether e reads no column but those that ok accepts.
func only(e *plan.Expr, ok func(column int) bool) bool {
	all := true
	reads(e, func(c int) { all = all && ok(c) })
	return all
}

// moved returns e with column i at to(i).
func moved(e *plan.Expr, to func(int) int) *plan.Expr {
	return e.Map(func(c *plan.Expr) *plan.Expr {
		i := to(c.Index)
		if i == c.Index {
			return c
		}
		m := *c
		m.Index = i
		return &m
	})
}

// shift returns e with all columns by positions further.
func shift(e *plan.Expr, by int) *plan.Expr { return moved(e, func(i int) int { return i + by }) }

// over returns e, which reads the output of a projection to es, as an expression over that projection's input.
func over(e *plan.Expr, es []*plan.Expr) *plan.Expr {
	return e.Map(func(c *plan.Expr) *plan.Expr { return es[c.Index] })
}

// split divides conditions into those that match and the others.
func split(es []*plan.Expr, match func(*plan.Expr) bool) (yes, no []*plan.Expr) {
	for _, e := range es {
		if match(e) {
			yes = append(yes, e)
		} else {
			no = append(no, e)
		}
	}
	return yes, no
}

// all returns the expressions of all columns.
func all(fields []plan.Field) []*plan.Expr {
	out := make([]*plan.Expr, len(fields))
	for i, f := range fields {
		out[i] = plan.Col(i, f.Type)
	}
	return out
}
