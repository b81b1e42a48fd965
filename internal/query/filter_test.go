package query

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"leat/internal/auth"
	"leat/internal/catalog"
	"leat/internal/sql/guard"
	"leat/internal/store"
	"leat/internal/types"
)

func filtered(filters map[string]auth.Filter) auth.Principal {
	return auth.Principal{ID: "x", Scopes: []auth.Scope{{Action: auth.Read, Object: "*"}}, Filters: filters}
}

func TestConditions(t *testing.T) {
	snapshot := objects(t)
	one := func(column string, v any) auth.Filter { return auth.Filter{{Column: column, Value: v}} }
	for _, c := range []struct {
		object  string
		filters map[string]auth.Filter
		want    string // values and texts, or a word of the refusal
	}{
		{"m", nil, "[]"}, {"m", map[string]auth.Filter{"m": {}}, "[]"}, {"m", map[string]auth.Filter{"*": one("k", json.Number("7"))}, "[7 7]"},
		{"t", map[string]auth.Filter{"*": one("k", "x"), "t": one("K", "007")}, "[7 7]"}, {"s", map[string]auth.Filter{"s": one("k", nil)}, "[<nil> ]"},
		{"s", map[string]auth.Filter{"s": {{Column: "k", Value: "1"}, {Column: "k", Value: "2"}}}, "[1 1 2 2]"},
		{"m", map[string]auth.Filter{}, "no filter"}, {"m", map[string]auth.Filter{"s": one("k", "7")}, "no filter"}, {"m", map[string]auth.Filter{"m": one("tenant", "7")}, "tenant"},
		{"m", map[string]auth.Filter{"m": one("k", "7.5")}, "BIGINT"}, {"m", map[string]auth.Filter{"m": one("k", true)}, "BIGINT"}, {"p", map[string]auth.Filter{"*": one("k", "7")}, "no filter"},
	} {
		conditions, err := Conditions(filtered(c.filters), snapshot.ByName(c.object))
		var got []string
		for _, f := range conditions {
			got = append(got, fmt.Sprint(f.Value), f.Text)
		}
		if err == nil && fmt.Sprint(got) != c.want || err != nil && (!types.HasCode(err, types.PermissionDenied) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "7")) {
			t.Errorf("%s %v: got %v, %v", c.object, c.filters, got, err)
		}
	}
}

// filteringGuard notes what it is asked to restrict.
type filteringGuard struct {
	*world
}

func (g *filteringGuard) CheckFiltered(_ context.Context, _ string, cat guard.Catalog, restrict guard.Restrict) (*guard.Verdict, error) {
	g.asked = append(g.asked, "filter")
	r, _ := cat.Relation("s")
	columns, err := restrict(r)
	if err != nil {
		return nil, err
	}
	v := &guard.Verdict{SQL: "SELECT filtered", Rewritten: true, Relations: []guard.Relation{r}}
	for i, c := range columns {
		v.Filters = append(v.Filters, guard.Filter{Param: fmt.Sprint("f", i), Relation: r, Column: c, Index: i})
	}
	return v, nil
}

func TestStatementsOfFilteredPrincipals(t *testing.T) {
	snapshot := objects(t)
	w := &world{snapshot: snapshot, live: []types.ObjectID{snapshot.ByName("t").ID, snapshot.ByName("m").ID}}
	g := &filteringGuard{world: w}
	queries := &queryStore{world: w}
	s := New(Options{Catalog: func() *catalog.Snapshot { return snapshot }, Store: queries, Guard: g, Waiter: loaderWait{w}, Live: engine{w}, Log: engine{w}})
	o := &catalog.Object{Name: "e", Kind: catalog.EndpointKind, Endpoint: &catalog.Endpoint{Query: "SELECT"}}
	stamps := map[string]bool{}
	for _, value := range []any{"1", json.Number("2"), nil} {
		p := filtered(map[string]auth.Filter{"s": {{Column: "k", Value: value}}})
		st, err := s.Endpoint(t.Context(), p, o)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Run(t.Context(), st, Run{Args: map[string]any{"f0": "another"}})
		if err != nil {
			t.Fatal(err)
		}
		want := value
		if value != nil {
			want = int64(len(stamps) + 1)
		}
		if queries.last.SQL != "SELECT filtered" || queries.last.Args["f0"] != want || stamps[res.Stamp] || res.Stamp == "" {
			t.Errorf("%v: ran %+v, stamp %q", value, queries.last, res.Stamp)
		}
		stamps[res.Stamp] = true
	}
	if n := strings.Count(fmt.Sprint(w.asked), "filter"); n != 1 {
		t.Errorf("the same columns were put into the text %d times", n)
	}
	for _, p := range []auth.Principal{filtered(map[string]auth.Filter{}), filtered(map[string]auth.Filter{"s": {{Column: "z", Value: "1"}}}), filtered(map[string]auth.Filter{"s": {{Column: "k", Value: "x"}}})} {
		st, err := s.Endpoint(t.Context(), p, o)
		if err == nil {
			_, err = s.Run(t.Context(), st, Run{})
		}
		if !types.HasCode(err, types.PermissionDenied) {
			t.Errorf("%v: got %v", p.Filters, err)
		}
	}
	if _, err := s.Prepare(t.Context(), Text{Principal: filtered(map[string]auth.Filter{"s": {}}), SQL: "SELECT"}); !types.HasCode(err, types.PermissionDenied) {
		t.Errorf("SQL of its own: %v", err)
	}
}

// queryStore keeps the last query.
type queryStore struct {
	*world
	last store.Query
}

func (s *queryStore) Query(ctx context.Context, q store.Query) (store.Rows, error) {
	s.last = q
	return s.world.Query(ctx, q)
}

func TestErrorsOfFilteredPrincipals(t *testing.T) {
	snapshot := objects(t)
	for _, code := range types.Codes() {
		w := &world{snapshot: snapshot, fail: types.Errorf(code, "could not convert string 'secret'").WithHint("secret")}
		s := New(Options{Catalog: func() *catalog.Snapshot { return snapshot }, Store: w, Guard: &filteringGuard{world: w}, Waiter: loaderWait{w}, Live: engine{w}, Log: engine{w}})
		o := &catalog.Object{Name: "e", Kind: catalog.EndpointKind, Endpoint: &catalog.Endpoint{Query: "SELECT"}}
		st, err := s.Endpoint(t.Context(), filtered(map[string]auth.Filter{"s": {}}), o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Run(t.Context(), st, Run{})
		e := types.AsError(err)
		if e == nil || e.Code != code || !told[code] && (strings.Contains(e.Message+e.Hint, "secret") || e.Line != 0) {
			t.Errorf("%s: got %+v", code, e)
		}
	}
}
