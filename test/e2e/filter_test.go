package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"leat/test/harness"
)

// tenants starts a server with rows of two tenants, and makes a token for each of them that sees its own rows only.
func tenants(t *testing.T) (s *harness.Server, tokens map[string]string) {
	s = harness.Start(t, t.TempDir())
	s.Token("admin")
	s.Send("orders", `{"tenant":"a","id":1,"v":"1","n":3}
{"tenant":"a","id":2,"v":"22","n":4}
{"tenant":"b","id":1,"v":"x(","n":5}
{"tenant":"b","id":3,"v":"y","n":6}`)
	s.Send("numbered", `{"tenant":42,"x":1}
{"tenant":43,"x":2}`)
	s.SQL(`CREATE TABLE users (id BIGINT PRIMARY KEY, tenant VARCHAR, name VARCHAR);
		CREATE TABLE sessions (id BIGINT PRIMARY KEY, tenant VARCHAR) WITH (ttl = '1 day');
		CREATE MATERIALIZED VIEW totals AS SELECT tenant, id, sum(n) AS s FROM orders GROUP BY tenant, id;
		CREATE MATERIALIZED VIEW by_id AS SELECT id, min(tenant) AS tenant, count(*) AS c FROM orders GROUP BY id;
		CREATE MATERIALIZED VIEW everything AS SELECT count(*) AS c FROM orders;
		CREATE VIEW plain AS SELECT * FROM orders WHERE n > 2`)
	s.SQL("INSERT INTO users VALUES (1, 'a', 'ann'), (2, 'b', 'bob'), (3, 'a', 'al')")
	s.SQL("INSERT INTO sessions VALUES (1, 'a'), (2, 'b')")
	s.SQL(`CREATE ENDPOINT stored (n BIGINT DEFAULT 0) AS SELECT * FROM orders WHERE n >= $n ORDER BY id;
		CREATE ENDPOINT by_key (id BIGINT) AS SELECT * FROM totals WHERE id = $id;
		CREATE ENDPOINT whole_key (t VARCHAR, id BIGINT) AS SELECT s FROM totals WHERE tenant = $t AND id = $id;
		CREATE ENDPOINT user_row (id BIGINT) AS SELECT * FROM users WHERE id = $id;
		CREATE ENDPOINT fixed (tenant VARCHAR, least BIGINT DEFAULT 0) AS SELECT id FROM totals WHERE tenant = $tenant AND s >= $least ORDER BY id;
		CREATE ENDPOINT joined AS SELECT u.name, t.s FROM users u JOIN totals t USING (id) JOIN plain ON plain.id = u.id ORDER BY ALL;
		CREATE ENDPOINT shadowed AS WITH orders AS (SELECT * FROM plain) SELECT orders.id, (SELECT count(*) FROM public.orders) AS c FROM orders ORDER BY id;
		CREATE ENDPOINT hidden AS SELECT id FROM orders WHERE _leat_offset >= 0 ORDER BY _leat_offset;
		CREATE ENDPOINT cast_all AS SELECT v::INT AS i FROM orders ORDER BY i;
		CREATE ENDPOINT numbers AS SELECT x FROM numbered;
		CREATE ENDPOINT global_count AS SELECT * FROM everything;
		CREATE ENDPOINT system_jobs AS SELECT name FROM leat_system.jobs`)
	tokens = map[string]string{"": s.Auth}
	for _, tenant := range []string{"a", "b"} {
		tokens[tenant] = filteredToken(t, s, map[string]any{"*": map[string]any{"tenant": tenant}}, map[string]any{"tenant": tenant})
	}
	return s, tokens
}

func filteredToken(t *testing.T, s *harness.Server, filters, params map[string]any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"name": "t", "scopes": []string{"read:*", "append:*", "raw"}, "filters": filters, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := s.Post("/v1/tokens", "application/json", string(body))
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("a token: %d %s", status, answer)
	}
	return made.Token
}

// getAs reads a path as whoever has the token, rows as NDJSON.
func getAs(t *testing.T, s *harness.Server, token, path string, headers ...string) answer {
	t.Helper()
	return get(t, s, path, append([]string{"Authorization", "Bearer " + token, "Accept", "application/x-ndjson"}, headers...)...)
}

