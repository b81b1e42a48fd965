package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module    = "leat/"
	internal  = module + "internal/"
	duckdb    = "github.com/duckdb/"
	bindings  = "github.com/duckdb/duckdb-go-bindings"
	tablePath = "docs/ARCHITECTURE.md"
)

// A driverRule keeps an outside module in few hands, so that it can be replaced, limited and upgraded in one place.
type driverRule struct {
	path   string   // prefix of the import path
	owners []string // packages that may import it, with all beneath them
	reason string
}

var driverRules = []driverRule{
	{duckdb, []string{"internal/duck"}, "the lock-down, the pool and the watchdog of DuckDB hold only if nobody opens it beside them"},
	{"github.com/cockroachdb/pebble", []string{"internal/bus/pebblelog", "internal/catalog", "internal/disk", "internal/state"}, "formats on disk belong to the package that documents and tests them"},
	{"github.com/prometheus/", []string{"internal/observe"}, "packages return a Metrics() struct; one place names and registers metrics"},
	{"github.com/golang-jwt/", []string{"internal/auth"}, "one place decides which JWTs are good"},
	{"github.com/spf13/", []string{"internal/cli", "internal/app"}, "flags are an edge; packages take options"},
	{"github.com/BurntSushi/toml", []string{"internal/app"}, "one place reads configuration; packages take options"},
	{"log", nil, "log with log/slog"},
	{"C", []string{"internal/duck"}, "cgo comes only with drivers: our own code stays Go"},
}

// linkers may link DuckDB, even through others. All else compiles and tests in seconds.
var linkers = []string{"internal/duck", "internal/store/duckdb", "internal/app", "cmd", "test", "bench", "demo"}

// tools are programs beside the product: scripts that derive data, drivers of benchmarks.
var tools = []string{"demo", "bench", "test"}

// implementations are chosen by app alone: the others see the contract above them.
var implementations = []string{"bus/pebblelog", "bus/kafka", "store/duckdb", "store/clickhouse", "store/loader", "state/pebblestate"}

// tops may be imported by nobody but those listed.
var tops = map[string][]string{
	"app": {"cmd/leat"},
	"cli": {"cmd/leat", "internal/app"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// name is the import path within the module, such as internal/bus.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

func TestImports(t *testing.T) {
	table := readTable(t)
	for _, p := range load(t) {
		for _, imported := range p.Imports {
			if within(p.name(), tools) {
				continue
			}
			checkDrivers(t, p, imported)
			checkTops(t, p, imported)
			checkTable(t, table, p, imported)
		}
		links := slices.ContainsFunc(p.Deps, func(d string) bool { return strings.HasPrefix(d, bindings) })
		if links && !within(p.name(), linkers) {
			t.Errorf("%s links DuckDB through its imports: every test of it would wait for a cgo link; take an interface instead", p.name())
		}
	}
}

// Every package has a row, so a newcomer can find it; a row of a package that doesn't exist misleads him.
func TestTableNamesEveryPackage(t *testing.T) {
	table, seen := readTable(t), map[string]bool{}
	for _, p := range load(t) {
		name, ok := strings.CutPrefix(p.ImportPath, internal)
		if !ok || name == "lint" {
			continue
		}
		row := rowOf(table, name)
		seen[row] = true
		if row == "" {
			t.Errorf("package %s has no row in %s", name, tablePath)
		}
	}
	for row := range table {
		if _, err := os.Stat(filepath.Join(root(t), "internal", row)); err != nil {
			t.Errorf("%s has a row for %s: %v", tablePath, row, err)
		}
	}
}

func checkDrivers(t *testing.T, p pkg, imported string) {
	for _, r := range driverRules {
		hit := imported == r.path || strings.Contains(r.path, ".") && strings.HasPrefix(imported, r.path)
		if hit && !within(p.name(), r.owners) {
			t.Errorf("%s imports %s: %s", p.name(), imported, r.reason)
		}
	}
}

func checkTops(t *testing.T, p pkg, imported string) {
	name, _ := strings.CutPrefix(imported, internal)
	if allowed, ok := tops[name]; ok && !slices.Contains(allowed, p.name()) {
		t.Errorf("%s imports %s: the arrows point from cmd down to types, never up", p.name(), name)
	}
}

func checkTable(t *testing.T, table map[string][]edge, p pkg, imported string) {
	from, ours := strings.CutPrefix(p.ImportPath, internal)
	to, theirs := strings.CutPrefix(imported, internal)
	if !ours || !theirs {
		return
	}
	row := rowOf(table, from)
	family, _, _ := strings.Cut(from, "/")
	if row == "app" || to == row || strings.HasPrefix(to, family+"/") && family != "sql" || strings.HasPrefix(from, to+"/") {
		return
	}
	for _, e := range table[row] {
		if (e.only == "" || e.only == from) && (to == e.to || strings.HasPrefix(to, e.to+"/") && !slices.Contains(implementations, to)) {
			return
		}
	}
	t.Errorf("%s imports %s: the table in %s does not let it; declare a small interface where it is used, or add the edge there and say why", from, to, tablePath)
}

// edge is one name of a row's third column; only restricts it to one package of the row.
type edge struct{ to, only string }

var (
	rowPattern  = regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\|.*\\| ([^|]+) \\|$")
	namePattern = regexp.MustCompile(`^([a-z/]+)(?: \(([a-z/]+) only\))?$`)
)

// readTable parses the package table: package -> what it may import of ours.
func readTable(t *testing.T) map[string][]edge {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), tablePath))
	if err != nil {
		t.Fatal(err)
	}
	table := map[string][]edge{}
	for _, m := range rowPattern.FindAllStringSubmatch(string(text), -1) {
		table[m[1]] = nil
		if m[2] == "nothing" || m[2] == "everything" {
			continue
		}
		for _, cell := range strings.Split(m[2], ",") {
			e := namePattern.FindStringSubmatch(strings.ReplaceAll(strings.TrimSpace(cell), "`", ""))
			if e == nil {
				t.Fatalf("%s: row %s: %q is not a package", tablePath, m[1], cell)
			}
			table[m[1]] = append(table[m[1]], edge{e[1], e[2]})
		}
	}
	if len(table) < 10 {
		t.Fatalf("%s: found only %d rows of the package table", tablePath, len(table))
	}
	return table
}

// rowOf returns the nearest row for a package: its own, or that of a folder above it.
func rowOf(table map[string][]edge, name string) string {
	for name != "." {
		if _, ok := table[name]; ok {
			return name
		}
		name = filepath.Dir(name)
	}
	return ""
}

func within(name string, owners []string) bool {
	return slices.ContainsFunc(owners, func(o string) bool { return name == o || strings.HasPrefix(name, o+"/") })
}

func load(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps", "./...")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
