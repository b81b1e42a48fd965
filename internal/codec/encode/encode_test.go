package encode

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"leat/internal/types"
)

type rows struct {
	columns []types.Column
	records []arrow.RecordBatch
}

func (r *rows) Columns() []types.Column { return r.columns }
func (r *rows) Truncated() bool         { return true }
func (r *rows) Next(context.Context) (arrow.RecordBatch, error) {
	if len(r.records) == 0 {
		return nil, nil
	}
	rec := r.records[0]
	r.records = r.records[1:]
	return rec, nil
}

// result makes one column per type and fills it.
func result(fill func(column int, b array.Builder), kinds ...types.Type) *rows {
	r := &rows{}
	for i, t := range kinds {
		r.columns = append(r.columns, types.Column{Name: "c" + strconv.Itoa(i), Type: t})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schemaOf(r.columns, types.Type.Arrow))
	for i := range kinds {
		fill(i, b.Field(i))
	}
	r.records = []arrow.RecordBatch{b.NewRecordBatch()}
	return r
}

func encoded(t testing.TB, format string, r *rows, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(context.Background(), &b, Format{Name: format}, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sample() *rows {
	return result(func(i int, b array.Builder) {
		switch b := b.(type) {
		case *array.Int64Builder:
			b.Append(math.MaxInt64)
		case *array.Float64Builder:
			b.Append(math.Inf(-1))
		case *array.Decimal128Builder:
			b.Append(decimal128.FromI64(-5))
		case *array.TimestampBuilder:
			b.Append(-1)
		case *array.Date32Builder:
			b.Append(-1)
		case *array.Time64Builder:
			b.Append(3_723_000_004)
		case *array.MonthDayNanoIntervalBuilder:
			b.Append(arrow.MonthDayNanoInterval{Months: 14, Days: -1, Nanoseconds: -1_500_000_000})
		case *array.BinaryBuilder:
			b.Append([]byte{0, 255})
		case *array.FixedSizeBinaryBuilder:
			b.Append([]byte("0123456789abcdef"))
		case *array.StringBuilder:
			b.Append([]string{11: `{"a": [1]}`, 12: "a\"\n,\xff"}[i])
		case *array.MapBuilder:
			b.Append(true)
			if k, ok := b.KeyBuilder().(*array.StringBuilder); ok {
				k.Append("k")
			} else {
				b.KeyBuilder().(*array.Int32Builder).Append(7)
			}
			b.ItemBuilder().AppendNull()
		case *array.ListBuilder:
			b.Append(true)
			b.ValueBuilder().AppendNull()
			b.ValueBuilder().(*array.Int8Builder).Append(1)
		case *array.StructBuilder:
			b.Append(true)
			b.FieldBuilder(0).(*array.BooleanBuilder).Append(true)
		}
		b.AppendNull()
	}, types.Of(types.BigInt), types.Of(types.Double), types.DecimalOf(5, 2), types.Of(types.HugeInt), types.Of(types.TimestampTZ), types.Of(types.Timestamp), types.Of(types.Date),
		types.Of(types.Time), types.Of(types.Interval), types.Of(types.Blob), types.Of(types.UUID), types.Of(types.JSON), types.Of(types.Varchar),
		types.MapOf(types.Of(types.Varchar), types.Of(types.Double)), types.MapOf(types.Of(types.Integer), types.Of(types.Double)), types.ListOf(types.Of(types.TinyInt)),
		types.StructOf(types.Field{Name: `x"y`, Key: `x"y`, Type: types.Of(types.Boolean)}))
}

func TestForms(t *testing.T) {
	got := encoded(t, "ndjson", sample(), Options{Int64AsString: true})
	want := `{"c0":"9223372036854775807","c1":"-Infinity","c2":"-0.05","c3":"-5","c4":"1969-12-31T23:59:59.999999Z","c5":"1969-12-31T23:59:59.999999","c6":"1969-12-31",` +
		`"c7":"01:02:03.000004","c8":"1 year 2 months -1 day -00:00:01.5","c9":"AP8=","c10":"30313233-3435-3637-3839-616263646566","c11":{"a": [1]},"c12":"a\"\n,` + "\ufffd" + `",` +
		`"c13":{"k":null},"c14":[{"key":7,"value":null}],"c15":[null,1],"c16":{"x\"y":true}}` + "\n"
	null := `{"c0":null`
	if first, rest, _ := strings.Cut(got, "\n"); first+"\n" != want || !strings.HasPrefix(rest, null) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	csv := encoded(t, "csv", result(func(_ int, b array.Builder) {
		b.(*array.StringBuilder).AppendValues([]string{"", "a\"b", "x"}, nil)
		b.AppendNull()
	}, types.Of(types.Varchar)), Options{})
	if csv != "c0\r\n\"\"\r\n\"a\"\"b\"\r\nx\r\n\r\n" {
		t.Errorf("csv: %q", csv)
	}
	var whole struct {
		Meta      []struct{ Name, Type string }
		Data      []map[string]any
		Rows      int
		Truncated bool
	}
	if err := json.Unmarshal([]byte(encoded(t, "json", sample(), Options{})), &whole); err != nil || whole.Rows != 2 || len(whole.Data) != 2 || !whole.Truncated || whole.Meta[2].Type != "DECIMAL(5,2)" {
		t.Errorf("%v %+v", err, whole)
	}
	if p := encoded(t, "parquet", sample(), Options{}); !strings.HasSuffix(p, "PAR1") {
		t.Error("no Parquet footer")
	}
	r, err := ipc.NewReader(strings.NewReader(encoded(t, "arrow", sample(), Options{})))
	if err != nil || !r.Next() || r.RecordBatch().NumRows() != 2 {
		t.Errorf("arrow: %v", err)
	}
}

func TestJSONReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, f, n := rapid.String().Draw(t, "text"), rapid.Float64().Draw(t, "double"), rapid.Int64().Draw(t, "bigint")
		r := result(func(_ int, b array.Builder) {
			switch b := b.(type) {
			case *array.StringBuilder:
				b.Append(text)
			case *array.Float64Builder:
				b.Append(f)
			case *array.Int64Builder:
				b.Append(n)
			}
		}, types.Of(types.Varchar), types.Of(types.Double), types.Of(types.BigInt))
		var b bytes.Buffer
		if err := Encode(context.Background(), &b, Format{Name: "ndjson"}, r, Options{}); err != nil {
			t.Fatal(err)
		}
		var got struct {
			C0 string
			C1 float64
			C2 int64
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.C0 != text || got.C1 != f || got.C2 != n {
			t.Fatalf("%s: %v %+v", b.String(), err, got)
		}
	})
}

