package query

import (
	"encoding/json"
	"math/big"
	"strings"

	"leat/internal/types"
)

// arguments checks that just the statement's parameters have values and makes the values such as the store takes: numbers of
// JSON become int64, *big.Int or float64, arrays and objects their JSON text. All faults are named together.
func arguments(params []string, given map[string]any) (map[string]any, error) {
	e := &types.Error{Code: types.InvalidArgument, Message: "the parameters don't fit the statement"}
	fault := func(name, message string) {
		e.Errors = append(e.Errors, &types.Error{Code: types.InvalidArgument, Path: name, Message: message})
	}
	out := make(map[string]any, len(params))
	for _, name := range params {
		v, ok := given[name]
		if !ok {
			fault(name, "the parameter $"+name+" has no value")
			continue
		}
		out[name] = argument(v)
	}
	for name := range given {
		if _, ok := out[name]; !ok && !contains(params, name) {
			fault(name, "the statement has no parameter $"+name)
		}
	}
	if len(e.Errors) > 0 {
		return nil, e
	}
	return out, nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}

func argument(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if n, ok := new(big.Int).SetString(v.String(), 10); ok {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any, map[string]any:
		b, err := json.Marshal(v)
		if err != nil {
			return nil
		}
		return string(b)
	}
	return v
}
