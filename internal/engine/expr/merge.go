package expr

import (
	"leat/internal/engine/zset"
	"leat/internal/types"
)

// merge takes row i from ops[picks[i]].
func (x *exec) merge(t types.Type, picks []byte, ops []operand) operand {
	v := x.vec(t, x.n)
	for _, o := range ops {
		if o.Valid != nil {
			v.Valid = x.mergeValid(picks, ops)
			break
		}
	}
	switch zset.PhysOf(t) {
	case zset.Int64:
		mergeInto(v.I64, picks, ops, func(v *zset.Vec) []int64 { return v.I64 })
	case zset.Float64:
		mergeInto(v.F64, picks, ops, func(v *zset.Vec) []float64 { return v.F64 })
	case zset.Wide:
		mergeInto(v.W, picks, ops, func(v *zset.Vec) []zset.Int128 { return v.W })
	case zset.Bytes:
		for i, p := range picks {
			o := ops[p]
			if !o.null(i) {
				v.Data = append(v.Data, o.Bytes(o.at(i))...)
			}
			v.Off[i+1] = int32(len(v.Data))
		}
	}
	return operand{v, false}
}

func mergeInto[T any](dst []T, picks []byte, ops []operand, values func(*zset.Vec) []T) {
	if len(ops) == 1 && ops[0].one {
		c := values(ops[0].Vec)[0]
		for i := range dst {
			dst[i] = c
		}
		return
	}
	sources, singles := make([][]T, len(ops)), make([]bool, len(ops))
	for k, o := range ops {
		sources[k], singles[k] = values(o.Vec), o.one
	}
	for i, p := range picks {
		if singles[p] {
			dst[i] = sources[p][0]
		} else {
			dst[i] = sources[p][i]
		}
	}
}

func (x *exec) mergeValid(picks []byte, ops []operand) []byte {
	valid := x.bitmap(x.n)
	for i, p := range picks {
		if ops[p].null(i) {
			valid[i>>3] &^= 1 << (i & 7)
		}
	}
	return valid
}

// maxBranches is how many operands merge can choose among.
const maxBranches = 256
