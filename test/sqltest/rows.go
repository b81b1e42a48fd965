package sqltest

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// ReadRows reads NDJSON into rows of canonical values, sorted.
func ReadRows(text string) ([]string, error) {
	rows := []string{}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for d.More() {
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			return nil, fmt.Errorf("a row is no JSON: %w", err)
		}
		var parts []string
		for name, v := range row {
			parts = append(parts, name+"="+canonical(v))
		}
		slices.Sort(parts)
		rows = append(rows, strings.Join(parts, " "))
	}
	slices.Sort(rows)
	return rows, nil
}

var (
	numeric  = regexp.MustCompile(`^-?\d+(\.\d+)?([eE][-+]?\d+)?$`)
	spaced   = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}) (\d{2}:)`)
	fraction = regexp.MustCompile(`(\d{2}:\d{2}:\d{2})\.(\d+)(Z?)$`)
)

// canonical prints a value so that texts of one value are equal: 1.50 and "1.5", 10:00:00.100000 and 10:00:00.1.
func canonical(v any) string {
	s := fmt.Sprint(v)
	if n, ok := v.(json.Number); ok {
		s = n.String()
	}
	if numeric.MatchString(s) {
		if r, ok := new(big.Rat).SetString(s); ok {
			f, _ := r.Float64()
			if r.IsInt() {
				return r.Num().String()
			}
			return fmt.Sprintf("%.11g", f)
		}
	}
	s = spaced.ReplaceAllString(s, "${1}T$2")
	if m := fraction.FindStringSubmatchIndex(s); m != nil {
		digits := strings.TrimRight(s[m[4]:m[5]], "0")
		if digits != "" {
			digits = "." + digits
		}
		return s[:m[4]-1] + digits + s[m[6]:m[7]]
	}
	if list, ok := v.([]any); ok {
		b, _ := json.Marshal(list)
		return string(b)
	}
	return s
}

// DiffRows says which rows are only in one of two sorted lists.
func DiffRows(want, got []string) string {
	var out []string
	i, j := 0, 0
	for i < len(want) || j < len(got) {
		switch {
		case j == len(got) || i < len(want) && want[i] < got[j]:
			out = append(out, "- "+want[i])
			i++
		case i == len(want) || want[i] > got[j]:
			out = append(out, "+ "+got[j])
			j++
		default:
			i, j = i+1, j+1
		}
	}
	if len(out) > 12 {
		out = append(out[:12], fmt.Sprintf("and %d more", len(out)-12))
	}
	return strings.Join(out, "\n")
}
