package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leat/test/harness"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAScriptMixesDefinitionsAndQueries(t *testing.T) {
	s := harness.Start(t, "")
	file := write(t, "s.sql", `-- the tables; both at once
CREATE TABLE a (k BIGINT PRIMARY KEY, v VARCHAR);
CREATE TABLE b (k BIGINT PRIMARY KEY);
INSERT INTO a VALUES (1, 'x;y'), (2, 'it''s');
SELECT k, v FROM a ORDER BY k;
DELETE FROM a WHERE k = 1;
SELECT count(*) AS n FROM a`)
	out, errs, code := s.CLI("", "sql", "--format", "table", "-f", file)
	want := `CREATE TABLE a: created
CREATE TABLE b: created
INSERT a: 2 rows
 k │ v
───┼──────
 1 │ x;y
 2 │ it's
DELETE a: 1 row
 n
───
 1
`
	if out != want || code != 0 {
		t.Errorf("exit code %d, stderr %s, got\n%s", code, errs, out)
	}
}

func TestAScriptFailsAtItsLine(t *testing.T) {
	s := harness.Start(t, "")
	out, errs, code := s.CLI("CREATE TABLE a (k BIGINT PRIMARY KEY);\n\nSELECT 1; SELECT *\n  FROM nope;\nSELECT 2;", "sql")
	if code != 1 || strings.Contains(out, `{"2":2}`) {
		t.Errorf("exit code %d, got %s", code, out)
	}
	for _, want := range []string{"line 4, column 8", "  FROM nope;\n         ^", "2 of 4 requests"} {
		if !strings.Contains(errs, want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
}

func TestTablesAreBounded(t *testing.T) {
	s := harness.Start(t, "")
	for _, c := range []struct {
		args  []string
		lines int
	}{
		{[]string{"--format", "table"}, 1002},
		{[]string{"--format", "table", "--limit", "3"}, 5},
		{[]string{"--format", "ndjson"}, 2000},
	} {
		out, errs, code := s.CLI("", append([]string{"sql", "SELECT * FROM range(2000) r(n)"}, c.args...)...)
		if got := strings.Count(out, "\n"); got != c.lines || code != 0 {
			t.Errorf("%v: %d lines, exit code %d, %s", c.args, got, code, errs)
		}
	}
}

func TestSendReadsEveryForm(t *testing.T) {
	s := harness.Start(t, "")
	for name, text := range map[string]string{
		"lines.ndjson": `{"id":1,"v":"a"}` + "\n" + `{"id":2,"v":"b"}`,
		"array.json":   `[{"id":1,"v":"a"},{"id":2,"v":"b"}]`,
		"printed.json": "{\n  \"id\": 1,\n  \"v\": \"a\"\n}\n{\n  \"id\": 2,\n  \"v\": \"b\"\n}\n",
		"table.csv":    "id,v\n1,a\n2,b\n",
	} {
		stream, _, _ := strings.Cut(name, ".")
		out, errs, code := s.CLI("", "send", "--wait", "in_"+stream, write(t, name, text))
		if code != 0 || !strings.Contains(out, `"accepted":2,"dead_letters":0`) {
			t.Errorf("%s: exit code %d, %s %s", name, code, out, errs)
		}
		if got := s.SQL("SELECT id, v FROM in_" + stream + " ORDER BY 1"); got != `{"id":1,"v":"a"}`+"\n"+`{"id":2,"v":"b"}` {
			t.Errorf("%s: got %s", name, got)
		}
	}
	parquet := filepath.Join(t.TempDir(), "p.parquet")
	out, _, _ := s.CLI("", "sql", "--format", "parquet", "SELECT id, v FROM in_lines")
	if err := os.WriteFile(parquet, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := s.CLI("", "send", "in_parquet", parquet); code != 0 || !strings.Contains(out, `"accepted":2`) {
		t.Errorf("Parquet: exit code %d, %s %s", code, out, errs)
	}
}

func TestStatusIsReadable(t *testing.T) {
	s := harness.Start(t, "")
	out, _, code := s.CLI("", "status", "--format", "table")
	for _, want := range []string{"state         ready\n", "objects       none\n", "lag           0 rows"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, out)
		}
	}
	if out, _, _ := s.CLI("", "status"); !strings.HasPrefix(out, `{"version":`) || strings.Count(out, "\n") != 1 {
		t.Errorf("in a pipe it is not one line of JSON: %s", out)
	}
}

func TestExitCodes(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("orders", `{"id":1}`)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"sql", "SELECT 1"}, 0, ""},
		{[]string{"sql", "SELECT nope FROM orders"}, 1, "nope"},
		{[]string{"dead", "list", "orders"}, 0, ""},
		{[]string{"dead", "list", "ordres"}, 1, "leat streams"},
		{[]string{"status", "--server", "http://127.0.0.1:1"}, 1, "leat start"},
		{[]string{"dead", "show", "orders"}, 2, "usage: leat dead show STREAM ID"},
		{[]string{"dead", "shwo"}, 2, "unknown command"},
		{[]string{"dead", "purge", "orders"}, 2, "--all"},
		{[]string{"sql", "--format", "xml", "SELECT 1"}, 2, "table, json"},
		{[]string{"status", "--format", "csv"}, 2, "json"},
		{[]string{"send", "orders", "no-such-file"}, 2, "no-such-file"},
		{[]string{"sql", "--nope"}, 2, "leat sql --help"},
		{[]string{"token", "create", "--name", "x"}, 2, "--scope"},
	} {
		if _, errs, code := s.CLI("", c.args...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, want %d; stderr:\n%s", c.args, code, c.code, errs)
		}
	}
}
