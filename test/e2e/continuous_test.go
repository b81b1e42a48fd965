package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/test/harness"
)

// refused runs a script that must be refused with all of these texts in the answer.
func refused(t *testing.T, s *harness.Server, script string, want ...string) {
	t.Helper()
	status, answer := s.Post("/v1/sql", "application/sql", script)
	if status < 400 || status >= 500 {
		t.Errorf("%s: %d %s", script, status, answer)
	}
	for _, w := range want {
		if !strings.Contains(answer, w) {
			t.Errorf("%s: %s\nwant %s", script, answer, w)
		}
	}
}

// shows fails if a view's rows are not those of a query.
func shows(t *testing.T, s *harness.Server, view, query string) {
	t.Helper()
	got := s.SQL(fmt.Sprintf("SELECT 'view' AS side, * FROM (FROM %s EXCEPT ALL (%s)) UNION ALL SELECT 'query', * FROM ((%s) EXCEPT ALL FROM %s) LIMIT 5", view, query, query, view))
	if got != "" {
		t.Errorf("view %s is not its query:\n%s\n%s", view, query, got)
	}
}

// settled waits until every view is live and has read everything, and returns what SHOW VIEWS says of them by name.
func settled(t *testing.T, s *harness.Server) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	wait(t, "the views have read everything", func() bool {
		done := true
		for line := range strings.Lines(s.SQL("SHOW MATERIALIZED VIEWS")) {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatal(err)
			}
			out[v["name"].(string)] = v
			done = done && v["state"] == "live" && v["lag"] == 0.0
		}
		return done
	}, s.Log)
	return out
}

func TestAViewKeepsItsColumnsAsTheStreamGrows(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("s", `{"k":"a","n":1,"u":{"id":1}}`+"\n"+`{"k":"b","n":2,"u":{"id":2}}`)
	s.SQL("CREATE MATERIALIZED VIEW every AS SELECT * FROM s")
	s.SQL("CREATE MATERIALIZED VIEW sums AS SELECT k, sum(n) AS n FROM s GROUP BY k; CREATE MATERIALIZED VIEW large AS SELECT k FROM sums WHERE n > 1")
	s.Send("s", `{"k":"a","n":1,"u":{"id":1,"more":true},"extra":"x"}`)
	shows(t, s, "every", "SELECT k, n, {'id': u.id} AS u FROM s")
	shows(t, s, "large", "SELECT k FROM s GROUP BY k HAVING sum(n) > 1")
	if got := s.SQL("CREATE OR REPLACE MATERIALIZED VIEW sums AS SELECT k, sum(n) AS n FROM s GROUP BY k"); !strings.Contains(got, "unchanged") {
		t.Errorf("the same text again: %s", got)
	}
	if got := s.SQL("CREATE OR REPLACE MATERIALIZED VIEW every AS SELECT * FROM s"); !strings.Contains(got, "replaced") {
		t.Errorf("the same text over a stream that has grown: %s", got)
	}
	shows(t, s, "every", "SELECT * FROM s")
}

func TestTypesDoNotChangeUnderAView(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("s", `{"k":"a","n":1}`+"\n"+`{"k":"b","n":2}`)
	sums := "CREATE OR REPLACE MATERIALIZED VIEW sums AS SELECT k, sum(n) AS n FROM s GROUP BY k"
	s.SQL(sums)
	// Without the view, BIGINT would widen to DOUBLE.
	if got := s.Send("s", `{"k":"a","n":0.5}`); got["dead_letters"] != 1.0 || !strings.Contains(fmt.Sprint(got), "ALTER STREAM s ALTER COLUMN n TYPE DOUBLE") {
		t.Errorf("got %v", got)
	}
	refused(t, s, "ALTER STREAM s ALTER COLUMN n TYPE DOUBLE", "dependent_objects", `materialized view \"sums\"`, "BIGINT", "CREATE OR REPLACE MATERIALIZED VIEW sums")
	refused(t, s, "ALTER STREAM s DROP COLUMN n", "dependent_objects", "sums")
	refused(t, s, "ALTER STREAM s RENAME COLUMN n TO number", "dependent_objects", "sums")
	refused(t, s, "ALTER STREAM s RENAME TO s2", "dependent_objects", "sums")
	s.SQL("ALTER STREAM s ALTER COLUMN n TYPE DOUBLE; " + sums)
	if out, stderr, code := s.CLI("", "dead", "replay", "s", "--all"); code != 0 {
		t.Fatalf("%s %s", out, stderr)
	}
	settled(t, s)
	shows(t, s, "sums", "SELECT k, sum(n) AS n FROM s GROUP BY k")
	s.SQL("ALTER STREAM s RENAME COLUMN n TO number; CREATE OR REPLACE MATERIALIZED VIEW sums AS SELECT k, sum(number) AS n FROM s GROUP BY k")
	shows(t, s, "sums", "SELECT k, sum(number) AS n FROM s GROUP BY k")
	if got, want := s.SQL("SELECT * FROM sums ORDER BY k"), `{"k":"a","n":1.5}`+"\n"+`{"k":"b","n":2.0}`; strings.ReplaceAll(got, ":2}", ":2.0}") != want {
		t.Errorf("got %s", got)
	}
}

