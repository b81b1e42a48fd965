package sqltest

import (
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
)

func wide(v int64) zset.Int128 { return decimal128.FromI64(v) }
