package sqltest

import (
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
)

// Wide returns v as the engine holds UBIGINT.
func Wide(v int64) zset.Int128 { return decimal128.FromI64(v) }
