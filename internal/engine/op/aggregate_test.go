package op

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

var (
	bigint  = types.Of(types.BigInt)
	double  = types.Of(types.Double)
	hugeint = types.Of(types.HugeInt)
	varchar = types.Of(types.Varchar)
	boolean = types.Of(types.Boolean)
	stamp   = types.Of(types.Timestamp)
)

// aggTypes: 0 and 1 and 2 are groups, 3.. arguments, 7 a filter.
var aggTypes = []types.Type{bigint, double, varchar, bigint, double, types.DecimalOf(10, 2), varchar, boolean}

func aggValue(r *rand.Rand, col int) any {
	switch col {
	case 0:
		return pick(r, int64(1), int64(2), int64(-3))
	case 1:
		return pick(r, 0.0, math.Copysign(0, -1), math.NaN(), 2.5)
	case 2:
		return pick(r, "", "a", "b\x00c")
	case 3:
		return pick(r, int64(math.MaxInt64), int64(math.MinInt64), int64(r.IntN(5)))
	case 4:
		if r.IntN(40) == 0 {
			return pick(r, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, 5e-324)
		}
		return pick(r, 0.1, -0.3, 1e300, -1e300, 1e-300, float64(r.IntN(4)), math.Copysign(0, -1), r.NormFloat64())
	case 5:
		return pick(r, wide(-1, ^uint64(0)-uint64(r.IntN(1000))), wide(0, uint64(r.IntN(1000))))
	case 6:
		return pick(r, "x", "xy", "", "z")
	}
	return pick(r, int64(0), int64(1))
}

