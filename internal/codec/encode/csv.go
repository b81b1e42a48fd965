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

// dialect is a form of text with one line a row.
type dialect struct {
	separator    byte
	end, null    string
	appendString func(b []byte, s string) []byte
}

var (
	commas = dialect{',', "\r\n", "", appendCSV}
	tabs   = dialect{'\t', "\n", `\N`, appendTSV}
)

// writeCSV writes RFC 4180 with a header. NULL is empty, an empty string is ""; nested values are JSON in quotes.
func writeCSV(ctx context.Context, w io.Writer, rows Rows) error { return commas.write(ctx, w, rows) }

// writeTSV writes what PostgreSQL's COPY and ClickHouse call text, with a header: tabs, line ends and backslashes in values are \t, \n, \r and \\,
// NULL is \N.
func writeTSV(ctx context.Context, w io.Writer, rows Rows) error { return tabs.write(ctx, w, rows) }

func (d *dialect) write(ctx context.Context, w io.Writer, rows Rows) error {
	b := make([]byte, 0, firstBuffer)
	columns := rows.Columns()
	for i, c := range columns {
		if i > 0 {
			b = append(b, d.separator)
		}
		b = d.appendString(b, c.Name)
	}
	b = append(b, d.end...)
	for {
		rec, err := rows.Next(ctx)
		if err != nil {
			return err
		}
		if rec == nil {
			_, err := w.Write(b)
			return err
		}
		if b, err = d.record(w, b, rec, columns); err != nil {
			return err
		}
		if b, err = flush(w, rows, b); err != nil {
			return err
		}
	}
}

func (d *dialect) record(w io.Writer, b []byte, rec arrow.RecordBatch, columns []types.Column) ([]byte, error) {
	cells := make([]appender, len(columns))
	for i, c := range columns {
		cells[i] = textColumn(rec.Column(i), c.Type, d.appendString)
	}
	for row := range int(rec.NumRows()) {
		for i, cell := range cells {
			if i > 0 {
				b = append(b, d.separator)
			}
			if rec.Column(i).IsValid(row) {
				b = cell(b, row)
			} else {
				b = append(b, d.null...)
			}
		}
		if b = append(b, d.end...); len(b) >= flushAt {
			if _, err := w.Write(b); err != nil {
				return b, err
			}
			b = b[:0]
		}
	}
	return b, nil
}

// textColumn makes the text of one column's values that are not NULL; escaped writes what may need an escape.
func textColumn(a arrow.Array, t types.Type, escaped func(b []byte, s string) []byte) appender {
	switch a := a.(type) {
	case array.StringLike:
		return func(b []byte, i int) []byte { return escaped(b, a.Value(i)) }
	case *array.Dictionary:
		inner := textColumn(a.Dictionary(), t, escaped)
		return func(b []byte, i int) []byte { return inner(b, a.GetValueIndex(i)) }
	}
	if text, _, ok := scalar(a, t); ok {
		return text
	}
	nested := jsonColumn(a, t, Options{})
	return func(b []byte, i int) []byte { return escaped(b, string(nested(nil, i))) }
}

// appendTSV escapes what would end the field or the line, and the backslash.
func appendTSV(b []byte, s string) []byte {
	for {
		i := strings.IndexAny(s, "\t\n\r\\")
		if i < 0 {
			return append(b, s...)
		}
		c := s[i]
		switch c {
		case '\t':
			c = 't'
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		}
		b = append(append(b, s[:i]...), '\\', c)
		s = s[i+1:]
	}
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
