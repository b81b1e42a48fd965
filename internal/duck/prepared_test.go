package duck

import (
	"fmt"
	"testing"

	"leat/internal/types"
)

// column reads the first column of a result.
func column(t *testing.T, c *Conn, sql string, args map[string]any) string {
	t.Helper()
	r, err := c.QueryTyped(t.Context(), sql, args, -1)
	if err != nil {
		return string(types.AsError(err).Code)
	}
	defer r.Close()
	out := ""
	for {
		rec, err := r.Next(t.Context())
		if err != nil {
			return string(types.AsError(err).Code)
		}
		if rec == nil {
			return out
		}
		for i := range int(rec.NumRows()) {
			out += rec.Column(0).ValueStr(i) + ";"
		}
	}
}

func TestKeptStatementsFollowDefinitions(t *testing.T) {
	db, err := Open("", Options{Schema: "public"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Release(c)
	exec := func(sql string) {
		t.Helper()
		if err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const q = "SELECT a FROM v WHERE a >= CAST($low AS INTEGER) ORDER BY 1"
	exec("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2), (3); CREATE VIEW v AS SELECT * FROM t")
	for _, step := range []struct {
		do   string
		low  any
		want string
	}{
		{"", int64(2), "2;3;"},
		{"", int64(3), "3;"},
		{"", nil, ""},
		{"", "x", string(types.DataError)},
		{"", int64(1), "1;2;3;"},
		{"INSERT INTO t VALUES (4)", int64(3), "3;4;"},
		{"CREATE OR REPLACE VIEW v AS SELECT -a AS a FROM t", int64(-2), "-2;-1;"},
		{"CREATE OR REPLACE VIEW v AS SELECT 'x' || a AS b FROM t", int64(0), string(types.UnknownColumn)},
		{"CREATE OR REPLACE VIEW v AS SELECT a + 0.5 AS a FROM t", int64(4), "4.5;"},
		// A type that no stream can hold is cast to VARCHAR.
		{"CREATE OR REPLACE VIEW v AS SELECT a::UHUGEINT AS a FROM t", int64(4), "4;"},
		{"DROP VIEW v; CREATE VIEW v AS SELECT * FROM t", int64(4), "4;"},
	} {
		if step.do != "" {
			exec(step.do)
			db.Forget()
		}
		if got := column(t, c, q, map[string]any{"low": step.low}); got != step.want {
			t.Errorf("%s, from %v: got %s, want %s", step.do, step.low, got, step.want)
		}
	}
	for i := range 2 * maxPrepared {
		if got := column(t, c, fmt.Sprintf("SELECT %d", i), nil); got != fmt.Sprintf("%d;", i) {
			t.Errorf("got %s", got)
		}
	}
	if len(c.kept.stmts) != maxPrepared {
		t.Errorf("%d statements are kept", len(c.kept.stmts))
	}
}

func TestValuesAsText(t *testing.T) {
	db, err := Open("", Options{Schema: "public"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Release(c)
	for _, v := range []struct {
		typ   string
		value any
		want  string
	}{
		{"BOOLEAN", true, "true;"}, {"BIGINT", int64(-1 << 63), "-9223372036854775808;"}, {"UBIGINT", uint64(1<<64 - 1), "18446744073709551615;"},
		{"DOUBLE", 0.1, "0.1;"}, {"DOUBLE", 5e-324, "5e-324;"}, {"FLOAT", float64(float32(0.1)), "0.1;"}, {"BLOB", []byte("\\x00\xff"), "XHgw;"},
		{"VARCHAR", "5", "5;"}, {"INTEGER", nil, "(null);"},
	} {
		got := column(t, c, "SELECT CAST($v AS "+v.typ+")", map[string]any{"v": v.value})
		if v.typ == "BLOB" {
			v.want = "XHgwMP8=;"
		}
		if got != v.want {
			t.Errorf("%s %v: got %s, want %s", v.typ, v.value, got, v.want)
		}
	}
}

// A snapshot of two databases that kept statements take is one that later writes don't change.
func TestKeptStatementsFixTheMoment(t *testing.T) {
	db, err := Open("", Options{Schema: "public"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reader, err := db.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Release(reader)
	writer, err := db.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	exec := func(sql string) {
		t.Helper()
		if err := writer.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("ATTACH ':memory:' AS other; CREATE TABLE public.a (n INTEGER); CREATE TABLE other.main.b (n INTEGER)")
	for i := range 3 {
		for _, sql := range []string{"BEGIN", "SELECT NULL FROM public.a, other.main.b LIMIT 0"} {
			if err := reader.Repeat(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		exec("INSERT INTO public.a VALUES (1)")
		exec("INSERT INTO other.main.b VALUES (1)")
		if got, want := column(t, reader, "SELECT (SELECT count(*) FROM public.a) * 10 + (SELECT count(*) FROM other.main.b)", nil), fmt.Sprint(11*i, ";"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if err := reader.Repeat(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}
