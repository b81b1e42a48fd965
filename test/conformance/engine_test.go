// Package conformance runs SQL suites of other engines, which lie beside the checkout, in several ways that must agree: as a batch in
// DuckDB, incrementally at once, and in tiny steps in random order. test/chaos restores them from crashes.
package conformance

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leat/internal/duck"
	"leat/internal/engine/expr"
	"leat/internal/run"
	"leat/internal/sql/bind"
	"leat/internal/state"
	"leat/internal/state/memstate"
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

// engine runs scripts in process.
type engine struct {
	binder    *bind.Binder
	parser    *duck.Parser
	evaluator expr.Evaluator
}

func newEngine(t *testing.T) *engine {
	t.Helper()
	planner, err := duck.NewPlanner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(planner.Close)
	parser, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parser.Close)
	ev, err := duck.NewEvaluator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ev.Close)
	return &engine{bind.New(planner, parser), parser, expr.FromArrow(ev)}
}

// script is one case.
type script struct {
	text       string
	inputs     []run.Source
	watermarks []string
}

// run returns the rows as NDJSON; seed 0 takes all input at once.
func (e *engine) run(t *testing.T, s script, seed uint64) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	o := run.Options{
		Script: s.text, Inputs: s.inputs, Watermarks: s.watermarks, Format: "ndjson", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Binder: e.binder, Evaluator: e.evaluator, State: func() (state.Store, error) { return memstate.New(), nil },
	}
	if seed != 0 {
		o.Shuffle = rand.New(rand.NewPCG(seed, 0))
	}
	err := run.Run(context.Background(), o)
	if errs.Len() > 0 {
		t.Logf("stderr: %s", errs.String())
	}
	return out.String(), err
}

var createView = regexp.MustCompile(`(?is)^CREATE MATERIALIZED VIEW \w+\s+AS\s+`)

func nexmarkCase(t *testing.T, dir, file string) script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := script{text: string(text)}
	for _, name := range []string{"person", "auction", "bid"} {
		s.inputs = append(s.inputs, run.Source{Name: name, Path: filepath.Join(dir, "input", name+".ndjson")})
	}
	return s
}

// notCovered are cases of the suites that the engine refuses, with the reason.
var notCovered = map[string]string{
	"q6_group_top1": "OVER with a frame of rows: window functions other than rankings come later",
}

func TestNexmark(t *testing.T) {
	dir := suite(t, "nexmark")
	e := newEngine(t)
	files, err := filepath.Glob(filepath.Join(dir, "queries", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no queries in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		t.Run(name, func(t *testing.T) {
			s := nexmarkCase(t, dir, file)
			e.check(t, name, s, filepath.Join(dir, "expected", name+".ndjson"))
		})
	}
}

// check runs a case all ways and compares each with what the suite expects.
func (e *engine) check(t *testing.T, name string, s script, expected string) {
	t.Helper()
	text, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	want := readRows(t, string(text))
	ways := []struct {
		name string
		seed uint64
	}{{"at once", 0}, {"tiny steps, seed 1", 1}, {"tiny steps, seed 2", 2}, {"tiny steps, seed 3", 3}}
	for _, way := range ways {
		got, err := e.run(t, s, way.seed)
		if reason, ok := notCovered[name]; ok {
			if err == nil {
				t.Errorf("%s runs now: take it off the list (%s)", name, reason)
			}
			t.Skipf("not covered: %s: %v", reason, err)
		}
		if err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		if diff := diffRows(want, readRows(t, got)); diff != "" {
			t.Errorf("%s:\n%s", way.name, diff)
		}
	}
}

var inputLine = regexp.MustCompile(`(\w+)\.json(?:\(ts=(\w+)\))?`)

// columns of the arroyo suite's inputs.
var arroyoColumns = map[string]string{
	"cars":    "ts TIMESTAMP PATH '$.timestamp', driver_id BIGINT, event_type VARCHAR, location VARCHAR",
	"impulse": "ts TIMESTAMP PATH '$.timestamp', counter BIGINT, subtask_index BIGINT",
}

func TestArroyo(t *testing.T) {
	dir := suite(t, "arroyo")
	e := newEngine(t)
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		t.Run(name, func(t *testing.T) {
			s := arroyoCase(t, dir, file)
			e.check(t, name, s, filepath.Join(dir, "cases", name+".expected.ndjson"))
		})
	}
}

func arroyoCase(t *testing.T, dir, file string) script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	var s script
	for _, m := range inputLine.FindAllStringSubmatch(first, -1) {
		path := filepath.Join(dir, "input", m[1]+".json")
		if m[1] == "aggregate_updates" {
			s.text += "CREATE TABLE orders (id BIGINT, customer_name VARCHAR, product_name VARCHAR, quantity BIGINT, price DOUBLE, PRIMARY KEY (id));\n"
			s.inputs = append(s.inputs, run.Source{Name: "orders", Path: debezium(t, path)})
			continue
		}
		s.text += fmt.Sprintf("CREATE STREAM %s (%s);\n", m[1], arroyoColumns[m[1]])
		s.inputs = append(s.inputs, run.Source{Name: m[1], Path: path})
	}
	s.text += string(text)
	return s
}
