package lower

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"leat/internal/engine/circuit"
	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/opt"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var (
	seed  = flag.Uint64("seed", 0, "run this plan alone")
	plans = flag.Int("plans", 300, "how many random plans to run")
)

// event is one row of a relation's log.
type event struct {
	k, v, ts int64
	null     bool // ts is NULL
	wm       int64
	weight   int64
}

// log is the log of one relation: rows in the order of their arrival, and the source's watermark after each.
type log struct {
	events     []event
	watermarks []int64
}

// stream makes a log of two partitions whose time goes on by about a second per row; lag is how far its clock is behind.
func stream(r *rand.Rand, n int, lag int64) *log {
	l := &log{}
	wm := [2]int64{types.NoWatermark, types.NoWatermark}
	now := 1000*second - lag
	for range n {
		p := r.IntN(2)
		now += r.Int64N(2 * second)
		e := event{k: r.Int64N(6), v: r.Int64N(10), ts: now - r.Int64N(8*second) - r.Int64N(2)*r.Int64N(30*second), wm: wm[p], weight: 1}
		if e.null = r.IntN(40) == 0; !e.null {
			wm[p] = max(wm[p], e.ts-5*second)
		}
		l.events, l.watermarks = append(l.events, e), append(l.watermarks, min(wm[0], wm[1]))
	}
	return l
}

func table(r *rand.Rand, n int) *log {
	l := &log{}
	for range n {
		l.events = append(l.events, event{k: r.Int64N(6), v: r.Int64N(10), ts: 1000 * second, wm: types.NoWatermark, weight: 1 - 2*int64(r.IntN(4)/3)})
		l.watermarks = append(l.watermarks, types.NoWatermark)
	}
	return l
}

// batch makes rows [from, to) of the log as a source wants them.
func (l *log) batch(s circuit.Source, from, to int) *zset.Batch {
	var ts []types.Type
	for _, c := range s.Columns {
		ts = append(ts, s.Relation.Schema.Columns[c].Type)
	}
	for _, y := range s.System {
		ts = append(ts, plan.SystemType(y))
	}
	b := zset.NewBuilder(ts)
	for _, e := range l.events[from:to] {
		for i, c := range s.Columns {
			switch {
			case c == 2 && e.null || e.weight < 0 && c > 0:
				b.AppendNull(i)
			default:
				b.AppendInt64(i, [...]int64{e.k, e.v, e.ts}[c])
			}
		}
		for i := range s.System {
			b.AppendInt64(len(s.Columns)+i, e.wm)
		}
		b.EndRow(e.weight)
	}
	return b.Finish()
}

// run feeds logs to a plan in steps of up to most rows (0: all at once and without a watermark) and returns what it adds up to.
func run(t *testing.T, n plan.Node, logs map[types.ObjectID]*log, r *rand.Rand, most int) *zsettest.Model {
	t.Helper()
	low, err := Lower([]View{{Plan: n}}, memstate.New(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := low.Circuit
	out := zsettest.NewModel(typesOf(n.Fields()))
	at := make([]int, len(c.Sources()))
	for {
		in, more := make([]circuit.Input, len(at)), false
		for i, s := range c.Sources() {
			l := logs[s.Relation.ID]
			to := len(l.events)
			if most > 0 {
				to = min(at[i]+r.IntN(most+1)*r.IntN(2), to)
			}
			in[i] = circuit.Input{Batch: l.batch(s, at[i], to), Watermark: types.NoWatermark}
			if to > 0 && most > 0 {
				in[i].Watermark = l.watermarks[to-1]
			}
			at[i] = to
			more = more || to < len(l.events)
		}
		o, err := c.Step(in, 0)
		if err != nil {
			t.Fatal(err)
		}
		out.Apply(o.Deltas[0])
		if !more {
			return out
		}
	}
}

// TestRandomPlans: the plan as it was bound, with lateness alone made explicit, all rows at once and nothing freed, is what the optimised
// plan in random steps with moving watermarks has to add up to.
func TestRandomPlans(t *testing.T) {
	first, count := uint64(time.Now().UnixNano()%1e9), *plans
	if *seed != 0 {
		first, count = *seed, 1
	}
	for s := first; s < first+uint64(count); s++ {
		r := rand.New(rand.NewPCG(s, 1))
		g := &generator{r: r, a: relation(1, "a", plan.StreamRelation), b: relation(2, "b", plan.StreamRelation), t: relation(3, "t", plan.TableRelation)}
		n := g.plan()
		rows := int(g.oneOf(1, 30, 200))
		logs := map[types.ObjectID]*log{1: stream(r, rows, 0), 2: stream(r, rows, g.oneOf(0, 10, 100)*second), 3: table(r, rows/3+1)}
		plain, err := opt.Late(n)
		if err != nil {
			t.Fatal(err)
		}
		better, err := opt.Optimize(n, opt.Options{Fallible: expr.Fallible})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", s, err, plan.String(n))
		}
		want := run(t, plain, logs, r, 0)
		for _, most := range []int{math.MaxInt32, 1, 20} {
			steps := most
			if most == math.MaxInt32 {
				steps = rows
			}
			got := run(t, better, logs, r, steps)
			if d := got.Diff(want); d != "" {
				t.Fatalf("seed %d, steps of %d:\n%s\nbound:\n%s\noptimised:\n%s", s, steps, d, plan.String(n), plan.String(better))
			}
		}
	}
}
