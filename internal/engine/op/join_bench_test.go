package op

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"leat/internal/engine/expr"
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// benchTable is a table whose cost is next to nothing: a sorted array that is read, while what is added is counted and forgotten once it is
// frozen. What a benchmark over it measures is the operator.
type benchTable struct {
	keys   [][]byte
	frozen bool
	added  int
}

var weightOne = state.AppendWeight(nil, 1)

func (t *benchTable) find(key []byte) int {
	return sort.Search(len(t.keys), func(i int) bool { return bytes.Compare(t.keys[i], key) >= 0 })
}

func (t *benchTable) Get(key []byte) ([]byte, bool) {
	i := t.find(key)
	return weightOne, i < len(t.keys) && bytes.Equal(t.keys[i], key)
}

func (t *benchTable) Scan(lower, upper []byte) state.Iterator {
	return &benchIterator{t: t, i: t.find(lower) - 1, upper: upper}
}

func (t *benchTable) Add(key []byte, _ int64) {
	t.added += len(key)
	if !t.frozen {
		t.keys = append(t.keys, bytes.Clone(key))
	}
}

func (t *benchTable) freeze() {
	sort.Slice(t.keys, func(i, j int) bool { return bytes.Compare(t.keys[i], t.keys[j]) < 0 })
	t.frozen = true
}

func (t *benchTable) Put([]byte, []byte)         {}
func (t *benchTable) Delete([]byte)              {}
func (t *benchTable) DeleteRange([]byte, []byte) {}
func (t *benchTable) Snapshot() state.Snapshot   { return nil }

type benchIterator struct {
	t     *benchTable
	i     int
	upper []byte
}

func (it *benchIterator) Next() bool {
	it.i++
	return it.i < len(it.t.keys) && (it.upper == nil || bytes.Compare(it.t.keys[it.i], it.upper) < 0)
}
func (it *benchIterator) Key() []byte   { return it.t.keys[it.i] }
func (it *benchIterator) Value() []byte { return weightOne }
func (it *benchIterator) Close()        {}

var (
	bidTypes = []types.Type{ // auction, bidder, price, channel, url, date_time, extra
		types.Of(types.BigInt), types.Of(types.BigInt), types.Of(types.BigInt), types.Of(types.Varchar), types.Of(types.Varchar),
		types.Of(types.Timestamp), types.Of(types.Varchar),
	}
	auctionTypes = []types.Type{ // id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra
		types.Of(types.BigInt), types.Of(types.Varchar), types.Of(types.Varchar), types.Of(types.BigInt), types.Of(types.BigInt),
		types.Of(types.Timestamp), types.Of(types.Timestamp), types.Of(types.BigInt), types.Of(types.BigInt), types.Of(types.Varchar),
	}
)

// nexmarkBatch makes rows of the widths that Nexmark's generator makes, with their first columns keys.
func nexmarkBatch(ts []types.Type, n int, id func(i int) int64) *zset.Batch {
	b := zset.NewBuilder(ts)
	for i := range n {
		for c, t := range ts {
			switch {
			case c == 0:
				b.AppendInt64(0, id(i))
			case t.Kind == types.Timestamp:
				b.AppendInt64(c, 1_700_000_000_000_000+id(i)*1000+int64(c)*10_000_000)
			case t.Kind == types.Varchar:
				b.AppendBytes(c, []byte(strings.Repeat("x", []int{10, 8, 25, 9, 40, 0, 50, 0, 0, 60}[c])))
			default:
				b.AppendInt64(c, int64(i)*int64(c+7)%100_000)
			}
		}
		b.EndRow(1)
	}
	return b.Finish()
}

