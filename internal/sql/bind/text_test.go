package bind

import (
	"math/big"
	"reflect"
	"testing"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"()", nil}, {"( a )", []string{"a"}}, {"(a, b)", []string{"a", "b"}}, {"((a, b), [c, d], f(e, f))", []string{"(a, b)", "[c, d]", "f(e, f)"}},
		{"('a,''b)', \"c,)\")", []string{"'a,''b)'", "\"c,)\""}}, {"(a -- ,)\n, b /* ), /* , */ */)", []string{"a -- ,)", "b /* ), /* , */ */"}},
		{"($$a,)$$, $x$,$$)$x$)", []string{"$$a,)$$", "$x$,$$)$x$"}}, {"(e'\\'),', b)", []string{"e'\\'),'", "b"}}, {"($1, a)", []string{"$1", "a"}},
	} {
		spans, end, err := arguments(c.text+" rest)", 0)
		if err != nil || end != len(c.text) {
			t.Errorf("%s: end %d, %v", c.text, end, err)
		}
		var got []string
		for _, s := range spans {
			got = append(got, c.text[s.start:s.end])
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q", c.text, got)
		}
	}
	for _, text := range []string{"(", "(a", "('a)", "(/* )"} {
		if _, _, err := arguments(text, 0); err == nil {
			t.Errorf("%s is closed", text)
		}
	}
}

func TestStatementEnd(t *testing.T) {
	for text, want := range map[string]int{"SELECT 1": 8, "SELECT 1; -- x": 8, "SELECT 1 /* ; */ ;\n": 8, "": 0, "SELECT ';'": 10} {
		if got := statementEnd(text); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	s := segments{made("SELECT (", 0), {text: "abc", from: 10}, made("view", 20), {text: "xyz", from: 24}, made(")", 27)}
	for offset, want := range map[int]int{0: 0, 7: 0, 8: 10, 10: 12, 11: 20, 14: 20, 15: 24, 17: 26, 18: 27, 99: 27} {
		if got := s.origin(offset); got != want {
			t.Errorf("%d: %d, not %d", offset, got, want)
		}
	}
	if got := offsetOf("a\näb\nc", 2, 2); got != 4 {
		t.Error("offsetOf:", got)
	}
}

func TestFold(t *testing.T) {
	text := func(s string) *plan.Expr { return plan.Lit(s, types.Of(types.Varchar)) }
	number := func(n int64) *plan.Expr { return plan.Lit(n, types.Of(types.Integer)) }
	decimal := func(n int64, scale uint8) *plan.Expr { return plan.Lit(big.NewInt(n), types.DecimalOf(10, scale)) }
	for _, c := range []struct {
		from *plan.Expr
		to   types.Type
		want any
	}{
		{text("10"), types.Of(types.Double), 10.0}, {text("nan"), types.Of(types.Double), false}, {text("1 "), types.Of(types.BigInt), false},
		{text("-12"), types.Of(types.Integer), int64(-12)}, {text("300"), types.Of(types.TinyInt), false}, {text("t"), types.Of(types.Boolean), true},
		{text("2020-01-01"), types.Of(types.Date), int64(18262)}, {text("2020-13-01"), types.Of(types.Date), false},
		{text("2020-01-01 00:00:00.000001"), types.Of(types.Timestamp), int64(1577836800000001)},
		{text("2020-01-01T01:00:00+01"), types.Of(types.TimestampTZ), int64(1577836800000000)},
		{text("1 day 2 hours"), types.Of(types.Interval), plan.Interval{Days: 1, Micros: 7200000000}}, {text("1 fortnight"), types.Of(types.Interval), false},
		{text("-1 month 00:00:01.5"), types.Of(types.Interval), plan.Interval{Months: -1, Micros: 1500000}}, {text(""), types.Of(types.Interval), false},
		{number(5), types.Of(types.BigInt), int64(5)}, {number(5), types.Of(types.HugeInt), big.NewInt(5)}, {number(-5), types.Of(types.UInteger), false},
		{number(5), types.DecimalOf(3, 2), big.NewInt(500)}, {number(50), types.DecimalOf(3, 2), false}, {number(5), types.Of(types.Double), 5.0},
		{decimal(15, 1), types.Of(types.Double), 1.5}, {decimal(15, 1), types.DecimalOf(10, 3), big.NewInt(1500)}, {decimal(15, 1), types.Of(types.BigInt), false},
		{plan.Lit(nil, types.Of(types.Integer)), types.Of(types.Date), nil}, {plan.Lit(int64(1), types.Of(types.Date)), types.Of(types.Timestamp), int64(dayMicros)},
	} {
		got := fold(&plan.Expr{Kind: plan.Cast, Type: c.to, Args: []*plan.Expr{c.from}})
		if c.want == false {
			if got.Kind != plan.Cast {
				t.Errorf("cast of %s to %s: %v", c.from, c.to, got)
			}
			continue
		}
		if got.Kind != plan.Const || !reflect.DeepEqual(got.Value, c.want) {
			t.Errorf("cast of %s to %s: %v, not %v", c.from, c.to, got, c.want)
		}
	}
}
