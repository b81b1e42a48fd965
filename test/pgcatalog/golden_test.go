package pgcatalog

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// statement is one of a corpus. params are the values of $1, ... as text; nil is NULL.
type statement struct {
	label, sql string
	params     []*string
}

// read reads a corpus: "-- @ label" begins a statement, "-- $ [...]" has its parameters.
func read(t testing.TB, file string) []statement {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []statement
	for _, part := range strings.Split("\n"+string(b), "\n-- @ ")[1:] {
		label, sql, _ := strings.Cut(part, "\n")
		st := statement{label: label}
		if params, rest, ok := strings.Cut(sql, "\n"); ok && strings.HasPrefix(params, "-- $ ") {
			if err := json.Unmarshal([]byte(params[5:]), &st.params); err != nil {
				t.Fatal(label, err)
			}
			sql = rest
		}
		st.sql = strings.TrimSpace(sql)
		out = append(out, st)
	}
	return out
}

// maxShown is how many rows of an answer a golden file has; of a larger one it has the number.
const maxShown = 25

// TestCorpora runs what clients send, with {{name}} for the OID of a relation, and compares columns, types and rows with golden files.
func TestCorpora(t *testing.T) {
	c, s := open(t)
	oids := map[string]string{}
	for _, r := range ask(t, c, s, statement{sql: "SELECT relname, oid FROM pg_class WHERE relnamespace = 2200"}).rows {
		oids[r[0]] = r[1]
	}
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "bi.sql" {
			continue // about users' data
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
			var b strings.Builder
			for _, st := range read(t, file) {
				fill(&st, oids)
				fmt.Fprintf(&b, "-- @ %s\n%s", st.label, ask(t, c, s, st))
			}
			golden(t, strings.TrimSuffix(file, ".sql")+".golden", b.String())
		})
	}
}

var placeholder = regexp.MustCompile(`\{\{(\w+)\}\}`)

func fill(st *statement, oids map[string]string) {
	put := func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(m string) string { return oids[m[2:len(m)-2]] })
	}
	st.sql = put(st.sql)
	for i, p := range st.params {
		if p != nil {
			v := put(*p)
			st.params[i] = &v
		}
	}
}

// answer is a result as text.
type answer struct {
	columns []string
	rows    [][]string
	err     error
}

func (a answer) String() string {
	if a.err != nil {
		e := types.AsError(a.err)
		return fmt.Sprintf("error %s: %s\n\n", e.Code, e.Message)
	}
	var b strings.Builder
	b.WriteString(strings.Join(a.columns, "\t") + "\n")
	lines := make([]string, len(a.rows))
	for i, r := range a.rows {
		lines[i] = strings.ReplaceAll(strings.Join(r, "\t"), "\n", "\\n")
	}
	slices.Sort(lines)
	if len(lines) > maxShown {
		fmt.Fprintf(&b, "%d rows\n", len(lines))
		lines = lines[:maxShown]
	}
	for _, l := range lines {
		b.WriteString(strings.TrimRight(l, "\t") + "\n")
	}
	return b.String() + "\n"
}

// ask runs one statement. Every value must have a binary form too.
func ask(t *testing.T, c *pgcatalog.Catalog, s *pgcatalog.Session, st statement) answer {
	t.Helper()
	v, err := c.Intercept(t.Context(), s, st.sql, nil)
	if err != nil {
		return answer{err: err}
	}
	if v.Statement == nil {
		t.Errorf("%s: not about the catalog: %s", st.label, st.sql)
		return answer{}
	}
	params := make([]pgcatalog.Param, len(st.params))
	for i, p := range st.params {
		if p != nil {
			params[i] = pgcatalog.Param{Data: []byte(*p)}
		}
	}
	res, err := v.Statement.Run(t.Context(), s, params)
	if err != nil {
		return answer{err: err}
	}
	var a answer
	for _, col := range v.Statement.Columns() {
		a.columns = append(a.columns, fmt.Sprintf("%s:%d", col.Name, col.OID))
	}
	for i := range res.Len() {
		row := make([]string, len(a.columns))
		for j := range row {
			text, null, err := res.Append(nil, i, j, 0)
			if err != nil {
				t.Fatal(st.label, a.columns[j], err)
			}
			if _, _, err := res.Append(nil, i, j, 1); err != nil {
				t.Errorf("%s: %s in binary form: %v", st.label, a.columns[j], err)
			}
			row[j] = string(text)
			if null {
				row[j] = "NULL"
			}
		}
		a.rows = append(a.rows, row)
	}
	return a
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err, "; go test -update writes it")
	}
	if got != string(want) {
		w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n")
		for i := range min(len(w), len(g)) {
			if w[i] != g[i] {
				t.Fatalf("%s line %d:\n got %s\nwant %s", file, i+1, g[i], w[i])
			}
		}
		t.Fatalf("%s: %d lines, want %d", file, len(g), len(w))
	}
}