func TestAViewIsReplaced(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("s", `{"k":"a","n":1}`+"\n"+`{"k":"b","n":2}`)
	s.SQL("CREATE MATERIALIZED VIEW v AS SELECT k, sum(n) AS n, max(n) AS most FROM s GROUP BY k; CREATE MATERIALIZED VIEW above AS SELECT n FROM v")
	refused(t, s, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT k, count(*) AS n FROM s GROUP BY k", `materialized view \"above\"`, "CREATE OR REPLACE MATERIALIZED VIEW above")
	refused(t, s, "CREATE MATERIALIZED VIEW v AS SELECT 1", "already_exists", "CREATE OR REPLACE MATERIALIZED VIEW")
	if got := s.SQL("CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1"); !strings.Contains(got, "unchanged") {
		t.Error(got)
	}
	for _, query := range []string{
		"SELECT k, count(*) AS n FROM s GROUP BY k", "SELECT n AS k, n, k AS name FROM s", "SELECT count(*)::VARCHAR AS k, NULL::DATE AS n FROM s",
	} {
		s.SQL("CREATE OR REPLACE MATERIALIZED VIEW v AS " + query + "; CREATE OR REPLACE MATERIALIZED VIEW above AS SELECT n FROM v")
		shows(t, s, "v", query)
		shows(t, s, "above", "SELECT n FROM ("+query+")")
	}
	s.SQL("CREATE OR REPLACE VIEW v AS SELECT k, n FROM s; CREATE OR REPLACE MATERIALIZED VIEW above AS SELECT n FROM v")
	shows(t, s, "above", "SELECT n FROM s")
	refused(t, s, "DROP MATERIALIZED VIEW v", "is a view, not a materialized view", "DROP VIEW v")
	refused(t, s, "DROP VIEW v", "above", "DROP MATERIALIZED VIEW above")
	refused(t, s, "DROP STREAM s", `view \"v\"`, "DROP MATERIALIZED VIEW above")
	s.SQL("ALTER MATERIALIZED VIEW above RENAME TO over")
	shows(t, s, "over", "SELECT n FROM s")
	s.SQL("DROP STREAM s; DROP VIEW v; DROP MATERIALIZED VIEW over")
	s.Send("s", `{"n":7}`)
	s.SQL("CREATE MATERIALIZED VIEW over AS SELECT n FROM s")
	if got := s.SQL("SELECT * FROM over"); got != `{"n":7}` {
		t.Errorf("rows of a dropped stream or view are there again: %s", got)
	}
}

func TestWatermarksUnderViews(t *testing.T) {
	s := harness.Start(t, "")
	row := func(second int) string { return fmt.Sprintf(`{"n":1,"ts":"2026-01-01T00:00:%02d"}`, second) }
	s.SQL("CREATE STREAM s (n BIGINT, ts TIMESTAMP)")
	closing := "SELECT window_start, count(*) AS n FROM TUMBLE(s, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end"
	refused(t, s, "CREATE MATERIALIZED VIEW v AS "+closing+" EMIT ON WINDOW CLOSE", "watermark", "ALTER STREAM s SET WATERMARK FOR ts")
	s.SQL("CREATE MATERIALIZED VIEW live AS " + closing)
	s.Send("s", row(1)+"\n"+row(31))
	s.Send("s", row(2)) // not late: nothing says so yet
	s.SQL("ALTER STREAM s SET WATERMARK FOR ts AS ts - INTERVAL '5 seconds'; CREATE MATERIALIZED VIEW done AS " + closing + " EMIT ON WINDOW CLOSE")
	shows(t, s, "live", closing)
	s.Send("s", row(45))
	s.Send("s", row(3)) // late
	s.Send("s", row(44))
	shown := settled(t, s)
	if shown["live"]["late"] != 1.0 || shown["done"]["late"] != 1.0 {
		t.Errorf("late rows: %v", shown)
	}
	if got, want := s.SQL("SELECT n FROM live ORDER BY window_start"), `{"n":2}`+"\n"+`{"n":1}`+"\n"+`{"n":2}`; got != want {
		t.Errorf("live: %s", got)
	}
	if got, want := s.SQL("SELECT n FROM done ORDER BY window_start"), `{"n":2}`+"\n"+`{"n":1}`; got != want {
		t.Errorf("closed windows: %s", got)
	}
	refused(t, s, "ALTER STREAM s DROP WATERMARK", "done", "CREATE OR REPLACE MATERIALIZED VIEW done")
	s.SQL("DROP VIEW done; ALTER STREAM s DROP WATERMARK")
	settled(t, s)
	s.Send("s", row(4))
	if got := s.SQL("SELECT sum(n) AS n FROM live"); !strings.Contains(got, "6") && !strings.Contains(got, "7") {
		t.Errorf("without a watermark: %s", got)
	}
}

func TestViewsSurviveAKill(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM s (k BIGINT, n BIGINT); CREATE MATERIALIZED VIEW sums AS SELECT k, sum(n) AS n FROM s GROUP BY k; " +
		"CREATE MATERIALIZED VIEW spread AS SELECT n, count(*) AS keys FROM sums GROUP BY n; CREATE VIEW plain AS SELECT * FROM spread; " +
		"CREATE ENDPOINT keys (n BIGINT DEFAULT 1) AS SELECT keys FROM plain WHERE n = $n")
	var body strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&body, "{\"k\":%d,\"n\":%d}\n", i%1000, i%7)
	}
	s.Send("s", body.String())
	s.SQL("CREATE MATERIALIZED VIEW half AS SELECT k % 10 AS k, count(DISTINCT n) AS n FROM s GROUP BY 1") // killed while it is built
	s.Kill()
	s = harness.Start(t, s.Data)
	s.Send("s", `{"k":5000,"n":1}`)
	settled(t, s)
	shows(t, s, "sums", "SELECT k, sum(n) AS n FROM s GROUP BY k")
	shows(t, s, "spread", "SELECT n, count(*) AS keys FROM sums GROUP BY n")
	shows(t, s, "half", "SELECT k % 10 AS k, count(DISTINCT n) AS n FROM s GROUP BY 1")
	if status, got := s.Get("/v1/endpoints/keys?format=ndjson"); status != http.StatusOK || strings.TrimSpace(got) != `{"keys":1}` {
		t.Errorf("endpoint over a view over a view: %d %s", status, got)
	}
}

