package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// storeTables gives out tables 1, 2, ... of a store.
func storeTables(s state.Store) Tables {
	n := state.TableID(0)
	return func() state.Table { n++; return s.Table(n) }
}

// visit is an input row of the session tests: columns key DOUBLE, note VARCHAR, ts TIMESTAMP, key2 BIGINT, _wm TIMESTAMP.
type visit struct {
	// key is math.Float64bits, for -0.0 and 0.0 are one key of a Go map.
	key    uint64
	noKey  bool
	note   string
	ts     int64
	noTime bool
	key2   int64
	wm     int64
}

var visitTypes = []types.Type{tDouble, tVarchar, tTimestamp, tBigint, tTimestamp}

func (v visit) append(b *zset.Builder, w int64) {
	if v.noKey {
		b.AppendNull(0)
	} else {
		b.AppendFloat64(0, math.Float64frombits(v.key))
	}
	b.AppendBytes(1, []byte(v.note))
	if v.noTime {
		b.AppendNull(2)
	} else {
		b.AppendInt64(2, v.ts)
	}
	b.AppendInt64(3, v.key2)
	b.AppendInt64(4, v.wm)
	b.EndRow(w)
}

func (v visit) group(keys int) string {
	s := ""
	if keys > 0 {
		s = fmt.Sprint(v.key2)
	}
	if keys > 1 {
		s += fmt.Sprint(v.noKey, math.Float64frombits(v.key)+0) // -0.0 + 0 is 0.0
	}
	return s
}

// output is how the operator's output shows v in a session.
func (v visit) output(start, end int64) string {
	b := zset.NewBuilder(visitTypes)
	v.append(b, 1)
	return show(b.Finish(), 0) + fmt.Sprintf("%d %d ", start, end)
}

func randomVisit(r *rand.Rand, span int64) visit {
	keys := []float64{0, 1, math.NaN(), math.Copysign(0, -1)}
	v := visit{key: math.Float64bits(keys[r.IntN(4)]), note: string(rune('a' + r.IntN(3))), ts: r.Int64N(span) - span/2, key2: r.Int64N(2)}
	if v.noKey = r.IntN(5) == 0; v.noKey {
		v.key = 0
	}
	if v.noTime = r.IntN(15) == 0; v.noTime {
		v.ts = 0
	}
	return v
}

// chains computes sessions from all rows: the naive form.
func chains(rows map[visit]int64, keys int, gap int64) map[string]int64 {
	groups := map[string][]visit{}
	for v := range rows {
		if !v.noTime {
			groups[v.group(keys)] = append(groups[v.group(keys)], v)
		}
	}
	out := map[string]int64{}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b visit) int { return int(a.ts - b.ts) })
		for from := 0; from < len(g); {
			to := from + 1
			for to < len(g) && g[to].ts-g[to-1].ts <= gap {
				to++
			}
			for _, v := range g[from:to] {
				out[v.output(g[from].ts, g[to-1].ts+gap)] += rows[v]
			}
			from = to
		}
	}
	return out
}

var sessionKeys = [][]int{nil, {3}, {3, 0}}

func TestSessionsAreChainsInAnyOrder(t *testing.T) {
	r := seed(t)
	for range 150 {
		keys, gap, span := r.IntN(3), 1+r.Int64N(8), 5+r.Int64N(100)
		w, store := &plan.Window{Kind: plan.Session, Time: 2, Gap: gap, Keys: sessionKeys[keys]}, memstate.New()
		rows, got, size := map[visit]int64{}, map[string]int64{}, 1+r.IntN(30)
		for step := range 30 {
			o, err := NewSession(w, visitTypes, -1, storeTables(store)) // nothing is kept but in the store
			if err != nil {
				t.Fatal(err)
			}
			b := zset.NewBuilder(visitTypes)
			for range r.IntN(size + 1) {
				v, w := randomVisit(r, span), 1+r.Int64N(2)
				if len(rows) > 0 && r.IntN(2) == 0 {
					v, w = anyOf(r, rows)
					w = -1 - r.Int64N(w)
				}
				v.append(b, w)
				if rows[v] += w; rows[v] == 0 {
					delete(rows, v)
				}
			}
			var s sink
			out, err := o.Step(s.context(types.NoWatermark), []*zset.Batch{b.Finish()})
			if err != nil {
				t.Fatal(err)
			}
			integrate(got, out)
			if d := differ(got, chains(rows, keys, gap)); d != "" {
				t.Fatalf("step %d, keys %v, gap %d:\n%s", step, sessionKeys[keys], gap, d)
			}
		}
	}
}

