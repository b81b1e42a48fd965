package pg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPsql(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ sql, want string }{
		{"SELECT k, v, t, ts FROM s ORDER BY k", "1|2.5|hello|2024-01-01 10:00:00\n2|||"},
		{"SELECT k, n FROM by_k WHERE k = 1", "1|1"},
		{"CALL one(1)", "1|1"},
		{"SELECT * FROM one(key => 2)", "2|1"},
		{"SHOW server_version", "15.8"},
		{"SHOW TimeZone", "UTC"},
		{"SELECT 1; SELECT 2", "1\n2"},
		{"SELECT 1.10::DECIMAL(5,2), -0.05::DECIMAL(5,2), 170141183460469231731687303715884105727::HUGEINT", "1.10|-0.05|170141183460469231731687303715884105727"},
		{"SELECT TIMESTAMPTZ '2024-01-02 03:04:05.5+01', DATE '0044-03-15 (BC)', INTERVAL '1 year -2 days', TIME '01:02:03'", "2024-01-02 02:04:05.5+00|0044-03-15 BC|1 year -2 days|01:02:03"},
		{`SELECT '\x00\xFF'::BLOB, [1, NULL], ['a,b', 'NULL', ''], {'a': 1, 'b': 'x'}, true`, `\x00ff|{1,NULL}|{"a,b","NULL",""}|{"a":1,"b":"x"}|t`},
		{"SELECT 1e15::DOUBLE, 1e-5::DOUBLE, 0.1::FLOAT, 'nan'::DOUBLE, '-inf'::DOUBLE", "1e+15|1e-05|0.1|NaN|-Infinity"},
	} {
		if got := must(t, s, c.sql); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.sql, got, c.want)
		}
	}
}

func TestErrorsHaveTheirState(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ sql, state, part string }{
		{"SELECT bad FROM s", "42703", "LINE 1: SELECT bad FROM s"},
		{"SELECT * FROM nosuch", "42P01", "nosuch"},
		{"SELECT 'x'::INTEGER", "22P02", "x"},
		{"SELEC 1", "42601", "HINT"},
		{"SELECT 1; SELECT nope FROM s", "42703", "nope"},
		{"INSERT INTO s VALUES (1, 2, 'x', NULL) RETURNING k", "0A000", "RETURNING"},
		{"COMMIT PREPARED 'x'", "0A000", ""},
		{"SET TimeZone = 'Europe/Berlin'", "22023", "UTC"},
		{"SET nosuch = 1", "42704", "nosuch"},
		{"FETCH 1 FROM nosuch", "34000", "nosuch"},
		{"DECLARE c CURSOR FOR SELECT 1", "25P01", ""},
		{"UPDATE s SET k = 1", "0A000", ""},
		{"COPY s FROM '/etc/passwd'", "42501", `\copy`},
		{"SET statement_timeout = 100; SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7", "57014", "timeout"},
	} {
		out, err := psql(t, s, nil, c.sql)
		if err == nil || !strings.Contains(out, c.state+":") || !strings.Contains(out, c.part) {
			t.Errorf("%s: want %s and %q, got %v\n%s", c.sql, c.state, c.part, err, out)
		}
	}
}

