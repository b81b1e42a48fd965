package slt

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"leat/test/harness"
)

// files are what the commands read.
var files = map[string]string{
	"bid.ndjson":   "{\"k\":\"a\",\"v\":1,\"ts\":\"2024-01-01T00:00:01\"}\n{\"k\":\"b\",\"v\":2,\"ts\":\"2024-01-01T00:00:03\"}\n{\"k\":\"a\",\"v\":3,\"ts\":\"2024-01-01T00:00:07\"}\n",
	"bid.json":     `[{"k":"a","v":1},{"k":"b","v":2}]`,
	"side.csv":     "id,name\n1,one\n2,\"t,wo\"\n1,uno\n",
	"table.ndjson": "{\"id\":1,\"v\":\"x\"}\n{\"id\":2,\"v\":\"y\"}\n{\"_op\":\"d\",\"id\":1}\n",
	"bad.ndjson":   "{\"a\":1}\nnonsense\n{\"a\":\"x\"}\n{\"a\":2}\n",
	"odd.ndjson":   "{\"select\":1,\"Group By\":[1,2],\"n\":{\"a\":{\"b\":7}},\"a b\":\"c\"}\n",
	"empty.ndjson": "",
	"chain.sql":    "-- counts\nCREATE STREAM bid (k VARCHAR, v BIGINT);\nCREATE VIEW big AS SELECT * FROM bid WHERE v > 1;\nCREATE MATERIALIZED VIEW n AS\n  SELECT k, count(*) AS c FROM big GROUP BY k;\nSELECT max(c) AS most FROM n;\n",
	"wrong.sql":    "CREATE VIEW big AS SELECT * FROM bid;\nSELECT k,\n  nope FROM big\n",
}

