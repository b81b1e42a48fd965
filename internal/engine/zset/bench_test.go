package zset_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/types"
)

const benchRows = 64 << 10

// benchBatch has a BIGINT, a VARCHAR of 20 bytes, a DOUBLE and a TIMESTAMP.
func benchBatch() ([]types.Type, *zset.Batch) {
	ts := []types.Type{types.Of(types.BigInt), types.Of(types.Varchar), types.Of(types.Double), types.Of(types.Timestamp)}
	r, b := rand.New(rand.NewPCG(1, 1)), zset.NewBuilder(ts)
	for range benchRows {
		b.AppendInt64(0, r.Int64N(10_000))
		b.AppendBytes(1, fmt.Appendf(nil, "user-%015d", r.Int64N(10_000)))
		b.AppendFloat64(2, r.Float64())
		b.AppendInt64(3, r.Int64N(1<<50))
		b.EndRow(1)
	}
	return ts, b.Finish()
}

// perRow reports ns per row and rows per second.
func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}

func BenchmarkKeyCodec(b *testing.B) {
	ts, batch := benchBatch()
	k := zset.NewKeyCodec(ts[:2], nil)
	b.Run("append", func(b *testing.B) {
		dst := make([]byte, 0, 64*benchRows)
		for b.Loop() {
			dst = dst[:0]
			for i := range batch.N {
				dst = k.Append(dst[:0], batch.Cols[:2], i)
			}
		}
		perRow(b, benchRows)
	})
	keys := make([][]byte, batch.N)
	for i := range keys {
		keys[i] = k.Append(nil, batch.Cols[:2], i)
	}
	b.Run("decode", func(b *testing.B) {
		x := zset.NewBuilder(ts[:2])
		for b.Loop() {
			for _, key := range keys {
				k.Decode(key, x, 0)
				x.EndRow(1)
			}
			x.Finish()
		}
		perRow(b, benchRows)
	})
}

func BenchmarkRowCodec(b *testing.B) {
	ts, batch := benchBatch()
	k := zset.NewRowCodec(ts)
	b.Run("append", func(b *testing.B) {
		var dst []byte
		for b.Loop() {
			for i := range batch.N {
				dst = k.Append(dst[:0], batch.Cols, i)
			}
		}
		perRow(b, benchRows)
	})
	rows := make([][]byte, batch.N)
	for i := range rows {
		rows[i] = k.Append(nil, batch.Cols, i)
	}
	b.Run("decode", func(b *testing.B) {
		x := zset.NewBuilder(ts)
		for b.Loop() {
			for _, row := range rows {
				k.Decode(row, x, 0)
				x.EndRow(1)
			}
			x.Finish()
		}
		perRow(b, benchRows)
	})
}

func BenchmarkBuilderAppend(b *testing.B) {
	ts, batch := benchBatch()
	b.ReportAllocs()
	x := zset.NewBuilder(ts)
	for b.Loop() {
		for i := range batch.N {
			x.Append(batch, i, 1)
		}
		x.Finish()
	}
	perRow(b, benchRows)
}

func BenchmarkColumns(b *testing.B) {
	ts, batch := benchBatch()
	r := rand.New(rand.NewPCG(2, 2))
	half, shuffled := []int32{}, make([]int32, benchRows)
	for i := range shuffled {
		if shuffled[i] = r.Int32N(benchRows); r.IntN(2) == 0 {
			half = append(half, int32(i))
		}
	}
	for c, name := range []string{"int64", "varchar"} {
		for sel, rows := range map[string][]int32{"half": half, "random": shuffled} {
			b.Run("gather/"+name+"/"+sel, func(b *testing.B) {
				for b.Loop() {
					zset.Gather(batch.Cols[c], rows)
				}
				perRow(b, len(rows))
			})
		}
		b.Run("hash/"+name, func(b *testing.B) {
			var dst []uint64
			for b.Loop() {
				dst = zset.Hash(batch.Cols[c:c+1], batch.N, dst)
			}
			perRow(b, benchRows)
		})
		b.Run("arrow/"+name, func(b *testing.B) {
			a := zset.ToArrow(batch.Cols[c])
			for b.Loop() {
				if _, err := zset.FromArrow(ts[c], a); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b, benchRows)
		})
		b.Run("concat/"+name, func(b *testing.B) {
			one := &zset.Batch{N: batch.N, Cols: batch.Cols[c : c+1]}
			for b.Loop() {
				zset.Concat(ts[c:c+1], one, one)
			}
			perRow(b, 2*benchRows)
		})
		b.Run("consolidate/10000 "+name, func(b *testing.B) {
			one := &zset.Batch{N: batch.N, Cols: batch.Cols[c : c+1]}
			for b.Loop() {
				zset.Consolidate(one)
			}
			perRow(b, benchRows)
		})
	}
	b.Run("consolidate/distinct rows", func(b *testing.B) {
		for b.Loop() {
			zset.Consolidate(batch)
		}
		perRow(b, benchRows)
	})
}
