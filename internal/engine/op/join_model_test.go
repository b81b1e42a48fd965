package op

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/types"
)

// joinRow is a row of the model: nil, int64, float64 or string per column.
type joinRow []any

func (r joinRow) String() string {
	var b []byte
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			b = append(b, "NULL"...)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case float64:
			b = strconv.AppendFloat(b, v, 'g', -1, 64) // -0 for -0.0
		case string:
			b = strconv.AppendQuote(b, v)
		}
		b = append(b, '|')
	}
	return string(b)
}

// joinBag is a multiset of rows.
type joinBag struct {
	rows map[string]joinRow
	w    map[string]int64
}

func newJoinBag() *joinBag { return &joinBag{rows: map[string]joinRow{}, w: map[string]int64{}} }

func (b *joinBag) add(r joinRow, w int64) {
	k := r.String()
	b.rows[k] = r
	if b.w[k] += w; b.w[k] == 0 {
		delete(b.w, k)
		delete(b.rows, k)
	}
}

// keys are the rows present, sorted.
func (b *joinBag) keys() []string {
	ks := make([]string, 0, len(b.w))
	for k := range b.w {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}

// difference lists what is in one bag and not in the other.
func (b *joinBag) difference(o *joinBag) string {
	var out strings.Builder
	for _, k := range b.keys() {
		if b.w[k] != o.w[k] {
			fmt.Fprintf(&out, "  %s got %d, want %d\n", k, b.w[k], o.w[k])
		}
	}
	for _, k := range o.keys() {
		if _, ok := b.w[k]; !ok {
			fmt.Fprintf(&out, "  %s got 0, want %d\n", k, o.w[k])
		}
	}
	return out.String()
}

// addBatch adds the rows of a batch.
func (b *joinBag) addBatch(batch *zset.Batch) {
	for i := range batch.Rows() {
		b.add(joinRowOf(batch, i), batch.Weight(i))
	}
}

func joinRowOf(b *zset.Batch, i int) joinRow {
	r := make(joinRow, len(b.Cols))
	for c, v := range b.Cols {
		switch {
		case v.Null(i):
		case v.I64 != nil:
			r[c] = v.I64[i]
		case v.F64 != nil:
			r[c] = v.F64[i]
		default:
			r[c] = string(v.Bytes(i))
		}
	}
	return r
}

func appendJoinRow(b *zset.Builder, r joinRow, w int64) {
	for c, v := range r {
		switch v := v.(type) {
		case nil:
			b.AppendNull(c)
		case int64:
			b.AppendInt64(c, v)
		case float64:
			b.AppendFloat64(c, v)
		case string:
			b.AppendBytes(c, []byte(v))
		}
	}
	b.EndRow(w)
}

// joinCase is a join and how the model evaluates it.
type joinCase struct {
	cfg JoinConfig
	// residual is the model's: 1 true, 0 false, -1 unknown, -2 an error.
	residual func(l, r joinRow) int
}

// truth is the join's condition of two rows.
func (c *joinCase) truth(l, r joinRow) int {
	result := 1
	for i, lk := range c.cfg.LeftKeys {
		t := sqlEqual(l[lk], r[c.cfg.RightKeys[i]], c.cfg.NullSafe[i])
		if t == 0 {
			return 0
		}
		result = min(result, t)
	}
	if b := c.cfg.Band; b != nil {
		lt, ok1 := l[b.LeftTime].(int64)
		rt, ok2 := r[b.RightTime].(int64)
		if !ok1 || !ok2 {
			return -1
		}
		if d := rt - lt; d < b.Lower || d > b.Upper {
			return 0
		}
	}
	if c.residual == nil || result != 1 && c.cfg.Kind != plan.Mark {
		return result
	}
	t := c.residual(l, r)
	if t <= 0 {
		return t
	}
	return result
}

func sqlEqual(a, b any, nullSafe bool) int {
	switch {
	case a == nil && b == nil && nullSafe:
		return 1
	case a == nil || b == nil:
		if nullSafe {
			return 0
		}
		return -1
	}
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if a == b || ok && ok2 && (x == y || x != x && y != y) {
		return 1
	}
	return 0
}

// evaluate joins two bags by nested loops; failed are the pairs, or the left rows of a single join, that are in error.
func (c *joinCase) evaluate(left, right *joinBag) (out, failed *joinBag) {
	out, failed = newJoinBag(), newJoinBag()
	hits, rights := map[string]int64{}, right.keys()
	for _, lk := range left.keys() {
		l, lw := left.rows[lk], left.w[lk]
		var matched, unknown int64
		var pair joinRow
		for _, rk := range rights {
			r, rw := right.rows[rk], right.w[rk]
			t := c.truth(l, r)
			if t == 0 {
				continue
			}
			both := append(append(joinRow{}, l...), r...)
			switch t {
			case 1:
				matched += rw
				hits[rk] += lw
				pair = both
				if c.cfg.Kind <= plan.Full {
					out.add(both, lw*rw)
				}
			case -1:
				unknown += rw
			case -2:
				failed.add(both, lw*rw)
			}
		}
		c.leftRow(out, failed, l, lw, matched, unknown, pair)
	}
	if c.cfg.Kind == plan.Right || c.cfg.Kind == plan.Full {
		for _, rk := range rights {
			if hits[rk] == 0 {
				out.add(append(make(joinRow, len(c.cfg.LeftTypes)), right.rows[rk]...), right.w[rk])
			}
		}
	}
	return out, failed
}

func (c *joinCase) leftRow(out, failed *joinBag, l joinRow, w, matched, unknown int64, pair joinRow) {
	padded := append(append(joinRow{}, l...), make(joinRow, len(c.cfg.RightTypes))...)
	switch k := c.cfg.Kind; {
	case k == plan.Semi && matched > 0, k == plan.Anti && matched == 0:
		out.add(l, w)
	case (k == plan.Left || k == plan.Full || k == plan.Single) && matched == 0:
		out.add(padded, w)
	case k == plan.Single && matched == 1:
		out.add(pair, w)
	case k == plan.Single:
		failed.add(l, w)
	case k == plan.Mark:
		mark := any(int64(0))
		if matched > 0 {
			mark = int64(1)
		} else if unknown > 0 {
			mark = nil
		}
		out.add(append(append(joinRow{}, l...), mark), w)
	}
}

// joinInput makes valid deltas of one input.
type joinInput struct {
	rng        *rand.Rand
	types      []types.Type
	row        func() joinRow
	final      func(joinRow) bool // rows that may not change any more
	appendOnly bool
	bag        *joinBag
}

// delta makes n random changes, applied to the bag.
func (in *joinInput) delta(n int) *zset.Batch {
	b := zset.NewBuilder(in.types)
	for range n {
		if !in.appendOnly && in.rng.IntN(5) < 2 {
			keys := in.bag.keys()
			if len(keys) > 0 {
				k := keys[in.rng.IntN(len(keys))]
				if r := in.bag.rows[k]; !in.final(r) {
					w := 1 + in.rng.Int64N(in.bag.w[k])
					appendJoinRow(b, r, -w)
					in.bag.add(r, -w)
				}
				continue
			}
		}
		w := int64(1)
		if in.rng.IntN(4) == 0 {
			w += in.rng.Int64N(3)
		}
		r := in.row()
		appendJoinRow(b, r, w)
		in.bag.add(r, w)
	}
	return b.Finish()
}