// naivePick is first, last and any_value: that of the first or last row of all.
func naivePick(g AggConfig, rows []tuple) any {
	var best tuple
	for _, r := range rows {
		if g.Filter >= 0 && r[g.Filter] != int64(1) || g.Name == "any_value" && r[g.Args[0]] == nil {
			continue
		}
		if best == nil || (compareRest(r, best) < 0) == (g.Name != "last") {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	return best[g.Args[0]]
}

// naiveArg is arg_min and arg_max.
func naiveArg(g AggConfig, rows []tuple) any {
	var best tuple
	for _, r := range rows {
		v := r[g.Args[1]]
		if g.Filter >= 0 && r[g.Filter] != int64(1) || v == nil || r[g.Args[0]] == nil {
			continue
		}
		if best != nil {
			c := compareBoxed(v, best[g.Args[1]])
			if g.Name == "arg_max" {
				c = -c
			}
			if cmp.Or(c, compareRest(without(r, g.Args[1]), without(best, g.Args[1]))) >= 0 {
				continue
			}
		}
		best = r
	}
	if best == nil {
		return nil
	}
	return best[g.Args[0]]
}

// without is a row but for one column: values that SQL calls equal, 0.0 and -0.0, leave the choice to the remaining ones.
func without(r tuple, column int) tuple {
	return append(append(tuple{}, r[:column]...), r[column+1:]...)
}

// naive computes an aggregate over the rows of one group.
func naive(g AggConfig, rows []tuple) any {
	switch g.Name {
	case "first", "last", "any_value":
		return naivePick(g, rows)
	case "arg_min", "arg_max":
		return naiveArg(g, rows)
	}
	var vs []any
	seen := map[string]bool{}
	for _, r := range rows {
		if g.Filter >= 0 && r[g.Filter] != int64(1) {
			continue
		}
		if len(g.Args) == 0 {
			vs = append(vs, nil)
			continue
		}
		v := r[g.Args[0]]
		if v == nil {
			continue
		}
		if f, ok := v.(float64); ok && f == 0 {
			v = 0.0
		}
		if k := (tuple{v}).String(); !g.Distinct || !seen[k] {
			seen[k] = true
			vs = append(vs, v)
		}
	}
	switch g.Name {
	case "var_pop", "stddev_samp":
		return naiveVariance(g, vs)
	case "count_if":
		n := int64(0)
		for _, v := range vs {
			n += v.(int64)
		}
		return wide(0, uint64(n))
	case "count_star", "count":
		return int64(len(vs))
	case "sum", "avg":
		return naiveSum(g, vs)
	case "min", "max":
		var best any
		for _, v := range vs {
			if c := 0; best == nil {
				best = v
			} else if c = compareBoxed(v, best); c != 0 && (c > 0) == (g.Name == "max") {
				best = v
			}
		}
		return best
	}
	and, or := true, false
	for _, v := range vs {
		and, or = and && v == int64(1), or || v == int64(1)
	}
	n := map[bool]int64{true: 1}
	switch {
	case len(vs) == 0:
		return nil
	case g.Name == "bool_and":
		return n[and]
	}
	return n[or]
}

func compareBoxed(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return zset.CompareFloat(a, b.(float64))
	case zset.Int128:
		return a.Cmp(b.(zset.Int128))
	}
	return cmp.Compare(a.(string), b.(string))
}

func naiveSum(g AggConfig, vs []any) any {
	if len(vs) == 0 {
		return nil
	}
	total, plain := new(big.Float).SetPrec(3000), 0.0
	exact := new(big.Int)
	isFloat, finite := false, true
	for _, v := range vs {
		switch v := v.(type) {
		case int64:
			exact.Add(exact, big.NewInt(v))
		case zset.Int128:
			exact.Add(exact, v.BigInt())
		case float64:
			isFloat = true
			if math.IsNaN(v) || math.IsInf(v, 0) {
				finite = false
				plain += v
				continue
			}
			total.Add(total, new(big.Float).SetFloat64(v))
		}
	}
	if isFloat {
		x, _ := total.Float64()
		if !finite {
			x = plain
		}
		if x == 0 {
			x = 0
		}
		if g.Name == "avg" {
			x /= float64(len(vs))
		}
		return x
	}
	if g.Name == "sum" {
		return wideOf(exact)
	}
	scale := 0
	if aggTypes[g.Args[0]].Kind == types.Decimal {
		scale = int(aggTypes[g.Args[0]].Scale)
	}
	num := new(big.Float).SetPrec(64).SetInt(exact)
	den := new(big.Float).SetPrec(64).SetInt64(int64(len(vs)))
	den.Mul(den, new(big.Float).SetPrec(64).SetFloat64(math.Pow10(scale)))
	x, _ := new(big.Float).SetPrec(64).Quo(num, den).Float64()
	return x
}

func naiveVariance(g AggConfig, vs []any) any {
	n := float64(len(vs))
	if n == 0 || g.Name == "stddev_samp" && n == 1 {
		return nil
	}
	prec := func() *big.Float { return new(big.Float).SetPrec(5000) }
	sum, squares := prec(), prec()
	for _, v := range vs {
		x := prec().SetFloat64(v.(float64))
		sum.Add(sum, x)
		squares.Add(squares, x.Mul(x, x))
	}
	squares.Mul(squares, prec().SetFloat64(n))
	diff := squares.Sub(squares, sum.Mul(sum, sum)).SetPrec(64)
	div := n * n
	if g.Name == "stddev_samp" {
		div = n * (n - 1)
	}
	x, _ := diff.Quo(diff, big.NewFloat(div)).Float64()
	if g.Name == "stddev_samp" {
		x = math.Sqrt(x)
	}
	return x
}

func TestVarianceEqualsRecompute(t *testing.T) {
	r := seeded(t)
	ts := []types.Type{bigint, double, boolean}
	var aggs []AggConfig
	for _, d := range []bool{false, true} {
		aggs = append(aggs, AggConfig{Name: "var_pop", Args: []int{1}, Filter: -1, Type: double, Distinct: d},
			AggConfig{Name: "stddev_samp", Args: []int{1}, Filter: 2, Type: double, Distinct: d},
			AggConfig{Name: "count_if", Args: []int{2}, Filter: -1, Type: hugeint})
	}
	for _, scale := range []float64{1, 1e100, 1e-100} {
		cfg := AggregateConfig{Types: ts, Groups: []int{0}, Aggs: aggs, Clock: NoClock}
		tr := &trial{steps: 50, size: 10, make: func(tables Tables) (Op, error) { return NewAggregate(cfg, tables) },
			want: func(live []tuple) multiset { return naiveGroups(cfg, live) }}
		tr.run(t, &source{r: r, ts: ts, value: func(r *rand.Rand, col int) any {
			switch col {
			case 0:
				return pick(r, int64(1), int64(2))
			case 1:
				return pick(r, 0.1*scale, 0.3*scale, 1e6, r.NormFloat64()*scale, 0.0, -7.0)
			}
			return pick(r, int64(0), int64(1))
		}})
	}
}

func TestVarianceOutOfRangeOmitsTheGroup(t *testing.T) {
	ts := []types.Type{double}
	cfg := AggregateConfig{Types: ts, Global: true, Clock: NoClock, Aggs: []AggConfig{{Name: "stddev", Args: []int{0}, Filter: -1, Type: double}}}
	o, err := NewAggregate(cfg, tablesOf(memstate.New()))
	if err != nil {
		t.Fatal(err)
	}
	got, failed := multiset{}, multiset{}
	x := &Context{Fail: func(b *zset.Batch, i int, _ *types.Error) { failed.put(unbox(b, i), b.Weight(i)) }, Watermark: types.NoWatermark}
	for i, row := range []struct {
		x float64
		w int64
	}{{1, 1}, {3, 1}, {math.Inf(1), 1}, {1e200, 1}, {math.Inf(1), -1}, {1e200, -1}} {
		out, err := o.Step(x, []*zset.Batch{boxBatch(ts, []tuple{{row.x}}, []int64{row.w})})
		if err != nil {
			t.Fatal(err)
		}
		got.add(out)
		if ok := i < 2 || i > 4; ok != (len(got) == 1 && len(failed) == 0) {
			t.Fatalf("row %d: got %v, failed %v", i, got, failed)
		}
	}
	if got[tuple{math.Sqrt2}.String()] != 1 {
		t.Fatal(got)
	}
}

func wideOf(v *big.Int) zset.Int128 {
	lo := new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64))
	return wide(new(big.Int).Rsh(v, 64).Int64(), lo.Uint64())
}