// seenByA are answers for tenant a by path: a row, several with spaces between, "" for none, or status and words of a problem.
var seenByA = map[string]string{
	"/v1/endpoints/stored":                         `{"tenant":"a","id":1,"v":"1","n":3} {"tenant":"a","id":2,"v":"22","n":4}`,
	"/v1/endpoints/stored?n=5":                     ``,
	"/v1/endpoints/by_key?id=1":                    `{"tenant":"a","id":1,"s":"3"}`,
	"/v1/endpoints/by_key?id=3":                    ``,
	"/v1/endpoints/whole_key?t=a&id=1":             `{"s":"3"}`,
	"/v1/endpoints/whole_key?t=b&id=1":             ``,
	"/v1/endpoints/user_row?id=1":                  `{"id":1,"tenant":"a","name":"ann"}`,
	"/v1/endpoints/user_row?id=2":                  ``,
	"/v1/endpoints/fixed":                          `{"id":1} {"id":2}`,
	"/v1/endpoints/fixed?least=4":                  `{"id":2}`,
	"/v1/endpoints/fixed?tenant=a":                 `403 tenant`,
	"/v1/endpoints/fixed?tenant=b":                 `403 tenant`,
	"/v1/endpoints/joined":                         `{"name":"ann","s":"3"}`,
	"/v1/endpoints/shadowed":                       `{"id":1,"c":2} {"id":2,"c":2}`,
	"/v1/endpoints/hidden":                         `{"id":1} {"id":2}`,
	"/v1/endpoints/cast_all":                       `{"i":1} {"i":22}`,
	"/v1/endpoints/numbers":                        `403 numbered`,
	"/v1/endpoints/global_count":                   `403 everything`,
	"/v1/endpoints/system_jobs":                    `403 leat_system.jobs`,
	"/v1/views/totals/rows":                        `{"tenant":"a","id":1,"s":"3"} {"tenant":"a","id":2,"s":"4"}`,
	"/v1/views/totals/rows?tenant=a":               `{"tenant":"a","id":1,"s":"3"} {"tenant":"a","id":2,"s":"4"}`,
	"/v1/views/totals/rows?tenant=b":               ``,
	"/v1/views/totals/rows?tenant=a&id=1":          `{"tenant":"a","id":1,"s":"3"}`,
	"/v1/views/totals/rows?tenant=b&id=1":          `404 no row`,
	"/v1/views/by_id/rows/2":                       `{"id":2,"tenant":"a","c":1}`,
	"/v1/views/by_id/rows/3":                       `404 no row`,
	"/v1/views/by_id/rows/999":                     `404 no row`,
	"/v1/views/everything/rows":                    `403 everything`,
	"/v1/tables/users/rows/1":                      `{"id":1,"tenant":"a","name":"ann"}`,
	"/v1/tables/users/rows/2":                      `404 no row`,
	"/v1/tables/users/rows/999":                    `404 no row`,
	"/v1/tables/sessions/rows/1":                   `{"id":1,"tenant":"a"}`,
	"/v1/tables/sessions/rows/2":                   `404 no row`,
	"/v1/sql?q=SELECT+count(*)+FROM+orders":        `403 `,
	"/v1/dead-letters/orders":                      `403 `,
	"/v1/streams":                                  `403 `,
	"/v1/streams/orders":                           `403 `,
	"/v1/status":                                   `403 `,
	"/metrics":                                     `403 `,
	"/v1/endpoints/stored?_limit=1&_cursor=":       `{"tenant":"a","id":1,"v":"1","n":3}`,
	"/v1/views/totals/rows?_limit=1":               `{"tenant":"a","id":1,"s":"3"}`,
	"/v1/endpoints/stored?_leat_filter_10_0=b&n=0": `400 `,
}

