package op

import (
	"math/rand/v2"
	"slices"
	"testing"

	"leat/internal/engine/zset"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// upsertTypes are two keys, a version and a value.
var upsertTypes = []types.Type{types.Of(types.Varchar), types.Of(types.BigInt), types.Of(types.BigInt), types.Of(types.Double)}

const upsertVersion = 2

// upsertModel has the current rows of a table by key, with tombstones (nil) where there are versions.
type upsertModel struct {
	versioned bool
	rows      map[string]joinRow
	versions  map[string]any
}

func (m *upsertModel) apply(r joinRow, w int64) {
	key := joinRow{r[0], r[1]}.String()
	if m.versioned {
		if v, ok := m.versions[key]; ok && lessVersion(r[upsertVersion], v) {
			return
		}
		m.versions[key] = r[upsertVersion]
	}
	if delete(m.rows, key); w > 0 {
		m.rows[key] = r
	}
}

// lessVersion orders versions; nil is the least.
func lessVersion(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b != nil
	}
	return a.(int64) < b.(int64)
}

func (m *upsertModel) bag() *joinBag {
	b := newJoinBag()
	for _, r := range m.rows {
		b.add(r, 1)
	}
	return b
}

func randomChange(rng *rand.Rand) (joinRow, int64) {
	r := joinRow{[]any{"", "a", "a\x00", nil}[rng.IntN(4)], rng.Int64N(3), rng.Int64N(6), float64(rng.IntN(3))}
	if rng.IntN(8) == 0 {
		r[upsertVersion] = nil
	}
	if rng.IntN(4) == 0 {
		return joinRow{r[0], r[1], r[2], nil}, -1
	}
	return r, 1
}

// TestUpsert compares the sum of the deltas with a map by key, after every batch.
func TestUpsert(t *testing.T) {
	for _, version := range []int{-1, upsertVersion} {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 1))
		model := &upsertModel{versioned: version >= 0, rows: map[string]joinRow{}, versions: map[string]any{}}
		store, got := memstate.New(), newJoinBag()
		op := NewUpsert(store.Table(1), upsertTypes, []int{0, 1}, version)
		for step := range 300 {
			b := zset.NewBuilder(upsertTypes)
			for range []int{0, 1, 3, 40}[rng.IntN(4)] {
				r, w := randomChange(rng)
				appendJoinRow(b, r, w)
				model.apply(r, w)
			}
			out, err := op.Step(&Context{}, []*zset.Batch{b.Finish()})
			if err != nil {
				t.Fatal(err)
			}
			got.addBatch(out)
			if c := zset.Consolidate(out); c.Rows() != out.Rows() {
				t.Errorf("%d rows cancel out", out.Rows()-c.Rows())
			}
			if d := got.difference(model.bag()); d != "" || t.Failed() {
				t.Fatalf("version %d, seed %d, step %d:\n%s", version, seed, step, d)
			}
			if rng.IntN(8) == 0 {
				_ = store.Commit(nil, false)
				store = store.Reopen()
				op = NewUpsert(store.Table(1), upsertTypes, []int{0, 1}, version)
			}
		}
	}
}

// TestUpsertTombstone deletes with a version before the row of a lower one comes.
func TestUpsertTombstone(t *testing.T) {
	op := NewUpsert(memstate.New().Table(1), upsertTypes, []int{0, 1}, upsertVersion)
	changes := []struct {
		row  joinRow
		w    int64
		want []int64 // weights of the output
	}{
		{joinRow{"a", int64(1), int64(5), nil}, -1, nil},
		{joinRow{"a", int64(1), int64(4), 1.0}, 1, nil},
		{joinRow{"a", int64(1), int64(5), 1.0}, 1, []int64{1}},
		{joinRow{"a", int64(1), int64(5), 1.0}, 1, nil},
		{joinRow{"a", int64(1), nil, nil}, -1, nil},
		{joinRow{"a", int64(1), int64(6), 2.0}, 1, []int64{-1, 1}},
		{joinRow{"a", int64(1), int64(6), nil}, -1, []int64{-1}},
	}
	for i, c := range changes {
		b := zset.NewBuilder(upsertTypes)
		appendJoinRow(b, c.row, c.w)
		out, err := op.Step(&Context{}, []*zset.Batch{b.Finish()})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for r := range out.Rows() {
			got = append(got, out.Weight(r))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("change %d: weights %v, want %v", i, got, c.want)
		}
	}
}
