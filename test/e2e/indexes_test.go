package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leat/test/harness"
)

// pages reads all pages of a path, whose lines it returns.
func pages(t *testing.T, s *harness.Server, path string) string {
	t.Helper()
	var lines []string
	for n := 0; path != ""; n++ {
		a := get(t, s, path)
		if a.status != 200 || n > 400 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		if a.body != "" {
			lines = append(lines, a.body)
		}
		path = strings.TrimSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
	}
	return strings.Join(lines, "\n")
}

// ready waits until SHOW INDEXES has so many, all complete.
func ready(t *testing.T, s *harness.Server, n int) {
	t.Helper()
	eventually(t, func() string {
		return expect(s.SQL("SELECT count(*) AS n, count(*) FILTER (state = 'ready') AS ready FROM leat_system.indexes"), fmt.Sprintf(`{"n":%d,"ready":%d}`, n, n))
	})
}

// Look-ups by an index give what SQL gives: while rows change, after a kill while an index was built, over a view that is replaced.
func TestLookupsByIndex(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL(`CREATE STREAM s (g BIGINT, k BIGINT, x DOUBLE);
		CREATE MATERIALIZED VIEW v AS SELECT g, k, count(*) AS n, max(x) AS x FROM s GROUP BY g, k;
		CREATE MATERIALIZED VIEW log AS SELECT k, g FROM s WHERE k > 5;
		CREATE MATERIALIZED VIEW copies AS SELECT n, g FROM v;
		CREATE TABLE t (id BIGINT, g BIGINT, name VARCHAR, PRIMARY KEY (id))`)
	s.SQL("INSERT INTO s SELECT i % 3, nullif(i % 500, 7), CASE WHEN i % 2 = 0 THEN -0.0 ELSE i / 2 END FROM range(150000) r(i)")
	s.SQL("INSERT INTO t SELECT i, i % 50, 'n' || i % 7 FROM range(300000) r(i)")
	settled(t, s)
	s.SQL(`CREATE INDEX ON v (n); CREATE INDEX v_x ON v (x, k); CREATE INDEX ON log (g, k); CREATE INDEX ON copies (g); CREATE INDEX by_name ON t (name, g)`)
	s.Kill()
	s = harness.Start(t, s.Data)
	check := func(t *testing.T) {
		t.Helper()
		ready(t, s, 5)
		for path, query := range map[string]string{
			"/v1/views/v/rows?n=100&_limit=97":         "SELECT * FROM v WHERE n = 100 ORDER BY g, k",
			"/v1/views/v/rows?x=0&_limit=7":            "SELECT * FROM v WHERE x = 0 ORDER BY k, g",
			"/v1/views/v/rows?k.null=&x=74753.5":       "SELECT * FROM v WHERE x = 74753.5 AND k IS NULL ORDER BY g",
			"/v1/views/log/rows?g=2&k=44&_limit=3":     "SELECT * FROM log WHERE g = 2 AND k = 44",
			"/v1/views/copies/rows?g=1&_limit=50":      "SELECT * FROM copies WHERE g = 1 ORDER BY n",
			"/v1/tables/t/rows?name=n3&g=17&_limit=99": "SELECT * FROM t WHERE name = 'n3' AND g = 17 ORDER BY id",
			"/v1/tables/t/rows?name=nobody":            "SELECT * FROM t WHERE name = 'nobody'",
		} {
			if got, want := pages(t, s, path+"&format=ndjson"), s.SQL(query); got != want {
				t.Errorf("%s: got\n%.300s\nwant\n%.300s", path, got, want)
			}
		}
	}
	check(t)
	s.SQL("INSERT INTO s SELECT 1, i % 900, i FROM range(2000) r(i)")
	s.SQL("INSERT INTO t SELECT i * 3, i % 50, 'n' || i % 6 FROM range(50000) r(i)")
	s.SQL("DELETE FROM t WHERE id IN (3, 17, 45, 60)")
	settled(t, s)
	check(t)
	s.Stop()
	s = harness.Start(t, s.Data)
	check(t)
	s.SQL("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT g, k, count(*) AS n, max(x) AS x, min(x) AS least FROM s GROUP BY g, k")
	settled(t, s)
	check(t)

	first := get(t, s, "/v1/tables/t/rows?name=n1&_limit=2")
	cursor := first.header.Get("Leat-Cursor")
	wantProblem(t, s, "/v1/tables/t/rows?name=n2&_cursor="+cursor, 400, "_cursor")
	wantProblem(t, s, "/v1/tables/t/rows?g=1", 400, "CREATE INDEX ON t (g)", "/v1/tables/t/rows?id=...")
	s.SQL("DROP INDEX by_name; CREATE INDEX by_name ON t (name)")
	ready(t, s, 5)
	wantProblem(t, s, "/v1/tables/t/rows?name=n1&_cursor="+cursor, 409, "was dropped")
	if status, body := s.Post("/v1/sql", "application/sql", "DROP TABLE t; DROP MATERIALIZED VIEW copies"); status != http.StatusOK {
		t.Errorf("drop: %s", body)
	}
	ready(t, s, 3)
}
