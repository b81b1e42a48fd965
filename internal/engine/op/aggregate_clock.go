package op

import (
	"math"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// freer forgets the state whose time is final, in tables whose keys begin with the clock's.
type freer struct {
	clock        Clock
	tables       []state.Table
	freed        int64
	lower, upper []byte
}

func newFreer(c Clock, tables ...state.Table) *freer {
	return &freer{clock: c, tables: tables, freed: math.MinInt64, lower: zset.AppendTime(nil, math.MinInt64)}
}

// advance frees everything up to watermark - Delay, once per advance of the watermark.
func (f *freer) advance(watermark int64) {
	if f.clock.Key < 0 || watermark == types.NoWatermark || watermark < math.MinInt64+f.clock.Delay {
		return
	}
	final := watermark - f.clock.Delay
	if final <= f.freed || final == math.MaxInt64 {
		return
	}
	f.freed = final
	f.upper = zset.AppendTime(f.upper[:0], final+1)
	for _, t := range f.tables {
		t.DeleteRange(f.lower, f.upper)
	}
}
