package codec

import (
	"bytes"
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"leat/internal/types"
)

// TestParquetRoundTrip writes decoded rows to a Parquet file, reads them back as lines and decodes them again.
func TestParquetRoundTrip(t *testing.T) {
	s := schemaOf(t, `i BIGINT, d DOUBLE, m DECIMAL(10,2), v VARCHAR, x BLOB, dt DATE, tm TIME, ts TIMESTAMP, tz TIMESTAMPTZ, l BIGINT[], st STRUCT(a INTEGER)`)
	want := decode(t, s, Options{}, NDJSON, `{"i":9223372036854775807,"d":"NaN","m":"1.50","v":"é\"","x":"aGk=","dt":"2026-01-02","tm":"01:02:03.5","ts":"2026-01-02 03:04:05.678901",
		"tz":"2026-01-02T03:04:05Z","l":[1,null],"st":{"a":1}} {"i":-1,"d":-0.5}`)
	if len(want.Rejects) > 0 {
		t.Fatal(want.Rejects[0].Err)
	}
	var file bytes.Buffer
	rec := array.NewRecordBatch(arrow.NewSchema(s.Arrow().Fields(), nil), want.Batch.Columns, int64(want.Batch.Rows))
	if err := pqarrow.WriteTable(array.NewTableFromRecords(rec.Schema(), []arrow.RecordBatch{rec}), &file, 1024, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps()); err != nil {
		t.Fatal(err)
	}
	got, err := ParquetSchema(bytes.NewReader(file.Bytes()))
	if err != nil || got.String() != s.String() {
		t.Fatalf("got %s, want %s, %v", got, s, err)
	}
	rows := 0
	err = ParquetLines(context.Background(), bytes.NewReader(file.Bytes()), func(lines []byte) error {
		d := decode(t, got, Options{}, NDJSON, string(lines))
		if len(d.Rejects) > 0 {
			t.Fatalf("%s: %v", lines, d.Rejects[0].Err)
		}
		for i := range d.Batch.Rows {
			if a, b := row(d.Batch, i), row(want.Batch, rows); a != b {
				t.Errorf("got %s, want %s", a, b)
			}
			rows++
		}
		return nil
	})
	if err != nil || rows != 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if _, err := ParquetSchema(bytes.NewReader([]byte("PAR1 is no more"))); !types.HasCode(err, types.InvalidArgument) {
		t.Errorf("got %v", err)
	}
}
