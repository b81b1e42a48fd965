package encode

import (
	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// Value makes what appends the JSON of a column's values, NULL included.
func Value(a arrow.Array, t types.Type) func(b []byte, row int) []byte {
	return jsonColumn(a, t, Options{})
}
