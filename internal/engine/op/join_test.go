package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
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

// tablesOf numbers a store's tables as lowering does.
func tablesOf(s state.Store) Tables {
	id := state.TableID(0)
	return func() state.Table {
		id++
		return s.Table(id)
	}
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
	slack int64
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
		row[colTime] = (r.watermark/1_000_000-r.sc.slack/1_000_000+rng.Int64N(12))*1_000_000 + 1
		if rng.IntN(20) == 0 {
			row[colTime] = nil
		}
	}
	_ = side
	return row
}

func (r *joinRun) final(row joinRow) bool {
	t, ok := row[colTime].(int64)
	return r.sc.clock && ok && t < r.watermark-r.sc.slack
}

func (r *joinRun) open() {
	op, err := NewJoin(r.sc.cfg, tablesOf(r.store))
	if err != nil {
		r.t.Fatal(err)
	}
	r.op = op
}

func (sc *joinScenario) run(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	r := &joinRun{t: t, sc: sc, rng: rng, store: memstate.New(), out: newJoinBag(), failed: newJoinBag()}
	for i, appendOnly := range []bool{sc.cfg.LeftAppendOnly, sc.cfg.RightAppendOnly} {
		r.in[i] = &joinInput{rng: rng, types: joinTypes, row: func() joinRow { return r.randomRow(i) }, final: r.final,
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
			for _, residual := range []bool{false, true} {
				for hint := range 4 {
					t.Run(fmt.Sprintf("%s/%s/residual=%v/append=%d", k.name, key.name, residual, hint), func(t *testing.T) {
						sc := &joinScenario{steps: 60, size: 40}
						sc.cfg = JoinConfig{Kind: k.kind, LeftTypes: joinTypes, RightTypes: joinTypes, LeftKeys: key.cols, RightKeys: key.cols,
							NullSafe: key.safe, Clock: NoClock, LeftAppendOnly: hint&1 != 0, RightAppendOnly: hint&2 != 0}
						if residual {
							sc.cfg.Residual, sc.residual = lessEqual(t)
						}
						if _, err := NewJoin(sc.cfg, tablesOf(memstate.New())); k.kind == plan.Mark && types.HasCode(err, types.Unsupported) {
							t.Skip(err)
						}
						sc.run(t, rand.Uint64())
					})
				}
			}
		}
	}
}
