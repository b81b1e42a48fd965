package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

var (
	tBigint    = types.Type{Kind: types.BigInt}
	tVarchar   = types.Type{Kind: types.Varchar}
	tDouble    = types.Type{Kind: types.Double}
	tTimestamp = types.Type{Kind: types.Timestamp}
)

// sink collects what an operator reports beside its output.
type sink struct {
	failed []int
	late   *zset.Batch
	lates  int
}

func (s *sink) context(watermark int64) *Context {
	return &Context{
		Watermark: watermark,
		Fail:      func(_ *zset.Batch, row int, _ *types.Error) { s.failed = append(s.failed, row) },
		Late:      func(b *zset.Batch) { s.late, s.lates = b, s.lates+b.N },
	}
}

// seed returns a source of random numbers whose seed a failing test prints.
func seed(t *testing.T) *rand.Rand {
	n := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", n)
		}
	})
	return rand.New(rand.NewPCG(n, 1))
}

// show prints a row of Int64, DOUBLE and VARCHAR columns exactly; NaN is one value.
func show(b *zset.Batch, row int) string {
	s := ""
	for _, c := range b.Cols {
		switch {
		case c.Null(row):
			s += "NULL"
		case c.I64 != nil:
			s += fmt.Sprint(c.I64[row])
		case c.F64 != nil && c.F64[row] != c.F64[row]:
			s += "NaN" // with any bits
		case c.F64 != nil:
			s += fmt.Sprintf("%x", math.Float64bits(c.F64[row]))
		default:
			s += fmt.Sprintf("%q", c.Bytes(row))
		}
		s += " "
	}
	return s
}

// integrate adds a delta to a multiset of rows.
func integrate(into map[string]int64, b *zset.Batch) {
	for i := range b.Rows() {
		r := show(b, i)
		if into[r] += b.Weight(i); into[r] == 0 {
			delete(into, r)
		}
	}
}

// differ describes how two multisets differ, "" if they don't.
func differ(got, want map[string]int64) string {
	var lines []string
	for r, w := range got {
		if want[r] != w {
			lines = append(lines, fmt.Sprintf("got %d want %d: %s", w, want[r], r))
		}
	}
	for r, w := range want {
		if _, ok := got[r]; !ok {
			lines = append(lines, fmt.Sprintf("got 0 want %d: %s", w, r))
		}
	}
	sort.Strings(lines)
	if len(lines) > 20 {
		lines = lines[:20]
	}
	s := ""
	for _, l := range lines {
		s += l + "\n"
	}
	return s
}

