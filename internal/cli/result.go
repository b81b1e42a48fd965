package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"

	"leat/internal/types"
)

// result is a query's answer in the json format, in the order of its columns.
type result struct {
	names, kinds []string
	rows         [][]string
	nulls        [][]bool
	truncated    bool
	elapsed      float64
	// done is what the statements did, where there is no result.
	done []outcome
}

// outcome is what one statement did.
type outcome struct {
	Statement, Name, Status string
	Rows                    int64
}

// String prints CREATE TABLE t: created, INSERT t: 2 rows.
func (o outcome) String() string {
	s := strings.TrimSpace(o.Statement + " " + o.Name)
	if o.Status != "" {
		return s + ": " + o.Status
	}
	return s + ": " + rowCount(o.Rows)
}

// readResult reads the json format. Rows are read key by key, because two columns may have one name.
func readResult(r io.Reader) (*result, error) {
	var doc struct {
		Meta       []struct{ Name, Type string }
		Data       []rowJSON
		Truncated  bool
		Statements []outcome
		Statistics struct {
			Elapsed float64 `json:"elapsed"`
		}
	}
	if err := json.NewDecoder(r).Decode(&doc); err != nil {
		return nil, types.Errorf(types.Unavailable, "the answer is cut: %w", err)
	}
	out := &result{truncated: doc.Truncated, elapsed: doc.Statistics.Elapsed, done: doc.Statements}
	for _, m := range doc.Meta {
		out.names, out.kinds = append(out.names, m.Name), append(out.kinds, m.Type)
	}
	for _, row := range doc.Data {
		out.rows, out.nulls = append(out.rows, row.values), append(out.nulls, row.nulls)
	}
	return out, nil
}

// rowJSON is one object's values in the order in which they are written.
type rowJSON struct {
	values []string
	nulls  []bool
}

// UnmarshalJSON reads an object; strings lose their quotes, all else stays JSON text.
func (r *rowJSON) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		if _, err := dec.Token(); err != nil {
			return err
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return err
		}
		text, null := string(raw), string(raw) == "null"
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
		}
		r.values, r.nulls = append(r.values, text), append(r.nulls, null)
	}
	return nil
}

// maxCell is how many characters of a value a table shows; one with a single column, such as a plan, shows more.
const (
	maxCell     = 60
	maxOnlyCell = 1000
)

// print draws the result as a table: numbers to the right, NULL for nothing, control characters escaped.
func (r *result) print(w io.Writer) {
	for _, d := range r.done {
		fmt.Fprintln(w, d)
	}
	if len(r.names) == 0 {
		return
	}
	width := make([]int, len(r.names))
	cells := make([][]string, 0, len(r.rows)+1)
	cells = append(cells, r.names)
	for i, row := range r.rows {
		line := make([]string, len(row))
		for j, v := range row {
			line[j] = v
			if r.nulls[i][j] {
				line[j] = "NULL"
			}
		}
		cells = append(cells, line)
	}
	limit := maxCell
	if len(r.names) == 1 {
		limit = maxOnlyCell
	}
	for _, row := range cells {
		for j := range row {
			row[j] = cell(row[j], limit)
			width[j] = max(width[j], runewidth.StringWidth(row[j]))
		}
	}
	for i, row := range cells {
		var b strings.Builder
		for j, v := range row {
			b.WriteByte(' ')
			pad := strings.Repeat(" ", width[j]-runewidth.StringWidth(v))
			switch {
			case i > 0 && numeric(r.kinds[j]):
				b.WriteString(pad + v)
			default:
				b.WriteString(v + pad)
			}
			b.WriteByte(' ')
			if j < len(row)-1 {
				b.WriteString("│")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
		if i == 0 {
			fmt.Fprintln(w, rule(width))
		}
	}
}

func rule(width []int) string {
	parts := make([]string, len(width))
	for i, n := range width {
		parts[i] = strings.Repeat("─", n+2)
	}
	return strings.Join(parts, "┼")
}

// cell makes a value safe and short enough for one line of a terminal.
func cell(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return '�'
		}
		return r
	}, s)
	return runewidth.Truncate(s, limit, "…")
}

func numeric(kind string) bool {
	t, err := types.ParseType(kind)
	return err == nil && t.Kind.IsNumeric()
}

// summary is the line below a table; there is none below what statements did.
func (r *result) summary() string {
	if len(r.names) == 0 {
		return ""
	}
	s := rowCount(int64(len(r.rows)))
	if r.truncated {
		s = "the first " + s + " of more: see --limit"
	}
	return fmt.Sprintf("(%s, %.1f ms)\n", s, r.elapsed*1000)
}

func rowCount(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return humanCount(n) + " rows"
}