// commands are what users type, and what they get.
var commands = []struct {
	name, args, stdin string
	out, told         string
	code              int
}{
	{"a pipe", "SELECT k, count(*) AS n FROM stdin GROUP BY k", files["bid.ndjson"], `{"k":"a","n":2}` + "\n" + `{"k":"b","n":1}`, "", 0},
	{"a pipe by another name", "SELECT k FROM b WHERE v = 2|--input|b=-", files["bid.ndjson"], `{"k":"b"}`, "", 0},
	{"a script", "chain.sql|--input|bid=bid.ndjson", "", `{"most":1}`, "", 0},
	{"a JSON array", "SELECT sum(v) AS s FROM bid|--input|bid=bid.json", "", `{"s":"3"}`, "", 0},
	{"CSV as a table", "SELECT * FROM side|--table|side=side.csv", "", `{"id":1,"name":"uno"}` + "\n" + `{"id":2,"name":"t,wo"}`, "table side: the key is id", 0},
	{"deletes", "SELECT * FROM t|--table|t=table.ndjson", "", `{"id":2,"v":"y"}`, "", 0},
	{"deletes as changes", "SELECT * FROM t|--table|t=table.ndjson|--changes|--step|1", "",
		`{"_weight":1,"id":1,"v":"x"}` + "\n" + `{"_weight":1,"id":2,"v":"y"}` + "\n" + `{"_weight":-1,"id":1,"v":"x"}`, "", 0},
	{"CSV out", "SELECT k, v FROM bid ORDER BY v DESC|--input|bid=bid.ndjson|--format|csv", "", "k,v\r\na,3\r\nb,2\r\na,1", "", 0},
	{"two inputs", "SELECT b.k, s.name FROM bid b JOIN side s ON b.v = s.id ORDER BY ALL|--input|bid=bid.ndjson|--input|side=side.csv", "",
		`{"k":"a","name":"one"}` + "\n" + `{"k":"a","name":"uno"}` + "\n" + `{"k":"b","name":"t,wo"}`, "", 0},
	{"one file twice", "SELECT a.v FROM a JOIN b USING (k, v) ORDER BY v DESC|--input|a=bid.ndjson|--input|b=bid.ndjson", "", `{"v":3}` + "\n" + `{"v":2}` + "\n" + `{"v":1}`, "", 0},
	{"columns like keywords", `SELECT "select", "Group By"[2] AS g, n.a.b, "a b" FROM o|--input|o=odd.ndjson`, "", `{"select":1,"g":2,"b":7,"a b":"c"}`, "", 0},
	{"a watermark that closes windows", "CREATE MATERIALIZED VIEW w AS SELECT window_end, count(*) AS c FROM TUMBLE(bid, ts, INTERVAL 2 SECONDS) GROUP BY ALL EMIT ON WINDOW CLOSE|--input|bid=bid.ndjson|--watermark|bid.ts - INTERVAL 1 SECOND|--no-close", "",
		`{"window_end":"2024-01-01T00:00:02.000000","c":1}` + "\n" + `{"window_end":"2024-01-01T00:00:04.000000","c":1}`, "", 0},
	{"all windows close at the end", "CREATE MATERIALIZED VIEW w AS SELECT window_end, count(*) AS c FROM TUMBLE(bid, ts, INTERVAL 1 MINUTE) GROUP BY ALL EMIT ON WINDOW CLOSE|--input|bid=bid.ndjson|--watermark|ts - INTERVAL '1' SECOND", "",
		`{"window_end":"2024-01-01T00:01:00.000000","c":3}`, "", 0},
	{"records that can't be used", "CREATE STREAM b (a BIGINT); SELECT a FROM b|--input|b=bad.ndjson", "", `{"a":1}` + "\n" + `{"a":2}`, "bad.ndjson:3: $.a: \"x\" is not a BIGINT\n2 records could not be used", 0},
	{"an empty file with columns", "CREATE STREAM e (a BIGINT); SELECT count(*) AS n FROM e|--input|e=empty.ndjson", "", `{"n":0}`, "", 0},
	{"an empty file without columns", "SELECT count(*) AS n FROM e|--input|e=empty.ndjson", "", "", "declare them", 1},
	{"a missing file", "SELECT * FROM e|--input|e=missing.ndjson", "", "", "missing.ndjson: no such file", 2},
	{"a missing script", "missing.sql", "", "", "missing.sql: no such file", 2},
	{"a column that there is not", "wrong.sql|--input|bid=bid.ndjson", "", "", "line 3, column 3: there is no column called nope", 1},
	{"no input of that name", "SELECT * FROM nope|--input|bid=bid.ndjson", "", "", "hint: give its file: --input nope=FILE", 1},
	{"an input without a file", "SELECT 1|--input|bid", "", "", "is not name=FILE", 2},
	{"an input twice", "SELECT * FROM b|--input|b=bid.ndjson|--input|b=bid.json", "", "", "b is given twice", 2},
	{"stdin twice", "SELECT * FROM b|--input|b=-|--table|c=-", "", "", "standard input can be read once", 2},
	{"a watermark of nothing", "SELECT * FROM bid|--input|bid=bid.ndjson|--watermark|x.ts - INTERVAL 1 SECOND", "", "", "there is no input x", 2},
	{"a watermark that is none", "SELECT * FROM bid|--input|bid=bid.ndjson|--watermark|bid.ts - 5", "", "", "write it as --watermark 'stream.column", 2},
	{"a format that there is not", "SELECT * FROM bid|--input|bid=bid.ndjson|--format|xml", "", "", "there is no format \"xml\"", 2},
	{"nothing", "", "", "", "the script is empty", 2},
	{"a negative step", "SELECT * FROM bid|--input|bid=bid.ndjson|--step|-1", "", "", "at least one record", 2},
	{"LIMIT without ORDER BY", "SELECT * FROM bid LIMIT 1|--input|bid=bid.ndjson", "", "", "LIMIT without ORDER BY", 1},
	{"sums beyond 64 bits", "SELECT sum(v + 9223372036854775800) AS s FROM bid|--input|bid=bid.ndjson", "", `{"s":"27670116110564327406"}`, "", 0},
	{"a flag that there is not", "SELECT 1|--nope", "", "", "unknown flag", 2},
}

