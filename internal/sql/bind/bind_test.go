package bind

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

// replay answers as DuckDB did; test/bind records it.
type replay struct {
	t       *testing.T
	parsed  map[string]string
	planned string
	plan    string
	tables  map[string][]types.Column
}

func (r *replay) SerializeSQL(_ context.Context, text string) (string, error) {
	ast, ok := r.parsed[text]
	if !ok {
		r.t.Fatalf("not recorded: %q", text)
	}
	return ast, nil
}

func (r *replay) Plan(_ context.Context, tables map[string][]types.Column, sql string) (string, error) {
	if sql != r.planned {
		r.t.Errorf("planned\n%s\nnot\n%s", sql, r.planned)
	}
	r.tables = tables
	return r.plan, nil
}

func relation(name string, columns ...any) *plan.Relation {
	r := &plan.Relation{Name: name, Schema: &types.Schema{Version: 1}}
	for i := 0; i < len(columns); i += 2 {
		r.Schema.Add(columns[i].(string), types.Of(columns[i+1].(types.Kind)))
	}
	return r
}

func source(name string) (Source, error) {
	switch name {
	case "bid":
		return Source{Relation: relation("bid", "auction", types.BigInt, "bidder", types.BigInt, "price", types.BigInt, "channel", types.Varchar,
			"url", types.Varchar, "date_time", types.Timestamp, "extra", types.Varchar)}, nil
	case "auction":
		return Source{Relation: relation("auction", "id", types.BigInt, "item_name", types.Varchar, "description", types.Varchar, "initial_bid", types.BigInt,
			"reserve", types.BigInt, "date_time", types.Timestamp, "expires", types.Timestamp, "seller", types.BigInt, "category", types.BigInt, "extra", types.Varchar)}, nil
	case "big_bids":
		return Source{Query: "WITH bid AS (SELECT * FROM bid WHERE price > 1000) SELECT auction, price, date_time FROM bid -- the big ones"}, nil
	}
	return Source{}, types.Errorf(types.UnknownRelation, "there is no %s", name)
}

type recording struct {
	Query, Planned, Plan, Tree string
	Parsed                     map[string]string
}

func recordings(t *testing.T) []recording {
	text, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recording
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRecorded(t *testing.T) {
	for _, r := range recordings(t) {
		p := &replay{t: t, parsed: r.Parsed, planned: r.Planned, plan: r.Plan}
		n, err := New(p, p).Bind(context.Background(), r.Query, source)
		if err != nil {
			t.Errorf("%s: %v", r.Query, err)
			continue
		}
		if got := plan.String(n); got != r.Tree {
			t.Errorf("%s\n%s\nnot\n%s", r.Query, got, r.Tree)
		}
	}
}

// TestBroken cuts what DuckDB answered and turns its nodes around: an error, never a panic.
func TestBroken(t *testing.T) {
	for _, r := range recordings(t) {
		for _, change := range [][2]string{
			{`"index":`, `"index":9`}, {`"children":[`, `"children":[],"x":[`}, {`"left":`, `"lost":`}, {`"expressions":[`, `"expressions":[null,`},
			{`LOGICAL_GET`, `LOGICAL_NEW`}, {`"return_type":{"id":"BIGINT"`, `"return_type":{"id":"STRUCT"`}, {`"value":{`, `"gone":{`}, {`"orders":[`, `"orders":[{},`},
			{`BOUND_FUNCTION`, `BOUND_NEW`}, {`"table":"bid"`, `"table":"x"`}, {`{"error"`, `{"error`}, {`"child":`, `"lost":`}, {`"case_checks":[`, `"case_checks":[{},`},
		} {
			p := &replay{t: t, parsed: r.Parsed, planned: r.Planned, plan: strings.ReplaceAll(r.Plan, change[0], change[1])}
			if p.plan == r.Plan {
				continue
			}
			n, err := New(p, p).Bind(context.Background(), r.Query, source)
			if err == nil && plan.String(n) == "" {
				t.Error(r.Query, change)
			}
		}
	}
}
