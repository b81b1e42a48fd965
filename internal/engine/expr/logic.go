package expr

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

var boolean = types.Of(types.Boolean)

// junction is AND (stop false) and OR (stop true), three-valued. Operands are evaluated from the left; a failure counts only in rows that
// no operand before it has decided.
func junction(stop int64) kernel {
	return func(args []node) node {
		return func(x *exec) operand {
			acc := args[0](x)
			for _, a := range args[1:] {
				o := x.masked(a, func(row int) bool { return acc.null(row) || acc.I64[acc.at(row)] != stop })
				acc = x.junct(stop, acc, o)
			}
			return acc
		}
	}
}

func (x *exec) junct(stop int64, a, b operand) operand {
	if a.one && b.one {
		return x.once(func(x *exec, args []operand) operand { return x.junctRows(stop, args[0], args[1]) }, []operand{a, b})
	}
	if a.one {
		a, b = b, a
	}
	if b.one && !b.null(0) {
		if b.I64[0] == stop {
			return b
		}
		return a
	}
	return x.junctRows(stop, a, b)
}

func (x *exec) junctRows(stop int64, a, b operand) operand {
	v := x.vec(boolean, x.n)
	if a.Valid == nil && b.Valid == nil && !a.one && !b.one {
		p, q, dst := a.I64[:x.n], b.I64[:x.n], v.I64
		if stop == 0 {
			for i := range dst {
				dst[i] = p[i] & q[i]
			}
		} else {
			for i := range dst {
				dst[i] = p[i] | q[i]
			}
		}
		return operand{v, false}
	}
	for i := range v.I64 {
		an, bn := a.null(i), b.null(i)
		switch {
		case !an && a.I64[a.at(i)] == stop, !bn && b.I64[b.at(i)] == stop:
			v.I64[i] = stop
		case an || bn:
			v.I64[i] = 0
			x.setNull(v, i)
		default:
			v.I64[i] = 1 - stop
		}
	}
	return operand{v, false}
}

func not(x *exec, args []operand) operand {
	v := x.vec(boolean, x.n)
	v.Valid = args[0].Valid
	for i, b := range args[0].I64[:x.n] {
		v.I64[i] = b ^ 1
	}
	return operand{v, false}
}

// isNull is IS NULL, or with want 0 IS NOT NULL.
func isNull(want int64) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(boolean, x.n)
		valid := args[0].Valid
		for i := range v.I64 {
			null := int64(0)
			if !isSet(valid, i) {
				null = 1
			}
			v.I64[i] = null ^ want ^ 1
		}
		return operand{v, false}
	}
}

// choose is CASE: args are condition, value, condition, value, ..., else. A branch's failures count only in the rows that take it.
func choose(t types.Type) kernel {
	return func(args []node) node {
		return func(x *exec) operand {
			picks := x.arena.bytes.take(x.n)
			last := byte(len(args) / 2)
			for i := range picks {
				picks[i] = last
			}
			ops := make([]operand, last+1)
			open := x.n
			for k := byte(0); k <= last && open > 0; k++ {
				if k < last {
					open -= x.take(args[2*k], picks, k, last)
				}
				at := min(2*int(k)+1, len(args)-1)
				ops[k] = x.masked(args[at], func(row int) bool { return picks[row] == k })
			}
			return x.chosen(t, picks, ops)
		}
	}
}

// take gives branch k the rows still open (picks is last) in which its condition is true, and returns how many.
func (x *exec) take(cond node, picks []byte, k, last byte) (taken int) {
	c := x.masked(cond, func(row int) bool { return picks[row] == last })
	for i, p := range picks {
		if p == last && !c.null(i) && c.I64[c.at(i)] != 0 {
			picks[i] = k
			taken++
		}
	}
	return taken
}

// chosen merges the branches; one that no row takes has no operand.
func (x *exec) chosen(t types.Type, picks []byte, ops []operand) operand {
	all := true
	for _, p := range picks {
		all = all && p == picks[0]
	}
	if all && len(picks) > 0 {
		o := ops[picks[0]]
		return operand{retyped(o.Vec, t), o.one}
	}
	var some operand
	for _, o := range ops {
		if o.Vec != nil {
			some = o
		}
	}
	for k, o := range ops {
		if o.Vec == nil {
			ops[k] = some
		}
	}
	return x.merge(t, picks, ops)
}

func retyped(v *zset.Vec, t types.Type) *zset.Vec {
	if v.Type.Kind == t.Kind && v.Type.Kind != types.Decimal {
		return v
	}
	c := *v
	c.Type = t
	return &c
}

// coalesce takes the first operand that isn't NULL; later ones count only where all before are.
func coalesce(t types.Type) kernel {
	return func(args []node) node {
		return func(x *exec) operand {
			first := args[0](x)
			if first.Valid == nil {
				return first
			}
			picks := x.arena.bytes.take(x.n)
			clear(picks)
			ops := []operand{first}
			for k := 1; k < len(args); k++ {
				before := ops[k-1]
				open := 0
				for i, p := range picks {
					if int(p) == k-1 && before.null(i) {
						picks[i] = byte(k)
						open++
					}
				}
				if open == 0 {
					break
				}
				ops = append(ops, x.masked(args[k], func(row int) bool { return int(picks[row]) == k }))
			}
			return x.chosen(t, picks, ops)
		}
	}
}
