package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// debezium writes change events as records of a table.
func debezium(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	for d.More() {
		var e struct {
			Before, After map[string]any
			Op            string
		}
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		row := e.After
		if e.Op == "d" {
			row = e.Before
			row["_op"] = "d"
		}
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(b, '\n'))
	}
	file := filepath.Join(t.TempDir(), "table.ndjson")
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
