package guard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"leat/internal/duck"
	"leat/internal/sql/guard"
	"leat/internal/types"
)

// tenants are relations of which one tenant sees some rows: orders, items and the wide form of both; region has none of anybody's own.
var tenants = catalog{
	"orders":                   {ID: 10, Name: "orders"},
	"items":                    {ID: 11, Name: "items"},
	"region":                   {ID: 12, Name: "region"},
	"secret":                   {ID: 13, Name: "secret"},
	"big":                      {ID: 20, Name: "big", Query: "SELECT * FROM orders WHERE n > 1"},
	"renamed":                  {ID: 21, Name: "renamed", Query: "SELECT tenant, id, v, n FROM big", Columns: []string{"who", "key"}},
	"offsets":                  {ID: 22, Name: "offsets", Query: "SELECT _leat_offset AS o, * FROM public.orders"},
	"shadowy":                  {ID: 23, Name: "shadowy", Query: "WITH items AS (SELECT * FROM orders) SELECT * FROM items"},
	"hour":                     {ID: 24, Name: "hour", Query: "SELECT tenant, window_start, count(*) AS c FROM TUMBLE(orders, ts, INTERVAL 1 HOUR) GROUP BY ALL"},
	"leaky":                    {ID: 25, Name: "leaky", Query: "SELECT * FROM secret"},
	"leat_system.dead_letters": {ID: 1, Name: "leat_system.dead_letters"},
}

// byTenant restricts orders and items, and nothing of region.
func byTenant(r guard.Relation) ([]types.Column, error) {
	switch {
	case r.Name == "orders" || r.Name == "items":
		return []types.Column{{Name: "tenant", Type: types.Of(types.Varchar)}}, nil
	case r.Name == "region" || r.Query != "":
		return nil, nil
	}
	return nil, types.Errorf(types.PermissionDenied, "no filter for %s", r.Name)
}

// rowsOfA are the rows of the tenant who asks; those of others are what could break or change an answer.
const rowsOfA = "INSERT INTO orders0 VALUES ('a', 1, '1', 3, '2026-01-01 10:00', ['x']), ('a', 2, '22', 0, '2026-01-01 10:30', ['y', 'z']), ('a', 3, NULL, 7, '2026-01-01 12:00', NULL), ('a', 4, '-4', 2, NULL, ['x']);" +
	"INSERT INTO items0 VALUES ('a', 1, '5', 2, '2026-01-01 10:05', []), ('a', 2, '6', 1, '2026-01-01 09:00', ['x']), ('a', 9, '7', 1, '2026-01-01 12:30', NULL);"

var rowsOfOthers = []string{
	"INSERT INTO orders0 VALUES ('b', 1, '(x', 2147483647, '2026-01-01 10:10', ['('], ), ('b', 5, 'zz', -1, '2026-01-01 11:10', ['q']), (NULL, 2, '[', 5, '2026-01-01 10:20', NULL), ('A', 1, '%', 9, NULL, NULL);" +
		"INSERT INTO items0 SELECT 'b', i, '(' || i, -i, TIMESTAMP '2026-01-01' + to_minutes(i), ['('] FROM range(400) r(i); INSERT INTO secret VALUES ('b', 1, 's', 1, NULL, NULL);",
	"INSERT INTO orders0 SELECT 'c', i, 'c' || i, 5000000 * i, TIMESTAMP '2026-01-02' - to_minutes(i), [] FROM range(400) r(i);",
}

