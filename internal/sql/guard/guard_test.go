package guard_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"leat/internal/duck"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

type catalog map[string]guard.Relation

func (c catalog) Relation(name string) (guard.Relation, bool) { r, ok := c[name]; return r, ok }

func (c catalog) Names() []string {
	var out []string
	for n := range c {
		out = append(out, n)
	}
	return out
}

var relations = catalog{
	"flights":                  {ID: 10, Name: "flights"},
	"airports":                 {ID: 11, Name: "airports"},
	"late":                     {ID: 12, Name: "late", Query: "SELECT * FROM flights WHERE delay > 10"},
	"later":                    {ID: 13, Name: "later", Query: "SELECT * FROM late UNION ALL SELECT * FROM late"},
	"big":                      {ID: 15, Name: "big", Query: "SELECT repeat('x', 1000000) AS s"},
	"loop":                     {ID: 14, Name: "loop", Query: "SELECT * FROM loop"},
	"leat_system.dead_letters": {ID: 1, Name: "leat_system.dead_letters"},
}

func newGuard(t testing.TB) *guard.Guard {
	t.Helper()
	p, err := duck.NewParser()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return guard.New(p)
}

func TestAllowed(t *testing.T) {
	g := newGuard(t)
	for _, sql := range []string{
		"SELECT 1",
		"SELECT origin, count(*) FROM flights GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
		`FROM public."Flights" f JOIN airports a ON f.origin = a.code`,
		"WITH flights2 AS (SELECT * FROM flights), b AS MATERIALIZED (FROM flights2) SELECT * FROM b, flights2",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT * FROM n",
		"SELECT * FROM range(1000000)", "SELECT * FROM generate_series(1, 10) g(i)", "SELECT repeat('ab', 10)",
		"SELECT rpad(origin, 10, '-'), list_transform(l, lambda x: x + 1) FROM flights",
		"SELECT range(least($n, 100))", "SELECT repeat('x', least(n, 100)) FROM flights", "SELECT repeat('x', n % 50) FROM flights", "SELECT i FROM flights, range(flights.n) r(i)",
		"SELECT replace(replace(replace(replace(regexp_replace(phone, '[^0-9+()-]', ''), '-', ''), '(', ''), ')', ''), ' ', '') FROM flights",
		"SELECT * FROM flights WHERE a ILIKE '%foo%bar%' OR a LIKE $p OR a LIKE 'x__%' OR a GLOB '*x*' OR a LIKE b", "SELECT j->>'$.a.b[*].c' FROM flights",
		"SELECT upper(a) AS a, concat(a, b, ' ', c) AS d FROM (SELECT lower(a) AS a, trim(b) AS b, a || c AS c FROM flights)",
		"SELECT list_sum(list_transform(range(1000000), lambda x: x * x))", "SELECT x::INT[3], x::DECIMAL(10, 2), x::ENUM('a', 'b'), x::STRUCT(a INT, b VARCHAR[]) FROM flights",
		"SELECT range(len([1, 2, 3]))",
		"SELECT * FROM generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-03-01', INTERVAL 1 HOUR)",
		"SELECT * FROM range(now()::TIMESTAMP - INTERVAL 1 DAY, now()::TIMESTAMP, INTERVAL '5 minutes')",
		"SELECT x FROM flights WHERE a = $state LIMIT $n OFFSET $o",
		"SELECT 'NOT MATERIALIZED', 1 AS \"not materialized\" -- NOT MATERIALIZED\n/* NOT /* x */ MATERIALIZED */",
		"SELECT $$NOT MATERIALIZED$$, e'it\\'s NOT MATERIALIZED'",
		"SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d) FROM flights QUALIFY row_number() OVER () = 1",
		"SELECT COLUMNS('x.*'), * EXCLUDE (a) REPLACE (b + 1 AS b) FROM later",
		"PIVOT flights ON origin IN ('A', 'B') USING sum(x) GROUP BY carrier",
		"SELECT * FROM leat_system.dead_letters", "SELECT origin.upper() FROM flights", "SELECT printf('%05d', x), format('{:>10}', y) FROM flights",
		"SELECT CASE WHEN a THEN b ELSE c END, a BETWEEN 1 AND 2, a IN (SELECT 1), [x + 1 FOR x IN l], {'a': 1}, MAP {'a': 1}, a::DECIMAL(10, 2), TRY(a), b COLLATE nocase FROM flights",
		"SELECT * FROM flights ASOF JOIN airports USING (ts)", "SELECT * FROM flights, LATERAL (SELECT flights.a + 1)", "SELECT unnest(l) FROM flights",
		"SELECT count(*) FROM flights GROUP BY ROLLUP (a, b)", "VALUES (1), (2)",
	} {
		if _, err := g.Check(context.Background(), sql, relations); err != nil {
			t.Errorf("%s\n\t%v", sql, err)
		}
	}
}

