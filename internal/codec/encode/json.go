package encode

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// jsonColumn makes the JSON of one column's values, NULL included.
func jsonColumn(a arrow.Array, t types.Type, o Options) appender {
	value := jsonValue(a, t, o)
	if a.NullN() == 0 && a.DataType().ID() != arrow.NULL {
		return value
	}
	return func(b []byte, i int) []byte {
		if a.IsNull(i) {
			return append(b, "null"...)
		}
		return value(b, i)
	}
}

func jsonValue(a arrow.Array, t types.Type, o Options) appender {
	switch a := a.(type) {
	case *array.Float64:
		return jsonFloat(func(i int) float64 { return a.Value(i) }, 64)
	case *array.Float32:
		return jsonFloat(func(i int) float64 { return float64(a.Value(i)) }, 32)
	case array.StringLike:
		if t.Kind == types.JSON {
			return func(b []byte, i int) []byte { return appendRaw(b, a.Value(i)) }
		}
		return func(b []byte, i int) []byte { return appendString(b, a.Value(i)) }
	case *array.Dictionary:
		inner := jsonColumn(a.Dictionary(), t, o)
		return func(b []byte, i int) []byte { return inner(b, a.GetValueIndex(i)) }
	}
	if text, quote, ok := scalar(a, t); ok {
		if o.ClickHouse && a.DataType().ID() == arrow.TIMESTAMP {
			text = clickHouseTime(text)
		}
		id := a.DataType().ID()
		if quote || o.Int64AsString && (id == arrow.INT64 || id == arrow.UINT64) {
			return func(b []byte, i int) []byte { return append(text(append(b, '"'), i), '"') }
		}
		return text
	}
	return jsonNested(a, t, o)
}

func jsonFloat(at func(int) float64, bits int) appender {
	return func(b []byte, i int) []byte {
		f := at(i)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(appendFloat(append(b, '"'), f, bits), '"')
		}
		return appendFloat(b, f, bits)
	}
}

func jsonNested(a arrow.Array, t types.Type, o Options) appender {
	switch a := a.(type) {
	case *array.Map:
		return jsonMap(a, t, o)
	case array.ListLike:
		inner := jsonColumn(a.ListValues(), member(t.Elem), o)
		return func(b []byte, i int) []byte {
			from, to := a.ValueOffsets(i)
			b = append(b, '[')
			for j := from; j < to; j++ {
				if j > from {
					b = append(b, ',')
				}
				b = inner(b, int(j))
			}
			return append(b, ']')
		}
	case *array.Struct:
		return jsonStruct(a, t, o)
	}
	return func(b []byte, i int) []byte { return appendString(b, a.ValueStr(i)) }
}

func member(t *types.Type) types.Type {
	if t == nil {
		return types.Type{}
	}
	return *t
}

func jsonStruct(a *array.Struct, t types.Type, o Options) appender {
	fields := a.DataType().(*arrow.StructType).Fields()
	keys, values := make([][]byte, len(fields)), make([]appender, len(fields))
	for i, f := range fields {
		var ft types.Type
		if i < len(t.Fields) {
			ft = t.Fields[i].Type
		}
		separator := []byte{','}
		if i == 0 {
			separator = []byte{'{'}
		}
		keys[i] = append(appendString(separator, f.Name), ':')
		values[i] = jsonColumn(a.Field(i), ft, o)
	}
	if len(fields) == 0 {
		return func(b []byte, _ int) []byte { return append(b, "{}"...) }
	}
	return func(b []byte, i int) []byte {
		for j, key := range keys {
			b = values[j](append(b, key...), i)
		}
		return append(b, '}')
	}
}

func jsonMap(a *array.Map, t types.Type, o Options) appender {
	key, value := jsonColumn(a.Keys(), member(t.Key), o), jsonColumn(a.Items(), member(t.Elem), o)
	open, before, between, after, end := byte('['), `{"key":`, `,"value":`, "}", byte(']')
	if a.Keys().DataType().ID() == arrow.STRING && member(t.Key).Kind != types.JSON {
		open, before, between, after, end = '{', "", ":", "", '}'
	}
	return func(b []byte, i int) []byte {
		from, to := a.ValueOffsets(i)
		b = append(b, open)
		for j := from; j < to; j++ {
			if j > from {
				b = append(b, ',')
			}
			b = append(key(append(b, before...), int(j)), between...)
			b = append(value(b, int(j)), after...)
		}
		return append(b, end)
	}
}

// appendRaw embeds a JSON value; text that is none (a stored value is always valid) becomes a string rather than break the answer.
func appendRaw(b []byte, s string) []byte {
	if !json.Valid([]byte(s)) {
		return appendString(b, s)
	}
	for i := range len(s) {
		if c := s[i]; c == '\n' || c == '\r' { // only between tokens; NDJSON needs one line
			c = ' '
			b = append(b, c)
			continue
		}
		b = append(b, s[i])
	}
	return b
}