// TestRowFilters asks all paths as a tenant, and again after other tenants' rows have come, changed and gone: the answers are the same.
func TestRowFilters(t *testing.T) {
	s, tokens := tenants(t)
	check := func(when string) {
		t.Helper()
		for path, want := range seenByA {
			got := getAs(t, s, tokens["a"], path)
			text := strings.ReplaceAll(got.body, "\n", " ")
			if words, problem := strings.CutPrefix(want, fmt.Sprint(got.status, " ")); problem && got.status != 200 {
				if !strings.Contains(text, words) || strings.Contains(text, "bob") || strings.Contains(text, "x(") {
					t.Errorf("%s: %s: %s", when, path, text)
				}
			} else if got.status != 200 || text != want {
				t.Errorf("%s: %s: %d %s, want %s", when, path, got.status, text, want)
			}
		}
	}
	check("at first")
	s.Send("orders", `{"tenant":"b","id":1,"v":"%(x","n":2147483648}
{"tenant":"c","id":3,"v":null,"n":-1}
{"tenant":"A","id":7,"v":"","n":9}
{"tenant":null,"id":8,"v":"z","n":9}`)
	s.SQL("INSERT INTO users VALUES (2, 'b', 'bobby'), (4, 'c', 'cy')")
	s.SQL("DELETE FROM users WHERE id = 4")
	check("after others wrote")
	if got := getAs(t, s, tokens["b"], "/v1/endpoints/cast_all"); got.status != 400 || !strings.Contains(got.body, "data_error") || strings.Contains(got.body, "x(") {
		t.Errorf("an error quotes a row: %d %s", got.status, got.body)
	}
	if got := getAs(t, s, tokens[""], "/v1/endpoints/global_count"); got.body != `{"c":8}` {
		t.Errorf("without filters: %d %s", got.status, got.body)
	}
}

// TestRowFiltersByType has filters of other types, of single relations, of none and of columns that don't exist.
func TestRowFiltersByType(t *testing.T) {
	s, _ := tenants(t)
	for _, c := range []struct {
		filters map[string]any
		path    string
		want    string
	}{
		{map[string]any{"numbered": map[string]any{"tenant": 42}}, "/v1/endpoints/numbers", `{"x":1}`},
		{map[string]any{"numbered": map[string]any{"tenant": "43"}}, "/v1/endpoints/numbers", `{"x":2}`},
		{map[string]any{"numbered": map[string]any{"tenant": "43", "x": 1}}, "/v1/endpoints/numbers", ``},
		{map[string]any{"numbered": map[string]any{"tenant": "42 OR true"}}, "/v1/endpoints/numbers", `403 BIGINT`},
		{map[string]any{"numbered": map[string]any{"tennant": 42}}, "/v1/endpoints/numbers", `403 tennant`},
		{map[string]any{"numbered": map[string]any{}}, "/v1/endpoints/numbers", `{"x":1} {"x":2}`},
		{map[string]any{}, "/v1/endpoints/numbers", `403 numbered`},
		{map[string]any{"orders": map[string]any{"tenant": "a"}}, "/v1/endpoints/numbers", `403 numbered`},
		{map[string]any{"*": map[string]any{"tenant": "a"}, "numbered": map[string]any{}}, "/v1/endpoints/numbers", `{"x":1} {"x":2}`},
		{map[string]any{"orders": map[string]any{"tenant": "a"}}, "/v1/endpoints/joined", `403 users`},
		{map[string]any{"*": map[string]any{"tenant": "a"}, "plain": map[string]any{"id": 1}}, "/v1/endpoints/joined", `403 plain`},
		{map[string]any{"*": map[string]any{"tenant": "' OR '1'='1"}}, "/v1/endpoints/stored", ``},
		{map[string]any{"totals": map[string]any{"tenant": "a", "s": 4}}, "/v1/views/totals/rows", `{"tenant":"a","id":2,"s":"4"}`},
		{map[string]any{"totals": map[string]any{"s": "four"}}, "/v1/views/totals/rows", `403 HUGEINT`},
		{map[string]any{"orders": map[string]any{"tenant": "a"}}, "/v1/views/totals/rows", `403 totals`},
	} {
		got := getAs(t, s, filteredToken(t, s, c.filters, nil), c.path)
		text := strings.ReplaceAll(got.body, "\n", " ")
		if words, problem := strings.CutPrefix(c.want, fmt.Sprint(got.status, " ")); problem && got.status != 200 && strings.Contains(text, words) {
			continue
		}
		if got.status != 200 || text != c.want {
			t.Errorf("%v %s: %d %s, want %s", c.filters, c.path, got.status, text, c.want)
		}
	}
}

