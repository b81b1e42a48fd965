package pgcatalog

import (
	"fmt"
	"strings"
	"testing"

	"leat/internal/auth"
	"leat/internal/pgwire/pgcatalog"
	"leat/internal/types"
)

// rowsOf are the rows of an answer, joined.
func rowsOf(t *testing.T, c *pgcatalog.Catalog, s *pgcatalog.Session, sql string, params ...string) string {
	t.Helper()
	st := statement{label: sql, sql: sql}
	for _, p := range params {
		st.params = append(st.params, &p)
	}
	a := ask(t, c, s, st)
	if a.err != nil {
		t.Fatalf("%s: %v", sql, a.err)
	}
	var out []string
	for _, r := range a.rows {
		out = append(out, strings.Join(r, "|"))
	}
	return strings.Join(out, " ")
}

func TestSessionsSeeWhatTheyMayRead(t *testing.T) {
	c, local := open(t)
	const relations = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'i'"
	scoped := *local
	scoped.Principal = auth.Principal{ID: "x", Scopes: []auth.Scope{{Action: auth.Read, Object: "events"}, {Action: auth.Append, Object: "users"}, {Action: auth.Read, Object: "users"}}}
	filtered := *local
	filtered.Principal = auth.Principal{ID: "y", Scopes: []auth.Scope{{Action: auth.Read, Object: "*"}}, Filters: map[string]auth.Filter{"plain": {}}}
	nobody := *local
	nobody.Principal = auth.Principal{}
	for _, x := range []struct {
		who  string
		s    *pgcatalog.Session
		want string
	}{{"admin", local, "events,plain,totals,users"}, {"scoped", &scoped, "events,users"}, {"filtered", &filtered, "plain"}, {"nobody", &nobody, "NULL"}} {
		if got := rowsOf(t, c, x.s, relations); got != x.want {
			t.Errorf("%s sees %s, want %s", x.who, got, x.want)
		}
	}
	for _, x := range []struct {
		s         *pgcatalog.Session
		sql, want string
	}{
		{&scoped, "SELECT has_table_privilege('events', 'INSERT'), has_table_privilege('users', 'INSERT'), has_table_privilege('users', 'SELECT')", "f|t|t"},
		{&scoped, "SELECT has_table_privilege('totals', 'SELECT')", "NULL"},
		{&scoped, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'totals'", "0"},
		{&scoped, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'leat_system'", "0"},
		{local, "SELECT pg_get_viewdef('plain'::regclass)", " SELECT id, user_name FROM events;"},
		{&filtered, "SELECT count(*), count(pg_get_viewdef(oid)) FROM pg_class WHERE relname = 'plain'", "1|0"},
		{&filtered, "SELECT 1 + 1", "2"},
		{&filtered, "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin", ""},
	} {
		if got := rowsOf(t, c, x.s, x.sql); got != x.want {
			t.Errorf("%s: %s, want %s", x.sql, got, x.want)
		}
	}
}

func TestStatementsFollowTheSession(t *testing.T) {
	c, s := open(t)
	v, err := c.Intercept(t.Context(), s, "SELECT current_schema(), current_setting('search_path'), pg_table_is_visible('leat_system.objects'::regclass)", nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func() string {
		r, err := v.Statement.Run(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for i := range 3 {
			b, _, err := r.Append(nil, 0, i, 0)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(b))
		}
		return strings.Join(out, " ")
	}
	if got := run(); got != `public "$user", public f` {
		t.Error(got)
	}
	s.SearchPath, s.Settings = []string{"leat_system"}, map[string]string{"search_path": "leat_system"}
	if got := run(); got != "leat_system leat_system t" {
		t.Error(got)
	}
}

func TestSetConfig(t *testing.T) {
	c, s := open(t)
	v, err := c.Intercept(t.Context(), s, "SELECT pg_catalog.set_config('Search_Path', '', false)", nil)
	if err != nil || len(v.Statement.Settings()) != 1 {
		t.Fatal(v, err)
	}
	if value, ok := v.Statement.Settings()["search_path"]; !ok || value != "" {
		t.Error(v.Statement.Settings())
	}
}

func TestParameters(t *testing.T) {
	c, s := open(t)
	for _, x := range []struct {
		sql    string
		types  string
		params []string
		want   string
	}{
		{"SELECT relname FROM pg_class WHERE relname = $1", "[19]", []string{"events"}, "events"},
		{"SELECT relname FROM pg_class WHERE oid = $1::regclass", "[25]", []string{"public.users"}, "users"},
		{"SELECT typname FROM pg_type WHERE oid = $1", "[26]", []string{"25"}, "text"},
		{"SELECT count(*) FROM pg_class WHERE relname = ANY($1)", "[1003]", []string{`{events,"users"}`}, "2"},
		{"SELECT count(*) FROM pg_type WHERE oid = ANY($1::oid[])", "[1028]", []string{"{25,16}"}, "2"},
		{"SELECT typname FROM pg_type WHERE typname = to_regtype($1)::text", "[25]", []string{"text"}, "text"},
		{"SELECT relname FROM pg_class WHERE relnamespace = 2200 AND relkind IN ($1, $2) ORDER BY 1 LIMIT $3", "[18 18 20]", []string{"r", "v", "2"}, "events plain"},
	} {
		v, err := c.Intercept(t.Context(), s, x.sql, nil)
		if err != nil {
			t.Fatal(x.sql, err)
		}
		if got := fmt.Sprint(v.Statement.Params()); got != x.types {
			t.Errorf("%s: types %s, want %s", x.sql, got, x.types)
		}
		if got := rowsOf(t, c, s, x.sql, x.params...); got != x.want {
			t.Errorf("%s: %s, want %s", x.sql, got, x.want)
		}
	}
	if a := ask(t, c, s, statement{sql: "SELECT relname FROM pg_class WHERE oid = $1::regclass", params: []*string{nil}}); a.err != nil || len(a.rows) != 0 {
		t.Error("NULL:", a)
	}
}

func TestRefused(t *testing.T) {
	c, s := open(t)
	for sql, code := range map[string]types.Code{
		"SELECT c.relname, e.id FROM pg_class c, events e":                               types.NotAllowed,
		"SELECT relname FROM pg_class UNION SELECT user_name FROM public.events":         types.NotAllowed,
		"SELECT * FROM pg_catalog.nosuch":                                                types.UnknownRelation,
		"SELECT * FROM information_schema.nosuch":                                        types.UnknownRelation,
		"SELECT nosuch FROM pg_class":                                                    types.UnknownColumn,
		"SELECT pg_read_file('/etc/passwd') FROM pg_class":                               types.UnknownFunction,
		"SELECT * FROM pg_class, read_text('/etc/passwd')":                               types.NotAllowed,
		"SELECT leat_system.leat_setting('x') FROM pg_class":                             types.UnknownFunction,
		"SELECT * FROM pg_class, leat_relation()":                                        types.UnknownFunction,
		"SELECT relname, query('SELECT 1') FROM pg_class":                                types.UnknownFunction,
		"SELECT 'nosuch'::regclass":                                                      types.UnknownRelation,
		"SELECT current_setting('nosuch')":                                               types.NotFound,
		"SELECT repeat(relname, 100000000) FROM pg_class":                                types.QueryTooComplex,
		"SELECT a.attname || repeat(b.attname, 200) FROM pg_attribute a, pg_attribute b": types.LimitExceeded,
	} {
		v, err := c.Intercept(t.Context(), s, sql, nil)
		if err == nil && v.Statement != nil {
			_, err = v.Statement.Run(t.Context(), s, nil)
		}
		if !types.HasCode(err, code) {
			t.Errorf("%s: %v, want %s", sql, err, code)
		}
	}
}

func TestOrdinaryStatements(t *testing.T) {
	c, s := open(t)
	for sql, want := range map[string]string{
		"SELECT id FROM events":                                          "SELECT id FROM events",
		"INSERT INTO events VALUES ('pg_class')":                         "INSERT INTO events VALUES ('pg_class')",
		"SELECT 'pg_class' FROM events":                                  "SELECT 'pg_class' FROM events",
		"SELECT pg_x FROM events -- pg_class":                            "SELECT pg_x FROM events -- pg_class",
		"SELECT to_char(ts, 'YYYY-MM') FROM events":                      "SELECT strftime(ts, '%Y-%m') FROM events",
		"SELECT to_char(ts, 'FMDay') FROM events":                        "SELECT to_char(ts, 'FMDay') FROM events",
		"SELECT current_user, id FROM events WHERE id = $1":              `SELECT CAST('app' AS VARCHAR), id FROM events WHERE (id = $1)`,
		"SELECT g FROM generate_series(1, 2) AS g":                       "SELECT g FROM generate_series(1, 2) AS g(g)",
		"SELECT substring(user_name FROM '(a)') FROM events":             `SELECT "nullif"(regexp_extract(user_name, '(a)', CAST(1 AS INTEGER)), '') FROM events`,
		"SELECT substring(user_name FROM 1 FOR 2) FROM events":           "SELECT substring(user_name FROM 1 FOR 2) FROM events",
		"SELECT tags::jsonb FROM events":                                 "SELECT tags::JSON FROM events",
		"SELECT * FROM events WHERE id = ANY('{1,2}'::bigint[])":         "",
		"SELECT id FROM public.events e WHERE e.id = ANY($1)":            "SELECT id FROM public.events AS e WHERE list_contains(CAST($1 AS BIGINT[]), e.id)",
		"SELECT id FROM events WHERE user_name <> ALL($1)":               "SELECT id FROM events WHERE (NOT list_contains(CAST($1 AS VARCHAR[]), user_name))",
		"SELECT syntax error here to_char":                               "SELECT syntax error here to_char",
		"SELECT k FROM TUMBLE(events, ts, INTERVAL '1 hour') GROUP BY k": "SELECT k FROM TUMBLE(events, ts, INTERVAL '1 hour') GROUP BY k",
	} {
		v, err := c.Intercept(t.Context(), s, sql, nil)
		if err != nil || v.Statement != nil {
			t.Errorf("%s: %v %v", sql, v, err)
			continue
		}
		if want != "" && v.SQL != want || v.Rewritten != (v.SQL != sql) {
			t.Errorf("%s becomes %s (%v), want %s", sql, v.SQL, v.Rewritten, want)
		}
	}
}

func TestOIDsAreStable(t *testing.T) {
	c, s := open(t)
	const sql = "SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_type UNION ALL SELECT oid FROM pg_namespace UNION ALL SELECT oid FROM pg_constraint"
	first := rowsOf(t, c, s, sql)
	seen := map[string]bool{}
	for _, oid := range strings.Fields(first) {
		if seen[oid] {
			t.Errorf("OID %s is given twice", oid)
		}
		seen[oid] = true
	}
	again, s2 := open(t)
	if rowsOf(t, again, s2, sql) != first {
		t.Error("OIDs changed")
	}
}
