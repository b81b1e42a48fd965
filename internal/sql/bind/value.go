package bind

import (
	"encoding/json"
	"fmt"
	"math/big"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// constant reads a value as plan.Expr keeps it.
func (v *value) constant() (any, types.Type, error) {
	if v == nil {
		return nil, types.Type{}, types.Errorf(types.Internal, "DuckDB's plan has a constant without value")
	}
	t, ok := v.Type.typeOf()
	if !ok {
		return nil, t, types.Errorf(types.Unsupported, "a constant of type %s is not supported in views", v.Type.ID)
	}
	if v.Null {
		return nil, t, nil
	}
	out, err := read(v.Raw, t)
	if err != nil {
		return nil, t, types.Errorf(types.Internal, "DuckDB's plan has a constant of type %s that cannot be read: %w", t, err)
	}
	return out, t, nil
}

func read(raw json.RawMessage, t types.Type) (any, error) {
	switch k := t.Kind; {
	case k == types.Boolean:
		return as[bool](raw)
	case k == types.HugeInt, k == types.UBigInt, k == types.Decimal:
		return readWide(raw)
	case k.IsInteger(), k == types.Date, k == types.Time, k == types.Timestamp, k == types.TimestampTZ:
		return as[int64](raw)
	case k == types.Float, k == types.Double:
		return as[float64](raw)
	case k == types.Varchar, k == types.JSON:
		return as[string](raw)
	case k == types.Blob:
		s, err := as[string](raw)
		return []byte(s), err
	case k == types.Interval:
		i, err := as[struct {
			Months int32 `json:"months"`
			Days   int32 `json:"days"`
			Micros int64 `json:"micros"`
		}](raw)
		return plan.Interval(i), err
	}
	return nil, fmt.Errorf("no reader")
}

func as[T any](raw json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// readWide reads a number, or the two halves of one with 128 bits.
func readWide(raw json.RawMessage) (*big.Int, error) {
	if len(raw) > 0 && raw[0] == '{' {
		h, err := as[struct {
			Upper int64  `json:"upper"`
			Lower uint64 `json:"lower"`
		}](raw)
		n := new(big.Int).Lsh(big.NewInt(h.Upper), 64)
		return n.Add(n, new(big.Int).SetUint64(h.Lower)), err
	}
	n, ok := new(big.Int).SetString(string(raw), 10)
	if !ok {
		return nil, fmt.Errorf("%q is no integer", raw)
	}
	return n, nil
}