func TestNegotiate(t *testing.T) {
	for _, c := range []struct{ name, accept, want string }{
		{"", "", "json"}, {"CSV", "application/json", "csv"}, {"", "text/csv;q=0.5, application/x-ndjson", "ndjson"}, {"", "*/*", "json"},
		{"", "image/png", "not_acceptable"}, {"", "application/json;q=0", "not_acceptable"}, {"xml", "", "invalid_argument"},
	} {
		f, err := Negotiate(c.name, c.accept)
		got := f.Name
		if err != nil {
			got = string(types.AsError(err).Code)
		}
		if got != c.want {
			t.Errorf("%q %q: got %s", c.name, c.accept, got)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	const n = 100_000
	r := result(func(_ int, f array.Builder) {
		for i := range n {
			switch f := f.(type) {
			case *array.Int64Builder:
				f.Append(int64(i) * 7919)
			case *array.Float64Builder:
				f.Append(float64(i) / 8)
			case *array.StringBuilder:
				f.Append("airport " + strconv.Itoa(i%300))
			case *array.TimestampBuilder:
				f.Append(arrow.Timestamp(1_700_000_000_000_000 + i*1_000_003))
			case *array.BooleanBuilder:
				f.Append(i%2 == 0)
			}
		}
	}, types.Of(types.BigInt), types.Of(types.Double), types.Of(types.Varchar), types.Of(types.TimestampTZ), types.Of(types.Boolean))
	b.ReportAllocs()
	for b.Loop() {
		var w count
		if err := writeJSON(context.Background(), &w, &rows{r.columns, r.records}, Options{}); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(w))
	}
}

type count int

func (c *count) Write(b []byte) (int, error) { *c += count(len(b)); return len(b), nil }
