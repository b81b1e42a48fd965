package duck

import (
	"context"
	"strings"
	"sync"
	"testing"

	"leat/internal/types"
)

func bids() map[string][]types.Column {
	return map[string][]types.Column{"bid": {
		{Name: "auction", Type: types.Of(types.BigInt)}, {Name: "url", Type: types.Of(types.Varchar)},
		{Name: "Odd name", Type: types.ListOf(types.StructOf(types.Field{Name: "x", Type: types.DecimalOf(9, 2)}))},
	}, "leat_system.dead_letters": {{Name: "reason", Type: types.Of(types.JSON)}}}
}

func newPlanner(tb testing.TB) *Planner {
	p, err := NewPlanner()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

func TestPlannerPlans(t *testing.T) {
	p := newPlanner(t)
	for _, sql := range []string{
		"SELECT auction + 1 FROM bid", "SELECT b.\"Odd name\"[1].x FROM public.bid b", "SELECT reason->>'x' FROM leat_system.dead_letters",
	} {
		// Twice: nothing of the first call is left.
		for range 2 {
			out, err := p.Plan(context.Background(), bids(), sql)
			if err != nil {
				t.Fatal(sql, err)
			}
			if !strings.HasPrefix(out, `{"error":false,"plans":[{"type":"LOGICAL_PROJECTION"`) {
				t.Errorf("%s: %.80s", sql, out)
			}
		}
	}
}

func TestPlannerErrors(t *testing.T) {
	p := newPlanner(t)
	for _, c := range []struct {
		sql    string
		code   types.Code
		line   int
		column int
		hint   string
	}{
		{"SELECT auctio FROM bid", types.UnknownColumn, 1, 8, "auction"},
		{"SELECT *\nFROM bidd", types.UnknownRelation, 2, 6, "bid"},
		{"SELECT x.url FROM bid", types.UnknownRelation, 1, 8, ""},
		{"SELECT floo(auction) FROM bid", types.UnknownFunction, 1, 8, "floor"},
		{"SELECT auction + url FROM bid", types.TypeMismatch, 1, 16, ""},
		{"SELECT auction FROM bid WHERE", types.SyntaxError, 1, 30, ""},
	} {
		_, err := p.Plan(context.Background(), bids(), c.sql)
		e := types.AsError(err)
		if e == nil || e.Code != c.code || e.Line != c.line || e.Column != c.column || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %+v", c.sql, e)
		}
	}
	if _, err := p.Plan(context.Background(), nil, "SELECT auction FROM bid"); !types.HasCode(err, types.UnknownRelation) {
		t.Error("a call sees another's tables:", err)
	}
}

func TestPlannerConcurrent(t *testing.T) {
	p := newPlanner(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 10 {
				if _, err := p.Plan(context.Background(), bids(), "SELECT auction FROM bid"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Plan(gone, bids(), "SELECT auction FROM bid"); err == nil {
		t.Error("planned for nobody")
	}
	if _, err := p.Plan(context.Background(), bids(), "SELECT auction FROM bid"); err != nil {
		t.Error(err)
	}
}

func BenchmarkPlan(b *testing.B) {
	p := newPlanner(b)
	for b.Loop() {
		if _, err := p.Plan(context.Background(), bids(), "SELECT auction, count(*) FROM bid WHERE url LIKE 'a%' GROUP BY auction"); err != nil {
			b.Fatal(err)
		}
	}
}
