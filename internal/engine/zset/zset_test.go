package zset_test

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/engine/zset/zsettest"
	"leat/internal/types"
)

// sizes are those of the batches that each property is tried on.
var sizes = []int{1, 2, 7, 8, 9, 64, 300}

// eachBatch runs f on random batches of random schemas.
func eachBatch(t *testing.T, f func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch)) {
	r := zsettest.Rand(t, 0)
	for range 60 {
		for _, n := range sizes {
			ts := zsettest.Schema(r)
			f(t, r, ts, zsettest.Batch(r, ts, n))
			if t.Failed() {
				t.Fatalf("schema %v, %d rows", ts, n)
			}
		}
	}
}

func TestKeyCodec(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch) {
		opts := make([]zset.KeyOrder, len(ts))
		for i := range opts {
			opts[i] = zset.KeyOrder{Desc: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0}
		}
		if r.IntN(3) == 0 {
			opts = nil
		}
		k := zset.NewKeyCodec(ts, opts)
		keys, back := make([][]byte, b.N), zset.NewBuilder(ts)
		for i := range b.N {
			keys[i] = append(k.Append(nil, b.Cols, i), "tail"...)
			if rest := k.Decode(keys[i], back, 0); string(rest) != "tail" {
				t.Fatalf("row %s: %q is left after decoding", zsettest.Row(b, i), rest)
			}
			back.EndRow(1)
			n := r.IntN(len(ts) + 1)
			if rest := k.Skip(keys[i], n); !bytes.Equal(k.Append(nil, b.Cols[:n], i), keys[i][:len(keys[i])-len(rest)]) {
				t.Fatalf("row %s: skipping %d columns leaves %x of %x", zsettest.Row(b, i), n, rest, keys[i])
			}
		}
		sameRows(t, back.Finish(), b)
		normal := &zset.Batch{N: b.N}
		for _, v := range b.Cols {
			normal.Cols = append(normal.Cols, zset.Normalize(v))
		}
		for range b.N {
			i, j := r.IntN(b.N), r.IntN(b.N)
			if zset.Equal(b.Cols, i, b.Cols, j) != bytes.Equal(keys[i], keys[j]) {
				t.Fatalf("equal bytes: %v, rows %s and %s", bytes.Equal(keys[i], keys[j]), zsettest.Row(b, i), zsettest.Row(b, j))
			}
			got, want := bytes.Compare(k.Append(nil, normal.Cols, i), k.Append(nil, normal.Cols, j)), compareRows(b, i, j, opts)
			if got != want {
				t.Fatalf("bytes compare %d, rows %d: %s and %s, %v", got, want, zsettest.Row(b, i), zsettest.Row(b, j), opts)
			}
		}
	})
}

// compareRows compares by columns.
func compareRows(b *zset.Batch, i, j int, opts []zset.KeyOrder) int {
	for c, v := range b.Cols {
		o := zset.KeyOrder{}
		if opts != nil {
			o = opts[c]
		}
		x := zset.Compare(v, i, v, j)
		switch {
		case x == 0:
			continue
		case v.Null(i) || v.Null(j):
			if o.NullsFirst {
				return -x
			}
			return x
		case o.Desc:
			return -x
		}
		return x
	}
	return 0
}

func sameRows(t *testing.T, got, want *zset.Batch) {
	t.Helper()
	if got.Rows() != want.Rows() {
		t.Fatalf("%d rows, want %d", got.Rows(), want.Rows())
	}
	for i := range want.Rows() {
		if !zset.Equal(got.Cols, i, want.Cols, i) || got.Weight(i) != want.Weight(i) {
			t.Fatalf("row %d is %s, want %s", i, zsettest.Row(got, i), zsettest.Row(want, i))
		}
		if zsettest.Row(got, i) != zsettest.Row(want, i) {
			t.Fatalf("row %d prints %s, want %s", i, zsettest.Row(got, i), zsettest.Row(want, i))
		}
	}
}

