package fuzzsql

import (
	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/engine/zset"
)

func arrays(b *zset.Batch) []arrow.Array {
	out := make([]arrow.Array, len(b.Cols))
	for i, v := range b.Cols {
		out[i] = zset.ToArrow(v)
	}
	return out
}
