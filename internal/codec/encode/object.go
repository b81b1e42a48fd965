package encode

import (
	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// AppendObject appends one row as a JSON object with a line feed, as NDJSON has it: for answers of one row, where Encode's buffers would cost more
// than the row. values has an array per column.
func AppendObject(b []byte, columns []types.Column, values []arrow.Array, row int, o Options) []byte {
	b = append(b, '{')
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, c.Name), ':')
		b = jsonColumn(values[i], c.Type, o)(b, row)
	}
	return append(b, "}\n"...)
}