// TestCompare holds Compare against a comparison that takes nested values apart.
func TestCompare(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, _ []types.Type, b *zset.Batch) {
		norm := make([]*zset.Vec, len(b.Cols))
		for c, v := range b.Cols {
			norm[c] = zset.Normalize(v)
		}
		for range b.N {
			i, j, c := r.IntN(b.N), r.IntN(b.N), r.IntN(len(b.Cols))
			v := b.Cols[c]
			got, want := zset.Compare(v, i, v, j), naiveCompare(v, i, j)
			if got != want {
				t.Fatalf("Compare is %d, want %d: %s and %s of type %s", got, want, zsettest.Print(v, i), zsettest.Print(v, j), v.Type)
			}
			if zset.Equal(norm[c:c+1], i, norm[c:c+1], j) != (want == 0) {
				t.Fatalf("normal forms of %s and %s, which compare %d: %s and %s", zsettest.Print(v, i), zsettest.Print(v, j), want,
					zsettest.Print(norm[c], i), zsettest.Print(norm[c], j))
			}
			if zset.Compare(v, i, norm[c], i) != 0 {
				t.Fatalf("normal form of %s is %s", zsettest.Print(v, i), zsettest.Print(norm[c], i))
			}
		}
	})
}

func naiveCompare(v *zset.Vec, i, j int) int {
	if v.Null(i) || v.Null(j) || !v.Type.Kind.IsNested() {
		if !v.Null(i) && !v.Null(j) && v.Type.Kind == types.Interval && oneSign(v.Interval(i)) && oneSign(v.Interval(j)) {
			return micros(v.Interval(i)).Cmp(micros(v.Interval(j)))
		}
		return zset.Compare(v, i, v, j)
	}
	var parts [2][]*zset.Vec
	for x, row := range []int{i, j} {
		parts[x], _ = zset.Unpack(v.Slice(row, row+1))
	}
	for k := range min(parts[0][0].Len, parts[1][0].Len) {
		for p := range parts[0] {
			both := zset.Concat([]types.Type{parts[0][p].Type},
				&zset.Batch{N: 1, Cols: []*zset.Vec{parts[0][p].Slice(k, k+1)}}, &zset.Batch{N: 1, Cols: []*zset.Vec{parts[1][p].Slice(k, k+1)}})
			if c := naiveCompare(both.Cols[0], 0, 1); c != 0 {
				return c
			}
		}
	}
	return cmp.Compare(parts[0][0].Len, parts[1][0].Len)
}

// TestOrder has values in DuckDB's order, with those that it calls equal in one string.
func TestOrder(t *testing.T) {
	nan := math.Float64frombits(math.Float64bits(math.NaN()) | 1<<63 | 5)
	floats := [][]float64{{math.Inf(-1)}, {-1}, {math.Copysign(0, -1), 0}, {math.SmallestNonzeroFloat64}, {1}, {math.Inf(1)}, {math.NaN(), nan}}
	b := zset.NewBuilder([]types.Type{types.Of(types.Double)})
	var class []int
	for c, xs := range floats {
		for _, x := range xs {
			b.AppendFloat64(0, x)
			b.EndRow(1)
			class = append(class, c)
		}
	}
	b.AppendNull(0)
	b.EndRow(1)
	ordered(t, b.Finish().Cols[0], append(class, len(floats)))

	b = zset.NewBuilder([]types.Type{types.Of(types.Interval)})
	const day = 86_400_000_000
	for _, x := range []zset.Interval{{-1, 0, 0}, {0, -30, 0}, {0, -1, -1}, {0, 0, 0}, {0, 29, 0}, {1, -1, 0}, {1, 0, 0}, {0, 30, 0}, {0, 29, day}, {0, 0, 30 * day}, {0, 0, 30*day + 1}, {12, 0, 0}} {
		b.AppendBytes(0, x.Append(nil))
		b.EndRow(1)
	}
	ordered(t, b.Finish().Cols[0], []int{0, 0, 1, 2, 3, 4, 5, 5, 5, 5, 6, 7})
}