// TestOneDialect checks that a SELECT gives the same rows as a view and when it is asked. The sums of these doubles are exact in any order.
func TestOneDialect(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM e (id BIGINT, k BIGINT, v DOUBLE, ts TIMESTAMP); CREATE TABLE names (k BIGINT PRIMARY KEY, name VARCHAR); CREATE VIEW large AS SELECT * FROM e WHERE v > 0.5")
	r := rand.New(rand.NewPCG(7, 7))
	var body, names strings.Builder
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 2000 {
		at = at.Add(time.Duration(r.IntN(2000)) * time.Millisecond)
		fmt.Fprintf(&body, `{"id":%d,"k":%d,"v":%g,"ts":%q}`+"\n", i, r.IntN(12), float64(r.IntN(1024))/1024, at.Format(time.RFC3339Nano))
	}
	for k := range 9 {
		fmt.Fprintf(&names, `{"k":%d,"name":"n%d"}`+"\n", k, k%4)
	}
	queries := []string{
		"SELECT window_start, window_end, k, count(*) AS n, avg(v) AS v FROM TUMBLE(e, ts, INTERVAL '1 minute') GROUP BY ALL",
		"SELECT w.window_start, max(w.v) AS v FROM HOP(e, ts, INTERVAL '20 seconds', INTERVAL '1 minute') w GROUP BY 1",
		"SELECT window_end, k, sum(id) AS n FROM CUMULATE(e, ts, INTERVAL '10 seconds', INTERVAL '1 minute') GROUP BY ALL",
		"SELECT window_start, window_end, k, count(*) AS n FROM SESSION(e, ts, INTERVAL '8 seconds', [k]) GROUP BY ALL",
		"SELECT window_start, window_end, k, sum(v) AS v FROM COUNT_WINDOW(e, 5, [k]) GROUP BY ALL",
		"SELECT window_start, count(*) AS n FROM TUMBLE((SELECT * FROM e WHERE k < 5), ts, INTERVAL '30 seconds', INTERVAL '7 seconds') GROUP BY ALL",
		"SELECT t.window_start, name, count(*) AS n FROM TUMBLE(large, ts, INTERVAL '1 minute') t JOIN names USING (k) GROUP BY ALL",
		"SELECT k, count(*) FILTER (v > 0.3) AS n, count(DISTINCT v) AS d, min(ts) AS first FROM e GROUP BY k HAVING count(*) > 10",
		"SELECT e.id, n.name FROM e LEFT JOIN names n ON e.k = n.k AND e.v > 0.9",
		"SELECT id, k, v FROM e QUALIFY row_number() OVER (PARTITION BY k ORDER BY v DESC, id) <= 3",
		"SELECT DISTINCT k, v > 0.5 AS big FROM e",
		"SELECT k FROM e UNION ALL SELECT k FROM names",
		"SELECT * FROM names WHERE NOT EXISTS (SELECT 1 FROM e WHERE e.k = names.k AND v > 0.99)",
		"WITH m AS (SELECT k, max(v) AS v FROM e GROUP BY k) SELECT m.k, e.id FROM m JOIN e ON e.k = m.k AND e.v = m.v",
		"SELECT id, v FROM e ORDER BY v DESC, id LIMIT 7 OFFSET 2",
	}
	for i, q := range queries {
		if i%2 == 0 {
			s.SQL(fmt.Sprintf("CREATE MATERIALIZED VIEW v%d AS %s", i, q))
		}
	}
	s.Send("names", names.String())
	s.Send("e", body.String())
	for i, q := range queries {
		if i%2 == 1 {
			s.SQL(fmt.Sprintf("CREATE MATERIALIZED VIEW v%d AS %s", i, q))
		}
	}
	s.SQL("DELETE FROM names WHERE k = 3; ")
	settled(t, s)
	for i, q := range queries {
		shows(t, s, fmt.Sprintf("v%d", i), q)
	}
}

