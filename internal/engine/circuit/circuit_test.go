package circuit

import (
	"errors"
	"math"
	"strings"
	"testing"

	"leat/internal/engine/op"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// probe passes its first input on and notes each call.
type probe struct {
	calls      int
	watermarks []int64
	err        error
}

func (p *probe) Step(x *op.Context, in []*zset.Batch) (*zset.Batch, error) {
	p.calls++
	p.watermarks = append(p.watermarks, x.Watermark)
	for _, b := range in {
		if b.Rows() > 0 {
			x.Fail(b, 0, types.Errorf(types.DataError, "no"))
			x.Late(b)
			return b, p.err
		}
	}
	return nil, p.err
}

func numbers(weights []int64, vs ...int64) *zset.Batch {
	return &zset.Batch{Cols: []*zset.Vec{{Type: types.Of(types.BigInt), Len: len(vs), I64: vs}}, N: len(vs), W: weights}
}

func source(kind plan.RelationKind, name string) Source {
	return Source{Relation: &plan.Relation{Name: name, Kind: kind}}
}

func step(t *testing.T, c *Circuit, in ...Input) *Output {
	t.Helper()
	out, err := c.Step(in, 7)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Operators run in the first step, and then where rows came or the watermark moved; it is the minimum over the streams below.
func TestStep(t *testing.T) {
	var b Builder
	s1, s2 := b.Source(source(plan.StreamRelation, "s1")), b.Source(source(plan.StreamRelation, "s2"))
	table := b.Source(source(plan.TableRelation, "t"))
	one, both, constant, tables := &probe{}, &probe{}, &probe{}, &probe{}
	n := b.Op("one", one, s1)
	b.Root(n)
	b.Root(b.Op("both", both, n, s2))
	b.Root(b.Op("constant", constant))
	b.Root(b.Op("tables", tables, table, s2))
	c := b.Build()

	out := step(t, c, Input{numbers(nil, 1, 2), 10}, Input{nil, 5}, Input{nil, types.NoWatermark})
	if out.Deltas[0].Rows() != 2 || out.Deltas[1].Rows() != 2 || out.Deltas[2] != nil || out.Deltas[3] != nil {
		t.Errorf("deltas %v", out.Deltas)
	}
	if len(out.Failed) != 2 || c.Name(out.Failed[0].Node) != "one" || len(c.RootsOf(out.Failed[0].Node)) != 2 || len(out.Late) != 2 {
		t.Errorf("failed %v, late %v", out.Failed, out.Late)
	}
	if w := out.Watermarks; w[0] != 10 || w[1] != 5 || w[2] != math.MaxInt64 || w[3] != 5 {
		t.Errorf("watermarks %v", w)
	}
	step(t, c, Input{nil, 10}, Input{nil, 5}, Input{nil, types.NoWatermark}) // nothing moved
	if one.calls != 1 || both.calls != 1 || constant.calls != 1 || tables.calls != 1 {
		t.Errorf("idle operators ran: %d %d %d %d", one.calls, both.calls, constant.calls, tables.calls)
	}
	step(t, c, Input{nil, 10}, Input{nil, 12}, Input{nil, types.NoWatermark})
	if one.calls != 1 || both.calls != 2 || both.watermarks[1] != 10 || tables.watermarks[1] != 12 {
		t.Errorf("one %v, both %v, tables %v", one.watermarks, both.watermarks, tables.watermarks)
	}
}

// A root's delta is consolidated; one that cancels is nil.
func TestRootsAreConsolidated(t *testing.T) {
	var b Builder
	b.Root(b.Source(source(plan.TableRelation, "t")))
	c := b.Build()
	out := step(t, c, Input{numbers([]int64{1, -1, 1}, 5, 5, 6), 0})
	if d := out.Deltas[0]; d.Rows() != 1 || d.Cols[0].I64[0] != 6 {
		t.Errorf("%+v", d)
	}
	if out = step(t, c, Input{numbers([]int64{1, -1}, 5, 5), 0}); out.Deltas[0] != nil {
		t.Errorf("%+v", out.Deltas[0])
	}
}

// A detached root's own operators stop; what others need goes on.
func TestDetach(t *testing.T) {
	var b Builder
	parent, child := &probe{}, &probe{}
	n := b.Op("parent", parent, b.Source(source(plan.StreamRelation, "s")))
	b.Root(n)
	b.Root(b.Op("child", child, n))
	c := b.Build()
	step(t, c, Input{numbers(nil, 1), 1})
	c.Detach(1)
	out := step(t, c, Input{numbers(nil, 2), 2})
	if parent.calls != 2 || child.calls != 1 || out.Deltas[1] != nil || out.Deltas[0].Rows() != 1 {
		t.Errorf("%d %d %v", parent.calls, child.calls, out.Deltas)
	}
}

func TestErrorsNameTheOperator(t *testing.T) {
	var b Builder
	broken := errors.New("broken")
	b.Root(b.Op("join", &probe{err: broken}, b.Source(source(plan.StreamRelation, "s"))))
	_, err := b.Build().Step([]Input{{numbers(nil, 1), 1}}, 0)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "join: ") {
		t.Error(err)
	}
}

// A step of a chain without rows costs next to nothing: pipelines have many views that wait.
func BenchmarkIdleStep(b *testing.B) {
	var build Builder
	n := build.Source(source(plan.StreamRelation, "s"))
	for range 20 {
		n = build.Op("probe", &probe{}, n)
	}
	build.Root(n)
	c := build.Build()
	in := []Input{{nil, 1}}
	for b.Loop() {
		if _, err := c.Step(in, 0); err != nil {
			b.Fatal(err)
		}
	}
}
