package statetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"leat/internal/state"
)

// pair is one row.
type pair struct{ key, value string }

// rows is the model of a table: pairs in key order.
type rows []pair

func (m rows) at(key string) (int, bool) {
	return slices.BinarySearchFunc(m, key, func(p pair, k string) int { return cmp.Compare(p.key, k) })
}

func (m rows) get(key string) (string, bool) {
	if i, ok := m.at(key); ok {
		return m[i].value, true
	}
	return "", false
}

// between returns the rows of a scan; a nil upper is without end.
func (m rows) between(lower, upper []byte) rows {
	from, _ := m.at(string(lower))
	to := len(m)
	if upper != nil {
		to, _ = m.at(string(upper))
	}
	return m[from:max(from, to)]
}

func (m rows) put(key, value string) rows {
	i, ok := m.at(key)
	if ok {
		m[i].value = value
		return m
	}
	return slices.Insert(m, i, pair{key, value})
}

func (m rows) deleteRange(lower, upper []byte) rows {
	gone := m.between(lower, upper)
	if len(gone) == 0 {
		return m
	}
	from, _ := m.at(gone[0].key)
	return slices.Delete(m, from, from+len(gone))
}

func (m rows) add(key string, delta int64) rows {
	old, _ := m.get(key)
	w := delta + state.WeightOf([]byte(old))
	if w == 0 {
		return m.deleteRange([]byte(key), append([]byte(key), 0))
	}
	return m.put(key, string(state.AppendWeight(nil, w)))
}

// collect reads a scan to its end.
func collect(r state.Reader, lower, upper []byte) rows {
	var got rows
	for it := r.Scan(lower, upper); it.Next(); {
		got = append(got, pair{string(it.Key()), string(it.Value())})
	}
	return got
}

// collectDown reads a scan down to its end, and gives its rows in key order.
func collectDown(s state.Snapshot, lower, upper []byte) rows {
	var got rows
	for it := s.ScanDown(lower, upper); it.Next(); {
		got = append(got, pair{string(it.Key()), string(it.Value())})
	}
	slices.Reverse(got)
	return got
}

// short prints what may be long.
func short(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%q...%d bytes", s[:40], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// same fails where got is not want.
func same(t *testing.T, what string, got, want rows) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%s: %d rows, want %d; the first missing is %s = %s", what, len(got), len(want), short(want[i].key), short(want[i].value))
		case i >= len(want):
			t.Fatalf("%s: %d rows, want %d; the first too many is %s = %s", what, len(got), len(want), short(got[i].key), short(got[i].value))
		case got[i] != want[i]:
			t.Fatalf("%s: row %d is %s = %s, want %s = %s", what, i, short(got[i].key), short(got[i].value), short(want[i].key), short(want[i].value))
		}
	}
}
