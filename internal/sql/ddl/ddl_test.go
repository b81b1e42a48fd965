package ddl

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"leat/internal/types"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// TestGolden reads testdata/statements.sql, scripts divided by lines of ----, and compares what Parse makes of each.
func TestGolden(t *testing.T) {
	in, err := os.ReadFile("testdata/statements.sql")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, script := range strings.Split(string(in), "\n----\n") {
		fmt.Fprintf(&b, "%s\n", script)
		got, err := Parse(script)
		if err != nil {
			e := types.AsError(err)
			fmt.Fprintf(&b, "=> %s %d:%d %s\n   hint: %s\n", e.Code, e.Line, e.Column, e.Message, e.Hint)
		}
		for _, s := range got {
			j, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "=> %T %s\n", s, j)
			if p := Print(s); p != "" {
				fmt.Fprintf(&b, "%s\n", p)
				checkStable(t, p)
			}
		}
		b.WriteString("----\n")
	}
	const golden = "testdata/statements.golden"
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
		t.Errorf("the golden file differs; run with -update and look at the difference")
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
	in, err := os.ReadFile("testdata/statements.sql")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range strings.Split(string(in), "\n----\n") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		got, err := Parse(script)
		if err != nil {
			if e := types.AsError(err); e.Code == types.Internal {
				t.Fatalf("uncoded error %v", err)
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
