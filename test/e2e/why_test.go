package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/duck"
	"leat/test/harness"
)

// explanation is an answer to _why=1.
type explanation struct {
	View     string            `json:"view"`
	Version  int               `json:"view_version"`
	Position string            `json:"position"`
	Row      map[string]any    `json:"row"`
	Rows     []json.RawMessage `json:"rows"`
	Inputs   []explainedInput  `json:"inputs"`
	Exact    bool              `json:"exact"`
	Note     string            `json:"note"`
}

type explainedInput struct {
	Relation  string           `json:"relation"`
	Kind      string           `json:"kind"`
	Predicate string           `json:"predicate"`
	Rows      []map[string]any `json:"rows"`
	Truncated bool             `json:"truncated"`
	Inputs    []explainedInput `json:"inputs"`
}

// logged adds the rows of streams and tables below an input, each once.
func (i explainedInput) logged(to map[string]map[string]map[string]any) {
	for _, below := range i.Inputs {
		below.logged(to)
	}
	if i.Kind == "materialized view" {
		return
	}
	if to[i.Relation] == nil {
		to[i.Relation] = map[string]map[string]any{}
	}
	for _, row := range i.Rows {
		to[i.Relation][fmt.Sprint(row["_leat_partition"], row["_leat_offset"])] = row
	}
}

// explained are views whose rows are explained, with their keys and their SQL over streams and tables alone where it is another.
var explained = []struct{ name, key, query, flat string }{
	{"totals", "tenant,id", "SELECT tenant, id, sum(n) AS s, count(*) AS c FROM orders GROUP BY tenant, id", ""},
	{"named", "tenant,id", "SELECT t.tenant, t.id, t.s, u.name FROM totals t LEFT JOIN users u ON u.id = t.id", "SELECT t.tenant, t.id, t.s, u.name FROM (SELECT tenant, id, sum(n) AS s FROM orders GROUP BY tenant, id) t LEFT JOIN users u ON u.id = t.id"},
	{"best", "tenant", "SELECT tenant, id, n FROM orders QUALIFY row_number() OVER (PARTITION BY tenant ORDER BY n DESC, id) = 1", ""},
	{"united", "id", "SELECT id, count(*) AS c, sum(x)::BIGINT AS s FROM (SELECT id, n AS x FROM orders UNION ALL SELECT id, -id FROM users) GROUP BY id", ""},
	{"cast_ok", "v", "SELECT v, count(*) AS c FROM orders WHERE v::INT > 0 GROUP BY v", "SELECT v, count(*) AS c FROM orders WHERE TRY(v::INT > 0) GROUP BY v"},
	{"rare", "id", "SELECT id, max(n) AS m FROM orders o WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = o.id AND u.name = 'bob') GROUP BY id", ""},
	{"pairs", "id", "SELECT coalesce(a.id, b.id) AS id, count(a.n) AS x, count(b.n) AS y FROM orders a FULL JOIN extra b ON a.id = b.id GROUP BY 1", ""},
	{"whole", "", "SELECT count(*) AS c, sum(n)::BIGINT AS s FROM orders", ""},
}

// TestWhy asks for the rows behind each row of some views. The view's SQL over these rows alone gives that row.
func TestWhy(t *testing.T) {
	s := harness.Start(t, t.TempDir())
	var orders, extra strings.Builder
	for i := range 60 {
		fmt.Fprintf(&orders, `{"tenant":%q,"id":%d,"v":%q,"n":%d}`+"\n", []string{"a", "b", "c'd"}[i%3], i%7, []string{"1", "x", "-2", "30"}[i%4], i*37%100)
		fmt.Fprintf(&extra, `{"id":%d,"n":%d}`+"\n", i%9+3, i)
	}
	s.Send("orders", orders.String())
	s.Send("extra", extra.String())
	s.SQL("CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR)")
	s.SQL("INSERT INTO users VALUES (1, 'ann'), (2, 'bob'), (3, 'cy'), (9, 'dee')")
	s.SQL("INSERT INTO users VALUES (1, 'anna')")
	for _, v := range explained {
		s.SQL("CREATE MATERIALIZED VIEW " + v.name + " AS " + v.query)
	}
	s.Send("orders", `{"tenant":"a","id":1,"v":"1","n":1000}`)
	for _, v := range explained {
		rows := strings.Split(s.SQL("SELECT * FROM "+v.name), "\n")
		for _, text := range rows {
			var row map[string]any
			if err := json.Unmarshal([]byte(text), &row); err != nil {
				t.Fatal(err)
			}
			explainRow(t, s, v.name, v.key, cmp.Or(v.flat, v.query), row)
		}
		if len(rows) < 2 && v.name != "whole" {
			t.Errorf("%s has %d rows", v.name, len(rows))
		}
	}
}

