package flink

import (
	"os"
	"testing"

	"leat/bench/nexmark"
)

func TestEachQueryIsThereInBothDialects(t *testing.T) {
	for _, q := range nexmark.Queries() {
		if _, err := queries.ReadFile("queries/" + q.Name + ".sql"); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat("../nexmark/queries/" + q.Name + ".sql"); err != nil {
			t.Error(err)
		}
		if q.Events(1_000_000) == 0 {
			t.Errorf("%s reads nothing", q.Name)
		}
	}
}

func TestCause(t *testing.T) {
	trace := "a: x\n\tat one\nCaused by: b: y\n\tat two\nCaused by: c: z\n\tat three\n"
	if got := cause(trace); got != "Caused by: c: z" {
		t.Errorf("cause is %q", got)
	}
	if got := cause("plain"); got != "plain" {
		t.Errorf("cause is %q", got)
	}
}
