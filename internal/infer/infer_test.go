package infer_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leat/internal/codec"
	"leat/internal/infer"
	"leat/internal/types"
)

func lines(records ...string) [][]byte {
	var out [][]byte
	for _, r := range records {
		out = append(out, []byte(r))
	}
	return out
}

func TestInfer(t *testing.T) {
	for _, c := range []struct{ records, want string }{
		{`{"a":1}`, "a BIGINT"},
		{`{"a":1}|{"a":2.5}`, "a DOUBLE"},
		{`{"a":9007199254740993}|{"a":2.5}`, "a JSON"},
		{`{"a":9223372036854775808}`, "a HUGEINT"},
		{`{"a":999999999999999999999999999999999999999999}`, "a JSON"},
		{`{"a":1e400}`, "a JSON"},
		{`{"a":true}|{"a":null}`, "a BOOLEAN"},
		{`{"a":1}|{"a":"x"}`, "a JSON"},
		{`{"a":null,"b":[],"c":{},"d":[null],"e":{"f":null}}`, ""},
		{`{"a":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}`, "a UUID"},
		{`{"a":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}|{"a":""}`, "a VARCHAR"},
		{`{"a":"2026-01-01"}`, "a DATE"},
		{`{"a":"2026-01-01"}|{"a":"2026-01-01 10:00:00"}`, "a TIMESTAMP"},
		{`{"a":"2026-01-01T10:00:00Z"}|{"a":"2026-01-01T10:00:00.5+02:00"}`, "a TIMESTAMP WITH TIME ZONE"},
		{`{"a":"2026-01-01T10:00:00Z"}|{"a":"2026-01-01T10:00:00"}`, "a VARCHAR"},
		{`{"ts":1767225600,"createdAt":1767225600123,"time":5,"n":1767225600}`, `ts TIMESTAMP WITH TIME ZONE, "createdAt" TIMESTAMP WITH TIME ZONE, "time" BIGINT, n BIGINT`},
		{`{"u":{"id":1,"tags":["x"]}}|{"u":{"ok":true}}`, "u STRUCT(id BIGINT, tags VARCHAR[], ok BOOLEAN)"},
		{`{"a":[1,2.5,null]}`, "a DOUBLE[]"},
		{`{"a":[1,"x"]}`, "a JSON[]"},
		{`{"a":[{"x":1},{"y":2}]}`, "a STRUCT(x BIGINT, y BIGINT)[]"},
		{`{"userid":1,"userId":2,"USERID":3}`, `userid BIGINT, "userId_2" BIGINT, "USERID_3" BIGINT`},
		{`{"a":{"x":1,"X":2}}`, `a STRUCT(x BIGINT, "X_2" BIGINT)`},
		{`{"a":[[[[[[[[[[1]]]]]]]]]]}`, "a JSON[][][][][][][][]"},
		{`{"_leat_x":1}|{"":1}|{"a\u0000":1}|[1]|{"a":1,"a":2}|{"b":1}`, "b BIGINT"},
	} {
		s, _ := infer.Infer(lines(strings.Split(c.records, "|")...))
		if got := strings.ReplaceAll(s.String(), `"time"`, `"time"`); got != strings.ReplaceAll(c.want, `"time"`, types.QuoteIdent("time")) {
			t.Errorf("%s: got %s, want %s", c.records, got, c.want)
		}
		if typ, err := types.ParseType("STRUCT(" + s.String() + ")"); s.String() != "" && err != nil && !strings.Contains(err.Error(), "nests deeper") {
			t.Errorf("%s: %s is not readable: %v", c.records, typ, err)
		}
	}
	_, notes := infer.Infer(lines(`{"a":1}`, `{"_leat_x":1}`, `{`, `{"a":{"":1}}`, fmt.Sprintf(`{"%s":1}`, strings.Repeat("k", 256))))
	if len(notes) != 4 || notes[0].Record != 1 || notes[0].Err.Code != types.InvalidRecord {
		t.Errorf("notes %+v", notes)
	}
}

func TestLimits(t *testing.T) {
	var wide, member []string
	for i := range 1500 {
		wide = append(wide, fmt.Sprintf(`"c%d":1`, i))
	}
	for i := range 300 {
		member = append(member, fmt.Sprintf(`"c%d":1`, i))
	}
	s, _ := infer.Infer(lines("{" + strings.Join(wide, ",") + "}"))
	if len(s.Columns) != types.MaxColumns || s.Validate() != nil {
		t.Errorf("%d columns", len(s.Columns))
	}
	s, _ = infer.Infer(lines(`{"o":{` + strings.Join(member, ",") + "}}"))
	if s.String() != "o JSON" {
		t.Errorf("got %s", s)
	}
}

func TestEvolve(t *testing.T) {
	old, _ := infer.Infer(lines(`{"a":1,"u":{"x":1},"l":[{"x":1}]}`))
	s, changed := infer.Evolve(old, lines(`{"a":1.5,"u":{"y":"q"},"l":[{"z":true}],"n":"new","_op":"u"}`), "_op")
	want := "a DOUBLE, u STRUCT(x BIGINT, y VARCHAR), l STRUCT(x BIGINT, z BOOLEAN)[], n VARCHAR"
	if !changed || s.String() != want || s.Version != 2 || s.Columns[3].ID != 4 {
		t.Errorf("got %s version %d", s, s.Version)
	}
	if old.String() != "a BIGINT, u STRUCT(x BIGINT), l STRUCT(x BIGINT)[]" {
		t.Errorf("the old schema changed: %s", old)
	}
	marked, changed := infer.MarkWide(old, []int32{1, 9})
	if again, _ := infer.MarkWide(marked, []int32{1}); !changed || again != marked {
		t.Error("MarkWide")
	}
	if s, changed := infer.Evolve(marked, lines(`{"a":1.5}`)); changed || s != marked {
		t.Errorf("a wide column became %s", s)
	}
	if s, changed := infer.Evolve(old, lines(`{"a":1.5}`, `{"a":9007199254740993}`)); changed {
		t.Errorf("got %s", s)
	}
	if s, changed := infer.Evolve(old, lines(`{"a":"x","u":5,"l":{}}`)); changed {
		t.Errorf("conflicts made %s", s)
	}
}