// world makes a database with the rows of the tenant and those of others. Rows pass through lists, which filters are not pushed into, as they are
// not into the engine's rows.
func world(t testing.TB, g *guard.Guard, others string) *duck.Conn {
	t.Helper()
	db, err := duck.Open("", duck.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	conn, err := db.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	text := "CREATE SCHEMA IF NOT EXISTS public; USE public;"
	const columns = "(tenant VARCHAR, id INTEGER, v VARCHAR, n INTEGER, ts TIMESTAMP, tags VARCHAR[])"
	for _, name := range []string{"orders", "items"} {
		text += fmt.Sprintf("CREATE TABLE %[1]s0 %[2]s; CREATE VIEW %[1]s AS SELECT u.* FROM (SELECT unnest(list(o)) AS u FROM %[1]s0 o);"+
			`CREATE VIEW "%[1]s$leat" AS SELECT u.*, u.id::UBIGINT AS _leat_offset, 0::UINTEGER AS _leat_partition, TIMESTAMPTZ '2026-01-01' AS _leat_received_at FROM (SELECT unnest(list(o)) AS u FROM %[1]s0 o);`, name, columns)
	}
	text += "CREATE TABLE secret " + columns + "; CREATE TABLE region (code VARCHAR, name VARCHAR); INSERT INTO region VALUES ('a', 'north'), ('b', 'south');" + rowsOfA + others
	if err := conn.Exec(context.Background(), text); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"big", "renamed", "offsets", "shadowy", "hour", "leaky"} {
		r := tenants[name]
		v, err := g.Check(context.Background(), r.Query, tenants)
		if err != nil {
			t.Fatal(err)
		}
		columns := ""
		if r.Columns != nil {
			columns = "(" + strings.Join(r.Columns, ", ") + ")"
		}
		if err := conn.Exec(context.Background(), "CREATE VIEW "+name+columns+" AS "+v.SQL); err != nil {
			t.Fatal(name, err)
		}
	}
	return conn
}

