package fuzzsql

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// event is one record of a relation's log. Values are nil, integers as the engine holds them (decimals unscaled), doubles as text, text.
type event struct {
	Rel    string `json:"rel"`
	Delete bool   `json:"delete,omitempty"`
	Row    []any  `json:"row"`
}

// second is a timestamp's.
const second = int64(1e6)

// start is the time of the first events.
const start = 1_600_000_000 * second

// events draws a log of n records.
func events(r *rand.Rand, rels []*relation, n int) []event {
	now, extreme := start, r.IntN(8) == 0
	nulls := []int{4, 10, 1000}[r.IntN(3)]
	var out []event
	for range n {
		rel := rels[r.IntN(len(rels))]
		e := event{Rel: rel.name, Delete: rel.keyed > 0 && r.IntN(3) == 0}
		now += r.Int64N(2) * r.Int64N(3*second)
		for i, c := range rel.columns {
			switch {
			case i < rel.keyed:
				e.Row = append(e.Row, value(r, c.kind, now, false))
			case e.Delete || r.IntN(nulls) == 0:
				e.Row = append(e.Row, nil)
			default:
				e.Row = append(e.Row, value(r, c.kind, now, extreme))
			}
		}
		out = append(out, e)
		if rel.keyed == 0 && r.IntN(6) == 0 {
			out = append(out, e)
		}
	}
	return out
}

func value(r *rand.Rand, k kind, now int64, extreme bool) any {
	switch k {
	case key:
		return int64(r.IntN(5))
	case integer:
		return int64(r.IntN(13) - 4)
	case bigint:
		if extreme && r.IntN(4) == 0 {
			return []int64{math.MaxInt64, math.MinInt64 + 1, 1<<53 + 1}[r.IntN(3)]
		}
		return int64(r.IntN(41) - 20)
	case double:
		return []string{"0", "-0", "NaN", "1.5", "-2.25", "+Inf", "3", "0.5", "-7", "2", "1024.125", "-0.5"}[r.IntN(12)]
	case decimal:
		return int64(r.IntN(900) - 300)
	case text:
		return []string{"", "a", "b", "A", "ab", "x%", "é", "_z"}[r.IntN(8)]
	case boolean:
		return int64(r.IntN(2))
	case date:
		return int64(18500 + r.IntN(5))
	default:
		return now - r.Int64N(2)*r.Int64N(12*second)
	}
}

// log is the records of one relation as the engine takes them.
type log struct {
	rel        *plan.Relation
	columns    []types.Type
	watermark  int64
	taken      int64
	watermarks []int64 // of the rows of the last batch
	// kept are the batches that DuckDB has not had.
	kept      []*zset.Batch
	keptMarks []int64
}

func (l *log) keep(b *zset.Batch) {
	if b.Rows() > 0 {
		l.kept, l.keptMarks = append(l.kept, b), append(l.keptMarks, l.watermarks...)
	}
}

func newLog(rel *plan.Relation) *log {
	l := &log{rel: rel, watermark: types.NoWatermark}
	for _, c := range rel.Schema.Columns {
		l.columns = append(l.columns, c.Type)
	}
	return l
}

// batch makes a batch of the events of this relation, all columns, and moves the watermark.
func (l *log) batch(es []event) (*zset.Batch, error) {
	b := zset.NewBuilder(l.columns)
	l.watermarks = nil
	for _, e := range es {
		if e.Rel != l.rel.Name {
			continue
		}
		for i, v := range e.Row {
			if err := appendValue(b, i, l.columns[i], v); err != nil {
				return nil, err
			}
		}
		weight := int64(1)
		if e.Delete {
			weight = -1
		}
		b.EndRow(weight)
		l.watermarks = append(l.watermarks, l.watermark)
		if l.rel.Time.Watermarked {
			if t, ok := integerOf(e.Row[l.rel.Schema.IndexID(l.rel.Time.Column)]); ok {
				l.watermark = max(l.watermark, t-l.rel.Time.Delay.Microseconds())
			}
		}
	}
	return b.Finish(), nil
}

func integerOf(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

func appendValue(b *zset.Builder, at int, t types.Type, v any) error {
	if v == nil {
		b.AppendNull(at)
		return nil
	}
	if n, ok := integerOf(v); ok {
		switch {
		case t.Kind == types.Boolean:
			b.AppendBool(at, n != 0)
		case zset.PhysOf(t) == zset.Wide:
			b.AppendWide(at, decimal128.FromI64(n))
		default:
			b.AppendInt64(at, n)
		}
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a value of type %T", v)
	}
	if t.Kind != types.Double {
		b.AppendBytes(at, []byte(s))
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	b.AppendFloat64(at, f)
	return err
}