// folder has the files.
func folder(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCommands(t *testing.T) {
	dir := folder(t)
	for _, c := range commands {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"run"}, strings.Split(c.args, "|")...)
			out, told, code := harness.Run(t, c.stdin, harness.CleanEnv(), dir, args...)
			if code != c.code {
				t.Errorf("exit code %d, not %d", code, c.code)
			}
			if got := strings.TrimSpace(out); got != c.out {
				t.Errorf("stdout:\n%s\nwant:\n%s", got, c.out)
			}
			for want := range strings.Lines(c.told) {
				if !strings.Contains(told, strings.TrimSpace(want)) {
					t.Errorf("stderr lacks %q", want)
				}
			}
			if t.Failed() {
				t.Log(told)
			}
		})
	}
}

// start runs `leat run` with its temporary files in a folder of its own, which must be empty at the end.
func start(t *testing.T, dir string, stdin io.Reader, args ...string) (*exec.Cmd, io.ReadCloser, *bytes.Buffer) {
	t.Helper()
	bin, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	cmd := exec.Command(bin, append([]string{"run"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, append(harness.CleanEnv(), "TMPDIR="+tmp), stdin
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended unless the test failed
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 && !t.Failed() {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
	return cmd, out, &told
}

// line reads one line in time.
func line(t *testing.T, out io.Reader) string {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		var b []byte
		for p := make([]byte, 1); len(b) == 0 || b[len(b)-1] != '\n'; {
			if _, err := out.Read(p); err != nil {
				break
			}
			b = append(b, p[0])
		}
		got <- strings.TrimSpace(string(b))
	}()
	select {
	case s := <-got:
		return s
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was printed")
		return ""
	}
}

// ends waits for the process to end well.
func ends(t *testing.T, cmd *exec.Cmd, told *bytes.Buffer) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil || told.Len() > 0 {
			t.Fatalf("it ended with %v: %s", err, told)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

func TestFollow(t *testing.T) {
	dir := folder(t)
	cmd, out, told := start(t, dir, nil, "SELECT count(*) AS n FROM bid", "--input", "bid=bid.ndjson", "--follow")
	if got := line(t, out); got != `{"_weight":1,"n":3}` {
		t.Fatal(got)
	}
	f, err := os.OpenFile(filepath.Join(dir, "bid.ndjson"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"k":"c","v":9,"ts":"2024-01-01T00:00:09"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if got := line(t, out) + line(t, out); got != `{"_weight":-1,"n":3}{"_weight":1,"n":4}` {
		t.Fatal(got)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ends(t, cmd, told)
}

// TestPipe: rows come out while the pipe is open.
func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd, out, told := start(t, t.TempDir(), r, "SELECT v * 2 AS d FROM stdin WHERE v > 1")
	r.Close()
	for i, want := range []string{"", `{"d":4}`, `{"d":6}`} {
		fmt.Fprintf(w, "{\"v\":%d}\n", i+1)
		if want == "" {
			continue
		}
		if got := line(t, out); got != want {
			t.Fatal(got)
		}
	}
	w.Close()
	ends(t, cmd, told)
}

// TestClosedOutput: a reader that has had enough ends the run, quietly.
func TestClosedOutput(t *testing.T) {
	dir := t.TempDir()
	many(t, filepath.Join(dir, "many.ndjson"), 200_000)
	cmd, out, told := start(t, dir, nil, "SELECT key FROM m", "--input", "m=many.ndjson")
	line(t, out)
	out.Close()
	ends(t, cmd, told)
}

// TestMemory: state beyond the memory that it may take goes to disk, and away in the end.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	const n = 100_000
	many(t, filepath.Join(dir, "many.ndjson"), n)
	query := "CREATE MATERIALIZED VIEW c AS SELECT key, count(*) AS n, sum(val) AS s FROM m GROUP BY key; SELECT count(*) AS keys, sum(n) AS rows, sum(s) AS s FROM c"
	cmd, out, told := start(t, dir, nil, query, "--input", "m=many.ndjson", "--memory", "1MB")
	if got, want := line(t, out), fmt.Sprintf(`{"keys":%d,"rows":"%d","s":"%d"}`, n/2, n, n/10*45); got != want {
		t.Errorf("%s, not %s", got, want)
	}
	ends(t, cmd, told)
}

// many writes n records of n/2 keys.
func many(t *testing.T, path string, n int) {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "{\"key\":\"key %d\",\"val\":%d}\n", i*7919%(n/2), i%10)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