// TestDeafQueries refuses what DuckDB runs for seconds or gigabytes without looking for an interrupt; each was measured.
func TestDeafQueries(t *testing.T) {
	g := newGuard(t)
	for name, sql := range map[string]string{
		"size from a column":     "SELECT length(repeat(s, a * 1000000)) FROM flights",
		"list from a column":     "SELECT len(range(a * 100000)) FROM flights",
		"padding from a column":  "SELECT rpad(s, n, 'x') FROM flights",
		"large text a row":       "SELECT replace(s, 'x', repeat('b', 1000000)) FROM flights",
		"aliases that double":    "SELECT repeat('x', 1000000) AS a, a||a AS b, b||b AS c, c||c AS d, d||d AS e, e||e AS f, f||f AS g",
		"CTEs that double":       "WITH a AS (SELECT repeat('x', 1000000) s), b AS (SELECT s||s||s||s||s||s||s||s s FROM a), c AS (SELECT s||s||s||s||s||s||s s FROM b) SELECT length(s||s) FROM c",
		"listed names":           "WITH a(x) AS (SELECT repeat('x', 1000000)) SELECT x||x FROM a",
		"names of expressions":   `SELECT "repeat('x', 1000000)" || 'y' FROM (SELECT repeat('x', 1000000))`,
		"a view's column":        "SELECT s||s FROM big",
		"stars that double":      "SELECT COLUMNS(*) || COLUMNS(*) FROM (SELECT repeat('x', 1000000) AS s)",
		"many constants":         "SELECT " + strings.Repeat("len(range(1000000)), ", 100) + "1",
		"a map of constants":     "SELECT map(range(500000), range(500000))",
		"a histogram":            "SELECT list_aggregate(range(1000000), 'histogram')",
		"intersection":           "SELECT list_intersect(range(1000000), range(1000000))",
		"sorted lists":           "SELECT list_sort(range(1000000))",
		"GLOB":                   "SELECT '" + strings.Repeat("a", 100) + "' GLOB '" + strings.Repeat("*a", 50) + "b'",
		"GLOB on a column":       "SELECT s GLOB '" + strings.Repeat("*a", 8) + "b' FROM flights",
		"LIKE with _":            "SELECT '" + strings.Repeat("a", 100) + "' LIKE '" + strings.Repeat("%a_", 12) + "b'",
		"ILIKE":                  "SELECT s ILIKE '" + strings.Repeat("%a", 10) + "b' FROM flights",
		"ILIKE, built pattern":   "SELECT s ILIKE repeat('%a', 10) FROM flights",
		"wildcards in a path":    "SELECT json_extract(s, '$" + strings.Repeat("..*", 10) + "') FROM flights",
		"a wide SELECT":          "SELECT " + strings.Repeat("a, ", 20000) + "a FROM flights",
		"many stars":             "SELECT " + strings.Repeat("*, ", 1000) + "a FROM flights",
		"hex of hex":             "SELECT length(" + strings.Repeat("hex(", 12) + "repeat('a', 100000)" + strings.Repeat(")", 13),
		"a long separator":       "SELECT length(concat_ws(repeat('a', 1000000)" + strings.Repeat(", 'x'", 100) + "))",
		"a list a row":           "SELECT range(100000) FROM flights",
		"natural joins":          "SELECT count(*) FROM flights" + strings.Repeat(" NATURAL JOIN airports", 100),
		"nested subqueries":      "SELECT " + strings.Repeat("(SELECT max(a) FROM flights f WHERE f.a < flights.a AND ", 20) + "true" + strings.Repeat(")", 20) + " FROM flights",
		"nested arrays":          "SELECT NULL::INT[1000][1000][1000][100]",
		"set operations, nested": "SELECT * FROM (" + strings.Repeat("SELECT 1 UNION ALL ", 60) + "SELECT 1), (" + strings.Repeat("SELECT 1 UNION ALL ", 60) + "SELECT 1)",
	} {
		_, err := g.Check(context.Background(), sql, relations)
		if !types.HasCode(err, types.QueryTooComplex) {
			t.Errorf("%s: got %v, want %s", name, err, types.QueryTooComplex)
		}
	}
	if _, err := g.Check(context.Background(), "SELECT 1::DECIMAL(len(range(10000000)), 2)", relations); err == nil {
		t.Error("a type's parameter may run code")
	}
}

