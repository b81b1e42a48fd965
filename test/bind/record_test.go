package bind

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"testing"

	"leat/internal/duck"
	"leat/internal/sql/bind"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// recorded is one query with what DuckDB answered, so that sql/bind can be tested without DuckDB.
type recorded struct {
	Query string `json:"query"`
	// Parsed are the ASTs by text: the query's, and those of views.
	Parsed map[string]string `json:"parsed"`
	// Planned is the text that DuckDB was given, Plan its answer.
	Planned string `json:"planned"`
	Plan    string `json:"plan"`
	Tree    string `json:"tree"`
}

var toRecord = []string{
	"SELECT auction, price * 2 AS double FROM bid WHERE price BETWEEN 1 AND 9",
	"SELECT b.auction, count(*) AS n, window_end FROM HOP(big_bids, date_time, INTERVAL '2' SECOND, INTERVAL '10 seconds') b GROUP BY ALL",
	"WITH x AS (SELECT auction, max(price) p FROM bid GROUP BY 1) SELECT a.id FROM auction a LEFT JOIN x ON x.auction = a.id AND x.p > a.reserve WHERE EXISTS (SELECT 1 FROM x WHERE x.auction = a.seller)",
	"SELECT auction, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS r FROM bid QUALIFY r <= 3",
	"SELECT auction FROM bid EXCEPT ALL SELECT id FROM auction",
}

type recorder struct {
	*duck.Planner
	*duck.Parser
	to *recorded
}

func (r *recorder) Plan(ctx context.Context, tables map[string][]types.Column, sql string) (out string, err error) {
	out, err = r.Planner.Plan(ctx, tables, sql)
	r.to.Planned, r.to.Plan = sql, out
	return out, err
}

func (r *recorder) SerializeSQL(ctx context.Context, text string) (out string, err error) {
	out, err = r.Parser.SerializeSQL(ctx, text)
	r.to.Parsed[text] = out
	return out, err
}

func (r *recorder) Close() {
	r.Planner.Close()
	r.Parser.Close()
}

// TestRecorded keeps the recordings of internal/sql/bind those of the DuckDB that is linked.
func TestRecorded(t *testing.T) {
	planner, err := duck.NewPlanner()
	if err != nil {
		t.Fatal(err)
	}
	parser, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{Planner: planner, Parser: parser}
	defer rec.Close()
	var all []recorded
	for _, q := range toRecord {
		r := recorded{Query: q, Parsed: map[string]string{}}
		rec.to = &r
		n, err := bind.New(rec, rec).Bind(t.Context(), q, resolver(t))
		if err != nil {
			t.Fatal(q, err)
		}
		r.Tree = plan.String(n)
		all = append(all, r)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(all); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("../../internal/sql/bind/testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	compare(t, "../../internal/sql/bind/testdata/recorded.json", out.String())
}
