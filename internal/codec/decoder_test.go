package codec

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"leat/internal/types"
)

// schemaOf reads "name TYPE, ..." as a schema.
func schemaOf(t testing.TB, columns string) *types.Schema {
	t.Helper()
	typ, err := types.ParseType("STRUCT(" + columns + ")")
	if err != nil {
		t.Fatal(err)
	}
	s := &types.Schema{Version: 1}
	for _, f := range typ.Fields {
		s.Add(f.Name, f.Type, f.Name)
	}
	return s
}

func decode(t testing.TB, s *types.Schema, opt Options, f Format, body string) *Decoded {
	t.Helper()
	opt.Name = "s"
	d, err := NewDecoder(s, opt).Decode([]byte(body), f)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range d.Batch.Columns {
		if c.Len() != d.Batch.Rows {
			t.Fatalf("column %d has %d values for %d rows", i, c.Len(), d.Batch.Rows)
		}
	}
	return d
}

// row prints one row as JSON-like text.
func row(b *types.Batch, i int) string {
	var out []string
	for _, c := range b.Columns {
		out = append(out, text(c, i))
	}
	return strings.Join(out, " ")
}

func text(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "null"
	}
	if d, ok := a.(*array.Decimal128); ok {
		return strconv.Quote(d.Value(i).ToString(d.DataType().(*arrow.Decimal128Type).Scale))
	}
	v, err := json.Marshal(a.GetOneForMarshal(i))
	if err != nil {
		return err.Error()
	}
	return string(v)
}

func TestValues(t *testing.T) {
	for _, c := range []struct{ typ, value, want string }{
		{"BIGINT", "9223372036854775807", "9223372036854775807"},
		{"BIGINT", "-9223372036854775808", "-9223372036854775808"},
		{"BIGINT", `"12"`, "12"},
		{"BIGINT", "1.5e3", "1500"},
		{"BIGINT", "-0", "0"},
		{"TINYINT", "-128", "-128"},
		{"UBIGINT", "18446744073709551615", "18446744073709551615"},
		{"HUGEINT", `"170141183460469231731687303715884105727"`, `"170141183460469231731687303715884105727"`},
		{"HUGEINT", `-170141183460469231731687303715884105728`, `"-170141183460469231731687303715884105728"`},
		{"DECIMAL(5,2)", "123.45", `"123.45"`},
		{"DECIMAL(5,2)", `"1.2345e2"`, `"123.45"`},
		{"DECIMAL(5,2)", "-0.50", `"-0.50"`},
		{"DOUBLE", "9007199254740992", "9007199254740992"},
		{"DOUBLE", "100000000000000000000", "100000000000000000000"},
		{"DOUBLE", "0.1", "0.1"},
		{"DOUBLE", `"NaN"`, `"NaN"`},
		{"DOUBLE", `"-Infinity"`, `"-Inf"`},
		{"FLOAT", "0.5", "0.5"},
		{"BOOLEAN", "true", "true"},
		{"BOOLEAN", "false", "false"},
		{"BOOLEAN", `"true"`, "true"},
		{"VARCHAR", `"a\"\u00e9\ud83d\ude00\n"`, `"a\"é😀\n"`},
		{"VARCHAR", "1.50", `"1.50"`},
		{"VARCHAR", "true", `"true"`},
		{"VARCHAR", `"é"`, `"é"`},
		{"BLOB", `"aGk="`, `"aGk="`},
		{"DATE", `"2024-02-29"`, `"2024-02-29"`},
		{"TIME", `"23:59:59.123456"`, `"23:59:59.123456"`},
		{"TIMESTAMP", `"2026-01-01 00:00:00.123"`, `"2026-01-01T00:00:00.123"`},
		{"TIMESTAMP", `"2026-01-01T02:00:00+02:00"`, `"2026-01-01T00:00:00"`},
		{"TIMESTAMP", "1767225600", `"2026-01-01T00:00:00"`},
		{"TIMESTAMP", "1767225600123", `"2026-01-01T00:00:00.123"`},
		{"TIMESTAMP", "1767225600123456", `"2026-01-01T00:00:00.123456"`},
		{"TIMESTAMP", "1767225600123456789", `"2026-01-01T00:00:00.123456"`},
		{"TIMESTAMP", "1767225600.5", `"2026-01-01T00:00:00.5"`},
		{"TIMESTAMPTZ", `"2026-01-01T00:00:00.123456789Z"`, `"2026-01-01T00:00:00.123456Z"`},
		{"UUID", `"6BA7B810-9dad-11d1-80b4-00c04fd430c8"`, `"a6e4EJ2tEdGAtADAT9QwyA=="`},
		{"INTERVAL", `"1 year 2 months 3 days -04:05:06.7"`, `{"months":14,"days":3,"nanoseconds":-14706700000000}`},
		{"INTERVAL", `"P1Y2M3DT4H5M6.7S"`, `{"months":14,"days":3,"nanoseconds":14706700000000}`},
		{"JSON", ` { "a" : [ 1 , "x y" ] } `, `"{\"a\":[1,\"x y\"]}"`},
		{"JSON", `"x"`, `"\"x\""`},
		{"BIGINT[]", "[1, null, 3]", "[1,null,3]"},
		{"BIGINT[]", "[ ]", "[]"},
		{"STRUCT(x BIGINT, y VARCHAR)", `{"y":"a"}`, `{"x":null,"y":"a"}`},
		{"STRUCT(x BIGINT)[]", `[{"x":1},null,{}]`, `[{"x":1},null,{"x":null}]`},
		{"MAP(VARCHAR, BIGINT)", `{"a":1,"b":null}`, `[{"key":"a","value":1},{"key":"b","value":null}]`},
		{"BIGINT", "null", "null"},
	} {
		d := decode(t, schemaOf(t, "v "+c.typ), Options{}, NDJSON, `{"v":`+c.value+`}`)
		if len(d.Rejects) > 0 {
			t.Errorf("%s %s: %v", c.typ, c.value, d.Rejects[0].Err)
			continue
		}
		if got := row(d.Batch, 0); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.typ, c.value, got, c.want)
		}
	}
}

