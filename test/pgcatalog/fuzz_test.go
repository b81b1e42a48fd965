package pgcatalog

import (
	"path/filepath"
	"testing"
	"time"

	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// FuzzIntercept holds every statement to be described or refused with a code, and never to fail inside.
func FuzzIntercept(f *testing.F) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for i, st := range read(f, file) {
			if i%4 == 0 && len(st.sql) < 2000 {
				f.Add(st.sql)
			}
		}
	}
	for _, sql := range []string{"SELECT lower()", "SELECT ~* 1", "SELECT x = ANY(unnest())", "SELECT format()", "SELECT * FROM unnest() a", "SELECT current_setting()",
		"SELECT coalesce() FROM pg_class", "SELECT indkey[] FROM pg_index", "SELECT (((x).y).z)[1] FROM pg_class", "SELECT pg_table_is_visible()", "SELECT * FROM generate_series() g"} {
		f.Add(sql)
	}
	c, s := open(f)
	f.Fuzz(func(t *testing.T, sql string) {
		began := time.Now()
		v, err := c.Intercept(t.Context(), s, sql, nil)
		if took := time.Since(began); took > pgcatalog.Timeout/2 {
			t.Fatalf("%q took %s", sql, took)
		}
		if err != nil {
			if e := types.AsError(err); e.Code == types.Internal {
				t.Fatalf("%s: %v", sql, err)
			}
			return
		}
		if v.Statement == nil && v.SQL == "" && sql != "" {
			t.Fatalf("%q became nothing", sql)
		}
	})
}
