package guard

import (
	"encoding/json"
	"strings"

	"leat/internal/types"
)

// maxArray is how many elements fixed-size arrays of a type may have, nested ones multiplied: each row has them all.
const maxArray = 10_000

// typeName is the name of a cast's type in upper case. DuckDB writes types by id in its older AST, by name in its newest.
func typeName(t node) string {
	if id := str(t, "id"); id != "UNBOUND" {
		return id
	}
	return strings.ToUpper(str(child(child(t, "type_info"), "expr"), "type_name"))
}

// castType refuses types with parameters that are not constants, which would run while the query is planned, and large arrays.
func (c *checker) castType(n, t node) {
	elements := 1.0
	each(t, func(e node) bool {
		class := str(e, "class")
		if class != "" && class != "TYPE" && class != "CONSTANT" {
			c.fail(n, types.Errorf(types.NotAllowed, "the parameters of a type must be constants"))
			return false
		}
		if strings.EqualFold(str(e, "type_name"), "array") {
			for _, p := range items(e, "children") {
				if v, ok := child(p, "value")["value"].(json.Number); ok {
					size, _ := v.Float64()
					elements *= max(1, size)
				}
			}
		}
		return true
	})
	if elements > maxArray {
		c.fail(n, types.Errorf(types.QueryTooComplex, "a type has arrays of %.0f elements; the limit is %d", elements, maxArray).
			WithHint("use a list, as in INTEGER[]"))
	}
}