// anyOf returns some row that is there, with its weight.
func anyOf(r *rand.Rand, rows map[visit]int64) (visit, int64) {
	all := make([]visit, 0, len(rows))
	for v := range rows {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b visit) int {
		return int(a.ts-b.ts)*1000 + int(a.key2-b.key2)*100 + int(a.key>>60) - int(b.key>>60)
	})
	v := all[r.IntN(len(all))]
	return v, rows[v]
}

// sequence is the sequential form of sessions with a watermark, as DESIGN 3 says it.
type sequence struct {
	gap, late int64
	open      map[string][][]visit
}

func (m *sequence) add(v visit, keys int) {
	if v.noTime {
		return
	}
	if v.wm != types.NoWatermark && v.ts+m.gap <= v.wm {
		m.late++
		return
	}
	k, joined := v.group(keys), []visit{v}
	var rest [][]visit
	for _, s := range m.open[k] {
		lo, hi := bound(s)
		final := v.wm != types.NoWatermark && hi+m.gap <= v.wm
		if !final && v.ts >= lo-m.gap && v.ts <= hi+m.gap {
			joined = append(joined, s...)
		} else {
			rest = append(rest, s)
		}
	}
	m.open[k] = append(rest, joined)
}

func bound(s []visit) (lo, hi int64) {
	lo, hi = s[0].ts, s[0].ts
	for _, v := range s {
		lo, hi = min(lo, v.ts), max(hi, v.ts)
	}
	return lo, hi
}

func (m *sequence) rows() map[string]int64 {
	out := map[string]int64{}
	for _, g := range m.open {
		for _, s := range g {
			lo, hi := bound(s)
			for _, v := range s {
				out[v.output(lo, hi+m.gap)]++
			}
		}
	}
	return out
}

func TestSessionsWithWatermark(t *testing.T) {
	r := seed(t)
	for range 150 {
		keys, gap, slack, size := r.IntN(3), 1+r.Int64N(8), r.Int64N(20), 1+r.IntN(30)
		w, store := &plan.Window{Kind: plan.Session, Time: 2, Gap: gap, Keys: sessionKeys[keys]}, memstate.New()
		o, err := NewSession(w, visitTypes, 4, storeTables(store))
		if err != nil {
			t.Fatal(err)
		}
		m, got, wm := sequence{gap: gap, open: map[string][][]visit{}}, map[string]int64{}, types.NoWatermark
		var s sink
		for step := range int64(40) {
			if r.IntN(4) == 0 { // nothing is kept but in the store
				if o, err = NewSession(w, visitTypes, 4, storeTables(store)); err != nil {
					t.Fatal(err)
				}
			}
			b := zset.NewBuilder(visitTypes)
			for range r.IntN(size + 1) {
				v := randomVisit(r, 40)
				v.ts += step * 3
				v.wm = wm
				v.append(b, 1)
				m.add(v, keys)
				if !v.noTime {
					wm = max(wm, v.ts-slack)
				}
			}
			out, err := o.Step(s.context(wm), []*zset.Batch{b.Finish()})
			if err != nil {
				t.Fatal(err)
			}
			integrate(got, out)
			if d := differ(got, m.rows()); d != "" || int64(s.lates) != m.late {
				t.Fatalf("step %d, keys %v, gap %d, late %d of %d:\n%s", step, sessionKeys[keys], gap, s.lates, m.late, d)
			}
		}
		if _, err := o.Step(s.context(1000), []*zset.Batch{nil}); err != nil {
			t.Fatal(err)
		}
		for id, x := range store.Stats().Tables {
			if x.Rows != 0 {
				t.Fatalf("table %d keeps %d rows of final sessions", id, x.Rows)
			}
		}
	}
}

