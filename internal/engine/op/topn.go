package op

import (
	"math"

	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
	"leat/internal/types"
)

// topN ranks the rows of each partition. A row's key is [partition, the clock's first][order][what the row has besides], so that the rows
// of a partition lie side by side in their order. Its table is one of
//
//	[key] -> weight             ordered multisets
//	[partition] -> kept rows    where no row is ever retracted and few are kept (topn_kept.go)
//
// A step takes each partition that it touched from its old ranking to the new one and emits the difference.
type topN struct {
	cfg   TopNConfig
	table state.Table
	frees *freer
	out   *zset.Builder
	// pick are the output's columns among the builder's, which are in the order of the key.
	pick []int
	// end is the last rank kept.
	end  int64
	kept bool

	grouper   grouper
	partition *zset.KeyCodec
	// suffix is the codec of order and rest; the first ordered columns of it are the order.
	suffix           *zset.KeyCodec
	ordered          int
	partBy, suffixBy []keyColumn
	partCols         []*zset.Vec
	suffixCols       []*zset.Vec
	starts, rows     []int32
	// keys are those of the partitions of a step, each up to its end; they are gone through in order.
	keys   []byte
	ends   []int
	sorter zset.KeySorter
	// prefix is the key of the partition at hand.
	prefix, upper []byte
	key           []byte
	// buf holds the suffixes of the partition at hand.
	buf      []byte
	was, is  run
	old, new []item
}

// keyColumn is one column of a key: an input column, normalised where it has to compare as SQL does.
type keyColumn struct {
	column    int
	normalize bool
}

// NewTopN returns the rows whose rank within their partition is above Offset and at most Offset+Limit (Limit -1: all), with the rank as a
// last BIGINT column where Number is set. Ties of ROW_NUMBER go by the remaining input columns in order, ascending, NULLS LAST. A change
// costs what lies in front of it, up to the limit; with Number also what moves behind it.
func NewTopN(cfg TopNConfig, tables Tables) (Op, error) {
	t := &topN{cfg: cfg, table: tables(), end: math.MaxInt64, ordered: len(cfg.Order)}
	if cfg.Limit >= 0 && cfg.Offset < math.MaxInt64-cfg.Limit {
		t.end = cfg.Offset + cfg.Limit
	}
	t.kept = cfg.AppendOnly && cfg.Ranking == plan.RowNumber && t.end <= maxKept
	t.layout()
	t.frees = newFreer(cfg.Clock, t.table)
	return t, nil
}

