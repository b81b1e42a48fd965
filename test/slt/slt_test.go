package slt

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leat/internal/run"
	"leat/internal/types"
	"leat/test/sqltest"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	seed   = flag.Uint64("slt.seed", 0, "of the steps; 0 draws it")
)

// runner runs the cases of one file.
type runner struct {
	engine *sqltest.Engine
	batch  *sqltest.Batch
	dir    string
	seed   uint64
	setup  string
	inputs []run.Source
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.slt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	engine := sqltest.NewEngine(t)
	batch := sqltest.NewBatch(t, engine.Parser)
	s := *seed
	for s == 0 {
		s = rand.Uint64() >> 32
	}
	t.Logf("seed %d", s)
	cases := 0
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".slt"), func(t *testing.T) {
			f, err := read(path)
			if err != nil {
				t.Fatal(err)
			}
			r := &runner{engine: engine, batch: batch, dir: t.TempDir(), seed: s}
			for _, p := range f.parts {
				r.part(t, p)
				if p.word == "case" {
					cases++
				}
			}
			if *update {
				if err := f.write(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	t.Logf("%d cases", cases)
}

func (r *runner) part(t *testing.T, p *part) {
	switch p.word {
	case "setup":
		r.setup = strings.Trim(p.text, "\n")
		if r.setup != "" {
			r.setup += "\n"
		}
	case "input":
		path := filepath.Join(r.dir, fmt.Sprintf("%s-%d.ndjson", p.arg, len(r.inputs)))
		if err := os.WriteFile(path, []byte(strings.Trim(p.text, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.inputs = slices.DeleteFunc(r.inputs, func(s run.Source) bool { return s.Name == p.arg })
		r.inputs = append(r.inputs, run.Source{Name: p.arg, Path: path})
	case "case":
		t.Run(p.arg, func(t *testing.T) { r.run(t, p) })
	default:
		t.Fatalf("there is no directive %s", p.word)
	}
}

var countLine = regexp.MustCompile(`^\d+ (rows?|records?) (was|were|could) `)

// counts are the lines of stderr that count what was left out.
func counts(stderr string) string {
	var out []string
	for line := range strings.Lines(stderr) {
		if countLine.MatchString(line) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return strings.Join(out, "\n")
}

// run runs one case in all ways.
func (r *runner) run(t *testing.T, p *part) {
	s := sqltest.Script{Text: r.setup + strings.Trim(p.text, "\n"), Inputs: slices.Clone(r.inputs)}
	taken := &sqltest.Taken{}
	out, told, err := r.engine.Run(t, s, sqltest.Way{Taken: taken})
	if err != nil {
		r.failed(t, p, types.AsError(err))
		return
	}
	ordered := p.section("ordered") != nil
	golden := "rows"
	if ordered {
		golden = "ordered"
	}
	got := lines(out, ordered)
	if *update {
		p.drop("error")
		p.set(golden, strings.Join(got, "\n"))
		if p.drop("told"); counts(told) != "" {
			p.set("told", counts(told))
		}
	}
	sec := p.section(golden)
	if sec == nil {
		t.Fatalf("no rows are expected (run with -update):\n%s%s", out, told)
	}
	want := lines(sec.text, ordered)
	if !slices.Equal(want, got) {
		t.Errorf("at once:\n%s", sqltest.DiffRows(want, got))
	}
	wantTold := ""
	if sec := p.section("told"); sec != nil {
		wantTold = strings.TrimSpace(sec.text)
	}
	if counts(told) != wantTold {
		t.Errorf("told:\n%s\nwant:\n%s\nall of it:\n%s", counts(told), wantTold, told)
	}
	r.inBatch(t, p, s, taken, want, ordered)
	r.inSteps(t, s, want, ordered)
}

// inSteps runs a case in steps of one record and in random ones, and adds up the changes of random ones.
func (r *runner) inSteps(t *testing.T, s sqltest.Script, want []string, ordered bool) {
	for _, w := range []sqltest.Way{{Step: 1}, {Seed: r.seed}, {Seed: r.seed + 1}} {
		out, told, err := r.engine.Run(t, s, w)
		if err != nil {
			t.Errorf("steps %+v: %v", w, err)
		} else if got := lines(out, ordered); !slices.Equal(want, got) {
			t.Errorf("steps %+v:\n%s\n%s", w, sqltest.DiffRows(want, got), told)
		}
	}
	out, _, err := r.engine.Run(t, s, sqltest.Way{Seed: r.seed + 2, Changes: true})
	if err != nil {
		t.Errorf("changes: %v", err)
		return
	}
	got, err := added(out)
	want = slices.Sorted(slices.Values(want))
	if err != nil || !slices.Equal(want, got) {
		t.Errorf("the sum of the changes: %v\n%s", err, sqltest.DiffRows(want, got))
	}
}

// inBatch runs a case in DuckDB.
func (r *runner) inBatch(t *testing.T, p *part, s sqltest.Script, taken *sqltest.Taken, want []string, ordered bool) {
	text := s.Text
	if sec := p.section("batch"); sec != nil {
		if sec.arg != "" && strings.HasPrefix(sec.arg, "none") {
			return
		}
		text = r.setup + sec.text
	}
	out, err := r.batch.Run(text, taken)
	if err != nil {
		t.Errorf("batch: %v", err)
		return
	}
	w, g := canonical(t, want, ordered), canonical(t, lines(out, ordered), ordered)
	if !slices.Equal(w, g) {
		t.Errorf("batch:\n%s", sqltest.DiffRows(w, g))
	}
}

// failed checks code and place of an error.
func (r *runner) failed(t *testing.T, p *part, e *types.Error) {
	got := fmt.Sprintf("%s %d:%d", e.Code, e.Line, e.Column)
	if *update && (p.section("rows") == nil || p.section("error") != nil) {
		p.drop("rows")
		p.set("error", got)
	}
	sec := p.section("error")
	if sec == nil {
		t.Fatalf("%s: %v", got, e)
	}
	if strings.TrimSpace(sec.text) != got {
		t.Errorf("the error is %s, not %s: %v", got, strings.TrimSpace(sec.text), e)
	}
	t.Log(e)
}