// answer is the sorted rows of a query, or the code of its error.
func answer(conn *duck.Conn, sql string, args map[string]any) string {
	res, err := conn.Query(context.Background(), sql, args, 1_000_000)
	var rows []string
	for err == nil {
		var rec arrow.RecordBatch
		if rec, err = res.Next(context.Background()); rec == nil {
			break
		}
		for i := range int(rec.NumRows()) {
			row := ""
			for _, c := range rec.Columns() {
				row += c.ValueStr(i) + "|"
			}
			rows = append(rows, row)
		}
	}
	if res != nil {
		res.Close()
	}
	if err != nil {
		return "error " + string(types.AsError(err).Code)
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// worlds are the same rows of one tenant beside different rows of others.
type worlds struct {
	g *guard.Guard
	// alone has only the tenant's rows.
	alone *duck.Conn
	among []*duck.Conn
}

func newWorlds(t testing.TB) *worlds {
	g := newGuard(t)
	w := &worlds{g: g, alone: world(t, g, "")}
	for _, others := range rowsOfOthers {
		w.among = append(w.among, world(t, g, others))
	}
	return w
}

// same fails unless a query's filtered form answers, whatever others have, what the query answers where there are no others.
func (w *worlds) same(sql string) (string, error) {
	plain, err := w.g.Check(context.Background(), sql, tenants)
	if err != nil {
		return "", fmt.Errorf("%s\n\t%w", sql, err)
	}
	want := answer(w.alone, plain.SQL, nil)
	v, err := w.g.CheckFiltered(context.Background(), sql, tenants, byTenant)
	if err != nil {
		return want, fmt.Errorf("%s\n\tfiltered: %w", sql, err)
	}
	args := map[string]any{}
	for _, f := range v.Filters {
		args[f.Param] = "a"
	}
	if got := answer(w.alone, v.SQL, args); got != want {
		return want, fmt.Errorf("%s\n%s\nalone\n%s\nwant\n%s", sql, v.SQL, got, want)
	}
	for _, conn := range w.among {
		if got := answer(conn, v.SQL, args); got != want {
			return want, fmt.Errorf("%s\n%s\namong others\n%s\nwant\n%s", sql, v.SQL, got, want)
		}
	}
	return want, nil
}

// TestFilteredQueries has queries that could miss a filter: an answer is that of the tenant's rows alone.
func TestFilteredQueries(t *testing.T) {
	w := newWorlds(t)
	for _, sql := range []string{
		"SELECT * FROM orders", "FROM orders", `SELECT * FROM public."Orders" AS o`, "SELECT o.* FROM Public.ORDERS o", "SELECT public.orders.id, orders.v FROM public.orders WHERE public.orders.n > 0",
		`SELECT "ORDERS".id FROM orders`, "SELECT o.a, b FROM orders o(a, b)", "SELECT orders FROM orders", "SELECT count(*), max(n) FROM orders",
		"SELECT * FROM orders o JOIN items i USING (id)", "SELECT * FROM orders NATURAL JOIN (SELECT tenant, id FROM items)", "SELECT o.id, i.id FROM orders o FULL JOIN items i ON o.id = i.id",
		"SELECT o.id FROM orders o, items i WHERE o.id <> i.id", "SELECT o.id FROM orders o ANTI JOIN items i ON o.id = i.id", "SELECT o.id, i.v FROM orders o ASOF JOIN items i ON o.tenant = i.tenant AND o.ts >= i.ts",
		"SELECT o.id, x.c FROM orders o, LATERAL (SELECT count(*) AS c FROM items i WHERE i.id <= o.id) x", "SELECT id, (SELECT count(*) FROM items WHERE items.id = orders.id) FROM orders", "SELECT id FROM orders WHERE id IN (SELECT id FROM items)",
		"SELECT id FROM orders WHERE EXISTS (FROM items WHERE items.n > orders.n)", "SELECT id FROM orders WHERE n > ALL (SELECT n FROM items)", "SELECT id FROM orders UNION ALL SELECT id FROM items", "SELECT id FROM items EXCEPT SELECT id FROM orders",
		"SELECT id FROM orders UNION BY NAME SELECT id, n FROM items", "FROM (TABLE orders)", "SELECT * FROM (VALUES (1)) v(x), orders", "SELECT r.name, o.id FROM region r LEFT JOIN orders o ON r.code = o.tenant",
		"WITH orders AS (SELECT * FROM items) SELECT * FROM orders", "WITH orders AS (SELECT * FROM orders) SELECT * FROM orders o", "WITH orders AS (SELECT 1 AS tenant) SELECT * FROM orders, public.orders p",
		"WITH orders(x) AS (SELECT 7) SELECT orders.x, (SELECT count(*) FROM public.orders) FROM orders", "SELECT * FROM (WITH items AS (SELECT 1 AS one) FROM items), items", "WITH a AS (FROM orders), b AS MATERIALIZED (FROM a) FROM b JOIN a USING (id)",
		"WITH RECURSIVE orders(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM orders WHERE i < (SELECT max(n) FROM items)) FROM orders", "WITH RECURSIVE t(i) AS (SELECT min(id) FROM orders UNION ALL SELECT i + 1 FROM t JOIN orders o ON o.id = t.i) FROM t",
		"WITH items AS (SELECT 1 AS one) SELECT * FROM shadowy, items", "WITH orders AS (SELECT 5 AS n) SELECT * FROM big", "WITH big AS (FROM items) FROM big",
		"FROM big", "SELECT b.id FROM big b", "SELECT public.big.id FROM public.big", "FROM renamed", "SELECT who, key, v, n FROM renamed", "SELECT x, y, v FROM renamed r(x, y)", "FROM offsets", "FROM hour", "SELECT * FROM big JOIN renamed ON id = key",
		"SELECT _leat_offset, * FROM orders", "SELECT o._leat_offset, i._leat_offset FROM orders o JOIN items i USING (id)", "SELECT sum(_leat_offset), count(*) FROM orders o WHERE _leat_received_at > TIMESTAMP '2020-01-01'",
		"SELECT tenant, window_start, count(*) FROM TUMBLE(orders, ts, INTERVAL 1 HOUR) GROUP BY ALL", "SELECT * FROM SESSION((SELECT o.* FROM orders o JOIN items i USING (id, tenant)), ts, INTERVAL 1 HOUR, [tenant])", "SELECT id, window_start FROM COUNT_WINDOW(orders, 2)",
		"SELECT * FROM HOP(public.orders, ts, INTERVAL 30 MINUTES, INTERVAL 1 HOUR) x", "SELECT count(*) FROM TUMBLE((SELECT * FROM TUMBLE(items, ts, INTERVAL 1 HOUR)), ts, INTERVAL 1 DAY)", "SELECT c FROM TUMBLE(big, ts, INTERVAL 1 HOUR) x(c)",
		"PIVOT orders ON id IN (1, 2) USING sum(n) GROUP BY tenant", "FROM (PIVOT orders ON n IN (3, 7) USING count(*) GROUP BY tenant)", "UNPIVOT (SELECT id, n FROM orders) ON id, n", "SELECT * FROM orders PIVOT (sum(n) FOR id IN (1, 5) GROUP BY tenant)",
		"SELECT row_number() OVER (ORDER BY id), sum(n) OVER () FROM orders QUALIFY rank() OVER (ORDER BY n DESC) < 3", "SELECT DISTINCT ON (tenant) tenant, id FROM orders ORDER BY id", "SELECT count(*) FROM orders GROUP BY ROLLUP (tenant, id)",
		"SELECT COLUMNS('i.*') FROM orders", "SELECT * EXCLUDE (v) REPLACE (n + 1 AS n) FROM orders", "SELECT o.tags[1], unnest(o.tags) FROM orders o", "SELECT u FROM orders, unnest(tags) t(u)", "SELECT * FROM orders TABLESAMPLE 100%",
		"SELECT id FROM orders WHERE CAST(v AS INTEGER) > 0", "SELECT id FROM orders WHERE v::INT + n > 2 AND id > 0", "SELECT id FROM orders WHERE regexp_replace('abc', v, 'x') <> 'zz'", "SELECT id FROM orders WHERE list_transform([v], lambda x: x::INT) IS NOT NULL",
		"SELECT id FROM orders WHERE string_split_regex('abc', v)[1] <> 'zz'", "SELECT id FROM orders WHERE chr(n + 60) <> ''", "SELECT o.id FROM orders o JOIN items i ON regexp_extract(i.v || '122', o.v) <> ''", "SELECT id FROM orders WHERE id < 2 AND v LIKE '%' ESCAPE v",
		"SELECT id FROM orders WHERE CASE WHEN tenant = 'b' THEN error('seen') ELSE true END", "SELECT id, 10 // n FROM orders WHERE n * 1000000 > 0", "SELECT x FROM (SELECT v::INT AS x, * FROM orders) WHERE x > 1", "SELECT max(v::INT) FROM orders WHERE v IS NOT NULL", "SELECT v::INT FROM items ORDER BY 1 LIMIT 1",
	} {
		if want, err := w.same(sql); err != nil {
			t.Error(err)
		} else if want == "" && !strings.Contains(sql, "TABLESAMPLE") || strings.HasPrefix(want, "error") && !strings.Contains(sql, "1000000") {
			t.Errorf("%s\n\tanswers nothing: %q", sql, want)
		}
	}
}

// TestFilteredRefuses has queries of what has no filter, also behind views and names that hide it.
func TestFilteredRefuses(t *testing.T) {
	g := newGuard(t)
	for _, sql := range []string{
		"FROM secret", "FROM public.secret s", "FROM leaky", "FROM orders WHERE id IN (SELECT id FROM secret)", "FROM orders UNION ALL FROM secret", "WITH s AS (FROM secret) SELECT 1", "WITH secret AS (FROM secret) FROM secret",
		"FROM (WITH secret AS (SELECT 1) FROM secret), secret", "FROM TUMBLE(secret, ts, INTERVAL 1 HOUR)", "FROM leat_system.dead_letters", "SELECT (SELECT count(*) FROM leaky)", "PIVOT secret ON id IN (1) USING sum(n)",
	} {
		if _, err := g.CheckFiltered(context.Background(), sql, tenants, byTenant); !types.HasCode(err, types.PermissionDenied) || strings.Contains(sql, "secret") && !strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	for _, sql := range []string{"FROM query_table('orders')", `FROM "orders$leat"`, "FROM main.orders", "FROM memory.public.orders", "FROM orders WHERE v = $_leat_filter_0", "FROM information_schema.columns", "DESCRIBE orders", "FROM sniff_csv('x')"} {
		if _, err := g.CheckFiltered(context.Background(), sql, tenants, byTenant); err == nil {
			t.Errorf("%s: allowed", sql)
		}
	}
}

// TestFilterParameters looks at the verdict: one parameter a column of a relation, beside those of the text.
func TestFilterParameters(t *testing.T) {
	g := newGuard(t)
	v, err := g.CheckFiltered(context.Background(), "SELECT * FROM orders o, orders p, items, region WHERE o.id = $id", tenants, func(r guard.Relation) ([]types.Column, error) {
		if r.Name == "region" {
			return nil, nil
		}
		return []types.Column{{Name: "tenant", Type: types.Of(types.Varchar)}, {Name: "odd name", Type: types.DecimalOf(10, 2)}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range v.Filters {
		got = append(got, fmt.Sprint(f.Param, " ", f.Relation.Name, " ", f.Column.Name, " ", f.Index))
	}
	want := []string{"_leat_filter_10_0 orders tenant 0", "_leat_filter_10_1 orders odd name 1", "_leat_filter_11_0 items tenant 0", "_leat_filter_11_1 items odd name 1"}
	if !slices.Equal(got, want) || !slices.Equal(v.Params, []string{"id"}) || !v.Rewritten || v.Wide || strings.Count(v.SQL, "$_leat_filter_10_0") != 2 || !strings.Contains(v.SQL, `"odd name" = CAST($_leat_filter_10_1 AS DECIMAL(10, 2))`) {
		t.Errorf("got %v %+v", got, v)
	}
}

// TestHeld has expressions of whose failure DuckDB doesn't know: once it has measured them for some thousand rows, it may evaluate them before the
// filter, which shows in the errors of others' rows.
func TestHeld(t *testing.T) {
	const many = "INSERT INTO orders0 SELECT 'a', i, i, 1, NULL, NULL FROM range(%d) r(i) UNION ALL SELECT 'b', i, '(' || i, -100, NULL, NULL FROM range(%d) r(i) ORDER BY i;"
	g := newGuard(t)
	w := &worlds{g: g, alone: world(t, g, fmt.Sprintf(many, 30_000, 0)), among: []*duck.Conn{world(t, g, fmt.Sprintf(many, 30_000, 30_000))}}
	for _, e := range []string{"regexp_replace('abc', v, 'x') <> 'zz'", "string_split_regex('abc', v)[1] <> 'zz'", "list_transform([v], lambda x: x::INT) IS NOT NULL", "chr(n + 60) <> ''", "CAST(v AS INT) >= 0", "n * 1000000000 <> 7",
		"to_years(CASE WHEN n < 0 THEN 2147483647 ELSE 1 END) IS NOT NULL", "to_weeks(CASE WHEN n < 0 THEN 2147483647 ELSE 1 END) IS NOT NULL", "to_hours(CASE WHEN n < 0 THEN 9000000000000000000 ELSE 1 END) IS NOT NULL",
		"to_seconds(CASE WHEN n < 0 THEN 1e300 ELSE 1 END) IS NOT NULL", "to_milliseconds(CASE WHEN n < 0 THEN 1e300 ELSE 1 END) IS NOT NULL", "time_bucket(to_seconds(n + 2), TIMESTAMP '2026-01-01') IS NOT NULL",
		"TIMESTAMP '2026-01-01' + to_days(CASE WHEN n < 0 THEN 2147483647 ELSE 1 END) IS NOT NULL", "-(CASE WHEN n < 0 THEN -2147483648 ELSE 1 END)::INTEGER <> 7", "substring(v, 1, n) <> 'q' AND left(v, n) <> 'q'"} {
		if want, err := w.same("SELECT count(*) FROM orders WHERE v IS NOT NULL AND " + e); err != nil || strings.HasPrefix(want, "error") {
			t.Errorf("%.200v %s", err, want)
		}
	}
}

// TestHarmless compares the list of functions that are not held above the filters with what DuckDB does with a call that fails for the rows of others.
func TestHarmless(t *testing.T) {
	w := newWorlds(t)
	held := 0
	for _, e := range []string{"n * 1000000000 IS NOT NULL", "n + 2147483640 IS NOT NULL", "n - 2147483647 - 2 IS NOT NULL", "n // 0 IS NULL", "n % 0 IS NULL", "(-n)::UTINYINT IS NULL", "v::DATE IS NULL OR v IS NULL", "to_years(n) IS NOT NULL", "to_months(n * 1000) IS NOT NULL",
		"ts + to_days(n) IS NOT NULL", "time_bucket(to_seconds(n + 2), ts) IS NOT NULL", "to_milliseconds(n * 1e15) IS NOT NULL", "substring(v, n) IS NOT NULL", "left(v, n) <> 'q'", "date_trunc(v, ts) IS NULL", "(n::DOUBLE * 1e300 * 1e300)::INT IS NULL"} {
		sql := "SELECT id FROM orders WHERE tenant <> 'zz' AND (" + e + ")"
		if _, err := w.same(sql); err != nil {
			t.Error(err)
		}
		if v, err := w.g.CheckFiltered(context.Background(), sql, tenants, byTenant); err == nil && strings.Contains(v.SQL, "OFFSET 0") {
			held++
		}
	}
	if held == 0 || held > 6 {
		t.Errorf("%d expressions are held above the filters", held)
	}
}

// TestFilteredAtRandom makes queries at random. LEAT_FUZZ_SEED repeats one run, LEAT_FUZZ_QUERIES says how many queries.
func TestFilteredAtRandom(t *testing.T) {
	seed, count := rand.Uint64(), 60
	if s, err := strconv.ParseUint(os.Getenv("LEAT_FUZZ_SEED"), 10, 64); err == nil {
		seed = s
	}
	if n, err := strconv.Atoi(os.Getenv("LEAT_FUZZ_QUERIES")); err == nil {
		count = n
	}
	t.Logf("seed %d", seed)
	w, r := newWorlds(t), &random{rand.New(rand.NewPCG(seed, 1))}
	empty := 0
	for range count {
		sql := r.query(3)
		want, err := w.same(sql)
		if e, ok := errors.AsType[*types.Error](err); ok && e.Code == types.QueryTooComplex {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if want == "" || strings.HasPrefix(want, "error") {
			empty++
		}
	}
	if empty > count*2/3 {
		t.Errorf("%d of %d queries answer nothing", empty, count)
	}
}

func FuzzCheckFiltered(f *testing.F) {
	g := newGuard(f)
	f.Add("WITH orders AS (SELECT id FROM items) SELECT o.*, public.orders.id FROM orders o, public.orders WHERE v = $p")
	f.Add("SELECT _leat_offset FROM TUMBLE((SELECT * FROM renamed r(a)), ts, INTERVAL 1 HOUR), big TABLESAMPLE 10%")
	f.Fuzz(func(t *testing.T, sql string) {
		plain, err := g.Check(context.Background(), sql, tenants)
		v, filtered := g.CheckFiltered(context.Background(), sql, tenants, byTenant)
		if (v == nil) == (filtered == nil) || err != nil && filtered == nil {
			t.Fatalf("%v, %v; filtered %v, %v", plain, err, v, filtered)
		}
		if filtered == nil && len(v.Relations) > 0 && v.SQL == sql && slices.ContainsFunc(v.Relations, func(r guard.Relation) bool { return r.Name != "region" }) {
			t.Fatalf("nothing was filtered in %s", sql)
		}
		if types.HasCode(filtered, types.Internal) {
			t.Fatal(filtered)
		}
	})
}

// random writes queries whose columns are always tenant, id, v, n.
type random struct{ *rand.Rand }

func (r *random) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r *random) query(depth int) string {
	where := ""
	if r.IntN(2) == 0 {
		where = " WHERE " + r.predicate(depth, "x")
	}
	if depth == 0 {
		return "SELECT tenant, id, v, n FROM " + r.relation() + " x" + where
	}
	below := func() string { return "(" + r.query(depth-1) + ")" }
	switch r.IntN(11) {
	case 0:
		return "SELECT tenant, max(id) AS id, min(v) AS v, sum(n)::INTEGER AS n FROM " + below() + " x" + where + " GROUP BY tenant"
	case 1:
		return "SELECT x.tenant, x.id, y.v, y.n FROM " + below() + " x " + r.pick("", "LEFT ", "FULL ") + "JOIN " + below() + " y ON x.id = y.id AND " + r.predicate(0, r.pick("x", "y")) + where
	case 2:
		return "FROM (" + below() + r.pick(" UNION ", " UNION ALL ", " EXCEPT ", " INTERSECT ") + below() + ")"
	case 3:
		name := r.pick("orders", "items", "q", "big")
		return "WITH " + name + " AS " + below() + " SELECT x.tenant, x.id, x.v, x.n FROM " + name + " x, " + r.relation() + " y" + where
	case 4:
		return "SELECT tenant, id, v, row_number() OVER (PARTITION BY " + r.pick("tenant", "id", "v") + " ORDER BY id, v, n, tenant)::INTEGER AS n FROM " + below() + " x" + where
	case 5:
		return "SELECT x.tenant, x.id, y.v, x.n FROM " + below() + " x, LATERAL (SELECT max(v) AS v FROM " + r.relation() + " z WHERE z.id >= x.id) y" + where
	case 6:
		return "SELECT tenant, id, (SELECT min(v) FROM " + r.relation() + " z WHERE z.id = x.id) AS v, n FROM " + below() + " x" + where
	case 7:
		return "SELECT tenant, epoch(window_start)::INTEGER AS id, v, n FROM TUMBLE(" + r.pick("orders", "items", "public.orders", "(SELECT * FROM items)") + ", ts, INTERVAL 1 HOUR) x" + where
	case 8:
		return "SELECT x.tenant, x._leat_offset::INTEGER AS id, x.v, y.n FROM " + r.pick("orders", "items") + " x JOIN " + below() + " y USING (id)" + where
	case 9:
		return "SELECT tenant, id, v, n FROM " + below() + " x" + where + " QUALIFY rank() OVER (ORDER BY n, id, v, tenant) <= 3"
	}
	return "SELECT tenant, id, v, n FROM " + below() + " x" + where
}

func (r *random) relation() string {
	return r.pick("orders", "items", "public.orders", "Items", "big", "shadowy", "(SELECT who AS tenant, key AS id, v, n FROM renamed)", "(SELECT code AS tenant, 1 AS id, name AS v, 2 AS n FROM region)", "(SELECT tenant, o::INTEGER AS id, v, n FROM offsets)")
}

func (r *random) predicate(depth int, x string) string {
	p := strings.ReplaceAll(r.pick("X.n > 0", "X.id < 3", "X.v::INT > 1", "X.tenant = 'b'", "X.tenant <> 'a'", "X.n * 3 > X.id", "regexp_matches('a1', X.v)", "length(X.v) < 3", "regexp_replace('abc', X.v, 'x') <> 'zz'",
		"list_transform([X.v], lambda l: l::INT)[1] > 0", "10 // X.n > 1", "X.n * 1000000 > 5", "X.v IS NOT DISTINCT FROM '5'", "chr(X.n + 64) <> 'A'", "TRY_CAST(X.v AS INT) IS NULL", "X.v IN ('1', '(', '22')"), "X", x)
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return x + ".id " + r.pick("IN", "NOT IN") + " (SELECT id FROM " + r.relation() + " s WHERE id IS NOT NULL AND " + r.predicate(0, "s") + ")"
		case 1:
			return r.pick("", "NOT ") + "EXISTS (FROM " + r.relation() + " s WHERE s.id = " + x + ".id)"
		case 2:
			return p + r.pick(" AND ", " OR ") + r.predicate(depth-1, x)
		}
	}
	return p
}