func ordered(t *testing.T, v *zset.Vec, class []int) {
	k := zset.NewKeyCodec([]types.Type{v.Type}, nil)
	for i, c := range class {
		for j, d := range class {
			if got := zset.Compare(v, i, v, j); got != cmp.Compare(c, d) {
				t.Errorf("%s compares %d with %s", zsettest.Print(v, i), got, zsettest.Print(v, j))
			}
			if got := bytes.Compare(k.AppendCol(nil, 0, v, i), k.AppendCol(nil, 0, v, j)); c != d && got != cmp.Compare(c, d) {
				t.Errorf("bytes of %s compare %d with %s", zsettest.Print(v, i), got, zsettest.Print(v, j))
			}
		}
	}
}

func TestRowCodec(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch) {
		k := zset.NewRowCodec(ts)
		rows, back := make([]string, b.N), zset.NewBuilder(append(ts[:len(ts):len(ts)], ts...))
		for i := range b.N {
			rows[i] = string(k.Append([]byte("head"), b.Cols, i))
			if rest := k.Decode([]byte(rows[i] + "tail")[4:], back, len(ts)); string(rest) != "tail" {
				t.Fatalf("row %s: %q is left after decoding", zsettest.Row(b, i), rest)
			}
			back.AppendNulls(0, len(ts))
			back.EndRow(1)
			buf := []byte(rows[i][4:])
			one := k.DecodeOne(buf)
			clear(buf)
			sameRows(t, one, b.Slice(i, i+1))
		}
		got := back.Finish()
		sameRows(t, &zset.Batch{N: got.N, Cols: got.Cols[len(ts):]}, b)
		hash := zset.Hash(b.Cols, b.N, nil)
		for range b.N {
			i, j := r.IntN(b.N), r.IntN(b.N)
			if equal := zset.Equal(b.Cols, i, b.Cols, j); equal != (rows[i] == rows[j]) || equal && hash[i] != hash[j] {
				t.Fatalf("equal %v, bytes %v, hashes %v: %s and %s", equal, rows[i] == rows[j], hash[i] == hash[j], zsettest.Row(b, i), zsettest.Row(b, j))
			}
		}
	})
}

func TestGatherConcatSlice(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch) {
		if r.IntN(2) == 0 {
			b = zset.Concat(ts, b, nil, zsettest.Weighted(r, ts, 1+r.IntN(20)))
		}
		from := r.IntN(b.N)
		b = b.Slice(from, from+1+r.IntN(b.N-from))
		sel := make([]int32, r.IntN(50))
		want := zset.NewBuilder(ts)
		for i := range sel {
			sel[i] = int32(r.IntN(b.N+1) - 1)
			if i > 0 && r.IntN(2) == 0 && int(sel[i-1])+1 < b.N {
				sel[i] = sel[i-1] + 1
			}
			if sel[i] < 0 {
				want.AppendNulls(0, len(ts))
				want.EndRow(1)
			} else {
				want.Append(b, int(sel[i]), b.Weight(int(sel[i])))
			}
		}
		got, expect := zset.GatherBatch(b, sel), want.Finish()
		sameRows(t, got, expect)
		both := zset.Concat(ts, got, b, nil, got)
		if both.N != 2*got.Rows()+b.N {
			t.Fatalf("%d rows", both.N)
		}
		sameRows(t, both.Slice(0, got.Rows()), got)
		sameRows(t, both.Slice(got.Rows(), got.Rows()+b.N), b)
		sameRows(t, both.Slice(got.Rows()+b.N, both.N), got)
	})
}

func TestConsolidate(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch) {
		few := zsettest.Batch(r, ts, 1+r.IntN(5))
		mixed := zset.NewBuilder(ts)
		for range b.N {
			w := int64(r.IntN(5) - 2)
			if r.IntN(3) == 0 {
				mixed.Append(b, r.IntN(b.N), w)
			} else {
				mixed.Append(few, r.IntN(few.N), w)
			}
		}
		in := mixed.Finish()
		got := zset.Consolidate(in)
		if d := zsettest.NewModel(ts, got).Diff(zsettest.NewModel(ts, in)); d != "" || got.Rows() != zsettest.NewModel(ts, in).Len() {
			t.Fatalf("%d rows\n%s", got.Rows(), d)
		}
		if got != nil && zset.Consolidate(got) != got {
			t.Fatal("consolidated twice, another batch")
		}
		at := 0 // rows come in the order of first appearance
		for i := range got.Rows() {
			for ; !zset.Equal(in.Cols, at, got.Cols, i); at++ {
			}
		}
		if left := zset.Consolidate(zset.Concat(ts, in, zset.Negate(in))); left != nil {
			t.Fatalf("%d rows are left of a batch and its negation", left.N)
		}
	})
}

