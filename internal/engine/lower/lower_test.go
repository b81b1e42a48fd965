package lower

import (
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/circuit"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// views are a filter of table t, a count per v over it, and constants beside.
func views() (parent, child View) {
	t := relation(3, "t", plan.TableRelation)
	rows := filter(scan(t), expression(plan.Compare, ">", plan.Col(1, bigInt), lit(2)))
	v := relation(9, "view", plan.ViewRelation)
	counts := aggregate(scan(v), 0, "max", 1)
	values := &plan.Values{Out: counts.Fields(), Rows: [][]*plan.Expr{{lit(100), lit(200), lit(300)}, {lit(100), lit(200), lit(300)}}}
	both := &plan.Union{Sources: []plan.Node{counts, values}, Out: counts.Fields()}
	return View{ID: 9, Plan: rows, Tables: 5 * MaxTables}, View{ID: 10, Plan: both, Tables: 7 * MaxTables}
}

func lowered(t *testing.T, store state.Store, vs ...View) *Lowered {
	t.Helper()
	low, err := Lower(vs, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return low
}

// A circuit that is built anew over the same store goes on where the old one was, constants included.
func TestRestart(t *testing.T) {
	parent, child := views()
	store := memstate.New()
	r := rand.New(rand.NewPCG(1, 2))
	l := table(r, 200)
	rows, counts := zsettest.NewModel(typesOf(parent.Plan.Fields())), zsettest.NewModel(typesOf(child.Plan.Fields()))
	for at := 0; at < len(l.events); at += 10 {
		c := lowered(t, store, parent, child).Circuit
		if n := len(c.Sources()); n != 1 {
			t.Fatalf("%d sources, want 1", n)
		}
		out, err := c.Step([]circuit.Input{{Batch: l.batch(c.Sources()[0], at, at+10)}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		rows.Apply(out.Deltas[0])
		counts.Apply(out.Deltas[1])
	}
	logs := map[types.ObjectID]*log{3: l}
	if d := rows.Diff(run(t, parent.Plan, logs, r, 0)); d != "" {
		t.Error(d)
	}
	_, whole := views()
	c := lowered(t, memstate.New(), parent, whole).Circuit
	out, err := c.Step([]circuit.Input{{Batch: l.batch(c.Sources()[0], 0, len(l.events))}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := counts.Diff(zsettest.NewModel(typesOf(whole.Plan.Fields()), out.Deltas[1])); d != "" {
		t.Error(d)
	}
}

// A view's tables don't depend on which views are beside it.
func TestTablesAreTheViewsOwn(t *testing.T) {
	parent, child := views()
	alone := lowered(t, memstate.New(), parent)
	both := lowered(t, memstate.New(), parent, child)
	if !slices.Equal(alone.Tables[0], both.Tables[0]) || len(both.Tables[0]) != 1 || both.Tables[0][0] != 5*MaxTables {
		t.Errorf("alone %v, with a child %v", alone.Tables, both.Tables)
	}
	if len(both.Tables[1]) == 0 || both.Tables[1][0] != 7*MaxTables {
		t.Errorf("the child's tables %v", both.Tables[1])
	}
}

// What two scans of a stream read is one source; common sub-plans run once.
func TestSharing(t *testing.T) {
	a := relation(1, "a", plan.StreamRelation)
	shared := filter(scan(a), expression(plan.Compare, ">", plan.Col(1, bigInt), lit(2)))
	n := join(plan.Inner, pick(shared, 0), pick(shared, 0, 2), nil, 0, 0)
	low := lowered(t, memstate.New(), View{Plan: n})
	if s := low.Circuit.Sources(); len(s) != 1 || !slices.Equal(s[0].Columns, []int{0, 1, 2}) {
		t.Errorf("sources %+v", s)
	}
	for name, want := range map[string]int{"filter": 1, "join": 1} {
		got := 0
		for i := range circuit.NodeID(low.Circuit.Len()) {
			if low.Circuit.Name(i) == name {
				got++
			}
		}
		if got != want {
			t.Errorf("%d operators are %s, want %d", got, name, want)
		}
	}
}
