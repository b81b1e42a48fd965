package expr

import (
	"bytes"
	"cmp"
	"math"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// relation is one of = <> < <= > >=.
type relation uint8

const (
	eq relation = iota
	ne
	lt
	le
	gt
	ge
)

// flipped is the relation of b to a.
var flipped = [...]relation{eq, ne, gt, ge, lt, le}

// holds[r][c+1] says whether r holds where a compares to b as c (-1, 0, 1).
var holds = [...][3]int64{{0, 1, 0}, {1, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 0, 1}, {0, 1, 1}}

func relationOf(name string) (relation, bool) {
	for r, n := range [...]string{"=", "<>", "<", "<=", ">", ">="} {
		if n == name {
			return relation(r), true
		}
	}
	return eq, name == "!="
}

// compareKernel is a Compare node's.
func compareKernel(e *plan.Expr) kernel {
	t := e.Args[0].Type
	if t.Kind.IsNested() || zset.PhysOf(t) != zset.PhysOf(e.Args[1].Type) || t.Kind == types.Decimal && !t.Equal(e.Args[1].Type) {
		return nil
	}
	switch e.Name {
	case "is distinct from":
		return eager(distinctFrom(1))
	case "is not distinct from":
		return eager(distinctFrom(0))
	}
	r, ok := relationOf(e.Name)
	if !ok {
		return nil
	}
	if e.Name == "!=" {
		r = ne
	}
	return eager(func(x *exec, args []operand) operand {
		o := x.compare(r, args[0], args[1])
		o.Valid = x.valid(args...)
		return o
	})
}

// compare computes a r b without regard to NULLs.
func (x *exec) compare(r relation, a, b operand) operand {
	if a.one && !b.one {
		a, b, r = b, a, flipped[r]
	}
	v := x.vec(boolean, x.n)
	dst := v.I64
	switch zset.PhysOf(a.Type) {
	case zset.Int64:
		compareInts(dst, r, a.I64, b.I64, b.one && x.n > 1)
	case zset.Float64:
		if c := b.F64[0]; b.one && x.n > 1 && c == c {
			compareFloats(dst, r, a.F64, c)
			break
		}
		compareInts(dst, r, x.order(a.F64), x.order(b.F64), b.one && x.n > 1)
	case zset.Wide:
		for i := range dst {
			dst[i] = holds[r][1+a.W[a.at(i)].Cmp(b.W[b.at(i)])]
		}
	case zset.Bytes:
		compareBytes(dst, r, a, b)
	}
	return operand{v, false}
}

func compareInts(dst []int64, r relation, a, b []int64, single bool) {
	if single {
		compareConst(dst, r, a, b[0])
		return
	}
	if r == gt || r == ge {
		a, b, r = b, a, flipped[r]
	}
	a, b = a[:len(dst)], b[:len(dst)]
	switch r {
	case eq:
		for i := range dst {
			dst[i] = truth(a[i] == b[i])
		}
	case ne:
		for i := range dst {
			dst[i] = truth(a[i] != b[i])
		}
	case lt:
		for i := range dst {
			dst[i] = truth(a[i] < b[i])
		}
	default:
		for i := range dst {
			dst[i] = truth(a[i] <= b[i])
		}
	}
}

func compareConst(dst []int64, r relation, a []int64, c int64) {
	a = a[:len(dst)]
	switch r {
	case eq:
		for i := range dst {
			dst[i] = truth(a[i] == c)
		}
	case ne:
		for i := range dst {
			dst[i] = truth(a[i] != c)
		}
	case lt:
		for i := range dst {
			dst[i] = truth(a[i] < c)
		}
	case le:
		for i := range dst {
			dst[i] = truth(a[i] <= c)
		}
	case gt:
		for i := range dst {
			dst[i] = truth(a[i] > c)
		}
	default:
		for i := range dst {
			dst[i] = truth(a[i] >= c)
		}
	}
}

// compareFloats compares with c, which isn't NaN, so that Go's operators do: a NaN in a is neither equal to c nor less.
func compareFloats(dst []int64, r relation, a []float64, c float64) {
	a = a[:len(dst)]
	switch r {
	case eq:
		for i := range dst {
			dst[i] = truth(a[i] == c)
		}
	case ne:
		for i := range dst {
			dst[i] = truth(a[i] != c)
		}
	case lt:
		for i := range dst {
			dst[i] = truth(a[i] < c)
		}
	case le:
		for i := range dst {
			dst[i] = truth(a[i] <= c)
		}
	case gt:
		for i := range dst {
			dst[i] = truth(a[i] <= c) ^ 1
		}
	default:
		for i := range dst {
			dst[i] = truth(a[i] < c) ^ 1
		}
	}
}

// order maps doubles to integers that compare as DuckDB compares doubles: -0.0 = 0.0, NaN greatest and equal to itself.
func (x *exec) order(f []float64) []int64 {
	dst := x.arena.ints.take(len(f))
	for i, v := range f {
		dst[i] = orderOf(v)
	}
	return dst
}

func orderOf(v float64) int64 {
	if v != v {
		return math.MaxInt64
	}
	b := int64(math.Float64bits(v + 0)) // -0.0 + 0 is 0.0
	return b ^ int64(uint64(b>>63)>>1)
}

func compareBytes(dst []int64, r relation, a, b operand) {
	interval := a.Type.Kind == types.Interval
	for i := range dst {
		p, q := a.Bytes(a.at(i)), b.Bytes(b.at(i))
		switch {
		case interval:
			dst[i] = holds[r][1+compareIntervals(p, q)]
		case r == eq:
			dst[i] = truth(string(p) == string(q))
		case r == ne:
			dst[i] = truth(string(p) != string(q))
		default:
			dst[i] = holds[r][1+bytes.Compare(p, q)]
		}
	}
}

const microsPerDay = 86_400_000_000

// compareIntervals orders intervals as DuckDB does: what makes whole days and months of 30 days is carried up, toward zero, then months, days and
// the rest are compared in turn. '1 month -1 day' is not '29 days'.
func compareIntervals(p, q []byte) int {
	am, ad, au := carried(readInterval(p))
	bm, bd, bu := carried(readInterval(q))
	return cmp.Or(cmp.Compare(am, bm), cmp.Compare(ad, bd), cmp.Compare(au, bu))
}

func carried(i plan.Interval) (months, days, micros int64) {
	carry := i.Micros / microsPerDay
	days = int64(i.Days) + carry
	return int64(i.Months) + days/30, days % 30, i.Micros - carry*microsPerDay
}

// distinctFrom is IS DISTINCT FROM, with differ 0 IS NOT DISTINCT FROM.
func distinctFrom(differ int64) apply {
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		r := ne
		if differ == 0 {
			r = eq
		}
		o := x.compare(r, a, b)
		if a.Valid == nil && b.Valid == nil {
			return o
		}
		for i := range o.I64 {
			if an, bn := a.null(i), b.null(i); an || bn {
				o.I64[i] = truth(an != bn) ^ differ ^ 1
			}
		}
		return o
	}
}

