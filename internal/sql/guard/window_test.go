package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"leat/internal/duck"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// windowed is a stream with the hidden columns that COUNT_WINDOW counts by.
const windowed = `CREATE TABLE flights (k VARCHAR, ts TIMESTAMP);
INSERT INTO flights VALUES ('a', '1970-01-01 00:00:01'), ('a', '1970-01-01 00:00:09'), ('b', '1969-12-31 23:59:59'), ('a', '1970-01-01 00:00:30'), ('b', NULL);
CREATE VIEW "flights$leat" AS SELECT *, rowid AS _leat_offset, 0 AS _leat_partition, now() AS _leat_received_at FROM flights;`

func TestWindowFunctionsBecomeSelects(t *testing.T) {
	g := newGuard(t)
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
	if err := conn.Exec(context.Background(), windowed); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]string{
		"TUMBLE(flights, ts, INTERVAL '10' SECOND)":                                                                              "a:0-10:2 a:30-40:1 b:-10-0:1",
		"TUMBLE(flights, flights.ts, INTERVAL '10 seconds', INTERVAL 5 SECONDS)":                                                 "a:-5-5:1 a:25-35:1 a:5-15:1 b:-5-5:1",
		"HOP(flights, ts, INTERVAL 5 SECONDS, INTERVAL 10 SECONDS) AS x":                                                         "a:-5-5:1 a:0-10:2 a:25-35:1 a:30-40:1 a:5-15:1 b:-10-0:1 b:-5-5:1",
		"CUMULATE(flights, ts, INTERVAL 5 SECONDS, INTERVAL 10 SECONDS)":                                                         "a:0-10:2 a:0-5:1 a:30-35:1 a:30-40:1 b:-10-0:1",
		"SESSION(flights, ts, INTERVAL 8 SECONDS, [k])":                                                                          "a:1-17:2 a:30-38:1 b:-1-7:1",
		"SESSION((SELECT *, 'x' AS y FROM flights), ts, INTERVAL '00:00:08')":                                                    "a:-1-17:2 a:30-38:1 b:-1-17:1",
		"(SELECT k, epoch_us(ts) AS ts, window_start, window_end FROM HOP(flights, ts, INTERVAL 5 SECONDS, INTERVAL 5 SECONDS))": "a:0-5:1 a:30-35:1 a:5-10:1 b:-5-0:1",
	} {
		text := "SELECT k || ':' || epoch(window_start)::INT || '-' || epoch(window_end)::INT || ':' || count(*) FROM " + sql + " GROUP BY k, window_start, window_end ORDER BY 1"
		if got := rowsOf(t, g, conn, text); got != want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", sql, got, want)
		}
	}
	text := "SELECT k || ':' || window_start || '-' || window_end || ':' || count(*) FROM COUNT_WINDOW(flights, 2, [k]) GROUP BY k, window_start, window_end ORDER BY 1"
	if got, want := rowsOf(t, g, conn, text), "a:0-2:2 a:2-4:1 b:0-2:2"; got != want {
		t.Errorf("COUNT_WINDOW: got %s, want %s", got, want)
	}
}

func rowsOf(t *testing.T, g *guard.Guard, conn *duck.Conn, text string) string {
	t.Helper()
	v, err := g.Check(context.Background(), text, relations)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return ""
	}
	res, err := conn.Query(context.Background(), v.SQL, nil, -1)
	if err != nil {
		t.Errorf("%s: %v", v.SQL, err)
		return ""
	}
	defer res.Close()
	var out []string
	for {
		rec, err := res.Next(context.Background())
		if err != nil {
			t.Errorf("%s: %v", v.SQL, err)
			return ""
		}
		if rec == nil {
			return strings.Join(out, " ")
		}
		for i := range int(rec.NumRows()) {
			out = append(out, strings.Clone(rec.Column(0).ValueStr(i)))
		}
	}
}

func TestWindowFunctionsAreChecked(t *testing.T) {
	g := newGuard(t)
	for sql, code := range map[string]types.Code{
		"TUMBLE(flights)":                                           types.InvalidArgument,
		"TUMBLE(nosuch, ts, INTERVAL 1 SECOND)":                     types.UnknownRelation,
		"TUMBLE(flights, ts, INTERVAL 1 MONTH)":                     types.InvalidArgument,
		"TUMBLE(flights, ts, to_seconds(random()))":                 types.InvalidArgument,
		"TUMBLE(flights, 'x', INTERVAL 1 SECOND)":                   types.InvalidArgument,
		"HOP(flights, ts, INTERVAL 1 MICROSECOND, INTERVAL 1 DAY)":  types.QueryTooComplex,
		"SESSION(flights, ts, INTERVAL 1 DAY, k)":                   types.InvalidArgument,
		"TUMBLE((SELECT * FROM read_csv('x')), ts, INTERVAL 1 DAY)": types.NotAllowed,
	} {
		if _, err := g.Check(context.Background(), fmt.Sprintf("SELECT * FROM %s", sql), relations); !types.HasCode(err, code) {
			t.Errorf("%s: got %v, want %s", sql, err, code)
		}
	}
}
