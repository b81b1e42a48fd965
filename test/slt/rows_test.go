package slt

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"leat/test/sqltest"
)

// lines are the rows of a text, sorted unless their order counts.
func lines(text string, ordered bool) []string {
	out := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if !ordered {
		slices.Sort(out)
	}
	return out
}

// canonical writes rows so that equal values are equal text: the batch may have -0 where the engine has 0.
func canonical(t *testing.T, rows []string, ordered bool) []string {
	var out []string
	for _, row := range rows {
		one, err := sqltest.ReadRows(row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, one...)
	}
	if !ordered {
		slices.Sort(out)
	}
	return out
}

// added sums changes up: what `leat run --changes` prints, with the weight first.
func added(text string) ([]string, error) {
	weights := map[string]int{}
	for line := range strings.Lines(text) {
		var w struct {
			Weight int `json:"_weight"`
		}
		if err := json.Unmarshal([]byte(line), &w); err != nil {
			return nil, err
		}
		_, row, _ := strings.Cut(strings.TrimSpace(line), ",")
		weights["{"+row] += w.Weight
	}
	out := []string{}
	for row, n := range weights {
		if n < 0 {
			out = append(out, "negative: "+row)
		}
		for range n {
			out = append(out, row)
		}
	}
	slices.Sort(out)
	return out, nil
}
