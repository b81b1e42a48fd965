package ddl

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leat/internal/types"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// scripts returns the scripts of each testdata/*.sql, which lines of ---- divide.
func scripts(t testing.TB) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	out := map[string][]string{}
	for _, f := range files {
		in, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = strings.Split(strings.TrimSuffix(string(in), "\n"), "\n----\n")
	}
	return out
}

// TestGolden compares what Parse makes of each script with the .golden file beside it.
func TestGolden(t *testing.T) {
	for file, list := range scripts(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var b strings.Builder
			for _, script := range list {
				b.WriteString(script + "\n")
				describe(t, &b, script)
				b.WriteString("----\n")
			}
			golden := strings.TrimSuffix(file, ".sql") + ".golden"
			if *rewrite {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("%s differs; run with -update and look at the difference", golden)
			}
		})
	}
}

// describe writes what Parse makes of a script.
func describe(t *testing.T, b *strings.Builder, script string) {
	t.Helper()
	got, err := Parse(script)
	if err != nil {
		e := types.AsError(err)
		fmt.Fprintf(b, "=> %s %d:%d %s\n   hint: %s\n", e.Code, e.Line, e.Column, e.Message, e.Hint)
	}
	for _, s := range got {
		j, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(b, "=> %T %s\n", s, j)
		if p := Print(s); p != "" {
			b.WriteString(p + "\n")
			checkStable(t, p)
		}
	}
}

// TestHints checks that every error of the golden files has a code, a place and a hint.
func TestHints(t *testing.T) {
	bad := 0
	for file, list := range scripts(t) {
		for _, script := range list {
			_, err := Parse(script)
			if err == nil {
				continue
			}
			bad++
			if e := types.AsError(err); e.Code == types.Internal || e.Line == 0 || e.Column == 0 || e.Hint == "" {
				t.Errorf("%s: %q: %s at %d:%d with the hint %q", file, script, e.Code, e.Line, e.Column, e.Hint)
			}
		}
	}
	if bad < 100 {
		t.Errorf("%d bad scripts; there were more than 100", bad)
	}
}

// TestBounds checks what Parse accepts at each bound and refuses beyond.
func TestBounds(t *testing.T) {
	columns := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "c%d INT,", i)
		}
		return "CREATE STREAM s (" + strings.TrimSuffix(b.String(), ",") + ")"
	}
	nested := func(n int) string { return "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }
	described := func(n int) string {
		return "CREATE STREAM s (a INT) WITH (description = '" + strings.Repeat("x", n) + "')"
	}
	path := func(n int) string { return "CREATE STREAM s (a INT PATH '$" + strings.Repeat(".k", n) + "')" }
	filled := func(n int) string { return "SELECT 1" + strings.Repeat(" ", n-8) }
	query := func(n int) string { return "SELECT '" + strings.Repeat("x", n-9) + "'" }
	name := func(n int) string { return "CREATE STREAM " + strings.Repeat("x", n) + " (a INT)" }
	column := func(n int) string { return "CREATE STREAM s (" + strings.Repeat("x", n) + " INT)" }
	list := func(n int) string { return "CREATE STREAM s (a INT" + strings.Repeat("[]", n) + ")" }
	for _, tt := range []struct {
		name  string
		make  func(int) string
		bound int
		code  types.Code
	}{
		{"script", filled, MaxScript, types.QueryTooComplex},
		{"query", query, MaxQuery, types.QueryTooComplex},
		{"statements", func(n int) string { return strings.Repeat("SELECT 1;", n) }, MaxStatements, types.QueryTooComplex},
		{"nesting", nested, MaxNesting, types.QueryTooComplex},
		{"columns", columns, types.MaxColumns, types.InvalidArgument},
		{"description", described, MaxDescription, types.SyntaxError},
		{"path", path, types.MaxDepth, types.SyntaxError},
		{"type", list, types.MaxDepth, types.SyntaxError},
		{"object name", name, 63, types.InvalidArgument},
		{"column name", column, 255, types.InvalidArgument},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(tt.make(tt.bound)); err != nil {
				t.Errorf("at the bound of %d: %v", tt.bound, err)
			}
			_, err := Parse(tt.make(tt.bound + 1))
			if e := types.AsError(err); e == nil || e.Code != tt.code || e.Hint == "" {
				t.Errorf("beyond the bound: %v, want %s with a hint", err, tt.code)
			}
		})
	}
}

// TestText checks that scripts that are not text are refused with their place.
func TestText(t *testing.T) {
	for _, script := range []string{"SELECT 1;\n a\x00b", "SELECT 1;\n a\xffb", "SELECT 1;\n a\xed\xa0\x80"} {
		_, err := Parse(script)
		if e := types.AsError(err); e == nil || e.Code != types.SyntaxError || e.Line != 2 || e.Column != 3 || e.Hint == "" {
			t.Errorf("%q: %v", script, err)
		}
	}
}

// checkStable checks that a printed statement reads back as itself.
func checkStable(t *testing.T, printed string) {
	t.Helper()
	again, err := Parse(printed)
	if err != nil || len(again) != 1 || Print(again[0]) != printed {
		t.Fatalf("printed\n%s\nread back: %v, %v", printed, again, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, list := range scripts(f) {
		for _, s := range list {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, script string) {
		got, err := Parse(script)
		if err != nil {
			if e := types.AsError(err); e.Code == types.Internal || e.Hint == "" {
				t.Fatalf("error without code or hint: %v", err)
			}
			return
		}
		for _, s := range got {
			if start, end := s.Range(); start < 0 || start >= end || end > len(script) {
				t.Fatalf("%T has the range %d to %d of %d bytes", s, start, end, len(script))
			}
			if q, ok := s.(*Select); ok && script[q.Offset:q.Offset+len(q.Text)] != q.Text {
				t.Fatal("the text is not at its offset")
			}
			if p := Print(s); p != "" {
				checkStable(t, p)
			}
		}
	})
}

func BenchmarkSelect(b *testing.B) {
	const q = "SELECT origin, count(*) AS n, avg(delay) FROM flights WHERE delay > 15 AND carrier IN ('AA', 'UA') GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
	b.ReportAllocs()
	b.SetBytes(int64(len(q)))
	for b.Loop() {
		if _, err := Parse(q); err != nil {
			b.Fatal(err)
		}
	}
}