const hexDigits = "0123456789abcdef"

// appendString quotes s. Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := plain(s); i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// flushAt is how many bytes are gathered before a write; the buffer for them begins with firstBuffer, since most answers are small.
const (
	flushAt     = 64 << 10
	firstBuffer = 2 << 10
)

// recordBytes is what the values of a record take in memory.
func recordBytes(rec arrow.RecordBatch) int64 {
	n := uint64(0)
	for i := range int(rec.NumCols()) {
		n += rec.Column(i).Data().SizeInBytes()
	}
	return int64(n)
}

// jsonRecords writes every row as an object, before each but the first the separator, after each the end.
func jsonRecords(ctx context.Context, w io.Writer, rows Rows, o Options, b []byte, separator, end string) ([]byte, read, error) {
	columns := rows.Columns()
	keys, values := jsonKeys(columns), make([]appender, len(columns))
	var count read
	for {
		rec, err := rows.Next(ctx)
		if err != nil || rec == nil {
			return b, count, err
		}
		count.bytes += recordBytes(rec)
		for j, c := range columns {
			values[j] = jsonColumn(rec.Column(j), c.Type, o)
		}
		for i := range int(rec.NumRows()) {
			if count.rows > 0 {
				b = append(b, separator...)
			}
			b = append(appendRow(b, keys, values, i), end...)
			count.rows++
			if len(b) >= flushAt {
				if _, err := w.Write(b); err != nil {
					return b, count, err
				}
				b = b[:0]
			}
		}
		if b, err = flush(w, rows, b); err != nil {
			return b, count, err
		}
	}
}

// jsonKeys are what comes before each value of a row.
func jsonKeys(columns []types.Column) []string {
	keys := make([]string, len(columns))
	var b []byte
	for i, c := range columns {
		b = append(b[:0], "{,"[min(i, 1)])
		keys[i] = string(append(appendString(b, c.Name), ':'))
	}
	return keys
}

// appendRow appends a row as an object.
func appendRow(b []byte, keys []string, values []appender, row int) []byte {
	if len(keys) == 0 {
		return append(b, "{}"...)
	}
	for j, key := range keys {
		b = values[j](append(b, key...), row)
	}
	return append(b, '}')
}

// flush writes what was gathered where there is nothing more to gather yet.
func flush(w io.Writer, rows Rows, b []byte) ([]byte, error) {
	if f, ok := rows.(Follower); !ok || !f.Idle() {
		return b, nil
	}
	_, err := w.Write(b)
	return b[:0], err
}

func writeNDJSON(ctx context.Context, w io.Writer, rows Rows, o Options) error {
	b, _, err := jsonRecords(ctx, w, rows, o, make([]byte, 0, firstBuffer), "", "\n")
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

func writeJSON(ctx context.Context, w io.Writer, rows Rows, o Options) error {
	b := append(make([]byte, 0, firstBuffer), `{"meta":[`...)
	for i, c := range rows.Columns() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, `{"name":`...), c.Name), `,"type":`...)
		name := c.Type.String()
		if o.ClickHouse {
			name = ClickHouseType(c.Type)
		}
		b = append(appendString(b, name), '}')
	}
	b, n, err := jsonRecords(ctx, w, rows, o, append(b, "],\n\"data\":["...), ",\n", "")
	if err != nil {
		return err
	}
	_, err = w.Write(jsonEnd(b, rows, n, time.Since(o.Start)))
	return err
}

// read counts what a result held.
type read struct{ rows, bytes int64 }

// jsonEnd is what follows the rows, in the words of ClickHouse. rows_before_limit_at_least is how many rows there would be without the limit, at
// least: all of them where nothing was cut.
func jsonEnd(b []byte, rows Rows, n read, took time.Duration) []byte {
	b = appendInt(append(b, "],\n\"rows\":"...), n.rows)
	before := n.rows
	if rows.Truncated() {
		before++
	}
	b = appendInt(append(b, `,"rows_before_limit_at_least":`...), before)
	b = strconv.AppendBool(append(b, `,"truncated":`...), rows.Truncated())
	b = appendFloat(append(b, `,"statistics":{"elapsed":`...), took.Round(time.Microsecond).Seconds(), 64)
	if c, ok := rows.(Counted); ok {
		n.rows, n.bytes = c.Counts()
	}
	b = appendInt(append(b, `,"rows_read":`...), n.rows)
	b = appendInt(append(b, `,"bytes_read":`...), n.bytes)
	return append(b, "}}\n"...)
}
