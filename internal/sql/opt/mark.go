package opt

import (
	"slices"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// watermarkName is the name of the hidden column with each row's watermark; users can't name a column so.
const watermarkName = types.Reserved + "wm"

// WatermarkColumn returns the position of the hidden column with each row's watermark, -1 where there is none.
func WatermarkColumn(fields []plan.Field) int {
	return slices.IndexFunc(fields, func(f plan.Field) bool { return f.Name == watermarkName })
}