// TestViewErrorsHavePlaces checks messages, places and hints of what a view can't be.
func TestViewErrorsHavePlaces(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM s (k VARCHAR, n BIGINT, ts TIMESTAMP)")
	for _, c := range []struct{ script, code, line, column, hint string }{
		{"CREATE MATERIALIZED VIEW v AS SELECT kk FROM s", "unknown_column", "1", "38", "did you mean k?"},
		{"CREATE MATERIALIZED VIEW v AS\nSELECT k,\n  nn FROM s", "unknown_column", "3", "3", "did you mean n?"},
		{"SHOW ALL;\nCREATE MATERIALIZED VIEW v AS SELECT * FROM t", "unknown_relation", "2", "45", ""},
		{"CREATE MATERIALIZED VIEW v AS SELECT * FROM s LIMIT 3", "not_allowed", "1", "53", "ORDER BY"},
		{"CREATE MATERIALIZED VIEW v AS SELECT random() AS r FROM s", "not_allowed", "1", "38", ""},
		{"CREATE MATERIALIZED VIEW v AS SELECT * FROM v", "unknown_relation", "1", "45", ""},
		{"CREATE MATERIALIZED VIEW v (a, b, c, d) AS SELECT k FROM s", "invalid_argument", "", "", ""},
		{"CREATE MATERIALIZED VIEW v AS SELECT k FROM s WHERE n = $n", "invalid_argument", "", "", "ENDPOINT"},
		{"CREATE MATERIALIZED VIEW v AS SELECT * FROM leat_system.dead_letters", "unknown_relation", "1", "45", ""},
		{"CREATE MATERIALIZED VIEW leat_system.v AS SELECT 1", "not_allowed", "1", "26", ""},
		{"CREATE VIEW v AS SELECT k FROM s EMIT ON WINDOW CLOSE", "syntax_error", "1", "34", "MATERIALIZED VIEW"},
		{"REFRESH MATERIALIZED VIEW v", "unsupported", "1", "1", "by itself"},
		{"CREATE MATERIALIZED VIEW v AS SELECT k, _leat_offset FROM s", "unknown_column", "1", "41", "a plain view can"},
		{"CREATE MATERIALIZED VIEW v AS SELECT '" + strings.Repeat("x", 300) + "' FROM s", "invalid_argument", "", "", "with AS"},
		{"CREATE MATERIALIZED VIEW s AS SELECT 1", "already_exists", "1", "26", "another name"},
		{"EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT x FROM s", "unknown_column", "1", "46", ""},
	} {
		want := []string{`"code":"` + c.code + `"`, c.hint}
		if c.line != "" {
			want = append(want, `"line":`+c.line+",", `"column":`+c.column)
		}
		refused(t, s, c.script, want...)
	}
	if got := s.SQL("SHOW ALL"); strings.Contains(got, `"v"`) {
		t.Errorf("something was made: %s", got)
	}
	if got := s.SQL("EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n FROM s GROUP BY k"); !strings.Contains(got, "unbounded") || !strings.Contains(got, "key: (k)") {
		t.Errorf("EXPLAIN: %s", got)
	}
}

