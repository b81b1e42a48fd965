package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSkip(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]Err{
		`{"a":[1,-0.5e+3,true,null,"x\n"]}`: OK, `{}`: OK, `[ ]`: OK, deep(MaxDepth): OK, deep(MaxDepth + 1): TooDeep, deep(1_000_000): TooDeep,
		``: Truncated, `{"a"`: Truncated, `[1`: Truncated, `tru`: Truncated, `trux`: BadLiteral, `[1}`: Unexpected, `{1:2}`: Unexpected, `[1,]`: Unexpected,
		`{"a":1,}`: Unexpected, `01`: BadNumber, `1.x`: BadNumber, `-`: Truncated, `"\u12"`: BadEscape, `"\q"`: BadEscape, `"\ud800\u0041"`: LoneSurrogate,
		`"\udc00"`: LoneSurrogate, "\"\xc0\x80\"": BadUTF8, `"\u0000"`: NUL, "\"\x00\"": NUL, "\"\n\"": Control, `NaN`: Unexpected,
	} {
		if _, err := Skip([]byte(text), 0); err != want {
			t.Errorf("%.40q: got %q, want %q", text, err, want)
		}
	}
}

func TestCompactAndUnescapeMatchEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		v, err := json.MarshalIndent(map[string]any{text: []any{text, 1.5, nil, map[string]any{}}}, " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		end, fault := Skip(v, 0)
		if fault != OK || end != len(v) {
			t.Fatalf("%q: %s at %d", v, fault, end)
		}
		if balanced, ok := Balance(v, 0); !ok || balanced != end {
			t.Fatalf("%q: balanced at %d", v, balanced)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, v); err != nil {
			t.Fatal(err)
		}
		if got := Compact(nil, v); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("got %q, want %q", got, want.Bytes())
		}
		Members(v, func(key, _ []byte) bool {
			if got := Unescape(nil, key); string(got) != text {
				t.Fatalf("got %q, want %q", got, text)
			}
			return true
		})
	})
}

func TestHollow(t *testing.T) {
	for text, want := range map[string]bool{"null": true, "[]": true, `{"a":[null,{}]}`: true, `[""]`: false, "0": false, `{"a":{"b":false}}`: false, `"n"`: false} {
		if got := Hollow([]byte(text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}