func TestSessionEdges(t *testing.T) {
	w := &plan.Window{Kind: plan.Session, Time: 2, Gap: 10, Keys: []int{3}}
	o, err := NewSession(w, visitTypes, 4, storeTables(memstate.New()))
	if err != nil {
		t.Fatal(err)
	}
	b := zset.NewBuilder(visitTypes)
	visit{ts: 5}.append(b, -1)
	var s sink
	if _, err := o.Step(s.context(0), []*zset.Batch{b.Finish()}); err == nil {
		t.Error("a retraction is taken where there is a watermark")
	}
	for _, bad := range []plan.Window{{Time: 2}, {Time: 2, Gap: -1}, {Time: 1, Gap: 1}, {Time: 9, Gap: 1}} {
		if _, err := NewSession(&bad, visitTypes, -1, storeTables(memstate.New())); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestSessionsInLargeSteps takes the same rows at once, one by one and in steps of 64k.
func TestSessionsInLargeSteps(t *testing.T) {
	r := seed(t)
	const n = 100_000
	all := make([]visit, n)
	wm := types.NoWatermark
	for i := range all {
		all[i] = randomVisit(r, 200)
		all[i].ts += int64(i) / 2
		all[i].wm = wm
		if !all[i].noTime {
			wm = max(wm, all[i].ts-30)
		}
	}
	var want map[string]int64
	lates := 0
	for _, size := range []int{n, 1 << 16, 1000, 1} {
		if size == 1 {
			size = 1 + r.IntN(3)
		}
		o, err := NewSession(&plan.Window{Kind: plan.Session, Time: 2, Gap: 5, Keys: []int{3, 0}}, visitTypes, 4, storeTables(memstate.New()))
		if err != nil {
			t.Fatal(err)
		}
		var s sink
		got := map[string]int64{}
		for from := 0; from < n; from += size {
			to := min(from+size, n)
			b := zset.NewBuilder(visitTypes)
			for _, v := range all[from:to] {
				v.append(b, 1)
			}
			now := wm
			if to < n {
				now = all[to].wm
			}
			out, err := o.Step(s.context(now), []*zset.Batch{b.Finish()})
			if err != nil {
				t.Fatal(err)
			}
			integrate(got, out)
		}
		if want == nil {
			want, lates = got, s.lates
			if lates < n/100 || len(want) < n/10 {
				t.Fatalf("%d rows, %d late", len(want), lates)
			}
			continue
		}
		if d := differ(got, want); d != "" || s.lates != lates {
			t.Fatalf("steps of %d, late %d of %d:\n%s", size, s.lates, lates, d)
		}
	}
}

// TestSessionLong frees a session whose rows are deleted as a range.
func TestSessionLong(t *testing.T) {
	store := memstate.New()
	o, err := NewSession(&plan.Window{Kind: plan.Session, Time: 2, Gap: 10}, visitTypes, 4, storeTables(store))
	if err != nil {
		t.Fatal(err)
	}
	var s sink
	for i := range int64(300) {
		b := zset.NewBuilder(visitTypes)
		visit{ts: i, wm: types.NoWatermark}.append(b, 1)
		out, err := o.Step(s.context(types.NoWatermark), []*zset.Batch{b.Finish()})
		if err != nil || int64(out.Rows()) != 2*i+1 {
			t.Fatal(i, out.Rows(), err)
		}
	}
	for _, at := range []int64{308, 309} {
		if _, err := o.Step(s.context(at), []*zset.Batch{nil}); err != nil {
			t.Fatal(err)
		}
		want := map[int64]int64{308: 1, 309: 0}[at]
		if got := store.Stats().Tables[1].Rows; got != want {
			t.Fatalf("watermark %d: %d sessions", at, got)
		}
	}
	if got := store.Stats().Tables[2].Rows; got != 0 {
		t.Fatalf("%d rows left", got)
	}
}

func BenchmarkSession(b *testing.B) {
	for _, keys := range []int64{100, 10000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { benchmarkSession(b, keys) })
	}
}

// benchmarkSession takes steps of 8192 rows, 10,000 rows a second of event time; each key pauses after a few rows.
func benchmarkSession(b *testing.B, keys int64) {
	const rows = 8192
	in := []types.Type{tBigint, tTimestamp, tBigint, tTimestamp}
	o, err := NewSession(&plan.Window{Kind: plan.Session, Time: 1, Gap: 1_000_000, Keys: []int{0}}, in, 3, storeTables(memstate.New()))
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	now := int64(0)
	var s sink
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		bb := zset.NewBuilder(in)
		for range rows {
			now += 100
			bb.AppendInt64(0, now/5_000_000*7919%keys+r.Int64N(keys/10))
			bb.AppendInt64(1, now)
			bb.AppendInt64(2, r.Int64())
			bb.AppendInt64(3, now-4_000_000)
			bb.EndRow(1)
		}
		batch := bb.Finish()
		b.StartTimer()
		if _, err := o.Step(s.context(now-4_000_000), []*zset.Batch{batch}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