func TestRefused(t *testing.T) {
	g := newGuard(t)
	for sql, code := range map[string]types.Code{
		"SELECT 1; SELECT 2": types.NotAllowed, "": types.NotAllowed, "DELETE FROM flights": types.NotAllowed, "SET threads = 1": types.NotAllowed,
		"SELEC 1": types.SyntaxError, "SELECT \x001": types.SyntaxError,
		"DESCRIBE flights": types.NotAllowed, "SHOW TABLES": types.NotAllowed, "SUMMARIZE flights": types.NotAllowed, "SELECT * FROM (DESCRIBE flights)": types.NotAllowed,
		"SELECT len(list_sort(range(10000000)))": types.QueryTooComplex, "SELECT range(10*1000000)": types.QueryTooComplex,
		"SELECT * FROM range(0, 10000000, 2)": types.QueryTooComplex, "SELECT * FROM generate_series(1, 1e12)": types.QueryTooComplex,
		"SELECT range(10000000, 0, -1)": types.QueryTooComplex, "SELECT main.RANGE(10000000)": types.QueryTooComplex, `SELECT "Range"('10000000'::INT)`: types.QueryTooComplex,
		"SELECT repeat('x', 1000000000)": types.QueryTooComplex, "SELECT repeat(repeat('x', 1000000), 1000000)": types.QueryTooComplex,
		"SELECT lpad('x', 10000000, ' ')": types.QueryTooComplex, "SELECT list_resize([1], 10000000)": types.QueryTooComplex, "SELECT bitstring('1', 100000000)": types.QueryTooComplex,
		"SELECT range($n)": types.QueryTooComplex, "SELECT range((SELECT 100000000))": types.QueryTooComplex, "SELECT 100000000 AS n, range(n)": types.QueryTooComplex,
		"SELECT list_transform([100000000], lambda x: range(x))": types.QueryTooComplex, "SELECT list_transform(range(1000000), lambda x: range(1000000))": types.QueryTooComplex,
		"SELECT range(2 ** 40)": types.QueryTooComplex, "SELECT range(170141183460469231731687303715884105727)": types.QueryTooComplex,
		"SELECT range(TIMESTAMP '0001-01-01', TIMESTAMP '9999-01-01', INTERVAL 1 SECOND)": types.QueryTooComplex,
		"SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000000))":                 types.QueryTooComplex, "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))": types.QueryTooComplex,
		"SELECT printf('%1000000000d', 1)": types.QueryTooComplex, "SELECT format('{:1000000000}', 1)": types.QueryTooComplex, "SELECT format('{:{}}', 1, 1000000000)": types.QueryTooComplex, "SELECT printf('%*d', 1000000000, 1)": types.QueryTooComplex,
		"SELECT count(*) FILTER (WHERE len(range(10000000)) > 1) FROM flights": types.QueryTooComplex, "SELECT 1 FROM flights QUALIFY len(range(10000000)) > 1": types.QueryTooComplex,
		"SELECT 1 FROM flights ORDER BY len(range(10000000))": types.QueryTooComplex, "SELECT 1 FROM flights LIMIT len(range(10000000))": types.QueryTooComplex,
		"SELECT sum(1) OVER (ORDER BY len(range(10000000))) FROM flights": types.QueryTooComplex, "SELECT * FROM flights JOIN range(100000000) r(i) ON true": types.QueryTooComplex,
		"WITH a AS NOT MATERIALIZED (SELECT 1) SELECT * FROM a": types.NotAllowed, "WITH a AS not /* x */ -- y\n materialized (SELECT 1) SELECT * FROM a": types.NotAllowed,
		"SELECT * FROM query('SELECT 1')": types.NotAllowed, "FROM query_table('flights')": types.NotAllowed, "FROM json_execute_serialized_sql('{}')": types.NotAllowed,
		"SELECT json_serialize_plan('SELECT 1')": types.NotAllowed, "FROM enable_logging()": types.NotAllowed, "FROM force_checkpoint()": types.NotAllowed, "SELECT sleep_ms(1000)": types.NotAllowed,
		"FROM read_blob('/etc/passwd')": types.NotAllowed, "FROM READ_CSV('x')": types.NotAllowed, "FROM main.read_text('x')": types.NotAllowed, "FROM system.main.glob('*')": types.NotAllowed, `FROM "read_parquet"('x')`: types.NotAllowed,
		"FROM parquet_scan('x')": types.NotAllowed, "FROM sniff_csv('x')": types.NotAllowed, "FROM duckdb_settings()": types.NotAllowed, "FROM pragma_version()": types.NotAllowed, "SELECT current_setting('threads')": types.NotAllowed,
		"SELECT getenv('HOME')": types.UnknownFunction, "SELECT flights.sleep_ms() FROM flights": types.NotAllowed, "SELECT write_log('x')": types.NotAllowed, "SELECT nextval('s')": types.NotAllowed, "SELECT pg_sleep(1)": types.NotAllowed, "SELECT list_reduce([1], lambda a, b: a)": types.NotAllowed,
		"SELECT list_transform([1], lambda x: sleep_ms(x))": types.NotAllowed, "SELECT cuont(*) FROM flights": types.UnknownFunction, "SELECT x FROM flights WHERE EXISTS (SELECT sleep_ms(1))": types.NotAllowed,
		"FROM 'x.parquet'": types.UnknownRelation, `FROM "/etc/passwd"`: types.UnknownRelation, "FROM flihgts": types.UnknownRelation, "FROM pg_catalog.pg_class": types.UnknownRelation, "FROM information_schema.tables": types.UnknownRelation,
		"FROM system.main.flights": types.UnknownRelation, "FROM main.flights": types.UnknownRelation, "FROM duckdb_tables": types.UnknownRelation, "FROM sqlite_master": types.UnknownRelation, `FROM "flights$leat"`: types.UnknownRelation, "FROM öffentlich.flüge": types.UnknownRelation,
		"FROM (WITH a AS (SELECT 1) FROM a), a": types.UnknownRelation, "FROM flights AT (VERSION => 3)": types.Unsupported,
		"FROM loop": types.QueryTooComplex, "SELECT 1 GROUP BY CUBE (1, 2, 3, 4, 5, 6, 7, 8)": types.QueryTooComplex,
		strings.Repeat("SELECT 1 UNION ALL ", 101) + "SELECT 1": types.QueryTooComplex, strings.Repeat("SELECT 1 UNION ALL ", 5000) + "SELECT 1": types.QueryTooComplex,
		"SELECT 1 FROM flights" + strings.Repeat(", flights", 500): types.QueryTooComplex, "SELECT " + strings.Repeat("(", 400) + "1" + strings.Repeat(")", 400): types.QueryTooComplex,
		"SELECT '" + strings.Repeat("x", guard.MaxText) + "'": types.QueryTooComplex, chain(12): types.QueryTooComplex, "SELECT " + strings.Repeat("(SELECT ", 350) + "1" + strings.Repeat(")", 350): types.QueryTooComplex,
		"SELECT 1 FROM later" + strings.Repeat(", later", 120): types.QueryTooComplex, "SELECT _leat_offset FROM flights NATURAL JOIN airports": types.Unsupported,
	} {
		if _, err := g.Check(context.Background(), sql, relations); !types.HasCode(err, code) {
			t.Errorf("%.200s\n\tgot %v, want %s", sql, err, code)
		}
	}
}

