package expr

import (
	"math"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// floatKernel is that of arithmetic on DOUBLE and FLOAT. FLOAT is computed in double and rounded, which gives the same as single
// arithmetic for + - * and /.
func floatKernel(e *plan.Expr) kernel {
	t := e.Type
	var f func(dst, a, b []float64)
	if len(e.Args) == 1 {
		switch e.Name {
		case "-":
			return eager(floatMap(t, func(v float64) float64 { return -v }))
		case "+":
			return func(args []node) node { return args[0] }
		case "abs", "@":
			return eager(floatMap(t, math.Abs))
		case "floor", "ceil", "ceiling":
			g := math.Floor
			if e.Name != "floor" {
				g = math.Ceil
			}
			return eager(floatMap(t, g))
		}
		return nil
	}
	switch e.Name {
	case "+":
		f = func(dst, a, b []float64) {
			for i := range dst {
				dst[i] = a[i] + b[i]
			}
		}
	case "-":
		f = func(dst, a, b []float64) {
			for i := range dst {
				dst[i] = a[i] - b[i]
			}
		}
	case "*":
		f = func(dst, a, b []float64) {
			for i := range dst {
				dst[i] = a[i] * b[i]
			}
		}
	case "/":
		f = func(dst, a, b []float64) {
			for i := range dst {
				dst[i] = a[i] / b[i]
			}
		}
	case "%", "mod":
		f = func(dst, a, b []float64) {
			for i := range dst {
				dst[i] = math.Mod(a[i], b[i])
			}
		}
	default:
		return nil
	}
	return eager(floatOp(t, f))
}

// floatOp applies a loop to equally long slices. A single value is spread first: its cost is small beside the arithmetic's.
func floatOp(t types.Type, f func(dst, a, b []float64)) apply {
	return func(x *exec, args []operand) operand {
		a, b := args[0], args[1]
		v := x.vec(t, x.n)
		v.Valid = x.valid(a, b)
		f(v.F64, x.spread(a)[:x.n], x.spread(b)[:x.n])
		if t.Kind == types.Float {
			single(v.F64)
		}
		return operand{v, false}
	}
}

func (x *exec) spread(o operand) []float64 {
	if !o.one || x.n == 1 {
		return o.F64
	}
	dst := x.arena.floats.take(x.n)
	for i := range dst {
		dst[i] = o.F64[0]
	}
	return dst
}

func single(v []float64) {
	for i, f := range v {
		v[i] = float64(float32(f))
	}
}

func floatMap(t types.Type, f func(float64) float64) apply {
	return func(x *exec, args []operand) operand {
		v := x.vec(t, x.n)
		v.Valid = args[0].Valid
		for i, p := range args[0].F64[:x.n] {
			v.F64[i] = f(p)
		}
		return operand{v, false}
	}
}