func TestRowsThatFailAreCounted(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM s (k VARCHAR)")
	s.SQL("CREATE MATERIALIZED VIEW numbers AS SELECT k::INTEGER AS n FROM s; CREATE MATERIALIZED VIEW texts AS SELECT k FROM s")
	s.Send("s", `{"k":"1"}`+"\n"+`{"k":"two"}`+"\n"+`{"k":"3"}`)
	if got := s.SQL("SELECT sum(n) AS n, count(*) AS rows FROM numbers"); got != `{"n":"4","rows":2}` {
		t.Errorf("got %s", got)
	}
	shown := settled(t, s)
	if v := shown["numbers"]; v["failed"] != 1.0 || !strings.Contains(fmt.Sprint(v["error"]), "two") {
		t.Errorf("got %v", v)
	}
	if v := shown["texts"]; v["failed"] != 0.0 || v["rows"] != 3.0 {
		t.Errorf("got %v", v)
	}
}

// TestManyViews makes fifty views in one transaction, each in its own pipeline.
func TestManyViews(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM s (k BIGINT, n BIGINT)")
	var script strings.Builder
	for i := range 50 {
		fmt.Fprintf(&script, "CREATE MATERIALIZED VIEW v%d AS SELECT k, sum(n) AS n FROM s WHERE n %% %d = 0 GROUP BY k;\n", i, i+1)
	}
	s.SQL(script.String())
	var body strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&body, "{\"k\":%d,\"n\":%d}\n", i%100, i)
	}
	s.Send("s", body.String())
	settled(t, s)
	for i := range 50 {
		shows(t, s, fmt.Sprintf("v%d", i), fmt.Sprintf("SELECT k, sum(n) AS n FROM s WHERE n %% %d = 0 GROUP BY k", i+1))
	}
}

// TestReadersOfAViewThatIsReplaced reads a view whose columns change all the time: answers are rows, or that it is being made anew.
func TestReadersOfAViewThatIsReplaced(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("s", `{"k":"a","n":1}`+"\n"+`{"k":"b","n":2}`)
	queries := []string{
		"SELECT k, count(*) AS n FROM s GROUP BY k", "SELECT n, k FROM s", "SELECT k, 'x' || max(n) AS n, count(*) AS m, min(n) AS least FROM s GROUP BY k",
	}
	s.SQL("CREATE MATERIALIZED VIEW v AS " + queries[0])
	var ended atomic.Bool
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			path := []string{"/v1/sql?format=ndjson&q=FROM+v", "/v1/views/v/rows"}[i%2]
			for !ended.Load() {
				if status, answer := s.Get(path); status != http.StatusOK && status != http.StatusServiceUnavailable && !strings.Contains(answer, "unknown_column") {
					t.Errorf("%d %s", status, answer)
					return
				}
			}
		})
	}
	for i := range 30 {
		s.SQL("CREATE OR REPLACE MATERIALIZED VIEW v AS " + queries[i%len(queries)])
	}
	ended.Store(true)
	wg.Wait()
	settled(t, s)
	shows(t, s, "v", queries[29%len(queries)])
}