// TestBadValues checks that a bad value rejects its record alone, with path and hint, in NDJSON and in an array.
func TestBadValues(t *testing.T) {
	for _, c := range []struct{ typ, value, path, mend string }{
		{"BIGINT", "9223372036854775808", "$.v", "TYPE HUGEINT"},
		{"BIGINT", "1.5", "$.v", "TYPE DOUBLE"},
		{"BIGINT", "1e400", "$.v", "TYPE VARCHAR"},
		{"BIGINT", `"x"`, "$.v", "TYPE VARCHAR"},
		{"BIGINT", "01", "$.v", ""},
		{"BIGINT", "{}", "$.v", "TYPE JSON"},
		{"TINYINT", "128", "$.v", "TYPE BIGINT"},
		{"UTINYINT", "-1", "$.v", "TYPE BIGINT"},
		{"HUGEINT", "170141183460469231731687303715884105728", "$.v", "TYPE VARCHAR"},
		{"DOUBLE", "1e400", "$.v", "TYPE VARCHAR"},
		{"DOUBLE", "9007199254740993", "$.v", "TYPE VARCHAR"},
		{"FLOAT", "16777217", "$.v", "TYPE VARCHAR"},
		{"DECIMAL(5,2)", "1.234", "$.v", "TYPE VARCHAR"},
		{"DECIMAL(5,2)", "1234.5", "$.v", "TYPE VARCHAR"},
		{"BOOLEAN", "1", "$.v", "TYPE VARCHAR"},
		{"BOOLEAN", "tru", "$.v", ""},
		{"VARCHAR", "{\"a\":1}", "$.v", "TYPE JSON"},
		{"VARCHAR", "\"\xff\"", "$.v", ""},
		{"VARCHAR", `"a\u0000b"`, "$.v", ""},
		{"VARCHAR", "\"a\x00b\"", "$.v", ""},
		{"VARCHAR", `"\ud800"`, "$.v", ""},
		{"VARCHAR", `"\x"`, "$.v", ""},
		{"BLOB", `"a"`, "$.v", "TYPE VARCHAR"},
		{"DATE", `"2023-02-29"`, "$.v", "TYPE VARCHAR"},
		{"TIMESTAMP", `"yesterday"`, "$.v", "TYPE VARCHAR"},
		{"TIMESTAMP", "1e30", "$.v", "TYPE VARCHAR"},
		{"UUID", `"nope"`, "$.v", "TYPE VARCHAR"},
		{"INTERVAL", `"1 moon"`, "$.v", "TYPE VARCHAR"},
		{"BIGINT[]", "[1,\"x\"]", "$.v[1]", "TYPE VARCHAR"},
		{"BIGINT[]", "7", "$.v", "TYPE JSON"},
		{"STRUCT(x BIGINT)", `{"x":"y"}`, "$.v.x", "TYPE VARCHAR"},
		{"STRUCT(x BIGINT)", `{"x":1,"x":1}`, "$.v.x", ""},
		{"MAP(VARCHAR, BIGINT)", `{"a b":"y"}`, `$.v["a b"]`, "TYPE VARCHAR"},
		{"MAP(VARCHAR, BIGINT)", `{"a":1,"a":2}`, "$.v", "TYPE JSON"},
		{"BIGINT", `1,"v":2`, "$.v", ""},
		{"BIGINT", `1,"_leat_x":2`, "$._leat_x", ""},
		{"BIGINT", `1,"":2`, `$[""]`, ""},
		{"BIGINT", `1,"u":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "$.u", ""},
	} {
		for f, body := range map[Format]string{
			NDJSON:    `{"v":null}` + "\n" + `{"w":1,"v":` + c.value + "}\n" + `{"v":null}`,
			JSONArray: `[{"v":null},` + "\n" + `{"w":1,"v":` + c.value + "},\n" + `{"v":null}]`,
		} {
			d := decode(t, schemaOf(t, "v "+c.typ+", w BIGINT"), Options{}, f, body)
			if len(d.Rejects) != 1 || d.Batch.Rows != 2 {
				t.Errorf("%s %s %.60s: %d rows, rejects %v", f, c.typ, c.value, d.Batch.Rows, d.Rejects)
				continue
			}
			r := d.Rejects[0]
			hint := ""
			if c.mend != "" {
				hint = "ALTER STREAM s ALTER COLUMN v " + c.mend
				if strings.Contains(c.path, ".v.") || strings.Contains(c.path, "v[") {
					hint = ""
				}
			}
			if r.Record != 1 || r.Line != 2 || r.Err.Path != c.path || hint != "" && r.Err.Hint != hint || string(r.Raw) != `{"w":1,"v":`+c.value+"}" {
				t.Errorf("%s %s %.60s: record %d line %d path %s hint %q raw %.60q: %s", f, c.typ, c.value, r.Record, r.Line, r.Err.Path, r.Err.Hint, r.Raw, r.Err.Message)
			}
			if d.Record(0) != 0 || d.Record(1) != 2 {
				t.Errorf("rows are records %d and %d", d.Record(0), d.Record(1))
			}
		}
	}
}

func TestMessagesReadWell(t *testing.T) {
	for _, c := range []struct{ typ, value, want string }{
		{"DOUBLE", `"a lot"`, `"a lot" is not a DOUBLE`},
		{"INTEGER", `"a lot"`, `"a lot" is not an INTEGER`},
		{"INTEGER", `true`, `true is not an INTEGER`},
		{"TINYINT", `"300"`, `"300" is out of range for TINYINT`},
		{"UUID", `"x"`, `"x" is not a UUID`},
		{"BIGINT", `{}`, `an object is not a BIGINT`},
	} {
		d := decode(t, schemaOf(t, "a "+c.typ), Options{}, NDJSON, `{"a":`+c.value+`}`)
		if len(d.Rejects) != 1 || d.Rejects[0].Err.Message != c.want {
			t.Errorf("%s into %s: got %v, want %s", c.value, c.typ, d.Rejects, c.want)
		}
	}
}

func TestResynchronisation(t *testing.T) {
	for _, c := range []struct {
		name, body    string
		f             Format
		rows, rejects int
	}{
		{"empty", "", NDJSON, 0, 0},
		{"byte order mark", "\xEF\xBB\xBF{\"v\":1}", NDJSON, 1, 0},
		{"concatenated", `{"v":1}{"v":2} {"v":3}`, NDJSON, 3, 0},
		{"truncated end", "{\"v\":1}\n{\"v\":", NDJSON, 1, 1},
		{"truncated line", "{\"v\":1\n{\"v\":2}\n{\"v\":3}", NDJSON, 2, 1},
		{"garbage lines", "x\ny\n{\"v\":3}\r\n", NDJSON, 1, 2},
		{"other values", "1 \"a\" [1] null {\"v\":3}", NDJSON, 1, 4},
		{"over lines", "{\n  \"v\": 1\n}\n{\n  \"v\" 1,\n  \"w\": 2\n}\n{\n  \"v\": 3\n}\n", NDJSON, 2, 1},
		{"array", `[ {"v":1} , {"v":2} ] `, JSONArray, 2, 0},
		{"empty array", `[]`, JSONArray, 0, 0},
		{"array cut", `[{"v":1},{"v":2`, JSONArray, 1, 1},
		{"array open", `[`, JSONArray, 0, 1},
		{"array comma", `[{"v":1}, `, JSONArray, 1, 1},
		{"array not closed", `[{"v":1},{"v":2}`, JSONArray, 2, 1},
		{"array and more", `[{"v":1}] {"v":2}`, JSONArray, 1, 1},
		{"csv", "v,w\n1,2\n3\n\"4\",\"\"\n5,x\n\"6", CSV, 1, 4},
		{"csv crlf", "\xEF\xBB\xBFw,V\r\n1,\"2\"\r\n\r\n3,4\r\n", CSV, 2, 0},
	} {
		d := decode(t, schemaOf(t, "v BIGINT, w BIGINT"), Options{}, c.f, c.body)
		if d.Batch.Rows != c.rows || len(d.Rejects) != c.rejects {
			t.Errorf("%s: %d rows, rejects %+v", c.name, d.Batch.Rows, d.Rejects)
		}
	}
}

func TestTableOperations(t *testing.T) {
	s := schemaOf(t, "k BIGINT, v VARCHAR, w VARCHAR")
	s.Columns[2].NotNull = true
	body := `{"k":1,"v":"a","w":"x"}
{"v":"b","_op":"d","k":2}
{"_op":"u","k":3,"w":"y"}
{"_op":"x","k":4,"w":"y"}
{"v":"b","w":"z"}
{"_op":"d"}
{"k":5}`
	d := decode(t, s, Options{Key: []int32{1}}, NDJSON, body)
	var got []string
	for i := range d.Batch.Rows {
		got = append(got, fmt.Sprint(row(d.Batch, i), " ", d.Batch.Weights[i]))
	}
	want := "1 \"a\" \"x\" 1|2 null null -1|3 null \"y\" 1"
	if strings.Join(got, "|") != want || len(d.Rejects) != 4 {
		t.Errorf("got %s, rejects %+v", strings.Join(got, "|"), d.Rejects)
	}
	if h := d.Rejects[3].Err.Hint; h != "ALTER TABLE s ALTER COLUMN w DROP NOT NULL" {
		t.Errorf("hint %q", h)
	}
}

func TestUnknownWideClosed(t *testing.T) {
	s := schemaOf(t, "v BIGINT")
	body := "{\"v\":9007199254740993}\n{\"v\":1,\"n\":{\"a\":1}}\n{\"v\":1,\"n\":null,\"m\":[],\"o\":{}}\n{\"v\":1.5}\n"
	d := decode(t, s, Options{}, NDJSON, body)
	if d.Batch.Rows != 3 || len(d.Rejects) != 1 || len(d.Unknown) != 2 || len(d.Wide) != 1 || d.Wide[0] != 1 {
		t.Errorf("%d rows, rejects %v, unknown %q, wide %v", d.Batch.Rows, d.Rejects, d.Unknown, d.Wide)
	}
	d = decode(t, s, Options{Closed: true}, NDJSON, body)
	if d.Batch.Rows != 2 || len(d.Rejects) != 2 || d.Rejects[0].Err.Hint != "ALTER STREAM s ADD COLUMN n STRUCT(a BIGINT)" {
		t.Errorf("%d rows, rejects %+v", d.Batch.Rows, d.Rejects)
	}
}

func TestPaths(t *testing.T) {
	s := &types.Schema{Version: 1}
	s.Add("id", types.Of(types.BigInt), "user", "id")
	s.Add("name", types.Of(types.Varchar), "user", "name")
	s.Add("raw", types.Of(types.JSON), "user")
	s.Add("n", types.Of(types.BigInt), `a"b`)
	d := decode(t, s, Options{}, NDJSON, `{"user":{"id":7,"name":"x"},"a\"b":1}{"user":null}{"user":{"id":1},"user":{"name":"x"}}{"user":{"id":"q"}}`)
	if d.Batch.Rows != 2 || row(d.Batch, 0) != `7 "x" "{\"id\":7,\"name\":\"x\"}" 1` || len(d.Rejects) != 2 || d.Rejects[1].Err.Path != "$.user.id" {
		t.Errorf("%s %+v", row(d.Batch, 0), d.Rejects)
	}
}

func TestLargeRecord(t *testing.T) {
	body := `{"v":1}` + "\n" + `{"v":"` + strings.Repeat("1", 1<<20) + "\"}\n" + `{"v":2}`
	d := decode(t, schemaOf(t, "v VARCHAR"), Options{MaxRecord: 1 << 19}, NDJSON, body)
	if d.Batch.Rows != 2 || len(d.Rejects) != 1 || len(d.Rejects[0].Raw) != maxRaw {
		t.Errorf("%d rows, %d rejects", d.Batch.Rows, len(d.Rejects))
	}
}

// TestHostileBodiesStayLinear has bodies that a careless reader takes quadratic time or unbounded memory for.
func TestHostileBodiesStayLinear(t *testing.T) {
	wide := &types.Schema{Version: 1}
	for i := range types.MaxColumns {
		wide.Add(fmt.Sprintf("c%d", i), types.Of(types.BigInt), fmt.Sprintf("c%d", i))
	}
	for name, unit := range map[string]string{"open lists": "{\"u\":[\n", "lists": "[1,\n", "quotes": "\"\n", "keys": "{\"a\":1,\n"} {
		decode(t, wide, Options{}, NDJSON, strings.Repeat(unit, 1<<15))
		_ = name
	}
	if _, err := NewDecoder(wide, Options{}).Decode([]byte(strings.Repeat("{}", 1<<16)), NDJSON); !types.HasCode(err, types.PayloadTooLarge) {
		t.Errorf("padding: %v", err)
	}
}
