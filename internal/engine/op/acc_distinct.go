package op

import (
	"leat/internal/engine/zset"
	"leat/internal/state"
	"leat/internal/types"
)

// distinct gives an accumulator each value of a group once. values holds them: [group][value] -> weight.
type distinct struct {
	accumulator
	arg    int
	codec  *zset.KeyCodec
	values state.Table
	pairs  pairs
	key    []byte
	once   rows
	sel    []int32
	w      []int64
}

func newDistinct(inner accumulator, arg int, t types.Type, values state.Table) *distinct {
	return &distinct{accumulator: inner, arg: arg, values: values, codec: zset.NewKeyCodec([]types.Type{t}, nil)}
}

func (d *distinct) add(in *rows) {
	col := zset.Normalize(in.cols[d.arg])
	d.pairs.collect(in, col)
	d.w, d.sel = resize(d.w, in.n), d.sel[:0]
	for p, delta := range d.pairs.deltas {
		if delta == 0 {
			continue
		}
		i := d.pairs.first[p]
		d.key = d.codec.AppendCol(append(d.key[:0], in.key(d.pairs.group(p))...), 0, col, int(i))
		before := int64(0)
		if v, ok := d.values.Get(d.key); ok {
			before = state.WeightOf(v)
		}
		d.values.Add(d.key, delta)
		if was, is := before > 0, before+delta > 0; was != is {
			d.w[i] = 1
			if was {
				d.w[i] = -1
			}
			d.sel = append(d.sel, i)
		}
	}
	d.once = *in
	d.once.sel, d.once.w = d.sel, d.w
	if len(d.sel) > 0 {
		d.accumulator.add(&d.once)
	}
}

func (d *distinct) reset(groups int) {
	d.accumulator.reset(groups)
	if groups == 0 {
		d.pairs, d.sel, d.w = pairs{}, nil, nil
	}
}

func (d *distinct) release() {
	d.accumulator.release()
	d.pairs.release()
	d.once = rows{}
}

func (d *distinct) tables() []state.Table { return append(d.accumulator.tables(), d.values) }

// pairs are the distinct (group, value) of one step with the sum of their weights.
type pairs struct {
	grouper
	gids   []int64
	deltas []int64
	// owner is the group of each pair.
	owner []int32
	cols  []*zset.Vec
}

// collect sums the weights of in's rows by group and values of cols. first holds a row of each pair.
func (p *pairs) collect(in *rows, cols ...*zset.Vec) {
	n := in.count()
	p.gids = resize(p.gids, n)
	for k := range n {
		i, _ := in.at(k)
		p.gids[k] = int64(in.gid[i])
	}
	p.cols = append(p.cols[:0], &zset.Vec{Type: types.Of(types.BigInt), Len: n, I64: p.gids})
	for _, c := range cols {
		if in.sel != nil {
			c = zset.Gather(c, in.sel)
		}
		p.cols = append(p.cols, c)
	}
	ids, _ := p.assign(p.cols, n)
	p.deltas = resize(p.deltas, len(p.first))
	for k, id := range ids {
		_, w := in.at(k)
		p.deltas[id] += w
	}
	p.owner = p.owner[:0]
	for id, k := range p.first {
		p.owner = append(p.owner, int32(p.gids[k]))
		if in.sel != nil {
			p.first[id] = in.sel[k]
		}
	}
}

// release forgets the columns of the step.
func (p *pairs) release() {
	clear(p.cols)
	p.grouper.release()
}

func (p *pairs) group(id int) int { return int(p.owner[id]) }
