package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"leat/test/harness"
)

func operations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "guides", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The flags of `leat start` are the fields of app.Config: the guide has each with its default.
func TestTheGuideListsEverySetting(t *testing.T) {
	help, _, code := harness.Run(t, "", nil, t.TempDir(), "start", "--help")
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	zero := map[string]string{"int": "0", "size": "0", "": "false"}
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +--([a-z-]+) ?(\w*) {2,}(.*?)(?: \(default "?(.*?)"?\))?$`).FindAllStringSubmatch(help, -1) {
		name, kind, about, def := m[1], m[2], m[3], m[4]
		if name == "config" {
			continue
		}
		if def == "" {
			def = zero[kind]
		}
		if def != "" {
			def = "`" + def + "`"
		}
		want[fmt.Sprintf("| `%s` | %s | %s |", name, def, about)] = true
	}
	if len(want) < 15 {
		t.Fatalf("found only %d flags in\n%s", len(want), help)
	}
	got := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `[a-z-]+` \\| .*\\|$").FindAllString(section(t, "## Configuration", "## Start"), -1) {
		got[row] = true
	}
	same(t, got, want)
}

// The guide has each metric of ours with its help text.
func TestTheGuideListsEveryMetric(t *testing.T) {
	s := harness.Start(t, "")
	s.Send("e", `{"a":1}`)
	// A metric by reason is there once it has counted one: a dead letter, a refusal.
	s.Send("e", `{"a":"x"}`)
	s.Post("/v1/events/e?strict=true", "", `{"a":"x"}`)
	s.SQL("SELECT count(*) FROM e")
	s.SQL("CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM e GROUP BY a")
	_, text := s.Get("/metrics")
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# HELP (leat_\w+) (.*)$`).FindAllStringSubmatch(text, -1) {
		want[fmt.Sprintf("| `%s` | %s |", m[1], m[2])] = true
	}
	got := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `leat_\\w+` \\| .*\\|$").FindAllString(operations(t), -1) {
		got[row] = true
	}
	same(t, got, want)
}

// section cuts the guide from one heading to another.
func section(t *testing.T, from, to string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)` + from + `(.*?)` + to).FindStringSubmatch(operations(t))
	if m == nil {
		t.Fatalf("the guide has no section %q", from)
	}
	return m[1]
}

func same(t *testing.T, got, want map[string]bool) {
	t.Helper()
	for _, row := range slices.Sorted(maps.Keys(want)) {
		if !got[row] {
			t.Errorf("the guide lacks this row:\n%s", row)
		}
	}
	for _, row := range slices.Sorted(maps.Keys(got)) {
		if !want[row] {
			t.Errorf("the guide has a row that isn't so:\n%s", row)
		}
	}
}
