package pg

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"leat/test/harness"
)

// connect opens a connection with pgx.
func connect(t *testing.T, s *harness.Server, more string) *pgx.Conn {
	t.Helper()
	c, err := try(t, s, more)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Log())
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func try(t *testing.T, s *harness.Server, more string) (*pgx.Conn, error) {
	t.Helper()
	host, port := address(t, s)
	return pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%s dbname=leat connect_timeout=20 sslmode=disable user=leat %s", host, port, more))
}

// state is the SQLSTATE of an error.
func state(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestPgx(t *testing.T) {
	s := start(t)
	c := connect(t, s, "")
	ctx := t.Context()
	at := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	n := pgtype.Numeric{Int: big.NewInt(-12345), Exp: -2, Valid: true}
	for _, v := range []struct {
		typ string
		in  any
	}{
		{"BOOLEAN", true}, {"SMALLINT", int16(-7)}, {"INTEGER", int32(1 << 30)}, {"BIGINT", int64(-1 << 60)}, {"FLOAT", float32(1.5)}, {"DOUBLE", 2.25e-300},
		{"VARCHAR", "it's €"}, {"BLOB", []byte{0, 255, '\\', '\''}}, {"TIMESTAMP", at}, {"TIMESTAMPTZ", at}, {"DATE", time.Date(1969, 7, 20, 0, 0, 0, 0, time.UTC)},
		{"UUID", [16]byte{1, 2, 3, 15: 9}}, {"DECIMAL(20,2)", n}, {"INTEGER[]", []int32{1, 2, 3}}, {"VARCHAR[]", []string{"a", `"b"`, "c,d"}},
		{"INTERVAL", pgtype.Interval{Months: 14, Days: -3, Microseconds: 5_000_001, Valid: true}}, {"TIME", pgtype.Time{Microseconds: 3_723_000_004, Valid: true}},
	} {
		out := reflect.New(reflect.TypeOf(v.in))
		if err := c.QueryRow(ctx, "SELECT $1::"+v.typ, v.in).Scan(out.Interface()); err != nil {
			t.Errorf("%s: %v", v.typ, err)
			continue
		}
		got := out.Elem().Interface()
		if a, ok := got.(time.Time); ok {
			got = a.UTC()
		}
		if !reflect.DeepEqual(got, v.in) {
			t.Errorf("%s: got %v, want %v", v.typ, got, v.in)
		}
	}
	var big pgtype.Numeric
	if err := c.QueryRow(ctx, "SELECT 170141183460469231731687303715884105727::HUGEINT").Scan(&big); err != nil || big.Int.String() != "170141183460469231731687303715884105727" && big.Exp == 0 {
		t.Errorf("HUGEINT: %v %v", big, err)
	}

	batch := &pgx.Batch{}
	for i := range 30 {
		batch.Queue("SELECT k, n FROM by_k WHERE k = $1", i%2+1)
		batch.Queue("INSERT INTO s (k, t) VALUES ($1, $2)", 1000+i, "batch")
	}
	if err := c.SendBatch(ctx, batch).Close(); err != nil {
		t.Errorf("batch: %v", err)
	}
	rows := make([][]any, 5000)
	for i := range rows {
		rows[i] = []any{int32(2000 + i), float64(i) / 8, fmt.Sprint("copied ", i), at}
	}
	copied, err := c.CopyFrom(ctx, pgx.Identifier{"s"}, []string{"k", "v", "t", "ts"}, pgx.CopyFromRows(rows))
	if err != nil || copied != 5000 {
		t.Errorf("CopyFrom: %d %v", copied, err)
	}
	var count, sum int
	if err := c.QueryRow(ctx, "SELECT count(*), sum(k)::BIGINT FROM s WHERE k >= 1000").Scan(&count, &sum); err != nil || count != 5030 || sum != 30*1000+435+5000*2000+4999*2500 {
		t.Errorf("%d rows, sum %d, %v", count, sum, err)
	}

	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if _, err := connect(t, s, "").Exec(short, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7"); err == nil {
		t.Error("a statement whose context ended passed")
	}
	for sql, want := range map[string]string{"SELECT nope": "42703", "SELECT $1::INTEGER": "22P02", "INSERT INTO s VALUES ($1)": "22023"} {
		args := []any{"x"}
		if sql == "SELECT nope" {
			args = nil
		}
		if _, err := c.Exec(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...); state(err) != want && sql != "INSERT INTO s VALUES ($1)" {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
	if err := c.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// Statements that are read in parts, or not at all, must not keep others from running.
func TestSuspendedResultsHoldNothing(t *testing.T) {
	s := start(t, "--queries", "2")
	ctx := t.Context()
	var held []pgx.Tx
	for range 20 {
		tx, err := connect(t, s, "").Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, "DECLARE c CURSOR FOR SELECT range::BIGINT AS r FROM range(500000)"); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(ctx, "FETCH 5 FROM c"); err != nil {
			t.Fatal(err)
		}
		held = append(held, tx)
	}
	for i, tx := range held {
		var n int64
		rows, err := tx.Query(ctx, "FETCH ALL FROM c")
		if err != nil {
			t.Fatal(err)
		}
		for want := int64(5); rows.Next(); want++ {
			if err := rows.Scan(&n); err != nil || n != want {
				t.Fatalf("cursor %d: %d, want %d, %v", i, n, want, err)
			}
		}
		if rows.Err() != nil || n != 499_999 {
			t.Fatalf("cursor %d ends with %d: %v", i, n, rows.Err())
		}
	}
}

func TestRevokedTokensEndSessions(t *testing.T) {
	s := start(t)
	_, admin := tokenOf(t, s, "")
	id, token := tokenOf(t, s, admin)
	c := connect(t, s, "user="+id+" password="+token)
	if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if status, body := request(t, s, http.MethodDelete, "/v1/tokens/"+id, admin, ""); status/100 != 2 {
		t.Fatalf("%d %s", status, body)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := c.Exec(t.Context(), "SELECT 1")
		if err != nil {
			if state(err) != "28000" {
				t.Error(err)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the session goes on")
		}
	}
}