// genRecord makes records over few keys, so that they meet.
func genRecord() *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "A", "b", "ts", "user", "ü \"x"}), genValue(3), 0, 5)
}

func genValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		last := 7
		if depth > 0 {
			last = 9
		}
		switch rapid.IntRange(0, last).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Int64().Draw(t, "int")
		case 3:
			return rapid.Int64Range(-10, 1e13).Draw(t, "small")
		case 4:
			return json.Number(fmt.Sprintf("%d%d", rapid.Int64Range(1, math.MaxInt64).Draw(t, "high"), rapid.Uint32().Draw(t, "low")))
		case 5:
			return rapid.Float64Range(-1e9, 1e9).Draw(t, "float")
		case 6:
			return strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		case 7:
			return rapid.SampledFrom([]string{"2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 10:00", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "12", "9007199254740993"}).Draw(t, "form")
		case 8:
			return rapid.SliceOfN(genValue(depth-1), 0, 3).Draw(t, "list")
		default:
			return rapid.MapOfN(rapid.SampledFrom([]string{"x", "X", "y"}), genValue(depth-1), 0, 3).Draw(t, "object")
		}
	})
}

func genRecords(t *rapid.T, label string) [][]byte {
	var out [][]byte
	for _, r := range rapid.SliceOfN(genRecord(), 1, 6).Draw(t, label) {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// accepted decodes each record by itself and tells which were accepted.
func accepted(t *rapid.T, s *types.Schema, records [][]byte) []bool {
	out := make([]bool, len(records))
	d := codec.NewDecoder(s, codec.Options{Name: "s"})
	for i, r := range records {
		got, err := d.Decode(r, codec.NDJSON)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = len(got.Rejects) == 0
		if !out[i] {
			t.Logf("%s rejects %s: %v", s, r, got.Rejects[0].Err)
		}
	}
	return out
}

func TestInferredSchemaDecodesItsRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := genRecords(t, "records")
		s, notes := infer.Infer(records)
		if len(notes) > 0 {
			t.Fatal(notes[0].Err)
		}
		if len(s.Columns) > 0 && s.Validate() != nil {
			t.Fatal(s.Validate())
		}
		for i, ok := range accepted(t, s, records) {
			if !ok {
				t.Fatalf("record %d is rejected", i)
			}
		}
		if again, changed := infer.Evolve(s, records); changed {
			t.Fatalf("%s evolves to %s with the records that it is from", s, again)
		}
	})
}

func TestEvolutionIsIdempotentAndMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := genRecords(t, "first"), genRecords(t, "second")
		old, _ := infer.Infer(first)
		before := accepted(t, old, append(first, second...))
		grown, changed := infer.Evolve(old, second)
		if again, more := infer.Evolve(grown, second); more || !reflect.DeepEqual(again, grown) {
			t.Fatalf("%s evolves again to %s", grown, again)
		}
		if changed != (grown.Version == old.Version+1) {
			t.Fatalf("changed is %v at version %d", changed, grown.Version)
		}
		after := accepted(t, grown, append(first, second...))
		for i, r := range append(first, second...) {
			if before[i] && !after[i] && !vague(t, r) {
				t.Fatalf("%s took %s, %s does not", old, r, grown)
			}
		}
	})
}

// vague reports whether a record has a field like {"a":[]} that no column takes until its type is known: only then may
// a later type refuse it.
func vague(t *rapid.T, record []byte) bool {
	var v map[string]any
	if err := json.Unmarshal(record, &v); err != nil {
		t.Fatal(err)
	}
	found := false
	var empty func(v any) bool
	empty = func(v any) bool {
		all := true
		switch v := v.(type) {
		case nil:
			return true
		case []any:
			for _, e := range v {
				all = empty(e) && all
			}
		case map[string]any:
			for _, e := range v {
				all = empty(e) && all
			}
		default:
			return false
		}
		found = found || all
		return all
	}
	for _, e := range v {
		empty(e)
	}
	return found
}

func TestEventTime(t *testing.T) {
	for columns, want := range map[string]int32{
		"a BIGINT": 0, "a BIGINT, b TIMESTAMP": 2, "a TIMESTAMP, b TIMESTAMP": 0, `"updated_at" TIMESTAMP, ts TIMESTAMP`: 2,
		`x TIMESTAMP, "shippedAt" TIMESTAMPTZ`: 2, `ts BIGINT, created_at TIMESTAMP, "dateTime" TIMESTAMP`: 3,
	} {
		typ, err := types.ParseType("STRUCT(" + columns + ")")
		if err != nil {
			t.Fatal(err)
		}
		s := &types.Schema{}
		for _, f := range typ.Fields {
			s.Add(f.Name, f.Type)
		}
		if got := infer.EventTime(s); got != want {
			t.Errorf("%s: got %d, want %d", columns, got, want)
		}
	}
}
