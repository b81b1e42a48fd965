package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// Columns of the tests' inputs.
const (
	colKey = iota
	colFloat
	colTime
	colValue
	colText
)

var joinTypes = []types.Type{
	types.Of(types.BigInt), types.Of(types.Double), types.Of(types.Timestamp), types.Of(types.BigInt), types.Of(types.Varchar),
}

var joinKinds = []struct {
	name string
	kind plan.JoinKind
}{
	{"inner", plan.Inner}, {"left", plan.Left}, {"right", plan.Right}, {"full", plan.Full},
	{"semi", plan.Semi}, {"anti", plan.Anti}, {"mark", plan.Mark}, {"single", plan.Single},
}

// lessEqual is the residual left.value <= right.value.
func lessEqual(t testing.TB) (*expr.Program, func(l, r joinRow) int) {
	w := len(joinTypes)
	e := &plan.Expr{Kind: plan.Compare, Name: "<=", Type: types.Of(types.Boolean), Place: -1,
		Args: []*plan.Expr{plan.Col(colValue, joinTypes[colValue]), plan.Col(w+colValue, joinTypes[colValue])}}
	p, err := expr.Compile([]*plan.Expr{e}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, func(l, r joinRow) int {
		a, ok := l[colValue].(int64)
		b, ok2 := r[colValue].(int64)
		switch {
		case !ok || !ok2:
			return -1
		case a <= b:
			return 1
		}
		return 0
	}
}

// joinScenario is a random test of one join.
type joinScenario struct {
	joinCase
	// clock: times of both inputs follow a watermark that the operator frees state by; slack is how far they lag behind it.
	clock bool
	slack [2]int64
	// ahead is how many seconds times are spread over.
	ahead int64
	steps int
	// size is the largest number of changes in a step, most are far below.
	size int
}

type joinRun struct {
	t         *testing.T
	sc        *joinScenario
	rng       *rand.Rand
	store     *memstate.Store
	op        Op
	watermark int64
	in        [2]*joinInput
	out       *joinBag
	failed    *joinBag
}

// randomRow makes rows with few distinct values, so that keys meet and rows repeat.
func (r *joinRun) randomRow(side int) joinRow {
	rng := r.rng
	row := make(joinRow, len(joinTypes))
	row[colKey] = rng.Int64N(4)
	row[colFloat] = []float64{0, math.Copysign(0, -1), 1.5, math.NaN()}[rng.IntN(4)]
	row[colTime] = rng.Int64N(40) * 1_000_000
	row[colValue] = rng.Int64N(5)
	row[colText] = []string{"", "a", "b\x00c"}[rng.IntN(3)]
	for c := range row {
		if rng.IntN(8) == 0 {
			row[c] = nil
		}
	}
	if r.sc.clock {
		row[colTime] = -floorDiv(r.sc.slack[side]-r.watermark, 1_000_000)*1_000_000 + rng.Int64N(r.sc.ahead)*1_000_000
		if rng.IntN(20) == 0 {
			row[colTime] = nil
		}
	}
	return row
}

// final reports whether a row of a side may no longer be retracted.
func (r *joinRun) final(side int, row joinRow) bool {
	t, ok := row[colTime].(int64)
	return r.sc.clock && ok && t < r.watermark-r.sc.slack[side]
}

func (r *joinRun) open() {
	op, err := NewJoin(r.sc.cfg, tablesOf(r.store))
	if err != nil {
		r.t.Fatal(err)
	}
	p := &op.(*join).probe
	p.limit = []int{1, 3, probeChunk}[r.rng.IntN(3)]
	p.share, p.least = []int{smallShare, 10_000}[r.rng.IntN(2)], []int{fewGroups, 0}[r.rng.IntN(2)]
	r.op = op
}

func (sc *joinScenario) run(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	r := &joinRun{t: t, sc: sc, rng: rng, store: memstate.New(), out: newJoinBag(), failed: newJoinBag()}
	for i, appendOnly := range []bool{sc.cfg.LeftAppendOnly, sc.cfg.RightAppendOnly} {
		r.in[i] = &joinInput{rng: rng, types: joinTypes, row: func() joinRow { return r.randomRow(i) }, final: func(row joinRow) bool { return r.final(i, row) },
			appendOnly: appendOnly, bag: newJoinBag()}
	}
	r.watermark = 100_000_000
	r.open()
	for step := range sc.steps {
		r.step()
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
		if rng.IntN(6) == 0 {
			_ = r.store.Commit(nil, false)
			r.store = r.store.Reopen()
			r.open()
		}
	}
	if sc.clock && sc.cfg.Kind != plan.Mark { // whose rows without a time stay
		r.drain()
	}
}

// drain moves the watermark past all rows, or to the end of time as finite input does: no state is left.
func (r *joinRun) drain() {
	end := []int64{r.watermark + 1_000_000_000, math.MaxInt64}[r.rng.IntN(2)]
	if _, err := r.op.Step(&Context{Watermark: end}, make([]*zset.Batch, 2)); err != nil {
		r.t.Fatal(err)
	}
	for id, st := range r.store.Stats().Tables {
		if st.Rows != 0 {
			r.t.Errorf("table %d keeps %d rows", id, st.Rows)
		}
	}
}

func (r *joinRun) step() {
	in := make([]*zset.Batch, 2)
	for i := range in {
		if n := r.rng.IntN(8); n < 5 {
			in[i] = r.in[i].delta(n)
		} else if n == 5 && r.rng.IntN(4) == 0 {
			in[i] = r.in[i].delta(r.sc.size)
		}
	}
	x := &Context{Watermark: types.NoWatermark, Fail: func(b *zset.Batch, row int, _ *types.Error) {
		r.failed.add(joinRowOf(b, row), b.Weight(row))
	}}
	if r.sc.clock {
		r.watermark += r.rng.Int64N(3) * 1_500_000
		x.Watermark = r.watermark
	}
	out, err := r.op.Step(x, in)
	if err != nil {
		r.t.Fatal(err)
	}
	r.out.addBatch(out)
	want, failed := r.sc.evaluate(r.in[0].bag, r.in[1].bag)
	if d := r.out.difference(want); d != "" {
		r.t.Errorf("output differs:\n%s", d)
	}
	if d := r.failed.difference(failed); d != "" {
		r.t.Errorf("errors of rows differ:\n%s", d)
	}
}

// runJoin runs a scenario under a seed that it prints when it fails.
func runJoin(t *testing.T, sc *joinScenario) {
	if _, err := NewJoin(sc.cfg, tablesOf(memstate.New())); sc.cfg.Kind == plan.Mark && types.HasCode(err, types.Unsupported) {
		t.Skip(err)
	}
	sc.run(t, rand.Uint64())
}

// TestJoin compares every kind of join, over random changes, with nested loops over the accumulated input.
func TestJoin(t *testing.T) {
	keys := []struct {
		name string
		cols []int
		safe []bool
	}{
		{"key", []int{colKey}, []bool{false}},
		{"safe", []int{colKey}, []bool{true}},
		{"floats", []int{colFloat, colText}, []bool{true, false}},
		{"none", nil, nil},
	}
	for _, k := range joinKinds {
		for _, key := range keys {
			for n := range 8 {
				t.Run(fmt.Sprintf("%s/%s/residual=%v/append=%d", k.name, key.name, n&4 != 0, n&3), func(t *testing.T) {
					sc := &joinScenario{steps: 25, size: 30}
					sc.cfg = JoinConfig{Kind: k.kind, LeftTypes: joinTypes, RightTypes: joinTypes, LeftKeys: key.cols, RightKeys: key.cols,
						NullSafe: key.safe, Clock: NoClock, LeftAppendOnly: n&1 != 0, RightAppendOnly: n&2 != 0}
					if n&4 != 0 {
						sc.cfg.Residual, sc.residual = lessEqual(t)
					}
					runJoin(t, sc)
				})
			}
		}
	}
}

// TestSemiJoinKeepsNoMatched: where the right is append-only, left rows are kept until they have a match.
func TestSemiJoinKeepsNoMatched(t *testing.T) {
	ts := joinTypes[:1]
	store := memstate.New()
	op, err := NewJoin(JoinConfig{Kind: plan.Semi, LeftTypes: ts, RightTypes: ts, LeftKeys: []int{0}, RightKeys: []int{0},
		NullSafe: []bool{false}, Clock: NoClock, RightAppendOnly: true}, tablesOf(store))
	if err != nil {
		t.Fatal(err)
	}
	batch := func(keys ...int64) *zset.Batch {
		b := zset.NewBuilder(ts)
		for _, k := range keys {
			appendJoinRow(b, joinRow{k}, 1)
		}
		return b.Finish()
	}
	for i, c := range []struct {
		left, right *zset.Batch
		rows        int // of the output
		kept        int64
	}{{batch(1, 2, 3), nil, 0, 3}, {nil, batch(2), 1, 2}, {batch(2, 4), batch(2, 3), 2, 2}, {zset.Negate(batch(2, 4)), nil, 1, 1}} {
		out, err := op.Step(&Context{Watermark: types.NoWatermark}, []*zset.Batch{c.left, c.right})
		if err != nil {
			t.Fatal(err)
		}
		if kept := store.Stats().Tables[1].Rows; out.Rows() != c.rows || kept != c.kept {
			t.Errorf("step %d: %d rows, %d kept, want %d and %d", i, out.Rows(), kept, c.rows, c.kept)
		}
	}
}

// TestJoinClock joins by a time, and frees state behind the watermark.
func TestJoinClock(t *testing.T) {
	for _, k := range joinKinds {
		for n := rand.IntN(4); n < 16; n += 4 { // one of the hints each
			t.Run(fmt.Sprintf("%s/residual=%v/band=%v/append=%d", k.name, n&4 != 0, n&8 != 0, n&3), func(t *testing.T) {
				sc := &joinScenario{steps: 80, size: 30, clock: true, slack: [2]int64{2_000_000, 2_000_000}, ahead: 5}
				sc.cfg = JoinConfig{Kind: k.kind, LeftTypes: joinTypes, RightTypes: joinTypes, LeftKeys: []int{colKey, colTime},
					RightKeys: []int{colKey, colTime}, NullSafe: []bool{n&1 != 0, false}, Clock: Clock{Key: 1, Delay: 2_000_001},
					LeftAppendOnly: n&1 != 0, RightAppendOnly: n&2 != 0}
				if k.kind == plan.Mark {
					sc.cfg.LeftKeys, sc.cfg.RightKeys = []int{colKey, colTime}, []int{colKey, colTime}
					sc.cfg.NullSafe = []bool{false, true}
				}
				if n&4 != 0 {
					sc.cfg.Residual, sc.residual = lessEqual(t)
				}
				if n&8 != 0 {
					sc.cfg.Band = &plan.Band{LeftTime: colTime, RightTime: colTime, Lower: -1_000_000, Upper: 0}
				}
				runJoin(t, sc)
			})
		}
	}
}

// TestJoinBand joins rows whose times are near each other, and frees state behind the watermark.
func TestJoinBand(t *testing.T) {
	bands := [][2]int64{{-3_000_000, 3_000_000}, {0, 2_000_000}, {2_000_000, 7_000_000}, {-7_000_000, -2_000_000}, {0, 0}, {1, 0}}
	for _, k := range joinKinds {
		for i, b := range bands {
			for n := rand.IntN(4); n < 16; n += 4 { // one of the hints each
				t.Run(fmt.Sprintf("%s/band=%d/residual=%v/key=%v/append=%d", k.name, i, n&4 != 0, n&8 != 0, n&3), func(t *testing.T) {
					sc := &joinScenario{steps: 60, size: 20, clock: true, slack: [2]int64{1_000_000, 4_000_000}, ahead: 10}
					sc.cfg = JoinConfig{Kind: k.kind, LeftTypes: joinTypes, RightTypes: joinTypes, Clock: NoClock,
						LeftAppendOnly: n&1 != 0, RightAppendOnly: n&2 != 0, LeftSlack: sc.slack[0], RightSlack: sc.slack[1],
						Band: &plan.Band{LeftTime: colTime, RightTime: colTime, Lower: b[0], Upper: b[1]}}
					if n&4 != 0 {
						sc.cfg.Residual, sc.residual = lessEqual(t)
					}
					if n&8 != 0 {
						sc.cfg.LeftKeys, sc.cfg.RightKeys, sc.cfg.NullSafe = []int{colKey}, []int{colKey}, []bool{false}
					}
					runJoin(t, sc)
				})
			}
		}
	}
}
