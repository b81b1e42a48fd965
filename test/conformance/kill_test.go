package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leat/test/harness"
	"leat/test/sqltest"
)

// served is a case as a materialized view of a server, with the file of its rows.
type served struct{ name, create, expected string }

// TestRestored makes the views of both suites on a server, kills it (kill -9) halfway through the input and goes on after a restart.
func TestRestored(t *testing.T) {
	nexmark, arroyo := suite(t, "nexmark"), suite(t, "arroyo")
	views := append(nexmarkViews(t, nexmark), arroyoViews(t, arroyo)...)
	inputs := map[string]string{
		"cars": filepath.Join(arroyo, "input", "cars.json"), "impulse": filepath.Join(arroyo, "input", "impulse.json"),
		"orders": debezium(t, filepath.Join(arroyo, "input", "aggregate_updates.json")),
	}
	for _, name := range []string{"person", "auction", "bid"} {
		inputs[name] = filepath.Join(nexmark, "input", name+".ndjson")
	}
	data := filepath.Join(t.TempDir(), "data")
	s := harness.Start(t, data)
	s.SQL("CREATE TABLE orders (id BIGINT, customer_name VARCHAR, product_name VARCHAR, quantity BIGINT, price DOUBLE, PRIMARY KEY (id))")
	for name, columns := range arroyoColumns {
		s.SQL("CREATE STREAM " + name + " (" + columns + ")")
	}
	rest := map[string]string{}
	for name, file := range inputs {
		first, second := halves(t, file)
		s.Send(name, first)
		rest[name] = second
	}
	for _, v := range views {
		s.SQL(v.create)
	}
	s.Kill()
	s = harness.Start(t, data)
	for name, text := range rest {
		s.Send(name, text)
	}
	for _, v := range views {
		text, err := os.ReadFile(v.expected)
		if err != nil {
			t.Fatal(err)
		}
		want, err := sqltest.ReadRows(string(text))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(v.name, func(t *testing.T) { compare(t, "killed halfway", want, s.SQL("SELECT * FROM "+v.name), nil) })
	}
}

func nexmarkViews(t *testing.T, dir string) []served {
	var out []served
	for _, file := range globbed(t, filepath.Join(dir, "queries", "*.sql")) {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		if notCovered[name] != "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, served{"nexmark_" + name, string(text), filepath.Join(dir, "expected", name+".ndjson")})
	}
	return out
}

func arroyoViews(t *testing.T, dir string) []served {
	var out []served
	for _, file := range globbed(t, filepath.Join(dir, "cases", "*.sql")) {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, served{"arroyo_" + name, "CREATE MATERIALIZED VIEW arroyo_" + name + " AS\n" + string(text), filepath.Join(dir, "cases", name+".expected.ndjson")})
	}
	return out
}

func globbed(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return files
}

// halves cuts a file of lines in two.
func halves(t *testing.T, file string) (first, second string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	n := len(lines) / 2
	return strings.Join(lines[:n], ""), strings.Join(lines[n:], "")
}