// layout decides on the columns of keys and of the output's builder.
func (t *topN) layout() {
	cfg := t.cfg
	at := make([]int, len(cfg.Types))
	for i := range at {
		at[i] = -1
	}
	var ts []types.Type
	place := func(c int, normalize bool) keyColumn {
		if at[c] < 0 && (!normalize || lossless(cfg.Types[c])) {
			at[c] = len(ts)
		}
		ts = append(ts, cfg.Types[c])
		return keyColumn{c, normalize}
	}
	for _, i := range clockFirst(len(cfg.Partition), cfg.Clock) {
		t.partBy = append(t.partBy, place(cfg.Partition[i], true))
	}
	t.partition = zset.NewKeyCodec(ts, nil)
	var orders []zset.KeyOrder
	for _, o := range cfg.Order {
		t.suffixBy = append(t.suffixBy, place(o.Column, true))
		orders = append(orders, zset.KeyOrder{Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	for c := range cfg.Types {
		if at[c] < 0 {
			t.suffixBy = append(t.suffixBy, place(c, false))
			orders = append(orders, zset.KeyOrder{})
		}
	}
	t.suffix = zset.NewKeyCodec(ts[len(t.partBy):], orders)
	t.pick = at
	if cfg.Number {
		t.pick = append(t.pick, len(ts))
		ts = append(ts, types.Of(types.BigInt))
	}
	t.out = zset.NewBuilder(ts)
}

// lossless reports whether Normalize leaves all values of a type as they are.
func lossless(t types.Type) bool {
	return t.Kind != types.Float && t.Kind != types.Double && t.Kind != types.Interval && !t.Kind.IsNested()
}

func (t *topN) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	if b := in[0]; b.Rows() > 0 && t.end > t.cfg.Offset {
		t.step(b)
		clear(t.partCols)
		clear(t.suffixCols)
		t.grouper.release()
	} else if t.grouper.rest(); cap(t.rows) > roomy {
		t.starts, t.rows, t.buf, t.key = nil, nil, nil, nil
		t.keys, t.ends, t.sorter = nil, nil, zset.KeySorter{}
	}
	t.frees.advance(x.Watermark)
	out := t.out.Finish()
	if out == nil {
		return nil, nil
	}
	cols := make([]*zset.Vec, len(t.pick))
	for i, c := range t.pick {
		cols[i] = out.Cols[c]
	}
	return &zset.Batch{Cols: cols, N: out.N, W: out.W}, nil
}

func (t *topN) step(b *zset.Batch) {
	t.partCols = columns(t.partCols[:0], b, t.partBy)
	t.suffixCols = columns(t.suffixCols[:0], b, t.suffixBy)
	gid, first := t.grouper.assign(t.partCols, b.N)
	t.sort(gid, len(first))
	t.encode(first)
	for _, k := range t.sorter.Sort(t.keys, t.ends) {
		g, from := int(k.Index), 0
		if g > 0 {
			from = t.ends[g-1]
		}
		t.prefix = t.keys[from:t.ends[g]:t.ends[g]]
		t.buf = t.buf[:0]
		touched := t.rows[t.starts[g]:t.starts[g+1]]
		if t.kept {
			t.turnKept(b, touched)
		} else {
			t.turn(b, touched)
		}
	}
}

// encode writes the key of each partition, of which first are rows.
func (t *topN) encode(first []int32) {
	t.keys, t.ends = t.keys[:0], t.ends[:0]
	for _, row := range first {
		if len(t.partBy) == 0 {
			t.keys = append(t.keys, 0)
		}
		t.keys = t.partition.Append(t.keys, t.partCols, int(row))
		t.ends = append(t.ends, len(t.keys))
	}
}

func columns(dst []*zset.Vec, b *zset.Batch, by []keyColumn) []*zset.Vec {
	for _, c := range by {
		v := b.Cols[c.column]
		if c.normalize {
			v = zset.Normalize(v)
		}
		dst = append(dst, v)
	}
	return dst
}

// sort puts the rows of each group side by side: group g has rows[starts[g]:starts[g+1]].
func (t *topN) sort(gid []int32, groups int) {
	t.starts = resize(t.starts, groups+1)
	t.rows = resize(t.rows, len(gid))
	for _, g := range gid {
		t.starts[g]++
	}
	sum := int32(0)
	for g := range t.starts {
		sum += t.starts[g]
		t.starts[g] = sum
	}
	for i := len(gid) - 1; i >= 0; i-- {
		g := gid[i]
		t.starts[g]--
		t.rows[t.starts[g]] = int32(i)
	}
}

// turn changes the multiset of the partition in prefix by rows of b.
func (t *topN) turn(b *zset.Batch, touched []int32) {
	t.collect(&t.was)
	again := false
	for _, row := range touched {
		t.key = t.suffix.Append(append(t.key[:0], t.prefix...), t.suffixCols, int(row))
		if t.behind(&t.was, t.key[len(t.prefix):]) {
			if t.cfg.AppendOnly {
				continue
			}
		} else {
			again = true
		}
		t.table.Add(t.key, b.Weight(int(row)))
	}
	if !again {
		return
	}
	t.collect(&t.is)
	t.diff()
	if t.cfg.AppendOnly {
		t.trim()
	}
}

// collect reads the partition's ranking as far as it is kept.
func (t *topN) collect(r *run) {
	r.reset()
	var lower []byte
	lower, t.upper = state.Prefix(t.prefix, t.upper)
	it := t.table.Scan(lower, t.upper)
	for it.Next() {
		key, w := it.Key()[len(t.prefix):], state.WeightOf(it.Value())
		if w <= 0 {
			continue
		}
		from := len(t.buf)
		t.buf = append(t.buf, key...)
		if !t.push(r, from, w) {
			it.Close()
			return
		}
	}
}

// trim forgets the rows behind the ranking: nothing is ever retracted, so they never come forward.
func (t *topN) trim() {
	if !t.full(&t.is) {
		return
	}
	last := t.is.entries[len(t.is.entries)-1]
	t.key = append(append(append(t.key[:0], t.prefix...), t.buf[last.from:last.to]...), 0)
	_, t.upper = state.Prefix(t.prefix, t.upper)
	if it := t.table.Scan(t.key, t.upper); it.Next() {
		it.Close()
		t.table.DeleteRange(t.key, t.upper)
	}
}
