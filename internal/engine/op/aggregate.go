package op

import (
	"bytes"
	"encoding/binary"

	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// aggregate groups rows. Its first table has a row per group, [groups, the clock's first] -> row count, then each accumulator's state; the
// accumulators that need them have tables of their own, whose keys begin with the group's.
//
// A step adds its rows up by group in memory first; then each group that it touched, in the order of the state, costs one Get and one Put.
type aggregate struct {
	cfg   AggregateConfig
	table state.Table
	accs  []accumulator
	// order are the positions of the group columns in state keys.
	order []int
	codec *zset.KeyCodec
	frees *freer
	out   *zset.Builder
	// failed builds the rows of groups that an overflow took out.
	failed *zset.Builder

	grouper grouper
	groups  []*zset.Vec
	keyed   []*zset.Vec
	counts  []int64
	keys    []byte
	ends    []int
	sorted  zset.KeySorter
	sels    [2][]int32
	started bool
	value   []byte
	was, is result
	reasons []*types.Error
}

// result is a group's output row before its group columns.
type result struct {
	exists bool
	cells  []byte
	err    *types.Error
}

// NewAggregate returns GROUP BY: the output is the group columns, then one column per aggregate, each group a row of weight 1. -0.0 and 0.0
// are one group and come out as 0.0, intervals in their normal form. Where an aggregate has no form here the error is Unsupported and
// names it. Groups whose result overflows are omitted, and a row of the group columns and NULLs goes to Context.Fail, and again with
// weight -1 once they no longer do. Groups that the clock frees are forgotten, never retracted.
func NewAggregate(cfg AggregateConfig, tables Tables) (Op, error) {
	a := &aggregate{cfg: cfg, table: tables(), sels: [2][]int32{{}, {}}}
	var out, keys []types.Type
	for _, c := range cfg.Groups {
		out = append(out, cfg.Types[c])
	}
	a.order = clockFirst(len(cfg.Groups), cfg.Clock)
	for _, i := range a.order {
		keys = append(keys, out[i])
	}
	a.codec = zset.NewKeyCodec(keys, nil)
	held := []state.Table{a.table}
	for _, g := range cfg.Aggs {
		acc, err := newAccumulator(g, &cfg, tables)
		if err != nil {
			return nil, err
		}
		a.accs = append(a.accs, acc)
		held = append(held, acc.tables()...)
		out = append(out, g.Type)
	}
	a.frees = newFreer(cfg.Clock, held...)
	a.out, a.failed = zset.NewBuilder(out), zset.NewBuilder(out)
	return a, nil
}

// clockFirst returns the order of n keys in state: the clock's first, the others as they are.
func clockFirst(n int, c Clock) []int {
	order := make([]int, 0, n)
	if c.Key >= 0 {
		order = append(order, c.Key)
	}
	for i := range n {
		if i != c.Key {
			order = append(order, i)
		}
	}
	return order
}

func (a *aggregate) Step(x *Context, in []*zset.Batch) (*zset.Batch, error) {
	b := in[0]
	groups := 0
	if b.Rows() > 0 {
		groups = a.collect(b)
	} else if a.cfg.Global && !a.started {
		groups = a.empty()
	}
	a.started = true
	if groups > 1 {
		for _, k := range a.sorted.Sort(a.keys, a.ends[1:]) {
			a.turn(int(k.Index))
		}
	} else if groups == 1 {
		a.turn(0)
	}
	a.release(groups)
	a.frees.advance(x.Watermark)
	if failed := a.failed.Finish(); failed != nil {
		reasons := a.reasons
		a.reasons = nil
		for i := range failed.N {
			x.Fail(failed, i, reasons[i])
		}
	}
	return a.out.Finish(), nil
}

// release forgets the input of the step; after a step without any, also the room that large ones took.
func (a *aggregate) release(groups int) {
	clear(a.groups)
	clear(a.keyed)
	a.grouper.release()
	for _, acc := range a.accs {
		acc.release()
	}
	if groups > 0 {
		return
	}
	a.grouper.rest()
	a.counts = resize(a.counts, 0)
	a.sorted.Rest(roomy)
	if cap(a.ends) > roomy {
		a.ends, a.keys, a.sels = nil, nil, [2][]int32{{}, {}}
	}
	for _, acc := range a.accs {
		acc.reset(0)
	}
}

// empty makes the one group of a global aggregate without rows.
func (a *aggregate) empty() int {
	a.counts = resize(a.counts, 1)
	a.keys, a.ends = append(a.keys[:0], 0), append(a.ends[:0], 0, 1)
	for _, acc := range a.accs {
		acc.reset(1)
	}
	return 1
}

// collect adds b's rows up by group and returns the number of groups.
func (a *aggregate) collect(b *zset.Batch) int {
	a.groups, a.keyed = a.groups[:0], a.keyed[:0]
	for _, c := range a.cfg.Groups {
		a.groups = append(a.groups, zset.Normalize(b.Cols[c]))
	}
	for _, i := range a.order {
		a.keyed = append(a.keyed, a.groups[i])
	}
	gid, first := a.grouper.assign(a.groups, b.N)
	a.counts = resize(a.counts, len(first))
	if b.W == nil {
		for _, g := range gid {
			a.counts[g]++
		}
	} else {
		for i, g := range gid {
			a.counts[g] += b.W[i]
		}
	}
	a.encode(first)
	in := rows{cols: b.Cols, n: b.N, w: b.W, gid: gid, groups: len(first), key: a.key}
	for i, acc := range a.accs {
		acc.reset(len(first))
		in.sel = a.taken(&a.cfg.Aggs[i], b)
		if in.count() > 0 {
			acc.add(&in)
		}
	}
	return len(first)
}

// encode writes the state key of each group.
func (a *aggregate) encode(first []int32) {
	a.keys, a.ends = a.keys[:0], append(a.ends[:0], 0)
	for _, row := range first {
		if len(a.keyed) == 0 {
			a.keys = append(a.keys, 0)
		}
		a.keys = a.codec.Append(a.keys, a.keyed, int(row))
		a.ends = append(a.ends, len(a.keys))
	}
}

// key returns the state key of a group.
func (a *aggregate) key(g int) []byte { return a.keys[a.ends[g]:a.ends[g+1]:a.ends[g+1]] }

// taken returns the rows that an aggregate takes, nil for all: those that its filter lets through and whose arguments are not NULL (first
// and last take them too). A count_if takes those that are true.
func (a *aggregate) taken(g *AggConfig, b *zset.Batch) []int32 {
	var sel []int32
	next := 0
	if g.Filter >= 0 {
		a.sels[0] = trues(b.Cols[g.Filter], nil, b.N, a.sels[0])
		sel, next = a.sels[0], 1
	}
	for _, c := range g.Args {
		v := b.Cols[c]
		switch g.Name {
		case "first", "arbitrary", "last":
			return sel
		case "count_if", "countif":
			a.sels[next] = trues(v, sel, b.N, a.sels[next])
			return a.sels[next]
		}
		if v.Valid != nil {
			a.sels[next] = notNull(v, sel, b.N, a.sels[next])
			sel, next = a.sels[next], 1-next
		}
	}
	return sel
}

// turn brings one group from its old state to the new one and emits the difference.
func (a *aggregate) turn(g int) {
	key := a.key(g)
	old, found := a.table.Get(key)
	count, rest := int64(0), old
	if found {
		count, rest = readVarint(rest)
	}
	if len(a.accs) == 0 && !a.cfg.Global {
		a.turnDistinct(g, key, count)
		return
	}
	for _, acc := range a.accs {
		if found {
			rest = acc.load(rest)
		} else {
			acc.zero()
		}
	}
	a.evaluate(&a.was, count > 0 || found && a.cfg.Global)
	a.value = a.value[:0]
	count += a.counts[g]
	a.value = binary.AppendVarint(a.value, count)
	for _, acc := range a.accs {
		acc.merge(g, key)
		a.value = acc.store(a.value)
	}
	a.evaluate(&a.is, count > 0 || a.cfg.Global)
	switch {
	case count == 0 && !a.cfg.Global:
		a.table.Delete(key)
	case !found || !bytes.Equal(old, a.value):
		a.table.Put(key, a.value)
	}
	a.emit(g)
}

// turnDistinct is turn without accumulators. Where no row is ever retracted the count does not matter.
func (a *aggregate) turnDistinct(g int, key []byte, before int64) {
	after := before + a.counts[g]
	switch {
	case after == before || a.cfg.AppendOnly && before > 0:
		return
	case after == 0:
		a.table.Delete(key)
	default:
		a.table.Put(key, binary.AppendVarint(a.value[:0], after))
	}
	a.was, a.is = result{exists: before > 0}, result{exists: after > 0}
	a.emit(g)
}

// evaluate computes the current output row.
func (a *aggregate) evaluate(r *result, exists bool) {
	r.exists, r.cells, r.err = exists, r.cells[:0], nil
	if !exists {
		return
	}
	for _, acc := range a.accs {
		if r.cells, r.err = acc.value(r.cells); r.err != nil {
			return
		}
	}
}

// emit writes -was +is where they differ.
func (a *aggregate) emit(g int) {
	if a.was.exists == a.is.exists && (a.was.err != nil) == (a.is.err != nil) && (a.was.err != nil || bytes.Equal(a.was.cells, a.is.cells)) {
		return
	}
	a.write(g, &a.was, -1)
	a.write(g, &a.is, 1)
}

func (a *aggregate) write(g int, r *result, w int64) {
	b := a.out
	switch {
	case !r.exists:
		return
	case r.err != nil:
		b = a.failed
		b.AppendNulls(len(a.cfg.Groups), len(a.accs))
		a.reasons = append(a.reasons, r.err)
	default:
		cells := r.cells
		for i, acc := range a.accs {
			cells = acc.write(b, len(a.cfg.Groups)+i, cells)
		}
	}
	if len(a.cfg.Groups) > 0 {
		b.AppendCols(0, a.groups, int(a.grouper.first[g]))
	}
	b.EndRow(w)
}
