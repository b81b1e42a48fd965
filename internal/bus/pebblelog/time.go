package pebblelog

import (
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// ageWindow is how many of a partition's last rows say how far its events lag behind the clock. Rows are
// counted in whole entries; of an entry with more rows only the last ageWindow count.
const ageWindow = 10_000

// times is what a batch's event times mean for its partition's watermark.
type times struct {
	column *array.Timestamp // nil without an event time
	// max and min are over all rows and over the last ageWindow rows; rows counts those that are not NULL.
	max, min int64
	rows     int
}

// timesOf looks at the event times of a batch once, outside the committer.
func timesOf(b *types.Batch, rule types.TimeRule) times {
	if rule.Column == 0 {
		return times{}
	}
	i := b.Schema.IndexID(rule.Column)
	if i < 0 {
		return times{}
	}
	col, ok := b.Columns[i].(*array.Timestamp)
	if !ok {
		return times{}
	}
	t := times{column: col}
	t.max, t.min, t.rows = t.scan(math.MaxInt64)
	return t
}

// scan returns the greatest time, the least of the last ageWindow rows and the number of times that are at most limit.
func (t times) scan(limit int64) (greatest, least int64, n int) {
	greatest, least = math.MinInt64, math.MaxInt64
	recent := t.column.Len() - ageWindow
	nulls := t.column.NullN() != 0
	for i, v := range t.column.TimestampValues() {
		ts := int64(v)
		if ts > limit || nulls && t.column.IsNull(i) {
			continue
		}
		n++
		greatest = max(greatest, ts)
		if i >= recent {
			least = min(least, ts)
		}
	}
	return greatest, least, n
}

// effect is what a batch does to its partition when it is appended at a moment.
type effect struct {
	watermark int64 // types.NoWatermark where it has nothing to say
	age       int64
	hasAge    bool
	future    int // rows whose time is too far ahead to count
}

// effectAt decides the effect of appending rows with these times at the moment at (microseconds).
func (t times) effectAt(at int64, rule types.TimeRule) effect {
	e := effect{watermark: types.NoWatermark}
	if t.column == nil || !rule.Watermarked || t.rows == 0 {
		return e
	}
	greatest, least, n := t.max, t.min, t.rows
	limit := at + rule.Future().Microseconds()
	if greatest > limit {
		greatest, least, n = t.scan(limit)
		e.future = t.rows - n
	}
	if n == 0 {
		return e
	}
	e.watermark = minus(greatest, rule.Delay)
	if least != math.MaxInt64 {
		e.age, e.hasAge = satSub(at, least), true
	}
	return e
}

// minus subtracts a delay; it stops at the least watermark, which is one above types.NoWatermark.
func minus(t int64, d time.Duration) int64 {
	return max(satSub(t, d.Microseconds()), types.NoWatermark+1)
}

// satSub is a-b, held to the ends of int64.
func satSub(a, b int64) int64 {
	d := a - b
	if (a >= 0) != (b >= 0) && (d >= 0) != (a >= 0) {
		if a >= 0 {
			return math.MaxInt64
		}
		return math.MinInt64
	}
	return d
}

// ages is the largest age over a partition's last ageWindow rows: a queue whose ages fall, each with the number
// of rows that the partition had once it was appended. The zero value is empty.
type ages struct{ q []agePoint }

type agePoint struct {
	rows uint64 // the partition's total after the entry
	age  int64
}

// add tells of an entry that brought the partition's rows to total.
func (a *ages) add(total uint64, age int64) {
	n := len(a.q)
	for n > 0 && a.q[n-1].age <= age {
		n--
	}
	a.q = append(a.q[:n], agePoint{total, age})
	a.expire(total)
}

// expire forgets what lies before the window of a partition of total rows.
func (a *ages) expire(total uint64) {
	i := 0
	for i < len(a.q) && a.q[i].rows+ageWindow <= total {
		i++
	}
	a.q = append(a.q[:0], a.q[i:]...)
}

// largest returns the largest age of the window.
func (a *ages) largest() (int64, bool) {
	if len(a.q) == 0 {
		return 0, false
	}
	return a.q[0].age, true
}
