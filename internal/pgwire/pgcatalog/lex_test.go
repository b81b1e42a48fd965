package pgcatalog

import (
	"strings"
	"testing"
)

func TestLex(t *testing.T) {
	for text, want := range map[string]string{
		`SELECT 'a''b', E'a\'b', "x""y", $1, $tag$ it's $tag$, 1.5e3`: `SELECT|'a''b'|,|E'a\'b'|,|"x""y"|,|$1|,|$tag$ it's $tag$|,|1.5e3`,
		"a /* x /* y */ z */ b -- c\n d":                              "a|b|d",
		"a::b<>-1 !~* x":                                              "a|::|b|<>|-|1|!~*|x",
		"OPERATOR(pg_catalog.~)":                                      "OPERATOR|(|pg_catalog|.|~|)",
		"'open":                                                       "'open",
		"$$open":                                                      "$$open",
		"/* open":                                                     "",
	} {
		var got []string
		for _, tok := range lex(text) {
			got = append(got, text[tok.start:tok.end])
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %s, want %s", text, strings.Join(got, "|"), want)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT c.relname OPERATOR(pg_catalog.~) '^(a)$' COLLATE pg_catalog.default":           "SELECT c.relname  ~  '^(a)$' ",
		`x::pg_catalog.regclass, y::"char", CAST(z AS oid) AS oid, CAST(a AS pg_catalog.text)`: `x::regclass, y::pgchar, CAST(z AS pgoid) AS oid, CAST(a AS text)`,
		"'OPERATOR(pg_catalog.~)'": "'OPERATOR(pg_catalog.~)'",
		"x COLLATE":                "x COLLATE",
		"a AS collate, b":          "a AS collate, b",
		"x::":                      "x::",
		"OPERATOR(":                "OPERATOR(",
	} {
		if got, changed := plain(text); got != want || changed != (got != text) {
			t.Errorf("%s: %q (%v), want %q", text, got, changed, want)
		}
	}
}

// FuzzPlain holds the tokens to be in order and within the text, and the rewriting not to fail on any text.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"SELECT 1", `a::"char" /* x */ OPERATOR(pg_catalog.~*) $1 COLLATE "C"`, "CAST(x AS oid)", "E'\\", "$a$b$a", "x COLLATE pg_catalog.", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, tok := range lex(text) {
			if tok.start < end || tok.end <= tok.start || tok.end > len(text) {
				t.Fatalf("token %+v after %d of %d in %q", tok, end, len(text), text)
			}
			end = tok.end
		}
		if _, changed := plain(text); changed && !strings.ContainsAny(text, ":(cC") {
			t.Fatalf("%q was rewritten", text)
		}
	})
}

func TestStrftime(t *testing.T) {
	for pattern, want := range map[string]string{
		"YYYY-MM-DD HH24:MI:SS.US": "%Y-%m-%d %H:%M:%S.%f", "Mon YYYY": "%b %Y", "YYYY-MM-DDTHH24:MI:SSZ": "%Y-%m-%dT%H:%M:%SZ", `"week" IW, IYYY`: "week %V, %G",
		"HH12:MI AM": "%I:%M %p", "FMDay": "-", "999.99": "-", "Q": "-", "100%": "-", "MONTH": "-",
	} {
		got, ok := strftime(pattern)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

func TestArrayText(t *testing.T) {
	for _, v := range []string{"", "null", "a b", `a"b`, `a\b`, "{", "a,b"} {
		if q := quoteElement(v, v); q[0] != '"' {
			t.Errorf("%q is written %s", v, q)
		}
	}
	if q := quoteElement("plain", "plain"); q != "plain" {
		t.Error(q)
	}
}

// The static tables name no type that the engine lacks, and no two relations have one OID.
func TestStaticTables(t *testing.T) {
	oids := map[int64]string{}
	for name, b := range builtins {
		if other, ok := oids[b.oid]; ok {
			t.Errorf("%s and %s have the OID %d", name, other, b.oid)
		}
		oids[b.oid] = name
		if len(b.columns) == 0 || b.oid >= oidSystemNamespace {
			t.Errorf("%s: %d columns, OID %d", name, len(b.columns), b.oid)
		}
	}
	views, order := viewTexts()
	for _, name := range order {
		if b := builtins[name]; b == nil && !strings.HasPrefix(name, "leat_") || views[name] == "" {
			t.Errorf("static/views.sql has %s", name)
		}
	}
	for name := range sources {
		if builtins[name] == nil {
			t.Errorf("there is no relation %s", name)
		}
	}
}
