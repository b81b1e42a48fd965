package op

import (
	"fmt"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

func TestCountWindowAgainstDefinition(t *testing.T) {
	r := seed(t)
	in := []types.Type{tVarchar, tBigint}
	for range 200 {
		n, keyed := 1+r.Int64N(5), r.IntN(3) > 0
		w := &plan.Window{Kind: plan.CountWindow, Time: -1, Rows: n}
		if keyed {
			w.Keys = []int{0}
		}
		store := memstate.New()
		counts, got, want := map[string]int64{}, map[string]int64{}, map[string]int64{}
		for step := range int64(20) {
			o, err := NewCountWindow(w, in, storeTables(store)) // nothing is kept but in the store
			if err != nil {
				t.Fatal(err)
			}
			b := zset.NewBuilder(in)
			for i := range int64(r.IntN(30)) {
				key, id := "NULL", step*100+i
				if r.IntN(4) == 0 {
					b.AppendNull(0)
				} else {
					key = fmt.Sprintf("%q", string(rune('a'+r.IntN(3))))
					b.AppendBytes(0, []byte(key[1:2]))
				}
				b.AppendInt64(1, id)
				weight := 1 + r.Int64N(2)*r.Int64N(3)
				b.EndRow(weight)
				for range weight {
					k := ""
					if keyed {
						k = key
					}
					s := counts[k] / n * n
					counts[k]++
					want[fmt.Sprintf("%s %d %d %d ", key, id, s, s+n)]++
				}
			}
			var s sink
			out, err := o.Step(s.context(0), []*zset.Batch{b.Finish()})
			if err != nil {
				t.Fatal(err)
			}
			integrate(got, out)
		}
		if d := differ(got, want); d != "" {
			t.Fatalf("n %d, keyed %v:\n%s", n, keyed, d)
		}
	}
}

func TestCountWindowRefuses(t *testing.T) {
	in := []types.Type{tBigint}
	if _, err := NewCountWindow(&plan.Window{Kind: plan.CountWindow}, in, storeTables(memstate.New())); err == nil {
		t.Error("windows of no rows are taken")
	}
	o, err := NewCountWindow(&plan.Window{Kind: plan.CountWindow, Rows: 2}, in, storeTables(memstate.New()))
	if err != nil {
		t.Fatal(err)
	}
	b := zset.NewBuilder(in)
	b.AppendInt64(0, 1)
	b.EndRow(-1)
	var s sink
	if _, err := o.Step(s.context(0), []*zset.Batch{b.Finish()}); types.AsError(err) == nil || types.AsError(err).Code != types.Unsupported {
		t.Errorf("a retraction gives %v", err)
	}
}
