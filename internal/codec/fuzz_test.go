package codec

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/codec/jsonscan"
)

// FuzzJSON compares with encoding/json: a text is a value to both or to neither, but for what jsonscan is stricter in, and
// an accepted record has the same values.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"s":"a\u00e9\n","n":1,"j":{"x":[1,2.5e3,null,true]}}`, `{"s":"\ud83d\ude00"}`, `{"n":-0}`, `{"n":1e2}`, `[1,{"a":[]}]`,
		`{"s":"\ud800"}`, "{\"s\":\"\xff\"}", `{"n":01}`, `{"s":`, `{"s":"x","s":"y"}`, `{"j": 1e400 }`, "{\n\"n\" :\t1 }",
	} {
		f.Add([]byte(s))
	}
	d := NewDecoder(schemaOf(f, "s VARCHAR, n BIGINT, j JSON, l BIGINT[]"), Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		start := jsonscan.Space(b, 0)
		end, err := jsonscan.Skip(b, start)
		whole := err == jsonscan.OK && jsonscan.Space(b, end) == len(b)
		if whole && !json.Valid(b) {
			t.Fatalf("%q is accepted, but not by encoding/json", b)
		}
		if !whole && json.Valid(b) && (err < jsonscan.BadUTF8 || err == jsonscan.Control) {
			t.Fatalf("%q is refused: %s", b, err)
		}
		out, fault := d.Decode(b, NDJSON)
		if fault != nil {
			t.Fatal(fault)
		}
		for _, f := range []Format{JSONArray, CSV} {
			if _, err := d.Decode(b, f); err != nil && f != CSV {
				t.Fatal(err)
			}
		}
		if whole && out.Batch.Rows == 1 && len(out.Rejects) == 0 {
			sameValues(t, b, out)
		}
	})
}

func sameValues(t *testing.T, b []byte, out *Decoded) {
	var want struct {
		S any
		N any
		J json.RawMessage
	}
	var keys map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatalf("%q is accepted: %v", b, err)
	}
	for key := range keys {
		// encoding/json matches keys without case, we don't.
		if lower := strings.ToLower(key); lower != key {
			return
		}
	}
	if err := dec.Decode(&want); err != nil {
		t.Fatalf("%q is accepted: %v", b, err)
	}
	s := out.Batch.Columns[0].(*array.String)
	if text, ok := want.S.(string); ok && s.Value(0) != text {
		t.Fatalf("%q: got %q", b, s.Value(0))
	}
	n := out.Batch.Columns[1].(*array.Int64)
	if num, ok := want.N.(json.Number); ok {
		if v, err := num.Int64(); err == nil && v != n.Value(0) {
			t.Fatalf("%q: got %d", b, n.Value(0))
		}
	}
	var compact bytes.Buffer
	if j := out.Batch.Columns[2].(*array.String); want.J != nil && string(want.J) != "null" {
		if err := json.Compact(&compact, want.J); err != nil || compact.String() != j.Value(0) {
			t.Fatalf("%q: got %q, want %q", b, j.Value(0), compact.String())
		}
	}
}

// FuzzCSV compares with encoding/csv: what it splits into lines of as many fields as the header, we split into the same.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a,b\r\n\"x\"\"y\",\"1\n2\"\r\n", "a\n\"", "a,b\n1\n2,3\n", "a,b\n\"x\"y,1\n", "\n\na,b\n,\"\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := NewDecoder(schemaOf(t, "a VARCHAR, b BIGINT"), Options{}).Decode(b, CSV); err != nil && len(b) == 0 {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("\r")) {
			return // encoding/csv drops carriage returns inside fields, we keep them
		}
		want := csv.NewReader(bytes.NewReader(b))
		want.FieldsPerRecord = -1
		got := &csvReader{b: b}
		for {
			fields, err := want.Read()
			fault, more := got.next()
			if err == io.EOF && more || err == nil && (!more || fault != "") {
				t.Fatalf("%q: fault %q, more %v; encoding/csv: %q, %v", b, fault, more, fields, err)
			}
			if err != nil {
				return
			}
			if len(fields) != len(got.fields) {
				t.Fatalf("%q: %d fields, want %q", b, len(got.fields), fields)
			}
			for i, text := range fields {
				if string(got.fields[i].text) != text {
					t.Fatalf("%q: got %q, want %q", b, got.fields[i].text, text)
				}
			}
		}
	})
}