// chain makes CTEs that each read the one before three times.
func chain(n int) string {
	s := "WITH c0 AS (SELECT * FROM flights)"
	for i := range n {
		s += fmt.Sprintf(", c%d AS (SELECT * FROM c%[2]d a, c%[2]d b, c%[2]d c)", i+1, i)
	}
	return s + fmt.Sprintf(" SELECT * FROM c%d", n)
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	g := newGuard(t)
	for sql, want := range map[string]string{
		"SELECT 1,\n  cuont(x) FROM flights":      "2:3 count",
		"SELECT 'ü',\n x FROM flihgts":            "2:9 flights",
		"SELECT * FROM leat_system.dead_leters":   "1:15 leat_system.dead_letters",
		"SELECT x FROM 'data.csv'":                "1:15 leat send",
		"SELECT * FROM information_schema.tables": "1:15 SHOW",
	} {
		_, err := g.Check(context.Background(), sql, relations)
		e := types.AsError(err)
		place, hint, _ := strings.Cut(want, " ")
		if got := fmt.Sprintf("%d:%d", e.Line, e.Column); got != place || !strings.Contains(e.Hint, hint) {
			t.Errorf("%s: got %s %q, want %s", sql, got, e.Hint, want)
		}
	}
}

func TestVerdict(t *testing.T) {
	g := newGuard(t)
	v, err := g.Check(context.Background(), "SELECT * FROM later, flights f, public.flights WHERE a = $b AND c = $a", relations)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range v.Relations {
		got = append(got, r.Name)
	}
	if !slices.Equal(got, []string{"flights", "later"}) || !slices.Equal(v.Params, []string{"a", "b"}) || v.Rewritten {
		t.Errorf("got %v %v %v", got, v.Params, v.Rewritten)
	}
}

