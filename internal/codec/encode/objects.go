package encode

import (
	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/types"
)

// Objects makes what appends rows of some columns as JSON objects. values has an array per column.
func Objects(columns []types.Column, values []arrow.Array, o Options) func(b []byte, row int) []byte {
	names, appenders := make([][]byte, len(columns)), make([]appender, len(columns))
	separator := byte('{')
	for i, c := range columns {
		names[i] = append(appendString([]byte{separator}, c.Name), ':')
		appenders[i] = jsonColumn(values[i], c.Type, o)
		separator = ','
	}
	return func(b []byte, row int) []byte {
		if len(names) == 0 {
			return append(b, "{}"...)
		}
		for i, name := range names {
			b = appenders[i](append(b, name...), row)
		}
		return append(b, '}')
	}
}

// String appends a text as JSON.
func String(b []byte, s string) []byte { return appendString(b, s) }
