package pg

import (
	"strings"
	"testing"

	"leat/test/harness"
	"leat/test/services"
)

// shop is what clients are shown: a stream, a table, a plain view, a materialized view with an index.
const shop = `CREATE STREAM events (id BIGINT NOT NULL, user_name VARCHAR, ts TIMESTAMPTZ, amount DECIMAL(10,2), tags VARCHAR[]);
CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL);
CREATE VIEW plain AS SELECT id, user_name FROM events;
CREATE MATERIALIZED VIEW totals AS SELECT user_name, sum(amount) AS total, count(*) AS n FROM events GROUP BY user_name;
CREATE INDEX totals_ix ON totals (total);`

func startShop(t *testing.T) *harness.Server {
	t.Helper()
	s := harness.Start(t, "")
	s.SQL(shop)
	s.SQL("INSERT INTO events VALUES (1, 'ann', '2026-01-01 10:00:00Z', 1.50, ['a']), (2, 'bob', '2026-01-02 11:00:00Z', 2.50, NULL)")
	s.SQL("INSERT INTO users VALUES (1, 'Ann')")
	s.SQL("SELECT * FROM totals")
	return s
}

func TestPsqlShowsWhatThereIs(t *testing.T) {
	s := startShop(t)
	program := services.Command(t, "psql", "postgresql-client")
	for _, c := range []struct {
		command string
		want    []string
	}{
		{`\d`, []string{"public|events|table|leat", "public|plain|view|leat", "public|totals|materialized view|leat", "public|users|table|leat"}},
		{`\dt`, []string{"public|events|table|leat", "public|users|table|leat"}},
		{`\dv`, []string{"public|plain|view|leat"}},
		{`\dm`, []string{"public|totals|materialized view|leat"}},
		{`\di`, []string{"public|totals_ix|index|leat|totals", "public|totals_key|index|leat|totals", "public|users_pkey|index|leat|users"}},
		{`\dn`, []string{"leat_system|leat", "public|leat"}},
		{`\df`, nil},
		{`\dT`, nil},
		{`\l`, []string{"leat|leat|UTF8|C|C||libc|"}},
		{`\du`, []string{"leat|Superuser, Create role, Create DB|{}"}},
		{`\dt leat_system.objects`, []string{"leat_system|objects|table|leat"}},
		{`\d events`, []string{"id|bigint||not null|", "user_name|text|||", "ts|timestamp with time zone|||", "amount|numeric(10,2)|||", "tags|text[]|||"}},
		{`\d users`, []string{"id|bigint||not null|", "name|text||not null|", "Indexes:", `    "users_pkey" PRIMARY KEY, btree (id)`}},
		{`\d totals`, []string{"user_name|text|||", "total|numeric(38,2)|||", "n|bigint|||", "Indexes:", `    "totals_ix" btree (total)`, `    "totals_key" UNIQUE, btree (user_name)`}},
		{`\d+ plain`, []string{"id|bigint||||plain|", "user_name|text||||extended|", "View definition:", " SELECT id, user_name FROM events;"}},
		{`\d nosuch`, []string{`Did not find any relation named "nosuch".`}},
		{`\sv plain`, []string{"CREATE OR REPLACE VIEW public.plain AS", " SELECT id, user_name FROM events"}},
		{`\dp users`, []string{"public|users|table|||"}},
		{`\dx`, nil},
	} {
		flags := []string{"-X", "-A", "-t"}
		if strings.HasPrefix(c.command, `\d `) || strings.HasPrefix(c.command, `\d+`) {
			flags = []string{"-X", "-A"} // with what stands below the columns
		}
		out, err := client(t, s, nil, program, append(flags, "-c", c.command)...)
		got := strings.Split(strings.TrimRight(out, "\n"), "\n")
		if out == "" {
			got = nil
		}
		if len(got) > 2 && strings.HasPrefix(got[1], "Column|") {
			got = got[2:]
		}
		if err != nil && c.command != `\d nosuch` || !equal(got, c.want) {
			t.Errorf("%s: %v\n got %q\nwant %q", c.command, err, got, c.want)
		}
	}
	if out, err := client(t, s, nil, program, "-X", "-c", `\conninfo`); err != nil || !strings.Contains(out, `connected to database "leat" as user "leat"`) {
		t.Errorf(`\conninfo: %v %s`, err, out)
	}
}

func equal(a, b []string) bool {
	return strings.Join(a, "\n") == strings.Join(b, "\n")
}