func TestTransactions(t *testing.T) {
	s := start(t)
	must(t, s, "BEGIN; INSERT INTO s VALUES (10, 1, 'x', NULL); ROLLBACK")
	must(t, s, "BEGIN; INSERT INTO s VALUES (11, 1, 'x', NULL); INSERT INTO s VALUES (11, 1, 'y', NULL); COMMIT")
	must(t, s, "INSERT INTO s VALUES (12, 1, 'x', NULL); INSERT INTO s VALUES (12, 1, 'y', NULL)")
	if _, err := psql(t, s, nil, "INSERT INTO s VALUES (13, 1, 'x', NULL); SELECT nope FROM s"); err == nil {
		t.Error("an error after an INSERT passed")
	}
	if got, want := must(t, s, "SELECT k, count(*) FROM s WHERE k >= 10 GROUP BY k ORDER BY k"), "11|2\n12|2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, s, "BEGIN; INSERT INTO kv (id, name) VALUES (1, 'a'); DELETE FROM kv WHERE id = 1; COMMIT")
	must(t, s, "INSERT INTO kv (id, name, tags, ok, price) VALUES (2, 'b', ['x', 'y'], true, 1.50)")
	if got, want := must(t, s, "SELECT id, name, tags, ok, price FROM kv"), "2|b|{x,y}|t|1.50"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCopyKeepsAllOrNothing(t *testing.T) {
	s := start(t)
	name := filepath.Join(t.TempDir(), "rows.csv")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("k,v,t,ts\n100,1.5,\"a, \"\"b\"\"\",2024-01-01 00:00:00\n101,,,\n")
	if out := must(t, s, `\copy s FROM '`+name+`' WITH (FORMAT csv, HEADER)`); out != "COPY 2" {
		t.Error(out)
	}
	if got, want := must(t, s, `\copy (SELECT k, v, t, ts FROM s WHERE k >= 100 ORDER BY k) TO STDOUT WITH (FORMAT csv, HEADER)`), "k,v,t,ts\n100,1.5,\"a, \"\"b\"\"\",2024-01-01 00:00:00\n101,,,"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	write("200\t1\tx\t\\N\n201\tno number\tx\t\\N\n")
	out, err := psql(t, s, nil, `\copy s FROM '`+name+`'`)
	if err == nil || !strings.Contains(out, "22P02") || !strings.Contains(out, "line 2, column v") {
		t.Errorf("a bad row: %v %s", err, out)
	}
	if got := must(t, s, "SELECT count(*) FROM s WHERE k >= 200"); got != "0" {
		t.Errorf("%s rows of a COPY that failed", got)
	}
	var many strings.Builder
	for range 250_000 {
		many.WriteString("300\t0.25\tsome text\t2024-01-01 00:00:00\n")
	}
	write(many.String())
	if out := must(t, s, `\copy s FROM '`+name+`'`); out != "COPY 250000" {
		t.Error(out)
	}
	if got := must(t, s, "SELECT count(*), sum(v) FROM s WHERE k = 300"); got != "250000|62500" {
		t.Errorf("got %s", got)
	}
	write(many.String() + "300\tx\tx\t\\N\n")
	out, err = psql(t, s, nil, `\copy s FROM '`+name+`'`)
	if err == nil || !strings.Contains(out, "rows before were kept") {
		t.Errorf("%v %s", err, out)
	}
}

func TestSubscribe(t *testing.T) {
	s := start(t)
	out := must(t, s,
		"BEGIN", "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE by_k WITH (SNAPSHOT false)", "COMMIT",
		"INSERT INTO s VALUES (1, 1, 'again', NULL)",
		"FETCH 2 c WITH (timeout = '20s')")
	var rows []string
	for line := range strings.SplitSeq(out, "\n") {
		if f := strings.Split(line, "|"); len(f) == 5 && f[0] != "" {
			rows = append(rows, strings.Join(f[1:], "|"))
		}
	}
	if got, want := strings.Join(rows, " "), "-1|1|1|2.5 1|1|2|3.5"; got != want {
		t.Errorf("got %q, want %q\n%s", got, want, out)
	}
	out = must(t, s, "DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE by_k WITH (PROGRESS)", "FETCH 3 c WITH (timeout = '20s')")
	if !strings.Contains(out, "|f|1|1|2|3.5") || !strings.Contains(out, "|f|1|2|1|") || !strings.Contains(out, "|t|||") {
		t.Errorf("a snapshot with its mark: %s", out)
	}
}

func TestPasswords(t *testing.T) {
	s := start(t)
	id, token := tokenOf(t, s, "")
	if out, err := psql(t, s, []string{"PGUSER=" + id, "PGPASSWORD=" + token}, "SELECT current_user"); err != nil || strings.TrimSpace(out) != id {
		t.Errorf("SCRAM: %v %s", err, out)
	}
	if out, err := psql(t, s, []string{"PGUSER=token", "PGPASSWORD=" + token}, "SELECT 1"); err != nil {
		t.Errorf("the token in the clear over loopback: %v %s", err, out)
	}
	for user, password := range map[string]string{id: token + "x", "nobody": token, "token": "leat_x", "leat": ""} {
		if out, err := psql(t, s, []string{"PGUSER=" + user, "PGPASSWORD=" + password}, "SELECT 1"); err == nil {
			t.Errorf("%s with %q got in: %s", user, password, out)
		}
	}
}
