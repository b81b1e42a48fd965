package chaos

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leat/test/harness"
)

var viewKills = flag.Int("viewkills", 10, "how often the server is killed under views")

// viewsDDL makes what the views read, and a table whose changes one of them follows.
const viewsDDL = `
CREATE STREAM bids (seq BIGINT, auction BIGINT, bidder BIGINT, price BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '2 seconds');
CREATE TABLE people (id BIGINT, name VARCHAR, PRIMARY KEY (id));
CREATE VIEW dear AS SELECT auction, price FROM bids WHERE price > 500;
`

// viewQueries are the views under test: what each of them shows is its query, run as a batch over the same rows.
var viewQueries = []struct{ name, query string }{
	{"per_key", "SELECT auction, count(*) AS n, sum(price) AS total, max(seq) AS last FROM bids GROUP BY auction"},
	{"histogram", "SELECT n, count(*) AS auctions FROM per_key GROUP BY n"},
	{"joined", "SELECT name, count(*) AS n, sum(price) AS total FROM bids JOIN people ON bidder = id GROUP BY name"},
	{"padded", "SELECT id, name, seq FROM people LEFT JOIN (SELECT bidder, max(seq) AS seq FROM bids GROUP BY bidder) b ON id = bidder"},
	{"best", "SELECT auction, seq, price FROM bids QUALIFY row_number() OVER (PARTITION BY auction ORDER BY price DESC, seq) <= 3"},
	{"first_ten", "SELECT seq, price FROM bids ORDER BY price, seq LIMIT 10"},
	{"names", "SELECT name, count(*) AS n, min(id) AS least FROM people GROUP BY name"},
	{"over_plain", "SELECT auction, avg(price) AS mean FROM dear GROUP BY auction"},
	{"known", "SELECT id FROM people WHERE id IN (SELECT bidder FROM bids WHERE price > 900)"},
	{"sessions", "SELECT window_start, window_end, auction, count(*) AS n FROM SESSION(bids, ts, INTERVAL '1 second', [auction]) GROUP BY ALL"},
	{"open", "SELECT window_start, auction, count(*) AS n FROM HOP(bids, ts, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY ALL"},
	{"closed", "SELECT window_start, window_end, count(*) AS n, sum(price) AS total FROM TUMBLE(bids, ts, INTERVAL '5 seconds') GROUP BY ALL"},
}

// changing is a view that is replaced while the server is killed: it is one of these or the other.
var changing = []string{
	"SELECT bidder, count(*) AS n FROM bids GROUP BY bidder",
	"SELECT auction % 3 AS third, sum(price) AS total, count(DISTINCT bidder) AS bidders FROM bids GROUP BY ALL",
}

