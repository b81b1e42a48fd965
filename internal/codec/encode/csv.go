package encode

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// writeCSV writes RFC 4180 with a header. NULL is empty, an empty string is ""; nested values are JSON in quotes.
func writeCSV(ctx context.Context, w io.Writer, rows Rows) error {
	b := make([]byte, 0, flushAt+4096)
	columns := rows.Columns()
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCSV(b, c.Name)
	}
	b = append(b, '\r', '\n')
	for {
		rec, err := rows.Next(ctx)
		if err != nil {
			return err
		}
		if rec == nil {
			_, err := w.Write(b)
			return err
		}
		if b, err = csvRecord(w, b, rec, columns); err != nil {
			return err
		}
		if b, err = flush(w, rows, b); err != nil {
			return err
		}
	}
}

func csvRecord(w io.Writer, b []byte, rec arrow.RecordBatch, columns []types.Column) ([]byte, error) {
	cells := make([]appender, len(columns))
	for i, c := range columns {
		cells[i] = csvColumn(rec.Column(i), c.Type)
	}
	for row := range int(rec.NumRows()) {
		for i, cell := range cells {
			if i > 0 {
				b = append(b, ',')
			}
			if rec.Column(i).IsValid(row) {
				b = cell(b, row)
			}
		}
		if b = append(b, '\r', '\n'); len(b) >= flushAt {
			if _, err := w.Write(b); err != nil {
				return b, err
			}
			b = b[:0]
		}
	}
	return b, nil
}

func csvColumn(a arrow.Array, t types.Type) appender {
	switch a := a.(type) {
	case array.StringLike:
		return func(b []byte, i int) []byte { return appendCSV(b, a.Value(i)) }
	case *array.Dictionary:
		inner := csvColumn(a.Dictionary(), t)
		return func(b []byte, i int) []byte { return inner(b, a.GetValueIndex(i)) }
	}
	if text, _, ok := scalar(a, t); ok {
		return text
	}
	nested := jsonColumn(a, t, Options{})
	return func(b []byte, i int) []byte { return appendCSV(b, string(nested(nil, i))) }
}

// appendCSV quotes where RFC 4180 needs it, and the empty string, which differs from NULL.
func appendCSV(b []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(b, s...)
	}
	b = append(b, '"')
	b = append(b, bytes.ReplaceAll([]byte(s), []byte{'"'}, []byte{'"', '"'})...)
	return append(b, '"')
}
