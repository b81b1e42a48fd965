package op

import (
	"leat/internal/engine/zset"
	"leat/internal/sql/plan"
	"leat/internal/state"
)

// pass takes a chunk of candidates: it outputs those that the residual lets through, and counts them.
func (j *join) pass(x *Context, c *joinChunk) error {
	cand, sel, unknown, err := j.test(x, c)
	if err != nil {
		return err
	}
	if j.pairs {
		j.out.add(c.pick(cand, sel))
	}
	if j.kind == plan.Inner {
		return nil
	}
	j.count(c, j.matched, sel)
	if unknown != nil {
		j.count(c, j.unknown, unknown)
	}
	if c.s.other.matches != nil {
		j.flip(c, sel, unknown)
	}
	return nil
}

// test evaluates the residual of all pairs: sel are those for which it is true, nil if it is for all; unknown, of mark joins, those for which
// it is NULL. A pair in which it fails is reported and is no match. cand has the columns that it read.
func (j *join) test(x *Context, c *joinChunk) (cand *zset.Batch, sel, unknown []int32, err error) {
	cand = c.candidates(j.needed)
	if j.residual == nil {
		return cand, nil, nil, nil
	}
	j.residual.SetNow(x.Now)
	cols, failures, err := j.residual.Eval(cand)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(failures) > 0 {
		cand = c.pick(cand, nil)
	}
	v := cols[0]
	sel = make([]int32, 0, cand.N)
	for i := range cand.N {
		switch {
		case len(failures) > 0 && failures[0].Row == i:
			x.Fail(cand, i, failures[0].Reason)
			failures = failures[1:]
		case v.Null(i):
			if j.kind == plan.Mark {
				unknown = append(unknown, int32(i))
			}
		case v.I64[i] != 0:
			sel = append(sel, int32(i))
		}
	}
	if len(sel) == cand.N {
		sel = nil
	}
	return cand, sel, unknown, nil
}

// count adds to each row of the change the weights of the state rows that it is paired with in sel.
func (j *join) count(c *joinChunk, counts []int64, sel []int32) {
	if sel == nil {
		for p, d := range c.d {
			counts[d] += c.w[c.r[p]]
		}
		return
	}
	for _, p := range sel {
		counts[c.d[p]] += c.w[c.r[p]]
	}
}

// joinFlips is the scratch of flip: per state row, by how much its sums change.
type joinFlips struct{ matched, unknown []int64 }

// flip adds the matches of state rows to their counts, and outputs the rows that thereby change. All pairs of a state row are in one chunk.
func (j *join) flip(c *joinChunk, sel, unknown []int32) {
	o, f, n := c.s.other, &j.flips, len(c.w)
	f.matched, f.unknown = zeros(f.matched, n), zeros(f.unknown, n)
	add := func(sums []int64, p int) { sums[c.r[p]] += c.delta.Weight(int(c.d[p])) * c.w[c.r[p]] }
	if sel == nil {
		for p := range c.d {
			add(f.matched, p)
		}
	}
	for _, p := range sel {
		add(f.matched, int(p))
	}
	for _, p := range unknown {
		add(f.unknown, int(p))
	}
	r := &j.out.status
	r.reset()
	for i := range n {
		if f.matched[i] == 0 && f.unknown[i] == 0 {
			continue
		}
		m0, m1 := addSum(o.matches, c.key(i), f.matched[i])
		u0, u1 := int64(0), int64(0)
		if o.unknown != nil {
			u0, u1 = addSum(o.unknown, c.key(i), f.unknown[i])
		}
		r.change(int32(i), c.w[i], o.status.outcome(m0, u0), o.status.outcome(m1, u1))
	}
	j.out.emitState(c)
}

// addSum adds delta to a sum and returns what it was and is.
func addSum(t state.Table, key []byte, delta int64) (before, after int64) {
	if v, ok := t.Get(key); ok {
		before = state.WeightOf(v)
	}
	if delta != 0 {
		t.Add(key, delta)
	}
	return before, before + delta
}

// Values of join.had, per group of the change.
const (
	// hadIrrelevant: whether the key is there cannot change, or concerns no row.
	hadIrrelevant int32 = iota
	hadNone
	hadSome
)

// findHad notes which keys of the change its own side has before it is applied.
func (j *join) findHad(s *joinSide) {
	j.had = j.had[:0]
	for i := range j.groups.len() {
		had := hadIrrelevant
		if !j.pairs || j.matched[j.groups.group(i)[0]] != 0 { // else the other side has no row with the key
			had = hadNone
			if s.exists(j.groups.key(i)) {
				had = hadSome
			}
			if had == hadSome && s.appendOnly {
				had = hadIrrelevant
			}
		}
		j.had = append(j.had, had)
	}
}

// toggle outputs the rows of the other side whose key has come or gone on side s with the change d.
func (j *join) toggle(x *Context, s *joinSide, d *zset.Batch) error {
	p := &j.probe
	p.begin(s, d, &j.groups, false, j.toggled)
	for i, had := range j.had {
		if had == hadIrrelevant {
			continue
		}
		key, rows := j.groups.key(i), j.groups.group(i)
		has := s.exists(key)
		if has == (had == hadSome) {
			continue
		}
		j.matched[rows[0]] = 0
		if has {
			j.matched[rows[0]] = 1
		}
		if err := p.equal(x, key, rows); err != nil {
			return err
		}
		if o := s.other; o.dropMatched {
			lower, upper := state.Prefix(key, nil)
			o.rows.DeleteRange(lower, upper)
		}
	}
	return p.end(x)
}

// toggled outputs state rows whose having a match is now what matched says of the row of the change that has their key, and was not.
func (j *join) toggled(_ *Context, c *joinChunk) error {
	o, r := c.s.other, &j.out.status
	r.reset()
	for i, w := range c.w {
		now := j.matched[c.rep[i]]
		r.change(int32(i), w, o.status.outcome(1-now, 0), o.status.outcome(now, 0))
	}
	j.out.emitState(c)
	return nil
}
