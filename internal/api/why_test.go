package api

import (
	"context"
	"fmt"
	"testing"

	"leat/internal/types"
)

// explaining is a fake that explains.
type explaining struct {
	*fake
	asked []WhyRequest
	err   error
}

func (e *explaining) Why(_ context.Context, r WhyRequest) (*Why, error) {
	e.asked = append(e.asked, r)
	if e.err != nil {
		return nil, e.err
	}
	rows := func(n int) WhyRows { return WhyRows{Rows: &numbers{fake: e.fake, n: n, failAt: -1}} }
	return &Why{View: "v", Version: 3, Rows: rows(1), Seen: testSeen, Notes: []string{"one", "two"}, Inputs: []WhyInput{
		{Relation: "s", Kind: "stream", Predicate: "n < 2", Rows: WhyRows{Rows: rows(2).Rows, Truncated: true}},
		{Relation: "w", Kind: "materialized view", Predicate: "true", Inputs: []WhyInput{{Relation: "t", Kind: "table", Predicate: "true", Rows: rows(0)}}},
	}}, nil
}

func TestWhy(t *testing.T) {
	e := &explaining{}
	h := newHarness(t, func(o *Options) { o.Queries = e })
	e.fake = h.fake
	const inputs = `"inputs":[{"relation":"s","kind":"stream","predicate":"n < 2","rows":[{"n":0},{"n":1}],"truncated":true},` +
		`{"relation":"w","kind":"materialized view","predicate":"true","rows":[],"truncated":false,"inputs":[{"relation":"t","kind":"table","predicate":"true","rows":[],"truncated":false}]}],"exact":false,"note":"one; two"}`
	position := testSeen.Position.Token()
	h.want(h.do("GET", "/v1/views/v/rows/a%2Fb?_why=1", ""), 200, `{"view":"v","view_version":3,"position":"`+position+`","row":{"n":0},`+inputs)
	h.want(h.do("GET", "/v1/views/v/rows?a=1&b.null&_why=true", ""), 200, `{"view":"v","view_version":3,"position":"`+position+`","row":{"n":0},`+inputs)
	h.want(h.do("GET", "/v1/endpoints/busiest?state=TX&_why", ""), 200, `{"endpoint":"busiest","view":"v","view_version":3,"position":"`+position+`","rows":[{"n":0}],`+inputs)
	h.do("POST", "/v1/endpoints/busiest?_why=1", `{"state":"TX"}`, "Content-Type", "application/json")
	if len(e.asked) != 4 || *e.asked[0].Key != "a/b" || fmt.Sprint(e.asked[1].Columns) != "map[a:1 b.null:]" || fmt.Sprint(e.asked[2].Args, e.asked[3].Args) != "map[state:TX] map[state:TX]" {
		t.Errorf("asked %+v", e.asked)
	}
	h.do("GET", "/v1/views/v/rows/a?_why=false", "")
	h.wantProblem(h.do("GET", "/v1/views/v/rows/a?_why=perhaps", ""), types.InvalidArgument)
	h.wantProblem(h.do("GET", "/v1/tables/t/rows/a?_why=1", ""), types.InvalidArgument)
	if len(e.asked) != 4 {
		t.Errorf("asked %d times", len(e.asked))
	}
	e.err = types.Errorf(types.Unsupported, "no key")
	h.wantProblem(h.do("GET", "/v1/views/v/rows/a?_why=1", ""), types.Unsupported)
	plain := newHarness(t)
	plain.wantProblem(plain.do("GET", "/v1/views/v/rows/a?_why=1", ""), types.Unsupported)
}
