package codec

import (
	"fmt"
	"testing"
)

// TestColumns checks that columns not asked for are NULL, of every type, and that only their syntax matters.
func TestColumns(t *testing.T) {
	s := schemaOf(t, `a BIGINT, b BOOLEAN, c VARCHAR, d DECIMAL(9,2), e UUID, f INTERVAL, g STRUCT(x INTEGER, y VARCHAR[]), h MAP(VARCHAR, DOUBLE),
		i BIGINT[], j JSON, k TIMESTAMP, l BLOB, m TINYINT`)
	s.Columns[1].NotNull = true
	s.Columns[12].Path = []string{"g", "m"} // its path leads through g
	body := `{"a":1,"b":"no boolean","c":"x","m":300}
{"a":2,"c":7,"g":[1],"d":{"deep":[1,{}]}}
{"c":"only","new":1,"a":3}
{"a":4,"e":"x","e":"y"}
{"a":5,"j":tru}
{"a":"six"}
{"a":7,"g":{"m":1,"x":"y"},"k":"` + "\x01" + `"}
{"a":8,"g":null}
`
	want := decode(t, schemaOf(t, "a BIGINT"), Options{Columns: []int{0}}, NDJSON, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"a\":8}")
	got := decode(t, s, Options{Columns: []int{0}}, NDJSON, body)
	if got.Batch.Rows != want.Batch.Rows || len(got.Rejects) != 4 || len(got.Unknown) != 3 {
		t.Fatalf("%d rows, %d rejects, %d to learn from", got.Batch.Rows, len(got.Rejects), len(got.Unknown))
	}
	for i, c := range got.Batch.Columns {
		if typ := s.Columns[i].Type; c.DataType().ID() != typ.Arrow().ID() || i > 0 && c.NullN() != c.Len() {
			t.Errorf("column of type %s is %s with %d NULLs", typ, c.DataType(), c.NullN())
		}
		for row := range got.Batch.Rows {
			if i == 0 && text(c, row) != text(want.Batch.Columns[0], row) {
				t.Errorf("row %d is %s", row, text(c, row))
			}
		}
	}
	for i, r := range got.Rejects {
		if want := []int{3, 4, 5, 6}[i]; r.Record != want {
			t.Errorf("record %d is rejected, want %d: %v", r.Record, want, r.Err)
		}
	}
	if d := decode(t, s, Options{Columns: []int{2, 10}}, CSV, "a,C,k,z\nx,y,2026-01-01,1\n1,,,\n"); d.Batch.Rows != 2 || len(d.Rejects) != 0 ||
		row(d.Batch, 0) != `null null "y" null null null null null null null "2026-01-01T00:00:00" null null` || string(d.Unknown[0]) == "" {
		t.Errorf("CSV: %s %v %q", row(d.Batch, 0), d.Rejects, d.Unknown)
	}
	if d := decode(t, s, Options{Columns: []int{}}, NDJSON, body); d.Batch.Rows != 5 {
		t.Errorf("%d rows without columns", d.Batch.Rows)
	}
}

// TestColumnsOfTable checks that operations and keys work where only some columns are read.
func TestColumnsOfTable(t *testing.T) {
	s := schemaOf(t, "v VARCHAR, id BIGINT, w BIGINT")
	opt := Options{Key: []int32{s.Columns[1].ID}, Columns: []int{1, 2}}
	d := decode(t, s, opt, NDJSON, `{"id":1,"v":1,"w":2} {"id":1,"_op":"d","w":3} {"v":"x"}`)
	if got := fmt.Sprint(row(d.Batch, 0), "; ", row(d.Batch, 1), d.Batch.Weights, len(d.Rejects)); got != "null 1 2; null 1 null[1 -1] 1" {
		t.Error(got)
	}
}
