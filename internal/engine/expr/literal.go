package expr

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// literal returns a constant as a column of one value; false for nested ones, which only the Evaluator builds.
func literal(e *plan.Expr) (*zset.Vec, bool) {
	v := &zset.Vec{Type: e.Type, Len: 1}
	phys := zset.PhysOf(e.Type)
	if e.Value == nil {
		v.Valid = []byte{0}
		v.I64, v.F64, v.W = slot[int64](phys == zset.Int64), slot[float64](phys == zset.Float64), slot[zset.Int128](phys == zset.Wide)
		if phys == zset.Bytes {
			v.Off = []int32{0, 0}
		}
		return v, true
	}
	switch value := e.Value.(type) {
	case bool:
		v.I64 = []int64{truth(value)}
	case int64:
		return v, setInt(v, phys, value)
	case float64:
		v.F64 = []float64{value}
	case *big.Int:
		v.W = []zset.Int128{wideOf(value)}
	case string:
		return v, setBytes(v, []byte(value))
	case []byte:
		return v, setBytes(v, value)
	case plan.Interval:
		return v, setBytes(v, appendInterval(nil, value))
	default:
		return nil, false
	}
	return v, !e.Type.Kind.IsNested()
}

// wideOf is n, of at most 128 bits, in two's complement. (decimal128.FromBigInt refuses the least value.)
func wideOf(n *big.Int) zset.Int128 {
	low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return decimal128.New(new(big.Int).Rsh(n, 64).Int64(), low)
}

func setInt(v *zset.Vec, phys zset.Phys, n int64) bool {
	switch phys {
	case zset.Wide:
		v.W = []zset.Int128{decimal128.FromI64(n)}
	case zset.Float64:
		v.F64 = []float64{float64(n)}
	default:
		v.I64 = []int64{n}
	}
	return true
}

func setBytes(v *zset.Vec, b []byte) bool {
	v.Data, v.Off = b, []int32{0, int32(len(b))}
	return true
}

func slot[T any](want bool) []T {
	if want {
		return make([]T, 1)
	}
	return nil
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// appendInterval writes an interval as zset.Bytes holds it.
func appendInterval(dst []byte, i plan.Interval) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(i.Months))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(i.Days))
	return binary.LittleEndian.AppendUint64(dst, uint64(i.Micros))
}

func readInterval(b []byte) plan.Interval {
	if len(b) < 16 {
		return plan.Interval{}
	}
	return plan.Interval{
		Months: int32(binary.LittleEndian.Uint32(b)), Days: int32(binary.LittleEndian.Uint32(b[4:])),
		Micros: int64(binary.LittleEndian.Uint64(b[8:])),
	}
}

// constText is the value of a constant VARCHAR.
func constText(e *plan.Expr) (string, bool) {
	for e.Kind == plan.Cast && e.Type.Kind == types.Varchar && e.Args[0].Type.Kind == types.Varchar {
		e = e.Args[0]
	}
	s, ok := e.Value.(string)
	return s, ok && e.Kind == plan.Const
}
