package duck

import (
	"fmt"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"leat/internal/types"
)

func texts(values ...string) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for _, v := range values {
		if v == "NULL" {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	return b.NewArray()
}

func TestEvaluatorTellsFailuresFromNulls(t *testing.T) {
	e, err := NewEvaluator()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	varchar, integer := types.Of(types.Varchar), types.Of(types.Integer)
	exprs := []string{"CAST(c0 AS INTEGER) + CAST(c0 AS INTEGER)", "upper(c0)", "CAST(c0 AS INTEGER)"}
	for range 2 { // the second time from the prepared statements
		cols, failed, err := e.Evaluate(exprs, []types.Type{integer, varchar, integer}, []arrow.Array{texts("1", "x", "NULL", "7")}, []types.Type{varchar}, 4)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(cols); got != `[[2 (null) (null) 14] ["1" "X" (null) "7"] [1 (null) (null) 7]]` {
			t.Errorf("got %s", got)
		}
		if len(failed[0]) != 1 || failed[0][1] != "Could not convert string 'x' to INT32" || failed[1] != nil || len(failed[2]) != 1 {
			t.Errorf("failed %v", failed)
		}
	}
}

func TestEvaluatorKeepsTheOrderOfManyRows(t *testing.T) {
	e, err := NewEvaluator()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b := array.NewInt64Builder(memory.DefaultAllocator)
	const rows = 10_000
	for i := range rows {
		b.Append(int64(i))
	}
	bigint := types.Of(types.BigInt)
	in := b.NewArray()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			cols, _, err := e.Evaluate([]string{"c0 + 1"}, []types.Type{bigint}, []arrow.Array{in}, []types.Type{bigint}, rows)
			if err != nil {
				t.Error(err)
				return
			}
			for i, v := range cols[0].(*array.Int64).Int64Values() {
				if v != int64(i)+1 {
					t.Errorf("row %d is %d", i, v)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestEvaluatorConstantsAndErrors(t *testing.T) {
	e, err := NewEvaluator()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	list := types.ListOf(types.Of(types.UUID))
	cols, failed, err := e.Evaluate([]string{"['00000000-0000-0000-0000-000000000001']"}, []types.Type{list}, nil, nil, 1)
	if err != nil || cols[0].Len() != 1 || failed[0] != nil {
		t.Fatalf("got %v, %v, %v", cols, failed, err)
	}
	_, failed, err = e.Evaluate([]string{"error('no')"}, []types.Type{types.Of(types.Varchar)}, nil, nil, 1)
	if err != nil || failed[0][0] != "no" {
		t.Fatalf("failed %v, %v", failed, err)
	}
	if _, _, err := e.Evaluate([]string{"nope(1)"}, []types.Type{list}, nil, nil, 1); !types.HasCode(err, types.UnknownFunction) {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkEvaluator(b *testing.B) {
	e, err := NewEvaluator()
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	varchar := types.Of(types.Varchar)
	for _, rows := range []int{1, 2048, 65536} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			values := make([]string, rows)
			for i := range values {
				values[i] = fmt.Sprintf("https://example.com/%d/item", i)
			}
			in := texts(values...)
			for b.Loop() {
				if _, _, err := e.Evaluate([]string{"regexp_extract(c0, '/([0-9]+)/', 1)"}, []types.Type{varchar}, []arrow.Array{in}, []types.Type{varchar}, rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