func TestArrow(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch) {
		schema, tb := &types.Schema{}, &types.Batch{Rows: b.N}
		from := r.IntN(b.N)
		for i, v := range b.Cols {
			schema.Add(string(rune('a'+i)), v.Type)
			a := zset.ToArrow(v.Slice(from, b.N))
			tb.Columns = append(tb.Columns, a)
			if a.Len() != b.N-from {
				t.Fatalf("an array of %d values, want %d", a.Len(), b.N-from)
			}
		}
		tb.Schema, tb.Rows = schema, b.N-from
		cut := r.IntN(tb.Rows)
		sameRows(t, zset.FromBatch(tb.Slice(cut, tb.Rows), nil), b.Slice(from+cut, b.N))
		last := len(ts) - 1
		sameRows(t, zset.FromBatch(tb, []int{last}), (&zset.Batch{N: b.N, Cols: b.Cols[last:]}).Slice(from, b.N))
	})
	if zset.FromBatch(&types.Batch{Schema: &types.Schema{}}, nil) != nil {
		t.Error("a batch of no rows is not nil")
	}
	for _, k := range []types.Type{types.Of(types.Varchar), types.Of(types.UUID), types.ListOf(types.Of(types.Integer)), types.Of(types.Boolean)} {
		v, err := zset.FromArrow(k, zset.ToArrow(zset.Nulls(k, 0)))
		if err != nil || v.Len != 0 {
			t.Errorf("no values of %s: %v %v", k, v, err)
		}
	}
	if _, err := zset.FromArrow(types.Of(types.BigInt), zset.ToArrow(zset.Nulls(types.Of(types.Varchar), 3))); !types.HasCode(err, types.Internal) {
		t.Errorf("VARCHAR read as BIGINT: %v", err)
	}
}

func TestStream(t *testing.T) {
	r := zsettest.Rand(t, 0)
	for range 20 {
		ts := zsettest.Schema(r)
		s, m := zsettest.NewStream(r, ts, zsettest.Options{}), zsettest.NewModel(ts)
		for _, n := range []int{0, 1, 3, 100, 1000} {
			m.Apply(s.Next(n))
			b := m.Batch()
			for i := range b.Rows() {
				if b.Weight(i) < 0 {
					t.Fatalf("retracted and not there: %s", zsettest.Row(b, i))
				}
			}
		}
		if m.Apply(s.Drain()); m.Len() != 0 {
			t.Fatalf("left after draining: %v", m.Rows())
		}
	}
}

// TestBuilder checks that forgotten rows leave nothing behind and that a builder can be used again.
func TestBuilder(t *testing.T) {
	eachBatch(t, func(t *testing.T, r *rand.Rand, ts []types.Type, b *zset.Batch) {
		x := zset.NewBuilder(ts)
		for range 2 {
			for i := range b.N {
				for r.IntN(3) == 0 {
					x.Append(b, r.IntN(b.N), 0)
				}
				x.Append(b, i, 1)
			}
			if x.Len() != b.N {
				t.Fatalf("%d rows", x.Len())
			}
			got := x.Finish()
			if sameRows(t, got, b); got.W != nil {
				t.Fatal("weights of +1 are written out")
			}
		}
		if x.Finish() != nil {
			t.Fatal("an empty builder gives a batch")
		}
	})
}

// oneSign reports whether no part is positive or none is negative.
func oneSign(x zset.Interval) bool {
	return min(int64(x.Months), int64(x.Days), x.Micros) >= 0 || max(int64(x.Months), int64(x.Days), x.Micros) <= 0
}

// micros is the whole interval with months of 30 days, which orders as DuckDB does where the parts have one sign.
func micros(x zset.Interval) *big.Int {
	days := new(big.Int).Add(big.NewInt(int64(x.Months)*30), big.NewInt(int64(x.Days)))
	return days.Add(days.Mul(days, big.NewInt(86_400_000_000)), big.NewInt(x.Micros))
}