// TestViewsEqualTheirSQLAfterKills kills the server at random moments while events and changes of a table come in and a view is replaced. After
// each start every view has to have the rows that its SELECT gives.
func TestViewsEqualTheirSQLAfterKills(t *testing.T) {
	t.Logf("seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	data := filepath.Join(t.TempDir(), "data")
	s := harness.Start(t, data)
	makeViews(s)
	s.Stop()
	feed := &feed{t: t, r: rand.New(rand.NewPCG(*seed, 2))}
	for i := range *viewKills {
		s := harness.Start(t, data)
		stop := feed.start(s.URL)
		time.Sleep(time.Duration(100+r.IntN(900)) * time.Millisecond)
		s.Kill()
		stop()
		s = harness.Start(t, data)
		compareViews(t, s)
		if t.Failed() {
			t.Fatalf("kill %d of %d", i+1, *viewKills)
		}
		if i%2 == 0 {
			s.Kill()
		} else {
			s.Stop()
		}
	}
	t.Logf("%d batches of bids", feed.bids)
	if feed.bids < *viewKills {
		t.Error("hardly any bids were sent")
	}
}

func makeViews(s *harness.Server) {
	s.SQL(viewsDDL)
	for _, v := range viewQueries {
		s.SQL(createView(v.name, v.query))
	}
	s.SQL(createView("changing", changing[0]))
}

func createView(name, query string) string {
	text := "CREATE MATERIALIZED VIEW " + name + " AS " + query
	if name == "closed" {
		text += " EMIT ON WINDOW CLOSE"
	}
	return text
}

// feed sends bids, changes of people and definitions. Bids are at most 1.5 s out of order, so none is late.
type feed struct {
	t    *testing.T
	r    *rand.Rand
	bids int
}

const feedBatch = 200

func (f *feed) start(url string) (stop func()) {
	var ended atomic.Bool
	var wg sync.WaitGroup
	people, views := rand.New(rand.NewPCG(f.r.Uint64(), 0)), rand.New(rand.NewPCG(f.r.Uint64(), 0))
	wg.Go(func() {
		for !ended.Load() && f.sendBids(url) {
		}
	})
	wg.Go(func() {
		for !ended.Load() && sendPeople(url, people) {
		}
	})
	wg.Go(func() {
		for !ended.Load() && replaceView(url, views) {
			time.Sleep(time.Duration(views.IntN(200)) * time.Millisecond)
		}
	})
	return func() { ended.Store(true); wg.Wait() }
}

func (f *feed) sendBids(url string) bool {
	// A batch that is sent again is the same batch.
	r := rand.New(rand.NewPCG(*seed, uint64(f.bids)))
	var body strings.Builder
	for i := range feedBatch {
		seq := f.bids*feedBatch + i
		at := time.Unix(1_767_225_600, 0).Add(time.Duration(seq)*5*time.Millisecond - time.Duration(r.IntN(1500))*time.Millisecond)
		fmt.Fprintf(&body, `{"seq":%d,"auction":%d,"bidder":%d,"price":%d,"ts":%q}`+"\n", seq, r.IntN(40), r.IntN(60), r.IntN(1000), at.UTC().Format(time.RFC3339Nano))
	}
	if !post(url+"/v1/events/bids", body.String(), fmt.Sprint("bids ", f.bids)) {
		return false
	}
	f.bids++
	return true
}

func sendPeople(url string, r *rand.Rand) bool {
	var body strings.Builder
	for range 1 + r.IntN(30) {
		if r.IntN(3) == 0 {
			fmt.Fprintf(&body, `{"id":%d,"_op":"d"}`+"\n", r.IntN(60))
		} else {
			fmt.Fprintf(&body, `{"id":%d,"name":"name %d"}`+"\n", r.IntN(60), r.IntN(8))
		}
	}
	return post(url+"/v1/events/people", body.String(), "")
}

func replaceView(url string, r *rand.Rand) bool {
	return post(url+"/v1/sql", "CREATE OR REPLACE MATERIALIZED VIEW changing AS "+changing[r.IntN(len(changing))], "")
}

func post(url, body, key string) bool {
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return false
	}
	if strings.HasSuffix(url, "/sql") {
		req.Header.Set("Content-Type", "application/sql")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// compareViews waits until the views have read everything and compares each with its SELECT.
func compareViews(t *testing.T, s *harness.Server) {
	t.Helper()
	marks := settledViews(t, s)
	present := ""
	for _, q := range changing {
		if strings.Contains(s.SQL("SHOW CREATE changing"), q) {
			present = q
		}
	}
	if present == "" {
		t.Fatalf("changing is neither of its two queries: %s", s.SQL("SHOW CREATE changing"))
	}
	compareView(t, s, "changing", present, "")
	for _, v := range viewQueries {
		where := ""
		if v.name == "closed" {
			where = fmt.Sprintf(" WHERE window_end <= TIMESTAMPTZ '%s'", marks["closed"])
		}
		compareView(t, s, v.name, v.query, where)
	}
}

func compareView(t *testing.T, s *harness.Server, name, query, where string) {
	t.Helper()
	batch := "SELECT * FROM (" + query + ")" + where
	got := s.SQL(fmt.Sprintf("SELECT 'view' AS side, * FROM (FROM %s EXCEPT ALL (%s)) UNION ALL SELECT 'batch', * FROM ((%s) EXCEPT ALL FROM %s) LIMIT 10", name, batch, batch, name))
	if got != "" {
		t.Errorf("view %s and its SELECT differ (%s):\n%s\n%s", name, s.SQL("SELECT count(*) AS bids FROM bids"), got, s.SQL("SHOW VIEWS"))
	}
}

// settledViews waits until all views are live and nothing waits for them, and returns their watermarks.
func settledViews(t *testing.T, s *harness.Server) map[string]string {
	t.Helper()
	s.Send("people", `{"id":1000,"name":"the last"}`)
	shown := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		marks, settled := map[string]string{}, true
		shown = s.SQL("SHOW MATERIALIZED VIEWS")
		for line := range strings.Lines(shown) {
			var v struct {
				Name, State string
				Lag         *int64
				Watermark   string
			}
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatal(err)
			}
			settled = settled && v.State == "live" && v.Lag != nil && *v.Lag == 0
			marks[v.Name] = v.Watermark
		}
		if settled {
			return marks
		}
	}
	t.Fatalf("the views did not settle:\n%s\n%s", shown, s.Log())
	return nil
}
