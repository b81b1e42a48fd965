// Package conformance runs SQL suites of other engines, which lie beside the checkout, in several ways that must agree: as a batch in
// DuckDB, incrementally at once, in tiny steps in random order, and as views of a server that is killed halfway.
package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leat/internal/run"
	"leat/test/sqltest"
)

// suite is the folder of a suite, which a test skips without.
func suite(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "conformance", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the suite %s is not beside this checkout: %v", name, err)
	}
	return dir
}

func nexmarkCase(t *testing.T, dir, file string) sqltest.Script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := sqltest.Script{Text: string(text)}
	for _, name := range []string{"person", "auction", "bid"} {
		s.Inputs = append(s.Inputs, run.Source{Name: name, Path: filepath.Join(dir, "input", name+".ndjson")})
	}
	return s
}

// notCovered are cases of the suites that the engine refuses, with the reason.
var notCovered = map[string]string{
	"q6_group_top1": "OVER with a frame of rows: window functions other than rankings come later",
}

func TestNexmark(t *testing.T) {
	dir := suite(t, "nexmark")
	e := sqltest.NewEngine(t)
	b := sqltest.NewBatch(t, e.Parser)
	files, err := filepath.Glob(filepath.Join(dir, "queries", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		t.Run(name, func(t *testing.T) {
			s := nexmarkCase(t, dir, file)
			check(t, e, b, name, s, filepath.Join(dir, "expected", name+".ndjson"))
		})
	}
}

// many is how many bytes of input are too many for steps of a few records more than once.
const many = 1 << 20

// check runs a case all ways and compares each with what the suite expects.
func check(t *testing.T, e *sqltest.Engine, b *sqltest.Batch, name string, s sqltest.Script, expected string) {
	t.Helper()
	text, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sqltest.ReadRows(string(text))
	if err != nil {
		t.Fatal(err)
	}
	taken := &sqltest.Taken{}
	out, told, err := e.Run(t, s, sqltest.Way{Taken: taken})
	if reason, ok := notCovered[name]; ok {
		if err == nil {
			t.Errorf("%s runs now: take it off the list (%s)", name, reason)
		}
		t.Skipf("not covered: %s: %v", reason, err)
	}
	compare(t, "at once", want, out, err)
	if strings.Contains(told, " late\n") {
		t.Logf("not run as a batch, which has no late rows: %s", told)
	} else {
		out, err = b.Run(s.Text, taken)
		compare(t, "batch in DuckDB", want, out, err)
	}
	seeds := []uint64{1, 2, 3}
	if size(t, s) > many {
		seeds = seeds[:1]
	}
	for _, seed := range seeds {
		out, _, err := e.Run(t, s, sqltest.Way{Seed: seed})
		compare(t, fmt.Sprintf("tiny steps, seed %d", seed), want, out, err)
	}
}

func compare(t *testing.T, way string, want []string, out string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", way, err)
		return
	}
	got, err := sqltest.ReadRows(out)
	if err != nil {
		t.Errorf("%s: %v", way, err)
	} else if diff := sqltest.DiffRows(want, got); diff != "" {
		t.Errorf("%s:\n%s", way, diff)
	}
}

// size is how many bytes a script's inputs have.
func size(t *testing.T, s sqltest.Script) (n int64) {
	for _, in := range s.Inputs {
		info, err := os.Stat(in.Path)
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

var inputLine = regexp.MustCompile(`(\w+)\.json(?:\(ts=(\w+)\))?`)

// columns of the arroyo suite's inputs.
var arroyoColumns = map[string]string{
	"cars":    "ts TIMESTAMP PATH '$.timestamp', driver_id BIGINT, event_type VARCHAR, location VARCHAR",
	"impulse": "ts TIMESTAMP PATH '$.timestamp', counter BIGINT, subtask_index BIGINT",
}

func TestArroyo(t *testing.T) {
	dir := suite(t, "arroyo")
	e := sqltest.NewEngine(t)
	b := sqltest.NewBatch(t, e.Parser)
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		t.Run(name, func(t *testing.T) {
			s := arroyoCase(t, dir, file)
			check(t, e, b, name, s, filepath.Join(dir, "cases", name+".expected.ndjson"))
		})
	}
}

func arroyoCase(t *testing.T, dir, file string) sqltest.Script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	var s sqltest.Script
	for _, m := range inputLine.FindAllStringSubmatch(first, -1) {
		path := filepath.Join(dir, "input", m[1]+".json")
		if m[1] == "aggregate_updates" {
			s.Text += "CREATE TABLE orders (id BIGINT, customer_name VARCHAR, product_name VARCHAR, quantity BIGINT, price DOUBLE, PRIMARY KEY (id));\n"
			s.Inputs = append(s.Inputs, run.Source{Name: "orders", Path: debezium(t, path)})
			continue
		}
		s.Text += fmt.Sprintf("CREATE STREAM %s (%s);\n", m[1], arroyoColumns[m[1]])
		s.Inputs = append(s.Inputs, run.Source{Name: m[1], Path: path})
	}
	s.Text += string(text)
	return s
}
