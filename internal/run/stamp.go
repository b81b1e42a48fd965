package run

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// stamps are the system columns of some records, as a log that takes them one by one would have stamped them.
type stamps struct {
	rows       int
	first      int64
	at         int64
	watermarks []int64
}

// stamp moves the input's watermark over the records' event times. There is no clock to be ahead of: every timestamp counts.
func (in *input) stamp(b *types.Batch) *stamps {
	s := &stamps{rows: b.Rows, first: in.rows, at: time.Now().UnixMicro()}
	in.rows += int64(b.Rows)
	c := in.timeColumn()
	if c < 0 || !in.rel.Time.Watermarked {
		return s
	}
	times, ok := b.Columns[c].(*array.Timestamp)
	if !ok {
		return s
	}
	delay := in.rel.Time.Delay.Microseconds()
	s.watermarks = make([]int64, b.Rows)
	values, nulls := times.TimestampValues(), times.NullN() > 0
	for i, t := range values {
		s.watermarks[i] = in.watermark
		if !nulls || times.IsValid(i) {
			in.watermark = max(in.watermark, int64(t)-delay)
		}
	}
	return s
}

// column makes one system column.
func (s *stamps) column(sys plan.System) *zset.Vec {
	v := &zset.Vec{Type: plan.SystemType(sys), Len: s.rows}
	switch sys {
	case plan.Watermark:
		v.I64 = s.watermarks
		if v.I64 == nil {
			v.I64 = filled(s.rows, types.NoWatermark)
		}
	case plan.ReceivedAt:
		v.I64 = filled(s.rows, s.at)
	case plan.Partition:
		v.I64 = make([]int64, s.rows)
	case plan.Offset:
		v.W = make([]zset.Int128, s.rows)
		for i := range v.W {
			v.W[i] = decimal128.FromI64(s.first + int64(i))
		}
	}
	return v
}

func filled(n int, x int64) []int64 {
	v := make([]int64, n)
	for i := range v {
		v[i] = x
	}
	return v
}
