package guard

import (
	"context"
	"reflect"
	"strings"

	"leat/internal/types"
)

// linearly is how many elements of work one byte of an argument may make, beyond what was assumed of it: what grows so is not refused.
const linearly = 16

// sized reports whether a statement has a function that may do more with a parameter than go through it.
func sized(statement node) bool {
	found := false
	each(statement, func(n node) bool {
		if str(n, "class") == "FUNCTION" && !single[strings.ToLower(str(n, "function_name"))] {
			each(n, func(e node) bool {
				found = found || str(e, "class") == "PARAMETER"
				return !found
			})
		}
		return !found
	})
	return found
}

// CheckArgs judges the work of a statement that has passed Check once the values of its parameters are known: DuckDB doesn't look for an interrupt
// within a row. A pattern with many wildcards, or long texts in functions that compare all with all, is types.QueryTooComplex. Most values are let pass at
// a glance. text is the one that was checked.
func (g *Guard) CheckArgs(ctx context.Context, text string, cat Catalog, args map[string]any) error {
	bytes, plain := 0.0, true
	for _, v := range args {
		bytes += argSize(v)
		s, ok := v.(string)
		plain = plain && (!ok || !strings.ContainsAny(s, "%*") && !strings.Contains(s, ".."))
	}
	if plain && bytes <= parameterSize {
		return nil
	}
	assumed, err := g.workOf(ctx, text, cat, nil)
	if err != nil {
		return err
	}
	known, err := g.workOf(ctx, text, cat, args)
	if err != nil {
		return err
	}
	for i, limit := range []float64{MaxWork, MaxRowWork} {
		if known[i] > limit && known[i] > assumed[i]+linearly*bytes {
			return types.Errorf(types.QueryTooComplex, "with these values of its parameters the query would do too much for one row").
				WithHint("send shorter texts, and patterns with fewer wildcards")
		}
	}
	return nil
}

// workOf is what judge finds with these values of parameters.
func (g *Guard) workOf(ctx context.Context, text string, cat Catalog, args map[string]any) ([2]float64, error) {
	statement, err := g.parse(ctx, text)
	if err != nil {
		return [2]float64{}, err
	}
	c := &checker{ctx: ctx, guard: g, cat: cat, text: text, views: map[string]cost{}, now: g.now(), args: args}
	err = c.statement(statement)
	return c.work, err
}

// sizeOf is how many characters or elements a parameter has.
func (c *checker) sizeOf(n node) float64 {
	if v, ok := c.argument(n); ok {
		return max(1, argSize(v))
	}
	return parameterSize
}

// argument is the value of a parameter.
func (c *checker) argument(n node) (v any, ok bool) {
	name := str(n, "identifier")
	if v, ok = c.args[name]; ok {
		return v, true
	}
	for key, v := range c.args {
		if strings.EqualFold(key, name) {
			return v, true
		}
	}
	return nil, false
}

// argSize counts the bytes of texts, and one for each other value.
func argSize(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case string:
		return float64(len(v))
	case []byte:
		return float64(len(v))
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return 1
	}
	sum := 0.0
	for i := range r.Len() {
		sum += 1 + argSize(r.Index(i).Interface())
	}
	return sum
}

// textOf is the text of a constant, of a parameter whose value is known, and of what is put together of these.
func (c *checker) textOf(n node) (string, bool) {
	if text, ok := constantText(n); ok || c.args == nil {
		return text, ok
	}
	switch str(n, "class") {
	case "PARAMETER":
		v, _ := c.argument(n)
		text, ok := v.(string)
		return text, ok
	case "CAST":
		return c.textOf(child(n, "child"))
	case "FUNCTION":
		if name := strings.ToLower(str(n, "function_name")); name != "||" && name != "concat" {
			return "", false
		}
		whole := ""
		for _, e := range items(n, "children") {
			text, ok := c.textOf(e)
			if !ok {
				return "", false
			}
			whole += text
		}
		return whole, true
	}
	return "", false
}
