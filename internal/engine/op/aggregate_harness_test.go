package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/state/memstate"
	"leat/internal/types"
)

// tuple is a row of boxed values: nil, int64, float64, zset.Int128, string (of bytes).
type tuple []any

func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func boxBatch(ts []types.Type, rows []tuple, weights []int64) *zset.Batch {
	b := zset.NewBuilder(ts)
	for i, r := range rows {
		for c, v := range r {
			switch v := v.(type) {
			case nil:
				b.AppendNull(c)
			case int64:
				b.AppendInt64(c, v)
			case float64:
				b.AppendFloat64(c, v)
			case zset.Int128:
				b.AppendWide(c, v)
			case string:
				b.AppendBytes(c, []byte(v))
			}
		}
		w := int64(1)
		if weights != nil {
			w = weights[i]
		}
		b.EndRow(w)
	}
	return b.Finish()
}

func unbox(b *zset.Batch, i int) tuple {
	r := make(tuple, len(b.Cols))
	for c, v := range b.Cols {
		switch {
		case v.Null(i):
		case v.I64 != nil:
			r[c] = v.I64[i]
		case v.F64 != nil:
			r[c] = v.F64[i]
		case v.W != nil:
			r[c] = v.W[i]
		default:
			r[c] = string(v.Bytes(i))
		}
	}
	return r
}

func (r tuple) String() string {
	var b strings.Builder
	for _, v := range r {
		switch v := v.(type) {
		case float64:
			if math.IsNaN(v) {
				b.WriteString("NaN|")
			} else {
				fmt.Fprintf(&b, "%x|", math.Float64bits(v))
			}
		case zset.Int128:
			b.WriteString(v.BigInt().String() + "|")
		default:
			fmt.Fprintf(&b, "%v|", v)
		}
	}
	return b.String()
}

// multiset is rows by their print with weights.
type multiset map[string]int64

func (m multiset) add(b *zset.Batch) {
	for i := range b.Rows() {
		m.put(unbox(b, i), b.Weight(i))
	}
}

func (m multiset) put(r tuple, w int64) {
	k := r.String()
	if m[k] += w; m[k] == 0 {
		delete(m, k)
	}
}

func (m multiset) String() string {
	var l []string
	for k, w := range m {
		l = append(l, fmt.Sprintf("%s *%d\n", k, w))
	}
	sort.Strings(l)
	return strings.Join(l, "")
}

// source makes random deltas over rows that are there.
type source struct {
	r     *rand.Rand
	ts    []types.Type
	value func(r *rand.Rand, col int) any
	live  []tuple
	// only inserts
	appendOnly bool
}

// next returns a delta of about n changes, in any order, some rows twice, some with larger weights.
func (s *source) next(n int) *zset.Batch {
	var rows []tuple
	var ws []int64
	for range n {
		if !s.appendOnly && len(s.live) > 0 && s.r.IntN(5) < 2 {
			i := s.r.IntN(len(s.live))
			rows, ws = append(rows, s.live[i]), append(ws, -1)
			s.live[i] = s.live[len(s.live)-1]
			s.live = s.live[:len(s.live)-1]
			continue
		}
		row := make(tuple, len(s.ts))
		for c := range row {
			row[c] = s.value(s.r, c)
		}
		w := int64(1)
		if s.r.IntN(10) == 0 {
			w = 1 + int64(s.r.IntN(3))
		}
		for range w {
			s.live = append(s.live, row)
		}
		rows, ws = append(rows, row), append(ws, w)
	}
	s.r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i]; ws[i], ws[j] = ws[j], ws[i] })
	return boxBatch(s.ts, rows, ws)
}

// pick returns one of vs, or nil now and then.
func pick(r *rand.Rand, vs ...any) any {
	if r.IntN(8) == 0 {
		return nil
	}
	return vs[r.IntN(len(vs))]
}

// tablesOf gives out a store's tables from the first on.
func tablesOf(s state.Store) Tables {
	id := state.TableID(0)
	return func() state.Table { id++; return s.Table(id) }
}

// trial runs an operator over random deltas and compares its output with want after each step.
type trial struct {
	make      func(Tables) (Op, error)
	want      func(live []tuple) multiset
	steps     int
	size      int
	watermark func(step int) int64
	failures  int64
}

func (tr *trial) run(t *testing.T, s *source) {
	t.Helper()
	store := memstate.New()
	o, err := tr.make(tablesOf(store))
	if err != nil {
		t.Fatal(err)
	}
	got := multiset{}
	for step := range tr.steps {
		var in *zset.Batch
		if s.r.IntN(10) > 0 {
			in = s.next(1 + s.r.IntN(tr.size))
		}
		x := &Context{Watermark: types.NoWatermark, Fail: func(b *zset.Batch, i int, _ *types.Error) { tr.failures += b.Weight(i) }}
		if tr.watermark != nil {
			x.Watermark = tr.watermark(step)
		}
		out, err := o.Step(x, []*zset.Batch{in})
		if err != nil {
			t.Fatal(err)
		}
		got.add(out)
		if want := tr.want(s.live); got.String() != want.String() {
			t.Fatalf("step %d:\ngot\n%swant\n%s", step, got, want)
		}
		if s.r.IntN(4) == 0 {
			if err := store.Commit(nil, true); err != nil {
				t.Fatal(err)
			}
			store = store.Reopen()
			if o, err = tr.make(tablesOf(store)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// hashTable is a table for benchmarks of operators that only Get, Put and Delete.
type hashTable struct {
	state.Table
	m map[string][]byte
}

func fastTables() Tables {
	return func() state.Table { return &hashTable{m: map[string][]byte{}} }
}

func (h *hashTable) Get(key []byte) ([]byte, bool) {
	v, ok := h.m[string(key)]
	return v, ok
}

func (h *hashTable) Put(key, value []byte) {
	if v, ok := h.m[string(key)]; ok && cap(v) >= len(value) {
		h.m[string(key)] = append(v[:0], value...)
		return
	}
	h.m[string(key)] = slices.Clone(value)
}

func (h *hashTable) Delete(key []byte) { delete(h.m, string(key)) }
