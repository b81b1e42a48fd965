package query

import (
	"encoding/json"
	"fmt"
	"math/big"
)

// Values makes values of JSON such as the store takes: numbers (json.Number) become int64, *big.Int or float64, arrays and
// objects their JSON text. Other values stay what they are.
func Values(given map[string]any) map[string]any {
	out := make(map[string]any, len(given))
	for name, v := range given {
		out[name] = argument(v)
	}
	return out
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

// TextOf is the text of an argument, for values that are given their type later.
func TextOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(argument(v))
}
