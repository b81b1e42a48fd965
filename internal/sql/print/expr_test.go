package print

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"leat/internal/sql/plan"
	"leat/internal/types"
)

func TestExpr(t *testing.T) {
	of := types.Of
	x, s := plan.Col(0, of(types.Integer)), plan.Col(1, of(types.Varchar))
	point := types.StructOf(types.Field{Name: "a b", Key: "a b", Type: of(types.Integer)}, types.Field{Name: "to", Key: "to", Type: of(types.Varchar)})
	call := func(name string, t types.Type, args ...*plan.Expr) *plan.Expr {
		return &plan.Expr{Kind: plan.Call, Name: name, Type: t, Args: args}
	}
	kind := func(k plan.ExprKind, name string, args ...*plan.Expr) *plan.Expr {
		return &plan.Expr{Kind: k, Name: name, Type: of(types.Integer), Args: args}
	}
	for _, test := range []struct {
		e    *plan.Expr
		want string
	}{
		{call("+", of(types.Integer), x, plan.Lit(int64(-1), of(types.Integer))), `(c0 + CAST('-1' AS INTEGER))`},
		{call("-", of(types.Integer), x), `(- c0)`},
		{call("regexp_extract", of(types.Varchar), s, plan.Lit("it's", of(types.Varchar))), `regexp_extract(c1, CAST('it''s' AS VARCHAR))`},
		{call("~~", of(types.Boolean), s, plan.Lit("a%", of(types.Varchar))), `(c1 ~~ CAST('a%' AS VARCHAR))`},
		{call("struct_pack", point, x, s), `struct_pack("a b" := c0, "to" := c1)`},
		{call("struct_extract", of(types.Integer), plan.Col(2, point), plan.Lit("a b", of(types.Varchar))), `struct_extract(c2, 'a b')`},
		{kind(plan.Compare, "is distinct from", x, x), `(c0 IS DISTINCT FROM c0)`},
		{kind(plan.And, "", kind(plan.Not, "", x), kind(plan.IsNull, "", x), x), `((NOT c0) AND (c0 IS NULL) AND c0)`},
		{kind(plan.In, "", x, x, x), `(c0 IN (c0, c0))`},
		{kind(plan.Case, "", x, x, x, s, x), `(CASE WHEN c0 THEN c0 WHEN c0 THEN c1 ELSE c0 END)`},
		{kind(plan.Coalesce, "", x, x), `coalesce(c0, c0)`},
		{&plan.Expr{Kind: plan.Cast, Type: of(types.TinyInt), Args: []*plan.Expr{x}, Try: true}, `TRY_CAST(c0 AS TINYINT)`},
	} {
		if got, err := Expr(test.e, func(i int) string { return fmt.Sprintf("c%d", i) }); err != nil || got != test.want {
			t.Errorf("got %s, %v\nwant %s", got, err, test.want)
		}
	}
}

func TestConstants(t *testing.T) {
	of := types.Of
	huge, _ := new(big.Int).SetString("-170141183460469231731687303715884105728", 10)
	for _, test := range []struct {
		v    any
		t    types.Type
		want string
	}{
		{nil, of(types.Date), `CAST(NULL AS DATE)`},
		{true, of(types.Boolean), `CAST(true AS BOOLEAN)`},
		{huge, of(types.HugeInt), `CAST('-170141183460469231731687303715884105728' AS HUGEINT)`},
		{big.NewInt(-5), types.DecimalOf(4, 2), `CAST('-0.05' AS DECIMAL(4,2))`},
		{math.NaN(), of(types.Double), `CAST('NaN' AS DOUBLE)`},
		{math.Inf(-1), of(types.Double), `CAST('-Inf' AS DOUBLE)`},
		{math.Copysign(0, -1), of(types.Double), `CAST('-0e+00' AS DOUBLE)`},
		{float64(float32(0.1)), of(types.Float), `CAST('1e-01' AS FLOAT)`},
		{"a\x00b", of(types.Varchar), `CAST(('a' || chr(0) || 'b') AS VARCHAR)`},
		{[]byte{0, 255}, of(types.Blob), `CAST('\x00\xFF' AS BLOB)`},
		{int64(-1), of(types.Date), `CAST('1969-12-31' AS DATE)`},
		{int64(-800_000), of(types.Date), `(CAST('1970-01-01' AS DATE) + CAST(-800000 AS INTEGER))`},
		{int64(math.MaxInt32), of(types.Date), `CAST('infinity' AS DATE)`},
		{int64(1), of(types.Time), `CAST('00:00:00.000001' AS TIME)`},
		{int64(-1), of(types.Timestamp), `CAST('1969-12-31 23:59:59.999999' AS TIMESTAMP)`},
		{int64(0), of(types.TimestampTZ), `CAST('1970-01-01 00:00:00.000000+00' AS TIMESTAMP WITH TIME ZONE)`},
		{plan.Interval{Months: -1, Days: 2, Micros: 3}, of(types.Interval), `CAST('-1 months 2 days 3 microseconds' AS INTERVAL)`},
		{[]any{int64(1), nil}, types.ListOf(of(types.Integer)), `CAST([CAST('1' AS INTEGER), CAST(NULL AS INTEGER)] AS INTEGER[])`},
		{[]any{int64(1)}, types.StructOf(types.Field{Name: "a", Key: "a", Type: of(types.Integer)}), `CAST({"a": CAST('1' AS INTEGER)} AS STRUCT(a INTEGER))`},
		{[][2]any{{"k", int64(1)}}, types.MapOf(of(types.Varchar), of(types.Integer)),
			`CAST(map(CAST([CAST('k' AS VARCHAR)] AS VARCHAR[]), CAST([CAST('1' AS INTEGER)] AS INTEGER[])) AS MAP(VARCHAR, INTEGER))`},
	} {
		if got, err := Expr(plan.Lit(test.v, test.t), nil); err != nil || got != test.want {
			t.Errorf("got %s, %v\nwant %s", got, err, test.want)
		}
	}
	if _, err := Expr(plan.Lit(struct{}{}, of(types.Integer)), nil); !types.HasCode(err, types.Unsupported) {
		t.Errorf("got %v", err)
	}
}
