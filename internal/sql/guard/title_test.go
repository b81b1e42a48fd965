package guard_test

import (
	"context"
	"fmt"
	"testing"
)

// The names of columns don't depend on who asks, and don't tell of filters.
func TestFiltersDontNameColumns(t *testing.T) {
	g := newGuard(t)
	conn := world(t, g, rowsOfOthers[0])
	for _, sql := range []string{
		"SELECT (SELECT max(v) FROM orders), count(*) FROM items", "SELECT EXISTS (SELECT 1 FROM public.items), id IN (SELECT id FROM orders) FROM items",
		"SELECT 1 + (SELECT count(*) FROM big) UNION ALL SELECT 2", "SELECT (SELECT 1) AS one, (SELECT max(i.id) FROM items i WHERE i.id < o.id) FROM orders o",
	} {
		plain, err := g.Check(context.Background(), sql, tenants)
		if err != nil {
			t.Fatal(sql, err)
		}
		filtered, err := g.CheckFiltered(context.Background(), sql, tenants, byTenant)
		if err != nil {
			t.Fatal(sql, err)
		}
		args := map[string]any{}
		for _, f := range filtered.Filters {
			args[f.Param] = "a"
		}
		names := func(sql string, args map[string]any) (out []string) {
			rows, err := conn.Query(context.Background(), sql, args, 10)
			if err != nil {
				t.Fatal(sql, err)
			}
			defer rows.Close()
			for _, c := range rows.Columns() {
				out = append(out, c.Name)
			}
			return out
		}
		if want, got := names(plain.SQL, nil), names(filtered.SQL, args); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}
