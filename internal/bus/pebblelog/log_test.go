package pebblelog

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"

	"leat/internal/bus"
	"leat/internal/types"
)

func intBatch(values ...int64) *types.Batch {
	s := &types.Schema{Version: 1}
	s.Add("n", types.Of(types.BigInt), "n")
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	return &types.Batch{Schema: s, Columns: []arrow.Array{b.NewArray()}, Rows: len(values)}
}

func TestAppendReadReopen(t *testing.T) {
	ctx := context.Background()
	fs := vfs.NewMem()
	l, err := Open(ctx, "log", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	p := types.PartitionID{Stream: 7}
	if err := l.Configure(ctx, bus.StreamConfig{ID: 7, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	ack, err := l.Append(ctx, &bus.Append{Parts: []bus.Part{{Partition: p, Batch: intBatch(1, 2, 3)}}})
	if err != nil || ack.Ranges[0] != (bus.Range{Partition: p, First: 0, Next: 3}) {
		t.Fatalf("%+v, %v", ack, err)
	}
	for _, when := range []string{"tail", "reopened"} {
		got, err := l.Read(ctx, p, 1, 1<<20)
		if err != nil || len(got) != 1 || got[0].Batch.Columns[0].(*array.Int64).Value(2) != 3 {
			t.Fatalf("%s: %+v, %v", when, got, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if l, err = Open(ctx, "log", Options{FS: fs}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