func explainRow(t *testing.T, s *harness.Server, view, key, query string, row map[string]any) {
	t.Helper()
	path := url.Values{"_why": {"1"}}
	where := "true"
	for _, k := range strings.Split(key, ",") {
		if k == "" {
			continue
		}
		path.Set(k, fmt.Sprint(row[k]))
		where += fmt.Sprintf(" AND %s::VARCHAR = '%s'", k, strings.ReplaceAll(fmt.Sprint(row[k]), "'", "''"))
	}
	a := get(t, s, "/v1/views/"+view+"/rows?"+path.Encode())
	var got explanation
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("%s %v: %d %s", view, row, a.status, a.body)
	}
	if fmt.Sprint(got.Row) != fmt.Sprint(row) || got.View != view || got.Version != 1 || got.Position != a.header.Get("Leat-Position") || !got.Exact {
		t.Errorf("%s %v: got %+v", view, row, got)
	}
	inputs := map[string]map[string]map[string]any{"orders": {}, "extra": {}, "users": {}}
	for _, in := range got.Inputs {
		in.logged(inputs)
	}
	if key != "" && len(inputs["orders"]) >= 60 {
		t.Errorf("%s %v: all %d orders are behind it", view, row, len(inputs["orders"]))
	}
	if again := recomputed(t, inputs, "SELECT * FROM ("+query+") WHERE "+where); fmt.Sprint(again) != fmt.Sprint([]map[string]any{row}) {
		t.Errorf("%s: over the rows behind it %v, want %v\n%s", view, again, row, a.body)
	}
}

// recomputed runs a query in DuckDB over some rows.
func recomputed(t *testing.T, inputs map[string]map[string]map[string]any, query string) []map[string]any {
	t.Helper()
	db, err := duck.Open("", duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := "CREATE TABLE orders (tenant VARCHAR, id BIGINT, v VARCHAR, n BIGINT); CREATE TABLE extra (id BIGINT, n BIGINT); CREATE TABLE users (id BIGINT, name VARCHAR);"
	columns := map[string][]string{"orders": {"tenant", "id", "v", "n"}, "extra": {"id", "n"}, "users": {"id", "name"}}
	for name, rows := range inputs {
		for _, row := range rows {
			var values []string
			for _, c := range columns[name] {
				values = append(values, "'"+strings.ReplaceAll(fmt.Sprint(row[c]), "'", "''")+"'")
			}
			text += "INSERT INTO " + name + " VALUES (" + strings.Join(values, ", ") + ");"
		}
	}
	if err := conn.Exec(context.Background(), text); err != nil {
		t.Fatal(err)
	}
	res, err := conn.Query(context.Background(), "SELECT to_json(r)::VARCHAR FROM ("+query+") r", nil, 100)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer res.Close()
	var out []map[string]any
	for {
		var rec arrow.RecordBatch
		if rec, err = res.Next(context.Background()); rec == nil || err != nil {
			break
		}
		for i := range int(rec.NumRows()) {
			var row map[string]any
			if err := json.Unmarshal([]byte(rec.Column(0).ValueStr(i)), &row); err != nil {
				t.Fatal(err)
			}
			if sum, ok := row["s"].(float64); ok && strings.Contains(query, "sum(n) AS s") {
				row["s"] = fmt.Sprint(sum) // a HUGEINT, which is text on the wire
			}
			out = append(out, row)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWhyRefuses has what can't be explained, and who may not ask.
func TestWhyRefuses(t *testing.T) {
	s, tokens := tenants(t)
	s.SQL("CREATE MATERIALIZED VIEW keyless AS SELECT n FROM orders")
	for path, want := range map[string]string{
		"/v1/views/keyless/rows?_why=1":                         "400 no key",
		"/v1/views/totals/rows?_why=1":                          "400 (tenant, id)",
		"/v1/views/totals/rows?tenant=a&_why=1":                 "400 (tenant, id)",
		"/v1/views/totals/rows?tenant=a&id=x&_why=1":            "400 BIGINT",
		"/v1/views/totals/rows?tenant=a&id=9&_why=1":            "404 no row",
		"/v1/views/plain/rows?_why=1":                           "404 plain",
		"/v1/views/users/rows?id=1&_why=1":                      "404 users",
		"/v1/endpoints/joined?_why=1":                           "400 more than",
		"/v1/endpoints/by_key?_why=1":                           "400 id",
		"/v1/views/totals/rows?tenant=a&id=1&_why=maybe":        "400 _why",
		"/v1/views/by_id/rows/1?_why=1&_max_staleness=nonsense": "400 _max_staleness",
	} {
		got := getAs(t, s, tokens[""], path)
		status, words, _ := strings.Cut(want, " ")
		if fmt.Sprint(got.status) != status || !strings.Contains(got.body, words) {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	for path, want := range map[string]string{
		"/v1/views/totals/rows?tenant=a&id=1&_why=1": "200 \"tenant\":\"a\"", "/v1/views/totals/rows?tenant=b&id=1&_why=1": "404 no row", "/v1/views/by_id/rows/1?_why=1": "200 \"exact\":false",
		"/v1/views/by_id/rows/3?_why=1": "404 no row", "/v1/views/everything/rows?_why=1": "403 everything", "/v1/endpoints/by_key?id=1&_why=1": "200 \"tenant\":\"a\"", "/v1/endpoints/user_row?id=2&_why=1": "200 \"rows\":[]",
	} {
		got := getAs(t, s, tokens["a"], path)
		status, words, _ := strings.Cut(want, " ")
		if fmt.Sprint(got.status) != status || !strings.Contains(got.body, words) || strings.Contains(got.body, `"tenant":"b"`) || strings.Contains(got.body, "bob") || strings.Contains(got.body, "predicate") {
			t.Errorf("tenant a: %s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	s.Auth = tokens[""]
	reader := s.Token("read:*")
	if got := getAs(t, s, reader, "/v1/views/totals/rows?tenant=a&id=1&_why=1"); got.status != 403 || !strings.Contains(got.body, "raw") {
		t.Errorf("without the scope raw: %d %s", got.status, got.body)
	}
}