func allAggs() []AggConfig {
	dec := types.DecimalOf(38, 2)
	var l []AggConfig
	for _, f := range []int{-1, 7} {
		l = append(l, AggConfig{Name: "count_star", Filter: f, Type: bigint})
		for _, d := range []bool{false, true} {
			l = append(l,
				AggConfig{Name: "count", Args: []int{6}, Distinct: d, Filter: f, Type: bigint},
				AggConfig{Name: "sum", Args: []int{3}, Distinct: d, Filter: f, Type: hugeint},
				AggConfig{Name: "sum", Args: []int{4}, Distinct: d, Filter: f, Type: double},
				AggConfig{Name: "sum", Args: []int{5}, Distinct: d, Filter: f, Type: dec},
				AggConfig{Name: "avg", Args: []int{3}, Distinct: d, Filter: f, Type: double},
				AggConfig{Name: "avg", Args: []int{4}, Distinct: d, Filter: f, Type: double},
				AggConfig{Name: "avg", Args: []int{5}, Distinct: d, Filter: f, Type: double})
		}
		for c := 3; c < 8; c++ {
			l = append(l, AggConfig{Name: "min", Args: []int{c}, Filter: f, Type: aggTypes[c]},
				AggConfig{Name: "max", Args: []int{c}, Filter: f, Type: aggTypes[c]},
				AggConfig{Name: "arg_max", Args: []int{c, 3 + (c+1)%5}, Filter: f, Type: aggTypes[c]},
				AggConfig{Name: "arg_min", Args: []int{c, 3 + (c+c)%5}, Filter: f, Type: aggTypes[c]},
				AggConfig{Name: []string{"first", "last", "any_value"}[c%3], Args: []int{c}, Filter: f, Type: aggTypes[c]})
		}
		l = append(l, AggConfig{Name: "bool_and", Args: []int{7}, Filter: -1, Type: boolean},
			AggConfig{Name: "bool_or", Args: []int{7}, Filter: f, Type: boolean})
	}
	return l
}

func naiveGroups(cfg AggregateConfig, live []tuple) multiset {
	groups, keys := map[string][]tuple{}, map[string]tuple{}
	if cfg.Global {
		groups[""], keys[""] = nil, nil
	}
	for _, r := range live {
		var key tuple
		for _, c := range cfg.Groups {
			v := r[c]
			if v == 0.0 {
				v = 0.0
			}
			key = append(key, v)
		}
		groups[key.String()] = append(groups[key.String()], r)
		keys[key.String()] = key
	}
	out := multiset{}
	for k, rows := range groups {
		row := append(tuple{}, keys[k]...)
		for _, g := range cfg.Aggs {
			row = append(row, naive(g, rows))
		}
		out.put(row, 1)
	}
	return out
}

func TestAggregateEqualsRecompute(t *testing.T) {
	r := seeded(t)
	for _, groups := range [][]int{{}, {0}, {1}, {2}, {0, 3}, {0, 1}, {0, 1, 2}, {3, 0, 7}} {
		for _, appendOnly := range []bool{false, true} {
			for _, size := range []int{1, 8, 100} {
				aggs := allAggs()
				r.Shuffle(len(aggs), func(i, j int) { aggs[i], aggs[j] = aggs[j], aggs[i] })
				cfg := AggregateConfig{Types: aggTypes, Groups: groups, Aggs: aggs[:r.IntN(len(aggs))], Global: len(groups) == 0, Clock: NoClock, AppendOnly: appendOnly}
				tr := &trial{steps: 20, size: size, make: func(tables Tables) (Op, error) { return NewAggregate(cfg, tables) },
					want: func(live []tuple) multiset { return naiveGroups(cfg, live) }}
				tr.run(t, &source{r: r, ts: aggTypes, value: aggValue, appendOnly: appendOnly})
			}
		}
	}
}