func TestHiddenColumns(t *testing.T) {
	g := newGuard(t)
	for sql, want := range map[string]string{
		"SELECT _leat_offset, * FROM flights":                           `SELECT _leat_offset, * EXCLUDE (_leat_offset, _leat_partition, _leat_received_at) FROM "flights$leat" AS flights`,
		"SELECT f.* FROM Flights f ORDER BY F._LEAT_OFFSET":             `SELECT f.* EXCLUDE (_leat_offset, _leat_partition, _leat_received_at) FROM "flights$leat" AS f ORDER BY F._LEAT_OFFSET`,
		"SELECT x FROM (SELECT * FROM flights), late":                   "",
		"SELECT _leat_partition FROM flights, (SELECT * FROM airports)": `SELECT _leat_partition FROM "flights$leat" AS flights , (SELECT * FROM airports)`,
	} {
		v, err := g.Check(context.Background(), sql, relations)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if want == "" && (v.Rewritten || v.SQL != sql) || want != "" && strings.TrimSpace(v.SQL) != want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", sql, v.SQL, want)
		}
	}
}

func TestWithCasts(t *testing.T) {
	got := guard.WithCasts("SELECT '$n', $N, $nn, $$ $n $$ -- $n", map[string]types.Type{"n": types.Of(types.Integer)})
	if want := "SELECT '$n', CAST($N AS INTEGER), $nn, $$ $n $$ -- $n"; got != want {
		t.Errorf("got %s", got)
	}
}

func FuzzCheck(f *testing.F) {
	g := newGuard(f)
	f.Add("SELECT a, $p FROM flights -- x")
	f.Add("WITH a AS (SELECT range(3)) SELECT * FROM a WHERE 'x' = e'\\''")
	f.Fuzz(func(t *testing.T, sql string) {
		v, err := g.Check(context.Background(), sql, relations)
		if (v == nil) == (err == nil) {
			t.Fatalf("verdict %v, error %v", v, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	g := newGuard(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Check(context.Background(), "SELECT origin, count(*) FROM flights WHERE state = $state GROUP BY 1 ORDER BY 2 DESC LIMIT $n", relations); err != nil {
			b.Fatal(err)
		}
	}
}
