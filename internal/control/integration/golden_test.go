package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"leat/internal/types"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// foreign are codes whose messages may be DuckDB's, which its next version may word otherwise.
var foreign = []types.Code{types.UnknownColumn, types.UnknownFunction, types.TypeMismatch, types.DependentObjects}

// Each file of testdata is a session: scripts between lines of ----, each with what came of it after the lines of =>.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	cases := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			w := open(t)
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for part := range strings.SplitSeq(strings.TrimSpace(string(want)), "\n----\n") {
				script, _, _ := strings.Cut(part, "\n=>")
				if got.Len() > 0 {
					got.WriteString("----\n")
				}
				got.WriteString(script + "\n")
				w.describe(t, &got, script)
				cases++
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got.String() != string(want) {
				t.Errorf("it differs; run with -update and look at the difference. Now:\n%s", got.String())
			}
			if err := w.Start(t.Context()); err != nil {
				t.Errorf("a second Start: %v", err)
			}
		})
	}
	if cases < 60 {
		t.Errorf("only %d cases", cases)
	}
}

func (w *world) describe(t *testing.T, b *strings.Builder, script string) {
	out, err := w.run(t, script)
	if err != nil {
		e := types.AsError(err)
		fmt.Fprintf(b, "=> %s %d:%d", e.Code, e.Line, e.Column)
		if !slices.Contains(foreign, e.Code) {
			b.WriteString(" " + e.Message)
		}
		if e.Hint != "" {
			b.WriteString("\n   hint: " + e.Hint)
		}
		b.WriteString("\n")
		return
	}
	for _, r := range out.Results {
		fmt.Fprintln(b, strings.TrimRight("=> "+strings.Join([]string{r.Statement, r.Name, r.Status}, " "), " "))
		if r.Table == nil || r.Statement == "EXPLAIN" {
			continue
		}
		names := make([]string, len(r.Table.Columns))
		for i, c := range r.Table.Columns {
			names[i] = c.Name
		}
		b.WriteString("   " + strings.Join(names, " | ") + "\n")
		for _, row := range r.Table.Rows {
			cells := make([]string, len(row))
			for i, v := range row {
				switch v := v.(type) {
				case nil:
				case time.Time:
					cells[i] = "<time>"
				default:
					cells[i] = strings.ReplaceAll(fmt.Sprint(v), "\n", " ")
				}
			}
			b.WriteString(strings.TrimRight("   "+strings.Join(cells, " | "), " ") + "\n")
		}
	}
}
