package ingest

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cespare/xxhash/v2"

	"leat/internal/types"
)

// column makes a column of a type from JSON values as Arrow reads them.
func column(t *testing.T, typ types.Type, values string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(allocator, typ.Arrow(), bytes.NewReader([]byte(values)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func canon(t *testing.T, typ, value string) string {
	t.Helper()
	parsed, err := types.ParseType(typ)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(appendCanon(nil, parsed, column(t, parsed, "["+value+"]"), 0))
}

// TestCanonicalBytesAreFixed guards a format that must never change (docs/formats/partitioning.md).
func TestCanonicalBytesAreFixed(t *testing.T) {
	five := "02" + "00000000000000000000000000000005"
	for _, c := range []struct{ typ, value, want string }{
		{"BOOLEAN", "true", "0101"}, {"INTEGER", "null", "00"},
		{"TINYINT", "5", five}, {"INTEGER", "5", five}, {"BIGINT", "5", five}, {"UBIGINT", "5", five}, {"DOUBLE", "5", five}, {"FLOAT", "5", five},
		{"HUGEINT", `"5"`, five}, {"DECIMAL(10,2)", `"5.00"`, five}, {"BIGINT", "-1", "02ffffffffffffffffffffffffffffffff"},
		{"DOUBLE", "-0.0", "0200000000000000000000000000000000"}, {"DOUBLE", "1.5", "033ff8000000000000"},
		{"DECIMAL(10,2)", `"1.50"`, "04010000000000000000000000000000000f"}, {"VARCHAR", `"ab"`, "05026162"},
		{"DATE", `"1970-01-02"`, "070000000000000001"}, {"INTEGER[]", "[5,null]", "0c02" + five + "00"},
		{"STRUCT(a INTEGER)", `{"a":5}`, "0e01" + five},
	} {
		if got := canon(t, c.typ, c.value); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.typ, c.value, got, c.want)
		}
	}
	b, _ := hex.DecodeString(five)
	if got, want := xxhash.Sum64(b)%16, uint64(11); got != want {
		t.Errorf("5 goes to partition %d of 16, want %d", got, want)
	}
}

func TestTakeAndConcatOfEveryType(t *testing.T) {
	for typ, values := range map[string]string{
		"BOOLEAN": "[true,null,false]", "TINYINT": "[1,null,3]", "BIGINT": "[1,null,3]", "HUGEINT": `["1",null,"3"]`, "DOUBLE": "[1,null,3]",
		"DECIMAL(10,2)": `["1.00",null,"3.25"]`, "VARCHAR": `["a",null,""]`, "BLOB": `["YQ==",null,""]`, "DATE": `["1970-01-02",null,"2020-01-01"]`,
		"TIME": `["00:00:01",null,"12:00:00"]`, "TIMESTAMP": `["1970-01-02",null,"2020-01-01"]`, "UUID": `["YWFhYWFhYWFhYWFhYWFhYQ==",null,"YmJiYmJiYmJiYmJiYmJiYg=="]`,
		"INTERVAL":             `[{"months":1,"days":2,"nanoseconds":3},null,{"months":0,"days":0,"nanoseconds":1}]`,
		"STRUCT(i INTERVAL)[]": `[[{"i":{"months":1,"days":2,"nanoseconds":3}}],null,[]]`,
		"INTEGER[]":            "[[1,2],null,[]]", "MAP(VARCHAR, INTEGER)": `[[{"key":"a","value":1}],null,[]]`, "STRUCT(a INTEGER, b VARCHAR[])": `[{"a":1,"b":["x"]},null,{"a":null,"b":null}]`,
	} {
		parsed, err := types.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		s := &types.Schema{Version: 1}
		s.Add("v", parsed)
		batch := &types.Batch{Schema: s, Columns: []arrow.Array{column(t, parsed, values)}, Rows: 3, Weights: []int64{1, 1, -1}}
		var parts []*types.Batch
		for i := range int64(3) {
			p, err := take(batch, []int64{i})
			if err != nil {
				t.Fatalf("%s: %v", typ, err)
			}
			parts = append(parts, p)
		}
		joined, err := concat(parts)
		if err != nil || !array.Equal(joined.Columns[0], batch.Columns[0]) || joined.Rows != 3 || joined.Weights[2] != -1 {
			t.Errorf("%s: got %v, %v; want %v", typ, joined, err, batch.Columns[0])
		}
	}
}

func TestCastIsExact(t *testing.T) {
	for _, c := range []struct{ from, values, to, want string }{
		{"BIGINT", "[1,null]", "TINYINT", "[1,null]"},
		{"BIGINT", "[300]", "TINYINT", ""},
		{"INTEGER", "[1]", "VARCHAR", `["1"]`},
		{"DOUBLE", "[2,1e3]", "BIGINT", "[2,1000]"},
		{"DOUBLE", "[2.5]", "BIGINT", ""},
		{"BIGINT", "[9007199254740993]", "DOUBLE", ""},
		{"DECIMAL(4,1)", `["1.5"]`, "DOUBLE", "[1.5]"},
		{"DECIMAL(4,2)", `["1.25"]`, "DECIMAL(4,1)", ""},
		{"VARCHAR", `["12"]`, "UINTEGER", "[12]"},
		{"VARCHAR", `["2020-01-01"]`, "TIMESTAMP", `["2020-01-01"]`},
		{"VARCHAR", `["{"]`, "JSON", ""},
		{"VARCHAR", `["true"]`, "BOOLEAN", "[true]"},
		{"BIGINT[]", "[[1,2],null,[3]]", "TINYINT[]", "[[1,2],null,[3]]"},
		{"BIGINT[]", "[[1000]]", "TINYINT[]", ""},
		{"STRUCT(a BIGINT)", `[{"a":1},null]`, "STRUCT(b VARCHAR, a TINYINT)", `[{"b":null,"a":1},null]`},
		{"STRUCT(c BIGINT)", `[{"c":1}]`, "STRUCT(a BIGINT)", ""},
		{"MAP(VARCHAR, BIGINT)", `[[{"key":"a","value":1}]]`, "MAP(VARCHAR, INTEGER)", `[[{"key":"a","value":1}]]`},
		{"BIGINT", "[1]", "BIGINT[]", ""},
	} {
		from, _ := types.ParseType(c.from)
		to, _ := types.ParseType(c.to)
		got, err := cast(column(t, from, c.values), to, 0)
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s %s as %s: got %v, want an error", c.from, c.values, c.to, got)
		case c.want != "" && (err != nil || !array.Equal(got, column(t, to, c.want))):
			t.Errorf("%s %s as %s: got %v, %v; want %s", c.from, c.values, c.to, got, err, c.want)
		}
	}
}

func TestPressureMeasuresTheDrain(t *testing.T) {
	at, b := time.Unix(1000, 0), Backlog{Bottleneck: "x"}
	p := &pressure{read: func() Backlog { return b }, limit: 1000, now: func() time.Time { return at }}
	for range 5 {
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
		at, b.Drained = at.Add(time.Second), b.Drained+100
	}
	b.Waiting = 1500
	if e := types.AsError(p.check()); e == nil || e.RetryAfter != 11 { // 1000 rows at 100 rows/s
		t.Fatalf("got %+v", e)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Config{}.Validate()
	if err == nil || bytes.Count([]byte(err.Error()), []byte("\n")) < 5 {
		t.Fatalf("got %v", err)
	}
}
