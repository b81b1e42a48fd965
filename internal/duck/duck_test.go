package duck

import (
	"context"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"leat/internal/types"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, o Options) *DB {
	t.Helper()
	d, err := Open("", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// run reads a whole result as text, one line a record.
func run(ctx context.Context, d *DB, sql string, args map[string]any, maxRows int) (text []string, columns []types.Column, truncated bool, err error) {
	c, err := d.Reader(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	defer d.Release(c)
	r, err := c.Query(ctx, sql, args, maxRows)
	if err != nil {
		return nil, nil, false, err
	}
	defer r.Close()
	for {
		rec, err := r.Next(ctx)
		if err != nil || rec == nil {
			return text, r.Columns(), r.Truncated(), err
		}
		for i := range int(rec.NumRows()) {
			var row []string
			for j := range int(rec.NumCols()) {
				row = append(row, strings.Clone(rec.Column(j).ValueStr(i))) // the record goes with the next
			}
			text = append(text, strings.Join(row, "|"))
		}
	}
}

func TestSettingsAreLocked(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	d := open(t, Options{Schema: "public"})
	got, _, _, err := run(t.Context(), d, `SELECT current_setting('TimeZone'), current_setting('enable_external_access'), current_schema()`, nil, -1)
	if err != nil || got[0] != "UTC|false|public" {
		t.Fatalf("got %v, %v", got, err)
	}
	c, err := d.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Release(c)
	for _, sql := range []string{"SET TimeZone = 'Europe/Paris'", "SET lock_configuration = false", "COPY (SELECT 1) TO 'x.csv'", "INSTALL httpfs"} {
		if err := c.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s passed", sql)
		}
	}
}

func TestErrors(t *testing.T) {
	d := open(t, Options{})
	c, err := d.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(t.Context(), "CREATE TABLE flights (delay INTEGER, origin VARCHAR)"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		sql          string
		code         types.Code
		line, column int
		hint         string
	}{
		{"SELEC 1", types.SyntaxError, 1, 1, ""},
		{"SELECT 1\n  FROM flight", types.UnknownRelation, 2, 8, "flights"},
		{"SELECT delai FROM flights", types.UnknownColumn, 1, 8, "delay"},
		{"SELECT f.delai FROM flights f", types.UnknownColumn, 1, 8, ""},
		{"SELECT lenn('x')", types.UnknownFunction, 1, 8, "len"},
		{"SELECT abs('x'::BLOB)", types.TypeMismatch, 1, 8, ""},
		{"SELECT CAST('a' || random()::VARCHAR AS INT)", types.DataError, 1, 8, ""},
		{"SELECT 1; SELECT 2", types.InvalidArgument, 0, 0, ""},
		{"INSERT INTO flights VALUES (1, 'a')", types.NotAllowed, 0, 0, ""},
		{"SELECT $a", types.InvalidArgument, 0, 0, ""},
		{"SELECT * FROM read_csv('/etc/passwd')", types.NotAllowed, 1, 15, ""},
	} {
		_, _, _, err := run(t.Context(), d, test.sql, nil, -1)
		e := types.AsError(err)
		if e == nil {
			t.Errorf("%s: no error", test.sql)
		} else if e.Code != test.code || e.Line != test.line || e.Column != test.column || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s: got %s at %d:%d, %q, hint %q", test.sql, e.Code, e.Line, e.Column, e.Message, e.Hint)
		}
	}
}

func TestParametersAndForeignTypes(t *testing.T) {
	d := open(t, Options{})
	huge, _ := new(big.Int).SetString("-170141183460469231731687303715884105728", 10)
	args := map[string]any{"n": int64(-5), "s": "a\x00b", "h": huge, "u": uint64(1<<64 - 1), "z": nil, "t": time.UnixMicro(1).UTC(), "unused": 1}
	got, cols, _, err := run(t.Context(), d, "SELECT $n, $s, $h::VARCHAR, $u, $z::INT, $t::VARCHAR", args, -1)
	if err != nil || got[0] != "-5|a\x00b|-170141183460469231731687303715884105728|18446744073709551615|(null)|1970-01-01 00:00:00.000001+00" {
		t.Fatalf("got %q, %v, %v", got, cols, err)
	}
	got, cols, _, err = run(t.Context(), d, "SELECT TIMESTAMP_NS '2020-01-01 00:00:00.000000001' AS a, 'x'::ENUM('x') AS a, '10'::BIT b, [1]::INT[1] c, 1 d ORDER BY 1;", nil, -1)
	if err != nil || got[0] != "2020-01-01 00:00:00.000000001|x|10|[1]|1" || cols[0].Name != "a" || cols[1].Type.Kind != types.Varchar {
		t.Fatalf("got %q, %v, %v", got, cols, err)
	}
}

func TestMaxRowsTruncates(t *testing.T) {
	d := open(t, Options{})
	for _, max := range []int{0, 1, 2047, 2048, 2049, 9999, 10000} {
		got, _, truncated, err := run(t.Context(), d, "SELECT * FROM range(10000)", nil, max)
		if err != nil || len(got) != max || truncated != (max < 10000) {
			t.Errorf("max %d: %d rows, truncated %t, %v", max, len(got), truncated, err)
		}
	}
}

const endless = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range > 1"

func TestCancelIsQuick(t *testing.T) {
	d := open(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, _, err := run(ctx, d, endless, nil, -1)
	if took := time.Since(start); !types.HasCode(err, types.Timeout) || took > 150*time.Millisecond {
		t.Fatalf("after %s: %v", took, err)
	}
	if _, _, _, err := run(t.Context(), d, "SELECT 1", nil, -1); err != nil {
		t.Fatalf("the connection is not usable after an interrupt: %v", err)
	}
}

func TestPoolWaitsWithContext(t *testing.T) {
	d := open(t, Options{Readers: 1})
	c, err := d.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Reader(ctx); !types.HasCode(err, types.TooManyRequests) {
		t.Fatalf("got %v", err)
	}
	d.Release(c)
}

func TestWatchdogBites(t *testing.T) {
	d := open(t, Options{MaxRSS: 1})
	if _, _, _, err := run(t.Context(), d, endless, nil, -1); !types.HasCode(err, types.OutOfMemory) {
		t.Fatalf("got %v", err)
	}
}

func TestMemoryLimit(t *testing.T) {
	d := open(t, Options{MemoryLimit: 32 << 20})
	if _, _, _, err := run(t.Context(), d, "SELECT list(range) FROM range(100000000)", nil, -1); !types.HasCode(err, types.OutOfMemory) {
		t.Fatalf("got %v", err)
	}
}

func TestDefineTable(t *testing.T) {
	d := open(t, Options{})
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range 5000 {
		b.Append(int64(i))
	}
	values := b.NewArray()
	cols := []types.Column{{Name: "n", Type: types.Of(types.BigInt)}}
	rows := func() (arrow.RecordBatch, error) {
		return Record([]string{"n"}, []types.Type{types.Of(types.BigInt)}, []arrow.Array{values}, 5000), nil
	}
	if err := d.DefineTable("numbers", cols, rows); err != nil {
		t.Fatal(err)
	}
	got, _, _, err := run(t.Context(), d, "SELECT count(*), sum(a.n) FROM numbers() a JOIN numbers() b USING (n)", nil, -1)
	if err != nil || got[0] != "5000|12497500" {
		t.Fatalf("got %v, %v", got, err)
	}
	if err := d.DefineTable("broken", cols, func() (arrow.RecordBatch, error) { panic("boom") }); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := run(t.Context(), d, "SELECT * FROM broken()", nil, -1); err == nil {
		t.Fatal("a panic was not reported")
	}
}

// A name may be given other columns. Rows of another type than a query was bound to are an error, not the end of the process.
func TestTablesAreDefinedAnew(t *testing.T) {
	d := open(t, Options{})
	define := func(bound, made types.Kind, name string, cell arrow.Array) {
		t.Helper()
		record := Record([]string{name}, []types.Type{types.Of(made)}, []arrow.Array{cell}, cell.Len())
		cols := []types.Column{{Name: name, Type: types.Of(bound)}}
		if err := d.DefineTable("anew", cols, func() (arrow.RecordBatch, error) { return record, nil }); err != nil {
			t.Fatal(err)
		}
	}
	text := array.NewStringBuilder(memory.DefaultAllocator)
	text.Append("a")
	word := text.NewArray()
	define(types.Varchar, types.Varchar, "s", word)
	if got, _, _, err := run(t.Context(), d, "SELECT s FROM anew()", nil, -1); err != nil || got[0] != "a" {
		t.Errorf("got %v, %v", got, err)
	}
	define(types.BigInt, types.Varchar, "n", word)
	if _, _, _, err := run(t.Context(), d, "SELECT n FROM anew()", nil, -1); !types.HasCode(err, types.Unavailable) {
		t.Errorf("texts were read as numbers: %v", err)
	}
	if _, _, _, err := run(t.Context(), d, "SELECT 1/0, 'x'::INTEGER", nil, -1); err == nil || types.HasCode(err, types.Unavailable) {
		t.Errorf("the error after it: %v", err)
	}
	number := array.NewInt64Builder(memory.DefaultAllocator)
	number.Append(7)
	define(types.BigInt, types.BigInt, "n", number.NewArray())
	if got, _, _, err := run(t.Context(), d, "SELECT n FROM anew()", nil, -1); err != nil || got[0] != "7" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParser(t *testing.T) {
	p, err := NewParser()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ast, err := p.SerializeSQL(t.Context(), "SELECT a FROM b WHERE c = $d")
	if err != nil {
		t.Fatal(err)
	}
	if back, err := p.DeserializeSQL(t.Context(), ast); err != nil || back != "SELECT a FROM b WHERE (c = $d)" {
		t.Fatalf("got %q, %v", back, err)
	}
	_, err = p.SerializeSQL(t.Context(), "SELECT 1\nFROM WHERE")
	if e := types.AsError(err); e == nil || e.Code != types.SyntaxError || e.Line != 2 || e.Column != 6 {
		t.Fatalf("got %+v", e)
	}
	if _, err := p.SerializeSQL(t.Context(), "DROP TABLE x"); !types.HasCode(err, types.NotAllowed) {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkSerializeSQL(b *testing.B) {
	p, err := NewParser()
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.SerializeSQL(b.Context(), "SELECT origin, count(*) FROM flights GROUP BY 1 ORDER BY 2 DESC LIMIT 5"); err != nil {
			b.Fatal(err)
		}
	}
}