// BenchmarkJoinProbe joins bids to 100,000 auctions as Nexmark's q20 does, with a residual as q9 has it, and in other ways.
func BenchmarkJoinProbe(b *testing.B) {
	const auctions = 100_000
	w := len(auctionTypes)
	within := &plan.Expr{Kind: plan.And, Type: types.Of(types.Boolean), Place: -1, Args: []*plan.Expr{
		benchCompare(">=", plan.Col(w+5, bidTypes[5]), plan.Col(5, auctionTypes[5])),
		benchCompare("<=", plan.Col(w+5, bidTypes[5]), plan.Col(6, auctionTypes[6])),
	}}
	p, err := expr.Compile([]*plan.Expr{within}, nil)
	if err != nil {
		b.Fatal(err)
	}
	cfg := JoinConfig{LeftTypes: auctionTypes, RightTypes: bidTypes, LeftKeys: []int{0}, RightKeys: []int{0}, NullSafe: []bool{false}, Clock: NoClock}
	for _, c := range []struct {
		name     string
		kind     plan.JoinKind
		residual *expr.Program
		band     *plan.Band
	}{
		{"inner", plan.Inner, nil, nil},
		{"inner-residual", plan.Inner, p, nil},
		{"inner-band", plan.Inner, nil, &plan.Band{LeftTime: 5, RightTime: 5, Lower: -100_000, Upper: 100_000}},
		{"right", plan.Right, nil, nil},
		{"right-residual", plan.Right, p, nil},
		{"semi", plan.Semi, nil, nil},
	} {
		for _, size := range []int{1, 1000, 1 << 16} {
			b.Run(fmt.Sprintf("%s/rows=%d", c.name, size), func(b *testing.B) {
				cfg, side := cfg, 1 // of the bids
				cfg.Kind, cfg.Residual, cfg.Band = c.kind, c.residual, c.band
				if c.kind == plan.Semi {
					cfg.LeftTypes, cfg.RightTypes, side = bidTypes, auctionTypes, 0
				}
				benchProbe(b, cfg, side, size, auctions)
			})
		}
	}
}

func benchCompare(op string, l, r *plan.Expr) *plan.Expr {
	return &plan.Expr{Kind: plan.Compare, Name: op, Type: types.Of(types.Boolean), Place: -1, Args: []*plan.Expr{l, r}}
}

func benchProbe(b *testing.B, cfg JoinConfig, side, size, auctions int) {
	var made []*benchTable
	op, err := NewJoin(cfg, func() state.Table {
		made = append(made, &benchTable{})
		return made[len(made)-1]
	})
	if err != nil {
		b.Fatal(err)
	}
	x := &Context{Watermark: types.NoWatermark}
	in := make([]*zset.Batch, 2)
	in[1-side] = nexmarkBatch(auctionTypes, auctions, func(i int) int64 { return int64(i) })
	if _, err := op.Step(x, in); err != nil {
		b.Fatal(err)
	}
	for _, t := range made {
		t.freeze()
	}
	rng := rand.New(rand.NewPCG(1, 2))
	in[1-side] = nil
	in[side] = nexmarkBatch(bidTypes, size, func(i int) int64 { return 50_000 + int64(i/16) + rng.Int64N(100) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := op.Step(x, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// benchMap is the cheapest table that upserts can have.
type benchMap struct {
	benchTable
	rows map[string][]byte
}

func (t *benchMap) Get(key []byte) ([]byte, bool) {
	v, ok := t.rows[string(key)]
	return v, ok
}

func (t *benchMap) Put(key, value []byte) {
	t.rows[string(key)] = append(t.rows[string(key)][:0], value...)
}

// BenchmarkUpsert changes rows of a table of 100,000.
func BenchmarkUpsert(b *testing.B) {
	for _, version := range []int{-1, 2} {
		b.Run(fmt.Sprintf("version=%d", version), func(b *testing.B) {
			op := NewUpsert(&benchMap{rows: map[string][]byte{}}, bidTypes, []int{0}, version)
			rng := rand.New(rand.NewPCG(1, 2))
			in := make([][]*zset.Batch, 8)
			for i := range in {
				in[i] = []*zset.Batch{nexmarkBatch(bidTypes, 1<<16, func(int) int64 { return rng.Int64N(100_000) })}
			}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := op.Step(&Context{}, in[n%len(in)]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(n<<16)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
