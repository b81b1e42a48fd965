package expr

import (
	"slices"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// inKernel is an In node's: a set where the list is constant, else one comparison per element, from the left: an element's failure counts
// only in rows that aren't found before.
func inKernel(e *plan.Expr) kernel {
	t := e.Args[0].Type
	constant := true
	for _, a := range e.Args[1:] {
		c := plan.Expr{Name: "=", Args: []*plan.Expr{e.Args[0], a}}
		if compareKernel(&c) == nil {
			return nil
		}
		constant = constant && !varies(a) && native(a) && !fallible(a)
	}
	if constant && len(e.Args) > 4 && t.Kind != types.Interval {
		switch zset.PhysOf(t) {
		case zset.Int64:
			return inSet(func(o operand, i int) int64 { return o.I64[i] })
		case zset.Bytes:
			return inSet(func(o operand, i int) string { return string(o.Bytes(i)) })
		}
	}
	return func(args []node) node {
		return func(x *exec) operand {
			v := args[0](x)
			var found operand
			for k, a := range args[1:] {
				if k == 0 {
					found = x.equal(v, a(x))
					continue
				}
				o := x.masked(a, func(row int) bool { return found.null(row) || found.I64[found.at(row)] == 0 })
				found = x.junct(1, found, x.equal(v, o))
			}
			return found
		}
	}
}

// equal is a = b.
func (x *exec) equal(a, b operand) operand {
	f := func(x *exec, args []operand) operand {
		o := x.compare(eq, args[0], args[1])
		o.Valid = x.valid(args...)
		return o
	}
	if a.one && b.one {
		return x.once(f, []operand{a, b})
	}
	return f(x, []operand{a, b})
}

// inSet looks values up in the set of a constant list.
func inSet[K comparable](key func(operand, int) K) kernel {
	return func(args []node) node {
		set, hasNull := map[K]bool{}, false
		x := &exec{in: &zset.Batch{N: 1}, n: 1}
		for _, a := range args[1:] {
			if o := a(x); o.null(0) {
				hasNull = true
			} else {
				set[key(o, 0)] = true
			}
		}
		return eager(func(x *exec, args []operand) operand {
			v := x.vec(boolean, x.n)
			v.Valid = args[0].Valid
			if hasNull && v.Valid != nil {
				v.Valid = slices.Clone(v.Valid)
			}
			for i := range v.I64 {
				found := set[key(args[0], i)]
				v.I64[i] = truth(found)
				if hasNull && !found {
					x.setNull(v, i)
				}
			}
			return operand{v, false}
		})(args[:1])
	}
}
