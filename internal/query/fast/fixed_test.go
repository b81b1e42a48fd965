package fast

import (
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// What a run reads has the values that are fixed; arguments that fix none are not taken for some.
func TestFixed(t *testing.T) {
	wide := &plan.Expr{Kind: plan.Cast, Type: bigint, Args: []*plan.Expr{plan.Col(1, integer)}}
	both := func(a, b *plan.Expr) *plan.Expr {
		return &plan.Expr{Kind: plan.And, Type: boolean, Args: []*plan.Expr{a, b}}
	}
	key := compare("=", plan.Col(0, bigint), param("k", bigint))
	for _, c := range []struct {
		name    string
		cond    *plan.Expr
		args    map[string]any
		columns []int
	}{
		{"a key", key, map[string]any{"k": int64(7)}, []int{0}},
		{"a parameter in another case", compare("=", param("K", bigint), plan.Col(0, bigint)), map[string]any{"k": int64(7)}, []int{0}},
		{"two columns, one of them cast", both(key, compare("=", wide, param("n", bigint))), map[string]any{"k": int64(7), "n": int64(7)}, []int{0, 1}},
		{"a value that the column can't have", compare("=", wide, param("n", bigint)), map[string]any{"n": int64(1) << 40}, nil},
		{"NULL equals nothing", key, map[string]any{"k": nil}, nil},
		{"NULL as a value", compare("is not distinct from", plan.Col(0, bigint), param("k", bigint)), map[string]any{"k": nil}, []int{0}},
		{"a range", compare(">=", plan.Col(0, bigint), param("k", bigint)), map[string]any{"k": int64(7)}, nil},
		{"a literal", compare("=", plan.Col(2, varchar), plan.Lit("s7", varchar)), nil, nil},
		{"no argument", key, nil, nil},
	} {
		p, reason := New(&plan.Filter{Input: scan(), Cond: c.cond}, map[string]types.Type{"k": bigint, "n": bigint})
		if p == nil {
			t.Fatalf("%s: %s", c.name, reason)
		}
		columns, values := p.Fixed(c.args)
		if len(columns) != len(c.columns) || len(values) != len(columns) {
			t.Errorf("%s: columns %v", c.name, columns)
			continue
		}
		for i := range columns {
			if columns[i] != c.columns[i] || !values[i].Type.Equal(relation.Schema.Columns[columns[i]].Type) {
				t.Errorf("%s: column %d is %v", c.name, columns[i], values[i])
			}
		}
		rows := p.Run(view(t, 100), c.args, 10)
		if rows == nil {
			continue // the store's
		}
		for i := range rows.Batch().Rows() {
			for j, column := range columns {
				if zset.Compare(rows.Batch().Cols[column], i, values[j], 0) != 0 {
					t.Errorf("%s: row %d has another value in column %d", c.name, i, column)
				}
			}
		}
	}
	if p := byKey(t); p.Output(0) != 1 || p.Output(2) != 0 || p.Output(1) != -1 {
		t.Error("the places of columns in the result")
	}
}
