package e2e

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"leat/test/harness"
)

// runs counts the answers of a path.
func runs(t *testing.T, s *harness.Server, path string) int {
	t.Helper()
	_, text := s.Get("/metrics")
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, `leat_query_path_total{path="`+path+`"} `); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
	}
	t.Fatalf("no metric of the path %s", path)
	return 0
}

func TestPathsOfEndpoints(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM sale (id BIGINT, shop VARCHAR, price DOUBLE, day DATE)")
	s.SQL("CREATE TABLE shop (name VARCHAR, city VARCHAR, PRIMARY KEY (name))")
	s.SQL("CREATE MATERIALIZED VIEW by_shop AS SELECT shop, day, count(*) AS n, sum(price) AS total FROM sale GROUP BY shop, day")
	var rows strings.Builder
	for i := range 12_000 {
		fmt.Fprintf(&rows, `{"id":%d,"shop":"s%d","price":%d.5,"day":"2024-01-%02d"}`+"\n", i, i/2, i%100, 1+i%28)
	}
	s.Send("sale", rows.String())
	s.Send("shop", `{"name":"s1","city":"Ulm"}`+"\n"+`{"name":"s2","city":"Bern"}`)
	s.SQL(`CREATE ENDPOINT of_shop (shop VARCHAR) AS SELECT day, n, total FROM by_shop WHERE shop = $shop ORDER BY day;
		CREATE ENDPOINT of_shop_from (shop VARCHAR, since DATE DEFAULT '2024-01-01', most INTEGER DEFAULT 5) AS SELECT * FROM by_shop WHERE shop = $shop AND day >= $since ORDER BY day DESC LIMIT $most;
		CREATE ENDPOINT sold (least BIGINT) AS SELECT shop FROM by_shop WHERE n >= $least AND total > 1e9;
		CREATE ENDPOINT city (name VARCHAR) AS SELECT lower(city) AS city FROM shop WHERE name = $name;
		CREATE ENDPOINT joined (name VARCHAR) AS SELECT b.n FROM by_shop b JOIN shop s ON s.name = b.shop WHERE s.name = $name;
		CREATE ENDPOINT history (id BIGINT) AS SELECT * FROM sale WHERE id = $id`)
	for name, want := range map[string]string{
		"of_shop": "path: fast (range (shop), in order)", "of_shop_from": "path: fast (range (shop, day), in order)", "city": "path: fast (look-up by key (name))",
		"sold": "path: store because by_shop has 12000 rows", "joined": "path: store because it reads several relations", "history": "path: store because it reads history",
	} {
		if got := s.SQL("EXPLAIN ENDPOINT " + name); !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := s.SQL("SHOW ENDPOINTS"); strings.Count(got, `"path":"fast"`) != 3 || strings.Count(got, `"path":"store"`) != 3 {
		t.Errorf("SHOW ENDPOINTS: %s", got)
	}
	for _, c := range []struct{ call, want, path string }{
		{"of_shop?shop=s1", `{"day":"2024-01-03","n":1,"total":2.5}` + "\n" + `{"day":"2024-01-04","n":1,"total":3.5}`, "fast"},
		{"of_shop?shop=none", "", "fast"},
		{"of_shop_from?shop=s1&since=2024-01-04", `{"shop":"s1","day":"2024-01-04","n":1,"total":3.5}`, "fast"},
		{"of_shop_from?shop=s1&most=1", `{"shop":"s1","day":"2024-01-04","n":1,"total":3.5}`, "fast"},
		{"city?name=s1", `{"city":"ulm"}`, "fast"},
		{"joined?name=s1", `{"n":1}` + "\n" + `{"n":1}`, "store"},
		{"history?id=3", `{"id":3,"shop":"s1","price":3.5,"day":"2024-01-04"}`, "store"},
		{"sold?least=1", "", "store"},
	} {
		before := runs(t, s, c.path)
		name, args, _ := strings.Cut(c.call, "?")
		status, got := s.Get("/v1/endpoints/" + name + "?format=ndjson&" + args)
		if got = strings.TrimSpace(got); status != 200 || got != c.want {
			t.Errorf("%s: %d %s", c.call, status, got)
		}
		if n := runs(t, s, c.path); n != before+1 {
			t.Errorf("%s: the path %s was taken %d times", c.call, c.path, n-before)
		}
	}
	if status, got := s.Get("/v1/endpoints/of_shop_from?shop=s1&most=-1"); status != 400 {
		t.Errorf("a negative limit: %d %s", status, got)
	}
	if got := s.SQL("EXPLAIN ENDPOINT sold"); !strings.Contains(got, "CREATE INDEX ON by_shop (n)") && !strings.Contains(got, "CREATE INDEX ON by_shop (total)") {
		t.Errorf("no hint at an index: %s", got)
	}
	s.SQL("CREATE INDEX ON by_shop (total)")
	eventually(t, func() string {
		if got := s.SQL("EXPLAIN ENDPOINT sold"); !strings.Contains(got, "path: fast (range (total) of an index") {
			return got
		}
		return ""
	})
	// A definition that changes is followed at once.
	s.SQL("CREATE OR REPLACE ENDPOINT city (name VARCHAR) AS SELECT city || '!' AS town FROM shop WHERE name = $name")
	if _, got := s.Get("/v1/endpoints/city?format=ndjson&name=s2"); strings.TrimSpace(got) != `{"town":"Bern!"}` {
		t.Errorf("after the change: %s", got)
	}
	s.Send("shop", `{"name":"s2","city":"Chur"}`)
	if _, got := s.Get("/v1/endpoints/city?format=ndjson&name=s2"); strings.TrimSpace(got) != `{"town":"Chur!"}` {
		t.Errorf("after a write: %s", got)
	}
	adHoc(t, s)
}

// adHoc has SELECTs with parameters of different types.
func adHoc(t *testing.T, s *harness.Server) {
	t.Helper()
	for _, c := range []struct{ sql, params, want string }{
		{"SELECT n FROM by_shop WHERE shop = $1 AND day = $2", `["s1", "2024-01-03"]`, `{"n":1}`},
		{"SELECT n FROM by_shop WHERE shop = ? AND day = ?", `["s1", "2024-01-03"]`, `{"n":1}`},
		{"SELECT n + $more AS n FROM by_shop WHERE shop = $shop AND n = $n", `{"shop": "s1", "n": 1, "more": 2.5}`, `{"n":3.5}` + "\n" + `{"n":3.5}`},
		{"SELECT n FROM by_shop WHERE shop = $1", `[null]`, ""},
	} {
		before := runs(t, s, "fast")
		status, got := s.Post("/v1/sql?format=ndjson", "application/json", fmt.Sprintf(`{"sql":%q,"params":%s}`, c.sql, c.params))
		if got = strings.TrimSpace(got); status != 200 || got != c.want {
			t.Errorf("%s %s: %d %s", c.sql, c.params, status, got)
		}
		if c.params != "[null]" && runs(t, s, "fast") != before+1 {
			t.Errorf("%s %s went to the store", c.sql, c.params)
		}
	}
}

// TestFastCallsWhileDefinitionsChange calls endpoints from many goroutines while the view below them and an index come and go.
func TestFastCallsWhileDefinitionsChange(t *testing.T) {
	s := harness.Start(t, "")
	s.SQL("CREATE STREAM ev (k BIGINT, v VARCHAR)")
	s.SQL("CREATE MATERIALIZED VIEW last AS SELECT k, max(v) AS v FROM ev GROUP BY k; CREATE ENDPOINT one (k BIGINT) AS SELECT k, v FROM last WHERE k = $k")
	var rows strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&rows, `{"k":%d,"v":"v%d"}`+"\n", i, i)
	}
	s.Send("ev", rows.String())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; ; i = (i + 7) % 1000 {
				select {
				case <-stop:
					return
				default:
				}
				status, got := s.Get("/v1/endpoints/one?format=csv&k=" + url.QueryEscape(strconv.Itoa(i)))
				if want := fmt.Sprintf("k,v\n%d,v%d", i, i); status != 200 || strings.TrimSpace(strings.ReplaceAll(got, "\r", "")) != want {
					t.Errorf("%d: %d %s", i, status, got)
					return
				}
			}
		})
	}
	for i := range 6 {
		s.SQL("CREATE INDEX by_v ON last (v)")
		s.SQL("DROP INDEX by_v")
		s.SQL(fmt.Sprintf("CREATE OR REPLACE ENDPOINT one (k BIGINT) WITH (description = '%d') AS SELECT k, v FROM last WHERE k = $k", i))
		s.SQL(fmt.Sprintf("CREATE OR REPLACE VIEW other AS SELECT %d AS x FROM last", i))
	}
	close(stop)
	wg.Wait()
}
