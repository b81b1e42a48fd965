package types

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func genType(depth int) *rapid.Generator[Type] {
	return rapid.Custom(func(t *rapid.T) Type {
		last := int(JSON)
		if depth > 0 {
			last = int(Map)
		}
		k := Kind(rapid.IntRange(1, last).Draw(t, "kind"))
		switch k {
		case Decimal:
			p := rapid.Uint8Range(1, 38).Draw(t, "precision")
			return DecimalOf(p, rapid.Uint8Range(0, p).Draw(t, "scale"))
		case List:
			return ListOf(genType(depth-1).Draw(t, "elem"))
		case Map:
			return MapOf(genType(0).Draw(t, "key"), genType(depth-1).Draw(t, "value"))
		case Struct:
			names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z "ü]{1,6}`), 1, 4, rapid.ID[string]).Draw(t, "names")
			s := Type{Kind: Struct}
			for _, n := range names {
				s.Fields = append(s.Fields, Field{Name: n, Key: n + rapid.SampledFrom([]string{"", "X"}).Draw(t, "suffix"), Type: genType(depth-1).Draw(t, "field")})
			}
			return s
		}
		return Of(k)
	})
}

func TestTypeTextAndJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genType(3).Draw(t, "type")
		b, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var got Type
		if err := got.UnmarshalJSON(b); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !got.Equal(want) {
			t.Fatalf("%s read back as %s", want, got)
		}
	})
}

func TestSchemaArrowRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Schema{Version: rapid.IntRange(1, 9).Draw(t, "version")}
		for i := range rapid.IntRange(1, 5).Draw(t, "columns") {
			n := want.Add(string(rune('a'+i)), genType(2).Draw(t, "type"), "k", "ü")
			want.Columns[n].NotNull = rapid.Bool().Draw(t, "not null")
			want.Columns[n].Wide = rapid.Bool().Draw(t, "wide")
		}
		got, err := SchemaFromArrow(want.Arrow())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestParseTypeSynonymsAndErrors(t *testing.T) {
	for text, want := range map[string]string{
		"int": "INTEGER", " Text ": "VARCHAR", "varchar(10)": "VARCHAR", "timestamptz": "TIMESTAMP WITH TIME ZONE",
		"timestamp(3)": "TIMESTAMP", "TIMESTAMP (6) with time zone": "TIMESTAMP WITH TIME ZONE", "numeric(4)": "DECIMAL(4,0)",
		"decimal": "DECIMAL(18,3)", "double precision": "DOUBLE", "enum('a', 'b)')": "VARCHAR", "int[][]": "INTEGER[][]",
		`struct("A b" int, c map(text, double)[])`: `STRUCT("A b" INTEGER, c MAP(VARCHAR, DOUBLE)[])`,
	} {
		got, err := ParseType(text)
		if err != nil || got.String() != want {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "nope", "int[", "decimal(39)", "decimal(3,4)", "struct()", "struct(a int, A text)", "map(int)", "int int", "list", "time with time zone",
		"int[][][][][][][][][][]"} {
		if got, err := ParseType(text); err == nil {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}

func TestPositionTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cursors []Cursor
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			cursors = append(cursors, Cursor{PartitionID{ObjectID(rapid.Uint64().Draw(t, "s")), rapid.Uint32().Draw(t, "i")}, Offset(rapid.Uint64().Draw(t, "o"))})
		}
		want := NewPosition(rapid.Uint64().Draw(t, "incarnation"), cursors)
		token := want.Token()
		got, err := ParsePosition(token)
		if err != nil || !got.Covers(want) || !want.Covers(got) || got.Incarnation != want.Incarnation {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
		damaged := []byte(token)
		i := rand.IntN(len(damaged))
		damaged[i] ^= 1
		if _, err := ParsePosition(string(damaged)); err == nil && string(damaged) != token {
			t.Fatalf("damaged token %s accepted", damaged)
		}
	})
}

func TestPlaceCountsCharacters(t *testing.T) {
	if l, c := Place("äb\ncd", 4); l != 2 || c != 1 {
		t.Errorf("got line %d column %d", l, c)
	}
}

func TestEveryCodeHasARow(t *testing.T) {
	for _, c := range Codes() {
		if m := c.Mapping(); m.Status < 400 || len(m.SQLState) != 5 || m.Exit == 0 {
			t.Errorf("%s: %+v", c, m)
		}
	}
}

func TestParseTypeKeys(t *testing.T) {
	for text, want := range map[string]string{
		"struct(a int, a_2 int key 'A')[]":            "STRUCT(a INTEGER, a_2 INTEGER KEY 'A')[]",
		`MAP(VARCHAR, STRUCT("key" INT KEY 'it''s'))`: `MAP(VARCHAR, STRUCT(key INTEGER KEY 'it''s'))`,
		"STRUCT(a INT KEY 'a')":                       "STRUCT(a INTEGER)",
		"STRUCT(a INT KEY 1)":                         "",
		"STRUCT(a INT KEY 'x)":                        "",
		"STRUCT(a INT KEY 'b', b INT)":                "",
	} {
		got, err := ParseType(text)
		if want == "" && err == nil || want != "" && (err != nil || got.Definition() != want) {
			t.Errorf("%s: %s, %v", text, got.Definition(), err)
		}
	}
}