func TestAggregateDistinctRows(t *testing.T) {
	r := seeded(t)
	for _, appendOnly := range []bool{false, true} {
		cfg := AggregateConfig{Types: aggTypes[:3], Groups: []int{0, 1, 2}, Clock: NoClock, AppendOnly: appendOnly}
		tr := &trial{steps: 60, size: 20, make: func(tables Tables) (Op, error) { return NewAggregate(cfg, tables) },
			want: func(live []tuple) multiset { return naiveGroups(cfg, live) }}
		tr.run(t, &source{r: r, ts: aggTypes[:3], value: aggValue, appendOnly: appendOnly})
	}
}

func TestAggregateOverflowOmitsTheGroup(t *testing.T) {
	ts := []types.Type{bigint, hugeint}
	most := wide(math.MaxInt64, math.MaxUint64)
	cfg := AggregateConfig{Types: ts, Groups: []int{0}, Clock: NoClock, Aggs: []AggConfig{{Name: "sum", Args: []int{1}, Filter: -1, Type: hugeint}}}
	o, err := NewAggregate(cfg, tablesOf(memstate.New()))
	if err != nil {
		t.Fatal(err)
	}
	failed, got := multiset{}, multiset{}
	x := &Context{Fail: func(b *zset.Batch, i int, _ *types.Error) { failed.put(unbox(b, i), b.Weight(i)) }, Watermark: types.NoWatermark}
	step := func(w int64) {
		out, err := o.Step(x, []*zset.Batch{boxBatch(ts, []tuple{{int64(7), most}}, []int64{w})})
		if err != nil {
			t.Fatal(err)
		}
		got.add(out)
	}
	step(1)
	step(1)
	if len(got) != 0 || failed[tuple{int64(7), nil}.String()] != 1 {
		t.Fatalf("got %v, failed %v", got, failed)
	}
	step(5)
	step(-6)
	if len(failed) != 0 || got[tuple{int64(7), most}.String()] != 1 {
		t.Fatalf("got %v, failed %v", got, failed)
	}
}

func TestAggregateClockFreesState(t *testing.T) {
	ts := []types.Type{varchar, stamp, bigint}
	cfg := AggregateConfig{Types: ts, Groups: []int{0, 1}, Clock: Clock{Key: 1, Delay: 10},
		Aggs: []AggConfig{{Name: "max", Args: []int{2}, Filter: -1, Type: bigint}, {Name: "count", Args: []int{2}, Distinct: true, Filter: -1, Type: bigint}}}
	store := memstate.New()
	o, err := NewAggregate(cfg, tablesOf(store))
	if err != nil {
		t.Fatal(err)
	}
	left := func() int64 {
		n := int64(0)
		for _, s := range store.Stats().Tables {
			n += s.Rows
		}
		return n
	}
	in := boxBatch(ts, []tuple{{"a", int64(100), int64(1)}, {"b", int64(101), int64(2)}, {"c", nil, int64(2)}}, nil)
	for _, c := range []struct{ watermark, rows int64 }{{types.NoWatermark, 9}, {109, 9}, {110, 6}, {111, 3}, {1 << 60, 3}} {
		out, err := o.Step(&Context{Watermark: c.watermark}, []*zset.Batch{in})
		if err != nil {
			t.Fatal(err)
		}
		if (out != nil) != (in != nil) {
			t.Fatalf("output %v at %d", out, c.watermark)
		}
		if in = nil; left() != c.rows {
			t.Fatalf("%d rows of state at watermark %d, want %d", left(), c.watermark, c.rows)
		}
	}
}

func TestAggregateRefusesByName(t *testing.T) {
	for _, g := range []AggConfig{{Name: "median", Args: []int{3}}, {Name: "sum", Args: []int{6}}, {Name: "avg", Args: []int{2}}} {
		_, err := NewAggregate(AggregateConfig{Types: aggTypes, Aggs: []AggConfig{g}, Clock: NoClock}, tablesOf(memstate.New()))
		if !types.HasCode(err, types.Unsupported) {
			t.Errorf("%s: %v", g.Name, err)
		}
	}
}
