package guard_test

import (
	"context"
	"strings"
	"testing"

	"leat/internal/types"
)

// What the guard assumes of parameters holds for their values, or the statement doesn't run with them.
func TestValuesOfParametersAreJudged(t *testing.T) {
	g := newGuard(t)
	deaf, long := strings.Repeat("%_", 20)+"b", strings.Repeat("x", 90_000)
	for _, c := range []struct {
		sql     string
		refused []any
		fine    []any
	}{
		{"SELECT count(*) FROM orders WHERE v LIKE $p", []any{deaf, deaf + long}, []any{"%abc%", "%a%b%c%d%e%", "a_b%", long[:10_000], nil, int64(7)}},
		{"SELECT count(*) FROM orders WHERE v LIKE CAST($p AS VARCHAR)", []any{deaf}, []any{"%a_b%", long[:10_000]}},
		{"SELECT count(*) FROM orders WHERE v ILIKE '%' || $p || '%'", []any{deaf, "a%b%c%d%e"}, []any{"abc", "a%b"}},
		{"SELECT count(*) FROM orders WHERE v GLOB $p", []any{strings.Repeat("*a", 20) + "b"}, []any{"*a*", "abc"}},
		{"SELECT count(*) FROM orders WHERE NOT v SIMILAR TO $p", nil, []any{"(a|b)*", deaf}},
		{"SELECT levenshtein($p, $p || 'x')", []any{long}, []any{"abc", strings.Repeat("x", 2000)}},
		{"SELECT json_extract(v, $p) FROM orders", []any{"$" + strings.Repeat("..*", 20)}, []any{"$.a.b[0]", "$.a[*]"}},
		{"SELECT count(*) FROM orders WHERE v = $p", nil, []any{long + long + long + long + long + long + long, deaf}},
		{"SELECT count(*) FROM orders WHERE id IN (SELECT unnest($p))", nil, []any{make([]any, 10_000)}},
		{"SELECT repeat($p, 100) FROM orders", []any{long}, []any{"abc"}},
	} {
		v, err := g.Check(context.Background(), c.sql, tenants)
		if err != nil {
			t.Fatal(c.sql, err)
		}
		judge := func(value any) error {
			if !v.Sized {
				return nil
			}
			return g.CheckArgs(context.Background(), c.sql, tenants, map[string]any{"P": value, "_leat_filter_1_0": "a"})
		}
		for _, value := range c.refused {
			if err := judge(value); !types.HasCode(err, types.QueryTooComplex) {
				t.Errorf("%s with %.60v: %v", c.sql, value, err)
			}
		}
		for _, value := range c.fine {
			if err := judge(value); err != nil {
				t.Errorf("%s with %.60v: %v", c.sql, value, err)
			}
		}
	}
}