// TestRowFiltersWhileReadingAgain has what is kept between requests: answers, their tags and places of pages are of one tenant's.
func TestRowFiltersWhileReadingAgain(t *testing.T) {
	s, tokens := tenants(t)
	const stored = "/v1/endpoints/stored"
	first := getAs(t, s, tokens["a"], stored)
	tag := first.header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	if again := getAs(t, s, tokens["a"], stored, "If-None-Match", tag); again.status != 304 {
		t.Errorf("the tenant's own tag: %d", again.status)
	}
	for tenant, token := range tokens {
		if other := getAs(t, s, token, stored, "If-None-Match", tag); tenant != "a" && (other.status != 200 || other.body == first.body) {
			t.Errorf("tenant %q with the tag of a: %d %s", tenant, other.status, other.body)
		}
	}
	for _, path := range []string{"/v1/endpoints/stored?_limit=1&_cursor=", "/v1/views/totals/rows?_limit=1&_cursor=", "/v1/views/by_id/rows?_limit=1&_cursor="} {
		page := getAs(t, s, tokens["a"], path)
		cursor := page.header.Get("Leat-Cursor")
		if cursor == "" {
			t.Errorf("%s: no cursor: %d %s", path, page.status, page.body)
			continue
		}
		if next := getAs(t, s, tokens["a"], path+cursor); next.status != 200 || !strings.Contains(next.body, `"id":2`) {
			t.Errorf("%s: the next page: %d %s", path, next.status, next.body)
		}
		for tenant, token := range tokens {
			if other := getAs(t, s, token, path+cursor); tenant != "a" && other.status != 400 {
				t.Errorf("%s: tenant %q with the cursor of a: %d %s", path, tenant, other.status, other.body)
			}
		}
	}
	s.Auth = tokens["a"]
	for _, c := range [][3]string{{"PUT", "/v1/tables/users/rows/2", `{"tenant":"a","name":"mine"}`}, {"DELETE", "/v1/tables/users/rows/2", ""}, {"POST", "/v1/events/users", `{"id":2,"tenant":"a","name":"mine"}`},
		{"POST", "/v1/sql", "INSERT INTO users VALUES (2, 'a', 'mine')"}} {
		req, err := http.NewRequest(c[0], s.URL+c[1], strings.NewReader(c[2]))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if status, _, body, err := s.Do(req); err != nil || status != 403 {
			t.Errorf("%v: %d %s %v", c, status, body, err)
		}
	}
	if got := getAs(t, s, tokens[""], "/v1/tables/users/rows/2"); got.body != `{"id":2,"tenant":"b","name":"bob"}` {
		t.Errorf("the row of b is now %s", got.body)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(getAs(t, s, tokens["a"], "/openapi.json").body), &document); err != nil {
		t.Fatal(err)
	}
	if fixed := string(document.Paths["/v1/endpoints/fixed"]["get"]); strings.Contains(fixed, `"name":"tenant"`) || !strings.Contains(fixed, `"name":"least"`) {
		t.Errorf("the document shows a fixed parameter: %s", fixed)
	}
}

// TestRowFiltersOverPostgres has statements that a tenant may not run there, and the ways that are left.
func TestRowFiltersOverPostgres(t *testing.T) {
	s, tokens := tenants(t)
	host, port, err := net.SplitHostPort(s.PG)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%s dbname=leat sslmode=disable user=%s password=%s", host, port, strings.Split(tokens["a"], "_")[1], tokens["a"]))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, sql := range []string{
		"SELECT * FROM orders", "SELECT count(*) FROM totals", "SELECT 1 FROM public.orders WHERE tenant = 'a'", "TABLE users", "WITH x AS (FROM orders) FROM x", "SELECT * FROM leat_system.jobs", "SHOW STREAMS", "DESCRIBE orders", "EXPLAIN SELECT * FROM orders",
		"INSERT INTO users VALUES (2, 'a', 'mine')", "DELETE FROM users WHERE id = 2", "DECLARE c CURSOR FOR SELECT * FROM orders", "CREATE STREAM z (a INT)", "DROP TABLE users",
	} {
		_, err := c.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "42501" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := c.CopyFrom(t.Context(), pgx.Identifier{"users"}, []string{"id", "tenant", "name"}, pgx.CopyFromRows([][]any{{int64(2), "a", "mine"}})); err == nil {
		t.Error("COPY into a table")
	}
	if got := getAs(t, s, tokens[""], "/v1/tables/users/rows/2"); got.body != `{"id":2,"tenant":"b","name":"bob"}` {
		t.Errorf("the row of b is now %s", got.body)
	}
}