// compareAt compares row i of two operands of one type, neither NULL.
func compareAt(a, b operand, i int) int {
	p, q := a.at(i), b.at(i)
	switch zset.PhysOf(a.Type) {
	case zset.Int64:
		return cmp.Compare(a.I64[p], b.I64[q])
	case zset.Float64:
		return cmp.Compare(orderOf(a.F64[p]), orderOf(b.F64[q]))
	case zset.Wide:
		return a.W[p].Cmp(b.W[q])
	}
	if a.Type.Kind == types.Interval {
		return compareIntervals(a.Bytes(p), b.Bytes(q))
	}
	return bytes.Compare(a.Bytes(p), b.Bytes(q))
}

// extreme is greatest (sign 1) and least (sign -1): the first such operand that isn't NULL.
func extreme(t types.Type, sign int) apply {
	return func(x *exec, args []operand) operand {
		picks := x.arena.bytes.take(x.n)
		for i := range picks {
			best := 0
			for k := 1; k < len(args); k++ {
				if args[k].null(i) {
					continue
				}
				if args[best].null(i) || sign*compareAt(args[k], args[best], i) > 0 {
					best = k
				}
			}
			picks[i] = byte(best)
		}
		o := x.merge(t, picks, args)
		if t.Kind == types.Float {
			for i := range o.F64 {
				o.F64[i] += 0 // -0.0 becomes 0.0, as in DuckDB, which does so for FLOAT alone
			}
		}
		return o
	}
}