// windowsOf lists the windows of a time by looking at each in turn.
func windowsOf(w *plan.Window, t int64) (out [][2]int64) {
	reach := w.Size + w.Slide + 2
	for s := t - reach; s <= t+1; s++ {
		switch w.Kind {
		case plan.Cumulate:
			if mod(s-w.Origin, w.Size) != 0 {
				continue
			}
			for e := s + w.Slide; e <= s+w.Size; e += w.Slide {
				if s <= t && t < e {
					out = append(out, [2]int64{s, e})
				}
			}
		default:
			slide := w.Slide
			if w.Kind == plan.Tumble {
				slide = w.Size
			}
			if mod(s-w.Origin, slide) == 0 && s <= t && t < s+w.Size {
				out = append(out, [2]int64{s, s + w.Size})
			}
		}
	}
	return out
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

func TestWindowAgainstDefinition(t *testing.T) {
	r := seed(t)
	in := []types.Type{tBigint, tTimestamp}
	for range 500 {
		w := &plan.Window{Kind: plan.WindowKind(r.IntN(3)), Time: 1, Size: 1 + r.Int64N(20), Slide: 1 + r.Int64N(20), Origin: r.Int64N(60) - 30}
		if w.Kind == plan.Cumulate {
			w.Size = w.Slide * (1 + r.Int64N(4))
		}
		o, err := NewWindow(w, in)
		if err != nil {
			t.Fatal(err)
		}
		b := zset.NewBuilder(in)
		want, nulls := []string(nil), 0
		for i := range int64(r.IntN(100)) {
			weight := int64(1)
			if r.IntN(3) == 0 {
				weight = r.Int64N(5) - 6
			}
			b.AppendInt64(0, i)
			if r.IntN(20) == 0 {
				b.AppendNull(1)
				b.EndRow(weight)
				nulls++
				continue
			}
			at := r.Int64N(80) - 40
			b.AppendInt64(1, at)
			b.EndRow(weight)
			for _, x := range windowsOf(w, at) {
				want = append(want, fmt.Sprintf("%d %d %d %d *%d", i, at, x[0], x[1], weight))
			}
		}
		var s sink
		out, err := o.Step(s.context(0), []*zset.Batch{b.Finish()})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range out.Rows() {
			got = append(got, fmt.Sprintf("%s*%d", show(out, i), out.Weight(i)))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(s.failed) != nulls {
			t.Fatalf("%+v:\ngot  %v (%d failed)\nwant %v (%d nulls)", w, got, len(s.failed), want, nulls)
		}
	}
}

func TestWindowEdges(t *testing.T) {
	in := []types.Type{tTimestamp}
	for _, w := range []*plan.Window{
		{Kind: plan.Tumble}, {Kind: plan.Hop, Size: 10}, {Kind: plan.Hop, Size: 10, Slide: -1}, {Kind: plan.Cumulate, Size: 10, Slide: 3},
		{Kind: plan.Hop, Size: maxFanout + 1, Slide: 1}, {Kind: plan.Tumble, Size: 10, Time: 1}, {Kind: plan.Tumble, Size: math.MaxInt64},
	} {
		if _, err := NewWindow(w, in); err == nil {
			t.Errorf("%+v is taken", w)
		}
	}
	if _, err := NewWindow(&plan.Window{Kind: plan.Tumble, Size: 1}, []types.Type{tVarchar}); err == nil {
		t.Error("a VARCHAR time is taken")
	}
	o, err := NewWindow(&plan.Window{Kind: plan.Tumble, Size: 10}, in)
	if err != nil {
		t.Fatal(err)
	}
	// DuckDB's infinity, its negative, the extremes.
	b := &zset.Batch{N: 4, Cols: []*zset.Vec{{Type: tTimestamp, Len: 4, I64: []int64{math.MaxInt64, math.MinInt64 + 1, math.MinInt64, -1}}}}
	var s sink
	out, err := o.Step(s.context(0), []*zset.Batch{b})
	if err != nil || out.N != 1 || show(out, 0) != "-1 -10 0 " || len(s.failed) != 3 {
		t.Fatalf("%v %v %v", out, s.failed, err)
	}
	if out, err := o.Step(s.context(0), []*zset.Batch{nil}); out != nil || err != nil {
		t.Fatal(out, err)
	}
}

func benchmarkWindow(b *testing.B, w *plan.Window) {
	const rows = 1 << 16
	in := []types.Type{tTimestamp, tBigint}
	o, err := NewWindow(w, in)
	if err != nil {
		b.Fatal(err)
	}
	times, vals := make([]int64, rows), make([]int64, rows)
	for i := range times {
		times[i] = 1_436_918_400_000_000 + int64(i)*100
	}
	batch := &zset.Batch{N: rows, Cols: []*zset.Vec{{Type: tTimestamp, Len: rows, I64: times}, {Type: tBigint, Len: rows, I64: vals}}}
	var s sink
	x := s.context(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Step(x, []*zset.Batch{batch}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkTumble(b *testing.B) {
	benchmarkWindow(b, &plan.Window{Kind: plan.Tumble, Size: 10_000_000})
}

func BenchmarkHop(b *testing.B) {
	benchmarkWindow(b, &plan.Window{Kind: plan.Hop, Size: 10_000_000, Slide: 2_000_000})
}
